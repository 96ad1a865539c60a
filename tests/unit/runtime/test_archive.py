"""Moving journals: every byte, the whole chain, and nothing half understood."""

from __future__ import annotations

import json

import pytest

from rollout.domain import events as e
from rollout.domain.errors import Locked, NewerJournal, StoreError
from rollout.ports.store import Record
from rollout.runtime.archive import absorb, exported, parsed
from rollout.runtime.journal import Journal, entries
from rollout.runtime.lease import Owner, acquire
from rollout.runtime.pruning import prunable, prune
from rollout.runtime.upcast import VERSION
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from tests.unit.runtime.test_pruning import DAY, INTENDED, STREAM, Age

ME = Owner({"user": "ada", "host": "desk", "pid": 1}, lambda _: False)


@pytest.fixture
def age():
    made = Age()
    for name in ("r-1", "r-2"):
        made.begin(name, INTENDED, e.LogsCollected("green", '##vso[x] "ü" \n::error'), e.Ended())
        made.now += DAY
    made.begin("r-3")
    return made


@pytest.fixture
def target():
    return FakeStore()


def lines(store):
    return list(exported(store, store.streams()))


def put(store, text):
    return absorb(store, parsed(text), ME, FakeClock())


def test_a_journal_arrives_as_it_left(age, target):
    added = put(target, lines(age.store))

    assert added == {STREAM: 9}
    assert target.read(STREAM) == age.store.read(STREAM)
    assert lines(target) == lines(age.store)


def test_no_line_is_an_order_to_a_build_agent(age):
    assert not any("##" in each or each.startswith("::") for each in lines(age.store))


def test_given_again_it_adds_nothing(age, target):
    put(target, lines(age.store))

    assert put(target, lines(age.store)) == {STREAM: 0}


def test_a_part_that_is_there_is_continued(age, target):
    for each in age.store.read(STREAM)[:4]:
        target.append(STREAM, each)

    assert put(target, lines(age.store)) == {STREAM: 5}
    assert target.read(STREAM) == age.store.read(STREAM)


def test_a_pruned_journal_arrives_pruned_and_goes_on(age, target):
    prune(age.store, prunable(age.store, STREAM, 0.5 * DAY), "eve")

    put(target, lines(age.store))

    assert target.read(STREAM) == age.store.read(STREAM)
    journal = Journal(target, STREAM, "bob")
    journal.refresh()
    journal.take()
    assert [each.seq for each in entries(target, STREAM)] == [4, 5, 6, 7, 8, 9, 10]


def test_an_import_of_a_pruned_journal_can_be_interrupted(age, target):
    prune(age.store, prunable(age.store, STREAM, 0.5 * DAY), "eve")
    text = lines(age.store)
    for left in range(9):
        broken = FakeStore()
        calls = [0]
        append = broken.append

        def until(stream, record, append=append, calls=calls, left=left):
            calls[0] += 1
            if calls[0] > left:
                raise StoreError("The disk is full.", do="Free some.")
            append(stream, record)

        broken.append = until
        with pytest.raises(StoreError, match="disk"):
            put(broken, text)
        broken.append = append

        put(broken, text)

        assert broken.read(STREAM) == age.store.read(STREAM)


def test_another_journal_of_that_endpoint_is_left_alone(age, target):
    other = Journal(target, STREAM, "bob")
    other.start(next(entries(age.store, STREAM)).state, "{}", "")
    before = target.read(STREAM)

    with pytest.raises(StoreError, match="different from entry 0 on"):
        put(target, lines(age.store))

    assert target.read(STREAM) == before


def test_a_longer_journal_of_that_endpoint_is_left_alone(age, target):
    text = lines(age.store)
    put(target, text)
    Journal(target, STREAM, "eve").order(e.PauseOrdered("eve"))
    before = target.read(STREAM)

    assert put(target, text) == {STREAM: 0}
    assert target.read(STREAM) == before


def test_a_store_that_forgot_all_that_could_be_compared_is_left_alone(age, target):
    text = lines(age.store)
    put(target, text)
    Journal(target, STREAM, "eve").order(e.PauseOrdered("eve"))
    target.drop(STREAM, 9)

    with pytest.raises(StoreError, match="different from entry 9 on"):
        put(target, text)


def test_nothing_is_added_while_somebody_drives(age, target):
    clock = FakeClock()
    them = Owner({"user": "bob", "host": "lab", "pid": 2}, lambda _: False)
    lease = acquire(target, STREAM, them, clock, patience=0)

    def live():
        lease.renew()
        clock.after(4, live)

    live()

    with pytest.raises(Locked):
        absorb(target, parsed(lines(age.store)), ME, clock)

    assert target.read(STREAM) == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text[:-1], "are missing"),
        (lambda text: text[:3] + text[4:], "does not follow"),
        (lambda text: [*text[:2], text[2].replace('\\"ada\\"', '\\"eve\\"'), *text[3:]], "follow"),
        (lambda text: [*text[:2], "{}", *text[3:]], "Line 3 is not a record"),
        (lambda text: [*text[:2], "", *text[3:]], "Line 3 is not a record"),
        (lambda text: text[1:], "does not begin as"),
        (lambda _: [], "does not begin as"),
        (lambda _: ["[]"], "does not begin as"),
        (lambda text: [text[0].replace('"format":1', '"format":2'), *text[1:]], "newer rollout"),
    ],
    ids=["cut", "hole", "edited", "empty", "blank", "headless", "nothing", "list", "newer"],
)
def test_a_broken_file_is_refused_before_anything_is_written(age, target, change, told):
    with pytest.raises(StoreError, match=told):
        put(target, change(lines(age.store)))

    assert target.streams() == ()
    assert target.lease(STREAM) is None


def test_entries_of_a_newer_version_leave_but_do_not_arrive(age, target):
    record = age.store.read(STREAM)[-1]
    body = {**json.loads(record.body), "v": VERSION + 1}
    age.store.shelf.events[STREAM][-1] = Record(record.seq, record.run, json.dumps(body).encode())

    text = lines(age.store)

    with pytest.raises(NewerJournal):
        put(target, text)
    assert target.streams() == ()
