from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from rollout import api
from rollout.cli import simulate
from rollout.cli.exits import Exit
from tests.unit.cli.scene import Scene

PAGE = Path(__file__).resolve().parents[3] / "docs/simulate.md"
SHARED = ("--var", "--var-file", "--output", "--help")
LINE = '{"start": %d, "seconds": 1, "deployment": "%s", "requests": %d, "errors": 0}\n'


def record(scene: Scene, seconds: int) -> None:
    lines = [LINE % (at, *each) for at in range(seconds) for each in (("blue", 90), ("green", 10))]
    (scene.folder / "r.jsonl").write_text("".join(lines))


def test_one_rollout_is_told_as_a_story(scene: Scene) -> None:
    told = scene.call("simulate", "plan.yaml", "--scenario", "crash")

    assert told.code == Exit.OK
    assert told.out.startswith(
        "Simulated: churn-green · crash: the candidate fails every request of the traffic\n"
        "Traffic:   50 requests/s, 0.5 % errors, median 80ms, drifting · seed 1\n"
    )
    assert "  1:00  smoke test passed: 3 of 3, slowest 80ms\n" in told.out
    assert "gate canary: fail. error_rate failed" in told.out
    assert told.out.rstrip().endswith("of virtual time; rollout apply would end with exit 10.")
    assert (
        "How often it goes so: rollout simulate plan.yaml --scenario crash --runs 1000" in told.err
    )


def test_nothing_real_is_touched(scene: Scene) -> None:
    scene.call("simulate", "plan.yaml")

    assert scene.world.writes == []
    assert scene.shelf.events == {}


def test_the_same_words_give_the_same_story(scene: Scene) -> None:
    words = ("simulate", "plan.yaml", "--scenario", "slow", "--seed", "5")

    assert scene.call(*words) == scene.call(*words)
    assert scene.call(*words) != scene.call(*words[:-1], "6")


def test_a_wordy_story_has_what_open_gates_say(scene: Scene) -> None:
    short, wordy = (scene.call("simulate", "plan.yaml", *more).out for more in ((), ("-v",)))

    assert "gate canary: running" not in short
    assert "gate canary: running" in wordy


def test_one_rollout_as_data(scene: Scene) -> None:
    told = scene.call("simulate", "plan.yaml", "--scenario", "errors", "-o", "json")

    data = json.loads(told.out)
    assert (told.code, data["code"]) == (0, 0)
    assert (data["outcome"], data["run"]["apply_code"]) == ("rolled_back", 10)
    assert data["run"]["stage"] == "shift-10"
    assert data["run"]["gates"][0]["verdict"] == "fail"
    assert data["run"]["exposure"]["errors"] > 0
    assert data["traffic"] == {
        "kind": "drifting", "rps": 50.0, "error_rate": 0.005, "latency_seconds": 0.08
    }  # fmt: skip
    events = [each["event"] for each in data["story"]]
    assert (events[0], events[-1]) == ("run.started", "rollback.done")


def test_many_rollouts_are_told_as_probabilities(scene: Scene) -> None:
    told = scene.call(
        "simulate", "plan.yaml", "--scenario", "errors", "--runs", "12", "--jobs", "1"
    )

    assert told.code == 0
    assert "Rollouts:  12\n" in told.out
    assert "rolled_back  10    12        100 %  75.8 % to 100 %" in told.out
    assert "Before a rollback green answered" in told.out
    assert "gate canary: fail (error rate)" in told.out
    assert (
        "One of them as a story: rollout simulate plan.yaml --scenario errors --pick 0" in told.err
    )


def test_many_rollouts_as_data(scene: Scene) -> None:
    words = ("simulate", "plan.yaml", "--runs", "4", "--jobs", "1", "-o", "json")

    data = json.loads(scene.call(*words).out)

    assert (data["outcome"], data["runs"], data["asked"]) == ("simulated", 4, 4)
    assert sum(each["runs"] for each in data["outcomes"]) == 4
    assert {"share", "interval", "seconds", "apply_code", "example"} <= set(data["outcomes"][0])
    assert data["gates"][0]["gate"] == "canary"


def test_one_of_many_is_picked(scene: Scene) -> None:
    words = ("simulate", "plan.yaml", "--runs", "50", "--pick", "7", "-o", "json")

    data = json.loads(scene.call(*words).out)

    assert data["run"]["number"] == 7


def test_the_next_command_has_every_option_that_counts(scene: Scene) -> None:
    told = scene.call(
        "simulate", "plan.yaml", "--scenario", "slow", "--effect", "20%", "--rps", "80", "--seed", "3",
        "--error-rate", "1.5%", "--latency", "250ms", "--traffic", "steady", "--from", "shift-10",
        "--approve", "no",
    )  # fmt: skip

    again = (
        "rollout simulate plan.yaml --scenario slow --effect 20% --from shift-10 --rps 80 "
        "--error-rate 1.5% --latency 250ms --traffic steady --approve no --seed 3 --runs 1000"
    )
    assert again in told.err
    assert "80 requests/s, 1.5 % errors, median 250ms, steady · seed 3" in told.out


def test_quiet_is_the_result_alone(scene: Scene) -> None:
    told = scene.call("simulate", "plan.yaml", "-q")

    assert told.err == ""
    assert "completed after" in told.out


# --- recordings -----------------------------------------------------------------


def test_recorded_intervals_take_the_place_of_a_scenario(scene: Scene) -> None:
    scene.write(
        scene.plan.read_text().replace("      - latency_p95: {tolerance: 50%, margin: 150%}\n", "")
    )
    record(scene, 200)

    told = scene.call("simulate", "plan.yaml", "--scenario", "r.jsonl")

    assert told.out.startswith("Simulated: churn-green · r.jsonl, 3m20s recorded\n")
    assert "completed after" in told.out
    assert told.err == "Apply it: rollout apply plan.yaml\n"


def test_a_recording_that_is_too_short_says_so(scene: Scene) -> None:
    record(scene, 5)

    told = scene.call("simulate", "plan.yaml", "--scenario", "r.jsonl")
    data = json.loads(
        scene.call("simulate", "plan.yaml", "--scenario", "r.jsonl", "-o", "json").out
    )

    assert told.code == 0
    assert "The recording was over before the plan was" in told.out
    assert (data["outcome"], data["run"]["recording_over"]) == ("inconclusive", True)


def test_findings_of_a_recording_have_their_places(scene: Scene) -> None:
    record(scene, 3)
    with (scene.folder / "r.jsonl").open("a") as file:
        file.write("{]\n" + LINE % (9, "red", 1))

    told = scene.call("simulate", "plan.yaml", "--scenario", "r.jsonl")
    data = json.loads(
        scene.call("simulate", "plan.yaml", "--scenario", "r.jsonl", "-o", "json").out
    )

    assert told.code == Exit.INVALID
    assert "r.jsonl:7:2: line: It is not JSON" in told.err
    assert (
        "r.jsonl:8:1: deployment: 'red' is none of the plan's. The plan has blue and green."
        in told.err
    )
    assert (
        "Error: The recording r.jsonl has 2 findings. Correct it, then: rollout simulate"
        in told.err
    )
    assert data["outcome"] == "invalid"
    assert len(data["error"]["findings"]) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--runs", "9"], "A recording always comes out the same. Simulate it once"),
        (["--effect", "1pp"], "--effect cannot change what was recorded. Leave --effect out."),
        (["--rps", "9", "--traffic", "steady"], "--rps and --traffic cannot change"),
    ],
)
def test_a_recording_takes_no_option_that_would_change_it(
    scene: Scene, words: list[str], told: str
) -> None:
    record(scene, 5)

    found = scene.call("simulate", "plan.yaml", "--scenario", "r.jsonl", *words)

    assert found.code == Exit.USAGE
    assert told in found.err


# --- what cannot be --------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--scenario", "disaster"], "There is no scenario 'disaster', and no file of that name."),
        (["--scenario", "."], "There is no scenario '.'"),
        (["--effect", "1pp"], "The scenario healthy has no size."),
        (["--scenario", "errors", "--effect", "lots"], "percentage points are written like 0.5pp"),
        (["--from", "nowhere"], "no stage 'nowhere' that holds for a while. Say one of shift-10"),
        (["--rps", "0"], "--rps"),
        (["--runs", "0"], "--runs"),
        (["--error-rate", "0.5"], "a percentage is written like"),
        (["--error-rate", "200%"], "a rate is at most 100%"),
        (["--latency", "0s"], "it must be longer than 0s"),
        (["--jobs", "0"], "--jobs"),
    ],
)
def test_wrong_usage_is_told_with_what_is_right(scene: Scene, words: list[str], told: str) -> None:
    found = scene.call("simulate", "plan.yaml", *words)

    assert found.code == Exit.USAGE
    assert told in found.err
    assert "Traceback" not in found.err


def test_an_invalid_plan_is_told_with_its_findings(scene: Scene) -> None:
    scene.write("kind: Rollout\n")

    told = scene.call("simulate", "plan.yaml")

    assert told.code == Exit.INVALID
    assert "plan.yaml:1:1" in told.err


def test_ctrl_c_shows_what_there_is(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(_: object, finished: int) -> None:
        if finished == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(simulate.Progress, "told", told)

    found = scene.call("simulate", "plan.yaml", "--runs", "500", "--jobs", "1")

    assert found.code == Exit.INTERRUPTED
    assert "Rollouts:  3 of 500, then stopped\n" in found.out
    assert "One of them as a story" in found.err


def test_ctrl_c_before_anything_is_over_shows_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*words: object, **more: object) -> api.Simulation:
        signal.raise_signal(signal.SIGINT)
        return simulation(*words, **{**more, "stopping": lambda: True})

    simulation = api.simulate
    monkeypatch.setattr(api, "simulate", none)
    monkeypatch.setattr("rollout.api.simulating._alone", lambda *_: iter(()))

    found = scene.call("simulate", "plan.yaml", "--runs", "20", "--jobs", "1")

    assert (found.code, found.out) == (Exit.INTERRUPTED, "")
    assert (
        "Stopped before the first rollout was over. Again: rollout simulate plan.yaml" in found.err
    )


def test_a_terminal_sees_how_many_are_done(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "redrawable", lambda stream: stream is sys.stderr)

    told = scene.call("simulate", "plan.yaml", "--runs", "3", "--jobs", "1")

    assert "\r\x1b[K2 of 3 rollouts simulated." in told.err
    assert "rollouts simulated" not in told.out


def test_checks_that_a_recording_cannot_answer_are_named(scene: Scene, tmp_path: Path) -> None:
    wanted = "      - prediction_drift: {tolerance: 5pp, margin: 10pp}\n"
    scene.write(
        scene.plan.read_text().replace("      - latency_p95:", f"{wanted}      - latency_p95:")
    )
    lines = [
        json.dumps({"start": at, "seconds": 10, "deployment": name, "requests": 90, "errors": 0})
        for at in range(0, 600, 10)
        for name in ("blue", "green")
    ]
    recording = tmp_path / "recorded.jsonl"
    recording.write_text("\n".join(lines))

    drawn = scene.call("simulate", "plan.yaml")
    told = scene.call("simulate", "plan.yaml", "--scenario", str(recording))

    left_out = "not simulated, and left out of the gates: canary: prediction_drift"
    assert f"Warning    {left_out}\n" in told.out
    assert left_out not in drawn.out


def test_the_help_names_every_scenario(scene: Scene) -> None:
    told = scene.call("simulate", "-h")

    for scenario in simulate.SCENARIOS.values():
        assert f"    {scenario.name} " in told.out


def test_the_page_names_every_scenario_and_every_option(scene: Scene) -> None:
    page = PAGE.read_text(encoding="utf-8")

    for scenario in simulate.SCENARIOS.values():
        assert f"| `{scenario.name}` |" in page
    shown = [each for each in simulate.simulate.params if not getattr(each, "hidden", False)]
    flags = {each.opts[-1] for each in shown} - {"plan", *SHARED}
    assert [flag for flag in sorted(flags) if f"`{flag}" not in page] == []
