"""What is due: a pure function of the run, the endpoint as seen, and the time.

It is level-triggered. Nothing is remembered beside the run: an effect that was applied although its
reply got lost is seen, one that was not applied is due again. So a crash can lose nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from rollout.domain.endpoint import (
    Condition,
    CreateEndpoint,
    DeleteDeployment,
    DeploymentSeen,
    Effect,
    PutDeployment,
    ScaleDeployment,
    Seen,
    SetSplit,
)
from rollout.domain.events import (
    Ended,
    Event,
    Held,
    RollbackBegan,
    RollbackUnverified,
    RolledBack,
    SetPointReached,
    SplitCaptured,
    StagePassed,
)
from rollout.domain.plan import (
    BASELINE,
    CANDIDATE,
    Approve,
    Bootstrap,
    Create,
    Delete,
    Mirror,
    Preflight,
    Scale,
    Shift,
    Smoke,
    Stage,
    Wait as WaitStage,
)
from rollout.domain.run import Cause, Phase, Run, Split, Step, Why
from rollout.domain.units import spell_duration
from rollout.domain.verdict import Verdict

ATTEMPTS = 6  # effects begun for one step before it counts as poisoned
WHOLE = 100  # percent


class On(Enum):
    """On whom or what a run waits."""

    PROVISIONING = "provisioning"
    BACKOFF = "retry"
    TIMER = "timer"
    APPROVAL = "approval"
    PERSON = "person"


class Question(Enum):
    """What only the world can answer; the answer becomes an event."""

    PREFLIGHT = "preflight"
    SMOKE = "smoke"
    OBSERVE = "observe"
    MEASURE = "measure"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class Act:
    """Write the intent, then begin this effect."""

    effect: Effect


@dataclass(frozen=True, slots=True)
class Ask:
    """Find the answer and append it."""

    question: Question


@dataclass(frozen=True, slots=True)
class Record:
    """Append this event; it follows from what is known."""

    event: Event


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again a little later, at ``until`` (Unix seconds) at the latest."""

    on: On
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing is due for a runner: the run is final, or only a person can move it."""


Decision = Act | Ask | Record | Wait | Rest
Rule = Callable[[Run, Seen, float], Decision | None]


def decide(run: Run, seen: Seen, now: float) -> Decision:
    """What a runner must do next.

    Args:
        run: The run as folded from the journal.
        seen: The endpoint, read after the last effect.
        now: Unix seconds of the store.
    """
    match run.phase:
        case Phase.RUNNING:
            return _forward(run, seen, now)
        case Phase.PAUSED:
            return _failing(run) or _watch(run, On.PERSON)
        case Phase.ROLLING_BACK | Phase.UNVERIFIED:
            return _back(run, seen, now)
        case _:
            return Rest()


def backoff(attempts: int) -> float:
    """Seconds between one attempt and the next.

    >>> [backoff(n) for n in (1, 2, 6)]
    [1.0, 2.0, 30.0]
    """
    return min(2.0 ** (attempts - 1), 30.0)


# --- forward -----------------------------------------------------------------


def _forward(run: Run, seen: Seen, now: float) -> Decision:
    for rule in (_troubled, _late, _settling, _uncaptured, _drifted, _sick):
        if (found := rule(run, seen, now)) is not None:
            return found
    stage = run.stage
    if stage is None:
        return Record(Ended())
    if run.step is Step.OBSERVING:
        return _observing(run, stage, now)
    if now < run.since + stage.after:
        return _failing(run) or _watch(run, On.TIMER, run.since + stage.after)
    return _failing(run) or _entering(run, stage, seen, now)


def _troubled(run: Run, seen: Seen, now: float) -> Decision | None:
    return _stop(run, run.trouble) if run.trouble else None


def _late(run: Run, seen: Seen, now: float) -> Decision | None:
    if run.deadline is None or now < run.deadline or run.committed:
        return None
    spent = spell_duration(run.deadline - run.started)
    return _stop(run, Cause(Why.DEADLINE, f"The plan's deadline of {spent} is over."))


def _settling(run: Run, seen: Seen, now: float) -> Decision | None:
    return Wait(On.PROVISIONING) if seen.busy else None


def _uncaptured(run: Run, seen: Seen, now: float) -> Decision | None:
    """Before the first write the endpoint must be as every plan assumes it: all on the baseline."""
    if run.expected is not None or _early(run):
        return None
    split = Split.of(seen)
    if run.adopt or run.captured is not None or split == Split({run.baseline: WHOLE}):
        return Record(SplitCaptured(split))
    if not seen.exists:
        text = f"The endpoint {run.endpoint} does not exist, and the plan has no baseline.file to create it."
    else:
        text = f"The plan starts from {run.baseline} 100, but the endpoint has: {split}."
    return Record(Held(Cause(Why.DRIFT, text)))


def _early(run: Run) -> bool:
    return run.stage is not None and isinstance(run.stage.work, Preflight | Bootstrap)


def _drifted(run: Run, seen: Seen, now: float) -> Decision | None:
    """A person's change by hand is noticed and never trampled in forward mode."""
    if run.expected is None:
        return None
    split = Split.of(seen)
    if split != run.expected and not _ours(run, split):
        text = f"Expected {run.expected}; the endpoint has {split}."
        return Record(Held(Cause(Why.DRIFT, text)))
    missing = [run.candidate] if run.created and run.candidate not in seen.deployments else []
    if not run.committed and run.baseline not in seen.deployments:
        missing.append(run.baseline)
    if missing:
        text = f"The deployment {' and '.join(missing)} was deleted by somebody else."
        return Record(Held(Cause(Why.DRIFT, text)))
    return None


def _ours(run: Run, split: Split) -> bool:
    """Whether this split is what our own write in flight makes."""
    return isinstance(run.intent, SetSplit) and split == _goal(run.intent)


def _goal(effect: SetSplit) -> Split:
    return Split(effect.traffic, effect.mirror)


def _sick(run: Run, seen: Seen, now: float) -> Decision | None:
    candidate = seen.deployments.get(run.candidate)
    if run.created and candidate is not None and candidate.condition is Condition.FAILED:
        text = f"{run.candidate} failed: {candidate.error or 'no reason given'}"
        return _stop(run, Cause(Why.CANDIDATE_FAILED, text))
    baseline = seen.deployments.get(run.baseline)
    failed = baseline is not None and baseline.condition is Condition.FAILED
    if baseline is not None and failed and run.expected is not None and not run.committed:
        text = f"{run.baseline}, the baseline, failed: {baseline.error or 'no reason given'}"
        return Record(Held(Cause(Why.BASELINE_FAILED, text)))
    return None


def _stop(run: Run, cause: Cause) -> Decision:
    """Answer trouble: roll back where something can be restored, else end or hold."""
    if run.captured is None:
        held = cause.why in (Why.BOOTSTRAP_FAILED, Why.ATTEMPTS, Why.TIMEOUT)
        return Record(Held(cause) if held else Ended(cause))
    if run.committed or (run.on_failure.action == "hold" and cause.why is not Why.DEADLINE):
        return Record(Held(cause))
    return Record(RollbackBegan(cause))


def _failing(run: Run) -> Decision | None:
    judgement = run.judgement
    if judgement is None or judgement.verdict is not Verdict.FAIL or run.committed:
        return None
    return _stop(run, Cause(Why.GATE_FAILED, f"gate {judgement.gate}: {judgement.reason}"))


def _watch(run: Run, on: On, until: float | None = None) -> Decision:
    """Wait, with the guard on whenever the candidate answers users."""
    if not run.share or run.committed:
        return Wait(on, until)
    return Ask(Question.OBSERVE if run.cursor is None else Question.MEASURE)


# --- entering a stage: write the set-point until it reads back ----------------


def _entering(run: Run, stage: Stage, seen: Seen, now: float) -> Decision:
    decision = _set_point(run, stage, seen, now)
    waiting = isinstance(decision, Wait | Act)
    if waiting and now >= run.since + stage.after + stage.timeout and not run.committed:
        text = (
            f"Stage {stage.id} did not reach its set-point within {spell_duration(stage.timeout)}."
        )
        return _stop(run, Cause(Why.TIMEOUT, text))
    return decision


def _set_point(run: Run, stage: Stage, seen: Seen, now: float) -> Decision:
    match stage.work:
        case Bootstrap():
            return _bootstrap(run, stage, seen, now)
        case Preflight():
            return Ask(Question.PREFLIGHT)
        case Scale(role, instances):
            return _scale(run, stage, ScaleDeployment(run.name(role), instances), seen, now)
        case Create(role):
            return _create(run, stage, role, seen, now)
        case Smoke(role):
            return _unready(run, run.name(role), seen) or Ask(Question.SMOKE)
        case Mirror() | Shift():
            return _split(run, stage, _wanted(run, stage.work), seen, now)
        case WaitStage() | Approve():
            return Record(SetPointReached(stage.id, Split.of(seen)))
        case Delete(role):
            return _delete(run, stage, role, seen, now)
        case _:
            assert_never(stage.work)


def _attempt(run: Run, effect: Effect, now: float) -> Decision:
    if run.intent == effect and now < run.intended + backoff(run.attempts):
        return Wait(On.BACKOFF, run.intended + backoff(run.attempts))
    if run.attempts >= ATTEMPTS:
        text = f"{_spell(effect)} was tried {run.attempts} times and does not read back."
        return _stop(run, Cause(Why.ATTEMPTS, text))
    return Act(effect)


def _spell(effect: Effect) -> str:
    return type(effect).__name__


def _bootstrap(run: Run, stage: Stage, seen: Seen, now: float) -> Decision:
    """Only where nothing serves; whatever serves already is left to the capture to judge."""
    if not seen.exists:
        return _attempt(run, CreateEndpoint(), now)
    if seen.traffic:
        return Record(StagePassed(stage.id, f"serving: {Split.of(seen)}"))
    found = seen.deployments.get(run.baseline)
    if found is None or (found.condition is Condition.FAILED and found.run != run.id):
        return _attempt(run, PutDeployment(BASELINE, run.baseline), now)
    match found.condition:
        case Condition.FAILED:
            if not isinstance(run.intent, PutDeployment):
                return _attempt(run, PutDeployment(BASELINE, run.baseline), now)
            text = f"{run.baseline} could not be created: {found.error or 'no reason given'}"
            return _stop(run, Cause(Why.BOOTSTRAP_FAILED, text))
        case Condition.READY:
            if found.run is None:
                return Record(StagePassed(stage.id, f"{run.baseline} is there, without traffic"))
            return _attempt(run, SetSplit({run.baseline: WHOLE}), now)
        case _:
            return Wait(On.PROVISIONING)


def _scale(run: Run, stage: Stage, goal: ScaleDeployment, seen: Seen, now: float) -> Decision:
    found = seen.deployments.get(goal.name)
    if found is None:
        return _stop(run, Cause(Why.DRIFT, f"{goal.name} is not there to be scaled."))
    if found.condition is Condition.FAILED:
        text = f"{goal.name} failed while it was scaled: {found.error or 'no reason given'}"
        return _stop(run, Cause(Why.CANDIDATE_FAILED, text))
    if found.instances != goal.instances:
        return _attempt(run, goal, now)
    if _whole(found):
        return Record(StagePassed(stage.id, f"{found.ready} of {found.instances} instances"))
    return Wait(On.PROVISIONING)


def _whole(found: DeploymentSeen) -> bool:
    return found.condition is Condition.READY and found.ready >= found.instances


def _create(run: Run, stage: Stage, role: str, seen: Seen, now: float) -> Decision:
    name = run.name(role)
    digest = run.candidate_digest if role == CANDIDATE else run.baseline_digest
    found = seen.deployments.get(name)
    if found is None:
        return _attempt(run, PutDeployment(role, name), now)
    if found.condition is Condition.FAILED:
        if found.run == run.id and run.intent == PutDeployment(role, name):
            text = f"{name} could not be created: {found.error or 'no reason given'}"
            return _stop(run, Cause(Why.CREATE_FAILED, text))
        return _replace(run, role, found, now)
    if found.condition is not Condition.READY:
        return Wait(On.PROVISIONING)
    if found.digest != digest:
        return _replace(run, role, found, now)
    if not _whole(found):
        return Wait(On.PROVISIONING)
    return Record(StagePassed(stage.id, f"{found.ready} of {found.instances} instances"))


def _replace(run: Run, role: str, found: DeploymentSeen, now: float) -> Decision:
    """What an earlier run of ours left without traffic may be replaced; nothing else."""
    name = run.name(role)
    live = run.expected is not None and (
        name in run.expected.traffic or name in run.expected.mirror
    )
    if found.run is None or live:
        text = f"{name} exists with another specification and was not made by this plan."
        return Record(Held(Cause(Why.DRIFT, text)))
    return _attempt(run, PutDeployment(role, name), now)


def _wanted(run: Run, work: Mirror | Shift) -> SetSplit:
    """Live XOR mirror: live traffic and the end of mirroring go in one write."""
    if isinstance(work, Mirror):
        live = run.expected.traffic if run.expected else {}
        return SetSplit(live, {run.candidate: work.percent} if work.percent else {})
    both = {run.baseline: WHOLE - work.percent, run.candidate: work.percent}
    return SetSplit({name: share for name, share in both.items() if share})


def _split(run: Run, stage: Stage, goal: SetSplit, seen: Seen, now: float) -> Decision:
    if (unready := _unready(run, run.candidate, seen)) is not None:
        return unready
    if Split.of(seen) != _goal(goal):
        return _attempt(run, goal, now)
    return Record(SetPointReached(stage.id, Split.of(seen)))


def _unready(run: Run, name: str, seen: Seen) -> Decision | None:
    found = seen.deployments.get(name)
    if found is None:
        return Record(Held(Cause(Why.DRIFT, f"The deployment {name} is not there.")))
    if found.condition is Condition.FAILED:
        text = f"{name} failed: {found.error or 'no reason given'}"
        return _stop(run, Cause(Why.CANDIDATE_FAILED, text))
    return None if found.condition is Condition.READY else Wait(On.PROVISIONING)


def _delete(run: Run, stage: Stage, role: str, seen: Seen, now: float) -> Decision:
    """The point of no return: on a fresh read everything must speak for it."""
    name = run.name(role)
    found = seen.deployments.get(name)
    if found is None:
        return Record(StagePassed(stage.id, f"{name} is gone"))
    if found.condition is Condition.DELETING:
        return Wait(On.PROVISIONING)
    if seen.traffic.get(name) or seen.mirror.get(name):
        return Record(Held(Cause(Why.DRIFT, f"{name} still has traffic: {Split.of(seen)}.")))
    if role == BASELINE:
        other = seen.deployments.get(run.candidate)
        if seen.traffic.get(run.candidate) != WHOLE or other is None or seen.mirror:
            text = f"{run.candidate} does not have all traffic: {Split.of(seen)}."
            return Record(Held(Cause(Why.DRIFT, text)))
        if not _whole(other):
            return Wait(On.PROVISIONING)
    return _attempt(run, DeleteDeployment(name), now)


# --- observing a stage --------------------------------------------------------


def _observing(run: Run, stage: Stage, now: float) -> Decision:
    failing = _failing(run)
    if failing is not None:
        return failing
    if stage.gate is not None and run.judgement is not None:
        unclear = _unclear(run, stage.gate)
        if unclear is not None:
            return unclear
    passed = stage.gate is None or (
        run.judgement is not None and run.judgement.verdict is Verdict.PASS
    )
    match stage.work:
        case WaitStage(seconds):
            if now < run.since + seconds or not passed:
                return _measured(run, stage, On.TIMER, run.since + seconds)
        case Approve(_, expires):
            return _approval(run, stage, expires, now)
        case _:
            if not passed:
                return _measured(run, stage, On.TIMER)
    note = f"gate {stage.gate}: pass" if stage.gate else ""
    return Record(StagePassed(stage.id, note))


def _measured(run: Run, stage: Stage, on: On, until: float | None = None) -> Decision:
    if stage.gate is None:
        return _watch(run, on, until)
    return Ask(Question.OBSERVE if run.cursor is None else Question.MEASURE)


def _approval(run: Run, stage: Stage, expires: float | None, now: float) -> Decision:
    said = next((each for each in run.approvals if each.stage == stage.id), None)
    if said is not None:
        return Record(StagePassed(stage.id, f"approved by {said.by}"))
    if expires is not None and now >= run.since + expires:
        text = f"Nobody approved {stage.id} within {spell_duration(expires)}."
        return _stop(run, Cause(Why.EXPIRED, text))
    return _watch(run, On.APPROVAL, run.since + expires if expires else None)


def _unclear(run: Run, gate: str) -> Decision | None:
    judgement = run.judgement
    if judgement is None:
        return None
    if judgement.verdict is Verdict.ERROR:
        return Record(Held(Cause(Why.SOURCE, f"gate {gate}: {judgement.reason}")))
    if judgement.verdict is Verdict.INCONCLUSIVE:
        cause = Cause(Why.INCONCLUSIVE, f"gate {gate}: {judgement.reason}")
        if run.on_inconclusive.get(gate) == "rollback":
            return _stop(run, cause)
        return Record(Held(cause))
    return None


# --- back ----------------------------------------------------------------------


def _back(run: Run, seen: Seen, now: float) -> Decision:
    """Restore the captured split, show by traffic that it is back, only then touch the candidate."""
    goal = run.captured
    if goal is None:
        return Record(Ended(run.cause))
    if run.phase is Phase.ROLLING_BACK and now >= run.since + run.on_failure.verify_within:
        text = (
            f"{goal} could not be verified within {spell_duration(run.on_failure.verify_within)}."
        )
        return Record(RollbackUnverified(text))
    gone = [name for name in goal.traffic if name not in seen.deployments]
    if gone and not seen.busy:
        text = f"{' and '.join(gone)}, which had the traffic, does not exist any more."
        lost = run.phase is Phase.ROLLING_BACK
        return Record(RollbackUnverified(text)) if lost else Wait(On.PERSON)
    if seen.busy:
        return Wait(On.PROVISIONING)
    if Split.of(seen) != goal:
        return _insist(run, SetSplit(goal.traffic, goal.mirror), now)
    return _settle(run, seen, now)


def _insist(run: Run, effect: Effect, now: float) -> Decision:
    """A rollback never gives up; it only slows down."""
    if run.intent == effect and now < run.intended + backoff(run.attempts):
        return Wait(On.BACKOFF, run.intended + backoff(run.attempts))
    return Act(effect)


def _settle(run: Run, seen: Seen, now: float) -> Decision:
    candidate = seen.deployments.get(run.candidate)
    moving = (Condition.CREATING, Condition.UPDATING, Condition.DELETING)
    if candidate is not None and candidate.condition in moving:
        return Wait(On.PROVISIONING)
    if not run.checked:
        if run.tried and now < run.tried + backoff(2):
            return Wait(On.BACKOFF, run.tried + backoff(2))
        return Ask(Question.VERIFY)
    if _unwanted(run, candidate):
        return _insist(run, DeleteDeployment(run.candidate), now)
    return Record(RolledBack())


def _unwanted(run: Run, candidate: DeploymentSeen | None) -> bool:
    """Only what this run made, and only where the plan says so, is deleted."""
    mine = candidate is not None and candidate.run == run.id
    captured = run.captured is not None and run.candidate in run.captured.traffic
    return mine and not captured and run.on_failure.candidate == "delete"
