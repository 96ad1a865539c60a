"""What a plan would do in virtual time: once as a story, or often enough for probabilities."""

from __future__ import annotations

import math
import shlex
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from rollout.api.plans import read_plan
from rollout.api.settings import Settings
from rollout.domain.errors import RolloutError, UsageError
from rollout.domain.plan import Plan
from rollout.runtime.simulation.ledger import PEOPLE
from rollout.runtime.simulation.recording import Recording, read_recording
from rollout.runtime.simulation.scenarios import SCENARIOS, Scenario, sized
from rollout.runtime.simulation.summary import Simulation
from rollout.runtime.simulation.traffic import Climate, steady
from rollout.runtime.simulation.trial import Setup, Trial, left_out, prepare, run_trial

TRAFFICS = ("drifting", "steady")
CONSENTS = tuple(PEOPLE)
_FEW = 10  # trials that are not worth a process of their own
_CHUNK = 4  # trials that a process runs before it tells of them: Ctrl-C waits for no more
_LOOK = 0.2  # seconds between two looks at whether to stop


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be simulated, as a person says it; None: as usual.

    Args:
        scenario: A scenario's name, or a file of recorded intervals.
        effect: Another size of the scenario: ``1pp``, ``20%``.
        onset: Id of the stage with which the scenario begins.
        rps: Requests a second; usually those of the plan's ``load``, else 50.
        error_rate: The baseline's, a fraction of 1.
        latency: The baseline's median, seconds.
        traffic: One of `TRAFFICS`.
        consent: What people say when a stage asks them, one of `CONSENTS`.
        seed: Of all random numbers.
    """

    scenario: str = "healthy"
    effect: str | None = None
    onset: str | None = None
    rps: float | None = None
    error_rate: float | None = None
    latency: float | None = None
    traffic: str | None = None
    consent: str = "yes"
    seed: int = 1


def simulate(  # noqa: PLR0913 - a name for each thing a caller may want otherwise
    plan: str | Path,
    settings: Settings | None = None,
    *,
    wish: Wish | None = None,
    runs: int = 1,
    pick: int | None = None,
    jobs: int = 1,
    told: Callable[[int], None] = lambda _: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Simulation:
    """Take a plan through its stages in virtual time; nothing real is touched.

    The same plan, wish and trial number give the same trial, whatever ``jobs`` is.

    Args:
        plan: The plan file.
        settings: For the plan's variables.
        wish: What is to be simulated.
        runs: How many rollouts; a single one is told as a story.
        pick: The number, from 0, of the only one that is to be run; None: all of them.
        jobs: Processes that share the work; more than one import the caller's main module anew, so
            that a script guards its own work by ``if __name__ == "__main__"``.
        told: Called with the number of finished trials, now and then.
        stopping: Asked now and then; True ends the simulation with what there is.

    Raises:
        PlanInvalid: the plan, or the recording, with every finding.
        UsageError: the wish cannot be granted.
    """
    used, asked = settings or Settings(), wish or Wish()
    _check(asked, runs, jobs)
    value = read_plan(plan, used)
    world = _world(value, asked)
    climate = _climate(value, world, asked)
    numbers = range(runs) if pick is None else (pick,)
    if isinstance(world, Recording) and len(numbers) > 1:
        do = "Simulate it once: leave --runs out."
        raise UsageError("A recording always comes out the same.", do=do)
    setup = prepare(
        value, world, climate, onset=asked.onset, seed=asked.seed, consent=asked.consent
    )
    traffic = asked.traffic or TRAFFICS[0]
    made = Simulation(
        value, world, climate, traffic, asked.seed, len(numbers), left_out=left_out(value, world)
    )
    if len(numbers) == 1:
        trial, story = run_trial(setup, numbers[0])
        return replace(made, trials=(trial,), story=story)
    found = sorted(_many(setup, numbers, jobs, told, stopping), key=lambda each: each.number)
    return replace(made, trials=tuple(found))


# --- what is simulated ------------------------------------------------------------


def _check(wish: Wish, runs: int, jobs: int) -> None:
    """What the command line's own types have checked already, for callers from Python."""
    named = (("traffic", wish.traffic, TRAFFICS), ("consent", wish.consent, CONSENTS))
    for name, value, known in named:
        if value is not None and value not in known:
            raise UsageError(f"{name} is {value!r}.", do=f"Say one of {', '.join(known)}.")
    bounds = (
        ("runs", runs, 1, math.inf),
        ("jobs", jobs, 1, math.inf),
        ("rps", wish.rps, 1e-9, 1e6),
        ("error_rate", wish.error_rate, 0.0, 1.0),
        ("latency", wish.latency, 1e-6, 1e6),
    )
    for name, number, low, high in bounds:
        if number is not None and not low <= number <= high:
            raise UsageError(
                f"{name} is {number}.", do=f"Give it a value from {low:g} to {high:g}."
            )


def _world(plan: Plan, wish: Wish) -> Scenario | Recording:
    scenario = SCENARIOS.get(wish.scenario)
    if scenario is None:
        return _recording(plan, wish)
    return scenario if wish.effect is None else sized(scenario, wish.effect)


def _recording(plan: Plan, wish: Wish) -> Recording:
    file = Path(wish.scenario)
    if not file.is_file():
        names = ", ".join(SCENARIOS)
        raise UsageError(
            f"There is no scenario {wish.scenario!r}, and no file of that name.",
            do=f"Say one of {names}, or the path of recorded intervals.",
        )
    drawn = {
        "--effect": wish.effect,
        "--from": wish.onset,
        "--rps": wish.rps,
        "--error-rate": wish.error_rate,
        "--latency": wish.latency,
        "--traffic": wish.traffic,
    }
    if given := [flag for flag, value in drawn.items() if value is not None]:
        text = " and ".join(given)
        raise UsageError(f"{text} cannot change what was recorded.", do=f"Leave {text} out.")
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            return read_recording(
                lines, wish.scenario, baseline=plan.baseline.name, candidate=plan.candidate.name
            )
    except OSError as error:
        why = error.strerror or error
        do = f"Look at it: ls -l {shlex.quote(wish.scenario)}"
        raise UsageError(f"{wish.scenario} cannot be read: {why}.", do=do) from error


def _climate(plan: Plan, world: Scenario | Recording, wish: Wish) -> Climate:
    usual = Climate()
    scenario = world.rps if isinstance(world, Scenario) else None
    drifting = replace(
        usual,
        rps=wish.rps or scenario or plan.load_rps or usual.rps,
        error_rate=usual.error_rate if wish.error_rate is None else wish.error_rate,
        latency=wish.latency or usual.latency,
    )
    return steady(drifting) if wish.traffic == "steady" else drifting


# --- many ---------------------------------------------------------------------------


def _many(
    setup: Setup,
    numbers: Sequence[int],
    jobs: int,
    told: Callable[[int], None],
    stopping: Callable[[], bool],
) -> list[Trial]:
    workers = min(jobs, len(numbers) // _FEW)
    found: list[Trial] = []
    chunks = _shared(setup, numbers, workers, stopping) if workers > 1 else _alone(setup, numbers)
    for chunk in chunks:
        found += chunk
        told(len(found))
        if stopping():
            break
    return found


def _alone(setup: Setup, numbers: Sequence[int]) -> Iterator[list[Trial]]:
    for number in numbers:
        yield _run(setup, (number,))


def _shared(
    setup: Setup, numbers: Sequence[int], workers: int, stopping: Callable[[], bool]
) -> Iterator[list[Trial]]:
    """The trials by several processes, as they come."""
    size = min(_CHUNK, len(numbers) // workers)
    # A fork would copy threads and locks of whoever calls this; a fresh interpreter has none.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_deafened)
    try:
        open_: set[Future[list[Trial]]] = {
            pool.submit(_run, setup, numbers[at : at + size]) for at in range(0, len(numbers), size)
        }
        while open_ and not stopping():
            done, open_ = wait(open_, timeout=_LOOK, return_when=FIRST_COMPLETED)
            for each in done:
                yield each.result()
    except BrokenProcessPool as error:
        raise RolloutError(
            "A process of the simulation was killed.", do="Try it with one: add --jobs 1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _deafened() -> None:
    """Ctrl-C goes to every process of a terminal; whoever started this one decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run(setup: Setup, numbers: Sequence[int]) -> list[Trial]:
    return [run_trial(setup, number)[0] for number in numbers]
