"""Lines of coloured pieces: what every picture of a run is made of, before any terminal is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import NamedTuple

from rollout.report.sanitise import line


class Ink(Enum):
    """What a colour means; the terminal chooses which."""

    PLAIN = "plain"
    STRONG = "strong"
    DIM = "dim"
    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    ACTIVE = "active"


class Piece(NamedTuple):
    """Some text of one colour."""

    text: str
    ink: Ink = Ink.PLAIN


Row = tuple[Piece, ...]
Part = str | Piece


def row(*parts: Part) -> Row:
    """A line of these parts; a bare string has no colour."""
    return tuple(Piece(part) if isinstance(part, str) else part for part in parts)


def spell(made: Row) -> str:
    """The line as plain text, harmless whatever it was made from.

    >>> spell(row("green ", Piece("failed", Ink.BAD), "  "))
    'green failed'
    """
    return line("".join(piece.text for piece in made)).rstrip()


def columns(table: Sequence[Sequence[Part]], *, gap: int = 2, indent: int = 0) -> tuple[Row, ...]:
    """Rows of cells, each column as wide as its widest cell."""
    cells = [row(*line_) for line_ in table]
    count = max((len(each) for each in cells), default=0)
    widths = [max(len(each[at].text) for each in cells if at < len(each)) for at in range(count)]
    return tuple(_aligned(each, widths, gap, indent) for each in cells)


def _aligned(cells: Row, widths: Sequence[int], gap: int, indent: int) -> Row:
    made = [Piece(" " * indent)] if indent else []
    for at, cell in enumerate(cells):
        last = at == len(cells) - 1
        made.append(cell)
        if not last:
            made.append(Piece(" " * (widths[at] - len(cell.text) + gap)))
    return tuple(made)


def text(rows: Iterable[Row]) -> str:
    """Several lines as plain text."""
    return "\n".join(map(spell, rows))
