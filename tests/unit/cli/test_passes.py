"""``rollout tick`` over several runs, and of a run behind which another one began."""

from __future__ import annotations

import json
import math
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from rollout import api
from rollout.api import ticking
from rollout.api.attending import Going, Stay
from rollout.cli.exits import Exit
from rollout.domain.errors import StoreError
from rollout.domain.run import Run
from rollout.runtime.due import Standing
from rollout.wiring import plugs
from tests.fakes.endpoint import FakeEndpoint, World
from tests.fakes.store import FakeStore
from tests.unit.cli.scene import PLAN, Scene

AUTO = ("--auto-approve",)
HOLD = PLAN + "guard: {unattended: hold}\n"


def superseded(scene: Scene) -> tuple[str, str]:
    """An open run's id, and the id of the one that took its place."""
    scene.write(HOLD)
    scene.call("tick", "plan.yaml", *AUTO)
    old = api.status().id
    scene.write(HOLD.replace("min_duration: 10s", "min_duration: 20s"))
    scene.call("tick", "plan.yaml", "--supersede", *AUTO)
    return old, api.status().id


def elsewhere(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> World:
    """The platform of a second endpoint, called ``other``."""
    other = World(scene.clock)
    other.serve("blue")

    def endpoint(plan, *, home, clock, start=True):
        return FakeEndpoint(plan, other if plan.endpoint.name == "other" else scene.world)

    monkeypatch.setattr(plugs, "endpoint", endpoint)
    return other


def write_other(scene: Scene, text: str = HOLD) -> None:
    text = text.replace("name: churn}", "name: other}").replace("green.yml", "other.yml")
    (scene.folder / "other.yaml").write_text(text)
    green = (scene.folder / "green.yml").read_text()
    (scene.folder / "other.yml").write_text(green.replace("churn", "other"))


def test_a_run_whose_place_another_took_is_told_and_the_other_is_left_alone(scene: Scene) -> None:
    old, new = superseded(scene)
    before = list(scene.shelf.events["fake/churn"])

    told = scene.call("tick", old)

    assert told.code == Exit.ABORTED
    assert f"{old} is over; {new} of churn-green is open on churn." in told.out
    assert f"rollout tick {new}" in told.out
    assert scene.shelf.events["fake/churn"] == before


def test_a_run_that_completed_stays_completed_whatever_began_behind_it(scene: Scene) -> None:
    scene.call("apply", "plan.yaml", *AUTO)
    old = api.status().id
    scene.write(HOLD)
    scene.call("tick", "plan.yaml", *AUTO)
    assert api.status().id != old

    told = scene.call("tick", old, "-o", "json")

    data = json.loads(told.out)
    assert (told.code, data["run"], data["outcome"]) == (0, old, "completed")


def test_a_run_that_begins_just_before_the_lease_is_held_is_not_driven_by_another_plan(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.write(HOLD)
    scene.call("tick", "plan.yaml", *AUTO)
    old = api.status().id
    wired = plugs.endpoint

    def late(plan, **words):
        monkeypatch.setattr(plugs, "endpoint", wired)
        scene.write(HOLD.replace("min_duration: 10s", "min_duration: 20s"))
        scene.call("tick", "plan.yaml", "--supersede", *AUTO)
        return wired(plan, **words)

    monkeypatch.setattr(plugs, "endpoint", late)
    scene.clock.after(3_600.0, api.abort)  # whoever drives the other one shall not do so for ever
    result = api.carry_on(old)

    assert (result.run.id, result.code) == (old, 14)
    assert api.status().phase.value == "running"


def test_a_pass_drives_the_runs_that_it_was_told_of(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = superseded(scene)
    (listed,) = ticking.standings(scene.store())
    monkeypatch.setattr(ticking, "standings", lambda _: [replace(listed, run=old)])
    before = list(scene.shelf.events["fake/churn"])

    (done,) = api.tick_all(only=[old])

    assert done.result is not None
    assert (listed.run, done.result.run.id, done.result.code) == (new, old, 14)
    assert scene.shelf.events["fake/churn"] == before


def faulty(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> tuple[str, World]:
    """Two runs that are due; the first one meets a fault. Its id, and the other's platform."""
    other = elsewhere(scene, monkeypatch)
    scene.write(HOLD)
    scene.call("tick", "plan.yaml", *AUTO)
    broken = api.status().id
    write_other(scene)
    scene.call("tick", "other.yaml", *AUTO)
    scene.clock.sleep(3_600.0)
    wired = plugs.endpoint

    def endpoint(plan, **words):
        if plan.endpoint.name == "churn":
            raise KeyError("##vso[task.complete]")
        return wired(plan, **words)

    monkeypatch.setattr(plugs, "endpoint", endpoint)
    monkeypatch.setattr(tempfile, "tempdir", str(scene.folder))
    return broken, other


def test_a_fault_that_one_run_meets_does_not_stop_the_others(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, other = faulty(scene, monkeypatch)
    before = len(other.splits)

    done = {each.standing.run: each for each in api.tick_all(jobs=1)}

    assert len(done) == 2
    error = done.pop(broken).error
    assert str(error).startswith("rollout itself failed: KeyError: ")
    assert isinstance(getattr(error, "__cause__", None), KeyError)
    (went,) = done.values()
    assert (went.error, went.result is None) == (None, False)
    assert len(other.splits) > before
    assert list(scene.folder.glob("rollout-*.txt")) == []  # who calls from Python has the cause


def test_a_fault_of_one_run_is_told_as_one_of_a_command(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, _ = faulty(scene, monkeypatch)

    told = scene.call("tick", "--all", "--jobs", "1", "-o", "json")

    (kept,) = scene.folder.glob("rollout-*.txt")
    assert told.code == Exit.ERROR
    assert f"{broken} churn-green on churn: not driven. rollout itself failed: KeyError" in told.err
    assert f"The state is saved; run it again. Details for a report: {kept}" in told.err
    assert "Traceback" not in told.out + told.err
    assert "##vso[" not in told.out + told.err
    assert "Traceback" in kept.read_text()
    first, second = sorted(json.loads(told.out), key=lambda each: each["run"] != broken)
    assert (first["outcome"], first["code"]) == ("error", 1)
    assert "KeyError" in first["error"]
    assert second["outcome"] == "running"

    assert scene.call("-q", "tick", "--all").code == Exit.ERROR
    assert list(scene.folder.glob("rollout-*.txt")) == [kept]
    assert "Traceback" in scene.call("-v", "tick", "--all").err


def test_an_interruption_of_one_run_ends_the_pass(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.write(HOLD)
    scene.call("tick", "plan.yaml", *AUTO)
    scene.clock.sleep(3_600.0)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(plugs, "endpoint", interrupted)

    with pytest.raises(KeyboardInterrupt):
        api.tick_all()


def test_a_run_that_stays_does_not_keep_others_from_being_driven(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(scene, monkeypatch)
    scene.write(PLAN)  # its guard refuses to leave a candidate with users alone
    scene.call("tick", "plan.yaml", *AUTO)
    stays = api.status().id
    scene.clock.sleep(60.0)
    write_other(scene)
    scene.call("tick", "other.yaml", *AUTO)  # not due before half a minute is over
    other = next(each.id for each in api.history() if each.endpoint == "other")
    driven: list[Run | None] = []

    def told(each: api.Ticked) -> None:
        if each.standing.run == other and each.run is not None:
            driven.append(each.run)
            if len(driven) == 1:
                api.abort(stays)

    looks: list[int] = []
    listed = ticking.standings

    def standings(store: FakeStore) -> Iterator[Standing]:
        looks.append(len(looks))
        if len(looks) == 2:
            raise StoreError("The journal cannot be reached.", do="Repeat the command.")
        return listed(store)

    monkeypatch.setattr(ticking, "standings", standings)
    scene.clock.after(3_600.0, lambda: api.abort(stays))
    done = api.tick_all(told=told, jobs=1)

    assert len(driven) >= 1
    assert len(looks) > 2
    assert {each.standing.run: each.result.outcome for each in done if each.result} == {
        stays: "aborted",
        other: "running",
    }


def test_whoever_waits_takes_up_no_place(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere(scene, monkeypatch)
    scene.write(PLAN)
    scene.call("tick", "plan.yaml", *AUTO)
    stays = api.status().id
    write_other(scene)
    scene.call("tick", "other.yaml", *AUTO)
    scene.clock.sleep(60.0)  # both are due, and the one that stays comes first
    scene.clock.after(3_600.0, lambda: api.abort(stays))
    order: list[str] = []

    def told(each: api.Ticked) -> None:
        order.append(each.standing.endpoint)
        if order == ["other"]:
            api.abort(stays)

    # However slow the machine is, the other one is not driven once more meanwhile.
    monkeypatch.setattr(ticking, "PAUSE", math.inf)
    api.tick_all(told=told, jobs=1)

    assert order == ["other", "churn"]


def test_no_more_are_in_flight_than_a_machine_bears(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(scene, monkeypatch)
    monkeypatch.setattr(ticking, "MOST", 1)
    scene.write(PLAN)
    scene.call("tick", "plan.yaml", *AUTO)
    stays = api.status().id
    write_other(scene)
    scene.call("tick", "other.yaml", *AUTO)
    scene.clock.sleep(60.0)
    crowded: list[int] = []

    def full(most: int) -> None:
        crowded.append(most)
        api.abort(stays)

    scene.clock.after(3_600.0, lambda: api.abort(stays))
    done = api.tick_all(crowded=full)

    assert crowded == [1]
    assert [each.standing.endpoint for each in done] == ["churn", "other"]


def test_a_held_run_makes_every_pass_red_also_while_it_is_not_due(scene: Scene) -> None:
    scene.write(HOLD)
    scene.call("apply", "plan.yaml", *AUTO, "--max-wait", "5m")
    scene.world.by_hand({"blue": 80, "green": 20})
    scene.call("tick", api.status().id)

    told = scene.call("tick", "--all")

    assert told.code == Exit.DRIFT
    assert f"drift. Look: rollout status {api.status().id}" in told.out
    (data,) = json.loads(scene.call("tick", "--all", "-o", "json").out)
    assert (data["outcome"], data["code"]) == ("drift", 31)


def test_runs_that_are_over_count_as_one_alone_does(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(scene, monkeypatch)
    scene.call("apply", "plan.yaml", *AUTO)
    write_other(scene)
    scene.call("tick", "other.yaml", *AUTO)
    scene.call("abort")
    names = [each.id for each in api.history()]
    assert len(names) == 2

    told = scene.call("tick", *names, "-o", "json")

    assert told.code == Exit.ABORTED
    assert {each["outcome"] for each in json.loads(told.out)} == {"completed", "aborted"}


def test_an_interrupted_pass_that_rolled_back_says_so(scene: Scene) -> None:
    scene.write(HOLD)
    scene.call("apply", "plan.yaml", *AUTO, "--max-wait", "5m")
    scene.clock.sleep(60.0)
    scene.clock.after(60.0, lambda: os.kill(os.getpid(), signal.SIGTERM))

    told = scene.call("tick", "--all", "--max-wait", "12h", "--on-interrupt", "rollback")

    assert told.code == Exit.ABORTED
    assert scene.world.splits[-1] == "blue 100"


def test_a_second_signal_ends_a_pass_with_its_own_code_and_what_was_done(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.write(HOLD)
    scene.call("tick", "plan.yaml", *AUTO)
    ticked = api.tick_all()[0]

    def twice(*_: object, told: Callable[[api.Ticked], None], **__: object) -> None:
        told(ticked)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(api, "tick_all", twice)
    told = scene.call("tick", "--all", "-o", "json")

    assert told.code == Exit.TERMINATED
    assert "Left at once; the state is saved. Go on: rollout tick --all" in told.err
    assert [each["run"] for each in json.loads(told.out)] == [ticked.standing.run]


def test_whoever_is_told_to_leave_at_once_does_not_see_a_rollback_through(scene: Scene) -> None:
    scene.write(HOLD)
    scene.call("tick", "plan.yaml", *AUTO)
    run = api.status()
    urged = Going(lambda: True, Stay(None, "rollback"), at_once=lambda: True)

    assert urged.leaves(run)
    assert urged.ordering("ada")(run) is None


def test_a_call_that_a_second_signal_left_under_way_is_told_with_the_lease(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Struck(FakeEndpoint):
        def perform(self, effect, **words):
            super().perform(effect, **words)
            raise KeyboardInterrupt

    wired = plugs.endpoint
    monkeypatch.setattr(plugs, "endpoint", lambda plan, **_: Struck(plan, scene.world))
    assert scene.call("apply", "plan.yaml", *AUTO).code == Exit.INTERRUPTED
    monkeypatch.setattr(plugs, "endpoint", wired)

    scene.call("tick", "plan.yaml")

    took = [each.event for each in api.events() if type(each.event).__name__ == "OwnerTook"]
    assert [(each.crashed, each.contested) for each in took][-1] == (False, True)
