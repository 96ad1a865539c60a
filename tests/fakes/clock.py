"""Time that passes only when somebody sleeps."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

EPOCH = 1_800_000_000.0


class FakeClock:
    """A ``Clock`` in virtual time, for one process."""

    def __init__(self, start: float = EPOCH) -> None:
        self._start = start
        self._now = start
        self._order = count()
        self._due: list[tuple[float, int, Callable[[], object]]] = []

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now - self._start

    def sleep(self, seconds: float) -> None:
        """Pass the time, and on the way do what was asked for with ``after``."""
        end = self._now + max(seconds, 0.0)
        while self._due and self._due[0][0] <= end:
            at, _, deed = heapq.heappop(self._due)
            self._now = max(self._now, at)
            deed()
        self._now = max(self._now, end)

    def after(self, seconds: float, deed: Callable[[], object]) -> None:
        """Do ``deed`` once so many seconds from now, while somebody sleeps."""
        heapq.heappush(self._due, (self._now + seconds, next(self._order), deed))


class SharedClock:
    """A ``Clock`` in virtual time for all processes that name the same file.

    A killed process leaves the time where it was, so that a run is the same each time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: sqlite3.Connection | None = None
        with closing(sqlite3.connect(path, isolation_level=None)) as made:
            made.execute("create table if not exists clock (now real)")
            made.execute(
                "insert into clock select ? where not exists (select 1 from clock)", (EPOCH,)
            )

    def now(self) -> float:
        return float(self._connection().execute("select now from clock").fetchone()[0])

    def monotonic(self) -> float:
        return self.now() - EPOCH

    def sleep(self, seconds: float) -> None:
        self._connection().execute("update clock set now = now + ?", (max(seconds, 0.0),))

    def close(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def _connection(self) -> sqlite3.Connection:
        # Opened late: a connection must not cross a fork.
        if self._held is None:
            self._held = sqlite3.connect(self._path, isolation_level=None)
            self._held.execute("pragma synchronous = off")
        return self._held
