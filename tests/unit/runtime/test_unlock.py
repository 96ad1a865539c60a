"""A lease taken away by a person: from the one that was meant, however busy it is."""

from __future__ import annotations

import pytest

from rollout.domain import events as e
from rollout.domain.endpoint import SetSplit
from rollout.domain.errors import Fenced, Locked, StoreError
from rollout.domain.run import Split
from rollout.ports.store import Conflict
from rollout.runtime.begin import resume
from rollout.runtime.journal import Journal
from rollout.runtime.lease import Before, Owner, acquire
from rollout.runtime.unlock import TRIES, Life, lock_of, unlock
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore, Shelf
from tests.unit.runtime.values import run

STREAM = "fake/diabetes"
ME = Owner({"user": "ada", "host": "desk", "pid": 1}, lambda _: False)
BOB = Owner({"user": "bob", "host": "lab", "pid": 12}, lambda _: False)


@pytest.fixture
def store():
    return FakeStore(now=lambda: 100.0, shelf=Shelf())


@pytest.fixture
def lease(store):
    """Held by bob, who drives a run."""
    held = acquire(store, STREAM, BOB, FakeClock(), patience=0)
    Journal(store, STREAM, BOB.name).start(run(), "{}", "")
    return held


class Renewing(FakeStore):
    """A store where the owner renews just before somebody else writes the lease, some times."""

    def __init__(self, shelf, lease, times):
        super().__init__(shelf=shelf)
        self.lease_, self.times = lease, times

    def put_lease(self, stream, body, *, version):
        if self.times:
            self.times -= 1
            self.lease_.renew()
        return super().put_lease(stream, body, version=version)


def test_who_holds_it_since_when_and_what_for_is_known(store, lease):
    found = lock_of(store, STREAM, ME)

    assert (found.holder, found.since, found.life) == (BOB.name, 100.0, Life.UNKNOWN)
    assert found.run.id == "r-1"


def test_one_who_has_appended_nothing_has_not_begun(store):
    acquire(store, STREAM, BOB, FakeClock(), patience=0)

    found = lock_of(store, STREAM, ME)

    assert (found.since, found.run) == (None, None)


def test_a_lease_that_was_given_back_is_nobodys(store, lease):
    lease.release()

    assert lock_of(store, STREAM, ME) is None
    assert lock_of(store, "fake/other", ME) is None


def test_the_owner_learns_it_by_its_next_renewal(store, lease):
    unlock(store, lock_of(store, STREAM, ME), "eve")

    assert lock_of(store, STREAM, ME) is None
    with pytest.raises(Fenced):
        lease.renew()


def test_the_owner_can_append_nothing_any_more(store):
    lease = acquire(store, STREAM, BOB, FakeClock(), patience=0)
    journal = Journal(store, STREAM, BOB.name)
    journal.start(run(), "{}", "")
    effect = SetSplit({"blue": 90, "green": 10})
    journal.append(e.Intended(effect, Split({"blue": 100})))

    unlock(store, lock_of(store, STREAM, ME), "eve")

    with pytest.raises(Fenced, match=r"eve took .* by rollout force-unlock"):
        append(journal, e.Ended())
    with pytest.raises(Fenced, match="eve took the lease away"):
        lease.renew()
    heir = Journal(store, STREAM, ME.name)
    after = resume(heir, Before.FORCED)
    assert (after.loose, after.crashes) == ((effect,), 1)
    assert heir.append(e.LooseCallFound(effect)).id == "r-1"


def append(journal, event):
    """As a driver does: once more behind what came first."""
    try:
        journal.append(event)
    except Conflict:
        journal.append(event)


def test_one_who_has_taken_over_already_is_not_unseated(store, lease):
    heir = Journal(store, STREAM, ME.name)
    resume(heir, Before.SILENT)

    Journal(store, STREAM, "eve").unseat(1)

    heir.append(e.Ended())


def test_a_renewal_in_between_changes_nothing(store, lease):
    busy = Renewing(store.shelf, lease, TRIES - 1)

    unlock(busy, lock_of(busy, STREAM, ME), "eve")

    assert lock_of(store, STREAM, ME) is None


def test_an_owner_who_always_renews_is_told_of(store, lease):
    busy = Renewing(store.shelf, lease, TRIES)

    with pytest.raises(StoreError, match="renews the lease all the time"):
        unlock(busy, lock_of(busy, STREAM, ME), "eve")


def test_it_is_not_taken_from_somebody_else_than_was_agreed(store, lease):
    found = lock_of(store, STREAM, ME)
    lease.release()
    other = acquire(store, STREAM, ME, FakeClock(), patience=0)

    with pytest.raises(Locked, match="ada@desk pid 1 holds the lease"):
        unlock(store, found, "eve")

    other.renew()


def test_the_run_of_an_owner_who_is_done_is_none_that_is_driven(store, lease):
    Journal(store, STREAM, "eve").order(e.AbortOrdered("eve", keep_traffic=True))

    assert lock_of(store, STREAM, ME).run is None
