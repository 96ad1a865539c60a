"""An observer that remembers."""

from __future__ import annotations

from typing import Any

from rollout.ports.observer import Alert, Appended, Notice


class FakeObserver:
    """Keeps every notice, in order."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def saw(self, notice: Notice) -> None:
        self.notices.append(notice)

    @property
    def alerts(self) -> list[str]:
        """What a person was told at once."""
        return [each.text for each in self.notices if isinstance(each, Alert)]

    def events(self, kind: type) -> list[Any]:
        """The events of one kind that became durable."""
        found = (each.event for each in self.notices if isinstance(each, Appended))
        return [each for each in found if isinstance(each, kind)]
