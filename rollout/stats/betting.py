"""Means of a bounded metric (a score, a utilisation): one or two arms, by betting.

Values are scaled to 0..1. A bettor stakes the share ``lam`` of a wealth of 1 on each value and ends
an interval with the product of ``1 + lam (x - m)``; the wealth is the evidence. Bets that are large
pay where values scatter little, so a mixture over bets needs neither a variance nor a shape.

**One arm.** Null hypothesis: the mean is at most ``m``. Each factor is positive for
``lam < 1 / m`` and its expectation ``1 + lam (mu - m)`` at most 1.

**Two arms.** Null hypothesis: ``mu_c <= ratio * mu_b + points``, where both means may differ from
interval to interval in any way. For a centre ``m`` that is known before the interval, here the
baseline's recent mean, ``c = ratio m + points`` and ``kappa = ratio n_c / n_b``, the candidate's
values contribute ``1 + lam (x - c)`` and the baseline's ``1 - lam kappa (x - m)``. The expectation
of the product over the interval's independent values is at most
``exp(lam n_c (mu_c - c) - lam kappa n_b (mu_b - m)) = exp(lam n_c (mu_c - ratio mu_b - points))``
and so at most 1, *whatever the centre is*: a wrong one costs evidence, ``lam**2 (mu_b - m)**2 / 2``
a value, never validity. Only the average of each arm's means within the interval matters. All
factors stay positive for ``lam < min(1 / c, 1 / (kappa (1 - m)))``; bets are shares of that bound.
The mirrored bets test "at least".

**Journal.** An interval is kept as a sparse histogram on ``STEPS + 1`` equidistant points: a value
between two points is split over both, in proportion to its nearness. That keeps its mean, and since
``log(1 + lam (x - m))`` is concave in ``x``, the split value earns at most what the value does:
every bet, on either side, on any null, may be computed from the histogram. What is lost is
``(lam / STEPS)**2 / 8`` a value at most. Weights are whole, so histograms add exactly.

Source: I. Waudby-Smith, A. Ramdas, Estimating means of bounded random variables by betting, Journal
of the Royal Statistical Society B 86 (2024) 1-27; the two-arm product and the split are own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from rollout.stats.grid import Grid

STEPS = 128
UNIT = 1 << 20  # weight of one value; splits are exact to 1 part in STEPS * UNIT of the range
_MEMORY = 2000.0  # requests of the baseline that the centre remembers
_EDGE = 1e-3  # a centre at 0 or 1 would allow any bet
_BETS = tuple(0.002 * (0.95 / 0.002) ** (at / 15) for at in range(16))
_LOG_WEIGHTS = (-math.log(len(_BETS)),) * len(_BETS)

# ``excess`` is the share of the largest bet; its sign is the side.
FAIL = Grid(_BETS, _LOG_WEIGHTS)
PASS = Grid(tuple(-bet for bet in _BETS), _LOG_WEIGHTS)

Values = Mapping[int, int]  # point 0..STEPS -> weight, ``UNIT`` a value


class Centre(NamedTuple):
    """The baseline's recent mean: a number of requests and the sum of their scaled values."""

    requests: float
    total: float

    def mean(self) -> float:
        """The mean, 0..1 without the ends."""
        return min(max(self.total / self.requests, _EDGE), 1.0 - _EDGE)


UNKNOWN = Centre(1.0, 0.5)  # before any data: one request in the middle


def tally(observed: Iterable[float], low: float, high: float) -> dict[int, int]:
    """The histogram of an interval's values.

    Args:
        observed: Values of one arm.
        low: Least possible value.
        high: Greatest possible value.

    Raises:
        ValueError: A value is not within low..high, or is not a number: the bounds are a promise
            that the proof needs.

    >>> tally([0.0, 1.0, 1.0], 0.0, 1.0) == {0: UNIT, STEPS: 2 * UNIT}
    True
    """
    if not low < high:
        raise ValueError(f"low {low} is not below high {high}")
    found: dict[int, int] = {}
    for value in observed:
        if not low <= value <= high:
            raise ValueError(f"value {value} is not within {low}..{high}")
        place = (value - low) / (high - low) * STEPS
        point = min(int(place), STEPS - 1)
        upper = round((place - point) * UNIT)
        for at, weight in ((point, UNIT - upper), (point + 1, upper)):
            if weight:
                found[at] = found.get(at, 0) + weight
    return found


def flipped(values: Values) -> dict[int, int]:
    """The histogram upside down, for metrics of which more is better.

    Its values are the negative ones: their `allowance` has ``-high`` and ``-low`` for bounds.

    >>> flipped({0: UNIT}) == {STEPS: UNIT}
    True
    """
    return {STEPS - at: weight for at, weight in values.items()}


def allowance(absolute: float, ratio: float, low: float, high: float) -> float:
    """What ``mean <= ratio * baseline + absolute`` adds on the scale 0..1.

    Args:
        absolute: In the metric's unit.
        ratio: Factor on the baseline's mean.
        low: Least possible value.
        high: Greatest possible value.

    >>> allowance(5.0, 1.0, 0.0, 100.0)
    0.05
    """
    return (absolute + (ratio - 1.0) * low) / (high - low)


def learn(centre: Centre, baseline: Values) -> Centre:
    """The centre for the next interval.

    Args:
        centre: The one that this interval was judged by.
        baseline: The interval's values.

    >>> learn(UNKNOWN, {STEPS: 99 * UNIT}).mean()
    0.995
    """
    kept = min(1.0, _MEMORY / centre.requests)
    total = sum(at * weight for at, weight in baseline.items()) / (STEPS * UNIT)
    return Centre(centre.requests * kept + _number(baseline), centre.total * kept + total)


def steps(
    grid: Grid,
    candidate: Values,
    baseline: Values,
    centre: Centre,
    *,
    ratio: float = 1.0,
    points: float = 0.0,
) -> tuple[float, ...] | None:
    """What one interval adds to the log wealth of each bet.

    Args:
        grid: ``FAIL`` of this module tests "mean <= ratio * baseline + points", ``PASS`` ">=".
        candidate: The candidate's values in this interval.
        baseline: The baseline's, under the same conditions.
        centre: From the baseline *before* this interval.
        ratio: Factor on the baseline's mean, above 0.
        points: Added to it, on the scale 0..1; see `allowance`.

    Returns:
        float[len(grid.excess)]; None where an arm had no value, which says nothing.

    >>> good, bad = {0: 900 * UNIT}, {0: 80 * UNIT, STEPS: 20 * UNIT}
    >>> max(steps(FAIL, bad, good, UNKNOWN)) > 4
    True
    """
    number, base_number = _number(candidate), _number(baseline)
    if number <= 0 or base_number <= 0:
        return None
    middle = centre.mean()
    target, kappa = ratio * middle + points, ratio * number / base_number
    if grid.excess[0] > 0:
        most = min(1.0 / max(target, _EDGE), 1.0 / (kappa * (1.0 - middle)))
    else:
        most = min(1.0 / max(1.0 - target, _EDGE), 1.0 / (kappa * middle))
    return tuple(
        _earned(candidate, share * most, target) + _earned(baseline, -share * most * kappa, middle)
        for share in grid.excess
    )


def objective_steps(grid: Grid, values: Values, objective: float) -> tuple[float, ...] | None:
    """What one interval of one arm adds to the log wealth of each bet.

    Args:
        grid: ``FAIL`` tests "the mean is at most the objective", ``PASS`` "at least".
        values: The interval's values.
        objective: On the scale 0..1; moved inwards by ``1e-3`` in the bound of the bets only.

    Returns:
        float[len(grid.excess)]; None without a value.

    >>> max(objective_steps(PASS, {0: 100 * UNIT}, 0.1)) > 3
    True
    """
    if _number(values) <= 0:
        return None
    room = objective if grid.excess[0] > 0 else 1.0 - objective
    most = 1.0 / max(room, _EDGE)
    return tuple(_earned(values, share * most, objective) for share in grid.excess)


def _number(values: Values) -> float:
    return sum(values.values()) / UNIT


def _earned(values: Values, bet: float, middle: float) -> float:
    """Log wealth of one bet."""
    return math.fsum(
        weight / UNIT * math.log1p(bet * (at / STEPS - middle)) for at, weight in values.items()
    )
