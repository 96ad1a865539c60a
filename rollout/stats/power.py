"""What a test will tell, before it runs: probabilities, durations, numbers of requests.

All are readings of `passage.curve` for the walk of a test: at constant rates and Poisson traffic,
the probability that its evidence reaches a bound by a time. Against simulation with the real tests
(``python -m benchmarks.power``) it is right within a few points, for rollback and pass, where a
Brownian path against a straight line, the usual formula, is off by up to twenty.

A dispersion index makes each cluster of events one event and so divides the traffic. Not part of
it: rates that drift, the spread of an edge drawn from few requests, and evidence brought along from
other stages.

Source: as for `passage`; the weights are those of `rollout.gates.tracks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from statistics import NormalDist

from rollout.stats import grid as grids
from rollout.stats.grid import Grid
from rollout.stats.passage import Curve, Walk, curve, mean_at, meeting, poisson

LONGEST = 30 * 86400.0  # seconds; a test that needs more will not be run
_LEAST_SPREAD = 0.1  # of a binomial against a Poisson variance; a rate of 1 has no variance left
_MOST_FAILURES = 1000
_STEPS_A_REQUEST = 4.0
_FEW_REQUESTS = 30.0  # of the candidate in an interval, where their spread matters
_CLOSE = 1.01  # ratio at which a search ends


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests to both arms.

    Args:
        rps: Requests per second, both arms together.
        share: The candidate's part, 0..1.
        interval: Seconds between two looks.
        dispersion: Index by which the test's steps are divided, at least 1.
    """

    rps: float
    share: float
    interval: float = 10.0
    dispersion: float = 1.0

    @property
    def served(self) -> float:
        """Candidate requests per second."""
        return self.rps * self.share


def two_arms(
    grid: Grid,
    traffic: Traffic,
    rate: float,
    base: float,
    *,
    ratio: float = 1.0,
    points: float = 0.0,
) -> Walk:
    """The walk of the two-arm test of `counts`.

    For latency, an event is to be slower than the edge (`slow_rate`).

    Args:
        grid: ``FAIL`` or ``PASS``.
        traffic: Both arms' requests.
        rate: The candidate's true event rate, 0..1.
        base: The baseline's.
        ratio: Factor on the baseline's rate that the null allows, as in `counts.steps`.
        points: Added to it, a fraction of 1.
    """
    served = traffic.served / traffic.dispersion
    base_served = traffic.rps / traffic.dispersion - served
    hit, other, still = _per_event(grid, traffic, ratio, points)
    return Walk(
        log_weights=grid.log_weights,
        hit=hit,
        other=other,
        still=tuple(value / traffic.dispersion for value in still),
        hits=served * rate,
        others=base_served * base,
        spreads=(_spread(rate), _spread(base)),
        interval=traffic.interval,
    )


def _per_event(
    grid: Grid, traffic: Traffic, ratio: float, points: float
) -> tuple[tuple[float, ...], ...]:
    """What an event of the candidate, one of the baseline, and a second add on the average.

    An interval is judged by its own split, and one without a request of the candidate says nothing.
    Where the candidate has few requests in an interval, that makes its events worth less.
    """
    served, interval = traffic.served, traffic.interval
    base = (traffic.rps - served) * interval
    mean = served * interval
    chances = enumerate(poisson(mean)) if mean <= _FEW_REQUESTS else ((mean, 1.0),)
    hit = other = still = grids.start(grid)
    for count, chance in chances:
        if count > 0 and mean > 0.0:
            share, rest = count * ratio / (count * ratio + base), base / (count * ratio + base)
            one = partial(grids.steps, grid, share=share, rest=rest)
            hit = _plus(hit, chance * count / mean, one(hits=1, others=0))
            other = _plus(other, chance, one(hits=0, others=1))
            virtual = one(hits=0, others=0, virtual=base * points / ratio)
            still = _plus(still, chance / interval, virtual)
    return hit, other, still


def _plus(sums: tuple[float, ...], factor: float, values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(one + factor * other for one, other in zip(sums, values, strict=True))


def pairs(grid: Grid, traffic: Traffic, rate: float, base: float, *, points: float = 0.0) -> Walk:
    """The walk of the tests of `paired`; each of the candidate's requests is a pair.

    Args:
        grid: The test's.
        traffic: The candidate's share is what is mirrored.
        rate: Pairs in which the candidate alone has the event, 0..1 of all.
        base: Pairs in which the baseline, or its twin, alone has it.
        points: Allowed excess, as in `paired.steps`.
    """
    served = traffic.served / traffic.dispersion
    one = partial(grids.steps, grid, share=0.5, rest=0.5)
    return Walk(
        log_weights=grid.log_weights,
        hit=one(hits=1, others=0),
        other=one(hits=0, others=1),
        still=one(hits=0, others=0, virtual=served * points),
        hits=served * rate,
        others=served * base,
        spreads=(_spread(rate), _spread(base)),
        interval=traffic.interval,
    )


def averages(grid: Grid, traffic: Traffic, effect: float) -> Walk:
    """The walk of the test of `means`: a Brownian motion, as many small steps.

    Args:
        grid: ``means.FAIL`` or ``means.PASS``.
        traffic: Both arms' requests.
        effect: The candidate's true mean less what is allowed, in standard deviations.
    """
    served, beside = traffic.served, traffic.rps - traffic.served
    pairs = served * beside / traffic.rps if traffic.rps else 0.0
    hits = _STEPS_A_REQUEST * served
    step = math.sqrt(pairs / hits) if hits else 0.0
    drift = pairs * effect - hits * step
    return Walk(
        log_weights=grid.log_weights,
        hit=tuple(each * step for each in grid.excess),
        other=(0.0,) * len(grid.excess),
        still=tuple(each * drift - each * each * pairs / 2.0 for each in grid.excess),
        hits=hits,
        others=0.0,
        spreads=(1.0, 1.0),
        interval=traffic.interval,
    )


def one_arm(grid: Grid, traffic: Traffic, rate: float, objective: float) -> Walk:
    """The walk of the one-arm test of `objective`; arguments as in `two_arms`.

    Args:
        grid: ``FAIL`` or ``PASS``.
        traffic: The candidate gets its share of the requests.
        rate: The candidate's true event rate, 0..1.
        objective: The allowed one, above 0 and below 1.
    """
    served, rest = traffic.served / traffic.dispersion, 1.0 - objective
    event = grids.steps(grid, share=objective, rest=rest, hits=1, others=0)
    none = grids.steps(grid, share=objective, rest=rest, hits=0, others=1)
    return Walk(
        log_weights=grid.log_weights,
        hit=tuple(one - other for one, other in zip(event, none, strict=True)),
        other=grids.start(grid),
        still=tuple(served * value for value in none),
        hits=served * rate,
        others=0.0,
        spreads=(_spread(rate), 1.0),
        interval=traffic.interval,
    )


def _spread(rate: float) -> float:
    return max(_LEAST_SPREAD, 1.0 - rate)


def slow_rate(quantile: float, slowdown: float, shift: float, spread: float) -> float:
    """How often a candidate is above a shifted edge, for lognormal latency.

    Args:
        quantile: Of the baseline, where the edge lies.
        slowdown: The candidate's latency over the baseline's, minus 1.
        shift: Tolerance or margin by which its edge is raised, relative.
        spread: Standard deviation of the latency's natural logarithm.

    >>> round(slow_rate(0.95, 0.2, 0.0, 0.5), 3), round(slow_rate(0.95, 0.2, 0.2, 0.5), 3)
    (0.1, 0.05)
    """
    normal = NormalDist()
    moved = math.log1p(shift) - math.log1p(slowdown)
    return 1.0 - normal.cdf(normal.inv_cdf(quantile) + moved / spread)


def bound_of(risk: float, weight: float = 1.0) -> float:
    """The log evidence that a test needs.

    Args:
        risk: Allowed probability of a wrong decision, such as 0.01.
        weight: The test's part of the combined evidence; the others are taken to add nothing.

    >>> round(math.exp(bound_of(0.01, weight=0.5)))
    200
    """
    return -math.log(risk * weight)


def first_weight(tests: int, stages: int) -> float:
    """A failing test's part of the combined evidence, in the first of the stages that use it.

    Its process since the start has half of the test's part, those of the stages share the rest;
    in the first stage one of them equals it.
    """
    return (0.5 + 0.5 / stages) / tests


def later_weight(tests: int, stages: int) -> float:
    """The same in a later stage, for a candidate that was healthy before it."""
    return 0.5 / stages / tests


def earliest(traffic: Traffic, min_duration: float, min_requests: float) -> float:
    """Seconds before which a gate does not pass."""
    if traffic.served <= 0.0:
        return math.inf if min_requests > 0 else min_duration
    return max(min_duration, min_requests / traffic.served)


def probability(walk: Walk, bound: float, seconds: float, since: float = 0.0) -> float:
    """The probability that the bound is reached by a time; arguments as in `curve`.

    >>> traffic = Traffic(rps=50, share=0.1)
    >>> twice = two_arms(grids.FAIL, traffic, 0.02, 0.005)
    >>> 0.5 < probability(twice, bound_of(0.01), 120) < 0.8
    True
    """
    found = curve(walk, bound, seconds, since)
    return found[-1][1] if found else 0.0


def seconds_needed(walk: Walk, bound: float, wanted: float, since: float = 0.0) -> float:
    """Seconds until the bound is reached with a probability; infinity beyond `LONGEST`.

    Args:
        walk: The test.
        bound: From `bound_of`.
        wanted: The probability, below 1.
        since: As in `curve`.
    """
    high = max(walk.interval, since, meeting(walk, bound, LONGEST))
    while high <= LONGEST and probability(walk, bound, high, since) < wanted:
        high *= 2.0
    if high > LONGEST:
        return math.inf
    low = max(walk.interval, since)
    if probability(walk, bound, low, since) >= wanted:
        return low
    while high > low * _CLOSE and high - low > walk.interval:
        middle = math.sqrt(low * high) if high > 4.0 * low else (low + high) / 2.0
        found = probability(walk, bound, middle, since) >= wanted
        low, high = (low, middle) if found else (middle, high)
    return high


def smallest_rate(
    walk_of: Callable[[float], Walk], base: float, bound: float, seconds: float, wanted: float
) -> float:
    """The smallest event rate that is found in time with a probability; infinity: not even 1.

    Args:
        walk_of: The failing test for a candidate with this rate.
        base: A rate that is not to be found, above 0.
        bound: From `bound_of`.
        seconds: The time.
        wanted: The probability.
    """
    if probability(walk_of(1.0), bound, seconds) < wanted:
        return math.inf
    low, high = base, 1.0
    while high > low * _CLOSE:
        middle = math.sqrt(low * high)
        found = probability(walk_of(middle), bound, seconds) >= wanted
        low, high = (low, middle) if found else (middle, high)
    return high


def failures_needed(traffic: Traffic, walk: Walk, bound: float) -> int | None:
    """How many failures in a row roll back, of a candidate that fails every request.

    Args:
        traffic: Both arms' requests.
        walk: The failing test for a rate of 1 under this traffic.
        bound: From `bound_of`.

    Returns:
        None without traffic, or where no number of failures argues against the candidate.

    >>> traffic = Traffic(rps=50, share=0.1)
    >>> failures_needed(traffic, two_arms(grids.FAIL, traffic, 1.0, 0.0), bound_of(0.01))
    4
    """
    if walk.hits <= 0.0:
        return None
    each = [value / (walk.hits * walk.interval) for value in mean_at(walk, 1)]
    for count in range(1, _MOST_FAILURES):
        values = [w + count * value for w, value in zip(walk.log_weights, each, strict=True)]
        if grids.log_sum(values) >= bound:
            return math.ceil(count * traffic.dispersion)
    return None


def crash_seconds(traffic: Traffic, walk: Walk, bound: float) -> float:
    """Mean seconds until such a candidate is rolled back, up to the next look; infinity: never."""
    needed = failures_needed(traffic, walk, bound)
    if needed is None:
        return math.inf
    return walk.interval * math.ceil(needed / (traffic.served * walk.interval))


def exposed(found: Curve, served: float) -> float:
    """Mean number of candidate requests until the bound is reached or the time is over.

    Args:
        found: From `curve`, with ``since`` 0.
        served: Candidate requests per second.

    >>> exposed(((10.0, 0.5), (20.0, 1.0)), served=5.0)
    75.0
    """
    # Between two looks nothing is decided: until the later one the candidate serves.
    seconds = math.fsum(
        (now - before) * (1.0 - reached)
        for (before, reached), (now, _) in pairwise(((0.0, 0.0), *found))
    )
    return served * seconds
