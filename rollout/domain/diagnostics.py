"""What is wrong with a plan, where, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a text file; line and column count from 1, as editors do."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One finding. ``do`` is an instruction, never empty."""

    place: Place
    path: str
    what: str
    do: str

    def __str__(self) -> str:
        return f"{self.place}: {self.path}: {self.what} {self.do}"
