"""Evidence that is not wasted beyond the bound.

A test that stops at ``1 / alpha`` gains nothing from evidence above it. Given how many requests
failed in an interval, the candidate's part of them is binomial at the null's edge, so it is known
beforehand how much would be wasted on average. What is saved by cutting every outcome at the bound
is given to the outcomes below it: their factor is multiplied by the ``b >= 1`` for which the mean
of ``min(b * factor, bound)`` is 1. The evidence stays an e-process, only nearer to its limit.

An allowance of ``points`` is a Poisson number of virtual baseline failures; each number is a case
of its own, and the cases are averaged as in `rollout.stats.counts`.

Source: L. Fischer, A. Ramdas, Improving the (approximate) sequential probability ratio test by
avoiding overshoot, arXiv 2410.16076; here for a binomial and a mixture.
"""

from __future__ import annotations

import math

import numpy as np

from benchmarks.detection.alternatives.batches import Second
from benchmarks.detection.alternatives.likelihood import log_sum
from benchmarks.detection.conditions import Floats

_MOST = 12  # failures in an interval; with more nothing is saved, which is valid, too
_VIRTUAL = 3
_ROUNDS = 40


def saved(
    now: Second, log_l: Floats, steps: tuple[Floats, Floats, Floats], room: Floats, points: float
) -> Floats:
    """Log of the factor that the evidence gains.

    Args:
        now: The interval.
        log_l: float[rollouts, alternatives], before it, weights included.
        steps: Log factors, from `likelihood.steps`.
        room: Log of the factor that reaches the bound.
        points: The null's allowance.
    """
    gained = np.zeros(len(log_l))
    most = _VIRTUAL if points else 0
    failures = now.errors + now.base_errors + most
    highest = failures * -np.log(np.maximum(now.share, 1e-9))
    near = np.flatnonzero((now.share > 0) & (highest > room) & (failures < _MOST + most))
    if len(near) == 0 or failures[near].max() == 0:
        return gained
    mine, theirs, virtual = (step[near] for step in steps)
    errors, base = now.errors[near], now.base_errors[near]
    total = log_sum(log_l[near])
    plain = errors[:, None] * mine + base[:, None] * theirs + virtual
    mean = now.base_requests[near] * points
    # The case without a virtual failure alone must be able to reach the bound.
    bound = np.exp(room[near] + mean)
    got = np.zeros(len(near))
    for extra in range(most + 1):
        odds = np.exp(-mean) * mean**extra / math.factorial(extra)
        cases = _factors(log_l[near], (mine, theirs), errors + base + extra, total)
        chances = _binomial(errors + base + extra, now.share[near], cases.shape[1])
        boost = _boost(cases, chances, bound)
        here = cases[np.arange(len(near)), errors.astype(int)]
        got += odds * np.minimum(boost * here, bound)
    gained[near] = np.log(got) - (log_sum(log_l[near] + plain) - total)
    return gained


def _factors(
    log_l: Floats, steps: tuple[Floats, Floats], failures: Floats, total: Floats
) -> Floats:
    """float[rollouts, 1 + most failures]: the evidence's factor for each part of the failures."""
    columns = []
    for mine in range(int(failures.max()) + 1):
        rest = np.maximum(failures - mine, 0)[:, None]
        factor = np.exp(log_sum(log_l + mine * steps[0] + rest * steps[1]) - total)
        columns.append(np.where(failures >= mine, factor, 0.0))
    return np.stack(columns, axis=1)


def _binomial(failures: Floats, share: Floats, width: int) -> Floats:
    columns = []
    for mine in range(width):
        ways = np.array([math.comb(int(count), mine) for count in failures], dtype=float)
        columns.append(ways * share**mine * (1 - share) ** np.maximum(failures - mine, 0))
    return np.stack(columns, axis=1)


def _boost(factors: Floats, chances: Floats, bound: Floats) -> Floats:
    """The factor with which the mean of the cut outcomes is 1; it grows to its fixed point."""
    boost, top = np.ones(len(factors)), bound[:, None]
    for _ in range(_ROUNDS):
        cut = boost[:, None] * factors >= top
        left = 1 - (chances * top * cut).sum(axis=1)
        below = (chances * factors * ~cut).sum(axis=1)
        new = np.maximum(1.0, np.where(below > 1e-12, left / np.maximum(below, 1e-12), boost))
        if np.allclose(new, boost, rtol=1e-10):
            break
        boost = new
    return boost
