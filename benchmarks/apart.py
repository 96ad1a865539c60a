"""What a shared outage does to a candidate whose pods are scraped at other moments than the baseline's.

Run: ``python -m benchmarks.apart [--runs 100]``. Pods of both deployments are scraped every 15 s, each at a
moment of its own (100 requests/s, a tenth on the candidate, 0.5 % errors, check error_rate with
tolerance 0.5pp and margin 3pp, five minutes). Prints how often a healthy candidate is failed by one outage
that both share, with the readings as they are made and with each scrape taken as it comes, and that a
bad candidate is failed and a healthy one passes all the same.
"""

from __future__ import annotations

import argparse
from collections import Counter

from rollout.adapters.metrics.prometheus import apart
from rollout.domain.verdict import Verdict
from tests.unit.metrics.test_apart import Pods, verdict

OUTAGES = {"10 s, 30 %": (10.0, 0.3), "10 s, 100 %": (10.0, 1.0), "3 s, 100 %": (3.0, 1.0)}
NONE = (0.0, 0.0, 0.0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="of each case")
    runs = range(parser.parse_args().runs)
    print(
        f"{'of ' + str(len(runs)) + ' each':<28}{'failed':>8}{'passed':>8}{'as it comes: failed':>21}"
    )
    for name, (seconds, share) in OUTAGES.items():
        for blues in (1, 3):
            begins = {seed: 60.0 + 140.0 * seed / len(runs) for seed in runs}
            cases = {seed: (begins[seed], seconds, share) for seed in runs}
            found = Counter(verdict(Pods(each, blues).readings(cases[each])) for each in runs)
            before = bare(blues, cases)
            tell(f"both {name}, {blues} of blue", found, before)
    for bad in (0.03, 0.1, 0.3):
        found = Counter(verdict(Pods(each, 3).readings(NONE, bad=bad)) for each in runs)
        tell(f"green alone {bad:.0%}", found)
    tell("nobody", Counter(verdict(Pods(each, 3).readings(NONE)) for each in runs))


def bare(blues: int, cases: dict[int, tuple[float, float, float]]) -> Counter[Verdict]:
    """The same with each scrape compared as it comes."""
    real, apart.are_apart = apart.are_apart, lambda *_: False
    try:
        return Counter(verdict(Pods(seed, blues).readings(each)) for seed, each in cases.items())
    finally:
        apart.are_apart = real


def tell(name: str, found: Counter[Verdict], before: Counter[Verdict] | None = None) -> None:
    bare_failed = "" if before is None else str(before[Verdict.FAIL])
    print(
        f"{name:<28}{found[Verdict.FAIL]:>8}{found[Verdict.PASS]:>8}{bare_failed:>21}", flush=True
    )


if __name__ == "__main__":
    main()
