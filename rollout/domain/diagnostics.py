"""What is wrong with a plan, where, and what to write instead.

Named tuples, because ``validate`` starts with them and a data class costs ten times as much to make.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A position in a text file; line and column count from 1, as editors do."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Diagnostic(NamedTuple):
    """One finding. ``do`` is an instruction, never empty."""

    place: Place
    path: str
    what: str
    do: str

    def __str__(self) -> str:
        return f"{self.place}: {self.path}: {self.what} {self.do}"
