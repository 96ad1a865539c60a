"""The runs of a store as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rollout.domain.outcome import outcome
from rollout.domain.run import Run
from rollout.report import words
from rollout.report.rows import Ink, Part, Piece, Row, columns

_GOOD = {"completed", "undone"}
_OPEN = {"running", "waiting_approval", "waiting_window", "paused", "rolling_back"}


def history_table(runs: Sequence[Run], now: float) -> tuple[Row, ...]:
    """A line for each run, newest first."""
    head = ("run", "endpoint", "plan", "outcome", "started", "took", "by", "why")
    table: list[list[Part]] = [[Piece(word, Ink.DIM) for word in head]]
    for run in runs:
        word = outcome(run)
        took = words.lapse((run.ended or now) - run.started)
        why = run.cause.text if run.cause else ""
        table.append(
            [
                Piece(run.id, Ink.STRONG),
                run.endpoint,
                run.plan,
                Piece(word, outcome_ink(word)),
                words.moment(run.started),
                took,
                run.author,
                _short(why),
            ]
        )
    return columns(table)


def outcome_ink(word: str) -> Ink:
    """The colour of an outcome."""
    if word in _GOOD:
        return Ink.GOOD
    return Ink.ACTIVE if word in _OPEN else Ink.BAD


def _short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
