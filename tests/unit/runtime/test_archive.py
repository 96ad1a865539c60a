"""Moving journals: every byte, the whole chain, and nothing half understood."""

from __future__ import annotations

import errno
import hashlib
import json
from contextlib import closing, suppress
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from rollout.adapters.stores.sqlite import build
from rollout.domain import events as e
from rollout.domain.errors import Locked, NewerJournal, RolloutError, StoreError
from rollout.ports.store import Conflict, Record
from rollout.runtime.archive import absorb, exported, parsed
from rollout.runtime.journal import Journal, entries
from rollout.runtime.lease import Owner, acquire
from rollout.runtime.pruning import prunable, prune
from rollout.runtime.upcast import VERSION
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from tests.unit.runtime.test_pruning import DAY, INTENDED, STREAM, Age

DEEP = "[" * 100_000
PRUNED = '{"v":2,"prev":"","event":{"is":"Pruned","below":1e999,"digest":""}}'
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


def changed(text, number, **words):
    """The lines, one of them with other values."""
    line = json.dumps({**json.loads(text[number]), **words})
    return [*text[:number], line, *text[number + 1 :]]


def rewritten(text, entry, number=-1):
    """The lines, an entry with other values, and the chain as if it had been written so."""
    head, *records = map(json.loads, text)
    at = number - 1 if number > 0 else len(records) - 1
    records[at]["body"] = json.dumps({**json.loads(records[at]["body"]), **entry})
    for before, each in pairwise(records):
        if records.index(each) > at:
            digest = hashlib.sha256(before["body"].encode()).hexdigest()
            each["body"] = json.dumps({**json.loads(each["body"]), "prev": digest})
    digest = hashlib.sha256(records[-1]["body"].encode()).hexdigest()
    head["streams"][STREAM]["head"] = digest
    return [json.dumps(each) for each in (head, *records)]


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

    with pytest.raises(StoreError, match="cannot be compared"):
        put(target, text)


@pytest.mark.parametrize("held", [1, 3])
def test_what_ends_before_a_pruned_file_begins_is_left_alone(age, target, held):
    """Whether both are of one journal nobody can tell: what is between them was forgotten."""
    other = Journal(target, STREAM, "bob")
    other.start(next(entries(age.store, STREAM)).state, "{}", "")
    for _ in range(held - 1):
        other.order(e.PauseOrdered("bob"))
    before = target.read(STREAM)
    prune(age.store, prunable(age.store, STREAM, 0.5 * DAY), "eve")

    with pytest.raises(StoreError, match="cannot be compared") as caught:
        put(target, lines(age.store))

    assert "empty store" in caught.value.do
    assert target.read(STREAM) == before


def test_what_a_pruned_file_names_before_its_beginning_is_continued(age, target):
    for each in age.store.read(STREAM)[:4]:
        target.append(STREAM, each)
    prune(age.store, prunable(age.store, STREAM, 0.5 * DAY), "eve")

    put(target, lines(age.store))

    assert target.read(STREAM) == age.store.read(STREAM)


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
        (lambda text: [*text[:2], "7", *text[3:]], "Line 3 .* the line is no mapping"),
        (lambda text: [*text[:2], DEEP, *text[3:]], "Line 3 .* nested too deeply"),
        (lambda text: changed(text, 2, seq=float("inf")), "Line 3 .* seq is no whole number"),
        (lambda text: changed(text, 2, seq=True), "Line 3 .* seq is no whole number"),
        (lambda text: changed(text, 2, seq=10**12), "Line 3 .* no store has a place"),
        (lambda text: changed(text, 2, run=7), "Line 3 .* run is no text"),
        (lambda text: changed(text, 2, run="\ud800"), "Line 3 .* can't encode"),
        (lambda text: changed(text, 2, body={}), "Line 3 .* body is no text"),
        (lambda text: changed(text, 2, body="\ud800"), "Line 3 .* can't encode"),
        (lambda text: changed(text, 2, body=DEEP), "Entry 1 of the journal is not readable"),
        (lambda text: changed(text, 2, body="[1]"), "Entry 1 of the journal is not readable"),
        (lambda text: changed(text, 2, stream=[]), "Line 3 .* stream is no text"),
        (lambda text: changed(text, 2, stream="other"), "line 1 does not tell of its stream"),
        (lambda text: [*text, changed(text, 1, seq=-1)[1]], "are missing in the file, or too many"),
        (lambda text: changed(text, 9, body=PRUNED), "Entry 8 of the journal is not readable"),
        (lambda text: changed(text, 0, streams=[1]), "Line 1 .* streams is no mapping"),
        (lambda text: changed(text, 0, streams={STREAM: 1}), "Line 1 .* a stream is no mapping"),
        (lambda text: changed(text, 0, streams={STREAM: {}}), "Line 1 .* it lacks 'entries'"),
        (lambda text: changed(text, 0, streams={STREAM: {"entries": "9"}}), "entries is no whole"),
        (lambda text: changed(text, 0, streams={STREAM: {"entries": 9}}), "it lacks 'head'"),
        (lambda text: changed(text, 0, format=float("inf")), "format is no whole number"),
        (lambda _: [DEEP], "does not begin as .* nested too deeply"),
        (lambda text: text[1:], "does not begin as"),
        (lambda _: [], "does not begin as"),
        (lambda _: ["[]"], "does not begin as"),
        (lambda text: [text[0].replace('"format":1', '"format":2'), *text[1:]], "newer rollout"),
    ],
    ids=[
        *("cut", "hole", "edited", "empty", "blank", "number", "deep", "seq infinite", "seq true"),
        *("seq large", "run number", "run half", "body mapping", "body half", "body deep"),
        *("body list", "stream list", "stream unknown", "seq negative", "below infinite"),
        *("streams list", "stream number", "no entries", "entries text", "no head"),
        *("format infinite", "head deep", "headless", "nothing", "list", "newer"),
    ],
)
def test_a_broken_file_is_refused_before_anything_is_written(age, target, change, told):
    with pytest.raises(StoreError, match=told) as caught:
        put(target, change(lines(age.store)))

    assert caught.value.do
    assert target.streams() == ()
    assert target.lease(STREAM) is None


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"at": "noon"}, "Entry 8 of the journal .*'noon' is no float"),
        ({"at": float("nan")}, "Entry 8 of fake/.* at is no time"),
        ({"at": 10**400}, "Entry 8 of the journal .* too large"),
        ({"epoch": None}, "Entry 8 of the journal .*None is no int"),
        ({"by": 7}, "Entry 8 of the journal .*7 is no str"),
        ({"event": 7}, "Entry 8 of the journal is not readable"),
        ({"state": []}, "Entry 8 of the journal is not readable"),
    ],
    ids=str,
)
def test_an_entry_that_no_reader_could_use_is_refused(age, target, entry, told):
    with pytest.raises(StoreError, match=told):
        put(target, rewritten(lines(age.store), entry))

    assert target.streams() == ()


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, r"no UTF-8 text\."), (3, r"no UTF-8 text, somewhere behind line 3\.")],
)
def test_what_is_no_text_is_told_with_its_place(age, target, count, told):
    def decoded():
        yield from lines(age.store)[:count]
        yield b"\xff".decode()

    with pytest.raises(StoreError, match=told):
        put(target, decoded())


def test_a_file_that_the_disk_does_not_give_is_told(age, target):
    def cut():
        yield lines(age.store)[0]
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(StoreError, match="cannot be read: Input/output error"):
        put(target, cut())


def test_an_order_that_comes_meanwhile_is_told(age, target):
    text = lines(age.store)
    for each in age.store.read(STREAM)[:4]:
        target.append(STREAM, each)

    def overtaken(stream, record):
        raise Conflict(f"{stream}: {record.seq} is taken")

    target.append = overtaken

    with pytest.raises(StoreError, match=r"meanwhile.*import the file again"):
        put(target, text)

    assert json.loads(target.lease(STREAM).body)["released"]


def test_a_name_that_a_store_cannot_keep_is_told(age, target, tmp_path):
    name = "local//home/\udcff/churn"  # a folder whose name is no UTF-8
    text = [changed([each], 0, stream=name)[0] for each in lines(age.store)[1:]]
    head = json.loads(lines(age.store)[0])
    head["streams"] = {name: head["streams"][STREAM]}
    text = [json.dumps(head), *text]

    with (
        closing(build(f"sqlite:///{tmp_path}/state.db")) as store,
        pytest.raises(StoreError, match="cannot keep the name"),
    ):
        put(store, text)

    assert put(target, text) == {name: 9}


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda held: (
        st.lists(held, max_size=2) | st.dictionaries(st.text(max_size=3), held, max_size=2)
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data(), odd=ODD)
def test_whatever_stands_in_a_file_is_imported_or_told(age, data, odd):
    text = lines(age.store)
    number = data.draw(st.integers(0, len(text) - 1))
    line = json.loads(text[number])
    if number and data.draw(st.booleans()):
        entry = json.loads(line["body"])
        name = data.draw(st.sampled_from(sorted(entry)))
        text = rewritten(text, {name: odd}, number)
    else:
        text = changed(text, number, **{data.draw(st.sampled_from(sorted(line))): odd})

    with suppress(RolloutError):
        put(FakeStore(), text)


def test_entries_of_a_newer_version_leave_but_do_not_arrive(age, target):
    record = age.store.read(STREAM)[-1]
    body = {**json.loads(record.body), "v": VERSION + 1}
    age.store.shelf.events[STREAM][-1] = Record(record.seq, record.run, json.dumps(body).encode())

    text = lines(age.store)

    with pytest.raises(NewerJournal):
        put(target, text)
    assert target.streams() == ()
