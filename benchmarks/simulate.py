"""How many rollouts of the sample plan a second are simulated, by scenario.

Run: ``python benchmarks/simulate.py [--runs N] [--jobs N]``. The target is 1,000 rollouts within a
minute on two processors.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from rollout import api
from rollout.runtime.simulation import summary
from rollout.runtime.simulation.scenarios import SCENARIOS

PLAN = Path(__file__).resolve().parent.parent / "plans" / "safe-rollout.yaml"
TARGET = 1000 / 60


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="of each scenario [200]")
    parser.add_argument("--jobs", type=int, default=2, help="processes [2]")
    parser.add_argument("--plan", default=str(PLAN))
    parser.add_argument("scenarios", nargs="*", default=list(SCENARIOS), metavar="SCENARIO")
    asked = parser.parse_args()
    print(f"{asked.runs} rollouts each, {asked.jobs} processes; target {TARGET:.0f}/s")
    print(f"{'scenario':<16}{'rollouts/s':>11}{'ms each':>9}  outcomes")
    for scenario in asked.scenarios:
        began = time.perf_counter()
        wish = api.Wish(scenario=scenario)
        found = api.simulate(asked.plan, wish=wish, runs=asked.runs, jobs=asked.jobs)
        took = time.perf_counter() - began
        told = ", ".join(
            f"{each.outcome} {each.share.value * 100:.3g} %"
            for each in summary.endings(found.trials)
        )
        print(
            f"{scenario:<16}{asked.runs / took:>11.1f}{took / asked.runs * 1000:>9.1f}  {told}",
            flush=True,
        )


if __name__ == "__main__":
    main()
