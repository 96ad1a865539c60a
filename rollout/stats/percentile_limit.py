"""An objective on latency where only percentiles are published: one arm against a limit in seconds.

Null hypothesis: within each minute a request takes longer than the limit with a probability of at
most ``1 - q`` (passing side: at least). Two e-processes look at it; the evidence is their mean.

**Ranks.** A published percentile ``p`` above the limit says that at least ``floor((1 - p) n)`` of
the minute's ``n`` requests were slower than it, one that is not says that at most
``ceil((1 - p) n)`` were, under every usual definition of a sample percentile. The likelihood ratio
of `objective` rises with that number (passing side: falls), so the bounds only lose evidence. Ranks
speak where a *lower* percentile than ``q`` is above the limit, or a higher one is below it.

**Signs.** That the minute's own percentile ``q`` is above the limit needs ``k = floor((1 - q) n)``
slow requests, which the null makes happen with a probability of at most
``P(Binomial(n, 1 - q) >= k)``, some 0.5 to 0.6; that it is not above needs at most
``ceil((1 - q) n)``. Each minute is one toss of a coin whose chance is known, worth a factor below
2: where ranks say nothing, a clear case takes some 15 minutes of 300 requests to pass at 5 %, and
as many to fail at 1 %.

Both assume that a minute's requests are independent of each other; nothing is assumed from one
minute to the next.

Source: own, on `objective`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rollout.stats import grid as grids, objective
from rollout.stats.counts import Counts
from rollout.stats.grid import Grid
from rollout.stats.percentiles import LEAST_TAIL, Minute, seconds_of, tail_of, up

_MILLION = 10**6
_THIRDS = (math.log(1 / 3),) * 3
# A coin that always falls on one side is what is looked for, so little is bet on small factors.
_COIN_FAIL = Grid((1.0, 5.0, 39.0), _THIRDS)
_COIN_PASS = Grid((-0.5, -5 / 6, -39 / 40), _THIRDS)
_ENDS = 1e-18  # a term so small beside the sum ends it
_CAREFUL = 1e-9  # relative; more than the sum of logarithms is off


@dataclass(frozen=True, slots=True)
class Limit:
    """What is tested; fixed before the first minute.

    Args:
        grid: ``grids.FAIL`` tests "at most ``1 - quantile`` are slower", ``grids.PASS`` "at least".
        quantile: 0..1.
        seconds: What is not slow.
    """

    grid: Grid
    quantile: float
    seconds: float


class State(NamedTuple):
    """Log likelihood ratios of both processes; those of the coin are few."""

    rank: Sequence[float]
    sign: Sequence[float]


def start(limit: Limit) -> State:
    """The state before any data."""
    return State(grids.start(limit.grid), grids.start(_coin(limit)))


def update(limit: Limit, state: State, minute: Minute) -> State:
    """The state after one more minute; one without a request count says nothing.

    >>> slow = Limit(grids.FAIL, 0.99, 0.8)
    >>> state = update(slow, start(slow), Minute({0.5: 0.9, 0.99: 2.0}, 300))
    >>> log_e(slow, state) > math.log(100)  # half of the requests are slower
    True
    """
    ranks, toss = rank_counts(limit, minute), _toss(limit, minute)
    rank, sign = tuple(state.rank), tuple(state.sign)
    if ranks is not None:
        rank = objective.update(rank, limit.grid, ranks, 1.0 - limit.quantile)
    if toss is not None:
        event, chance = toss
        sign = objective.update(sign, _coin(limit), Counts(int(event), 1), chance)
    return State(rank, sign)


def log_e(limit: Limit, state: State) -> float:
    """Logarithm of the evidence: of the mean of ranks and signs."""
    parts = [grids.log_e(limit.grid, state.rank), grids.log_e(_coin(limit), state.sign)]
    return grids.log_sum(parts) - math.log(2.0)


def above(minute: Minute, quantile: float, seconds: float) -> bool | None:
    """Whether the minute's percentile is above the limit; None: it was not published."""
    value = seconds_of(minute, quantile)
    return None if value is None else value > seconds


def rank_counts(limit: Limit, minute: Minute) -> Counts | None:
    """Slow requests of the minute, bounded from below to fail and from above to pass.

    >>> minute = Minute({0.5: 0.1, 0.9: 0.7, 0.95: 0.9, 0.99: 1.5}, 200)
    >>> rank_counts(Limit(grids.FAIL, 0.99, 0.8), minute)
    Counts(events=10, requests=200)
    >>> rank_counts(Limit(grids.PASS, 0.5, 0.8), minute)
    Counts(events=20, requests=200)
    """
    served = minute.requests
    if not served or served < 0 or not minute.values:
        return None
    over = {at: above(minute, at, limit.seconds) for at in minute.values}
    if _passes(limit):
        within = [up(tail_of(at) * served) for at, found in over.items() if found is False]
        return Counts(min([served, *within]), served)
    beyond = [tail_of(at) * served // _MILLION for at, found in over.items() if found]
    return Counts(max(beyond, default=0), served)


def _coin(limit: Limit) -> Grid:
    return _COIN_PASS if _passes(limit) else _COIN_FAIL


def _passes(limit: Limit) -> bool:
    return limit.grid.excess[0] < 0


def _toss(limit: Limit, minute: Minute) -> tuple[bool, float] | None:
    """Whether the percentile is above the limit, and the chance of that at the null's edge."""
    event, served = above(minute, limit.quantile, limit.seconds), minute.requests
    if event is None or not served or tail_of(limit.quantile) * served < LEAST_TAIL * _MILLION:
        return None
    tail, share = tail_of(limit.quantile) * served, 1.0 - limit.quantile
    if _passes(limit):
        return event, at_least(up(tail) + 1, served, share) * (1.0 - _CAREFUL)
    return event, min(1.0, at_least(tail // _MILLION, served, share) * (1.0 + _CAREFUL))


def at_least(least: int, number: int, chance: float) -> float:
    """Probability of ``least`` or more events of ``number``, each with a chance within 0..1.

    ``least`` is 0, or no more than some 30 standard deviations below the mean: its term must not
    vanish.

    >>> round(at_least(2, 200, 0.01), 3), at_least(0, 5, 0.5), round(at_least(2, 2, 0.5), 12)
    (0.595, 1.0, 0.25)
    """
    if least <= 0:
        return 1.0
    if least > number:
        return 0.0
    log_term = (
        math.lgamma(number + 1)
        - math.lgamma(least + 1)
        - math.lgamma(number - least + 1)
        + least * math.log(chance)
        + (number - least) * math.log1p(-chance)
    )
    odds, term, total = chance / (1.0 - chance), math.exp(log_term), 0.0
    for events in range(least, number + 1):
        total += term
        if events > number * chance and term < _ENDS * total:
            break
        term *= (number - events) / (events + 1) * odds
    return min(1.0, total)
