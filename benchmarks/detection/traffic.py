"""Simulated traffic: what both deployments answered, interval by interval.

Requests arrive as a Poisson process whose rate the conditions modulate, and are routed at random.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.conditions import STEP, Conditions, Floats, conditions
from benchmarks.detection.kinds import MEDIAN, SHARE, SIGMA, TAIL_FACTOR, Candidate, Kind
from rollout.domain.measure import GROWTH, bucket_of, edge

Counts = NDArray[np.int64]

FASTEST, SLOWEST = 0.003, 20.0  # seconds; what lies beyond is counted there
FIRST = bucket_of(FASTEST)
BUCKETS = bucket_of(SLOWEST) - FIRST + 1
SLOW = bucket_of(MEDIAN * math.exp(1.6449 * SIGMA))  # the baseline's 95th percentile in calm times
_MARGIN_POINTS, _MARGIN_SLOWER = 0.005, 1.2
_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class Served:
    """What one deployment answered, interval by interval.

    Args:
        requests: int[intervals], failed ones included.
        errors: int[intervals].
        latency: int[intervals, BUCKETS], the answered ones; None: not simulated.
    """

    requests: Counts
    errors: Counts
    latency: Counts | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """One simulated rollout's hour.

    Args:
        seconds: Length of an interval.
        candidate, baseline: What they answered.
        worse: float[intervals], log likelihood ratio of the candidate's true distribution (that of
            one at the margin, for a healthy one) over the baseline's: what an oracle would see.
        relative: The same for an oracle that knows the ratio of the error rates, but neither of
            them; None: not defined.
    """

    seconds: int
    candidate: Served
    baseline: Served
    worse: Floats
    relative: Floats | None = None


def counted(rng: np.random.Generator, kind: Kind, rps: float, candidate: Candidate) -> Traffic:
    """Requests and errors, second by second."""
    met = conditions(rng, kind)
    base, rates = (np.repeat(rate, STEP) for rate in _rates(met, candidate))
    arrivals = np.repeat(met.arrivals, STEP) * rps
    mine, theirs = rng.poisson(arrivals * SHARE), rng.poisson(arrivals * (1 - SHARE))
    ours = Served(mine, rng.binomial(mine, rates))
    others = Served(theirs, rng.binomial(theirs, base))
    wrong = np.minimum(1.0, base + _MARGIN_POINTS) if candidate.healthy else rates
    return Traffic(
        1, ours, others, _worse(ours, base, wrong), _relative(ours, others, wrong / base)
    )


def _rates(met: Conditions, candidate: Candidate) -> tuple[Floats, Floats]:
    """Error rates of baseline and candidate, 0..1."""
    base = candidate.base * met.errors
    mine = candidate.factor * base + candidate.points
    if candidate.rate is not None:
        mine = np.full_like(base, candidate.rate)
    return np.minimum(1.0, base + met.failing), np.minimum(1.0, mine + met.failing)


def _worse(served: Served, base: Floats, wrong: Floats) -> Floats:
    fine = np.log1p(-np.minimum(wrong, 1 - _LEAST)) - np.log1p(-base)
    return served.errors * np.log(wrong / base) + (served.requests - served.errors) * fine


def _relative(ours: Served, others: Served, ratio: Floats) -> Floats:
    """Of all failed requests in an interval, which part should be the candidate's?"""
    share = ours.requests / np.maximum(1, ours.requests + others.requests)
    moved = np.log1p(share * (ratio - 1))
    return ours.errors * (np.log(ratio) - moved) - others.errors * moved


def timed(rng: np.random.Generator, kind: Kind, rps: float, candidate: Candidate) -> Traffic:
    """Requests, errors and latencies, in steps of 10 s."""
    met = conditions(rng, kind)
    base, rates = _rates(met, candidate)
    sent = met.arrivals * rps * STEP
    ours, at, places = _timed(rng, sent * SHARE, rates, met.slower + met.cold, candidate)
    usual = Candidate("baseline")
    others, _, _ = _timed(rng, sent * (1 - SHARE), base, met.slower, usual)
    wrong = Candidate("margin", slower=_MARGIN_SLOWER) if candidate.healthy else candidate
    # Nobody judges a cold start.
    ratio = np.where(met.cold[at] > 0, 0.0, _log_ratio(places - met.slower[at], wrong))
    worse = np.bincount(at, weights=ratio, minlength=len(sent))
    return Traffic(STEP, ours, others, worse)


def _timed(
    rng: np.random.Generator, sent: Floats, failing: Floats, slower: Floats, candidate: Candidate
) -> tuple[Served, Counts, Floats]:
    """What was served, and of each answer its step and its logarithmic latency over the median."""
    requests = rng.poisson(sent)
    errors = rng.binomial(requests, failing)
    at = np.repeat(np.arange(len(sent)), requests - errors)
    places = slower[at] + SIGMA * rng.standard_normal(len(at)) + math.log(candidate.slower)
    if candidate.tail:
        places += math.log(TAIL_FACTOR) * (rng.random(len(at)) < candidate.tail)
    exact = (places + math.log(MEDIAN) - math.log(edge(FIRST))) / math.log(GROWTH)
    bucket = np.clip(np.ceil(exact), 0, BUCKETS - 1).astype(np.int64)
    cells = np.bincount(at * BUCKETS + bucket, minlength=len(sent) * BUCKETS)
    return Served(requests, errors, cells.reshape(len(sent), BUCKETS)), at, places


def _log_ratio(places: Floats, wrong: Candidate) -> Floats:
    """Log likelihood ratio of latencies: of the wrong candidate over the baseline."""
    shift, tail = math.log(wrong.slower), math.log(TAIL_FACTOR)

    def times(by: float) -> Floats:
        """Density of a lognormal shifted by so much, over that of one that is not."""
        return np.exp((places * by - by * by / 2) / SIGMA**2)

    return np.log((1 - wrong.tail) * times(shift) + wrong.tail * times(shift + tail))


def longer(fine: Traffic, seconds: int) -> Traffic:
    """The same traffic in longer intervals."""
    sums = [
        Served(_sums(each.requests, seconds), _sums(each.errors, seconds))
        for each in (fine.candidate, fine.baseline)
    ]
    relative = None if fine.relative is None else _sums(fine.relative, seconds)
    return Traffic(seconds, *sums, _sums(fine.worse, seconds), relative)


def _sums(values: NDArray[Any], every: int) -> NDArray[Any]:
    return values.reshape(-1, every).sum(axis=1)


def bad_until(traffic: Traffic) -> Counts:
    """Bad answers of the candidate up to each interval's end: failed, or slow where that counts.

    Slow is slower than the baseline's 95th percentile in calm times.
    """
    bad = traffic.candidate.errors
    if traffic.candidate.latency is not None:
        bad = bad + traffic.candidate.latency[:, SLOW - FIRST + 1 :].sum(axis=1)
    return np.cumsum(bad)
