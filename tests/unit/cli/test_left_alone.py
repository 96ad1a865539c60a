"""A runner that dies between ending a run and beginning the one in its place: people are told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rollout.cli.exits import Exit
from rollout.runtime import begin, superseding
from rollout.runtime.journal import Journal
from tests.unit.cli.scene import PLAN, Scene

STREAM = "fake/churn"
LET_GO = f"{PLAN}guard: {{unattended: hold}}\n"


@pytest.fixture
def left(scene: Scene) -> Scene:
    """A superseded run with 10 % on green, and none in its place."""
    scene.write(LET_GO)
    scene.call("apply", "plan.yaml", "--auto-approve", "--max-wait", "5m")
    journal = Journal(scene.store(), STREAM, "eve")
    old = journal.refresh()
    assert old is not None
    begin.resume(journal)
    superseding.end(journal, old, replace(old, identity="edited", author="eve"))
    return scene


def test_a_pass_over_all_runs_ends_as_what_a_person_must_look_at(left: Scene) -> None:
    told = left.call("tick", "--all")

    assert told.code == Exit.UNVERIFIED
    assert "NOBODY guards green" in told.out + told.err
    assert "rollout undo r-" in told.out + told.err
    (data,) = json.loads(left.call("tick", "--all", "-o", "json").out)
    assert (data["outcome"], data["code"]) == ("unguarded", 11)


def test_status_and_history_say_it(left: Scene) -> None:
    for command in ("status", "history"):
        told = left.call(command)

        assert "NOBODY guards green: r-" in told.out
        assert "10 %" in told.out
        assert "Go on: rollout apply plan.yaml. Take it back: rollout undo r-" in told.out
    assert json.loads(left.call("status", "-o", "json").out)["unguarded"] is True
    assert json.loads(left.call("history", "-o", "json").out)[0]["unguarded"] is True


def test_nobody_is_alarmed_while_a_runner_is_about_to_begin(left: Scene) -> None:
    left.occupy()

    (data,) = json.loads(left.call("tick", "--all", "-o", "json").out)

    assert data["outcome"] == "locked"
    assert left.call("tick", "--all").code == 0


@pytest.mark.parametrize("words", [("apply", "plan.yaml", "--auto-approve"), ("undo",)])
def test_whatever_begins_next_ends_it(left: Scene, words: tuple[str, ...]) -> None:
    left.call(*words, *(("--max-wait", "5m") if words[0] == "apply" else ()))

    assert "NOBODY" not in left.call("history").out
    assert left.call("tick", "--all").code == 0


def test_what_was_superseded_before_it_touched_anything_alarms_nobody(scene: Scene) -> None:
    scene.write(LET_GO)
    scene.call("tick", "plan.yaml", "--auto-approve")
    journal = Journal(scene.store(), STREAM, "eve")
    old = journal.refresh()
    assert old is not None
    bare = replace(old, captured=None, expected=None, intent=None)
    again = Journal(scene.store(), STREAM, "eve")
    again.refresh()
    again.start(replace(bare, id="r-2"), "{}", "")
    superseding.end(again, replace(bare, id="r-2"), replace(bare, identity="edited"))

    assert scene.call("tick", "--all").code == 0
    assert "NOBODY" not in scene.call("history").out
