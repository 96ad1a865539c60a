"""Entering a stage: its set-point is written until it reads back."""

from __future__ import annotations

from typing import assert_never

from rollout.domain import decisions, windows
from rollout.domain.decisions import WHOLE, Act, Ask, Decision, On, Question, Record, Wait
from rollout.domain.drift import held
from rollout.domain.endpoint import (
    Condition,
    CreateEndpoint,
    DeleteDeployment,
    DeploymentSeen,
    PutDeployment,
    ScaleDeployment,
    Seen,
    SetSplit,
)
from rollout.domain.events import SetPointReached, StagePassed
from rollout.domain.plan import (
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
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.run import Cause, Drift, Run, Split, Step, Why
from rollout.domain.units import spell_duration


def entering(run: Run, stage: Stage, seen: Seen, now: float) -> Decision:
    """What brings the stage to its set-point, once its ``after`` is over and while it has time."""
    due = run.began + stage.after
    if now < due:
        return Wait(On.TIMER, due)
    decision = _set_point(run, stage, seen, now)
    opens = windows.waited_for(run, now)
    if opens is not None and isinstance(decision, Act | Wait):
        return Wait(On.WINDOW, opens)
    return in_time(run, decision, now)


def in_time(run: Run, decision: Decision, now: float) -> Decision:
    """What is due, unless the stage has had its time to reach its set-point."""
    trying = isinstance(decision, Wait) or (isinstance(decision, Act) and run.attempts > 0)
    stage = _overdue(run, now) if trying else None
    if stage is None:
        return decision
    text = f"Stage {stage.id} did not reach its set-point within {spell_duration(stage.timeout)}."
    return decisions.stop(run, Cause(Why.TIMEOUT, text))


def unanswered(run: Run, error: str, now: float) -> Decision | None:
    """What ends a stage whose question was asked and not answered; None: it has time to ask again.

    Args:
        run: The run.
        error: Why there was no answer, this time.
        now: Unix seconds.
    """
    stage = _overdue(run, now)
    if stage is None:
        return None
    text = f"Stage {stage.id} got no answer within {spell_duration(stage.timeout)}: {error}"
    return decisions.stop(run, Cause(Why.TIMEOUT, text))


def _overdue(run: Run, now: float) -> Stage | None:
    """The stage, if it has had its time to reach its set-point."""
    stage = run.stage
    if stage is None or run.step is Step.OBSERVING or windows.waited_for(run, now) is not None:
        return None
    return stage if now >= _entered(run, stage, now) + stage.timeout else None


def _entered(run: Run, stage: Stage, now: float) -> float:
    """From when on the stage's timeout counts."""
    due = max(run.since, run.began + stage.after)
    opened = windows.opened(run.windows, stage, now) if windows.unbegun(run) else None
    return due if opened is None else max(due, opened)


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
            return _split(run, stage, wanted(run, stage.work), seen, now)
        case WaitStage() | Approve():
            return Record(SetPointReached(stage.id, Split.of(seen)))
        case Delete(role):
            return _delete(run, stage, role, seen, now)
        case _:
            assert_never(stage.work)


def _bootstrap(run: Run, stage: Stage, seen: Seen, now: float) -> Decision:
    """Only where nothing serves; whatever serves already is left to the capture to judge."""
    # One whose creation has failed is there, and of no use; it is created anew.
    useless = seen.trouble and not seen.deployments and run.intent in (None, CreateEndpoint())
    if not seen.exists or useless:
        return decisions.attempt(run, CreateEndpoint(), now, seen.trouble)
    if seen.traffic:
        return Record(StagePassed(stage.id, f"serving: {Split.of(seen)}"))
    found = seen.deployments.get(run.baseline)
    if found is None:
        return decisions.attempt(run, PutDeployment(BASELINE, run.baseline), now)
    if found.condition in decisions.MOVING:
        return Wait(On.PROVISIONING)
    if found.run is None:
        failed = decisions.failed(run, run.baseline, found)
        return failed or Record(StagePassed(stage.id, f"{run.baseline} is there, without traffic"))
    return _first_baseline(run, found, now)


def _first_baseline(run: Run, found: DeploymentSeen, now: float) -> Decision:
    """Ours and settled: bring it to the plan's specification, then give it all traffic."""
    put = PutDeployment(BASELINE, run.baseline)
    failed = found.condition is Condition.FAILED
    if failed and found.run == run.id and run.intent == put:
        text = f"{run.baseline} could not be created: {found.error or 'no reason given'}"
        return decisions.stop(run, Cause(Why.BOOTSTRAP_FAILED, text))
    if failed or found.digest != run.baseline_digest:
        return decisions.attempt(run, put, now)
    if not decisions.whole(found):
        return Wait(On.PROVISIONING)
    return decisions.attempt(run, SetSplit({run.baseline: WHOLE}), now)


def _scale(run: Run, stage: Stage, goal: ScaleDeployment, seen: Seen, now: float) -> Decision:
    found = seen.deployments.get(goal.name)
    if found is None:
        return held(f"{goal.name} is not there to be scaled.", Drift(missing=(goal.name,)))
    if found.condition in decisions.MOVING:
        return Wait(On.PROVISIONING)
    if run.intent == goal and (failed := decisions.failed(run, goal.name, found)) is not None:
        return failed
    if found.condition is Condition.FAILED or found.instances != goal.instances:
        return decisions.attempt(run, goal, now)
    if decisions.whole(found):
        return Record(StagePassed(stage.id, f"{found.ready} of {found.instances} instances"))
    return Wait(On.PROVISIONING)


def _create(run: Run, stage: Stage, role: str, seen: Seen, now: float) -> Decision:
    name = run.name(role)
    digest = run.candidate_digest if role == CANDIDATE else run.baseline_digest
    found = seen.deployments.get(name)
    if found is None:
        return decisions.attempt(run, PutDeployment(role, name), now)
    if found.condition in decisions.MOVING:
        return Wait(On.PROVISIONING)
    if found.condition is Condition.FAILED:
        if found.run == run.id and run.intent == PutDeployment(role, name):
            text = f"{name} could not be created: {found.error or 'no reason given'}"
            return decisions.stop(run, Cause(Why.CREATE_FAILED, text))
        return _replace(run, role, found, now)
    if found.digest != digest:
        return _replace(run, role, found, now)
    if not decisions.whole(found):
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
        return held(text, Drift(changed=(name,)))
    return decisions.attempt(run, PutDeployment(role, name), now)


def wanted(run: Run, work: Mirror | Shift) -> SetSplit:
    """Live XOR mirror: live traffic and the end of mirroring go in one write."""
    if isinstance(work, Mirror):
        live = run.expected.traffic if run.expected else {}
        if run.supersedes and run.captured and run.candidate in live:
            live = run.captured.traffic  # what the run before had given the candidate
        return SetSplit(live, {run.candidate: work.percent} if work.percent else {})
    both = {run.baseline: WHOLE - work.percent, run.candidate: work.percent}
    return SetSplit({name: share for name, share in both.items() if share})


def _split(run: Run, stage: Stage, goal: SetSplit, seen: Seen, now: float) -> Decision:
    if run.candidate in goal.traffic and run.candidate in goal.mirror:
        text = f"{run.candidate} has live traffic already, so nothing can be mirrored to it."
        return held(text)
    if Split.of(seen) == decisions.goal(goal):
        return Record(SetPointReached(stage.id, Split.of(seen)))
    for name in (run.candidate, *goal.traffic):
        if (unready := _unready(run, name, seen)) is not None:
            return unready
    return decisions.attempt(run, goal, now, seen.trouble)


def _unready(run: Run, name: str, seen: Seen) -> Decision | None:
    found = seen.deployments.get(name)
    if found is None:
        return held(f"The deployment {name} is not there.", Drift(missing=(name,)))
    if found.condition in decisions.MOVING:
        return Wait(On.PROVISIONING)
    return decisions.failed(run, name, found)


def _delete(run: Run, stage: Stage, role: str, seen: Seen, now: float) -> Decision:
    """The point of no return: on a fresh read everything must speak for it."""
    name = run.name(role)
    found = seen.deployments.get(name)
    if found is None:
        return Record(StagePassed(stage.id, f"{name} is gone"))
    if found.condition in decisions.MOVING:
        return Wait(On.PROVISIONING)
    if seen.traffic.get(name) or seen.mirror.get(name):
        return held(f"{name} still has traffic: {Split.of(seen)}.")
    if role == BASELINE:
        other = seen.deployments.get(run.candidate)
        if seen.traffic.get(run.candidate) != WHOLE or other is None or seen.mirror:
            text = f"{run.candidate} does not have all traffic: {Split.of(seen)}."
            return held(text, Drift(Split({run.candidate: WHOLE}), Split.of(seen)))
        if not decisions.whole(other):
            return Wait(On.PROVISIONING)
    return decisions.attempt(run, DeleteDeployment(name), now)
