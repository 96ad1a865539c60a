"""The classical z-test of two proportions or two means, looked at every minute: what not to do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

from benchmarks.detection.outcome import Outcome

CRITICAL = 2.3263478740408408  # one-sided, 1 %


@dataclass(frozen=True, slots=True)
class Sums:
    """One deployment's numbers in a minute: their count, sum and sum of squares."""

    count: float
    total: float
    squares: float

    def __add__(self, other: Sums) -> Sums:
        """Both together."""
        return Sums(
            self.count + other.count, self.total + other.total, self.squares + other.squares
        )


def proportions(candidate: Sums, baseline: Sums) -> float:
    """Pooled z of two proportions (totals are events); 0 where there is nothing to compare.

    >>> round(proportions(Sums(100, 20, 20), Sums(100, 10, 10)), 3)
    1.98
    """
    if candidate.count == 0 or baseline.count == 0:
        return 0.0
    share = (candidate.total + baseline.total) / (candidate.count + baseline.count)
    variance = share * (1 - share) * (1 / candidate.count + 1 / baseline.count)
    difference = candidate.total / candidate.count - baseline.total / baseline.count
    return difference / math.sqrt(variance) if variance > 0 else 0.0


def means(candidate: Sums, baseline: Sums) -> float:
    """Welch's z of two means; 0 where there is nothing to compare.

    >>> means(Sums(4, 8, 20), Sums(4, 4, 8)) == 1 / math.sqrt(2 / 4)
    True
    """
    if candidate.count < 2 or baseline.count < 2:
        return 0.0
    variance = sum(
        max(0.0, each.squares / each.count - (each.total / each.count) ** 2) / each.count
        for each in (candidate, baseline)
    )
    difference = candidate.total / candidate.count - baseline.total / baseline.count
    return difference / math.sqrt(variance) if variance > 0 else 0.0


def peeking(scores: list[float]) -> Outcome:
    """Rolled back at the first minute whose score is significant, else promoted at the end.

    >>> peeking([0.0, 2.4, 0.0]), peeking([2.3, 0.0])
    (Outcome(rolled_back=120, promoted=None), Outcome(rolled_back=None, promoted=120))
    """
    for minute, score in enumerate(scores, 1):
        if score > CRITICAL:
            return Outcome(rolled_back=60 * minute)
    return Outcome(promoted=60 * len(scores))


def running(minutes: list[Sums]) -> list[Sums]:
    """The totals up to each minute."""
    return list(accumulate(minutes))
