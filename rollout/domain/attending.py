"""The fold of runners that come and go: what they leave, and what the next one finds."""

from __future__ import annotations

from dataclasses import replace

from rollout.domain import events as e
from rollout.domain.decisions import On
from rollout.domain.run import OPEN, Run, Split, Step

Attendance = e.OwnerTook | e.LeaveBegan | e.ShareLowered | e.ShareRestored | e.Left


def attended(run: Run, event: Attendance, at: float) -> Run:
    """The run after a runner came or went at ``at`` (Unix seconds)."""
    match event:
        case e.OwnerTook():
            return _taken(run, event, at)
        case e.LeaveBegan(share):
            lowers = run.share > share
            before = run.restores or run.expected
            return replace(run, ceiling=share, restores=before if lowers else run.restores)
        case e.ShareLowered(split):
            return _read_back(run, split)
        case e.ShareRestored(split):
            return replace(_read_back(run, split), restores=None, steady=at)
        case e.Left(next_check, on):
            return replace(run, next_check=next_check, waits=on)


def _taken(run: Run, event: e.OwnerTook, at: float) -> Run:
    """A runner is here again; what one that may still live had begun may yet land.

    Time in which nobody was here, and nothing was under way, uses up no stage's timeout; an answer
    that does not come does, however often runners come for it.
    """
    late = (event.call or run.intent) if event.contested else None
    loose = run.loose if late is None or late in run.loose else (*run.loose, late)
    if run.final:
        audited = loose or run.landed
        return replace(run, loose=loose, leftover="", attempts=0) if audited else run
    behind = run.cursor is not None and bool(run.share) and not run.committed
    asks = run.waits == On.ANSWER.value
    idle = run.next_check is not None and run.step is Step.ENTERING and run.intent is None
    return replace(
        run,
        since=at if idle and not asks and run.phase in OPEN else run.since,
        crashes=run.crashes + event.crashed,
        loose=loose,
        ceiling=None,
        next_check=None,
        waits="",
        unread=run.unread or behind,
    )


def _read_back(run: Run, split: Split) -> Run:
    return replace(run, expected=split, intent=None, attempts=0, failure="")
