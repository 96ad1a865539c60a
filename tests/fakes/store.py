"""A journal in memory that keeps the store's promises and fails on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from rollout.domain.errors import StoreError
from rollout.ports.store import Conflict, LeaseRecord, Record


@dataclass
class Shelf:
    """What is stored; give one shelf to two ``FakeStore`` and they are two machines."""

    events: dict[str, list[Record]] = field(default_factory=dict)
    leases: dict[str, LeaseRecord] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class FakeStore:
    """A ``Store`` in memory.

    Args:
        now: The store's clock, Unix seconds.
        shelf: What is stored already.
    """

    def __init__(
        self, *, now: Callable[[], float] = lambda: 0.0, shelf: Shelf | None = None
    ) -> None:
        self.shelf = shelf or Shelf()
        self._now = now
        self._failing = 0
        self._swallowing = 0

    def fail(self, times: int = 1) -> None:
        """Refuse the next calls, before they change anything."""
        self._failing = times

    def swallow(self, times: int = 1) -> None:
        """Do the next writes, then lose their acknowledgement."""
        self._swallowing = times

    def streams(self) -> tuple[str, ...]:
        self._reach()
        return tuple(sorted(self.shelf.events))

    def read(self, stream: str, *, after: int = -1, limit: int | None = None) -> tuple[Record, ...]:
        self._reach()
        return tuple(each for each in self._records(stream) if each.seq > after)[:limit]

    def last(self, stream: str) -> Record | None:
        self._reach()
        return next(reversed(self._records(stream)), None)

    def tails(self, stream: str | None = None) -> tuple[tuple[str, Record], ...]:
        self._reach()
        newest = {
            (name, each.run): each
            for name in sorted(self.shelf.events)
            if stream in (None, name)
            for each in self._records(name)
        }
        found = ((name, each) for (name, _), each in newest.items())
        return tuple(sorted(found, key=lambda pair: (pair[0], pair[1].seq)))

    def append(self, stream: str, record: Record) -> None:
        self._reach()
        with self.shelf.lock:
            held = self._records(stream)
            if record.seq == (held[-1].seq + 1 if held else 0):
                self.shelf.events.setdefault(stream, []).append(record)
            elif record not in held:
                raise Conflict(f"{stream}: {record.seq} is not the next free slot")
        self._acknowledge()

    def drop(self, stream: str, below: int) -> None:
        self._reach()
        with self.shelf.lock:
            held = self._records(stream)
            held[:] = [each for each in held if each.seq >= below or each is held[-1]]

    def lease(self, stream: str) -> LeaseRecord | None:
        self._reach()
        return self.shelf.leases.get(stream)

    def put_lease(self, stream: str, body: bytes, *, version: str | None) -> LeaseRecord:
        self._reach()
        with self.shelf.lock:
            held = self.shelf.leases.get(stream)
            if version != (held.version if held else None):
                raise Conflict(f"{stream}: the lease has another version than {version}")
            made = LeaseRecord(str(int(version or 0) + 1), body)
            self.shelf.leases[stream] = made
        self._acknowledge()
        return made

    def now(self) -> float:
        self._reach()
        return self._now()

    def close(self) -> None:
        pass

    def _records(self, stream: str) -> list[Record]:
        return self.shelf.events.get(stream, [])

    def _reach(self) -> None:
        if self._failing > 0:
            self._failing -= 1
            raise StoreError("The journal cannot be reached.", do="Repeat the command.")

    def _acknowledge(self) -> None:
        if self._swallowing > 0:
            self._swallowing -= 1
            raise StoreError("The journal did not answer.", do="Repeat the command.")
