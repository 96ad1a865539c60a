"""Time, as something handed in."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """The present moment and the passing of time."""

    def now(self) -> float:
        """Unix seconds, UTC; for what is written down."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump, the sleep of the machine included; for leases and waits."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        ...
