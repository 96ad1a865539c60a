"""A journal moves between stores of every kind, pruned or not, and is the same journal there."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.domain import events as e
from rollout.runtime import orders
from rollout.runtime.archive import absorb, exported, parsed
from rollout.runtime.journal import Journal, entries
from rollout.runtime.lease import Owner
from rollout.runtime.pruning import prunable, prune
from rollout.runtime.replay import replay
from rollout.wiring import plugs
from tests.contracts.test_stores import fresh
from tests.fakes.clock import FakeClock
from tests.golden.make import STREAM
from tests.servers import postgres_database

GOLDEN = Path(__file__).parents[1] / "golden/journal-v1/undo.jsonl"
ME = Owner({"user": "ada", "host": "desk", "pid": 1}, lambda _: False)
LATER = 1e11  # Unix seconds


@pytest.fixture
def lines():
    return GOLDEN.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def source(tmp_path, lines):
    store = plugs.store(f"sqlite:///{tmp_path}/source.db")
    absorb(store, parsed(lines), ME, FakeClock())
    yield store
    store.close()


def moved(source, url):
    """Over there, pruned on the way, continued, and back into nothing."""
    assert list(exported(source, source.streams()))
    prune(source, prunable(source, STREAM, LATER), "eve")
    text = list(exported(source, source.streams()))
    target = plugs.store(url)
    try:
        absorb(target, parsed(text), ME, FakeClock())
        assert absorb(target, parsed(text), ME, FakeClock()) == {STREAM: 0}
        assert target.read(STREAM) == source.read(STREAM)
        Journal(target, STREAM, "eve").order(e.PauseOrdered("eve"))
        story = list(entries(target, STREAM))
        (found,) = orders.all_runs(target)
        assert replay(orders.story(target, found), orders.plan_of(target, found)).mismatches == ()
        return [type(each.event).__name__ for each in story[-2:]]
    finally:
        target.close()


def test_the_golden_journal_arrives_in_a_file_as_it_was(source, lines):
    assert list(exported(source, source.streams())) == lines


def test_a_journal_moves_into_a_file(source, tmp_path):
    assert moved(source, f"sqlite:///{tmp_path}/target.db") == ["Pruned", "PauseOrdered"]


def test_a_journal_moves_into_postgresql(source, postgres):
    with postgres_database(postgres) as url:
        assert moved(source, url) == ["Pruned", "PauseOrdered"]


def test_a_journal_moves_into_blobs(source, blobs, monkeypatch):
    assert moved(source, fresh(blobs, monkeypatch)) == ["Pruned", "PauseOrdered"]


def test_a_journal_moves_into_a_bucket(source, buckets, monkeypatch):
    assert moved(source, fresh(buckets, monkeypatch)) == ["Pruned", "PauseOrdered"]
