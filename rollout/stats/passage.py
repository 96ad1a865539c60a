"""First passage: the probability that a test's evidence reaches a bound by a time.

A test's log likelihood ratios move with the candidate's events, with the baseline's, and steadily
with time (`Walk`); its evidence is their mixture. `curve` looks at it once an interval, with
constant rates and Poisson traffic. The looks are thinned to a few dozen; a bound moved by the
difference of the mean overshoots stands for those left out. There are two ways:

- Few events of the candidate, as at low traffic or low rates: a table of both arms' event counts,
  moved from look to look by Poisson's law, loses at every look what has reached the bound. Exact
  but for the thinning, and for lumps of the baseline's events where these are many.
- Many: the two counts are projected on the direction in which the evidence rises where it is most
  likely to reach the bound, and the mixture's bound along it is a curve in time. A single Poisson
  process, shifted and scaled to the projection's variance and skewness, is moved in the same way;
  where it had too many steps, it takes larger ones with the same variance.

Source: D. Siegmund, Sequential Analysis, 1985, chapter X, for overshoot: the mean excess of a walk
with variance ``v`` a look and jumps ``k`` over a bound is about ``k/6 + sqrt((k/6)**2 + 0.34 v)``,
which is ``0.583 sqrt(v)`` for small jumps and ``k/3`` for rare ones; M. Broadie, P. Glasserman,
S. Kou, Mathematical Finance 7 (1997) 325-349, for moving the bound.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rollout.stats import grid as grids

Curve = tuple[tuple[float, float], ...]
"""Seconds, and the probability that the bound was reached by then."""

_FEW = 12.0  # candidate events up to which the arms' counts are kept apart
_LOOKS, _LOOKS_OF_FEW = 48, 20
_STEPS = 150.0  # of the scaled process
_TINY = 1e-8
_FAR = 5.0  # standard deviations


@dataclass(frozen=True, slots=True)
class Walk:
    """A test's log likelihood ratios as a process; each tuple has one entry for an alternative.

    Args:
        log_weights: Of the mixture.
        hit, other: Added by an event of the candidate, and of the baseline.
        still: Added per second.
        hits, others: Events per second.
        spreads: Binomial variance over Poisson's of the two.
        interval: Seconds between two looks.
    """

    log_weights: tuple[float, ...]
    hit: tuple[float, ...]
    other: tuple[float, ...]
    still: tuple[float, ...]
    hits: float
    others: float
    spreads: tuple[float, float]
    interval: float


def mean_at(walk: Walk, look: float) -> list[float]:
    """The mean log likelihood ratios at a look, a number of intervals."""
    seconds = look * walk.interval
    return [
        seconds * (walk.hits * hit + walk.others * other + still)
        for hit, other, still in zip(walk.hit, walk.other, walk.still, strict=True)
    ]


def meeting(walk: Walk, bound: float, most: float) -> float:
    """Seconds, to a hundredth, until the mean path reaches the bound; ``most`` where it is later."""
    low, high = 0.0, most
    while high - low > 1e-2 * high:
        middle = (low + high) / 2.0
        values = map(sum, zip(walk.log_weights, mean_at(walk, middle / walk.interval), strict=True))
        low, high = (low, middle) if grids.log_sum(list(values)) >= bound else (middle, high)
    return high


def curve(walk: Walk, bound: float, seconds: float, since: float = 0.0) -> Curve:
    """The probability that the evidence is at the bound at some look so far.

    Args:
        walk: The test.
        bound: Log evidence to be reached, above 0.
        seconds: Up to when.
        since: Looks before it do not count, as those before a gate's minima.

    Returns:
        At some of the looks, the last one included; empty where there is none.
    """
    first = max(1, math.ceil(since / walk.interval - _TINY))
    last = math.floor(seconds / walk.interval + _TINY)
    if last < first:
        return ()
    end = max(first, _end(walk, bound, last))
    if walk.hits * end * walk.interval <= _FEW:
        found = _by_counts(walk, bound, _looks(first, end, _LOOKS_OF_FEW))
    else:
        found = _by_line(walk, bound, _looks(first, end, _LOOKS))
    if end < last:
        found.append((last * walk.interval, found[-1][1]))
    most = math.exp(-bound) if _is_null(walk) else 1.0
    return tuple((at, min(reached, most)) for at, reached in found)


def _is_null(walk: Walk) -> bool:
    """Whether no likelihood ratio grows in expectation; then Ville's inequality holds."""
    growth = (
        walk.hits * math.expm1(hit) + walk.others * math.expm1(other) + still
        for hit, other, still in zip(walk.hit, walk.other, walk.still, strict=True)
    )
    return max(growth) <= _TINY * (walk.hits + walk.others)


def _end(walk: Walk, bound: float, last: int) -> int:
    """A look after which the bound is as good as surely reached, or never any more."""
    while last > 1 and _is_settled(walk, bound, last // 2):
        last //= 2
    return last


def _is_settled(walk: Walk, bound: float, look: int) -> bool:
    """Whether the evidence is far above the bound, or far below and falling, at a look."""
    seconds, least = look * walk.interval, bound - math.log(len(walk.hit))
    hopeless = True
    for weight, mean, hit, other in zip(
        walk.log_weights, mean_at(walk, look), walk.hit, walk.other, strict=True
    ):
        spread = math.sqrt((walk.hits * hit**2 + walk.others * other**2) * seconds)
        far = _FAR * spread + abs(hit)
        if weight + mean - far >= bound:
            return True
        hopeless = hopeless and mean < 0.0 and weight + mean + far < least
    return hopeless


def _looks(first: int, last: int, most: int) -> list[int]:
    """At most so many looks, one interval apart where they begin and ever further later on."""
    span = last - first
    if span < most:
        return list(range(first, last + 1))
    bend = math.log(span) / math.log(most - 1)
    return sorted({first + round(span * (at / (most - 1)) ** bend) for at in range(most)})


def poisson(mean: float) -> list[float]:
    """Probabilities of 0, 1, ... up to where they vanish; the mean at most a few hundred."""
    found = [math.exp(-mean)]
    while len(found) < mean or found[-1] > _TINY:
        found.append(found[-1] * mean / len(found))
    return found


def _convolved(values: Sequence[float], kernel: Sequence[float]) -> list[float]:
    found = [0.0] * (len(values) + len(kernel) - 1)
    for at, value in enumerate(values):
        if value > _TINY:
            for more, part in enumerate(kernel, at):
                found[more] += value * part
    return found


def _by_counts(walk: Walk, bound: float, looks: Sequence[int]) -> list[tuple[float, float]]:
    """The curve by a table of counts: a row for each number of lumps of the baseline's events."""
    variance = walk.others * walk.spreads[1]
    lump = max(1.0, math.sqrt(variance * looks[-1] * walk.interval / _FEW))
    pace = variance / lump**2
    line = _aimed(walk, bound, looks[-1]) if variance or walk.hits else None
    table: list[list[float]] = [[1.0]]
    found, reached, before = [], 0.0, 0
    for look in looks:
        seconds, step = look * walk.interval, (look - before) * walk.interval
        moved = bound + _thinned(line, walk.interval, step if before else walk.interval)
        hits, lumps = poisson(walk.hits * step), poisson(pace * step)
        rows = [_convolved(row, hits) for row in table]
        columns = [_convolved(column, lumps) for column in zip(*rows, strict=True)]
        table = [list(row) for row in zip(*columns, strict=True)]
        others = [seconds * walk.others + lump * (at - pace * seconds) for at in range(len(table))]
        reached += _taken(walk, moved, seconds, table, others)
        found.append((seconds, reached))
        before = look
    return found


def _taken(
    walk: Walk, bound: float, seconds: float, table: list[list[float]], others: Sequence[float]
) -> float:
    """Removes what has reached the bound from the table and returns its probability.

    The bound's edge moves one way only from row to row: with more events of the baseline, the
    candidate is allowed as many as before or more.
    """
    failing = walk.hit[0] > 0.0
    edge, reached = 0, 0.0
    for row, count in zip(table, others, strict=True):
        while edge < len(row) and _is_over(walk, bound, seconds, edge, count) != failing:
            edge += 1
        over = slice(edge, None) if failing else slice(0, edge)
        reached += math.fsum(row[over])
        row[over] = [0.0] * len(row[over])
    return reached


def _is_over(walk: Walk, bound: float, seconds: float, hits: int, others: float) -> bool:
    values = [
        weight + seconds * still + hits * hit + others * other
        for weight, still, hit, other in zip(
            walk.log_weights, walk.still, walk.hit, walk.other, strict=True
        )
    ]
    return grids.log_sum(values) >= bound


def _by_line(walk: Walk, bound: float, looks: Sequence[int]) -> list[tuple[float, float]]:
    """The curve by one scaled Poisson process along the direction of rising evidence."""
    line = _aimed(walk, bound, looks[-1])
    least = math.sqrt(line.variance * looks[-1] * walk.interval / _STEPS)
    jump = math.copysign(max(abs(line.jump), least), line.jump)
    pace = line.variance / jump**2
    states, found, reached, before = [1.0], [], 0.0, 0
    for look in looks:
        seconds, step = look * walk.interval, (look - before) * walk.interval
        states = _convolved(states, poisson(pace * step))
        level = line.level(mean_at(walk, look), bound)
        # Looks before the first one do not count, so none is left out there.
        gap = step if before else walk.interval
        level += _overshoot(line, walk.interval, line.jump) - _overshoot(line, gap, jump)
        for at, value in enumerate(states):
            if jump * (at - pace * seconds) >= level:
                reached += value
                states[at] = 0.0
        found.append((seconds, reached))
        before = look
    return found


def _thinned(line: _Line | None, interval: float, step: float) -> float:
    """How far the bound is moved for the looks left out of a step, in evidence."""
    if line is None:
        return 0.0
    return _overshoot(line, interval, line.jump) - _overshoot(line, step, line.jump)


def _overshoot(line: _Line, seconds: float, jump: float) -> float:
    return jump / 6.0 + math.sqrt((jump / 6.0) ** 2 + 0.34 * line.variance * seconds)


@dataclass(frozen=True, slots=True)
class _Line:
    """A direction, and what is seen along it.

    Args:
        log_weights: Of the mixture.
        slopes: How fast each log likelihood ratio grows.
        variance: Per second.
        jump: Third over second cumulant: the size of the steps of a like Poisson process.
    """

    log_weights: tuple[float, ...]
    slopes: tuple[float, ...]
    variance: float
    jump: float

    def level(self, mean: Sequence[float], bound: float) -> float:
        """How far along the line the evidence is at the bound, by Newton's rule."""
        at = 0.0
        for _ in range(60):
            values, parts = self.mixed(mean, at)
            slope = math.fsum(p * s for p, s in zip(parts, self.slopes, strict=True))
            step = (values - bound) / slope
            at -= step
            if abs(step) <= 1e-6 * (1.0 + abs(at)):
                break
        return at

    def mixed(self, mean: Sequence[float], at: float) -> tuple[float, list[float]]:
        """Log evidence at a place, and each alternative's part of it."""
        values = [
            weight + middle + slope * at
            for weight, middle, slope in zip(self.log_weights, mean, self.slopes, strict=True)
        ]
        total = grids.log_sum(values)
        return total, [math.exp(value - total) for value in values]


def _aimed(walk: Walk, bound: float, last: int) -> _Line:
    """The line towards the place where the bound is most likely reached.

    That is where the mean path reaches it, or at the last look. The direction there depends on the
    alternatives that have most of the evidence, and these on the direction: four rounds settle it.
    """
    mean = mean_at(walk, math.ceil(meeting(walk, bound, last * walk.interval) / walk.interval))
    values = [weight + value for weight, value in zip(walk.log_weights, mean, strict=True)]
    # An alternative that is the null itself goes nowhere.
    telling = [at for at, step in enumerate(zip(walk.hit, walk.other, strict=True)) if any(step)]
    best = max(telling, key=values.__getitem__)
    line = _line(walk, walk.hit[best], walk.other[best])
    for _ in range(4):
        _, parts = line.mixed(mean, line.level(mean, bound))
        hit, other = (
            math.fsum(part * value for part, value in zip(parts, steps, strict=True))
            for steps in (walk.hit, walk.other)
        )
        line = _line(walk, hit, other)
    return line


def _line(walk: Walk, hit: float, other: float) -> _Line:
    hits, others = walk.hits * walk.spreads[0], walk.others * walk.spreads[1]
    variance = hits * hit**2 + others * other**2
    slopes = tuple(
        (hits * hit * one + others * other * two) / variance
        for one, two in zip(walk.hit, walk.other, strict=True)
    )
    return _Line(walk.log_weights, slopes, variance, (hits * hit**3 + others * other**3) / variance)
