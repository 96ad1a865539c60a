"""How many intervals a second one core of this machine takes in."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from benchmarks.detection import kinds, rules as gates
from benchmarks.detection.engine import intervals
from benchmarks.detection.traffic import counted, timed
from rollout.domain.criteria import Check
from rollout.domain.measure import Interval
from rollout.gates.judge import enter, fresh, ingest, judge
from rollout.stats import counts, grid as grids
from rollout.stats.counts import Counts
from rollout.stats.grid import Grid

_ROUNDS = 5  # the best counts: others use the machine, too


def speeds(seed: int) -> dict[str, float]:
    """Things a second, by what they are."""
    rng = np.random.default_rng(seed)
    errors = list(intervals(counted(rng, kinds.ALL, 50.0, kinds.HEALTHY)))
    times = list(intervals(timed(rng, kinds.ALL, 50.0, kinds.HEALTHY)))
    return {
        "rollout.stats.counts.update, tolerance 0.1pp": _updates(grids.FAIL, errors, 0.001),
        "rollout.stats.counts.update, tolerance 0": _updates(grids.FAIL, errors, 0.0),
        "rollout.stats.counts.update, margin 0.5pp": _updates(grids.PASS, errors, 0.005),
        "ingest + judge, error rate, every second": _gates(errors, gates.ERRORS),
        "ingest + judge, error rate and latency p95, 10 s": _gates(times, gates.ERRORS, gates.SLOW),
    }


def _updates(grid: Grid, found: list[Interval], points: float) -> float:
    pairs = [
        tuple(
            Counts(arm.errors, arm.requests)
            for arm in (one.arms["candidate"], one.arms["baseline"])
        )
        for one in found
    ]

    def once() -> None:
        log_l = grids.start(grid)
        for candidate, baseline in pairs:
            log_l = counts.update(log_l, grid, candidate, baseline, points=points)

    return len(pairs) / _best(once)


def _gates(found: list[Interval], *checks: Check) -> float:
    rules = gates.rules(*checks)

    def once() -> None:
        evidence = enter(rules, fresh(), 0)
        for one in found:
            evidence = ingest(rules, evidence, one)
            judge(rules, evidence)

    return len(found) / _best(once)


def _best(once: Callable[[], None]) -> float:
    took = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        once()
        took.append(time.process_time() - began)
    return min(took)
