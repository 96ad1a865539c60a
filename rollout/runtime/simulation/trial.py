"""One rollout in virtual time: the real runner, meter, gates and decisions over a model endpoint.

The loop is ``Driver`` and the measuring is ``Meter``, so that a simulation paces, judges and decides
exactly as ``rollout apply`` does; only what they talk to is replaced. The journal is kept as values:
writing each state as JSON and reading it back, as the real one does, takes longer than all the rest,
and a simulation has nothing to resume.

Each trial has a stream of random numbers of its own, made from the seed and the trial's number, so
that it comes out the same whoever runs it and whatever ran before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from rollout.domain.criteria import Check, Gate
from rollout.domain.events import Measured
from rollout.domain.outcome import exit_code, outcome
from rollout.domain.plan import Plan
from rollout.domain.run import Exposure, Phase, Run
from rollout.domain.verdict import Judgement, Verdict
from rollout.gates.rules import GUARD, Rules, compile_rules
from rollout.runtime import begin
from rollout.runtime.begin import Course, Standing
from rollout.runtime.drive import Driver
from rollout.runtime.journal import Entry
from rollout.runtime.meter import Meter
from rollout.runtime.simulation.ledger import PEOPLE, Ledger, Unrivalled
from rollout.runtime.simulation.model import ModelEndpoint, VirtualClock
from rollout.runtime.simulation.recording import Recording, Replay
from rollout.runtime.simulation.saying import Topics
from rollout.runtime.simulation.scenarios import Onset, Scenario, begins
from rollout.runtime.simulation.traffic import Climate, Drawn, Source

RUN = "r-simulated"
COARSEST = 10.0  # seconds between measurements, at most, in a stage's first hour
RECORDED = ("error_rate", "latency", "requests")  # metrics that a recording has


@dataclass(frozen=True, slots=True)
class Setup:
    """What every trial of a simulation has in common.

    Args:
        plan: Its gates hold only checks that can be simulated.
        rules: The gates, compiled.
        fresh: The run as it begins.
        world: The scenario, or what was recorded.
        climate: What traffic is like.
        onset: Index of the stage with which the scenario begins.
        seed: Of all random numbers.
        consent: What people say when they are asked: a key of ``ledger.PEOPLE``.
        coarsest: See ``traffic.Drawn``.
    """

    plan: Plan
    rules: Rules
    fresh: Run
    world: Scenario | Recording
    climate: Climate
    onset: int
    seed: int
    consent: str
    coarsest: float

    def source(self, number: int) -> Source:
        """What the trial of this number measures."""
        if isinstance(self.world, Recording):
            return Replay(self.world)
        random = Random(f"{self.seed}/{number}")  # noqa: S311 - a simulation keeps no secrets
        return Drawn(self.climate, self.world, random, self.coarsest, Topics.of(self.plan))


@dataclass(frozen=True, slots=True)
class Said:
    """The last word of a gate, or of a guard that failed, in one stage.

    Args:
        stage, gate: Which.
        verdict: Its word.
        why: The checks that failed, or the cause of no verdict; empty: neither.
        seconds: How long it had observed.
        alone: Whether all that failed are objectives, judged without a baseline.
    """

    stage: str
    gate: str
    verdict: Verdict
    why: str
    seconds: float
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one simulated rollout.

    Args:
        number: Its place in the simulation, from 0.
        outcome, code: As ``rollout apply`` would end.
        stage: Where it ended; empty: behind the last stage.
        reason: Why it ended there; empty: it completed.
        seconds: Virtual time to the end.
        exposure: Live requests that the candidate answered, to the very end.
        said: The gates' last words, in order.
        why: ``Why`` it ended as it did; empty: it completed.
        over: Whether a recording ended before the rollout did.
    """

    number: int
    outcome: str
    code: int
    stage: str
    reason: str
    seconds: float
    exposure: Exposure
    said: tuple[Said, ...]
    why: str = ""
    over: bool = False


def prepare(
    plan: Plan,
    world: Scenario | Recording,
    climate: Climate,
    *,
    onset: str | None = None,
    seed: int = 1,
    consent: str = "yes",
    coarsest: float = COARSEST,
) -> Setup:
    """What every trial needs, made once.

    Args:
        plan: As it was read.
        world: The scenario, or what was recorded.
        climate: What traffic is like without a scenario.
        onset: Id of the stage with which the scenario begins; None: where it usually does.
        seed: Of all random numbers.
        consent: What people say when they are asked.
        coarsest: See ``traffic.Drawn``; 1.0: measure every second, always.

    Raises:
        UsageError: no stage has that id.
    """
    usual = world.onset if isinstance(world, Scenario) else Onset.TRAFFIC
    at = begins(plan, onset or usual)
    kept = plan
    if isinstance(world, Recording):
        kept = replace(plan, gates={name: _simulated(gate) for name, gate in plan.gates.items()})
    rules = compile_rules(kept)
    return Setup(kept, rules, _fresh(kept), world, climate, at, seed, consent, coarsest)


def left_out(plan: Plan, world: Scenario | Recording) -> tuple[str, ...]:
    """Checks that cannot be simulated, as ``gate: check``: a recording has no answers."""
    if not isinstance(world, Recording):
        return ()
    return tuple(
        f"{name}: {check.name}"
        for name, gate in plan.gates.items()
        for check in gate.checks
        if not _known(check)
    )


def _simulated(gate: Gate) -> Gate:
    return replace(gate, checks=tuple(check for check in gate.checks if _known(check)))


def _known(check: Check) -> bool:
    return check.metric in RECORDED and not check.kind


def _fresh(plan: Plan) -> Run:
    """The run as ``rollout apply`` would begin it, with a name that is always the same."""
    clock = VirtualClock()
    source = Replay(Recording("", ()))
    endpoint = ModelEndpoint(plan, source, clock, onset=len(plan.stages))
    ledger = Ledger(clock, PEOPLE["never"])
    standing = Standing(Course.START, "simulated", None)
    run = begin.own(plan, endpoint, ledger, standing, "simulation")
    return replace(run, id=RUN, windows=())  # virtual time has no days of the week


def run_trial(setup: Setup, number: int) -> tuple[Trial, tuple[Entry, ...]]:
    """Drive one rollout to its end.

    A held run is left as it is, and so is one that waits for an answer that never comes.

    Args:
        setup: What is simulated.
        number: Of the trial, from 0.

    Returns:
        What came of it, and its story; times in virtual seconds from 0.
    """
    clock, source, plan = VirtualClock(), setup.source(number), setup.plan
    endpoint = ModelEndpoint(
        plan,
        source,
        clock,
        onset=setup.onset,
        unsound=isinstance(setup.world, Scenario) and setup.world.unsound,
        seconds=setup.climate.latency,
    )
    person = PEOPLE[setup.consent]
    ledger = Ledger(clock, person)
    ledger.start(setup.fresh, "", plan.file)
    meter = Meter(endpoint, setup.rules, clock)

    def leaves(run: Run) -> bool:
        return run.phase is Phase.HELD or person.leaves(run)

    Driver(plan, endpoint, ledger, Unrivalled(), meter, clock, endpoint, stopping=leaves).drive()
    endpoint.finish()
    story = tuple(ledger.entries)
    return _trial(number, story, clock.now(), source), story


def _trial(number: int, story: Sequence[Entry], seconds: float, source: Source) -> Trial:
    run = story[-1].state
    return Trial(
        number=number,
        outcome=outcome(run),
        code=exit_code(run),
        stage=run.stage.id if run.stage else "",
        reason=run.cause.text if run.cause else "",
        seconds=seconds,
        exposure=source.exposure,
        said=_words(story),
        why=run.cause.why.value if run.cause else "",
        over=source.over,
    )


def _words(story: Sequence[Entry]) -> tuple[Said, ...]:
    """The last word in each stage; of a guard only a failure is one."""
    last: dict[str, Judgement] = {}
    for entry in story:
        judgement, stage = entry.state.judgement, entry.state.stage
        if isinstance(entry.event, Measured) and judgement is not None and stage is not None:
            last[stage.id] = judgement
    return tuple(
        _said(stage, found)
        for stage, found in last.items()
        if found.gate != GUARD or found.verdict is Verdict.FAIL
    )


def _said(stage: str, found: Judgement) -> Said:
    failed = [each for each in found.checks if each.verdict is Verdict.FAIL]
    names = (
        each.check if each.baseline_requests else f"{each.check} {each.criteria}" for each in failed
    )
    return Said(
        stage=stage,
        gate=found.gate,
        verdict=found.verdict,
        why=", ".join(dict.fromkeys(names)) or found.cause,
        seconds=found.observed_seconds,
        alone=bool(failed) and not any(each.baseline_requests for each in failed),
    )
