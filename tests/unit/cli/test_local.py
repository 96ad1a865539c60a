"""``rollout local`` beside runs: what it refuses, and what it says of an endpoint that serves."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from rollout.adapters.endpoints.local.folder import key_of
from rollout.cli.exits import Exit
from rollout.runtime.lease import Owner, acquire
from rollout.wiring import localhost
from tests.unit.cli.scene import Scene


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The endpoints that were stopped; two are there."""
    calls: list[str] = []
    there = [SimpleNamespace(name="other"), SimpleNamespace(name="churn")]
    monkeypatch.setattr(localhost, "endpoints", lambda home: there)
    monkeypatch.setattr(localhost, "down", lambda name, home: calls.append(name))
    return calls


@pytest.mark.parametrize("words", [("churn",), ("--all",)])
def test_down_leaves_an_endpoint_on_which_somebody_drives_a_run(
    scene: Scene, stopped: list[str], words: tuple[str, ...]
) -> None:
    them = Owner({"user": "bob", "host": "lab", "pid": 12}, lambda _: False)
    stream = key_of(scene.folder / ".rollout" / "local", "churn")
    lease = acquire(scene.store(), stream, them, scene.clock, patience=0)
    scene.clock.after(5, lease.renew)

    told = scene.call("local", "down", *words)

    assert told.code == Exit.LOCKED
    assert "bob@lab pid 12 is driving a run on churn." in told.err
    assert stopped == []
    lease.release()
    assert scene.call("local", "down", "churn").code == Exit.OK
    assert stopped == ["churn"]


def test_down_goes_on_where_a_runner_elsewhere_is_silent(scene: Scene, stopped: list[str]) -> None:
    them = Owner({"user": "bob", "host": "lab", "pid": 12}, lambda _: False)
    stream = key_of(scene.folder / ".rollout" / "local", "churn")
    acquire(scene.store(), stream, them, scene.clock, patience=0)

    told = scene.call("local", "down", "churn")

    assert told.code == Exit.OK
    assert "bob@lab pid 12 held the lease last; watching for up to 20s" in told.err
    assert stopped == ["churn"]


def test_up_says_when_the_plans_baseline_does_not_serve(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = SimpleNamespace(name="churn", traffic={"old": 100}, mirror={})
    monkeypatch.setattr(localhost, "up", lambda *_, **__: "http://127.0.0.1:8700/score")
    monkeypatch.setattr(localhost, "endpoints", lambda home: [serving])

    told = scene.call("local", "up", "plan.yaml", "--home", str(Path("/somewhere")))

    assert told.code == Exit.OK
    assert "churn serves, by old 100; blue, the plan's baseline, has no traffic." in told.err
    assert "rollout apply" not in told.err
