"""Old bodies as this version writes them, and newer ones that nobody touches."""

from __future__ import annotations

import json

import pytest

from rollout.domain import events as e
from rollout.domain.codec import decode, encode
from rollout.domain.errors import NewerJournal
from rollout.domain.plan import Approve, Plan
from rollout.domain.run import Run
from rollout.ports.store import Record
from rollout.runtime.due import standings
from rollout.runtime.journal import Journal, entries
from rollout.runtime.upcast import VERSION, current, known
from tests.fakes.store import FakeStore
from tests.unit.runtime.values import PLAN, run

STREAM = "fake/diabetes"


def body(event, **changes):
    """A body as version 1 wrote it."""
    return {"v": 1, "event": event, "state": encode(run()), **changes}


def approvals(stages):
    return [each.work.author for each in stages if isinstance(each.work, Approve)]


def test_in_version_1_the_word_of_a_runs_author_counted():
    started = encode(e.RunStarted(run(), json.dumps(encode(PLAN))))

    made = current(body(started))

    assert made["v"] == VERSION
    plan = decode(Plan, json.loads(made["event"]["source"]))
    for stages in (
        decode(Run, made["state"]).stages,
        decode(Run, made["event"]["run"]).stages,
        plan.stages,
    ):
        assert approvals(stages) == [True]
    assert [each.id for each in plan.stages] == [each.id for each in PLAN.stages]


IN_VERSION_1 = [
    "id",
    "plan",
    "endpoint",
    "identity",
    "digest",
    "baseline",
    "candidate",
    "baseline_digest",
    "candidate_digest",
    "stages",
    "on_failure",
    "on_inconclusive",
    "author",
    "started",
    "since",
    "deadline",
    "ended",
    "phase",
    "at",
    "step",
    "captured",
    "expected",
    "intent",
    "intended",
    "attempts",
    "created",
    "cause",
    "trouble",
    "failure",
    "adopt",
    "deleted",
    "file",
    "labels",
    "approvals",
    "done",
    "cursor",
    "evidence",
    "judgement",
    "exposure",
    "checked",
    "tried",
]


def test_a_field_of_a_run_says_since_which_version_there_is_one():
    assert set(known(run(), 1)) == set(IN_VERSION_1)


def test_a_step_changes_nothing_that_it_was_given():
    old = body(encode(e.RunStarted(run(), json.dumps(encode(PLAN)))))
    before = json.dumps(old)

    current(old)

    assert json.dumps(old) == before


def test_what_this_version_writes_is_taken_as_it_is():
    made = body(encode(e.Ended()), v=VERSION)

    assert current(made) is made


@pytest.mark.parametrize("version", [0, -1])
def test_what_no_version_wrote_is_not_guessed_at(version):
    with pytest.raises(ValueError, match="no version"):
        current(body({}, v=version))


# --- newer ---


@pytest.fixture
def newer():
    """A journal whose last entry is of a newer version."""
    store = FakeStore()
    journal = Journal(store, STREAM, "ada")
    journal.start(run(), "{}", "")
    (record,) = store.read(STREAM)
    text = json.dumps({**json.loads(record.body), "v": VERSION + 1})
    store.shelf.events[STREAM] = [Record(0, record.run, text.encode())]
    return store


@pytest.mark.parametrize(
    "deed",
    [
        lambda journal: journal.order(e.AbortOrdered("eve")),
        lambda journal: journal.refresh() and journal.take(),
        lambda journal: journal.refresh() and journal.start(run(id="r-2"), "{}", ""),
        lambda journal: journal.order(e.Pruned(1, "d")),
    ],
    ids=["order", "take over", "start", "prune"],
)
def test_nothing_is_appended_to_what_a_newer_version_wrote(newer, deed):
    before = newer.read(STREAM)

    with pytest.raises(NewerJournal, match="up to") as told:
        deed(Journal(newer, STREAM, "eve"))

    assert newer.read(STREAM) == before
    assert "pip install" in told.value.do


def test_an_owner_stops_where_a_newer_version_took_over(newer):
    store = FakeStore()
    owner = Journal(store, STREAM, "ada")
    owner.start(run(), "{}", "")
    heir = Journal(store, STREAM, "eve")
    heir.refresh()
    heir.take()
    record = store.read(STREAM)[-1]
    text = json.dumps({**json.loads(record.body), "v": VERSION + 1})
    store.shelf.events[STREAM][-1] = Record(record.seq, record.run, text.encode())

    with pytest.raises(NewerJournal):
        owner.append(e.Ended())

    assert len(store.read(STREAM)) == 2


def test_a_newer_entry_in_the_middle_is_found_too(newer):
    with pytest.raises(NewerJournal):
        list(entries(newer, STREAM))


def test_a_run_that_a_newer_version_drives_counts_as_due(newer):
    (found,) = standings(newer)

    assert found.is_due(0.0)
    assert (found.run, found.plan) == ("r-1", "?")
