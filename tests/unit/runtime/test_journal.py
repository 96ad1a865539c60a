"""The journal: one order of events, whoever writes; nothing is guessed, nothing edited unseen."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from rollout.domain import events as e
from rollout.domain.endpoint import SetSplit
from rollout.domain.errors import Fenced, StoreError
from rollout.domain.run import Phase, Split
from rollout.ports.store import Conflict, Record
from rollout.runtime.chain import ORIGIN
from rollout.runtime.journal import TRIES, Journal, entries, read_entry
from rollout.runtime.upcast import VERSION
from tests.fakes.store import FakeStore, Shelf
from tests.unit.runtime.values import run

STREAM = "fake/diabetes"
INTENDED = e.Intended(SetSplit({"blue": 100}), Split())
ABORT, PAUSE = e.AbortOrdered("eve"), e.PauseOrdered("eve")


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture
def store(shelf):
    return FakeStore(now=lambda: 100.0, shelf=shelf)


@pytest.fixture
def journal(store):
    made = Journal(store, STREAM, "ada")
    made.start(run(), "{}", "")
    return made


def another(shelf, by="eve"):
    return Journal(FakeStore(now=lambda: 100.0, shelf=shelf), STREAM, by)


def edit(shelf, seq, **changes):
    """Somebody changes a stored record."""
    record = shelf.events[STREAM][seq]
    body = json.dumps({**json.loads(record.body), **changes}).encode()
    shelf.events[STREAM][seq] = Record(record.seq, record.run, body)


def test_every_event_carries_the_run_after_it_and_names_the_one_before(store, journal):
    after = journal.append(INTENDED)

    first, second = entries(store, STREAM)
    assert (first.previous, second.previous) == (ORIGIN, first.digest)
    assert [each.seq for each in (first, second)] == [0, 1]
    assert (second.event, second.state, second.by, second.at) == (INTENDED, after, "ada", 100.0)
    assert after.intent == INTENDED.effect


def test_a_run_is_read_back_from_one_record(shelf, journal):
    expected = journal.append(INTENDED)

    assert another(shelf).refresh() == expected


def test_a_run_is_resumed_by_one_read_however_long_it_is(shelf, journal, monkeypatch):
    for _ in range(50):
        journal.append(INTENDED)
    asked = []
    for name in ("last", "read", "tails", "streams", "lease"):
        real = getattr(FakeStore, name)

        def counted(self, *given, real=real, name=name, **options):
            asked.append(name)
            return real(self, *given, **options)

        monkeypatch.setattr(FakeStore, name, counted)

    assert another(shelf).refresh() == journal.run
    assert asked == ["last"]


def test_an_empty_journal_has_no_run(store):
    journal = Journal(store, STREAM, "ada")

    assert journal.refresh() is journal.run is None
    with pytest.raises(StoreError):
        journal.take()


def test_a_second_run_follows_in_the_same_stream(store, journal):
    journal.append(e.Ended())

    second = Journal(store, STREAM, "bob")
    second.refresh()
    second.start(run(id="r-2"), "{}", "")

    story = list(entries(store, STREAM))
    assert [(each.state.id, each.epoch) for each in story] == [("r-1", 1), ("r-1", 1), ("r-2", 2)]
    assert [each.seq for each in entries(store, STREAM, "r-2")] == [2]
    assert all(after.previous == before.digest for before, after in pairwise(story))


# --- who may write ----------------------------------------------------------------


def test_only_an_owner_appends(shelf, journal):
    stranger = another(shelf)
    stranger.refresh()

    with pytest.raises(Fenced):
        stranger.append(INTENDED)


def test_a_persons_order_makes_the_owner_decide_again(shelf, journal):
    another(shelf).order(PAUSE)

    with pytest.raises(Conflict):
        journal.append(INTENDED)

    assert journal.run.phase is Phase.PAUSED
    assert journal.append(e.OwnerTook(1, "ada")).phase is Phase.PAUSED


def test_an_order_leaves_the_owner_in_office(shelf, journal):
    another(shelf).order(PAUSE)

    assert journal.refresh().phase is Phase.PAUSED
    assert journal.append(e.LogsCollected("green", "...")).phase is Phase.PAUSED


def test_an_older_owner_is_fenced(shelf, journal):
    rival = another(shelf, "bob")
    rival.refresh()
    rival.take()

    for deed in (journal.refresh, lambda: journal.append(INTENDED)):
        with pytest.raises(Fenced) as told:
            deed()
        assert told.value.code == 30

    assert rival.append(INTENDED).intent == INTENDED.effect


def test_an_open_call_is_the_intent_that_nothing_of_its_owner_follows(shelf, journal):
    stranger = another(shelf)
    stranger.refresh()
    assert stranger.open_call() is None

    journal.append(INTENDED)
    another(shelf).order(PAUSE)
    stranger.refresh()
    assert stranger.open_call() == INTENDED.effect

    journal.refresh()
    journal.append(e.LogsCollected("green", "..."))
    stranger.refresh()
    assert stranger.open_call() is None


def test_a_take_over_says_how_the_owner_before_left(shelf, journal):
    journal.append(INTENDED)
    heir = another(shelf, "bob")
    heir.refresh()

    heir.take(crashed=True, contested=True)

    assert heir.last.event == e.OwnerTook(2, "bob", crashed=True, contested=True)
    assert heir.run.loose == (INTENDED.effect,)


def test_time_never_goes_back_behind_what_is_written(shelf):
    clock = iter([100.0, 160.0, 40.0, 40.0])
    journal = Journal(FakeStore(now=lambda: next(clock), shelf=shelf), STREAM, "ada")
    journal.start(run(), "{}", "")

    for _ in range(2):
        journal.append(INTENDED)

    assert [each.at for each in entries(FakeStore(shelf=shelf), STREAM)] == [100.0, 160.0, 160.0]
    assert journal.now() == 160.0


def test_of_two_who_take_over_at_once_one_is_told_so(shelf, journal):
    first, second = another(shelf, "bob"), another(shelf, "carl")
    first.refresh()
    second.refresh()

    first.take()

    with pytest.raises(Conflict):
        second.take()


class Busy(FakeStore):
    """A store where a runner is always a little faster, some times."""

    def __init__(self, shelf, times):
        super().__init__(now=lambda: 100.0, shelf=shelf)
        self.runner = Journal(FakeStore(now=lambda: 100.0, shelf=shelf), STREAM, "ada")
        self.runner.refresh()
        self.runner.take()
        self.times = times

    def append(self, stream, record):
        if self.times > 0:
            self.times -= 1
            self.runner.append(e.LogsCollected("green", "..."))
        super().append(stream, record)


def test_an_order_gets_in_between_a_busy_runners_events(shelf, journal):
    after = Journal(Busy(shelf, TRIES - 1), STREAM, "eve").order(ABORT)

    assert after.phase is Phase.ABORTED


def test_an_order_that_never_gets_in_says_so(shelf, journal):
    with pytest.raises(StoreError, match="did not get into"):
        Journal(Busy(shelf, TRIES), STREAM, "eve").order(ABORT)


def test_an_order_to_nobody_says_so(store):
    with pytest.raises(StoreError):
        Journal(store, STREAM, "eve").order(ABORT)


def test_whether_an_order_fits_is_asked_about_the_run_as_it_is_then(shelf, journal):
    asked = []

    Journal(Busy(shelf, 2), STREAM, "eve").order(ABORT, asked.append)

    assert len(asked) == 3


# --- what may go wrong -------------------------------------------------------------


def test_an_append_whose_acknowledgement_got_lost_is_there_once(shelf, store, journal):
    store.swallow()
    with pytest.raises(StoreError):
        journal.append(INTENDED)

    heir = another(shelf)

    assert heir.refresh().intent == INTENDED.effect
    assert len(store.read(STREAM)) == 2
    with pytest.raises(Conflict):
        journal.append(INTENDED)


def test_a_newer_version_is_not_guessed_at(shelf, store, journal):
    edit(shelf, 0, v=VERSION + 1)

    for look in (another(shelf).refresh, lambda: list(entries(store, STREAM))):
        with pytest.raises(StoreError, match="newer rollout") as told:
            look()
        assert "pip install" in told.value.do


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"[]", b"{}", b'"v"', b"null", b'{"v": "1"}', b'{"v": 1}',
     b'{"v": 1, "event": {"is": "Levitated"}, "state": {}, "at": 1, "epoch": 1, "by": "ada"}'],
)  # fmt: skip
def test_what_is_not_ours_is_not_guessed_at(body):
    with pytest.raises(StoreError, match="Entry 7 of the journal is not readable"):
        read_entry(Record(7, "r-1", body))


def test_an_edited_record_is_noticed(shelf, store, journal):
    for _ in range(3):
        journal.append(INTENDED)
    edit(shelf, 1, by="mallory")

    with pytest.raises(StoreError, match="Entry 2 of fake/diabetes does not follow") as told:
        list(entries(store, STREAM))

    assert "backup" in told.value.do


def test_a_record_edited_under_a_reader_is_noticed(shelf, journal):
    reader = another(shelf)
    reader.refresh()
    edit(shelf, 0, by="mallory")
    heir = another(shelf)
    heir.refresh()
    heir.take()

    with pytest.raises(StoreError, match="does not follow"):
        reader.refresh()


@pytest.mark.parametrize("seq", [0, 1, 2])
def test_a_record_taken_out_is_noticed(shelf, store, journal, seq):
    for _ in range(3):
        journal.append(INTENDED)
    del shelf.events[STREAM][seq]

    with pytest.raises(StoreError, match="does not follow"):
        list(entries(store, STREAM))
