"""Latency as counts: which requests were slower than an edge that the past has fixed.

A quantile of the baseline, taken from data *before* an interval, is a fixed edge for that interval;
"slower than the edge" is then an event like an error, and the tests of `counts` hold unchanged.
A relative tolerance is a shift of the edge: the candidate is counted above ``(1 + tolerance)``
times the baseline's edge. Against the null "no more of the candidate's requests lie above the
shifted edge than of the baseline's above the edge" it does not matter how exact the edge is.

A test at one quantile does not see the tail beyond it: a candidate whose slowest 3 % became five
times slower can pass at p95. The failing side therefore averages over several quantiles; who needs
a promise about the tail adds a check at p99.

A request that never got an answer is slower than every edge, else a crash would look fast.

Source: the rule "edges from the past only" makes the counts predictable; compare S. Howard,
A. Ramdas, Sequential estimation of quantiles, Bernoulli 28 (2022) 1704-1728, for the alternative.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rollout.stats import histogram as histograms
from rollout.stats.histogram import Histogram

FAIL_QUANTILES = (0.5, 0.9, 0.95, 0.99)
HALF_LIFE = 600.0  # seconds
NEEDED = 200  # baseline requests before an edge is drawn
UNIT = 100  # weight of one fresh request; whole numbers store short and add exactly
_STEP = 60.0  # seconds between two decays
_ROUND = 1e-9


@dataclass(frozen=True, slots=True)
class Reference:
    """What the baseline's latency was lately.

    Args:
        at: Up to when it has decayed, Unix seconds.
        seen: Requests learned, without decay.
        weights: ``UNIT`` for a fresh request, half of it after ``HALF_LIFE``.
    """

    at: float
    seen: int
    weights: Histogram


def learn(
    reference: Reference | None, buckets: Mapping[int, int], never: int, at: float
) -> Reference:
    """The reference with more requests of the baseline.

    Weights decay by the minute, and never below `NEEDED` requests in total: at low traffic an old
    edge is better than one drawn from a handful.

    Args:
        reference: What is known so far; None: nothing.
        buckets: Bucket number -> requests of the baseline.
        never: Bucket number of the requests without an answer.
        at: End of the time they cover, Unix seconds.
    """
    old = Reference(at, 0, histograms.EMPTY) if reference is None else _decayed(reference, at)
    weights = histograms.merged(old.weights, buckets, never, UNIT)
    return Reference(old.at, old.seen + sum(buckets.values()), weights)


def _decayed(reference: Reference, at: float) -> Reference:
    passed = math.floor((at - reference.at) / _STEP)
    total = histograms.total(reference.weights)
    if passed <= 0 or total == 0:
        return reference
    factor = min(1.0, max(0.5 ** (passed * _STEP / HALF_LIFE), NEEDED * UNIT / total))
    first, counts, lost = reference.weights
    kept = [math.floor(count * factor) for count in counts]
    filled = [at for at, count in enumerate(kept) if count] or [0]
    weights = Histogram(
        first + filled[0], kept[filled[0] : filled[-1] + 1], math.floor(lost * factor)
    )
    return Reference(reference.at + passed * _STEP, reference.seen, weights)


def edges(reference: Reference | None, quantiles: Sequence[float]) -> tuple[int, ...] | None:
    """The bucket above which about ``1 - quantile`` of the baseline lies, for each quantile.

    Args:
        reference: The baseline before the interval that will be judged.
        quantiles: Each 0..1.

    Returns:
        int[len(quantiles)], bucket numbers; None while too little is known.
    """
    if reference is None or reference.seen < NEEDED:
        return None
    found = (histograms.tail_edge(reference.weights, 1.0 - quantile) for quantile in quantiles)
    drawn = tuple(edge for edge in found if edge is not None)
    return drawn or None


def shift_at_least(factor: float, growth: float) -> int:
    """Buckets that multiply an edge by ``factor`` or more: the failing side's careful rounding.

    Args:
        factor: ``1 + tolerance``, at least 1.
        growth: Ratio of two neighbouring edges.

    >>> shift_at_least(1.10, 1.02)
    5
    """
    return max(0, math.ceil(math.log(factor) / math.log(growth) - _ROUND))


def shift_at_most(factor: float, growth: float) -> int:
    """Buckets that multiply an edge by ``factor`` or less: the passing side's careful rounding.

    >>> shift_at_most(1.20, 1.02)
    9
    """
    return max(0, math.floor(math.log(factor) / math.log(growth) + _ROUND))
