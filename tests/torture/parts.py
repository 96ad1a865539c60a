"""Everything that `make torture` does, part by part; each part gives its lines of the table."""

from __future__ import annotations

import multiprocessing
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.simulation.model import explore
from tests.simulation.test_model import DESIGN, LARGE, MUTANTS, STUCK
from tests.torture.kills import Sweep, haunted, sweep
from tests.torture.races import race
from tests.torture.row import Row
from tests.torture.scenarios import SCENARIOS
from tests.torture.server import ROOT, Pool, pool
from tests.torture.simulation.campaign import campaign
from tests.torture.stores import KINDS, Shared, shared
from tests.torture.swallowed import swallowed
from tests.torture.zombies import zombies

EMPTY: Mapping[str, str] = {}
STORIES, FEW_STORIES = 20_000, 400
MANY_EXAMPLES, FEW_EXAMPLES = 2_000, 40
HAUNTED = (5, 8, 10, 13)  # each runner is killed at its so-manieth mark
SPARSE = 7  # every so-manieth mark is enough for a quick look
MEMORY = Path("/dev/shm")
AT_ONCE = 4  # processes with tests
LOCAL = ("tests/acceptance/local/test_crashes.py", "tests/acceptance/test_faults.py")
STORES = ("in memory", "on sqlite", "on postgresql")
MACHINE = "tests/simulation/test_machine.py::test_no_order_of_events_breaks_a_promise"


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is done.

    Args:
        quick: A look at every part instead of the whole of it.
        seed: The first one of the simulation.
    """

    quick: bool = False
    seed: int = 0

    @property
    def every(self) -> int:
        """Of marks and answers."""
        return SPARSE if self.quick else 1


Part = Callable[[Extent], Iterator[Row]]


# --- in one process -----------------------------------------------------------------


def model(extent: Extent) -> Iterator[Row]:
    """All orders of all events, in a small world; and every rule left out once."""
    names = [*DESIGN] if extent.quick else [*LARGE, *DESIGN]  # what takes longest comes first
    spawning = multiprocessing.get_context("spawn")  # no threads are inherited
    with ProcessPoolExecutor(mp_context=spawning) as processes:
        rows = [processes.submit(_explored, name) for name in names]
        caught = processes.map(_caught, MUTANTS)
        yield from (each.result() for each in as_completed(rows))
        missed = [name for name, found in zip(MUTANTS, caught, strict=True) if not found]
    note = f"not caught: {', '.join(missed)}" if missed else "a rule left out breaks its invariant"
    yield Row("model: mutants", len(MUTANTS), wrong=len(missed), note=note)


def _explored(name: str) -> Row:
    report = explore({**DESIGN, **LARGE}[name])
    broken = "; ".join(report.violations)
    counts = f"{report.states:,} states, {report.transitions:,} transitions"
    note = f"{counts}: {broken}" if broken else counts
    return Row(f"model: {name}", 1, len(report.violations), stuck=report.stuck, note=note)


def _caught(name: str) -> bool:
    mutant = MUTANTS[name]
    report = explore(mutant.setup, mutant.patch, until=mutant.breaks)
    return mutant.breaks in {*report.violations, STUCK if report.stuck else ""}


def simulation(extent: Extent) -> Iterator[Row]:
    """Whole rollouts in virtual time, with trouble everywhere."""
    tally = campaign(extent.seed, FEW_STORIES if extent.quick else STORIES)
    yield tally.row("simulation: one seed, one rollout")


def machine(extent: Extent) -> Iterator[Row]:
    """Hypothesis looks for an order of events that breaks something, on each store."""
    examples = FEW_EXAMPLES if extent.quick else MANY_EXAMPLES
    words = {f"machine, {on}": f"{MACHINE}_{on.replace(' ', '_')}" for on in STORES}
    yield from _tested(words, environment={"TORTURE_EXAMPLES": str(examples)})


# --- in real processes ----------------------------------------------------------------


def kills(extent: Extent) -> Iterator[Row]:
    """SIGKILL at every mark, on every store; and all the time."""
    with pool() as servers:
        yield from _killed(servers, "sqlite", "", extent)
        for scenario in SCENARIOS:
            for every in HAUNTED:
                with _place() as place:
                    row = haunted(servers, place, scenario, every)
                yield _named(row, f"SIGKILL again and again, at mark {every}: {scenario}")
    for store, servers in _yards():
        yield from _killed(servers, store.kind, store.state, extent)


def _killed(servers: Pool, kind: str, state: str, extent: Extent) -> Iterator[Row]:
    for scenario in SCENARIOS:
        with _place() as place:
            row = sweep(Sweep(servers, place, scenario, state, every=extent.every), scenario)
        yield _named(row, f"SIGKILL, {kind}: {scenario}")


def frozen(extent: Extent) -> Iterator[Row]:
    """SIGSTOP before a call; it thaws when all is over."""
    with pool() as servers, _place() as place:
        yield _named(zombies(servers, place), "SIGSTOP before each call, sqlite")
    for store, servers in () if extent.quick else _yards():
        with _place() as place:
            row = zombies(servers, place, store.state)
        yield _named(row, f"SIGSTOP before each call, {store.kind}")


def answers(extent: Extent) -> Iterator[Row]:
    """A store's answers get lost on their way."""
    for store, _ in _yards():
        with _place() as place:
            row = swallowed(store, place, every=extent.every)
        yield _named(row, f"answers lost, {store.kind}")


def races(_: Extent) -> Iterator[Row]:
    """Eight runners at once."""
    with pool(1) as servers, _place() as place:
        yield _named(race(servers.servers[0], place), "8 runners at once, sqlite")
    for store, servers in _yards():
        with _place() as place:
            row = race(servers.servers[0], place, store.state)
        yield _named(row, f"8 runners at once, {store.kind}")


def tests(extent: Extent) -> Iterator[Row]:
    """A test each: the local endpoint under load; disks, outages, clocks, ticks, exit codes."""
    here = Path(__file__).parent
    sweeps = here / "local_endpoint.py"
    names = re.findall(r"^def test_(\w+)", sweeps.read_text(), re.MULTILINE)
    words = {} if extent.quick else {"a store away for a minute": str(here / "minute.py")}
    words |= {f"SIGKILL, local: {name}": f"{sweeps}::test_{name}" for name in names}
    words |= {f"local endpoint, {Path(path).stem[5:]}": path for path in LOCAL}
    words |= {path.stem.removeprefix("test_"): str(path) for path in sorted(here.glob("test_*.py"))}
    yield from _tested(words)  # what takes longest comes first


PARTS: Mapping[str, Part] = {
    "model": model,
    "simulation": simulation,
    "machine": machine,
    "kills": kills,
    "frozen": frozen,
    "answers": answers,
    "races": races,
    "tests": tests,
}


# --- shared --------------------------------------------------------------------------


def _yards() -> Iterator[tuple[Shared, Pool]]:
    for kind in KINDS:
        with shared(kind) as store, pool(2, store.more) as servers:
            yield store, servers


@contextmanager
def _place() -> Iterator[Path]:
    """A folder that is gone in the end, in memory where there is one."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as made:
        yield Path(made)


def _named(row: Row, name: str) -> Row:
    return Row(name, row.runs, row.wrong, row.doubled, row.stuck, row.note)


def _tested(words: Mapping[str, str], *, environment: Mapping[str, str] = EMPTY) -> Iterator[Row]:
    """Tests as lines, by what they are called there: a run each; most of them wait most of the time."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        rows = [threads.submit(_test, *each, environment) for each in words.items()]
        yield from (each.result() for each in as_completed(rows))


def _test(name: str, word: str, environment: Mapping[str, str]) -> Row:
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, word],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    lines = done.stdout.strip().splitlines() or [done.stderr.strip()]
    counts = {what: int(n) for n, what in re.findall(r"(\d+) (passed|failed|error)", lines[-1])}
    bad = counts.get("failed", 0) + counts.get("error", 0)
    first = next((line for line in lines if line.startswith(("FAILED", "ERROR"))), lines[-1])
    passed = counts.get("passed", 0)
    wrong = bad or int(done.returncode != 0)
    return Row(f"tests: {name}", passed + bad, wrong=wrong, note=first if wrong else "")
