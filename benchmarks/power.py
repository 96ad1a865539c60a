"""The planner's formula against simulation with the real tests.

`python -m benchmarks.power [--quick] [--seed 1] [--runs 400]`: each case is simulated for an hour
at constant rates, one look every 5 s, and read after 2, 10 and 60 minutes. Rows on which formula
and simulation agree that nothing, or everything, is decided are counted and not printed.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from rollout.stats import counts, grid as grids, objective, power
from rollout.stats.counts import Counts
from rollout.stats.grid import FAIL, PASS, Grid
from rollout.stats.passage import Walk
from rollout.stats.power import Traffic

INTERVAL = 5.0
MINUTES = (2, 10, 60)
_LONG = 10**9  # requests
PLAIN = 0.02  # both this near to 0 or 1: nothing to compare


@dataclass(frozen=True, slots=True)
class Case:
    """One candidate under one test; ``objective`` instead of a baseline for the one-arm test."""

    grid: Grid
    rps: float
    share: float
    rate: float
    base: float = 0.0
    points: float = 0.0
    objective: float | None = None
    since: float = 0.0

    @property
    def bound(self) -> float:
        """What its evidence must reach."""
        return power.bound_of(0.01 if self.grid is FAIL else 0.05)

    def walk(self) -> Walk:
        """Its test, as the formula sees it."""
        traffic = Traffic(self.rps, self.share, INTERVAL)
        if self.objective is not None:
            return power.one_arm(self.grid, traffic, self.rate, self.objective)
        grid = self.bets(Counts(round(self.base * _LONG), _LONG))
        return power.two_arms(grid, traffic, self.rate, self.base, points=self.points)

    def bets(self, past: Counts) -> Grid:
        """What the test bets on, as the gates do: a pass on the baseline's past, too."""
        if self.grid is FAIL or self.objective is not None:
            return self.grid
        return grids.half_each(self.grid, counts.alike(past, points=self.points))


def cases(quick: bool) -> Iterator[Case]:
    for rps, share, base in product(
        (5, 50) if quick else (5, 50, 500), (0.1, 0.5), (0.001, 0.005, 0.02)
    ):
        for factor, points in ((2, 0.0), (4, 0.0), (4, 0.001)):
            yield Case(FAIL, rps, share, base * factor, base, points)
        for margin in (0.005,) if quick else (0.005, 0.01):
            yield Case(PASS, rps, share, base, base, margin, since=120.0)
        yield Case(PASS, rps, share, base * 0.5, base, 0.005, since=600.0)
    for rps in (5, 50):
        yield Case(FAIL, rps, 0.1, 0.10, 0.05)
        yield Case(PASS, rps, 0.1, 0.025, 0.05, since=120.0)
        yield Case(FAIL, rps, 0.1, 0.03, objective=0.01)
        yield Case(PASS, rps, 0.1, 0.004, objective=0.01)


def reached(case: Case, rng: np.random.Generator) -> float:
    """Seconds until the evidence of one run is at the bound, by the product's own tests."""
    looks = round(60 * MINUTES[-1] / INTERVAL)
    served = rng.poisson(case.rps * case.share * INTERVAL, looks)
    base_served = rng.poisson(case.rps * (1 - case.share) * INTERVAL, looks)
    events, base_events = rng.binomial(served, case.rate), rng.binomial(base_served, case.base)
    past = Counts(0, 0)
    log_l = grids.start(case.bets(past))
    drawn = (each.tolist() for each in (events, served, base_events, base_served))
    for look, (x, n, y, m) in enumerate(zip(*drawn, strict=True), 1):
        if case.objective is not None:
            log_l = objective.update(log_l, case.grid, Counts(x, n), case.objective)
        else:
            arms = Counts(x, n), Counts(y, m)
            log_l = counts.update(log_l, case.bets(past), *arms, points=case.points)
            past = Counts(past.events + y, past.requests + m)
        if look * INTERVAL >= case.since and grids.log_e(case.bets(past), log_l) >= case.bound:
            return look * INTERVAL
    return math.inf


def row(case: Case, seconds: float, formula: float, simulated: float) -> str:
    side = "rollback" if case.grid is FAIL else "pass"
    against = f"{case.base:.3%}" if case.objective is None else f"max {case.objective:.0%}"
    return (
        f"{side:<9}{case.rps:>5g}{case.share:>7.0%}{against:>9}{case.rate:>9.3%}"
        f"{case.points * 100:>6.1f}{seconds / 60:>6.0f}{formula:>10.1%}{simulated:>10.1%}"
        f"{(formula - simulated) * 100:>+8.1f}"
    )


def main() -> None:
    """Print the table and the largest difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer cases and runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int)
    asked = parser.parse_args()
    runs = asked.runs or (100 if asked.quick else 400)
    rng = np.random.default_rng(asked.seed)
    print(
        f"{runs} runs a case; chance alone makes them differ by up to {150 / runs**0.5:.1f} points"
    )
    print("side       rps  share     base candidate  pp   min   formula simulated  points")
    differences: list[float] = []
    plain, spent, calls = 0, 0.0, 0
    for case in cases(asked.quick):
        times = [reached(case, rng) for _ in range(runs)]
        walk = case.walk()
        for seconds in (60.0 * minutes for minutes in MINUTES):
            began = time.perf_counter()
            formula = power.probability(walk, case.bound, seconds, case.since)
            spent, calls = spent + time.perf_counter() - began, calls + 1
            simulated = sum(each <= seconds for each in times) / runs
            differences.append(formula - simulated)
            if max(formula, simulated) < PLAIN or min(formula, simulated) > 1 - PLAIN:
                plain += 1
            else:
                print(row(case, seconds, formula, simulated), flush=True)
    telling = len(differences) - plain
    spread = math.sqrt(sum(each**2 for each in differences) / max(1, telling))
    print(f"and {plain} rows on which both say 0 or 100 %; {spent / calls * 1000:.0f} ms a formula")
    print(f"root mean square of {telling} telling rows: {spread * 100:.1f} points")
    print(f"largest difference: {max(differences, key=abs) * 100:+.1f} points")


if __name__ == "__main__":
    main()
