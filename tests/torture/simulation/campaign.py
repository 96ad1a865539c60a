"""Many stories at once, by seed, on all processors; and for one that is wrong, what it needs."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field

from tests.torture.row import Row
from tests.torture.simulation.story import Outcome, Story
from tests.torture.simulation.troubles import KINDS, Troubles

BATCH = 50  # seeds that a process gets at once
TOLD = 5  # seeds that a row names


@dataclass
class Tally:
    """What came of all stories so far."""

    runs: int = 0
    takeovers: int = 0
    events: int = 0
    seconds: float = 0.0
    phases: dict[str, int] = field(default_factory=dict)
    unclean: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.runs += 1
        self.takeovers += outcome.takeovers
        self.events += outcome.events
        self.seconds += outcome.seconds
        self.phases[outcome.phase] = self.phases.get(outcome.phase, 0) + 1
        if not outcome.clean:
            self.unclean.append(outcome)

    def row(self, name: str) -> Row:
        """As a line of the table; the seeds of what went wrong are in its note."""
        bad = sorted(self.unclean, key=lambda each: each.seed)
        note = f"{self.takeovers:,} take-overs, {self.events:,} events"
        if bad:
            seeds = " ".join(str(each.seed) for each in bad[:TOLD])
            note = f"seeds {seeds}: {(*bad[0].wrong, 'stuck or doubled')[0]}"
        return Row(
            name,
            self.runs,
            wrong=sum(bool(each.wrong) for each in bad),
            doubled=sum(each.doubled for each in bad),
            stuck=sum(each.stuck for each in bad),
            note=note,
        )


def told(seed: int, without: frozenset[str] = frozenset()) -> Outcome:
    """The story of a seed."""
    return Story(seed, Troubles(seed, without)).tell()


def campaign(
    first: int,
    count: int,
    *,
    processes: int | None = None,
    so_far: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Tell ``count`` stories, beginning with the seed ``first``.

    Args:
        first: A seed.
        count: How many.
        processes: How many at once; None: one a processor; 1: in this very process.
        so_far: Told of the tally now and then.
    """
    tally = Tally()
    for outcome in _outcomes(first, count, processes or os.cpu_count() or 1):
        tally.add(outcome)
        if tally.runs % BATCH == 0:
            so_far(tally)
    return tally


def _outcomes(first: int, count: int, processes: int) -> Iterator[Outcome]:
    if processes == 1:
        yield from map(told, range(first, first + count))
        return
    spawning = multiprocessing.get_context("spawn")  # no threads are inherited
    starts = range(first, first + count, BATCH)
    with ProcessPoolExecutor(processes, mp_context=spawning) as pool:
        batches = [pool.submit(_batch, at, min(BATCH, first + count - at)) for at in starts]
        try:
            for done in as_completed(batches):
                yield from done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _batch(first: int, count: int) -> list[Outcome]:
    return [told(seed) for seed in range(first, first + count)]


def shortest(outcome: Outcome) -> tuple[frozenset[str], Outcome]:
    """Which kinds of trouble a bad story needs: left out one after the other while it stays bad.

    Returns:
        The kinds that are left, and the story with them alone.
    """
    without: frozenset[str] = frozenset()
    for kind in KINDS:
        tried = told(outcome.seed, without | {kind})
        if _symptom(tried) == _symptom(outcome):
            without, outcome = without | {kind}, tried
    return frozenset(KINDS) - without, outcome


def _symptom(outcome: Outcome) -> tuple[object, ...]:
    return outcome.wrong[:1], bool(outcome.doubled), outcome.stuck
