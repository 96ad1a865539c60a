"""The real clock; the only place that reads one or sleeps."""

from __future__ import annotations

import time

# On Linux CLOCK_MONOTONIC stands still while the machine is suspended, on macOS it does not.
_NEVER_JUMPS = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Unix seconds, UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never jump, and that go on while the machine sleeps."""
        return time.clock_gettime(_NEVER_JUMPS)

    def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``; nothing at or below 0."""
        if seconds > 0:
            time.sleep(seconds)
