"""When a runner may leave before the run is over, and when the next one must look.

Nobody guards the candidate then. What a plan's ``guard.unattended`` does not allow, a runner stays
for, or takes from the candidate before it goes.
"""

from __future__ import annotations

import math
from dataclasses import replace

from rollout.domain import unattended
from rollout.domain.decide import awaited
from rollout.domain.decisions import Act, Ask, Decision, On, Question, Record, Rest, Wait, goal
from rollout.domain.endpoint import Seen, SetSplit
from rollout.domain.events import LeaveBegan, Left
from rollout.domain.plan import Guard
from rollout.domain.run import OPEN, Cause, Phase, Run, Step, Why

LOOK_EVERY = 60.0  # seconds between two looks at a candidate that gets requests
PROVISION_EVERY = 30.0  # seconds between two looks at an operation that is under way
PERSON_EVERY = 3600.0  # seconds between two looks at a run that only a person can move

Leave = LeaveBegan | Left | None


def leaves(run: Run, seen: Seen | None, guard: Guard, now: float, pace: float) -> Leave:
    """What a runner must append to leave while nothing is due; None: it must stay.

    Args:
        run: The run.
        seen: The endpoint; None: it cannot be read.
        guard: What the plan lets a runner leave behind.
        now: Unix seconds.
        pace: Seconds between two readings of measurements that are worth their cost.
    """
    if run.phase not in OPEN or _writes(run, seen):
        return None
    share = exposed(run, seen)
    most = 100 if guard.unattended is None else guard.unattended
    if share <= most or run.ceiling is not None or not _guards(run):
        return left(run, seen, now, pace)
    if not most or seen is None or _foreign(run) or _busy(run):
        return None
    return LeaveBegan(most)


def stays(run: Run, seen: Seen | None, guard: Guard) -> str | None:
    """Why a runner must stay although nothing is due; None: it need not, or not for long."""
    share = exposed(run, seen)
    most = guard.unattended
    if most is None or share <= most or run.phase not in OPEN or not _guards(run):
        return None
    if most and not _foreign(run):
        if seen is None or not unattended.lost(seen, run.baseline):
            return None  # it is being lowered
        return (
            f"{run.candidate} has {share} % of the requests, and {run.baseline} can take none of them "
            "over: this runner stays."
        )
    return (
        f"{run.candidate} has {share} % of the requests, and nobody else would guard it: this runner "
        "stays. What the plan lets one leave behind, its guard.unattended says: hold, or a share."
    )


def exposed(run: Run, seen: Seen | None) -> int:
    """The candidate's live percent, as seen and as the run knows it: the larger one."""
    return max(run.share, seen.traffic.get(run.candidate, 0) if seen else 0)


def left(run: Run, seen: Seen | None, now: float, pace: float) -> Left:
    """The word of a runner that goes: when the next one should look, and what for.

    The exact time where the run has one (a timer, ``after``, a window, an approval's end), and never
    later than the deadline. Sooner where there is something to look at: a candidate with requests,
    an operation under way. What only a person can move is looked at seldom; an order makes it due.
    """
    decision = Wait(On.PROVISIONING) if seen is None else awaited(*_as_attended(run, seen), now)
    on, until = _waited_for(decision, now)
    looks = bool(exposed(run, seen)) and not run.committed and _guards(run)
    if looks or on is On.SAMPLES:
        until = min(until, now + max(LOOK_EVERY, pace))
    if run.deadline is not None and not run.committed:
        until = min(until, max(run.deadline, now))
    return Left(until, on.value)


def _waited_for(decision: Decision, now: float) -> tuple[On, float]:
    match decision:
        case Wait(on, until):
            every = PERSON_EVERY if on in (On.APPROVAL, On.PERSON) else PROVISION_EVERY
            return on, now + every if until is None else max(until, now)
        case Ask(Question.OBSERVE | Question.MEASURE):
            return On.SAMPLES, math.inf  # as often as there is something to look at
        case Rest():
            return On.PERSON, now + PERSON_EVERY
        case Ask(Question.PREFLIGHT | Question.SMOKE):
            return On.ANSWER, now + PROVISION_EVERY  # there was none, or nobody would leave
        case Act() | Ask() | Record():
            return On.PROVISIONING, now  # it is due


def _as_attended(run: Run, seen: Seen) -> tuple[Run, Seen]:
    """As things were before the share was lowered: that is how the next runner goes on."""
    here = replace(run, ceiling=None, unread=False)
    if run.restores is None:
        return here, seen
    before = run.restores
    then = replace(seen, traffic=before.traffic, mirror=before.mirror)
    return replace(here, restores=None, expected=before), then


def _writes(run: Run, seen: Seen | None) -> bool:
    """Whether a split of ours is on its way: a runner sees that through."""
    if not isinstance(run.intent, SetSplit) or goal(run.intent) == run.expected:
        return False
    return run.phase is Phase.RUNNING or (seen is not None and seen.busy)


def _guards(run: Run) -> bool:
    """Whether a runner that stays could do anything for the candidate's users."""
    able = run.captured is not None and not run.committed
    return able and not (run.phase is Phase.HELD and run.on_failure.action == "hold")


def _foreign(run: Run) -> bool:
    """Whether the split is a person's own, which no runner writes over in forward mode."""
    cause: Cause | None = run.cause
    return run.phase is Phase.HELD and cause is not None and cause.why is Why.DRIFT


def _busy(run: Run) -> bool:
    """Whether something else of the present stage was begun; its attempts must stay known."""
    return run.phase is Phase.RUNNING and run.step is Step.ENTERING and run.intent is not None
