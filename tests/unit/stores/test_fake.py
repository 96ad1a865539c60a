"""The fake store's faults; its promises are in the contract."""

from __future__ import annotations

import pytest

from rollout.domain.errors import StoreError
from rollout.ports.store import Record
from tests.fakes.store import FakeStore, Shelf

FIRST = Record(0, "r-1", b"{}")


def test_failing_calls_change_nothing_and_end():
    store = FakeStore()
    store.fail(2)

    with pytest.raises(StoreError):
        store.append("s", FIRST)
    with pytest.raises(StoreError):
        store.read("s")

    assert store.read("s") == ()


def test_a_swallowed_acknowledgement_leaves_the_record():
    store = FakeStore()
    store.swallow()

    with pytest.raises(StoreError):
        store.append("s", FIRST)

    assert store.read("s") == (FIRST,)
    store.append("s", FIRST)
    assert store.read("s") == (FIRST,)


def test_a_swallowed_acknowledgement_leaves_the_lease():
    store = FakeStore()
    store.swallow()

    with pytest.raises(StoreError):
        store.put_lease("s", b"mine", version=None)

    assert store.lease("s").body == b"mine"


def test_reading_swallows_nothing():
    store = FakeStore()
    store.swallow()

    assert store.read("s") == ()
    with pytest.raises(StoreError):
        store.append("s", FIRST)


def test_one_machine_fails_while_another_works():
    shelf = Shelf()
    ours, theirs = FakeStore(shelf=shelf), FakeStore(shelf=shelf)
    ours.fail()

    theirs.append("s", FIRST)

    with pytest.raises(StoreError):
        ours.last("s")
    assert ours.last("s") == FIRST


def test_the_clock_is_the_given_one():
    moments = iter([5.0, 7.5])
    store = FakeStore(now=lambda: next(moments))

    assert [store.now(), store.now()] == [5.0, 7.5]
