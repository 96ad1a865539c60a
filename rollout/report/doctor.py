"""What doctor found, topic by topic."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rollout.ports.doctor import Sign, State
from rollout.report import words
from rollout.report.rows import Ink, Part, Piece, Row, columns, row

_MARKS = {
    State.GOOD: Piece("✔", Ink.GOOD),
    State.BAD: Piece("✖", Ink.BAD),
    State.UNKNOWN: Piece("?", Ink.WARN),
}


def doctor_rows(signs: Sequence[Sign]) -> tuple[Row, ...]:
    """The page: a part for each topic, and a line that sums up."""
    table: list[list[Part]] = []
    for topic, group in groupby(signs, key=lambda sign: sign.topic):
        for at, each in enumerate(group):
            lead = "" if at else Piece(topic, Ink.STRONG)
            table.append([lead, _MARKS[each.state], each.name, each.text])
    return (*columns(table), row(_sum(signs)))


def _sum(signs: Sequence[Sign]) -> Piece:
    bad = sum(each.state is State.BAD for each in signs)
    unknown = sum(each.state is State.UNKNOWN for each in signs)
    left = f", {unknown} could not be told" if unknown else ""
    if bad:
        return Piece(f"{words.plural(bad, 'thing')} to put right{left}.", Ink.BAD)
    return Piece(f"Nothing is wrong{left}.", Ink.WARN if unknown else Ink.GOOD)


def doctor_data(signs: Sequence[Sign]) -> list[dict[str, str]]:
    """The same for programs."""
    return [
        {"topic": each.topic, "name": each.name, "state": each.state.value, "text": each.text}
        for each in signs
    ]
