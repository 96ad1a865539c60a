"""A run where nothing can be redrawn: a line for each event, with the time and the run's id."""

from __future__ import annotations

from collections.abc import Callable

from rollout.domain import approvals, events as e, windows
from rollout.domain.run import Drift, Run
from rollout.ports.observer import Alert, Appended, Notice, Waiting, Watched
from rollout.report import lines, words
from rollout.report.again import PLAIN, Again
from rollout.report.drifting import drift_of, drift_rows
from rollout.report.rows import Ink, Piece, Row, row

HEARTBEAT = 300.0  # seconds of silence
_FOR_PEOPLE = ("approval", "person", "timer", "window")


class Lines:
    """An observer that writes rows.

    Args:
        write: Takes a line.
        wordy: Also tell of what runners do for themselves.
        again: What the commands repeat.
    """

    def __init__(
        self, write: Callable[[Row], None], *, wordy: bool = False, again: Again = PLAIN
    ) -> None:
        self._write = write
        self._wordy = wordy
        self._again = again
        self._told: float | None = None
        self._waits: tuple[str, int, str] | None = None
        self._alert = ""

    def saw(self, notice: Notice) -> None:
        """Write a line if there is something new, or if there was none for long."""
        ink, fresh = Ink.PLAIN, False
        self._told = notice.at if self._told is None else self._told
        match notice:
            case Appended(event):
                ink = lines.ink(event)
                fresh = self._wordy or not isinstance(event, e.ObservationBegan | e.OwnerTook)
                self._alert = ""
            case Waiting(run, on):
                fresh = self._is_new(run, on)
            case Watched(run):
                # A guarded wait is told by what the guard says; what it waits for is told once.
                waits = _beneath(run, notice.at)
                if waits is not None and self._is_new(run, waits.on):
                    notice, fresh = waits, True
            case Alert(_, text):
                ink, fresh = Ink.WARN, text != self._alert
                self._alert = text
        if fresh:
            self._tell(notice, lines.told(notice, self._again), ink)
            for each in drift_rows(_drift(notice), ""):
                self._write((*event_row(notice.at, notice.run.id, ""), *each))
        elif notice.at - self._told >= HEARTBEAT:
            self._tell(notice, f"still here: {lines.told(notice, self._again)}", Ink.DIM)

    def _is_new(self, run: Run, on: str) -> bool:
        waits = (run.id, run.at, on)
        fresh = waits != self._waits and (self._wordy or on in _FOR_PEOPLE)
        self._waits = waits if fresh else self._waits
        return fresh

    def _tell(self, notice: Notice, text: str, ink: Ink) -> None:
        self._told = notice.at
        self._write(event_row(notice.at, notice.run.id, text, ink))


def _beneath(run: Run, now: float) -> Waiting | None:
    """What a run waits for, while its guard measures, that people want to know of."""
    work, stage = approvals.asked(run), run.stage
    if work is not None and stage is not None:
        lacking = len(approvals.given(run, stage, work)) < work.count
        return Waiting(run, "approval", approvals.until(run, work), now) if lacking else None
    opens = windows.waited_for(run, now)
    return None if opens is None else Waiting(run, "window", opens, now)


def _drift(notice: Notice) -> Drift | None:
    held = isinstance(notice, Appended) and isinstance(notice.event, e.Held)
    return drift_of(notice.run) if held else None


def event_row(at: float, run_id: str, text: str, ink: Ink = Ink.PLAIN) -> Row:
    """A line of a log: when, which run, what."""
    return row(Piece(words.instant(at), Ink.DIM), f" {run_id} ", Piece(text, ink))
