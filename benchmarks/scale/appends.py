"""Appends of the journal against the store's own raw limit, in turns, in one run."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from benchmarks.scale import crowd
from benchmarks.scale.raw import Write
from rollout.domain import events as e
from rollout.ports.store import Store
from rollout.runtime.journal import Journal

ROUNDS, EACH = 35, 20  # in short turns: what else the machine does then meets both alike


@dataclass(frozen=True)
class Speed:
    """Writes a second: of the bare driver, and of the journal above it; medians."""

    raw: float
    journal: float

    @property
    def ratio(self) -> float:
        """What the journal reaches of the limit."""
        return self.journal / self.raw


def race(store: Store, write: Write) -> Speed:
    """The same bytes by both, round after round."""
    crowd.begin(store, "racer")
    journal = Journal(store, "fake/racer", "benchmark")
    journal.refresh()
    journal.take()
    event = e.Left(store.now() + 60.0, "timer")
    journal.append(event)
    record = store.last("fake/racer")
    assert record is not None
    raw, ours = [], []
    for turn in range(ROUNDS):
        began = time.perf_counter()
        for number in range(EACH):
            write(turn * EACH + number, record.body)
        between = time.perf_counter()
        for _ in range(EACH):
            journal.append(event)
        raw.append(EACH / (between - began))
        ours.append(EACH / (time.perf_counter() - between))
    return Speed(statistics.median(raw), statistics.median(ours))
