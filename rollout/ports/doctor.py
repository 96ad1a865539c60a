"""What a provider can say of the ground that a plan stands on, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable

from rollout.ports.endpoint import Finding

LOGIN = "login"
"""The topic whose bad signs mean that nobody is logged in."""

UNLOOKED = "Not checked: "
"""How the text of a look begins that could not be made, or told nothing either way."""


class State(Enum):
    """How a look ended."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"  # it could not be made, or told nothing either way


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that was looked at.

    Args:
        topic: What it belongs to, such as ``quota``; signs of a topic stand together.
        name: Unique in its topic.
        state: How it is.
        text: A sentence; with what to do if it is bad, with why if it is unknown.
    """

    topic: str
    name: str
    state: State
    text: str

    @property
    def finding(self) -> Finding:
        """The same as a pre-check: what nobody could look at stops no run, and says so."""
        return Finding(self.name, ok=self.state is not State.BAD, text=self.text)


@runtime_checkable
class Doctor(Protocol):
    """An endpoint that can say more of its ground than its pre-checks do."""

    def diagnose(self) -> tuple[Sign, ...]:
        """Everything worth a look, topic by topic; writes nothing and raises nothing of its own."""
        ...


def sign_of(topic: str, finding: Finding) -> Sign:
    """A pre-check as a sign; one that could not be made says so in its first words."""
    state = State.UNKNOWN if finding.text.startswith(UNLOOKED) else State.GOOD
    return Sign(topic, finding.name, state if finding.ok else State.BAD, finding.text)


def unlooked(topic: str, name: str, why: object) -> Sign:
    """A look that could not be made."""
    return Sign(topic, name, State.UNKNOWN, f"{UNLOOKED}{why}")


def logged_in(signs: Iterable[Sign]) -> bool:
    """Whether no sign says that nobody is."""
    return not any(each.topic == LOGIN and each.state is State.BAD for each in signs)
