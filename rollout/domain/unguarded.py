"""A superseded run whose successor never began: nobody guards what it left, until somebody is told."""

from __future__ import annotations

import shlex

from rollout.domain.endpoint import SetSplit
from rollout.domain.errors import Unguarded
from rollout.domain.run import Phase, Run, Why


def abandoned(run: Run | None) -> bool:
    """Whether this run was superseded and left its split for the next one, which has to begin yet.

    That is so only of the newest run of an endpoint.
    """
    if run is None:
        return False
    superseded = run.cause is not None and run.cause.why is Why.SUPERSEDED
    return run.phase is Phase.ABORTED and superseded


def unguarded(run: Run) -> Unguarded | None:
    """What is wrong where the newest run of an endpoint has left a candidate like that; or None."""
    exposed = bool(run.share) or run.created or isinstance(run.intent, SetSplit)
    if not abandoned(run) or run.captured is None or not exposed:
        return None
    return Unguarded(
        f"NOBODY guards {run.candidate}: {run.id} left it with {run.share} %, and the run that was "
        "to take its place never began.",
        do=f"Go on: rollout apply {shlex.quote(run.file or 'PLAN')}. "
        f"Take it back: rollout undo {run.id}",
    )
