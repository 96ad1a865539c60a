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
from rollout.domain.run import Approval, Cause, Phase, Run, Split, Step, Why
from rollout.domain.units import spell_duration
from rollout.domain.verdict import Verdict

ATTEMPTS = 6  # times that an effect is begun in a row before it counts as poisoned
WHOLE = 100  # percent
_MOVING = (Condition.CREATING, Condition.UPDATING, Condition.DELETING)


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
            return _guarded(run, run.share, _forward(run, seen, now))
        case Phase.PAUSED:
            return _guarded(run, seen.traffic.get(run.candidate, 0), _paused(run, seen, now))
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


def _guarded(run: Run, share: int, decision: Decision) -> Decision:
    """No wait, for whatever it is, leaves a candidate that answers users without its guard."""
    if not share or run.committed or not isinstance(decision, Wait):
        return decision
    return Ask(Question.OBSERVE if run.cursor is None else Question.MEASURE)


# --- forward -----------------------------------------------------------------


def _forward(run: Run, seen: Seen, now: float) -> Decision:
    for rule in (_failing, _late, _settling, _uncaptured, _drifted, _troubled, _sick):
        if (found := rule(run, seen, now)) is not None:
            return found
    stage = run.stage
    if stage is None:
        return _finished(run, seen)
    if run.step is Step.OBSERVING:
        return _observing(run, stage, now)
    return _entering(run, stage, seen, now)


def _finished(run: Run, seen: Seen) -> Decision:
    """Behind the last stage; a split that a person had adopted on the way need not be the plan's."""
    works = [stage.work for stage in run.stages if isinstance(stage.work, Mirror | Shift)]
    goal = _goal(_wanted(run, works[-1])) if works else run.expected
    if goal is None or Split.of(seen) == goal:
        return Record(Ended())
    text = f"The plan ends with {goal}; the endpoint has {Split.of(seen)}."
    return Record(Held(Cause(Why.DRIFT, text)))


def _paused(run: Run, seen: Seen, now: float) -> Decision:
    """A person stopped the plan, not what protects users."""
    for rule in (_failing, _late, _candidate_failed, _landed):
        if (found := rule(run, seen, now)) is not None:
            return found
    return Wait(On.PERSON)


def _failing(run: Run, seen: Seen, now: float) -> Decision | None:
    """A bad verdict outranks everything, a person's change of the split included."""
    judgement = run.judgement
    if judgement is None or judgement.verdict is not Verdict.FAIL or run.committed:
        return None
    return _stop(run, Cause(Why.GATE_FAILED, f"gate {judgement.gate}: {judgement.reason}"))


def _late(run: Run, seen: Seen, now: float) -> Decision | None:
    if run.deadline is None or now < run.deadline or run.committed:
        return None
    spent = spell_duration(run.deadline - run.started)
    return _stop(run, Cause(Why.DEADLINE, f"The plan's deadline of {spent} is over."))


def _settling(run: Run, seen: Seen, now: float) -> Decision | None:
    return _in_time(run, Wait(On.PROVISIONING), now) if seen.busy else None


def _landed(run: Run, seen: Seen, now: float) -> Decision | None:
    """A write that was in flight when the pause came: it holds, so its guard must know."""
    stage, split = run.stage, Split.of(seen)
    if seen.busy or stage is None or not isinstance(stage.work, Mirror | Shift):
        return None
    if run.intent != _wanted(run, stage.work) or not _ours(run, split):
        return None
    return Record(SetPointReached(stage.id, split))


def _uncaptured(run: Run, seen: Seen, now: float) -> Decision | None:
    """Before the first write the endpoint must be as every plan assumes it: all on the baseline."""
    if run.expected is not None or _early(run):
        return None
    split = Split.of(seen)
    ordered = bool(split.traffic) and (run.adopt or run.captured is not None)
    if ordered or split == Split({run.baseline: WHOLE}):
        return Record(SplitCaptured(split))
    if not seen.exists:
        text = f"The endpoint {run.endpoint} does not exist, and the plan has no baseline.file to create it."
    elif not split.traffic:
        text = f"Nobody serves on {run.endpoint}: give {run.baseline} all traffic first."
    else:
        text = f"The plan starts from {run.baseline} 100, but the endpoint has: {split}."
    return Record(Held(Cause(Why.DRIFT, text)))


def _early(run: Run) -> bool:
    return run.stage is not None and isinstance(run.stage.work, Preflight | Bootstrap)


def _drifted(run: Run, seen: Seen, now: float) -> Decision | None:
    """A person's change by hand is noticed and never trampled in forward mode."""
    if run.expected is None:
        return None
    split, candidate = Split.of(seen), seen.deployments.get(run.candidate)
    if split != run.expected and not _ours(run, split):
        text = f"Expected {run.expected}; the endpoint has {split}."
    elif missing := _missing(run, seen):
        text = f"The deployment {' and '.join(missing)} was deleted by somebody else."
    elif run.created and candidate is not None and _swapped(run, candidate):
        text = f"The deployment {run.candidate} was changed by somebody else."
    else:
        return None
    return Record(Held(Cause(Why.DRIFT, text)))


def _ours(run: Run, split: Split) -> bool:
    """Whether this split is what our own write in flight makes."""
    return isinstance(run.intent, SetSplit) and split == _goal(run.intent)


def _goal(effect: SetSplit) -> Split:
    return Split(effect.traffic, effect.mirror)


def _missing(run: Run, seen: Seen) -> list[str]:
    """Whom the run needs and does not find; whoever the present stage deletes is not needed."""
    needed = [run.candidate] if run.created else []
    if not run.committed:
        needed.append(run.baseline)
    leaving = _leaving(run)
    return [name for name in needed if name not in seen.deployments and name != leaving]


def _leaving(run: Run) -> str | None:
    work = run.stage.work if run.stage else None
    return run.name(work.deployment) if isinstance(work, Delete) else None


def _swapped(run: Run, candidate: DeploymentSeen) -> bool:
    """Whether what stands there is not what was created and tested."""
    return candidate.condition is Condition.READY and candidate.digest != run.candidate_digest


def _troubled(run: Run, seen: Seen, now: float) -> Decision | None:
    return _stop(run, run.trouble) if run.trouble else None


def _sick(run: Run, seen: Seen, now: float) -> Decision | None:
    return _candidate_failed(run, seen, now) or _baseline_failed(run, seen, now)


def _candidate_failed(run: Run, seen: Seen, now: float) -> Decision | None:
    candidate = seen.deployments.get(run.candidate)
    if not run.created or candidate is None:
        return None
    return _failed(run, run.candidate, candidate)


def _baseline_failed(run: Run, seen: Seen, now: float) -> Decision | None:
    baseline = seen.deployments.get(run.baseline)
    if baseline is None or run.expected is None or run.committed or _leaving(run) == run.baseline:
        return None
    work = run.stage.work if run.stage else None
    if isinstance(work, Scale) and work.deployment == BASELINE:
        return None  # the stage itself tells a scaling that failed from one to be tried again
    return _failed(run, run.baseline, baseline)


def _failed(run: Run, name: str, found: DeploymentSeen) -> Decision | None:
    """A failed candidate is rolled back; no rollback helps a failed baseline."""
    if found.condition is not Condition.FAILED:
        return None
    reason = found.error or "no reason given"
    if name == run.baseline:
        cause = Cause(Why.BASELINE_FAILED, f"{name}, the baseline, failed: {reason}")
        return Record(Held(cause))
    return _stop(run, Cause(Why.CANDIDATE_FAILED, f"{name} failed: {reason}"))


def _stop(run: Run, cause: Cause) -> Decision:
    """Answer trouble: roll back where something can be restored, else end or hold."""
    if run.captured is None:
        held = (Why.BOOTSTRAP_FAILED, Why.ATTEMPTS, Why.EFFECT_REFUSED, Why.TIMEOUT)
        return Record(Held(cause) if cause.why in held else Ended(cause))
    if run.committed or (run.on_failure.action == "hold" and cause.why is not Why.DEADLINE):
        return Record(Held(cause))
    return Record(RollbackBegan(cause))


# --- entering a stage: write the set-point until it reads back ----------------


def _entering(run: Run, stage: Stage, seen: Seen, now: float) -> Decision:
    due = run.began + stage.after
    if now < due:
        return Wait(On.TIMER, due)
    return _in_time(run, _set_point(run, stage, seen, now), now)


def _in_time(run: Run, decision: Decision, now: float) -> Decision:
    """What is due, unless the stage has had its time to reach its set-point."""
    stage = run.stage
    trying = isinstance(decision, Wait) or (isinstance(decision, Act) and run.attempts > 0)
    if stage is None or run.step is Step.OBSERVING or not trying:
        return decision
    if now < max(run.since, run.began + stage.after) + stage.timeout:
        return decision
    text = f"Stage {stage.id} did not reach its set-point within {spell_duration(stage.timeout)}."
    return _stop(run, Cause(Why.TIMEOUT, text))


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
    if run.intent != effect:
        return Act(effect)
    if now < run.intended + backoff(run.attempts):
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
    if found is None:
        return _attempt(run, PutDeployment(BASELINE, run.baseline), now)
    if found.condition in _MOVING:
        return Wait(On.PROVISIONING)
    if found.run is None:
        failed = _failed(run, run.baseline, found)
        return failed or Record(StagePassed(stage.id, f"{run.baseline} is there, without traffic"))
    return _first_baseline(run, found, now)


def _first_baseline(run: Run, found: DeploymentSeen, now: float) -> Decision:
    """Ours and settled: bring it to the plan's specification, then give it all traffic."""
    put = PutDeployment(BASELINE, run.baseline)
    failed = found.condition is Condition.FAILED
    if failed and found.run == run.id and run.intent == put:
        text = f"{run.baseline} could not be created: {found.error or 'no reason given'}"
        return _stop(run, Cause(Why.BOOTSTRAP_FAILED, text))
    if failed or found.digest != run.baseline_digest:
        return _attempt(run, put, now)
    if not _whole(found):
        return Wait(On.PROVISIONING)
    return _attempt(run, SetSplit({run.baseline: WHOLE}), now)


def _scale(run: Run, stage: Stage, goal: ScaleDeployment, seen: Seen, now: float) -> Decision:
    found = seen.deployments.get(goal.name)
    if found is None:
        return Record(Held(Cause(Why.DRIFT, f"{goal.name} is not there to be scaled.")))
    if found.condition in _MOVING:
        return Wait(On.PROVISIONING)
    if run.intent == goal and (failed := _failed(run, goal.name, found)) is not None:
        return failed
    if found.condition is Condition.FAILED or found.instances != goal.instances:
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
    if found.condition in _MOVING:
        return Wait(On.PROVISIONING)
    if found.condition is Condition.FAILED:
        if found.run == run.id and run.intent == PutDeployment(role, name):
            text = f"{name} could not be created: {found.error or 'no reason given'}"
            return _stop(run, Cause(Why.CREATE_FAILED, text))
        return _replace(run, role, found, now)
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
    if run.candidate in goal.traffic and run.candidate in goal.mirror:
        text = f"{run.candidate} has live traffic already, so nothing can be mirrored to it."
        return Record(Held(Cause(Why.DRIFT, text)))
    if Split.of(seen) == _goal(goal):
        return Record(SetPointReached(stage.id, Split.of(seen)))
    for name in (run.candidate, *goal.traffic):
        if (unready := _unready(run, name, seen)) is not None:
            return unready
    return _attempt(run, goal, now)


def _unready(run: Run, name: str, seen: Seen) -> Decision | None:
    found = seen.deployments.get(name)
    if found is None:
        return Record(Held(Cause(Why.DRIFT, f"The deployment {name} is not there.")))
    if found.condition in _MOVING:
        return Wait(On.PROVISIONING)
    return _failed(run, name, found)


def _delete(run: Run, stage: Stage, role: str, seen: Seen, now: float) -> Decision:
    """The point of no return: on a fresh read everything must speak for it."""
    name = run.name(role)
    found = seen.deployments.get(name)
    if found is None:
        return Record(StagePassed(stage.id, f"{name} is gone"))
    if found.condition in _MOVING:
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
    if (unclear := _unclear(run, stage)) is not None:
        return unclear
    if isinstance(stage.work, Approve):
        return _approval(run, stage, stage.work, now)
    until = run.since + stage.work.seconds if isinstance(stage.work, WaitStage) else None
    if not _passes(run, stage):
        return Ask(Question.OBSERVE if run.cursor is None else Question.MEASURE)
    if until is not None and now < until:
        return Wait(On.TIMER, until)
    note = f"gate {stage.gate}: pass" if stage.gate else ""
    return Record(StagePassed(stage.id, note))


def _passes(run: Run, stage: Stage) -> bool:
    """Whether this stage's own gate said so; where it has none there is nothing to pass."""
    if stage.gate is None:
        return True
    said = run.judgement
    return said is not None and said.gate == stage.gate and said.verdict is Verdict.PASS


def _approval(run: Run, stage: Stage, work: Approve, now: float) -> Decision:
    said = next((each for each in run.approvals if _counts(each, stage, work)), None)
    until = None if work.expires is None else run.since + work.expires
    if said is None and until is not None and now >= until:
        text = f"Nobody approved {stage.id} within {spell_duration(work.expires or 0.0)}."
        return _stop(run, Cause(Why.EXPIRED, text))
    if not _passes(run, stage):
        return Ask(Question.OBSERVE if run.cursor is None else Question.MEASURE)
    if said is None:
        return Wait(On.APPROVAL, until)
    return Record(StagePassed(stage.id, f"approved by {said.by}"))


def _counts(said: Approval, stage: Stage, work: Approve) -> bool:
    return said.stage == stage.id and (not work.by or said.by in work.by)


def _unclear(run: Run, stage: Stage) -> Decision | None:
    judgement = run.judgement
    if judgement is None or stage.gate is None:
        return None
    if judgement.verdict is Verdict.ERROR:
        return Record(Held(Cause(Why.SOURCE, f"gate {stage.gate}: {judgement.reason}")))
    if judgement.verdict is Verdict.INCONCLUSIVE:
        cause = Cause(Why.INCONCLUSIVE, f"gate {stage.gate}: {judgement.reason}")
        if run.on_inconclusive.get(stage.gate) == "rollback":
            return _stop(run, cause)
        return Record(Held(cause))
    return None


# --- back ----------------------------------------------------------------------


def _back(run: Run, seen: Seen, now: float) -> Decision:
    """Restore the captured split, show by traffic that it is back, only then touch the candidate.

    Nothing is mirrored behind a rollback, whatever was when the run began.
    """
    if run.captured is None:
        return Record(Ended(run.cause))
    goal = Split(run.captured.traffic)
    decision = _restore(run, goal, seen, now)
    if run.phase is Phase.ROLLING_BACK and _overdue(run, decision, now):
        within = spell_duration(run.on_failure.verify_within)
        return Record(RollbackUnverified(f"{goal} could not be verified within {within}."))
    return decision


def _overdue(run: Run, decision: Decision, now: float) -> bool:
    """Whether a person must look. A runner that comes late to a rollback first tries it once."""
    if run.checked or now < run.since + run.on_failure.verify_within:
        return False
    tried = bool(run.attempts or run.tried)
    return isinstance(decision, Wait) or (tried and isinstance(decision, Act | Ask))


def _restore(run: Run, goal: Split, seen: Seen, now: float) -> Decision:
    gone = [name for name in goal.traffic if name not in seen.deployments]
    if seen.busy:
        return Wait(On.PROVISIONING)
    if gone and run.phase is Phase.ROLLING_BACK:
        text = f"{' and '.join(gone)}, which had the traffic, does not exist any more."
        return Record(RollbackUnverified(text))
    if gone:
        return Wait(On.PERSON)
    if Split.of(seen) != goal:
        return _insist(run, SetSplit(goal.traffic), now)
    return _settle(run, seen, now)


def _insist(run: Run, effect: Effect, now: float) -> Decision:
    """A rollback never gives up; it only slows down."""
    if run.intent == effect and now < run.intended + backoff(run.attempts):
        return Wait(On.BACKOFF, run.intended + backoff(run.attempts))
    return Act(effect)


def _settle(run: Run, seen: Seen, now: float) -> Decision:
    """The split is back: show it, then wait for the candidate to come to rest."""
    if not run.checked:
        if run.tried and now < run.tried + backoff(2):
            return Wait(On.BACKOFF, run.tried + backoff(2))
        return Ask(Question.VERIFY)
    candidate = seen.deployments.get(run.candidate)
    if candidate is None:
        return Record(RolledBack())
    if candidate.condition in _MOVING:
        return Wait(On.PROVISIONING)
    delete = DeleteDeployment(run.candidate)
    if not _unwanted(run, candidate):
        return Record(RolledBack())
    if run.intent == delete and run.attempts >= ATTEMPTS:
        return Record(RolledBack(f"{run.candidate} is still there: it could not be deleted."))
    return _insist(run, delete, now)


def _unwanted(run: Run, candidate: DeploymentSeen) -> bool:
    """Only what this run made, and only where the plan says so, is deleted."""
    captured = run.captured is not None and run.candidate in run.captured.traffic
    return candidate.run == run.id and not captured and run.on_failure.candidate == "delete"
