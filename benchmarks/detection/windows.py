"""What a metrics store tells a peer: both deployments' values over a minute."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.traffic import FIRST, Counts, Served, Traffic
from rollout.domain.measure import edge

MINUTE = 60
MISSING = math.nan


@dataclass(frozen=True, slots=True)
class Metrics:
    """Cumulative counts of one deployment, for windows that end at any interval's end.

    Args:
        seconds: Length of an interval.
        requests, errors: int[intervals + 1], from a leading 0.
        latency: int[intervals + 1, buckets], or None.
        unread: Seconds from and to which nothing can be read.
    """

    seconds: int
    requests: Counts
    errors: Counts
    latency: Counts | None = None
    unread: tuple[float, float] = (math.inf, math.inf)

    def error_rate(self, until: float, minutes: int = 1) -> float:
        """Failed share of the window's requests; NaN: no request, or nothing to be read."""
        low, high = self._window(until, minutes)
        sent = self.requests[high] - self.requests[low]
        if sent == 0 or self._blind(until):
            return MISSING
        return float((self.errors[high] - self.errors[low]) / sent)

    def quantile(self, until: float, share: float) -> float:
        """Seconds within which this share of a minute's answers came; NaN: none, or unread."""
        if self.latency is None:
            raise ValueError("no latencies were simulated")
        low, high = self._window(until, 1)
        below = np.cumsum(self.latency[high] - self.latency[low])
        if below[-1] == 0 or self._blind(until):
            return MISSING
        return edge(FIRST + int(np.searchsorted(below, share * below[-1])))

    def _window(self, until: float, minutes: int) -> tuple[int, int]:
        high = int(until) // self.seconds
        return max(0, high - minutes * MINUTE // self.seconds), high

    def _blind(self, until: float) -> bool:
        return self.unread[0] < until <= self.unread[1]


def metrics(served: Served, seconds: int, unread: tuple[float, float] | None = None) -> Metrics:
    """The store's view of one deployment."""
    return Metrics(
        seconds,
        _summed(served.requests),
        _summed(served.errors),
        None if served.latency is None else _summed(served.latency),
        unread or (math.inf, math.inf),
    )


def _summed(counts: Counts) -> Counts:
    return np.concatenate([np.zeros_like(counts[:1]), np.cumsum(counts, axis=0)])


def minute_ends(traffic: Traffic) -> range:
    """The ends of the hour's minutes, seconds."""
    return range(MINUTE, len(traffic.candidate.requests) * traffic.seconds + 1, MINUTE)


def by_minute(counts: Counts, seconds: int) -> NDArray[np.int64]:
    """Sums of each minute along the first axis."""
    per = MINUTE // seconds
    return counts.reshape(len(counts) // per, per, *counts.shape[1:]).sum(axis=1)
