"""``status``, ``history``, ``show``, ``events``, ``logs``."""

from __future__ import annotations

import json
import os
import re
import signal
import sys

import pytest
import yaml

from rollout import api
from rollout.cli.exits import Exit
from tests.unit.cli.scene import PLAN, Scene
from tests.unit.cli.test_apply import AUTO, LINE, Terminal


@pytest.fixture
def done(scene: Scene) -> Scene:
    assert scene.call(*AUTO, "-q").code == 0
    return scene


@pytest.fixture
def waiting(scene: Scene) -> Scene:
    """A run that nobody drives any more, at its approval."""
    scene.write(PLAN)
    scene.clock.after(70, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert scene.call(*AUTO).code == Exit.INTERRUPTED
    return scene


def test_without_a_run_everything_says_so(scene: Scene) -> None:
    assert json.loads(scene.call("history", "-o", "json").out) == []
    for verb in ("status", "show", "events", "pause", "undo"):
        told = scene.call(verb)
        assert told.code == Exit.USAGE
        assert told.err.endswith("Begin one: rollout apply PLAN\n")


def test_status_draws_the_tree(done: Scene) -> None:
    told = done.call("status")

    assert told.code == 0
    assert told.out.splitlines()[0].startswith("churn-green · run r-")
    assert told.out.splitlines()[-1].startswith("Look back: rollout show r-")
    assert "✔ shift 100 %" in told.out


def test_status_of_an_unknown_run(done: Scene) -> None:
    told = done.call("status", "r-zzz", "-o", "json")

    assert told.code == Exit.USAGE
    assert json.loads(told.out)["outcome"] == "usage"
    assert "rollout history" in told.err


def test_status_tells_what_it_waits_for_and_that_nobody_drives(waiting: Scene) -> None:
    told = waiting.call("status")
    data = json.loads(waiting.call("status", "-o", "json").out)

    assert "Nobody guards it now; next check at " in told.out
    assert "Approve: rollout approve r-" in told.out
    assert (data["outcome"], data["driven_by"]) == ("waiting_approval", None)


def test_status_names_who_drives(waiting: Scene) -> None:
    waiting.occupy()

    told = waiting.call("status").out

    assert "bob@lab pid 12 held the lease last; whether it lives is not known." in told


def test_the_detailed_exit_code_tells_on_whom_it_waits(waiting: Scene) -> None:
    assert waiting.call("status").code == 0
    assert waiting.call("status", "--detailed-exitcode").code == Exit.APPROVAL
    waiting.call("pause")
    assert waiting.call("status", "--detailed-exitcode").code == Exit.PAUSED


def test_waiting_for_a_run_ends_with_its_own_code(done: Scene) -> None:
    assert done.call("status", "--wait-for", "done").code == 0


def test_waiting_is_given_up_after_the_timeout(waiting: Scene) -> None:
    told = waiting.call("status", "--wait-for", "done", "--timeout", "10m")

    assert told.code == Exit.ERROR
    assert "rollout status -w r-" in told.err
    assert waiting.call("status", "--wait-for", "approval").code == 0


def test_waiting_sees_what_others_do(waiting: Scene) -> None:
    waiting.clock.after(30, lambda: waiting.call("abort", "-q"))

    assert waiting.call("status", "--wait-for", "done").code == Exit.ABORTED


def test_watching_tells_each_change_until_it_is_over(waiting: Scene) -> None:
    waiting.clock.after(30, lambda: waiting.call("abort", "-o", "none", "-q"))

    told = waiting.call("status", "-w", "-o", "json")

    # What the order itself printed was read by its own call.
    last = json.loads(told.out.splitlines()[-1])
    assert told.code == Exit.ABORTED
    assert last["outcome"] == "aborted"


def test_watching_on_a_terminal_redraws(done: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", screen := Terminal())
    monkeypatch.setenv("TERM", "xterm-256color")

    assert done.call("status", "-w").code == 0

    assert "\x1b[?25l" in screen.getvalue()
    assert "create green" in screen.getvalue()


def test_history_is_a_list_newest_first(done: Scene) -> None:
    done.clock.sleep(10)
    done.call("undo", "-q")

    told = done.call("history", "-o", "json")
    runs = json.loads(told.out)

    assert told.code == 0
    assert [each["outcome"] for each in runs] == ["undone", "completed"]
    assert runs[0]["started"] > runs[1]["started"]
    assert {"run", "endpoint", "plan", "outcome", "started", "ended"} <= set(runs[0])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", runs[0]["ended"])
    assert len(json.loads(done.call("history", "-o", "json", "--limit", "1").out)) == 1
    assert json.loads(done.call("history", "-o", "json", "--endpoint", "x").out) == []


def test_an_open_run_has_not_ended(waiting: Scene) -> None:
    (run,) = json.loads(waiting.call("history", "-o", "json").out)

    assert run["ended"] is None
    assert run["stage"] == "approve"


def test_history_for_people(done: Scene) -> None:
    told = done.call("history")

    head, line = told.out.splitlines()
    assert head.split()[:4] == ["run", "endpoint", "plan", "outcome"]
    assert line.split()[1:4] == ["churn", "churn-green", "completed"]
    assert "rollout show r-" in told.err


def test_show_has_everything(done: Scene) -> None:
    told = done.call("show")
    data = json.loads(done.call("show", "-o", "json").out)

    assert "gate canary: pass." in told.out
    assert "apiVersion: rollout/v1" in told.out
    assert data["plan_source"]["name"] == "churn-green"
    assert [each["verdict"] for each in data["gates"]] == ["pass"]
    assert data["events"] > 10
    assert yaml.safe_load(done.call("show", "-o", "yaml").out)["run"] == data["run"]


def test_show_lists_the_orders(waiting: Scene) -> None:
    waiting.call("pause", "-m", "lunch")

    told = waiting.call("show")

    assert re.search(r"Orders\n.* paused the run: lunch\n", told.out)


def test_events_are_sentences_or_data(done: Scene) -> None:
    lines = done.call("events").out.splitlines()
    data = json.loads(done.call("events", "-o", "json").out)

    assert all(LINE.match(each) for each in lines)
    assert len(lines) == len(data)
    assert [each["seq"] for each in data] == list(range(len(data)))
    assert data[0]["event"] == "run.started"
    assert data[-1]["event"] == "run.ended"
    assert data[-1]["text"] == "completed"


def test_following_ends_with_the_run(waiting: Scene) -> None:
    before = len(json.loads(waiting.call("events", "-o", "json").out))
    waiting.clock.after(30, lambda: waiting.call("abort", "-o", "none", "-q"))

    told = waiting.call("events", "-f", "-o", "json")

    events = [json.loads(each) for each in told.out.splitlines()]
    assert told.code == 0
    assert events[-1]["event"] == "rollback.done"
    assert before > 0


def test_logs_are_cleaned(done: Scene) -> None:
    with done.world.change() as real:
        real.logs["green"] = "fine\n\x1b[2J##vso[task.complete]\n::error::x"

    told = done.call("logs", "candidate", "plan.yaml", "--tail", "2")
    data = json.loads(done.call("logs", "green", "plan.yaml", "-o", "json").out)

    assert told.out == "# #vso[task.complete]\n: :error::x\n"
    assert data["lines"][0] == "fine"


def test_an_empty_log_says_so(done: Scene) -> None:
    with done.world.change() as real:
        real.logs["green"] = ""

    told = done.call("logs", "green", "plan.yaml")

    assert (told.code, told.out, told.err) == (0, "", "No lines yet.\n")


def test_logs_of_nobody(done: Scene) -> None:
    told = done.call("logs", "red", "plan.yaml")

    assert told.code == Exit.ERROR
    assert told.err.startswith("Error: There is no deployment red.")


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("status", "--detailed-exitcode"),
        ("status", "-w"),
        ("drift",),
        ("undo", "--dry-run"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("ended", [True, False], ids=["over", "open"])
def test_the_code_in_the_data_is_the_commands_own(
    waiting: Scene, words: tuple[str, ...], ended: bool
) -> None:
    if ended:
        waiting.call("abort")
    elif "-w" in words:
        waiting.clock.after(3, lambda: waiting.call("abort"))

    told = waiting.call(*words, "-o", "json")

    text = told.out.splitlines()[-1] if "-w" in words else told.out
    assert json.loads(text)["code"] == told.code


def test_watching_a_run_that_is_over_tells_how_it_ended(waiting: Scene) -> None:
    waiting.call("abort")

    told = waiting.call("status", "-w")

    assert told.code == Exit.ABORTED
    assert "Rolled back and verified in " in told.out


def test_a_run_that_ends_while_it_is_looked_at_is_not_told_as_unguarded(
    waiting: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(run: str, used: api.Settings) -> None:
        monkeypatch.undo()
        waiting.wire(monkeypatch)
        waiting.call("abort", "-o", "none")

    monkeypatch.setattr(api, "driven_by", ends)

    told = waiting.call("status")

    assert "Nobody guards" not in told.out
    assert "verified" in told.out
