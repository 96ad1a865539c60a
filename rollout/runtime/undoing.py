"""Whether a run can be undone: everything that had traffic when it began is there to have it again."""

from __future__ import annotations

from rollout.domain.endpoint import Condition, Seen
from rollout.domain.errors import PreflightFailed, UsageError
from rollout.domain.run import Run, Split


def checked_goal(last: Run, seen: Seen) -> Split:
    """The split that undoing a run restores.

    Args:
        last: A run that is over; others may have ended since.
        seen: Its endpoint as it is.

    Raises:
        UsageError: the run changed nothing.
        PreflightFailed: a deployment of that split is gone, or has failed.
    """
    if last.captured is None:
        raise UsageError(f"{last.id} changed nothing.", do="List the runs: rollout history")
    found = Split(last.captured.traffic)
    gone = [name for name in sorted(found.traffic) if name not in seen.deployments]
    failed = [
        name
        for name in sorted(found.traffic)
        if name in seen.deployments and seen.deployments[name].condition is Condition.FAILED
    ]
    if gone:
        who = (
            f"{last.id} deleted {last.baseline}" if last.deleted and gone == [last.baseline] else ""
        )
        lacks = f"{' and '.join(gone)} {'is' if len(gone) == 1 else 'are'} not there any more"
        raise PreflightFailed(
            f"{last.id} found {found}, and {who or lacks}. Nothing was changed.",
            do=f"Apply a plan with {last.candidate} as baseline and the old model as candidate.",
        )
    if failed:
        raise PreflightFailed(
            f"{last.id} found {found}, and {' and '.join(failed)} has failed. Nothing was changed.",
            do="Repair it, then undo again. Its log: rollout logs "
            f"{failed[0]} {last.file or 'PLAN'}",
        )
    return found


def undoes(run: Run, last: Run) -> bool:
    """Whether a run was begun to take the endpoint back to what ``last`` found."""
    return run.identity.startswith(f"undo-{last.id}-")
