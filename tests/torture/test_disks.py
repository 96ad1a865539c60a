"""Disks that are full or read-only, and a store that goes away: the real command line waits, or says so."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from rollout.domain.run import Phase
from tests.torture.disks import Disk, small_disk
from tests.torture.proxy import proxied
from tests.torture.shell import GATE, SHIFTS, Shell
from tests.torture.stores import shared

LONGER = {"gates": {"short": {**GATE, "min_duration": "4s"}}}


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk") as made:
        yield made


@pytest.fixture
def small(tmp_path, disk) -> Iterator[Shell]:
    """A user whose journal is on the small disk."""
    made = Shell(tmp_path / "here", f"sqlite:///{disk.folder}/state.db")
    yield made
    made.close()


def test_a_full_disk_is_waited_out_with_the_split_as_it_is(small, disk):
    runner = small.apply(small.plan(**LONGER))
    small.wait(lambda: small.stage() == "shift-50" and small.run().share == 50)

    disk.fill()
    small.wait(lambda: "the disk is full" in small.said())
    split = small.world.splits[-1]
    disk.free()

    assert small.ended(runner) == 0, small.said()[-3000:]
    assert split == "blue 50 green 50"
    assert "it is tried again" in small.said()
    assert small.run().phase is Phase.COMPLETED
    assert small.rollout("verify", small.run().id).returncode == 0
    assert small.doubled() == []


def test_on_a_full_disk_nothing_is_begun(small, disk):
    plan = small.plan()
    small.rollout("validate", plan)
    disk.fill()

    done = small.rollout("apply", plan, "--auto-approve")

    assert done.returncode == 1, done.stderr
    assert "full" in done.stderr
    assert "Traceback" not in done.stderr
    assert small.world.writes == []
    disk.free()
    assert small.rollout("apply", plan, "--auto-approve").returncode == 0


def test_a_read_only_disk_ends_the_command_and_nothing_else(small, disk):
    runner = small.apply(small.plan())
    small.wait(lambda: small.stage() == "shift-50" and small.run().share == 50)
    runner.kill()
    runner.wait()
    writes = small.world.writes
    disk.protect(read_only=True)

    done = small.rollout("apply", "plan.yaml", "--auto-approve", "-o", "json")

    assert done.returncode == 1, done.stderr
    assert "rollout itself failed" not in done.stderr
    assert json.loads(done.stdout)["outcome"] == "error"
    assert small.world.writes == writes
    disk.protect(read_only=False)
    assert small.rollout("apply", "plan.yaml", "--auto-approve").returncode == 0
    assert small.doubled() == []


def test_a_store_that_goes_away_is_waited_for_with_the_split_as_it_is(tmp_path):
    with shared("postgresql") as store, proxied(store.port) as proxy:
        user = Shell(tmp_path / "away", store.by(proxy.here).state)
        direct = Shell(tmp_path / "away", store.state)
        try:
            runner = user.apply(user.plan(SHIFTS, **LONGER))
            user.wait(lambda: direct.stage() == "shift-50" and direct.run().share == 50)

            proxy.go_away()
            user.wait(lambda: "it is tried again" in user.said())
            split = user.world.splits[-1]
            proxy.come_back()

            assert user.ended(runner) == 0, user.said()[-3000:]
            assert split == "blue 50 green 50"
            assert direct.run().phase is Phase.COMPLETED
            assert user.doubled() == []
        finally:
            user.close()
            direct.close()
