"""The next command for a person who looks at a run."""

from __future__ import annotations

from rollout.domain.plan import Approve
from rollout.domain.run import Phase, Run, Step, Why


def next_command(run: Run, again: str = "") -> str:
    """What a person would do now.

    Args:
        run: As it stands.
        again: The command that would go on; empty: by the file that the run was started from.
    """
    again = again or f"rollout apply {run.file or 'PLAN'}"
    match run.phase:
        case Phase.RUNNING if _asks(run):
            return f"Approve: rollout approve {run.id}. Refuse: rollout reject {run.id}"
        case Phase.RUNNING | Phase.ROLLING_BACK:
            return f"Go on: {again}"
        case Phase.PAUSED:
            return f"Go on: rollout resume {run.id}"
        case Phase.HELD:
            return _from_held(run)
        case Phase.UNVERIFIED:
            text = f"Look at {run.endpoint} now; try the rollback again: rollout retry {run.id}"
            return f"{text}, then {again}"
        case Phase.COMPLETED if run.deleted:
            return f"Look back: rollout show {run.id}"
        case Phase.COMPLETED:
            return f"Look back: rollout show {run.id}. Take it back: rollout undo {run.id}"
        case _:
            return f"Every event: rollout events {run.id}. All of it: rollout show {run.id}"


def _asks(run: Run) -> bool:
    stage = run.stage
    return stage is not None and isinstance(stage.work, Approve) and run.step is Step.OBSERVING


def _from_held(run: Run) -> str:
    away = f"give up: rollout abort {run.id}"
    if run.cause is not None and run.cause.why is Why.DRIFT:
        return f"Take the endpoint as it is: rollout resume --adopt {run.id}; or {away}"
    return f"Try the stage again: rollout retry {run.id}; or {away}"
