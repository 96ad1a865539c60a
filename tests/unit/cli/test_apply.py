from __future__ import annotations

import io
import json
import os
import re
import signal
import sys

import pytest

from rollout.cli.exits import Exit
from tests.unit.cli.scene import PLAN, Scene

AUTO = ("apply", "plan.yaml", "--auto-approve")
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z r-[0-9a-f]{8} \S")


class Terminal(io.StringIO):
    """A screen, and a keyboard on which ``keys`` are typed."""

    def isatty(self) -> bool:
        return True


def after(scene: Scene, seconds: float, number: int) -> None:
    scene.clock.after(seconds, lambda: os.kill(os.getpid(), number))


def test_a_healthy_candidate_completes(scene: Scene) -> None:
    told = scene.call(*AUTO)

    assert told.code == 0
    assert scene.world.splits[-1] == "green 100"
    assert "✔ Completed. green has 100 % of churn" in told.out
    assert "rollout undo r-" in told.out


def test_without_a_terminal_there_is_a_line_for_each_event(scene: Scene) -> None:
    told = scene.call(*AUTO)

    head, rest = told.out.split("to delete.", 1)[0], told.out.splitlines()
    events = [each for each in rest if LINE.match(each)]
    assert "rollout 0.1.0 · plan churn-green" in head
    assert len(events) > 10
    assert any("begin: set traffic blue 90 green 10" in each for each in events)
    assert "\x1b" not in told.out
    assert "\r" not in told.out


def test_json_is_one_object_and_the_events_go_to_the_messages(scene: Scene) -> None:
    told = scene.call(*AUTO, "-o", "json")

    data = json.loads(told.out)
    assert (data["outcome"], data["code"], data["course"]) == ("completed", 0, "start")
    assert data["exposure"]["errors"] == 0
    assert [each["state"] for each in data["stages"]] == ["passed"] * 4
    assert data["started"] < data["ended"]
    assert any(LINE.match(each) for each in told.err.splitlines())


def test_json_logs_have_names_and_fields(scene: Scene) -> None:
    told = scene.call(*AUTO, "-o", "json", "--log-format", "json")

    lines = [json.loads(each) for each in told.err.splitlines() if each.startswith("{")]
    assert {"effect.intended", "gate.judged", "run.ended"} <= {each["event"] for each in lines}
    assert json.loads(told.out)["outcome"] == "completed"


def test_quiet_tells_the_end_only(scene: Scene) -> None:
    told = scene.call(*AUTO, "-q")

    assert len(told.out.splitlines()) == 2
    assert told.err == ""


def test_without_a_terminal_the_question_is_an_error_that_names_the_flag(scene: Scene) -> None:
    told = scene.call("apply", "plan.yaml")

    assert told.code == Exit.USAGE
    assert "--auto-approve" in told.err
    assert scene.world.writes == []


@pytest.mark.parametrize(("keys", "code"), [("y\n", 0), ("n\n", Exit.ABORTED), ("", Exit.ABORTED)])
def test_on_a_terminal_it_asks(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, keys: str, code: int
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(keys))
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)

    told = scene.call("apply", "plan.yaml")

    assert told.code == code
    assert screen.getvalue().startswith("Apply? [y/N] ")
    assert bool(scene.world.writes) is (code == 0)


def test_no_input_asks_nothing_even_on_a_terminal(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    monkeypatch.setattr(sys, "stderr", Terminal())

    assert scene.call("apply", "plan.yaml", "--no-input").code == Exit.USAGE


def test_on_a_terminal_there_is_a_tree(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm-256color")

    assert scene.call(*AUTO).code == 0

    assert "├─ \x1b[32m✔\x1b[0m create green" in screen.getvalue()
    assert not LINE.search(screen.getvalue())


@pytest.mark.parametrize("variable", [("NO_COLOR", "1"), ("TERM", "dumb")], ids=str)
def test_no_colours_where_none_are_wanted(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, variable: tuple[str, str]
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv(*variable)

    assert scene.call(*AUTO).code == 0

    assert not re.search(r"\x1b\[[0-9;]*3\dm", screen.getvalue())


def test_a_bad_candidate_is_explained_and_ends_in_10(scene: Scene) -> None:
    scene.world.behave("green", after=33, error_rate=0.4)
    with scene.world.change() as real:
        real.logs["green"] = "INFO up\nKeyError: 'tenure' \x1b[2J##vso[task.complete]\n::error::x"

    told = scene.call(*AUTO)
    data = json.loads(scene.call(*AUTO, "-o", "json").out)

    assert told.code == Exit.ROLLED_BACK
    assert "✖ gate canary failed in stage 3 of 4, shift 10 % after" in told.out
    assert "a healthy candidate looks this bad in fewer than 1 of 100 rollouts" in told.out
    assert "KeyError: 'tenure'" in told.out
    assert "Rolled back and verified in" in told.out
    assert "exit 10" in told.out
    assert "##vso[" not in told.out
    assert "\x1b" not in told.out
    assert not any(each.lstrip().startswith("::") for each in told.out.splitlines())
    assert (data["outcome"], data["code"], data["course"]) == ("rolled_back", 10, "nothing")


def test_the_same_work_again_is_nothing_to_do(scene: Scene) -> None:
    first = json.loads(scene.call(*AUTO, "-o", "json").out)
    writes = list(scene.world.writes)

    told = scene.call("apply", "plan.yaml")

    assert told.code == 0
    assert told.out.startswith(f"Nothing to do: {first['run']} did this very work")
    assert scene.world.writes == writes


def test_ctrl_c_leaves_after_the_step_and_the_same_command_goes_on(scene: Scene) -> None:
    after(scene, 36, signal.SIGINT)

    told = scene.call(*AUTO)
    resumed = scene.call("apply", "plan.yaml")

    assert told.code == Exit.INTERRUPTED
    assert "Its state is saved." in told.out
    assert "Go on: rollout apply plan.yaml" in told.out
    assert resumed.code == 0
    assert "Resuming r-" in resumed.err
    assert scene.world.splits[-1] == "green 100"


def test_a_termination_is_told_as_one(scene: Scene) -> None:
    after(scene, 36, signal.SIGTERM)

    told = scene.call(*AUTO, "-o", "json")

    assert told.code == Exit.TERMINATED
    assert json.loads(told.out)["outcome"] == "terminated"
    assert json.loads(told.out)["code"] == 143


def test_a_second_ctrl_c_leaves_at_once(scene: Scene) -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    scene.clock.after(36, twice)

    told = scene.call(*AUTO)

    assert told.code == Exit.INTERRUPTED
    assert "Left at once; the state is saved. Go on: rollout apply plan.yaml" in told.err


def test_signals_are_as_before_afterwards(scene: Scene) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    scene.call(*AUTO)

    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_another_runner_is_told_with_its_name(scene: Scene) -> None:
    scene.occupy()

    told = scene.call(*AUTO, "-o", "json")

    data = json.loads(told.out)
    assert told.code == Exit.LOCKED
    assert (data["outcome"], data["error"]["code"]) == ("locked", 30)
    assert "bob@lab pid 12 is driving this endpoint now." in told.err


def test_waiting_for_another_runner_says_for_whom(scene: Scene) -> None:
    scene.call(*AUTO)
    scene.occupy()

    told = scene.call(*AUTO, "--lock-timeout", "30s")

    assert told.code == Exit.LOCKED
    assert "bob@lab pid 12 holds this endpoint's lease; waiting." in told.err


def test_an_edited_plan_does_not_take_over_an_open_run(scene: Scene) -> None:
    after(scene, 36, signal.SIGINT)
    scene.call(*AUTO)
    scene.write(scene.plan.read_text().replace("count: 3", "count: 4"))

    told = scene.call(*AUTO)

    assert told.code == Exit.LOCKED
    assert "rollout abort r-" in told.err


def test_what_was_agreed_to_is_what_is_applied(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sly(Terminal):
        def readline(self, size: int = -1, /) -> str:
            scene.write(PLAN)
            return "y\n"

    monkeypatch.setattr(sys, "stdin", Sly())
    monkeypatch.setattr(sys, "stderr", screen := Terminal())

    told = scene.call("apply", "plan.yaml")

    assert told.code == Exit.USAGE
    assert "changed while you were asked" in screen.getvalue()
    assert scene.world.writes == []


def test_a_wrong_duration_is_a_usage_error(scene: Scene) -> None:
    told = scene.call(*AUTO, "--lock-timeout", "soon")

    assert told.code == Exit.USAGE
    assert "a duration is written like" in told.err


@pytest.mark.parametrize(
    ("variable", "file"), [("GITHUB_OUTPUT", "out"), ("GITHUB_STEP_SUMMARY", "page.md")]
)
def test_github_gets_outputs_and_a_page(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, variable: str, file: str
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv(variable, str(scene.folder / file))

    scene.call(*AUTO)

    text = (scene.folder / file).read_text()
    assert "outcome=completed" in text or "| smoke green |" in text


def test_azure_gets_variables(scene: Scene) -> None:
    told = scene.call(*AUTO, "--ci", "azure")

    assert "##vso[task.setvariable variable=outcome;isOutput=true]completed" in told.err
