"""Confidence sequences for reports: how bad, with bounds that hold however often one looks.

Both invert a Robbins mixture: the set of values whose likelihood is not smaller than ``level``
times the mixture's. Under the true value the mixture over its likelihood is a martingale that
starts at 1, so it leaves the set with a probability of at most ``level``, ever.

Source: H. Robbins, Statistical methods related to the law of the iterated logarithm, Annals of
Mathematical Statistics 41 (1970) 1397-1409.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rollout.stats import grid as grids
from rollout.stats.counts import Counts, clipped
from rollout.stats.grid import Grid

_PER_OCTAVE, _LOWEST, _OCTAVES = 6, -5, 15
_POINTS = _OCTAVES * _PER_OCTAVE + 1

_EXPONENTS = tuple(_LOWEST + at / _PER_OCTAVE for at in range(_POINTS))
_WEIGHTS = tuple(1.0 / (1.0 + abs(exponent)) for exponent in _EXPONENTS)

RATIOS = tuple(map(math.exp2, _EXPONENTS))
# More weight near 1: the bounds are tightest where arms are alike.
_GRID = Grid(
    excess=tuple(ratio - 1.0 for ratio in RATIOS),
    log_weights=tuple(math.log(weight / math.fsum(_WEIGHTS)) for weight in _WEIGHTS),
)


def start() -> tuple[float, ...]:
    """The log likelihood at every one of ``RATIOS`` before any data."""
    return grids.start(_GRID)


def steps(candidate: Counts, baseline: Counts) -> tuple[float, ...] | None:
    """What one interval adds to the log likelihood of each ratio, relative to a ratio of 1.

    Args:
        candidate: Events and requests of the candidate in this interval.
        baseline: Those of the baseline, under the same conditions.

    Returns:
        float[len(RATIOS)]; None where nothing is learned: an arm without requests, or no event.
    """
    events, served = clipped(candidate)
    base_events, base_served = clipped(baseline)
    if served == 0 or base_served == 0 or events + base_events == 0:
        return None
    total = served + base_served
    return grids.steps(
        _GRID, share=served / total, rest=base_served / total, hits=events, others=base_events
    )


def bounds(log_l: Sequence[float], level: float = 0.05) -> tuple[float, float]:
    """Confidence bounds of the candidate's event rate over the baseline's.

    Args:
        log_l: float[len(RATIOS)], from `start` and `steps`.
        level: Probability that the true ratio is ever outside.

    Returns:
        Lower and upper bound, erring outwards between the grid's points; 0 and infinity where
        the grid, 1/32 to 1024, ends first.

    Source: mixture inversion as above on the conditional binomial likelihood of `counts`.

    >>> bounds(start())
    (0.0, inf)
    """
    least = grids.log_e(_GRID, log_l) + math.log(level)
    inside = [at for at, value in enumerate(log_l) if value > least]
    low, high = inside[0], inside[-1]
    return (
        RATIOS[low] / _beyond(log_l, low, -1, least) if low > 0 else 0.0,
        RATIOS[high] * _beyond(log_l, high, 1, least) if high + 1 < _POINTS else math.inf,
    )


def _beyond(log_l: Sequence[float], at: int, step: int, least: float) -> float:
    """Factor from the last point inside to the bound.

    The log likelihood is concave in the logarithm of the ratio, so the line through the last two
    points inside lies above it further out and meets ``least`` later: it errs outwards.
    """
    inner = at - step
    fall = log_l[inner] - log_l[at] if 0 <= inner < _POINTS else 0.0
    part = (log_l[at] - least) / fall if fall > 0 else 1.0
    return math.exp2(min(1.0, part) / _PER_OCTAVE)


def rate_bounds(counts: Counts, level: float = 0.05) -> tuple[float, float]:
    """Confidence bounds of one arm's event rate; needs no state but the totals.

    Args:
        counts: All events and requests so far.
        level: Probability that the true rate is ever outside.

    Returns:
        Lower and upper bound, 0..1; (0, 1) without data.

    Source: Robbins' mixture with a uniform prior: the set of ``p`` with
    ``B(x + 1, n - x + 1) / (p**x (1 - p)**(n - x)) < 1 / level``.

    >>> low, high = rate_bounds(Counts(10, 1000))
    >>> 0.002 < low < 0.01 < high < 0.03
    True
    """
    events, requests = clipped(counts)
    others = requests - events
    if requests == 0:
        return 0.0, 1.0
    mixture = math.lgamma(events + 1) + math.lgamma(others + 1) - math.lgamma(requests + 2)
    least, peak = mixture + math.log(level), events / requests

    def inside(rate: float) -> bool:
        hit = events * math.log(rate) if events else 0.0
        return hit + (others * math.log1p(-rate) if others else 0.0) > least

    low = _boundary(inside, peak, 0.0) if events else 0.0
    high = _boundary(inside, peak, 1.0) if others else 1.0
    return low, high


def _boundary(inside: Callable[[float], bool], within: float, outside: float) -> float:
    """Where a set that holds ``within`` but not ``outside`` ends, by bisection."""
    for _ in range(60):
        middle = (within + outside) / 2
        if middle in (within, outside):
            break
        if inside(middle):
            within = middle
        else:
            outside = middle
    return outside
