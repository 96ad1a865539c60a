"""Journals of every version: read, verified, continued; ``tests/golden`` says how they are made."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest

from rollout.domain import events as e
from rollout.domain.advance import advance
from rollout.domain.codec import TAG
from rollout.domain.run import Phase
from rollout.runtime import archive, orders
from rollout.runtime.journal import entries
from rollout.runtime.lease import Owner
from rollout.runtime.replay import replay
from rollout.runtime.upcast import VERSION, known
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from tests.golden.make import STREAM, WAITING
from tests.simulation.test_drive import HELD, Scene

FOLDER = Path(__file__).parents[2] / "golden"
JOURNALS = sorted(FOLDER.glob("journal-v*/*.jsonl"))
OPEN = sorted(FOLDER.glob("journal-v*/open.jsonl"))
ME = Owner({"user": "ada", "host": "desk", "pid": 1}, lambda _: False)
NAMED = {"ids": lambda path: f"{path.parent.name}-{path.stem}"}


def laid(path: Path, store: FakeStore) -> None:
    """The golden journal in a store, byte by byte."""
    with path.open(encoding="utf-8") as lines:
        archive.absorb(store, archive.parsed(lines), ME, FakeClock())


@pytest.fixture
def store():
    return FakeStore()


def test_every_version_up_to_this_one_has_its_journals():
    kept = {path.parent.name for path in JOURNALS}

    assert kept == {f"journal-v{version}" for version in range(1, VERSION + 1)}


def test_every_kind_of_event_is_in_the_journals_of_this_version():
    folder = f"journal-v{VERSION}"
    kept = set()
    for path in (FOLDER / folder).glob("*.jsonl"):
        with path.open(encoding="utf-8") as lines:
            streams = archive.parsed(lines)
        kept |= {json.loads(each.body)["event"][TAG] for each in streams[STREAM]}

    missing = {each.__name__ for each in get_args(e.Event)} - kept

    assert not missing, (
        f"No journal has {', '.join(sorted(missing))}. Tell a story with it in "
        f"tests/golden/make_{VERSION}.py, then make them all: "
        f".venv/bin/python -m tests.golden.make_{VERSION} tests/golden/{folder}"
    )


@pytest.mark.parametrize("path", JOURNALS, **NAMED)
def test_every_state_of_an_old_journal_is_what_todays_fold_makes_of_it(path, store):
    laid(path, store)

    story = list(entries(store, STREAM))

    assert story
    for before, entry in pairwise(story):
        if not isinstance(entry.event, e.RunStarted):
            after = advance(before.state, entry.event, entry.at)
            assert known(entry.state, entry.version) == known(after, entry.version), entry.seq


@pytest.mark.parametrize("path", JOURNALS, **NAMED)
def test_every_verdict_of_an_old_journal_can_be_recomputed(path, store):
    laid(path, store)

    for found in orders.all_runs(store):
        story, plan = orders.story(store, found), orders.plan_of(store, found)
        told = replay(story, plan)

        assert told.mismatches == ()
        assert told.verdicts == sum(isinstance(each.event, e.Measured) for each in story)


@pytest.mark.parametrize("path", OPEN, **NAMED)
def test_an_open_run_of_an_old_journal_is_finished_by_todays_runner(path):
    scene = Scene()
    laid(path, scene.store())
    before = scene.story[-1]
    run = before.state
    scene.clock = FakeClock(before.at + 60.0)
    scene.world.clock = scene.clock
    scene.world.serve("blue", instances=2)
    scene.world.stand_by("green", run=run.id, digest=run.candidate_digest)
    scene.world.by_hand(run.expected.traffic)
    version = json.loads(scene.shelf.events[STREAM][-1].body)["v"]
    approver = run.author if version == 1 else "eve"  # then, one's own word counted
    scene.once(WAITING.id, lambda: scene.approve(approver))

    ended = scene.carry_on(stopping=HELD)

    assert ended.phase is Phase.COMPLETED
    assert ended.id == run.id
    assert scene.split == "green 100"
    written = [json.loads(each.body)["v"] for each in scene.shelf.events[STREAM]]
    assert written == [version] * (before.seq + 1) + [VERSION] * (len(written) - before.seq - 1)
    found = orders.find_run(scene.store(), run.id)
    assert replay(scene.story, orders.plan_of(scene.store(), found)).mismatches == ()
