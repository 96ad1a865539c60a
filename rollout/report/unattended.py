"""A run that nobody drives at the moment: who guards its candidate, and when somebody looks again."""

from __future__ import annotations

from rollout.domain.run import Run
from rollout.report import words

_WAITS = {
    "provisioning": "an operation of the endpoint",
    "retry": "the next attempt",
    "timer": "a timer",
    "approval": "an approval",
    "window": "a window",
    "person": "a person's order",
    "samples": "samples",
    "answer": "an answer of the endpoint",
}


def unattended(run: Run) -> str:
    """A sentence or two for a person who looks at a run without a runner.

    Args:
        run: Not over.
    """
    share = run.split.traffic.get(run.candidate, 0) if run.split else 0
    nobody = "Nobody guards it now" if share else "Nobody drives it at the moment"
    told = [f"{nobody}{_next(run)}."]
    if share:
        before = run.restores.traffic.get(run.candidate, 0) if run.restores else 0
        down = f" in place of {before} %, until a runner is here" if before else ""
        told.append(f"{run.candidate} has {share} %{down}.")
    return " ".join(told)


def _next(run: Run) -> str:
    if run.next_check is None:
        return ""
    waits = f", for {_WAITS.get(run.waits, run.waits)}" if run.waits else ""
    return f"; next check at {words.moment(run.next_check)}{waits}"
