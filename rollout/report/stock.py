"""What a store holds, as tables and as data."""

from __future__ import annotations

from collections.abc import Sequence

from rollout.domain.outcome import outcome
from rollout.report import words
from rollout.report.history import outcome_ink
from rollout.report.rows import Ink, Part, Piece, Row, columns, row
from rollout.runtime.pruning import Prunable
from rollout.runtime.stock import Stream

_NEWER = "of a newer rollout"


def stock_table(streams: Sequence[Stream], now: float) -> tuple[Row, ...]:
    """A line for each endpoint."""
    head = ("endpoint", "runs", "events", "newest", "outcome", "last event", "driven by")
    table: list[list[Part]] = [[Piece(word, Ink.DIM) for word in head]]
    for each in streams:
        word = outcome(each.run) if each.run else _NEWER
        ago = f"{words.lapse(now - each.at)} ago" if each.at is not None else "-"
        table.append(
            [
                Piece(each.key, Ink.STRONG),
                f"{each.runs:,}",
                f"{each.entries:,}",
                each.newest,
                Piece(word, outcome_ink(word) if each.run else Ink.WARN),
                ago,
                each.holder or "-",
            ]
        )
    return columns(table)


def stock_data(stream: Stream) -> dict[str, object]:
    """One endpoint's journal as data."""
    return {
        "endpoint": stream.key,
        "runs": stream.runs,
        "events": stream.entries,
        "newest": stream.newest,
        "outcome": outcome(stream.run) if stream.run else None,
        "last_event_at": None if stream.at is None else words.instant(stream.at),
        "driven_by": stream.holder,
        "readable": stream.run is not None,
    }


def prunable_rows(found: Sequence[Prunable]) -> tuple[Row, ...]:
    """What would be forgotten, a line for each endpoint."""
    return tuple(
        row(
            Piece(each.stream, Ink.STRONG),
            f"  {words.plural(len(each.runs), 'run')}, {words.plural(each.entries, 'event')}: ",
            ", ".join(run.id for run in each.runs),
        )
        for each in found
    )


def prunable_data(found: Prunable) -> dict[str, object]:
    """The same of one endpoint as data."""
    return {
        "endpoint": found.stream,
        "runs": [run.id for run in found.runs],
        "events": found.entries,
    }
