"""A store whose outages a runner waits out: the endpoint stays as it is, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rollout.domain.errors import NewerJournal, StoreError
from rollout.ports.clock import Clock
from rollout.ports.store import Conflict, LeaseRecord, Record, Store

LONGEST = 300.0  # seconds that an outage may last until the runner gives up
PAUSE = 1.0  # seconds between two tries
TELL_EVERY = 10.0  # seconds between two alerts

T = TypeVar("T")


class OutlastingStore:
    """A ``Store`` that tries again, from ``drive`` on, what ends in a ``StoreError``.

    Trying again is safe: an append that had landed is recognised by its bytes, and so is a lease.
    Whatever the lease has come to meanwhile, the journal's epoch decides who goes on.

    Args:
        store: The real one; closed by whoever opened it.
        clock: For pauses.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._tell: Callable[[str], None] | None = None
        self._stopping: Callable[[], bool] = lambda: False

    def drive(self, tell: Callable[[str], None], stopping: Callable[[], bool]) -> None:
        """Outlast what comes, from here on.

        Args:
            tell: Tells a person what is wrong.
            stopping: Whether the runner shall leave: then the first failure is the last.
        """
        self._tell, self._stopping = tell, stopping

    def streams(self) -> tuple[str, ...]:
        """Names of all streams, sorted."""
        return self._lasting(self._store.streams)

    def read(self, stream: str, *, after: int = -1, limit: int | None = None) -> tuple[Record, ...]:
        """Records with a ``seq`` above ``after``, in order; so many at most."""
        return self._lasting(lambda: self._store.read(stream, after=after, limit=limit))

    def last(self, stream: str) -> Record | None:
        """The newest record, or None for an empty stream."""
        return self._lasting(lambda: self._store.last(stream))

    def tails(self, stream: str | None = None) -> tuple[tuple[str, Record], ...]:
        """The newest record of each run."""
        return self._lasting(lambda: self._store.tails(stream))

    def append(self, stream: str, record: Record) -> None:
        """Add ``record`` durably, exactly at its ``seq``."""
        self._lasting(lambda: self._store.append(stream, record))

    def drop(self, stream: str, below: int) -> None:
        """Forget records with a ``seq`` below ``below``."""
        self._lasting(lambda: self._store.drop(stream, below))

    def lease(self, stream: str) -> LeaseRecord | None:
        """The stream's lease, or None."""
        return self._lasting(lambda: self._store.lease(stream))

    def put_lease(self, stream: str, body: bytes, *, version: str | None) -> LeaseRecord:
        """Replace the lease if it still has ``version``; one that was written already is written."""

        def put() -> LeaseRecord:
            try:
                return self._store.put_lease(stream, body, version=version)
            except Conflict:
                found = self._store.lease(stream)
                if found is None or found.body != body:
                    raise
                return found

        return self._lasting(put)

    def now(self) -> float:
        """The store's own time, Unix seconds."""
        return self._lasting(self._store.now)

    def close(self) -> None:
        """Let go of files and connections."""
        self._store.close()

    def _lasting(self, call: Callable[[], T]) -> T:
        began, told = self._clock.monotonic(), float("-inf")
        while True:
            try:
                return call()
            except NewerJournal:
                raise  # waiting makes no older one of it
            except StoreError as error:
                now = self._clock.monotonic()
                if self._tell is None or now - began >= LONGEST or self._stopping():
                    self._tell = None  # the way out must not take as long again
                    raise
                if now - told >= TELL_EVERY:
                    told = now
                    self._tell(f"{error} The endpoint stays as it is; it is tried again.")
            self._clock.sleep(PAUSE)
