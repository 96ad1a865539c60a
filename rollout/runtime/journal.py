"""The journal of one endpoint: hash-chained events, each with the state it led to.

Safety comes from the store's compare-and-append alone: whoever appends has read everything before.
The fencing epoch is an event of the same stream, so that taking over and appending are one order.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from rollout.domain.advance import advance
from rollout.domain.codec import decode, encode
from rollout.domain.endpoint import Effect
from rollout.domain.errors import Fenced, StoreError
from rollout.domain.events import Event, Intended, Order, OwnerTook, Pruned, RunStarted
from rollout.domain.run import Run
from rollout.ports.store import Conflict, Record, Store
from rollout.runtime.chain import ORIGIN, body_of, chained, check, digest_of, readable
from rollout.runtime.upcast import VERSION, current

TRIES = 50  # of a person's order against a busy runner


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as it stands in the journal.

    Args:
        seq: Its place in the stream, from 0.
        at: Unix seconds of the store.
        epoch: The fencing epoch under which it was appended.
        by: Who appended it.
        event: What happened.
        state: The run after it.
        digest: SHA-256 of the stored bytes; the next entry names it.
        previous: The digest that this entry names.
        version: Of the events, when it was written.
    """

    seq: int
    at: float
    epoch: int
    by: str
    event: Event
    state: Run
    digest: str
    previous: str
    version: int = VERSION


def read_entry(record: Record) -> Entry:
    """The entry in a stored record, whatever version wrote it.

    Raises:
        NewerJournal: a newer version wrote it: nothing is guessed.
        StoreError: it is not ours.
    """
    with readable(record):
        written = body_of(record)
        body = current(written)
        event: Event = decode(Event, body["event"])  # type: ignore[arg-type]  # a union is no type[T]
        return Entry(
            seq=record.seq,
            at=decode(float, body["at"]),
            epoch=decode(int, body["epoch"]),
            by=decode(str, body["by"]),
            event=event,
            state=decode(Run, body["state"]),
            digest=digest_of(record),
            previous=body["prev"],
            version=written["v"],
        )


class Journal:
    """One stream of events, read and appended by this process.

    Args:
        store: Where it is kept.
        stream: The endpoint's key.
        by: Who appends.
    """

    def __init__(self, store: Store, stream: str, by: str) -> None:
        self._store = store
        self._by = by
        self._mine: int | None = None
        self.stream = stream
        self.last: Entry | None = None

    @property
    def run(self) -> Run | None:
        """The present state; None for an endpoint without a story."""
        return self.last.state if self.last else None

    @property
    def head(self) -> str:
        """SHA-256 of the newest entry known; empty: there is none."""
        return self.last.digest if self.last else ""

    def now(self) -> float:
        """The store's time, Unix seconds; never before what is written already."""
        now = self._store.now()
        return now if self.last is None else max(now, self.last.at)

    def refresh(self) -> Run | None:
        """Read what others appended since.

        Raises:
            Fenced: another runner took the endpoint over.
        """
        if self.last is None:
            record = self._store.last(self.stream)
            self.last = read_entry(record) if record else None
        else:
            for record in self._store.read(self.stream, after=self.last.seq):
                check(record, self.last.seq + 1, self.last.digest, self.stream)
                self.last = read_entry(record)
        self._still_owner()
        return self.run

    def _still_owner(self) -> None:
        if self._mine is not None and self.last is not None and self.last.epoch != self._mine:
            event = self.last.event
            if isinstance(event, OwnerTook) and event.unlocked:
                raise Fenced(
                    f"{event.owner} took {self.stream} away from this runner, by rollout force-unlock.",
                    do="This one stopped. Whoever goes on next: rollout status -w",
                )
            raise Fenced(
                f"Another runner took {self.stream} over (epoch {self.last.epoch}).",
                do="This one stopped. Watch the other: rollout status -w",
            )

    def take(
        self, *, crashed: bool = False, contested: bool = False, call: Effect | None = None
    ) -> None:
        """Become the owner: from here on older owners cannot append.

        Args:
            crashed: The owner before did not leave in good order.
            contested: It may still live.
            call: What it had begun, and may still land; None: nothing that is known.

        Raises:
            Conflict: somebody appended at the same moment; refresh and try again.
        """
        epoch = self.last.epoch + 1 if self.last else 1
        self._append(OwnerTook(epoch, self._by, crashed, contested, call), epoch)
        self._mine = epoch

    def unseat(self, epoch: int) -> None:
        """Let the owner under ``epoch`` append nothing any more, for nobody's sake.

        What it had begun is looked for later, as after any owner who may still live. One who has
        been succeeded already is left alone.
        """
        while self.refresh() is not None and self.last is not None and self.last.epoch == epoch:
            took = OwnerTook(epoch + 1, self._by, False, True, self.open_call(), unlocked=True)
            with suppress(Conflict):
                self._append(took, epoch + 1)

    def start(self, run: Run, source: str, file: str) -> Run:
        """Begin a run in this stream, as its owner from the first event on."""
        epoch = self.last.epoch + 1 if self.last else 1
        placed = replace(run, first=self.last.seq + 1 if self.last else 0)
        started = self._append(RunStarted(placed, source, file), epoch)
        self._mine = epoch
        return started

    def open_call(self) -> Effect | None:
        """The effect that the last owner had begun, if nothing it wrote says that the call returned."""
        if self.last is None:
            return None
        for record in reversed(self._store.read(self.stream, after=self.last.seq - TRIES)):
            event = read_entry(record).event
            if not isinstance(event, Order | Pruned):  # whoever gives those owns nothing
                return event.effect if isinstance(event, Intended) else None
        return None

    def append(self, event: Event) -> Run:
        """Append as the owner, durably.

        Returns:
            The run after the event.

        Raises:
            Conflict: a person's order came first and was read: decide again.
            Fenced: another runner took over.
        """
        if self._mine is None:
            raise Fenced("This process does not own the endpoint.", do="Take the lease first.")
        self._still_owner()
        try:
            return self._append(event, self._mine)
        except Conflict:
            self.refresh()
            raise

    def order(self, order: Order | Pruned, fits: Callable[[Run], None] = lambda _: None) -> Run:
        """Append a person's order from any process, whoever owns the endpoint.

        Args:
            order: What the person wants.
            fits: Raises if the run as it is now cannot take the order; asked before each try.

        Raises:
            StoreError: the journal would not take it.
        """
        for _ in range(TRIES):
            run = self.refresh()
            if run is None or self.last is None:
                break
            fits(run)
            try:
                return self._append(order, self.last.epoch)
            except Conflict:
                continue
        raise StoreError(
            f"The order did not get into the journal of {self.stream}.", do="Give it again."
        )

    def _append(self, event: Event, epoch: int) -> Run:
        at = self.now()
        state = self._after(event, at)
        body = {
            "v": VERSION,
            "id": uuid.uuid4().hex,
            "prev": self.last.digest if self.last else ORIGIN,
            "epoch": epoch,
            "at": at,
            "by": self._by,
            "event": encode(event),
            "state": encode(state),
        }
        record = Record(
            seq=self.last.seq + 1 if self.last else 0,
            run=state.id,
            body=json.dumps(body, separators=(",", ":"), allow_nan=True).encode(),
        )
        self._store.append(self.stream, record)
        # Not decoded again, a third of an append's time: whoever reads it finds the same (tests compare).
        self.last = Entry(
            seq=record.seq,
            at=at,
            epoch=epoch,
            by=self._by,
            event=event,
            state=state,
            digest=digest_of(record),
            previous=body["prev"],
        )
        return state

    def _after(self, event: Event, at: float) -> Run:
        if isinstance(event, RunStarted):
            return event.run
        if self.last is None:
            raise StoreError("The journal is empty.", do="Begin a run: rollout apply PLAN")
        return advance(self.last.state, event, at)


def entries(store: Store, stream: str, run_id: str | None = None) -> Iterator[Entry]:
    """The story of an endpoint, oldest first; of one run or of all.

    Raises:
        StoreError: an entry was edited, taken out or put in since it was written.
    """
    for record in chained(store.read(stream), stream):
        if run_id is None or record.run == run_id:
            yield read_entry(record)
