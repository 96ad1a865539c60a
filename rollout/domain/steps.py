"""Where a step begins: what was known of the one before is over."""

from __future__ import annotations

from dataclasses import replace

from rollout.domain.run import Cause, Phase, Run


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
    )
