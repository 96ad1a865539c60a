"""Many rollouts' error counts side by side, second by second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from benchmarks.detection import kinds
from benchmarks.detection.cells import ERRORS, Cell
from benchmarks.detection.conditions import Floats
from benchmarks.detection.kinds import Candidate, Kind
from benchmarks.detection.traffic import counted


class Second(NamedTuple):
    """One second of the rollouts that still run: float[rollouts] each."""

    errors: Floats
    requests: Floats
    base_errors: Floats
    base_requests: Floats

    @property
    def share(self) -> Floats:
        """The candidate's part of the requests; 0 where an arm had none, which says nothing."""
        both = (self.requests > 0) & (self.base_requests > 0)
        total = np.maximum(1.0, self.requests + self.base_requests)
        return np.where(both, self.requests / total, 0.0)


@dataclass(frozen=True, slots=True)
class Batch:
    """The rollouts of one case.

    Args:
        name: As the table has it.
        counts: int32[4, rollouts, seconds], in the order of `Second`.
    """

    name: str
    counts: np.ndarray

    @property
    def rollouts(self) -> int:
        """How many."""
        return self.counts.shape[1]

    @property
    def seconds(self) -> int:
        """How long each of them is."""
        return self.counts.shape[2]

    def at(self, second: int, live: np.ndarray) -> Second:
        """What the live ones did in a second."""
        return Second(*self.counts[:, live, second].astype(float))

    def requests(self, seconds: Floats) -> Floats:
        """Candidate requests up to each rollout's second, the last one where there is none."""
        ends = np.minimum(seconds, self.seconds).astype(int) - 1
        return np.cumsum(self.counts[1], axis=1)[np.arange(self.rollouts), ends]


def coarser(fine: Batch, seconds: int) -> Batch:
    """The same rollouts in longer intervals; times are then in intervals."""
    whole = fine.counts[:, :, : fine.seconds // seconds * seconds]
    counts = whole.reshape(4, fine.rollouts, -1, seconds).sum(axis=3)
    return Batch(f"{fine.name}, every {seconds} s", counts)


def batch(kind: Kind, candidate: Candidate, seconds: int, trials: int, seed: int) -> Batch:
    """Rollouts of the benchmark's own traffic at 50 requests/s."""
    cell = Cell(ERRORS, kind, 50.0, candidate)
    counts = np.empty((4, trials, seconds), dtype=np.int32)
    for trial in range(trials):
        traffic = counted(cell.stream(seed, trial), kind, cell.rps, candidate)
        ours, theirs = traffic.candidate, traffic.baseline
        rows = (ours.errors, ours.requests, theirs.errors, theirs.requests)
        counts[:, trial] = [row[:seconds] for row in rows]
    return Batch(f"{candidate.name}, {kind.name}", counts)


def bad(trials: int, seed: int) -> list[Batch]:
    """Candidates to be caught."""
    return [
        batch(kinds.CLEAN, kinds.TO_1, 3600, trials, seed),
        batch(kinds.CLEAN, kinds.TO_2, 1200, trials, seed),
        batch(kinds.CLEAN, kinds.TO_5, 600, trials, seed),
        batch(kinds.ALL, kinds.TO_2, 1800, trials, seed),
        batch(kinds.ALL, kinds.TO_5, 900, trials, seed),
    ]


def healthy(trials: int, seed: int) -> list[Batch]:
    """Candidates to be left alone, and passed."""
    return [batch(kind, kinds.HEALTHY, 3600, trials, seed) for kind in (kinds.CLEAN, kinds.ALL)]
