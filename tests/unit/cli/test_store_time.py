"""Of two clocks the store's counts, and a store that is not there is not made to ask it."""

from __future__ import annotations

import json

import pytest

from rollout.wiring import plugs
from tests.fakes.store import FakeStore
from tests.unit.cli.scene import PLAN, Scene

AHEAD = 86400.0  # seconds, the machine's clock


@pytest.fixture
def opened(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """As objects do it: who may not write to the store is told the machine's time."""
    made: list[bool] = []

    def store(_: str, create: bool = True) -> FakeStore:
        made.append(create)
        ahead = 0.0 if create else AHEAD
        return FakeStore(now=lambda: scene.clock.now() + ahead, shelf=scene.shelf)

    monkeypatch.setattr(plugs, "store", store)
    return made


def test_what_is_due_is_told_by_the_stores_time(scene: Scene, opened: list[bool]) -> None:
    scene.write(f"{PLAN}guard: {{unattended: hold}}\n")
    scene.call("tick", "plan.yaml", "--auto-approve")

    (data,) = json.loads(scene.call("tick", "--all", "-o", "json").out)

    assert data["outcome"] == "waiting"


def test_what_may_be_forgotten_is_told_by_the_stores_time(scene: Scene, opened: list[bool]) -> None:
    for _ in range(2):
        scene.call("apply", "plan.yaml", "--auto-approve", "--again")
        scene.call("undo")

    data = json.loads(scene.call("state", "prune", "--older-than", "12h", "-o", "json").out)

    assert data["outcome"] == "nothing"


@pytest.mark.parametrize(
    "words", [("tick", "--all"), ("state", "prune", "--older-than", "1h", "--dry-run")]
)
def test_an_empty_store_is_not_made(
    scene: Scene, opened: list[bool], words: tuple[str, ...]
) -> None:
    scene.call(*words)

    assert opened
    assert not any(opened)


@pytest.mark.parametrize("words", [("status",), ("history",), ("state", "list")])
def test_whoever_only_looks_never_writes(
    scene: Scene, opened: list[bool], words: tuple[str, ...]
) -> None:
    scene.call("apply", "plan.yaml", "--auto-approve")
    opened.clear()

    scene.call(*words)

    assert opened
    assert not any(opened)
