"""The tree on a terminal, redrawn in place while a run goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from rollout.domain.run import Phase, Run
from rollout.ports.observer import Alert, Appended, Notice, Waiting, Watched
from rollout.report.again import PLAIN, Again
from rollout.report.drifting import drift_of, drift_rows
from rollout.report.lines import told
from rollout.report.rows import Ink, Row, row
from rollout.report.sanitise import line
from rollout.report.tree import Trail, View, tree

REDRAWS = 4  # per second
LONG = 12  # points of a trail
_STYLES = {
    Ink.PLAIN: "",
    Ink.STRONG: "bold",
    Ink.DIM: "dim",
    Ink.GOOD: "green",
    Ink.BAD: "red",
    Ink.WARN: "yellow",
    Ink.ACTIVE: "cyan",
}


class LiveTree:
    """An observer that keeps a tree on a terminal up to date.

    Args:
        stream: The terminal.
        monotonic: Seconds that never jump, to go on counting between two notices.
        footer: What a person may do meanwhile.
        color: Whether to use colours.
        width: Columns; None: as the terminal says.
        again: What the commands repeat.
    """

    def __init__(
        self,
        stream: TextIO,
        monotonic: Callable[[], float],
        footer: str,
        *,
        color: bool = True,
        width: int | None = None,
        again: Again = PLAIN,
    ) -> None:
        self._console = Console(
            file=stream, no_color=not color, highlight=False, soft_wrap=False, width=width
        )
        self._monotonic = monotonic
        self._again = again
        self._view: View | None = None
        self._read = 0.0
        self._trails: dict[str, list[tuple[float, float]]] = {}
        self._stage = -1
        self._hint = ""
        self.footer = footer
        self._live = Live(
            console=self._console, refresh_per_second=REDRAWS, get_renderable=self._drawn
        )

    def __enter__(self) -> LiveTree:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.footer = self._hint = ""
        self._live.vertical_overflow = "visible"
        self._live.stop()

    def saw(self, notice: Notice) -> None:
        """Take the newest state; the terminal is redrawn by itself."""
        seen = self._view
        judgement = seen.judgement if seen is not None else None
        alert = seen.alert if seen is not None else ""
        match notice:
            case Appended(run=run):
                alert, judgement, self._hint = "", run.judgement, ""
            case Watched(judgement=judgement):
                pass
            case Alert(text=alert):
                pass
            case Waiting():
                self._hint = told(notice, self._again) if notice.run.phase is Phase.HELD else ""
        if notice.run.at != self._stage:
            self._stage = notice.run.at
            self._trails = {}
        view = View(notice.run, notice.at, judgement, alert, again=self._again)
        self._trace(view)
        self._read = self._monotonic()
        self._view = view

    def show(self, run: Run, at: float) -> None:
        """Take a run as the journal has it."""
        self._view, self._read = View(run, at, again=self._again), self._monotonic()

    def _trace(self, view: View) -> None:
        for check in view.word.checks if view.word else ():
            trail = self._trails.setdefault(check.check, [])
            point = (check.toward_rollback, check.toward_pass)
            if not trail or trail[-1] != point:
                self._trails[check.check] = [*trail, point][-LONG:]

    def rows(self) -> tuple[Row, ...]:
        """The picture at this moment."""
        seen = self._view
        foot = tuple(row(each) for each in (self._hint, self.footer) if each)
        if seen is None:
            return foot
        now = seen.now + (self._monotonic() - self._read)
        trails: dict[str, Trail] = {**self._trails}
        moved = replace(seen, now=now, trails=trails)
        return (*tree(moved), *drift_rows(drift_of(seen.run)), *foot)

    def _drawn(self) -> Group:
        return Group(*map(rendered, self.rows()))


def rendered(made: Row) -> Text:
    """A row for rich: never wrapped, cut at the terminal's edge."""
    text = Text(no_wrap=True, overflow="ellipsis")
    for piece in made:
        text.append(line(piece.text), _STYLES[piece.ink])
    return text
