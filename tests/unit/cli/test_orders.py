"""``approve``, ``reject``, ``pause``, ``resume``, ``abort``, ``retry``, ``undo``, ``destroy``."""

from __future__ import annotations

import io
import json
import os
import signal
import sys

import pytest

from rollout import api
from rollout.cli.exits import Exit
from rollout.runtime.lease import Owner, acquire
from rollout.wiring import plugs
from tests.unit.cli.scene import PLAN, Scene
from tests.unit.cli.test_apply import AUTO, Terminal


@pytest.fixture
def waiting(scene: Scene) -> Scene:
    """A run that nobody drives any more, at its approval."""
    scene.write(PLAN)
    scene.clock.after(70, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert scene.call(*AUTO).code == Exit.INTERRUPTED
    return scene


def test_an_approval_is_written_down_and_says_that_nobody_drives(waiting: Scene) -> None:
    told = waiting.call("approve", "-m", "fine")

    assert (told.code, told.out) == (0, "")
    assert "Nobody drives r-" in told.err
    assert "go on: rollout apply " in told.err
    assert told.err.endswith(".yaml\n")
    assert waiting.call(*AUTO).code == 0
    assert waiting.world.splits[-1] == "green 100"


def test_an_order_names_who_will_follow_it(waiting: Scene) -> None:
    waiting.occupy()

    told = waiting.call("pause", "-o", "json")

    assert "bob@lab pid 12 held the lease last; whether it lives is not known." in told.err
    assert "If nothing moves, go on: rollout apply plan.yaml" in told.err
    data = json.loads(told.out)
    assert (data["order"], data["outcome"]) == ("paused", "paused")
    assert (data["driven_by"], data["driver_lives"]) == ("bob@lab pid 12", None)


def stays_here(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner on this machine is there, and holds the lease."""
    here = {"host": "desk", "boot": "b-1"}
    them = Owner({"user": "bob", "pid": 12, **here}, lambda _: False)
    acquire(scene.store(), "fake/churn", them, scene.clock, patience=0)
    monkeypatch.setattr(
        plugs, "owner", lambda: Owner({"user": "ada", "pid": 4711, **here}, lambda _: False)
    )


def test_a_driver_on_this_machine_is_known_to_live(
    waiting: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays_here(waiting, monkeypatch)

    told = waiting.call("pause", "-o", "json")

    assert "bob@desk pid 12 drives it and will follow." in told.err
    assert json.loads(told.out)["driver_lives"] is True
    assert "Driven by bob@desk pid 12." in waiting.call("status").out


@pytest.mark.parametrize("verb", ["abort", "reject", "undo"])
def test_an_end_is_left_at_once_to_a_driver_on_this_machine(
    waiting: Scene, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    stays_here(waiting, monkeypatch)
    began = waiting.clock.now()

    told = waiting.call(verb)

    assert (told.code, waiting.clock.now()) == (0, began)
    assert "bob@desk pid 12 drives it and will go back." in told.err
    assert "If nothing moves, it may be frozen: rollout tick r-" in told.err
    assert waiting.world.splits[-1] == "blue 90 green 10"


def went_silent(scene: Scene) -> None:
    """A runner on another machine has died with the lease in its hands."""
    them = Owner({"user": "bob", "host": "lab", "pid": 12}, lambda _: False)
    acquire(scene.store(), "fake/churn", them, scene.clock, patience=0)


@pytest.mark.parametrize("verb", ["abort", "reject", "undo"])
def test_an_end_is_followed_here_where_whoever_drove_it_died_elsewhere(
    waiting: Scene, verb: str
) -> None:
    went_silent(waiting)

    told = waiting.call(verb)

    assert told.code == Exit.ABORTED
    assert "bob@lab pid 12 held the lease last; watching whether it lives." in told.err
    assert waiting.world.splits[-1] == "blue 100"


def test_destroy_waits_until_a_runner_elsewhere_is_silent_for_its_lease(waiting: Scene) -> None:
    went_silent(waiting)

    told = waiting.call("destroy", "plan.yaml", "--auto-approve")

    assert told.code == 0
    assert "bob@lab pid 12 held the lease last; watching for up to 20s" in told.err


def test_pause_and_resume(waiting: Scene) -> None:
    assert waiting.call("pause").code == 0
    assert waiting.call("pause").code == Exit.USAGE
    assert waiting.call("resume").code == 0
    assert waiting.call("status", "-o", "json").out.count("waiting_approval") == 1


@pytest.mark.parametrize("verb", ["abort", "reject"])
def test_an_end_that_nobody_drives_is_driven_at_once(waiting: Scene, verb: str) -> None:
    told = waiting.call(verb, "-m", "found a bug")

    assert told.code == Exit.ABORTED
    assert waiting.world.splits[-1] == "blue 100"
    assert "found a bug" in told.out
    assert "Rolled back and verified" in told.out
    assert "✔ traffic blue 100: read back after" in told.out


def test_an_end_is_left_to_whoever_drives(waiting: Scene) -> None:
    waiting.occupy()

    told = waiting.call("abort")

    assert told.code == 0
    assert "bob@lab pid 12 drives it and will go back." in told.err
    assert waiting.world.splits[-1] == "blue 90 green 10"


def test_an_end_that_keeps_the_traffic_needs_no_driving(waiting: Scene) -> None:
    told = waiting.call("abort", "--keep-traffic", "-o", "json")

    assert told.code == Exit.ABORTED
    assert json.loads(told.out)["outcome"] == "aborted"
    assert waiting.world.splits[-1] == "blue 90 green 10"


def test_a_drift_is_adopted(waiting: Scene) -> None:
    waiting.world.by_hand({"blue": 80, "green": 20})
    held = waiting.call(*AUTO, "--on-hold", "leave")

    assert held.code == Exit.DRIFT
    assert "rollout resume --adopt r-" in held.out
    assert waiting.call("resume", "--adopt").code == 0
    waiting.clock.after(20, lambda: waiting.call("approve"))
    assert waiting.call(*AUTO).code == 0


def test_a_held_run_whose_candidate_has_users_is_guarded_until_an_order(waiting: Scene) -> None:
    waiting.world.by_hand({"blue": 80, "green": 20})
    meanwhile: list[str] = []
    waiting.clock.after(600, lambda: meanwhile.append(waiting.capture.readouterr().out))
    waiting.clock.after(601, api.abort)

    done = waiting.call(*AUTO)

    assert done.code == Exit.ABORTED
    said = "is held; its guard goes on. Take the endpoint as it is: rollout resume"
    assert meanwhile[0].count(said) == 1


def test_a_held_stage_is_tried_again(scene: Scene) -> None:
    text = PLAN.replace("  - approve: {expires: 1d, author: true}\n", "")
    scene.write(text.replace("{verify: {within: 2m}}", "{action: hold}"))
    scene.world.doom("green", "no memory")

    held = scene.call(*AUTO)

    assert held.code == Exit.HELD
    assert "no memory" in held.out
    assert scene.call("retry").code == 0
    assert scene.call(*AUTO).code == 0


def test_undo_goes_back_and_an_open_run_is_aborted(scene: Scene) -> None:
    scene.call(*AUTO)

    told = scene.call("undo")

    assert told.code == 0
    assert "↶ churn is back at blue 100." in told.out
    assert scene.world.splits[-1] == "blue 100"


def test_an_interrupted_undo_of_an_earlier_run_is_repeated_by_its_name(scene: Scene) -> None:
    scene.call(*AUTO)
    first = api.status().id
    scene.call(*AUTO, "--again")
    assert api.status().id != first
    scene.clock.after(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))

    told = scene.call("undo", first)

    assert told.code == Exit.INTERRUPTED
    assert f"rollout undo {first}" in told.out
    assert scene.call("undo", first).code == 0
    assert scene.world.splits[-1] == "blue 100"
    assert len(api.history()) == 3


def test_undo_of_an_open_run_is_an_abort(waiting: Scene) -> None:
    assert waiting.call("undo", "-o", "none").code == Exit.ABORTED
    assert waiting.world.splits[-1] == "blue 100"


def test_undo_of_a_driven_run_is_left_to_its_driver(waiting: Scene) -> None:
    waiting.occupy()

    told = waiting.call("undo")

    assert told.code == 0
    assert "bob@lab pid 12 drives it and will go back." in told.err


def test_destroy_asks(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    assert scene.call("destroy", "plan.yaml").code == Exit.USAGE
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "stdin", Terminal("no\n"))
    assert scene.call("destroy", "plan.yaml").code == Exit.ABORTED
    assert scene.call("plan", "plan.yaml").out.count("blue") > 1

    monkeypatch.setattr(sys, "stdin", io.StringIO())
    told = scene.call("destroy", "plan.yaml", "--auto-approve", "-o", "json")

    assert json.loads(told.out) == {"outcome": "destroyed", "code": 0, "endpoint": "churn"}
    assert "churn does not exist yet" in scene.call("plan", "plan.yaml").out


def test_destroy_ends_a_run_that_nobody_drives(waiting: Scene) -> None:
    assert waiting.call("destroy", "plan.yaml", "--auto-approve").code == 0

    data = json.loads(waiting.call("status", "-o", "json").out)
    assert data["outcome"] == "aborted"
    assert "the endpoint was destroyed" in waiting.call("status").out
    assert "churn does not exist yet" in waiting.call("plan", "plan.yaml").out


def test_destroy_leaves_a_run_to_whoever_drives_it(waiting: Scene) -> None:
    waiting.occupy()

    told = waiting.call("destroy", "plan.yaml", "--auto-approve")

    assert told.code == Exit.LOCKED
    assert "End it first: rollout abort r-" in told.err
    assert json.loads(waiting.call("status", "-o", "json").out)["outcome"] == "waiting_approval"


@pytest.mark.parametrize(
    "verb", ["abort", "approve", "events", "pause", "reject", "resume", "retry", "show", "undo"]
)
@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_is_no_run(waiting: Scene, verb: str, name: str) -> None:
    told = waiting.call(verb, name)

    assert told.code == Exit.USAGE
    assert told.err.startswith("Error: RUN is empty.")
    assert json.loads(waiting.call("status", "-o", "json").out)["outcome"] == "waiting_approval"


def test_an_approval_that_was_given_is_not_asked_for_again(waiting: Scene) -> None:
    waiting.call("approve")

    assert waiting.call("status").out.splitlines()[-1] == "Go on: rollout apply plan.yaml"
