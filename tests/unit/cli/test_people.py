"""Edited plans, changes by hand, windows and approvals, by the whole command line."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest

from rollout import api
from rollout.cli.exits import Exit
from tests.unit.cli.scene import PLAN, Scene
from tests.unit.cli.test_apply import AUTO

EDITED = PLAN.replace("shift: 10%", "shift: 20%").replace(", author: true", "")


@pytest.fixture
def waiting(scene: Scene) -> Scene:
    """A run that nobody drives any more, at its approval, with 10 % live."""
    scene.write(PLAN)
    scene.clock.after(70, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert scene.call(*AUTO).code == Exit.INTERRUPTED
    return scene


def answered(scene: Scene, who: str = "kim") -> list[str]:
    """Somebody else says yes a little later; what was told until then."""
    told: list[str] = []

    def speak() -> None:
        told.append(" ".join(scene.capture.readouterr().out.split()))
        os.environ["ROLLOUT_USER"] = who
        try:
            scene.call("approve", "-m", "fine")
        finally:
            del os.environ["ROLLOUT_USER"]

    scene.clock.after(120, speak)
    return told


# --- edited plans ------------------------------------------------------------------


def test_an_edited_plan_is_refused_with_every_way_on(waiting: Scene) -> None:
    waiting.write(EDITED)

    told = waiting.call(*AUTO)

    assert told.code == Exit.LOCKED
    assert "of an edited form of this plan is open (running)" in told.err
    assert "Finish it with its own file as it was" in told.err
    assert "--supersede" in told.err


def test_other_variables_are_named_and_no_edit(scene: Scene) -> None:
    text = PLAN.replace("kind: Rollout\n", "kind: Rollout\nvariables:\n  first: {default: 10%}\n")
    scene.write(text.replace("shift: 10%", "shift: ${var.first}"))
    scene.clock.after(70, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert scene.call(*AUTO).code == Exit.INTERRUPTED
    run = api.status().id

    told = scene.call(*AUTO, "--var", "first=20%")

    assert told.code == Exit.LOCKED
    assert "of this plan with other variables (" in told.err
    assert f"(rollout tick {run} does)" in told.err


def test_an_edited_plan_takes_the_place_of_the_open_run(waiting: Scene) -> None:
    waiting.write(EDITED)
    before = answered(waiting)

    told = waiting.call(*AUTO, "--supersede", "-m", "bolder")

    assert told.code == 0, told
    assert "ends with its split as it is (blue 90 green 10)" in before[0]
    assert "a rollback would restore blue 100" in before[0]
    assert waiting.world.splits == ["blue 100", "blue 90 green 10", "blue 80 green 20", "green 100"]
    new, old = json.loads(waiting.call("history", "-o", "json").out)
    assert (new["outcome"], old["outcome"], old["code"]) == ("completed", "superseded", 14)
    assert "bolder" in old["cause"]["text"]
    shown = json.loads(waiting.call("show", new["run"], "-o", "json").out)
    assert shown["supersedes"] == old["run"]
    assert "superseded" in waiting.call("show", old["run"]).out


def test_a_tick_of_an_edited_plan_takes_the_place_of_the_open_run(waiting: Scene) -> None:
    guard = "guard: {unattended: hold}\n"
    waiting.write(EDITED + guard)
    words = ("tick", str(waiting.plan), "--auto-approve")

    refused = waiting.call(*words)
    told = waiting.call(*words, "--supersede", "--detailed-exitcode")

    assert refused.code == Exit.LOCKED
    assert told.code in (Exit.WAITING, Exit.APPROVAL), told
    new, old = json.loads(waiting.call("history", "-o", "json").out)
    assert old["outcome"] == "superseded"
    assert waiting.call("tick", new["run"], "--supersede").code == Exit.USAGE


def test_with_another_candidate_the_old_run_goes_back_first(waiting: Scene) -> None:
    waiting.write(EDITED.replace("file: green.yml}", "file: green.yml, set: {instance_count: 2}}"))
    before = answered(waiting)

    told = waiting.call(*AUTO, "--supersede")

    assert told.code == 0, told
    assert "comes first: it goes back to blue 100" in before[0]
    assert waiting.world.splits == [
        "blue 100",
        "blue 90 green 10",
        "blue 100",
        "blue 80 green 20",
        "green 100",
    ]
    new, old = json.loads(waiting.call("history", "-o", "json").out)
    assert (old["outcome"], old["phase"]) == ("superseded", "rolled_back")
    assert new["outcome"] == "completed"


def test_nobody_supersedes_a_run_beside_its_living_runner(waiting: Scene) -> None:
    waiting.write(EDITED)
    waiting.occupy()

    told = waiting.call(*AUTO, "--supersede")

    assert told.code == Exit.LOCKED
    assert "bob@lab pid 12 is driving" in told.err
    assert waiting.world.splits[-1] == "blue 90 green 10"


def test_an_edited_plan_is_previewed(waiting: Scene) -> None:
    waiting.write(EDITED)

    told = waiting.call("plan", str(waiting.plan))

    assert "unless with --supersede" in " ".join(told.out.split())
    assert "Or put this plan in its place: rollout apply" in told.out


def test_a_reason_without_a_place_to_take_is_refused(waiting: Scene) -> None:
    told = waiting.call(*AUTO, "-m", "why not")

    assert told.code == Exit.USAGE
    assert "Add --supersede" in told.err


# --- approvals -----------------------------------------------------------------------


def test_whoever_started_it_is_told_who_may_approve(scene: Scene) -> None:
    scene.write(PLAN.replace("expires: 1d, author: true", "by: [ada, kim], count: 1"))
    scene.clock.after(70, lambda: os.kill(os.getpid(), signal.SIGINT))
    scene.call(*AUTO)
    me = json.loads(scene.call("status", "-o", "json").out)["author"]
    told = scene.call("approve")

    assert told.code == Exit.USAGE
    assert f"you are {me}" in told.err
    assert "1 of 1 approval missing" in told.err


def test_a_name_may_come_from_the_environment(waiting: Scene, monkeypatch) -> None:
    monkeypatch.setenv("ROLLOUT_USER", "octocat")

    waiting.call("approve")

    found = json.loads(waiting.call("status", "-o", "json").out)
    assert [each["by"] for each in found["approvals"]] == ["octocat"]


# --- changes by hand -------------------------------------------------------------------


def test_a_drift_is_shown_as_a_diff(waiting: Scene) -> None:
    waiting.world.by_hand({"blue": 50, "green": 50})
    held = waiting.call(*AUTO, "--on-hold", "leave")

    for told in (held, waiting.call("status"), waiting.call("show")):
        assert "- blue 90 green 10" in told.out
        assert "+ blue 50 green 50" in told.out
    assert held.code == Exit.DRIFT
    drift = json.loads(waiting.call("status", "-o", "json").out)["cause"]["drift"]
    assert drift["expected"]["traffic"] == {"blue": 90, "green": 10}
    assert drift["found"]["traffic"] == {"blue": 50, "green": 50}
    assert (drift["missing"], drift["changed"]) == ([], [])


@pytest.mark.parametrize("target", ["plan", "run", "newest"])
def test_drift_compares_the_endpoint_with_what_the_last_run_left(
    waiting: Scene, target: str
) -> None:
    run = json.loads(waiting.call("status", "-o", "json").out)["run"]
    words = {"plan": [str(waiting.plan)], "run": [run], "newest": []}[target]
    same = waiting.call("drift", *words, "--detailed-exitcode")
    waiting.world.by_hand({"blue": 50, "green": 50})

    changed = waiting.call("drift", *words, "--detailed-exitcode")

    assert (same.code, "is as it was left by r-" in same.out) == (0, True)
    assert changed.code == Exit.CHANGES
    assert changed.out.splitlines()[1:] == ["    - blue 90 green 10", "    + blue 50 green 50"]
    told = waiting.call("drift", *words, "-o", "json")
    assert told.code == 0
    assert json.loads(told.out)["outcome"] == "changes"


def test_without_a_run_there_is_nothing_to_compare_with(scene: Scene) -> None:
    told = scene.call("drift", str(scene.plan))

    assert told.code == Exit.USAGE
    assert "No run has ended here yet" in told.err


def test_to_apply_a_held_run_again_says_what_moves_it(waiting: Scene) -> None:
    waiting.world.by_hand({"blue": 50, "green": 50})
    held = waiting.call(*AUTO, "--on-hold", "leave")

    again = waiting.call(*AUTO, "--on-hold", "leave")

    assert ", then rollout apply" in held.out
    assert "is held; to apply it again does not move it." in again.err
    assert "rollout resume --adopt r-" in again.err


# --- back to an earlier run ----------------------------------------------------------------


def test_an_undo_says_what_it_would_do(scene: Scene) -> None:
    assert scene.call(*AUTO).code == 0

    told = scene.call("undo", "--dry-run")

    assert told.code == 0
    assert "churn: green 100 -> blue 100, as r-" in told.out
    assert scene.world.splits[-1] == "green 100"
    assert scene.call("undo").code == 0
    assert scene.world.splits[-1] == "blue 100"


def test_an_undo_to_what_is_gone_is_refused_before_anything_is_touched(scene: Scene) -> None:
    scene.call(*AUTO)
    scene.world.remove("blue")

    told = scene.call("undo")

    assert told.code == Exit.PREFLIGHT
    assert "found blue 100, and blue is not there any more. Nothing was changed." in told.err
    assert len(json.loads(scene.call("history", "-o", "json").out)) == 1


# --- windows -------------------------------------------------------------------------------


def test_a_window_is_shown_wherever_it_is_waited_for(scene: Scene) -> None:
    # The clock begins on Friday, 2027-01-15, at 08:00 UTC.
    window = 'policy: {windows: [{allow: "Fri 08:20-09:00", applies_to: [shift]}]}\n'
    scene.write(PLAN.replace("  - approve: {expires: 1d, author: true}\n", "") + window)
    seen: dict[str, object] = {}

    def look() -> None:
        seen["before"] = scene.capture.readouterr().out
        seen["text"] = scene.call("status").out
        seen["json"] = json.loads(scene.call("status", "-o", "json").out)
        seen["code"] = scene.call("status", "--detailed-exitcode").code

    scene.clock.after(600, look)
    plan = scene.call("plan", str(scene.plan)).out

    told = scene.call(*AUTO)

    assert told.code == 0
    assert "gate canary, at most 10m · window" in plan
    assert "waits for its window; the window opens at 2027-01-15T08:20:00Z" in str(seen["before"])
    assert "window opens at 2027-01-15T08:20:00Z, in 10m" in str(seen["text"])
    assert seen["json"]["outcome"] == "waiting_window"
    assert seen["json"]["window_opens"] == "2027-01-15T08:20:00.000Z"
    assert seen["code"] == Exit.WINDOW


# --- approvals that are late, or complete ---------------------------------------------------


def test_a_late_approval_is_refused_and_shown_as_expired(waiting: Scene) -> None:
    waiting.clock.sleep(2 * 86400)

    told = waiting.call("approve")
    shown = waiting.call("status", "--detailed-exitcode")

    assert told.code == Exit.USAGE
    assert "; the next look rolls back." in told.err
    assert "expired at " in shown.out
    assert "rollout approve" not in shown.out
    assert shown.code == 20


def test_a_complete_approval_waits_for_nobody(waiting: Scene) -> None:
    waiting.call("approve")

    told = waiting.call("status", "--detailed-exitcode")

    assert told.code == 20
    assert re.search(r"approved by \w+; goes on with the next runner", told.out)
    assert "rollout approve" not in told.out


# --- what is right already -------------------------------------------------------------------


@pytest.mark.parametrize("more", [(), ("--dry-run",)], ids=["undo", "dry-run"])
def test_what_is_undone_already_begins_no_run(scene: Scene, more: tuple[str, ...]) -> None:
    scene.call(*AUTO)
    run = api.status().id
    scene.call("undo", run)
    before = len(api.history())

    told = scene.call("undo", run, *more)

    assert told.code == 0
    assert "Nothing to undo: churn has blue 100 already." in told.out
    assert len(api.history()) == before
    assert api.undo(run).code == 0
    assert len(api.history()) == before
