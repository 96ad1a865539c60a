"""The time of a service, told between two looks at it without asking."""

from __future__ import annotations

from collections.abc import Callable

from rollout.ports.clock import Clock

AGAIN_SECONDS = 600.0


class Hours:
    """Tells the service's time between two looks at it by a clock that never jumps.

    The service's true time lies within the step that it tells time in. Looks narrow the difference
    to our clock down; it changes only when a look contradicts it, and time never runs backwards.

    Args:
        stamp: Asks the service for its time, Unix seconds, rounded down to ``step``.
        clock: For the time in between.
        step: Seconds.
    """

    def __init__(self, stamp: Callable[[], float], clock: Clock, *, step: float) -> None:
        self._stamp = stamp
        self._clock = clock
        self._step = step
        self._ahead: float | None = None
        self._looked = 0.0
        self._told = 0.0

    def now(self) -> float:
        """Unix seconds."""
        if self._ahead is None or self._clock.monotonic() - self._looked >= AGAIN_SECONDS:
            self._ahead = self._look(self._ahead)
        self._told = max(self._told, round(self._ahead + self._clock.monotonic(), 3))
        return self._told

    def _look(self, ahead: float | None) -> float:
        before = self._clock.monotonic()
        stamped = self._stamp()
        self._looked = after = self._clock.monotonic()
        least, most = stamped - after, stamped + self._step - before
        if ahead is None:
            return (least + most) / 2
        return min(max(ahead, least), most)
