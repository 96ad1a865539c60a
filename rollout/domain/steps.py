"""Where a step begins: what was known of the one before is over."""

from __future__ import annotations

from dataclasses import replace

from rollout.domain.endpoint import SetSplit
from rollout.domain.run import OPEN, Cause, Phase, Run, Why


def begun(run: Run, at: float) -> Run:
    """A step begins: nothing intended yet, nothing observed yet."""
    return replace(
        run,
        since=at,
        intent=None,
        attempts=0,
        failure="",
        cursor=None,
        judgement=None,
        unread=False,
        misses=0,
    )


def back(run: Run, cause: Cause, at: float) -> Run:
    """The run on its way back to the captured split."""
    stepped = begun(run, at)
    return replace(
        stepped,
        phase=Phase.ROLLING_BACK,
        cause=cause,
        trouble=None,
        adopt=False,
        judgement=run.judgement,
        checked=False,
        tried=0.0,
        ceiling=None,
        restores=None,
        uncounted=_uncounted(run, cause),
        collected=False,
    )


def _uncounted(run: Run, cause: Cause) -> str | None:
    """From where on live answers of the candidate are in no measurement yet."""
    if run.phase not in OPEN or cause.why is Why.UNDO:
        return run.uncounted
    if run.share:
        return run.cursor or ""
    adopting = run.captured is not None and run.expected is None
    landing = isinstance(run.intent, SetSplit) and run.intent.traffic.get(run.candidate)
    return "" if adopting or landing else None
