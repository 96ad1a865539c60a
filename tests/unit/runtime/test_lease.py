"""The lease: who may drive, how soon another may, and when to stop."""

from __future__ import annotations

import json

import pytest

from rollout.domain.errors import EndpointAway, Fenced, Locked
from rollout.runtime.begin import kept
from rollout.runtime.journal import Journal
from rollout.runtime.lease import (
    POLL,
    TTL,
    Before,
    Holder,
    Owner,
    acquire,
    holder_of,
    watched_holder,
)
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from tests.unit.runtime.values import PLAN, run

STREAM = "fake/diabetes"


def owner(name, dead=()):
    identity = {"user": name, "host": "here", "pid": 4711}
    return Owner(identity, lambda who: who["user"] in dead)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def store(clock):
    return FakeStore(now=clock.now)


@pytest.fixture
def take(store, clock):
    def take(name, *, dead=(), patience=0.0, grace=0.0):
        return acquire(store, STREAM, owner(name, dead), clock, patience=patience, grace=grace)

    return take


def beating(clock, lease, every=TTL / 3):
    """A living owner renews again and again."""

    def beat():
        lease.beat()
        clock.after(every, beat)

    clock.after(every, beat)


def test_a_free_lease_is_taken_at_once(clock, store, take):
    take("ada")

    assert clock.monotonic() == 0
    assert json.loads(store.lease(STREAM).body)["owner"]["user"] == "ada"


def test_a_released_lease_is_taken_at_once(clock, take):
    take("ada").release()

    take("bob")

    assert clock.monotonic() == 0


def test_nobody_waits_for_an_owner_that_is_surely_dead(clock, take):
    take("ada")

    take("bob", dead=("ada",))

    assert clock.monotonic() == 0


def test_a_silent_owner_is_waited_for_as_long_as_its_lease_lasts(clock, take):
    take("ada")

    take("bob")

    assert clock.monotonic() == pytest.approx(TTL, abs=2 * POLL)


def test_a_living_owner_keeps_the_lease(clock, take):
    beating(clock, take("ada"))

    with pytest.raises(Locked, match="ada@here pid 4711") as told:
        take("bob")

    assert told.value.code == 30
    assert clock.monotonic() < TTL


def test_patience_has_an_end(clock, take):
    beating(clock, take("ada"))

    with pytest.raises(Locked):
        take("bob", patience=30.0)

    assert clock.monotonic() == pytest.approx(30.0, abs=TTL / 3 + 2 * POLL)


def test_patience_is_rewarded(clock, take):
    lease = take("ada")
    for seconds in range(5, 60, 5):
        clock.after(seconds, lease.beat)
    clock.after(61.0, lease.release)

    take("bob", patience=600.0)

    assert clock.monotonic() == pytest.approx(61.0, abs=2 * POLL)


def force(store):
    """A person takes the lease away."""
    found = store.lease(STREAM)
    body = {**json.loads(found.body), "released": True, "forced": "eve", "id": "another"}
    store.put_lease(STREAM, json.dumps(body).encode(), version=found.version)


@pytest.mark.parametrize(
    ("leave", "dead", "before", "waited"),
    [
        (lambda lease, store: lease.release(), (), Before.RELEASED, 0.0),
        (lambda lease, store: lease.release(), ("ada",), Before.RELEASED, 0.0),
        (lambda lease, store: None, ("ada",), Before.DEAD, 0.0),
        (lambda lease, store: None, (), Before.SILENT, TTL + 5.0),
        (lambda lease, store: force(store), (), Before.FORCED, 5.0),
        (lambda lease, store: force(store), ("ada",), Before.DEAD, 0.0),
    ],
    ids=["released", "released and dead", "dead", "silent", "forced", "forced and dead"],
)
def test_it_is_known_how_the_owner_before_left(clock, store, take, leave, dead, before, waited):
    leave(take("ada"), store)

    lease = take("bob", dead=dead, grace=5.0)

    assert lease.before is before
    assert clock.monotonic() == pytest.approx(waited, abs=2 * POLL)


@pytest.mark.parametrize(
    ("before", "crashed", "contested"),
    [
        (Before.NOBODY, False, False),
        (Before.RELEASED, False, False),
        (Before.DEAD, True, False),
        (Before.SILENT, True, True),
        (Before.FORCED, True, True),
    ],
)
def test_only_an_owner_that_may_live_is_contested(before, crashed, contested):
    assert (before.crashed, before.contested) == (crashed, contested)


def test_an_owner_that_leaves_while_it_is_watched_is_no_living_one(clock, take):
    lease = take("ada")
    clock.after(1.0, lease.release)

    take("bob")

    assert clock.monotonic() < 1.0 + 2 * POLL


def test_of_two_who_wait_one_gets_it(clock, take):
    take("ada")
    clock.after(TTL, lambda: take("carl", dead=("ada",)))

    with pytest.raises(Locked, match="carl"):
        take("bob")


def test_renewals_are_few(clock, store, take):
    lease = take("ada")
    first = store.lease(STREAM).version

    clock.sleep(TTL / 3 - 1)
    lease.beat()
    assert store.lease(STREAM).version == first

    clock.sleep(1)
    lease.beat()
    assert store.lease(STREAM).version != first


def test_a_lease_that_was_taken_over_stops_its_owner(clock, take):
    lease = take("ada")
    clock.sleep(2 * TTL)
    take("bob")

    for deed in (lease.beat, lease.renew):
        with pytest.raises(Fenced, match="bob@here") as told:
            deed()
        assert told.value.code == 30


def test_a_lost_lease_is_not_released_for_another(store, clock, take):
    lease = take("ada")
    clock.sleep(2 * TTL)
    take("bob")

    lease.release()

    assert not json.loads(store.lease(STREAM).body)["released"]


def test_an_owner_that_overslept_while_nobody_came_goes_on(clock, take):
    lease = take("ada")
    clock.sleep(10 * TTL)

    lease.beat()

    assert lease.may_act(1.0)


def test_a_call_is_begun_only_if_it_ends_before_the_lease(clock, take):
    lease = take("ada")

    assert lease.may_act(TTL - 1)
    assert not lease.may_act(TTL)
    clock.sleep(10.0)
    assert lease.may_act(TTL - 11)
    assert not lease.may_act(TTL - 10)
    lease.renew()
    assert lease.may_act(TTL - 1)


def test_a_call_holds_the_lease_for_as_long_as_it_may_take(clock, take):
    lease = take("ada")
    clock.sleep(TTL - 5)

    lease.hold(TTL - 1)

    assert lease.may_act(TTL - 1)


def test_a_call_that_a_rival_has_overtaken_is_not_begun(clock, take):
    lease = take("ada")
    clock.sleep(2 * TTL)
    take("bob")

    with pytest.raises(Fenced, match="bob@here"):
        lease.hold(1.0)


def test_a_call_that_takes_longer_than_any_lease_is_not_begun(take):
    lease = take("ada")

    with pytest.raises(EndpointAway, match="not sent"):
        lease.hold(TTL)


def test_who_holds_it_is_known(store, take):
    assert holder_of(store, STREAM, lambda: owner("bob")) is None

    lease = take("ada")

    assert holder_of(store, STREAM, lambda: owner("bob")) == Holder("ada@here pid 4711", False)
    assert holder_of(store, STREAM, lambda: owner("bob", ("ada",))) is None
    lease.release()
    assert holder_of(store, STREAM, lambda: owner("bob")) is None


def test_an_owner_elsewhere_is_watched_until_it_renews_or_its_lease_is_over(store, clock, take):
    lease, asked = take("ada"), []
    bob = owner("bob")
    clock.after(6, lease.renew)

    assert watched_holder(store, STREAM, bob, clock, asked.append) == "ada@here pid 4711"
    assert 6 <= clock.monotonic() < 6 + 2 * POLL
    assert watched_holder(store, STREAM, bob, clock, asked.append) is None
    assert clock.monotonic() < 6 + TTL + 4 * POLL
    assert asked == ["ada@here pid 4711"] * 2


@pytest.mark.parametrize("dead", [(), ("ada",)])
def test_a_call_that_was_left_under_way_is_waited_for_and_may_still_land(clock, take, dead):
    take("ada").release(calling=True)

    after = take("bob", grace=5.0, dead=dead)

    assert 5.0 <= clock.monotonic() < 5.0 + 2 * POLL
    assert (after.before, after.before.crashed, after.before.contested) == (
        Before.ABANDONED,
        False,
        True,
    )


def test_who_is_in_the_way_is_told_with_its_run_and_the_plan_at_hand(store, clock, take):
    journal = Journal(store, STREAM, "ada")
    journal.refresh()
    journal.start(run(id="r-1"), kept(PLAN), "")
    beating(clock, take("ada"))

    with pytest.raises(Locked) as told:
        acquire(store, STREAM, owner("bob"), clock, patience=0.0, file="my plan.yaml")

    assert told.value.what == "ada@here pid 4711 is driving r-1 of safe now."
    assert told.value.do == (
        "Watch it: rollout status -w r-1. "
        "Or wait for it: rollout apply 'my plan.yaml' --lock-timeout 10m"
    )


def test_a_runner_that_was_overtaken_names_the_run(store, clock, take):
    journal = Journal(store, STREAM, "ada")
    journal.refresh()
    journal.start(run(id="r-1"), kept(PLAN), "")
    lease = take("ada")
    clock.sleep(2 * TTL)
    take("bob")

    with pytest.raises(Fenced, match="rollout status -w r-1"):
        lease.renew()
