"""Leaving a run in good order: the first signal after the present step, the second at once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType

from rollout.cli.exits import Exit

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Leaving:
    """Catches Ctrl-C and SIGTERM while a run is driven.

    Args:
        told: Called once, when a signal was taken note of; must be safe in a signal handler.
    """

    def __init__(self, told: Callable[[], None] = lambda: None) -> None:
        self.told = told
        self.driving = False
        self._caught: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Leaving:
        for number in _SIGNALS:
            with suppress(ValueError):  # not the main thread: whoever has that one decides
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() gave back

    def asked(self) -> bool:
        """Whether somebody wants this process to leave."""
        return self._caught is not None

    @property
    def code(self) -> Exit:
        """What to end with then."""
        return Exit.TERMINATED if self._caught == signal.SIGTERM else Exit.INTERRUPTED

    def _take(self, number: int, _: FrameType | None) -> None:
        again = self._caught is not None
        self._caught = self._caught or number
        if again or not self.driving:
            raise KeyboardInterrupt
        self.told()
