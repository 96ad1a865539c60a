"""The next command for a person who looks at a run."""

from __future__ import annotations

import shlex

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
    return again.completed(_next(run, going or going_on(run), driven=driven))


def going_on(run: Run) -> str:
    """The command that drives an open run further."""
    if not run.stages:  # a run that takes another one back has no plan to apply
        return f"rollout undo {run.id}"
    return f"rollout apply {shlex.quote(run.file or 'PLAN')}"


def _next(run: Run, going: str, *, driven: bool) -> str:
    match run.phase:
        case Phase.RUNNING if _asks(run):
            return f"Approve: rollout approve {run.id}. Refuse: rollout reject {run.id}"
        case Phase.RUNNING | Phase.ROLLING_BACK:
            return f"Watch: rollout status -w {run.id}" if driven else f"Go on: {going}"
        case Phase.PAUSED:
            return f"Go on: rollout resume {run.id}"
        case Phase.HELD:
            return _from_held(run)
        case Phase.UNVERIFIED:
            text = f"Look at {run.endpoint} now; try the rollback again: rollout retry {run.id}"
            return text if driven else f"{text}, then {going}"
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
    return all(each.stage != stage.id for each in run.approvals)


def _from_held(run: Run) -> str:
    away = f"give up: rollout abort {run.id}"
    if run.cause is not None and run.cause.why is Why.DRIFT:
        return f"Take the endpoint as it is: rollout resume --adopt {run.id}; or {away}"
    return f"Try the stage again: rollout retry {run.id}; or {away}"
