"""Forgetting old runs: what is left can be verified as before, and is found again by the endpoint."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rollout.domain import events as e
from rollout.domain.endpoint import SetSplit
from rollout.domain.errors import Locked, StoreError
from rollout.domain.run import Split
from rollout.ports.store import Record
from rollout.runtime.journal import Journal, entries
from rollout.runtime.pruning import finish, prunable, prune
from tests.fakes.store import FakeStore, Shelf
from tests.unit.runtime.values import run

STREAM = "fake/diabetes"
DAY = 86400.0
INTENDED = e.Intended(SetSplit({"blue": 100}), Split())


class Age:
    """A store of which the time is told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.store = FakeStore(now=lambda: self.now, shelf=Shelf())

    def begin(self, name: str, *events: e.Event) -> Journal:
        journal = Journal(self.store, STREAM, "ada")
        journal.refresh()
        journal.start(run(id=name), "{}", "")
        for each in events:
            journal.append(each)
        return journal


@pytest.fixture
def age():
    """Four runs, a day each; the last one is open and has changed nothing yet."""
    made = Age()
    for name in ("r-1", "r-2", "r-3"):
        made.begin(name, INTENDED, e.Ended())
        made.now += DAY
    made.begin("r-4")
    return made


def names(found):
    return [each.id for each in found.runs] if found else []


def test_old_runs_may_go_as_far_as_they_ended_before(age):
    assert names(prunable(age.store, STREAM, 0.0)) == []
    assert names(prunable(age.store, STREAM, 0.5 * DAY)) == ["r-1"]
    assert names(prunable(age.store, STREAM, 1.5 * DAY)) == ["r-1", "r-2"]


def test_the_newest_run_that_changed_the_endpoint_stays_and_so_do_later_ones(age):
    assert names(prunable(age.store, STREAM, 99 * DAY)) == ["r-1", "r-2"]


def test_the_only_run_stays_whatever_its_age():
    age = Age()
    age.begin("r-1", e.Ended())

    assert prunable(age.store, STREAM, 99 * DAY) is None


def test_what_is_left_is_verified_from_where_it_begins(age):
    before = list(entries(age.store, STREAM))
    found = prunable(age.store, STREAM, 1.5 * DAY)

    prune(age.store, found, "eve")

    left = list(entries(age.store, STREAM))
    assert found.entries == found.below == 6
    assert left[:-1] == before[6:]
    assert left[-1].event == e.Pruned(6, before[5].digest)
    assert left[-1].state == before[-1].state
    assert {each.seq for each in age.store.read(STREAM)} == set(range(6, 11))


def test_a_runner_goes_on_after_its_older_runs_were_forgotten(age):
    runner = Journal(age.store, STREAM, "ada")
    runner.refresh()
    runner.take()

    prune(age.store, prunable(age.store, STREAM, 99 * DAY), "eve")
    runner.refresh()
    runner.append(INTENDED)

    assert [each.event for each in entries(age.store, STREAM)][-1] == INTENDED


def test_an_interrupted_prune_counts_and_is_finished_later(age):
    found = prunable(age.store, STREAM, 99 * DAY)
    Journal(age.store, STREAM, "eve").order(e.Pruned(found.below, found.digest))

    assert next(entries(age.store, STREAM)).seq == 6
    assert finish(age.store, STREAM)
    assert not finish(age.store, STREAM)
    assert age.store.read(STREAM)[0].seq == 6


def test_it_can_be_pruned_again(age):
    prune(age.store, prunable(age.store, STREAM, 0.5 * DAY), "eve")
    prune(age.store, prunable(age.store, STREAM, 99 * DAY), "eve")

    assert next(entries(age.store, STREAM)).state.id == "r-3"


def test_a_prune_that_another_one_overtook_while_a_person_was_asked_adds_nothing(age):
    asked = prunable(age.store, STREAM, 0.5 * DAY)
    prune(age.store, prunable(age.store, STREAM, 99 * DAY), "eve")
    before = age.store.read(STREAM)

    prune(age.store, asked, "kim")

    assert age.store.read(STREAM) == before
    assert next(entries(age.store, STREAM)).state.id == "r-3"


def test_a_prune_that_another_one_fell_short_of_meanwhile_goes_on(age):
    asked = prunable(age.store, STREAM, 99 * DAY)
    prune(age.store, prunable(age.store, STREAM, 0.5 * DAY), "eve")

    prune(age.store, asked, "kim")

    assert next(entries(age.store, STREAM)).state.id == "r-3"
    assert age.store.read(STREAM)[0].seq == 6


def test_what_may_not_be_forgotten_any_more_stays(age):
    asked = prunable(age.store, STREAM, 99 * DAY)

    with pytest.raises(Locked, match="has changed"):
        prune(age.store, replace(asked, below=9), "kim")

    assert next(entries(age.store, STREAM)).seq == 0


def test_two_prunes_of_which_the_later_forgot_less_left_a_journal_that_holds(age):
    less, more = (prunable(age.store, STREAM, days * DAY) for days in (0.5, 99))
    for each in (more, less):
        Journal(age.store, STREAM, "eve").order(e.Pruned(each.below, each.digest))
    age.store.drop(STREAM, more.below)

    assert next(entries(age.store, STREAM)).state.id == "r-3"
    assert not finish(age.store, STREAM)


def test_entries_taken_out_without_a_word_are_noticed(age):
    age.store.drop(STREAM, 3)

    with pytest.raises(StoreError, match="does not follow"):
        list(entries(age.store, STREAM))


def test_more_taken_out_than_was_forgotten_is_noticed(age):
    prune(age.store, prunable(age.store, STREAM, 0.5 * DAY), "eve")
    age.store.drop(STREAM, 4)

    with pytest.raises(StoreError, match="does not follow"):
        list(entries(age.store, STREAM))


def test_an_edited_beginning_is_noticed(age):
    prune(age.store, prunable(age.store, STREAM, 0.5 * DAY), "eve")
    first = age.store.shelf.events[STREAM][0]
    body = json.dumps({**json.loads(first.body), "prev": "0" * 64}).encode()
    age.store.shelf.events[STREAM][0] = Record(first.seq, first.run, body)

    with pytest.raises(StoreError, match="does not follow"):
        list(entries(age.store, STREAM))
