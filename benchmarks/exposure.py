"""How many users a bad candidate reaches before it has lost its traffic, on the real local endpoint.

`python -m benchmarks.exposure [--runs 5] [--rps 50]`: clients of their own send requests all the
time; each row is the median of the runs. Requests are counted by the clients, by the header
`azureml-model-deployment` of the answers; seconds are from the first to the last bad answer.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.acceptance.conftest import Site  # noqa: E402 - after the path

ROWS = (
    ("bad-errors.yaml", "errors", "20 % of requests fail, mirror stage"),
    ("bad-errors-no-mirror.yaml", "errors", "20 % of requests fail, no mirror stage, 10 %"),
    ("bad-broken.yaml", "broken", "every request fails, no mirror stage, 10 %"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run."""

    code: int
    reached: int
    bad: int
    seconds: float


def once(plan: str, deployment: str, rps: float) -> Outcome:
    """One rollout of a fresh endpoint under the clients' load."""
    folder = Path(tempfile.mkdtemp(prefix="exposure-"))
    shutil.copytree(ROOT / "plans", folder / "plans")
    site = Site(folder)
    try:
        name = site.quick(f"plans/{plan}")
        assert site.rollout("local", "up", name).returncode == 0
        with site.traffic(name, rps) as clients:
            code = site.rollout("apply", name, "--auto-approve").returncode
        clients.stop()
        bad = [each.at for each in clients.failed()]
        reached = sum(each.deployment == deployment for each in clients.answers)
        return Outcome(code, reached, len(bad), max(bad) - min(bad) if bad else 0.0)
    finally:
        site.close()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rps", type=float, default=50.0)
    asked = parser.parse_args()
    print(f"median (worst) of {asked.runs} runs at {asked.rps:g} requests/s")
    print(f"{'candidate':<46}{'exit':>6}{'reached':>14}{'bad answers':>14}{'seconds':>14}")
    for plan, deployment, label in ROWS:
        runs = [once(plan, deployment, asked.rps) for _ in range(asked.runs)]
        codes = "/".join(sorted({str(each.code) for each in runs}))
        cells = [
            f"{statistics.median(values):.4g} ({max(values):.4g})"
            for values in (
                [each.reached for each in runs],
                [each.bad for each in runs],
                [round(each.seconds, 2) for each in runs],
            )
        ]
        print(f"{label:<46}{codes:>6}" + "".join(f"{cell:>14}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
