"""`python -m benchmarks.pairing`: errors in a mirror stage, request by request or arm by arm.

Of a mirrored request both answers are known, so errors could be tested on pairs (McNemar). The gate
tests arms instead: it knows all of the baseline's requests, not just the mirrored tenth. The table
says how soon each finds a candidate at 50 requests/s, 10 % mirrored, tolerance 0, alpha 1 %.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from rollout.stats import counts, grid as grids, paired
from rollout.stats.counts import Counts
from rollout.stats.paired import Pairs

_MIRRORED, _OTHERS = 5.0, 45.0  # requests per second
_SECONDS = 7200
_BOUND = -math.log(0.01)
_CASES = (
    # The baseline's errors, the candidate's own, and which part of the baseline's both have.
    (0.005, 0.02, 0.0),
    (0.005, 0.02, 0.5),
    (0.005, 0.02, 1.0),
    (0.05, 0.065, 0.0),
    (0.05, 0.065, 0.5),
    (0.05, 0.065, 1.0),
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pairing")
    parser.add_argument("--trials", type=int, default=200, help="a case [200]")
    parser.add_argument("--seed", type=int, default=20260801, help="of the traffic [20260801]")
    asked = parser.parse_args()
    print(
        f"{asked.trials} rollouts a case, seed {asked.seed}; median seconds (missed in two hours)"
    )
    print("| errors | in common | by pairs | by arms |")
    print("|---|---|---|---|")
    for base, rate, common in _CASES:
        random = np.random.default_rng([asked.seed, round(base * 1e4), round(common * 10)])
        ends = np.array([_ends(random, base, rate, common) for _ in range(asked.trials)])
        shown = (f"{np.median(column):,.0f} ({np.isinf(column).sum()})" for column in ends.T)
        print(f"| {base:.1%} -> {rate:.1%} | {common:.0%} | {' | '.join(shown)} |", flush=True)


def _ends(
    random: np.random.Generator, base: float, rate: float, common: float
) -> tuple[float, float]:
    """When the test on pairs and the one on arms reach the bound, seconds."""
    both = base * common
    chances = (both, rate - both, base - both, 1.0 - rate - base + both)
    mirrored = random.poisson(_MIRRORED, _SECONDS)
    outcomes = random.multinomial(mirrored, chances).tolist()
    others = random.poisson(_OTHERS, _SECONDS)
    failed = random.binomial(others, base).tolist()
    by_pairs = by_arms = grids.start(grids.FAIL)
    found = [math.inf, math.inf]
    for at, (shared, ours, theirs, neither) in enumerate(outcomes):
        total = shared + ours + theirs + neither
        if math.isinf(found[0]) and total:
            added = paired.steps(grids.FAIL, Pairs(ours, theirs, total))
            by_pairs = grids.add(by_pairs, added or grids.start(grids.FAIL))
            if grids.log_e(grids.FAIL, by_pairs) >= _BOUND:
                found[0] = at + 1.0
        if math.isinf(found[1]):
            baseline = Counts(shared + theirs + failed[at], total + int(others[at]))
            by_arms = counts.update(by_arms, grids.FAIL, Counts(shared + ours, total), baseline)
            if grids.log_e(grids.FAIL, by_arms) >= _BOUND:
                found[1] = at + 1.0
        if not any(map(math.isinf, found)):
            break
    return found[0], found[1]


if __name__ == "__main__":
    main()
