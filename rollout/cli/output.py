"""Where a command writes: data to standard output, messages to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TextIO

import click

from rollout.cli.again import again
from rollout.cli.options import Given
from rollout.domain.errors import UsageError
from rollout.report import sanitise
from rollout.report.rows import Ink, Row, row, spell

_STYLES: dict[Ink, dict[str, object]] = {
    Ink.PLAIN: {},
    Ink.STRONG: {"bold": True},
    Ink.DIM: {"dim": True},
    Ink.GOOD: {"fg": "green"},
    Ink.BAD: {"fg": "red"},
    Ink.WARN: {"fg": "yellow"},
    Ink.ACTIVE: {"fg": "cyan"},
}


class Output:
    """The two streams of a command, as its options want them."""

    def __init__(self, given: Given) -> None:
        self.form = given.output
        self.quiet = given.quiet
        self.again = again(given)
        self._color = given.color
        self._input = given.input

    # --- data -----------------------------------------------------------------

    def show(self, data: object, rows: Iterable[Row]) -> None:
        """The result: data for programs, or rows for people."""
        match self.form:
            case "json":
                write(sys.stdout, sanitise.pretty_json(data))
            case "yaml":
                write(sys.stdout, as_yaml(data))
            case "text":
                for each in rows:
                    write(sys.stdout, self._painted(each, sys.stdout))
            case _:
                return

    def stream(self, data: object, made: Row) -> None:
        """One of many results, at once: a line of JSON, or a row."""
        match self.form:
            case "json" | "yaml":
                write(sys.stdout, sanitise.compact_json(data))
            case "text":
                write(sys.stdout, self._painted(made, sys.stdout))
            case _:
                return

    # --- messages ---------------------------------------------------------------

    @property
    def progress(self) -> TextIO:
        """Where people watch: standard output unless that carries data."""
        return sys.stdout if self.form == "text" else sys.stderr

    def tell(self, made: Row) -> None:
        """Progress: a line of what happens."""
        if not self.quiet:
            write(self.progress, self._painted(made, self.progress))

    def log(self, line: str) -> None:
        """Progress: a finished log line, its strings already safe or made so here."""
        safe = sanitise.json_line(line) if line.startswith("{") else sanitise.line(line)
        if not self.quiet:
            write(self.progress, safe)

    def conclude(self, made: Row) -> None:
        """What came of it; told even if everything else is silent."""
        write(self.progress, self._painted(made, self.progress))

    def say(self, text: str) -> None:
        """A message of ours: what was done and what comes next; its commands work as printed."""
        if not self.quiet:
            write(sys.stderr, sanitise.clean(self.again.completed(text)))

    def ask(self, question: str, flag: str) -> bool:
        """A question to a person.

        Args:
            question: Ends in a question mark.
            flag: The option that answers it.

        Raises:
            UsageError: there is nobody to ask.
        """
        if not (self._input and _terminal(sys.stdin) and _terminal(sys.stderr)):
            raise UsageError(
                f'This needs a yes to "{question}", and there is no terminal to ask on.',
                do=f"Say it in the call: {flag}",
            )
        sys.stderr.write(f"{sanitise.line(question)} [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    # --- looks ------------------------------------------------------------------

    def colors(self, stream: TextIO) -> bool:
        """Whether this stream gets colours."""
        return self._color and not os.environ.get("NO_COLOR") and redrawable(stream)

    def _painted(self, made: Row, stream: TextIO) -> str:
        if not self.colors(stream):
            return spell(made)
        pieces = (
            click.style(sanitise.line(each.text), **_STYLES[each.ink])  # type: ignore[arg-type]
            if each.ink is not Ink.PLAIN
            else sanitise.line(each.text)
            for each in made
        )
        return "".join(pieces).rstrip()


def redrawable(stream: TextIO) -> bool:
    """Whether the cursor can be moved there."""
    return _terminal(stream) and os.environ.get("TERM") != "dumb"


def _terminal(stream: TextIO) -> bool:
    with suppress(ValueError):  # a closed stream
        return stream.isatty()
    return False


def text_rows(text: str) -> list[Row]:
    """A text of several lines as rows."""
    return [row(each) for each in sanitise.clean(text).splitlines()]


def write(stream: TextIO, text: str) -> None:
    """A line to a stream; a reader who has left is no error."""
    try:
        stream.write(f"{text}\n")
        stream.flush()
    except BrokenPipeError:
        deafen(stream)


def deafen(stream: TextIO) -> None:
    """Let everything that is still written there go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError, ValueError):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def as_yaml(data: object) -> str:
    """Plain data as YAML, every string in it cleaned."""
    import yaml  # noqa: PLC0415 - only where it is printed

    made: str = yaml.safe_dump(sanitise.clean_tree(data), sort_keys=False, width=10_000)
    return made.rstrip("\n")
