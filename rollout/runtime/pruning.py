"""Forgetting the oldest runs of a journal so that the rest can be verified as before."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby

from rollout.domain.errors import Locked
from rollout.domain.events import Pruned
from rollout.domain.run import Run
from rollout.ports.store import Record, Store
from rollout.runtime.chain import chained, start_of
from rollout.runtime.journal import Journal, read_entry

_ORDERED = b'"is":"Intended"'


@dataclass(frozen=True, slots=True)
class Prunable:
    """The oldest runs of a stream.

    Args:
        stream: Whose.
        runs: Which, oldest first.
        entries: How many entries they have.
        below: Where the rest begins.
        digest: What the entry there names as the one before it.
        before: All of them ended before that, Unix seconds.
    """

    stream: str
    runs: tuple[Run, ...]
    entries: int
    below: int
    digest: str
    before: float


def prunable(store: Store, stream: str, before: float) -> Prunable | None:
    """What may be forgotten of a stream: its oldest runs, as far as they ended before a time.

    The newest run stays, and so does the newest one that ordered something of the endpoint: what
    the endpoint says of its journal must be found there.

    Args:
        store: Where it is kept.
        stream: The endpoint's key.
        before: Unix seconds.

    Raises:
        NewerJournal: a newer version wrote it.
    """
    found = tuple(chained(store.read(stream), stream))
    if found:
        read_entry(found[-1])  # of no newer version: nothing could be appended behind it
    runs = [tuple(records) for _, records in groupby(found, key=lambda each: each.run)]
    old = 0
    for records in runs[: _kept_from(runs)]:
        last = read_entry(records[-1])
        if not last.state.final or last.at >= before:
            break
        old += 1
    if not old:
        return None
    ended = tuple(read_entry(records[-1]).state for records in runs[:old])
    first = read_entry(runs[old][0])
    return Prunable(stream, ended, first.seq - found[0].seq, first.seq, first.previous, before)


def prune(store: Store, found: Prunable, by: str) -> None:
    """Write down that the runs are forgotten, then forget them.

    A person may have been asked since they were found, so the journal is looked at once more: what
    another ``prune`` has forgotten meanwhile is not written down again.

    Raises:
        Locked: they may not be forgotten any more.
    """

    def fits(_: Run) -> None:
        begin, _digest = start_of(store.read(found.stream))
        if begin >= found.below:
            raise _Forgotten
        newest = prunable(store, found.stream, found.before)
        if newest is None or newest.below < found.below:
            raise Locked(
                f"The journal of {found.stream} has changed meanwhile.",
                do="Look again: rollout state prune --older-than D --dry-run",
            )

    with suppress(_Forgotten):
        Journal(store, found.stream, by).order(Pruned(found.below, found.digest), fits)
    store.drop(found.stream, found.below)


class _Forgotten(Exception):
    """Another ``prune`` has forgotten as much already."""


def finish(store: Store, stream: str) -> bool:
    """Forget what an interrupted ``prune`` left.

    Returns:
        Whether there was something.

    Raises:
        StoreError: the stream's entries do not follow each other.
    """
    records = store.read(stream)
    begin, _ = start_of(records)
    if not records or records[0].seq >= begin:
        return False
    tuple(chained(records, stream))
    store.drop(stream, begin)
    return True


def _kept_from(runs: Sequence[Sequence[Record]]) -> int:
    """The place of the oldest run that stays in any case."""
    for place in range(len(runs) - 1, -1, -1):
        if any(_ORDERED in each.body for each in runs[place]):
            return place
    return max(0, len(runs) - 1)
