"""The next command for a person who looks at a run."""

from __future__ import annotations

import shlex

from rollout.domain import approvals
from rollout.domain.plan import Approve
from rollout.domain.run import Phase, Run, Step, Why
from rollout.report.again import PLAIN, Again


def next_command(run: Run, again: Again = PLAIN, *, going: str = "", driven: bool = False) -> str:
    """What a person would do now.

    Args:
        run: As it stands.
        again: What the commands repeat.
        going: The command that would go on; empty: the one that ``going_on`` knows.
        driven: Whether a living runner has it in hand.
    """
    on = going or going_on(run)
    if run.leftover:
        return again.completed(f"Look at {run.endpoint} now; let it be put right: {on}")
    return again.completed(_next(run, on, driven=driven))


def going_on(run: Run) -> str:
    """The command that drives an open run further."""
    if not run.stages:  # a run that takes another one back has no plan to apply
        return f"rollout undo {run.id}"
    given = [word for pair in run.values.items() for word in ("--var", "=".join(pair))]
    return " ".join(["rollout apply", shlex.join([run.file or "PLAN", *given])])


def _next(run: Run, going: str, *, driven: bool) -> str:
    then = "" if driven else f", then {going}"  # an order moves nothing while nobody is there
    match run.phase:
        case Phase.RUNNING if _asks(run):
            return f"Approve: rollout approve {run.id}. Refuse: rollout reject {run.id}"
        case Phase.RUNNING | Phase.ROLLING_BACK:
            return f"Watch: rollout status -w {run.id}" if driven else f"Go on: {going}"
        case Phase.PAUSED:
            return f"Go on: rollout resume {run.id}{then}"
        case Phase.HELD:
            return _from_held(run, then)
        case Phase.UNVERIFIED:
            text = f"Look at {run.endpoint} now; try the rollback again: rollout retry {run.id}"
            return f"{text}{then}"
        case Phase.COMPLETED if run.deleted:
            return f"Look back: rollout show {run.id}"
        case Phase.COMPLETED:
            return f"Look back: rollout show {run.id}. Take it back: rollout undo {run.id}"
        case _:
            return f"Every event: rollout events {run.id}. All of it: rollout show {run.id}"


def _asks(run: Run) -> bool:
    stage = run.stage
    if stage is None or not isinstance(stage.work, Approve) or run.step is not Step.OBSERVING:
        return False
    return len(approvals.given(run, stage, stage.work)) < stage.work.count


def _from_held(run: Run, then: str) -> str:
    away = f"give up: rollout abort {run.id}"
    again = f"rollout retry {run.id}{then}"
    if run.cause is None or run.cause.why is not Why.DRIFT:
        return f"Try the stage again: {again}; or {away}"
    lost = run.cause.drift.lost if run.cause.drift is not None else ()
    if lost:
        return f"Put {' and '.join(lost)} back as it was, then: {again}; or {away}"
    return f"Take the endpoint as it is: rollout resume --adopt {run.id}{then}; or {away}"
