"""The fold of runners that come and go: what they leave, and what the next one finds."""

from __future__ import annotations

from dataclasses import replace

from rollout.domain import events as e
from rollout.domain.run import Run, Split

Attendance = e.OwnerTook | e.LeaveBegan | e.ShareLowered | e.ShareRestored | e.Left


def attended(run: Run, event: Attendance, at: float) -> Run:
    """The run after a runner came or went at ``at`` (Unix seconds)."""
    match event:
        case e.OwnerTook():
            return _taken(run, event)
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


def _taken(run: Run, event: e.OwnerTook) -> Run:
    """A runner is here again; what one that may still live had begun may yet land."""
    late = run.intent if event.contested and run.intent not in (None, *run.loose) else None
    loose = run.loose if late is None else (*run.loose, late)
    if run.final:
        return replace(run, loose=loose, leftover="", attempts=0)
    behind = run.cursor is not None and bool(run.share) and not run.committed
    return replace(
        run,
        crashes=run.crashes + event.crashed,
        loose=loose,
        ceiling=None,
        next_check=None,
        waits="",
        unread=run.unread or behind,
    )


def _read_back(run: Run, split: Split) -> Run:
    return replace(run, expected=split, intent=None, attempts=0, failure="")
