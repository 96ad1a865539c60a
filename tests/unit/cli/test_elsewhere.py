"""A run on a local endpoint, met from another folder, or from a machine that has no such endpoint."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from rollout.adapters.endpoints.local.folder import key_of
from rollout.cli.exits import Exit
from rollout.domain.plan import Plan
from rollout.runtime.lease import Owner, acquire
from rollout.wiring import plugs
from tests.fakes.clock import FakeClock
from tests.fakes.endpoint import FakeEndpoint
from tests.unit.cli.scene import PLAN, Scene
from tests.unit.cli.test_apply import AUTO


class Housed(FakeEndpoint):
    """An endpoint with the key of a local one."""

    house = Path()

    @property
    def key(self) -> str:
        return key_of(self.house, "churn")


@pytest.fixture
def left(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A run at its approval that nobody drives, seen from another folder; its home is not here."""

    def endpoint(plan: Plan, *, home: Path, clock: FakeClock, start: bool = True) -> Housed:
        made = Housed(plan, scene.world)
        made.house = home
        return made

    monkeypatch.setattr(plugs, "endpoint", endpoint)
    scene.write(f"{PLAN}guard: {{unattended: hold}}\n")
    scene.clock.after(70, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert scene.call(*AUTO).code == Exit.INTERRUPTED
    (scene.folder / "other").mkdir()
    monkeypatch.chdir(scene.folder / "other")
    return scene


@pytest.fixture
def here(left: Scene) -> Scene:
    """The same on the machine that has the endpoint."""
    home(left).mkdir(parents=True)
    return left


def home(scene: Scene) -> Path:
    return scene.folder / ".rollout" / "local"


def stream(scene: Scene) -> str:
    return key_of(home(scene), "churn")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("drift",), Exit.OK),
        (("verify", "--endpoint"), Exit.OK),
        (("tick",), Exit.OK),
        (("tick", "--all"), Exit.OK),
        (("abort",), Exit.ABORTED),
        (("undo",), Exit.ABORTED),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else None,
)
def test_a_local_endpoint_is_found_from_another_folder(
    here: Scene, words: tuple[str, ...], code: Exit
) -> None:
    (run,) = {each.run for each in here.shelf.events[stream(here)]}
    words = (*words, run) if words == ("tick",) else words

    told = here.call(*words)

    assert told.code == code, told.err
    assert list(here.shelf.events) == [stream(here)]


def test_a_finished_run_is_undone_from_another_folder(here: Scene) -> None:
    assert here.call("approve").code == Exit.OK
    assert here.call("tick", "--all", "--max-wait", "5m").code == Exit.OK

    told = here.call("undo")

    assert told.code == Exit.OK, told.err
    assert here.world.splits[-1] == "blue 100"


@pytest.mark.parametrize(
    "words",
    [
        ("drift",),
        ("verify", "--endpoint"),
        ("abort",),
        ("reject",),
        ("undo",),
        ("undo", "--dry-run"),
        ("tick",),
    ],
    ids=" ".join,
)
def test_where_the_endpoint_is_not_nothing_is_looked_at_or_ordered(
    left: Scene, words: tuple[str, ...]
) -> None:
    before = list(left.shelf.events[stream(left)])
    words = (*words, before[0].run) if words == ("tick",) else words

    told = left.call(*words)

    assert told.code == Exit.USAGE
    assert f"This run's endpoint is in {str(home(left)).lower()}" in told.err
    assert "--home" in told.err
    assert left.shelf.events == {stream(left): before}


def test_a_home_that_was_said_is_not_replaced(here: Scene) -> None:
    told = here.call("abort", "--home", "mine")

    assert told.code == Exit.USAGE
    assert here.call("abort", "--home", str(home(here))).code == Exit.ABORTED


def test_a_run_is_ended_as_it_is_from_anywhere(left: Scene) -> None:
    assert left.call("abort", "--keep-traffic").code == Exit.ABORTED


def test_whoever_drives_on_another_machine_follows_an_order_from_here(left: Scene) -> None:
    them = Owner({"user": "bob", "host": "lab", "pid": 12}, lambda _: False)
    acquire(left.store(), stream(left), them, left.clock, patience=0)

    told = left.call("abort", "-o", "json")

    assert told.code == Exit.OK
    assert json.loads(told.out)["order"] == "aborted"
    assert "bob@lab pid 12 held the lease last" in told.err
