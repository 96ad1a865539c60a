"""Where the story of an endpoint is kept: streams of records, and one lease a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of a stream. ``seq`` counts from 0; ``run`` is the run it belongs to."""

    seq: int
    run: str
    body: bytes


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """The lease as stored; ``version`` changes with every write."""

    version: str
    body: bytes


class Conflict(Exception):
    """Somebody else wrote this slot (or this lease version) first: read, then decide again."""


class Store(Protocol):
    """Append-only streams with compare-and-append; safe with many writers on many machines.

    Every method raises ``StoreError`` when the store cannot be reached or refuses.
    """

    def streams(self) -> tuple[str, ...]:
        """Names of all streams, sorted."""
        ...

    def read(self, stream: str, *, after: int = -1, limit: int | None = None) -> tuple[Record, ...]:
        """Records with a ``seq`` above ``after``, in order; so many at most."""
        ...

    def last(self, stream: str) -> Record | None:
        """The newest record, or None for an empty stream."""
        ...

    def tails(self, stream: str | None = None) -> tuple[tuple[str, Record], ...]:
        """The newest record of each run, with its stream, by stream and place; of one or all."""
        ...

    def append(self, stream: str, record: Record) -> None:
        """Add ``record`` durably, exactly at its ``seq``.

        An acknowledgement that got lost is recognised: if the slot holds these very bytes, the
        append has succeeded.

        Raises:
            Conflict: the slot is taken by other bytes, or ``seq`` does not follow the last one.
        """
        ...

    def drop(self, stream: str, below: int) -> None:
        """Forget records with a ``seq`` below ``below``, but never the newest one.

        Reading starts at the first that is kept, and appends go on as before: the numbers of
        dropped records are never free again. Repeating it changes nothing.
        """
        ...

    def lease(self, stream: str) -> LeaseRecord | None:
        """The stream's lease, or None."""
        ...

    def put_lease(self, stream: str, body: bytes, *, version: str | None) -> LeaseRecord:
        """Replace the lease if it still has ``version`` (None: if there is none).

        Raises:
            Conflict: it has another version.
        """
        ...

    def now(self) -> float:
        """The store's own time, Unix seconds: the time of absolute deadlines."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
