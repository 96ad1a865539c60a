"""Which runs a pass over a store looks at, told without decoding them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.domain.auditing import SETTLE
from rollout.domain.endpoint import SetSplit
from rollout.domain.run import FINAL, Cause, Phase, Run, Why
from rollout.ports.store import Record
from rollout.runtime.due import Standing, standings
from rollout.runtime.journal import Journal
from tests.fakes.store import FakeStore
from tests.unit.runtime.values import run

NOW = 1000.0
LATE = (SetSplit({"green": 100}),)


def stored(*runs: Run) -> FakeStore:
    store = FakeStore(now=lambda: NOW)
    for at, each in enumerate(runs):
        Journal(store, f"fake/{at}", "ada").start(each, "{}", "plan.yaml")
    return store


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, True),
        ({"next_check": NOW}, True),
        ({"next_check": NOW + 1.0, "waits": "timer"}, False),
        ({"phase": Phase.HELD, "next_check": NOW + 1.0}, False),
        ({"phase": Phase.UNVERIFIED}, True),
        ({"phase": Phase.ROLLED_BACK, "ended": NOW - SETTLE, "loose": LATE}, True),
        ({"phase": Phase.COMPLETED, "ended": NOW, "landed": LATE}, False),
        (
            {"phase": Phase.COMPLETED, "ended": NOW - SETTLE, "sought": NOW - 1, "loose": LATE},
            False,
        ),
    ],
)
def test_a_run_is_due_once_its_time_has_come(changes: dict[str, object], due: bool) -> None:
    (found,) = standings(stored(run(**changes)))

    assert found.is_due(NOW) is due
    assert (found.run, found.endpoint) == ("r-1", run().endpoint)


@pytest.mark.parametrize("phase", sorted(FINAL, key=lambda each: each.value))
def test_a_run_that_is_over_is_not_even_listed(phase: Phase) -> None:
    assert list(standings(stored(run(phase=phase, ended=NOW)))) == []
    told = run(phase=phase, ended=NOW, loose=LATE, leftover="a person looks at it")
    assert list(standings(stored(told))) == []


def test_only_the_newest_run_of_an_endpoint_is_looked_at() -> None:
    store = stored(run(phase=Phase.COMPLETED, ended=NOW))
    journal = Journal(store, "fake/0", "ada")
    journal.refresh()
    journal.start(replace(run(), id="r-2"), "{}", "plan.yaml")

    assert [each.run for each in standings(store)] == ["r-2"]


@pytest.mark.parametrize(
    "body",
    [
        b"not ours",
        b"[" * 100_000,
        b'{"v":2,"prev":"","state":[]}',
        b'{"v":2,"prev":"","event":{},"state":{"phase":"held","cause":{"why":"later"}}}',
        b'{"v":2,"prev":"","event":{},"state":{"phase":"aborted","cause":{"why":"superseded"}}}',
    ],
    ids=["text", "deep", "list", "why", "superseded"],
)
def test_what_cannot_be_read_is_due_so_that_somebody_says_so(body: bytes) -> None:
    store = stored(run())
    store.append("fake/1", Record(0, "r-9", body))

    assert Standing("fake/1", "r-9", "?", "?", None, "") in list(standings(store))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"phase": Phase.RUNNING}, 0),
        ({"phase": Phase.PAUSED}, 0),
        ({"phase": Phase.HELD}, 13),
        ({"phase": Phase.HELD, "cause": Cause(Why.DRIFT, "by hand")}, 31),
        ({"phase": Phase.HELD, "cause": Cause(Why.INCONCLUSIVE, "unclear")}, 12),
        ({"phase": Phase.UNVERIFIED}, 11),
    ],
)
def test_it_is_known_which_runs_need_a_person(changes: dict[str, object], code: int) -> None:
    (found,) = standings(stored(run(**changes)))

    assert found.code == code
