"""Who is told what a runner does: terminals, logs, metrics are observers of the same notices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rollout.domain.events import Event
from rollout.domain.run import Run
from rollout.domain.verdict import Judgement


@dataclass(frozen=True, slots=True)
class Appended:
    """An event is durable in the journal. ``at`` in Unix seconds."""

    event: Event
    run: Run
    at: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing is due before ``until`` (Unix seconds; None: not known), and why."""

    run: Run
    on: str
    until: float | None
    at: float


@dataclass(frozen=True, slots=True)
class Watched:
    """A gate or guard looked again; not yet in the journal."""

    run: Run
    judgement: Judgement
    at: float


@dataclass(frozen=True, slots=True)
class Alert:
    """Something is wrong that a person should know now; the runner goes on."""

    run: Run
    text: str
    at: float


Notice = Appended | Waiting | Watched | Alert


class Observer(Protocol):
    """Told of every notice, in order; must not raise."""

    def saw(self, notice: Notice) -> None:
        """Take note."""
        ...
