"""A query's text as words with their places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
    "microsecond": timedelta(microseconds=1),
}
_WORD = re.compile(
    r"""
      (?P<space>\s+|//[^\n]*)
    | (?P<datetime>datetime\(\s*[\w:.+\-\s]*\))
    | (?P<timespan>\d+(?:\.\d+)?(?:ms|microsecond|[dhms])\b)
    | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    | (?P<name>[A-Za-z_]\w*)
    | (?P<sign>\.\.|==|!=|<=|>=|=~|!~|[|(),=<>+\-*/%])
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "0": "\0"}
_QUANTITY = re.compile(r"([\d.]+)(\w+)")


class Word(NamedTuple):
    """A word.

    Args:
        kind: ``name``, ``sign``, ``literal`` or ``end``.
        text: As it was written.
        value: Of a literal.
        at: Where it begins, from 0.
    """

    kind: str
    text: str
    value: object
    at: int


class KqlError(Exception):
    """A query that cannot be answered."""

    def __init__(self, message: str, *, code: str = "SyntaxError", at: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.at = at


def words(text: str) -> Iterator[Word]:
    """The words of a query, with one that marks the end.

    Raises:
        KqlError: a character begins no word.
    """
    at = 0
    while at < len(text):
        match = _WORD.match(text, at)
        if match is None:
            raise KqlError(f"{text[at]!r} is not understood by the emulator.", at=at)
        kind, said = match.lastgroup or "", match.group()
        if kind in ("name", "sign"):
            yield Word(kind, said, None, at)
        elif kind != "space":
            yield Word("literal", said, _value(kind, said, at), at)
        at = match.end()
    yield Word("end", "", None, at)


def _value(kind: str, said: str, at: int) -> object:
    match kind:
        case "number":
            return int(said) if said.isdigit() else float(said)
        case "string":
            return _ESCAPE.sub(lambda found: _unescaped(found[1]), said[1:-1])
        case "timespan":
            amount, unit = re.fullmatch(_QUANTITY, said).groups()  # type: ignore[union-attr]
            return float(amount) * _UNITS[unit]
        case _:
            return parse_datetime(said[len("datetime(") : -1], at)


def parse_datetime(text: str, at: int | None = None) -> datetime:
    """A time as KQL and requests write it; without a zone it is UTC.

    Raises:
        KqlError: it is none.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise KqlError(f"{text!r} is no datetime.", at=at) from error
    return found.replace(tzinfo=found.tzinfo or UTC)


def _unescaped(escape: str) -> str:
    if escape.startswith("u"):
        return chr(int(escape[1:], 16))
    return _ESCAPED.get(escape, escape)
