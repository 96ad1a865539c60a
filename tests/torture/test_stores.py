"""Runners that die, race, or lose answers, on the stores that machines share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.torture.kills import Sweep, sweep
from tests.torture.races import race
from tests.torture.server import Pool, pool
from tests.torture.stores import KINDS, Shared, shared
from tests.torture.swallowed import swallowed
from tests.torture.zombies import frozen


@dataclass(frozen=True)
class Yard:
    """A store with runners that reach it."""

    store: Shared
    pool: Pool


@pytest.fixture(scope="module", params=KINDS)
def yard(request) -> Iterator[Yard]:
    with shared(request.param) as store, pool(2, store.more) as servers:
        yield Yard(store, servers)


@pytest.mark.parametrize(("scenario", "first"), [("promote", 3), ("rollback", 9), ("abort", 14)])
def test_a_killed_run_ends_as_an_undisturbed_one(yard, place, scenario, first):
    # All of them in `make torture`; every point on SQLite in test_kill.
    row = sweep(Sweep(yard.pool, place, scenario, yard.store.state, every=8, first=first), scenario)

    assert row.clean, row


def test_whatever_a_frozen_runner_sends_too_late_is_undone(yard, place):
    found = next(
        each
        for each in frozen(yard.pool, place, "keep", state=yard.store.state, calls=("SetSplit",))
    )

    assert found.wrong == ""
    assert found.left.splits[-2:] == ["blue 100 | green 50", "green 100"]


def test_an_answer_that_gets_lost_doubles_nothing(yard, place):
    row = swallowed(yard.store, place, every=13)

    assert row.clean, row
    assert row.runs >= 4


def test_of_eight_runners_at_once_one_drives(yard, place):
    row = race(yard.pool.servers[0], place, yard.store.state)

    assert row.clean, row
