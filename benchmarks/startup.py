"""How long short commands take, beside an import of the two libraries that reading a plan needs.

Run: ``python benchmarks/startup.py [--runs N]``. The target is 1.5 times the first line.
"""

from __future__ import annotations

import argparse
import compileall
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rollout.domain import events as e
from rollout.domain.plan import DeploymentRef, EndpointRef, Plan, Shift, Stage
from rollout.domain.run import Run, Split
from rollout.runtime.begin import kept
from rollout.runtime.journal import Journal
from rollout.wiring import plugs

ROOT = Path(__file__).resolve().parent.parent
BASE = "import yaml, jsonschema"
TARGET = 1.5
RUNS = 20


def main() -> int:
    """Print the table; 1 when a command misses the target by processor time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"of each command [{RUNS}]")
    parser.add_argument("--plan", default=str(ROOT / "plans" / "safe-rollout.yaml"))
    given = parser.parse_args()
    compileall.compile_dir(ROOT / "rollout", quiet=1)  # as pip does for what it installs
    with tempfile.TemporaryDirectory() as folder:
        state = f"sqlite:///{folder}/state.db"
        fill(state)
        return _table(_commands(given.plan, state), given.runs)


def _commands(plan: str, state: str) -> dict[str, list[str]]:
    rollout = str(Path(sys.executable).with_name("rollout"))
    return {
        f'python -c "{BASE}"': [sys.executable, "-c", BASE],
        "rollout --help": [rollout, "--help"],
        "rollout version": [rollout, "version"],
        "rollout validate PLAN": [rollout, "validate", plan],
        "rollout status": [rollout, "status", "--state", state],
        "rollout history": [rollout, "history", "--state", state],
    }


def fill(state: str) -> None:
    """A journal with one finished run."""
    plan = Plan(
        "bench",
        EndpointRef("local", "bench"),
        DeploymentRef("blue"),
        DeploymentRef("green"),
        (Stage("shift-100", Shift(100)),),
    )
    run = Run(
        id="r-00000001",
        plan=plan.name,
        endpoint=plan.endpoint.name,
        identity="",
        digest="",
        baseline="blue",
        candidate="green",
        baseline_digest="",
        candidate_digest="",
        stages=plan.stages,
        on_failure=plan.on_failure,
        on_inconclusive={},
        author="bench",
        started=0.0,
        since=0.0,
    )
    store = plugs.store(state)
    journal = Journal(store, "local/bench", "bench")
    journal.start(run, kept(plan), "")
    for event in (
        e.SplitCaptured(Split({"blue": 100})),
        e.SetPointReached("shift-100", Split({"green": 100})),
        e.StagePassed("shift-100"),
        e.Ended(),
    ):
        journal.append(event)
    store.close()


def _table(commands: dict[str, list[str]], runs: int) -> int:
    wall: dict[str, list[float]] = {name: [] for name in commands}
    busy: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs + 1):  # the first round fills caches and does not count
        for name, words in commands.items():
            before, began = _used(), time.perf_counter()
            subprocess.run(
                words, check=True, capture_output=True, env={**os.environ, "TERM": "dumb"}
            )
            wall[name].append(time.perf_counter() - began)
            busy[name].append(_used() - before)
    base = next(iter(commands))
    base_wall, base_busy = _median(wall[base]), _median(busy[base])
    worst = 0.0
    print(
        f"{'median of ' + str(runs) + ' alternating runs':<42} {'wall':>8} {'ratio':>6}   {'cpu':>8} {'ratio':>6}"
    )
    for name in commands:
        took, used = _median(wall[name]), _median(busy[name])
        worst = max(worst, used / base_busy)
        print(
            f"{name:<42} {took * 1000:>5.0f} ms {took / base_wall:>6.2f}   "
            f"{used * 1000:>5.0f} ms {used / base_busy:>6.2f}"
        )
    print(f"target: at most {TARGET} times; worst by processor time: {worst:.2f}")
    return int(worst > TARGET)


def _median(values: list[float]) -> float:
    return statistics.median(values[1:])


def _used() -> float:
    """Processor seconds of all children so far."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


if __name__ == "__main__":
    sys.exit(main())
