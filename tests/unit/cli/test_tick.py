"""``rollout tick``, ``apply --max-wait`` and ``--on-interrupt``, on a platform in memory."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from rollout import api
from rollout.cli.exits import Exit
from rollout.cli.tick import worst
from tests.unit.cli.scene import PLAN, Scene

TICK = ("tick", "plan.yaml", "--auto-approve")
HOLD = PLAN + "guard: {unattended: hold}\n"


def run_of(scene: Scene) -> str:
    return json.loads(scene.call("status", "-o", "json").out)["run"]


def ticked(scene: Scene, *words: str, until: str, most: int = 40) -> dict:
    """Tick after tick, each when something is due, until the run's outcome is this."""
    for _ in range(most):
        data = json.loads(scene.call("tick", *words, "-o", "json").out)
        if data["outcome"] == until:
            return data
        scene.clock.sleep(30.0)
    raise AssertionError(data)


def test_a_tick_starts_nothing_unless_it_may(scene: Scene) -> None:
    told = scene.call("tick", "plan.yaml")

    assert told.code == Exit.USAGE
    assert "rollout tick plan.yaml --auto-approve" in told.err
    assert scene.world.writes == []


def test_ticks_alone_bring_a_plan_to_its_end(scene: Scene) -> None:
    scene.write(HOLD.replace("  - approve: {expires: 1d, author: true}\n", ""))
    first = json.loads(scene.call(*TICK, "-o", "json").out)
    assert (first["outcome"], first["code"], first["waits_for"]) == ("running", 0, "provisioning")
    assert first["next_check_at"] > first["started"]

    data = ticked(scene, first["run"], until="completed")

    assert data["code"] == 0
    assert scene.world.splits[-1] == "green 100"


def test_the_code_tells_on_whom_a_run_waits_where_somebody_wants_to_know(scene: Scene) -> None:
    scene.write(HOLD)
    scene.call(*TICK)
    ticked(scene, "plan.yaml", until="waiting_approval")

    assert scene.call("tick", "plan.yaml").code == 0
    assert scene.call("tick", "plan.yaml", "--detailed-exitcode").code == Exit.APPROVAL
    scene.call("pause")
    assert scene.call("tick", run_of(scene), "--detailed-exitcode").code == Exit.PAUSED


def test_apply_leaves_when_it_has_waited_long_enough(scene: Scene) -> None:
    scene.write(HOLD)

    told = scene.call("apply", "plan.yaml", "--auto-approve", "--max-wait", "5m")

    assert told.code == 0
    assert "next check at" in told.out
    assert "for an approval. green has 10 %." in told.out
    more = ("--max-wait", "1m", "--detailed-exitcode")
    assert scene.call("apply", "plan.yaml", *more).code == Exit.APPROVAL


def test_status_says_that_nobody_guards(scene: Scene) -> None:
    scene.write(HOLD)
    scene.call("apply", "plan.yaml", "--auto-approve", "--max-wait", "5m")

    told = scene.call("status")

    assert "Nobody guards it now; next check at 20" in told.out
    assert "green has 10 %." in told.out


def test_without_a_guard_that_lets_it_go_it_stays_and_says_why(scene: Scene) -> None:
    scene.call(*TICK)
    scene.clock.sleep(60.0)

    told = scene.call("tick", "plan.yaml")

    assert told.code == 0
    assert scene.world.splits[-1] == "green 100"
    assert told.out.count("this runner stays") + told.err.count("this runner stays") == 1


def test_a_pass_over_all_leaves_alone_what_is_not_due(scene: Scene) -> None:
    scene.write(HOLD)
    scene.call(*TICK)
    looks = len(scene.shelf.events["fake/churn"])

    early = scene.call("tick", "--all", "-o", "json")
    scene.clock.sleep(60.0)
    late = scene.call("tick", "--all", "-o", "json")

    (waiting,), (driven,) = json.loads(early.out), json.loads(late.out)
    assert (waiting["outcome"], waiting["waits_for"]) == ("waiting", "provisioning")
    assert len(scene.shelf.events["fake/churn"]) > looks
    assert (driven["outcome"], driven["candidate_percent"]) == ("running", 10)


def test_an_order_makes_a_run_due(scene: Scene) -> None:
    scene.write(HOLD)
    scene.call(*TICK)
    api.abort()

    told = scene.call("tick", "--all")

    assert told.code == Exit.ABORTED
    assert scene.world.splits[-1] == "blue 100"


def test_a_run_that_another_drives_is_skipped_and_named(scene: Scene) -> None:
    scene.write(HOLD)
    scene.call(*TICK)
    run = run_of(scene)
    scene.clock.sleep(60.0)
    scene.occupy()

    told = scene.call("tick", "--all")

    assert told.code == 0
    assert f"{run} churn-green on churn: skipped. bob@lab pid 12 is driving" in told.out


def test_an_error_in_one_run_is_told_and_the_pass_goes_on(scene: Scene) -> None:
    scene.write(HOLD)
    scene.call(*TICK)
    scene.clock.sleep(60.0)
    newest = scene.shelf.events["fake/churn"][-1]
    object.__setattr__(newest, "body", newest.body.replace(b'"at":', b'"at_":', 1))

    told = scene.call("tick", "--all")

    assert told.code == Exit.ERROR
    assert "not driven" in told.out


@pytest.mark.parametrize("words", [(), ("--all", "r-1"), ("plan.yaml", "other.yaml")])
def test_a_tick_must_know_which_runs_are_meant(scene: Scene, words: tuple[str, ...]) -> None:
    assert scene.call("tick", *words).code == Exit.USAGE


def started(scene: Scene) -> int:
    """How many runs there have been."""
    return len(json.loads(scene.call("history", "-o", "json").out))


def taken_back(scene: Scene, how: str) -> tuple[str, int]:
    """The plan's work has ended like this; its run's phase, and what a tick ends with."""
    if how == "by hand":
        assert scene.call("apply", "plan.yaml", "--auto-approve").code == 0
        scene.world.by_hand({"blue": 100})
        return "completed", 0
    if how == "undo":
        assert scene.call("apply", "plan.yaml", "--auto-approve").code == 0
        assert scene.call("undo").code == 0
        return "undone", 14
    if how == "abort":
        scene.world.fault("preflight", times=5)
        scene.write(scene.plan.read_text().replace("stages:", "stages:\n  - preflight: {}"))
        scene.call(*TICK)
        api.abort()
        scene.call("tick", "--all")
        return "aborted", 14
    scene.write(scene.plan.read_text().replace("stages:", "stages:\n  - preflight: {}"))
    scene.world.refuse("preflight")
    assert scene.call(*TICK).code == Exit.PREFLIGHT
    return "refused", Exit.PREFLIGHT


@pytest.mark.parametrize("how", ["undo", "by hand", "abort", "pre-checks"])
def test_no_tick_redoes_what_a_person_took_back(scene: Scene, how: str) -> None:
    phase, code = taken_back(scene, how)
    ended, count = json.loads(scene.call("status", "-o", "json").out), started(scene)

    told = scene.call(*TICK, "--detailed-exitcode")
    quiet = started(scene)
    again = scene.call("tick", "plan.yaml", "--again", "--auto-approve")

    assert (ended["phase"], told.code) == (phase, code)
    assert "Nothing to do: " in told.out
    assert f"{ended['run']}" in told.out
    assert "Begin it anew: rollout tick plan.yaml --again --auto-approve" in told.out
    assert (quiet, again.code, started(scene)) == (count, 0, count + 1)


def test_after_an_undo_no_pipeline_releases_it_again_unless_it_is_told_to(scene: Scene) -> None:
    taken_back(scene, "undo")
    shown = scene.call("plan", "plan.yaml", "--state", "sqlite:///a.db")

    told = scene.call("apply", "plan.yaml", "--auto-approve", "--state", "sqlite:///a.db")

    assert told.code == Exit.ABORTED
    assert "took this very work back by r-" in told.out
    assert "Begin it anew: rollout apply --state sqlite:///a.db plan.yaml --again" in told.out
    assert "Do it again: rollout apply --state sqlite:///a.db plan.yaml --again" in shown.out
    assert scene.world.splits[-1] == "blue 100"
    assert scene.call("apply", "plan.yaml", "--auto-approve", "--again").code == 0
    assert scene.world.splits[-1] == "green 100"


@pytest.mark.parametrize("words", [("--all",), ("r-1",)])
def test_only_a_plans_work_begins_anew(scene: Scene, words: tuple[str, ...]) -> None:
    assert scene.call("tick", *words, "--again").code == Exit.USAGE


@pytest.mark.parametrize(
    ("codes", "code"),
    [((), 0), ((0, 0), 0), ((0, 20), 20), ((20, 21, 22), 21), ((14, 12), 12), ((1, 10, 13), 10)],
)
def test_the_worst_code_counts(codes: tuple[int, ...], code: int) -> None:
    assert worst(codes) == code


def test_a_signal_may_mean_that_the_candidate_goes(scene: Scene) -> None:
    scene.write(HOLD)
    scene.clock.after(600.0, lambda: os.kill(os.getpid(), signal.SIGTERM))

    told = scene.call("apply", "plan.yaml", "--auto-approve", "--on-interrupt", "rollback")

    assert told.code == Exit.ABORTED
    assert scene.world.splits[-2:] == ["blue 90 green 10", "blue 100"]


def test_a_signal_leaves_the_run_as_it_is_and_due_at_once(scene: Scene) -> None:
    scene.write(HOLD)
    scene.clock.after(600.0, lambda: os.kill(os.getpid(), signal.SIGTERM))

    told = scene.call("apply", "plan.yaml", "--auto-approve")

    assert told.code == Exit.TERMINATED
    assert scene.world.splits[-1] == "blue 90 green 10"
    assert api.status().next_check is not None


def test_a_pipeline_learns_when_to_come_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = tmp_path / "outputs"
    monkeypatch.setenv("GITHUB_OUTPUT", str(said))
    scene.write(HOLD)

    scene.call(*TICK, "--ci", "github")

    assert "next_check_at=20" in said.read_text()


def test_a_plan_says_whom_its_absence_costs(scene: Scene) -> None:
    scene.write(HOLD)

    told = scene.call("plan", "plan.yaml", "--rps", "50")

    assert "green keeps up to 100 % while no runner is there: nobody guards it then." in " ".join(
        told.out.split()
    )
    assert "~15,000 in 5m" in told.out
