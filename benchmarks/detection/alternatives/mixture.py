"""A mixture of bets against the candidate, or for it, on many rollouts at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.detection.alternatives.batches import Batch, Second
from benchmarks.detection.alternatives.likelihood import log_sum, steps
from benchmarks.detection.alternatives.sparing import saved
from benchmarks.detection.conditions import Floats
from rollout.stats.grid import Grid

NEVER = math.inf


@dataclass(frozen=True, slots=True)
class Past:
    """Totals of the seconds before this one: what a bet may depend on. float[rollouts] each."""

    errors: Floats
    requests: Floats
    base_errors: Floats
    base_requests: Floats

    def and_now(self, now: Second, live: np.ndarray) -> None:
        """Add a second, in place."""
        for total, more in zip(
            (self.errors, self.requests, self.base_errors, self.base_requests), now, strict=True
        ):
            total[live] += more


Bet = Callable[[Past, np.ndarray], Floats]


@dataclass(frozen=True, slots=True)
class Mixture:
    """Fixed alternatives, and perhaps one that is chosen anew every second from the past.

    Args:
        name: As the table has it.
        excess: float[alternatives], factors on what the null allows, minus 1.
        log_weights: float[alternatives (+ 1)]; the last is the bet's.
        bet: Past and live rollouts -> its factors minus 1; None: there is none.
        sparing: Whether evidence beyond the bound is saved for the other outcomes.
    """

    name: str
    excess: Floats
    log_weights: Floats
    bet: Bet | None = None
    sparing: bool = False

    def factors(self, past: Past, live: np.ndarray) -> Floats:
        """float[live, alternatives], minus 1."""
        fixed = np.broadcast_to(self.excess, (len(live), len(self.excess)))
        if self.bet is None:
            return fixed
        return np.concatenate([fixed, self.bet(past, live)[:, None]], axis=1)


def of(name: str, grid: Grid) -> Mixture:
    """The product's grid."""
    return Mixture(name, np.array(grid.excess), np.array(grid.log_weights))


def powers(low: float, high: float, power: float, count: int = 24) -> Grid:
    """Factors from low to high, evenly spaced logarithms, weights proportional to a power."""
    factors = np.geomspace(low, high, count)
    weights = factors**power
    return Grid(tuple(factors - 1), tuple(np.log(weights / weights.sum())))


def with_bet(name: str, grid: Grid, bet: Bet, weight: float) -> Mixture:
    """A grid with a bet that has so much of the weight."""
    fixed = np.array(grid.log_weights) + math.log1p(-weight)
    weights = np.append(fixed, math.log(weight))
    return Mixture(name, np.array(grid.excess), weights, bet)


def ratio_so_far(past: Past, live: np.ndarray) -> Floats:
    """Against the candidate: that it goes on as badly as it did."""
    mine = (past.errors[live] + 1.0) / (past.requests[live] + 100.0)
    theirs = (past.base_errors[live] + 1.0) / (past.base_requests[live] + 100.0)
    return np.clip(mine / theirs, 1.3, 200.0) - 1.0


def as_the_baseline(margin: float) -> Bet:
    """For the candidate: that its rate is the baseline's so far, not that plus the margin."""

    def bet(past: Past, live: np.ndarray) -> Floats:
        rate = (past.base_errors[live] + 0.5) / (past.base_requests[live] + 100.0)
        return rate / (rate + margin) - 1.0

    return bet


def crossings(mixture: Mixture, batch: Batch, *, points: float, level: float) -> Floats:
    """The second at which each rollout's evidence reaches ``1 / level``; infinite: never.

    The formula is the product's, `rollout.stats.counts`, with a ratio of 1.
    """
    bound, found = -math.log(level), np.full(batch.rollouts, NEVER)
    log_l = np.tile(mixture.log_weights, (batch.rollouts, 1))
    spare = np.zeros(batch.rollouts)
    past = Past(*(np.zeros(batch.rollouts) for _ in range(4)))
    live = np.arange(batch.rollouts)
    for second in range(batch.seconds):
        now = batch.at(second, live)
        mine, theirs, virtual = steps(now, mixture.factors(past, live), points)
        before = log_l[live]
        log_l[live] = before + now.errors[:, None] * mine + now.base_errors[:, None] * theirs
        log_l[live] += virtual
        if mixture.sparing:
            room = bound - spare[live] - log_sum(before)
            spare[live] += saved(now, before, (mine, theirs, virtual), room, points)
        past.and_now(now, live)
        over = log_sum(log_l[live]) + spare[live] >= bound - 1e-9
        found[live[over]] = second + 1
        live = live[~over]
        if not len(live):
            break
    return found
