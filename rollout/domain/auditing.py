"""Late calls: what an owner that was taken over may have sent after that, found and put right.

Whoever takes over cannot hinder a process that was frozen between its last look at the lease and its
request. It can know which request that was: the intent stands in the journal. While a run is open,
a split that such a call makes is no person's change, and the run's own is written again. A run that
is over is audited: only what carries the run's tag, or is the very split of a late call, is undone.
"""

from __future__ import annotations

from dataclasses import replace

from rollout.domain import decisions
from rollout.domain.decisions import Act, Decision, On, Record, Rest, Wait
from rollout.domain.endpoint import (
    DeleteDeployment,
    DeploymentSeen,
    Effect,
    PutDeployment,
    ScaleDeployment,
    Seen,
    SetSplit,
)
from rollout.domain.events import Audited, Event, LateCallLanded, LooseCallFound
from rollout.domain.plan import Delete, Scale
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.run import Phase, Run, Split, Step
from rollout.domain.steps import begun

SETTLE = 40.0  # seconds until a late call has landed: a lease (20) and the longest request (15)
_KEEPS = (Phase.COMPLETED, Phase.ROLLED_BACK, Phase.UNDONE)  # ends that say how the endpoint is

Late = LooseCallFound | LateCallLanded | Audited


def happened(run: Run, event: Late, at: float) -> Run:
    """The fold of what is known of late calls."""
    match event:
        case LooseCallFound(effect):
            found = replace(run, sought=at) if run.final else run
            known = effect in (*run.loose, *run.landed)
            return found if known else replace(found, loose=(*run.loose, effect), leftover="")
        case LateCallLanded(effect):
            return _found(run, effect, at)
        case Audited(ok, text, exposed):
            if exposed and not ok:
                return replace(run, leftover=text)
            return replace(run, loose=(), landed=(), leftover="")


def _found(run: Run, effect: Effect, at: float) -> Run:
    """It cannot land twice. An open run enters its stage anew: what was measured was another split."""
    loose = tuple(each for each in run.loose if each != effect)
    landed = (*run.landed, effect)
    if run.final:
        return replace(run, loose=loose, landed=landed, attempts=0, intent=None)
    return replace(begun(run, at), step=Step.ENTERING, loose=loose, landed=landed)


# --- while the run is open -------------------------------------------------------


def overtaken(run: Run, seen: Seen, now: float) -> Decision | None:
    """What is due where a late call has changed the split of a run that goes forward."""
    split, intent = Split.of(seen), run.intent
    if run.expected is None or run.committed or split == run.expected:
        return None
    if isinstance(intent, SetSplit) and split == decisions.goal(intent):
        return None
    if _makes(run.landed, split) is not None:
        again = SetSplit(run.expected.traffic, run.expected.mirror)
        if any(name not in seen.deployments for name in (*again.traffic, *again.mirror)):
            return None  # somebody deleted it
        return _unready(run, again, seen) or decisions.attempt(run, again, now, seen.trouble)
    late = _makes(run.loose, split)
    return None if late is None else Record(LateCallLanded(late, split))


def _unready(run: Run, goal: SetSplit, seen: Seen) -> Decision | None:
    """What is due before this split can be written again; nobody gets requests who cannot answer."""
    for name in (*goal.traffic, *goal.mirror):
        found = seen.deployments[name]
        if found.condition in decisions.MOVING:
            return Wait(On.PROVISIONING)
        if (failed := decisions.failed(run, name, found)) is not None:
            return failed
    return None


def _makes(effects: tuple[Effect, ...], split: Split) -> SetSplit | None:
    """The one of these effects that makes this split."""
    for each in effects:
        if isinstance(each, SetSplit) and decisions.goal(each) == split:
            return each
    return None


# --- when the run is over ----------------------------------------------------------


def auditing(run: Run, seen: Seen, now: float) -> Decision:
    """What is due in a run that is over, until nothing of a late call is left."""
    if not run.unaudited or run.leftover:
        return Rest()
    if seen.busy:
        return Wait(On.PROVISIONING)
    found = _unwanted(run, seen)
    if found is None:
        until = settles(run.ended, run.sought)
        if now < until:
            return Wait(On.LATE_CALL, until)
        return Record(_audited(run, seen))
    late, repair = found
    if late in run.loose:
        return Record(LateCallLanded(late, Split.of(seen)))
    return _repaired(run, seen, repair, now)


def settles(ended: float | None, sought: float | None) -> float:
    """Until when calls are looked for in a run that is over, Unix seconds.

    Args:
        ended: When it ended, Unix seconds.
        sought: When a call was found that was sent after that, Unix seconds.
    """
    return max(ended or 0.0, sought or 0.0) + SETTLE


def _audited(run: Run, seen: Seen) -> Audited:
    stands = _makes((*run.landed, *run.loose), Split.of(seen))
    if run.phase in _KEEPS or stands is None or Split.of(seen) == run.expected:
        return Audited(ok=True, text=_summary(run))
    text = (
        f"A late call of an earlier runner made the split {Split.of(seen)}; it was {run.expected} when "
        "the run ended with the traffic as it was, so nothing was changed."
    )
    return Audited(ok=False, text=text)


def _repaired(run: Run, seen: Seen, repair: Effect, now: float) -> Decision:
    if _moving(seen, repair):
        return Wait(On.PROVISIONING)
    if run.intent == repair:
        if now < run.intended + decisions.backoff(run.attempts):
            return Wait(On.BACKOFF, run.intended + decisions.backoff(run.attempts))
        if run.attempts >= decisions.ATTEMPTS:
            text = (
                f"A late call's change is still there; {run.attempts} attempts to undo it failed."
            )
            exposed = isinstance(repair, SetSplit)
            return Record(Audited(ok=False, text=f"{text} {run.failure}".rstrip(), exposed=exposed))
    return Act(repair)


def _moving(seen: Seen, repair: Effect) -> bool:
    name = getattr(repair, "name", None)
    found = seen.deployments.get(name) if name else None
    return found is not None and found.condition in decisions.MOVING and not found.removable


def _unwanted(run: Run, seen: Seen) -> tuple[Effect, Effect] | None:
    """The first late call that is in place and not wanted, and what undoes it."""
    if run.phase not in _KEEPS or not seen.exists:
        return None
    for late in (*run.landed, *run.loose):
        repair = _undoing(run, late, seen)
        if repair is not None:
            return late, repair
    return None


def _undoing(run: Run, late: Effect, seen: Seen) -> Effect | None:
    match late:
        case SetSplit():
            split, goal = Split.of(seen), run.expected
            if goal is None or split == goal or split != decisions.goal(late):
                return None
            gone = [name for name in goal.traffic if name not in seen.deployments]
            return None if gone else SetSplit(goal.traffic, goal.mirror)
        case PutDeployment(role, name):
            found = seen.deployments.get(name)
            orphan = found is not None and _orphan(run, role, name, found, seen)
            return DeleteDeployment(name) if orphan else None
        case ScaleDeployment(name, instances):
            return _rescaled(run, name, instances, seen.deployments.get(name))
        case _:
            return None


def _orphan(run: Run, role: str, name: str, found: DeploymentSeen, seen: Seen) -> bool:
    """Whether a deployment of this run stands there though the run ended without it."""
    used = seen.traffic.get(name) or seen.mirror.get(name)
    wanted = run.expected is not None and name in run.expected.traffic
    if found.run != run.id or used or wanted:
        return False
    if role == BASELINE:
        return run.deleted
    deleted = any(each.work == Delete(CANDIDATE) for each in run.stages[: run.at])
    if run.phase is Phase.COMPLETED:
        return deleted
    return run.gone or deleted or run.on_failure.candidate == "delete"


def _rescaled(
    run: Run, name: str, instances: int, found: DeploymentSeen | None
) -> ScaleDeployment | None:
    """Back to what the last stage that scaled it had made of it."""
    works = [each.work for each in run.stages[: run.at]]
    scaled = [
        each.instances
        for each in works
        if isinstance(each, Scale) and run.name(each.deployment) == name
    ]
    ours = found is not None and found.run == run.id and found.instances == instances
    return (
        ScaleDeployment(name, scaled[-1]) if ours and scaled and scaled[-1] != instances else None
    )


def _summary(run: Run) -> str:
    if not run.landed:
        return "no call of an earlier runner has landed late"
    return f"undone: {', '.join(spelled(each) for each in run.landed)}"


def spelled(effect: Effect) -> str:
    """An effect as a few words.

    >>> spelled(SetSplit({"blue": 90, "green": 10}))
    'split blue 90 green 10'
    """
    match effect:
        case SetSplit():
            return f"split {decisions.goal(effect)}"
        case PutDeployment(_, name):
            return f"creation of {name}"
        case ScaleDeployment(name, instances):
            return f"scaling of {name} to {instances}"
        case DeleteDeployment(name):
            return f"deletion of {name}"
        case _:
            return "creation of the endpoint"


def alarming(event: Event) -> str | None:
    """What a person should know at once of an event."""
    match event:
        case LateCallLanded(effect, split):
            what = f"A late call of an earlier runner landed, the {spelled(effect)}"
            return f"{what}; the endpoint has {split}. It is undone."
        case Audited(ok=False, text=text):
            return text
        case _:
            return None
