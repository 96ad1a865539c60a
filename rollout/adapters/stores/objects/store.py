"""The journal as objects: for any number of machines, with no server but the service.

Five rules shape this module:

* A record is one object that is only ever created, so its number is taken by whoever is first. A
  dropped record leaves an empty object behind: its number must not become free again.
* ``PreconditionError`` and ``AlreadyExistsError`` may mean that our own write landed: obstore sends
  it again when the answer gets lost. So after any failure the object is read and compared.
* The newest record comes first in a listing. Where the next record would be is asked by name, as
  there are no gaps; so a look for news is one request.
* An object says where the unbroken row of its run's records begins, and so where the run before
  it ends: the tails of a stream are read from row to row.
* The runtime of obstore does not live on in a forked child.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError

from rollout.adapters.clock import SystemClock
from rollout.adapters.stores.hours import Hours
from rollout.adapters.stores.objects.envelope import Entry, sign, unsign, unwrap, wrap
from rollout.adapters.stores.objects.failures import (
    Failure,
    explained,
    is_without_container,
    told,
)
from rollout.adapters.stores.objects.names import Names, seq_of, stream_of
from rollout.adapters.stores.objects.place import connected, understood
from rollout.domain.errors import StoreError
from rollout.ports.store import Conflict, LeaseRecord, Record

if TYPE_CHECKING:
    from rollout.adapters.stores.objects.place import Client
    from rollout.ports.clock import Clock

T = TypeVar("T")
U = TypeVar("U")

_LAYOUT = 1
_AT_ONCE = 16  # requests
STAMP_SECONDS = 1.0  # the step of ``last_modified``
_SPARSE = 40  # records a stream up to which a listing of all costs less than a listing of each
_STEPS = 4  # records that are asked for one by one before a listing is cheaper


def build(url: str, *, create: bool = True, clock: Clock | None = None) -> ObjectStore:
    """The journal at ``url``: ``az://container/prefix``, ``s3://bucket/prefix``, ``gs://...``.

    Args:
        url: Credentials and endpoints come from the environment or the cloud's identity.
        create: Whether a journal is made where there is none; its container never is. If not, a
            missing one reads as empty and refuses to be written.
        clock: For the time between two looks at the service's; None: the machine's.

    Raises:
        UsageError: the URL names no container, or has credentials in it.
        StoreError: the service cannot be reached or refuses, or a newer rollout wrote the journal.
    """
    kind, name, prefix = understood(url)
    store = ObjectStore(
        connected(kind, name),
        f"{kind}://{name}/{prefix}".rstrip("/"),
        clock=SystemClock() if clock is None else clock,
    )
    store.open(create=create)
    return store


class _Newest(NamedTuple):
    """What an append has to know of the record before it."""

    seq: int
    run: str
    first: int


_NONE = _Newest(-1, "", 0)


class ObjectStore:
    """A ``Store`` in a container; usable from several threads, and not on both sides of a fork.

    Args:
        client: Of the container.
        place: ``kind://container/prefix``.
        clock: Time between two looks at the service's.
    """

    def __init__(self, client: Client, place: str, *, clock: Clock) -> None:
        self._client = client
        self._place = place
        self._kind, _, path = place.partition("://")
        self._names = Names(path.partition("/")[2])
        self._clock = clock
        self._hours = Hours(self._stamp, clock, step=STAMP_SECONDS)
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._process = os.getpid()
        self._pool: ThreadPoolExecutor | None = None
        self._newest: dict[str, _Newest] = {}
        self._made = False
        self._writes = False

    def open(self, *, create: bool) -> None:
        """See whether the journal can be used, and make it where it is missing.

        Raises:
            StoreError: it cannot, or a newer rollout wrote it.
        """
        self._writes = create
        layout = self._get(self._names.layout)
        if layout is None and create:
            error = self._create(self._names.layout, b"%d" % _LAYOUT)
            layout = self._get(self._names.layout)
            if layout is None and error is not None:
                raise explained(error, self._place)
        if layout is not None and (not layout.isdigit() or int(layout) > _LAYOUT):
            raise StoreError(
                f"The journal {self._place} was written by a newer rollout"
                f" (its layout is {layout[:20]!r}, this one knows up to {_LAYOUT}).",
                do="Upgrade: pip install -U rollout. Nothing was changed.",
            )
        self._made = layout is not None

    def streams(self) -> tuple[str, ...]:
        """Names of all streams, sorted."""
        with self._told():
            found = obstore.list_with_delimiter(self._client, self._names.streams)
        return tuple(sorted(stream_of(each) for each in found["common_prefixes"]))

    def read(self, stream: str, *, after: int = -1, limit: int | None = None) -> tuple[Record, ...]:
        """Records with a ``seq`` above ``after``, in order; so many at most."""
        found: list[Record] = []
        steps = _STEPS if limit is None else min(limit, _STEPS)
        known = after >= 0 or limit is not None  # about where to look
        for seq in range(after + 1, after + 1 + steps) if known else ():
            held = self._get(self._names.record(stream, seq))
            if held is None:
                return tuple(found)
            entry = self._seen(stream, seq, held)
            if entry is None:
                break
            found.append(entry.record)
        if limit is not None and len(found) >= limit:
            return tuple(found)
        rest = tuple(reversed(tuple(self._listed(stream, after=after + len(found)))))
        wanted = rest if limit is None else rest[: limit - len(found)]
        entries = self._at_once(lambda seq: self._entry(stream, seq), wanted)
        return (*found, *(each.record for each in entries if each is not None))

    def last(self, stream: str) -> Record | None:
        """The newest record, or None for an empty stream."""
        entry = self._last(stream)
        return entry.record if entry is not None else None

    def tails(self, stream: str | None = None) -> tuple[tuple[str, Record], ...]:
        """The newest record of each run, by stream and ``seq``."""
        tops = self._tops() if stream is None else {stream: None}
        found = self._at_once(lambda name: (name, self._tails(name, tops[name])), sorted(tops))
        return tuple((name, record) for name, records in found for record in records)

    def append(self, stream: str, record: Record) -> None:
        """Add ``record`` exactly at its ``seq``; kept by the service when this returns.

        Raises:
            Conflict: the slot is taken by something else, or is not the next one.
        """
        self._writable()
        newest = self._newest.get(stream)
        if newest is None or record.seq > newest.seq + 1:
            self._last(stream)
            newest = self._newest.get(stream, _NONE)
        if record.seq < 0 or record.seq > newest.seq + 1:
            raise Conflict(f"{stream}: {record.seq} is not the next free slot")
        if record.seq <= newest.seq:
            self._see_ours(stream, record)  # it may be: an acknowledgement may have got lost
            return
        entry = Entry(record, newest.first if newest.run == record.run else record.seq)
        error = self._create(self._names.record(stream, record.seq), wrap(entry))
        if error is None:
            self._remember(stream, entry)
        else:
            self._see_ours(stream, record, error)

    def drop(self, stream: str, below: int) -> None:
        """Forget records with a ``seq`` below ``below``, but never the newest one.

        Their keys stay, with nothing in them.
        """
        newest = self._last(stream)
        if newest is None:
            return
        self._writable()
        below = min(below, newest.record.seq)
        names = (self._names.record(stream, seq) for seq in self._listed(stream) if seq < below)
        self._at_once(self._empty, tuple(names))

    def lease(self, stream: str) -> LeaseRecord | None:
        """The stream's lease, or None."""
        found = self._lease(stream)
        return LeaseRecord(found[0], unsign(found[1])) if found is not None else None

    def put_lease(self, stream: str, body: bytes, *, version: str | None) -> LeaseRecord:
        """Replace the lease if it still has ``version`` (None: if there is none).

        Raises:
            Conflict: it has another version.
        """
        self._writable()
        key, signed = self._names.lease(stream), sign(body)
        token = "version" if self._kind == "gs" else "e_tag"
        # S3 takes an empty etag for no condition at all.
        if version == "":
            raise Conflict(f"{stream}: no lease has an empty version")
        mode: Any = "create" if version is None else {token: version}
        try:
            self._see_process()
            made = obstore.put(self._client, key, signed, mode=mode, use_multipart=False)
            return LeaseRecord(str(made[token]), body)  # type: ignore[literal-required]
        except Failure as error:
            found = self._lease(stream)
            if found is not None and found[1] == signed:
                return LeaseRecord(found[0], body)
            if _is_conflict(error) or (found[0] if found else None) != version:
                raise Conflict(f"{stream}: the lease has another version than {version}") from None
            raise explained(error, self._place) from None

    def now(self) -> float:
        """The service's clock, Unix seconds; the machine's where the journal is not to be made."""
        if not self._writes:
            return self._clock.now()
        with self._asking:
            return self._hours.now()

    def close(self) -> None:
        """Let go of threads; another call makes new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()

    def _last(self, stream: str) -> Entry | None:
        seqs = self._listed(stream)
        newest = next(iter(seqs), None)
        return self._entry(stream, newest) if newest is not None else None

    def _tops(self) -> dict[str, int | None]:
        """All streams, and where one listing reaches it soon enough, the newest number of each."""
        tops: dict[str, int | None] = dict.fromkeys(self.streams())
        left = _SPARSE * len(tops)
        with self._told():
            for page in obstore.list(self._client, self._names.streams, chunk_size=1000):
                for each in page:
                    stream = stream_of(each["path"].rpartition("/")[0])
                    if each["size"] and tops.get(stream) is None:
                        tops[stream] = seq_of(each["path"])
                left -= len(page)
                if left < 0:
                    break
        return tops

    def _tails(self, stream: str, top: int | None) -> tuple[Record, ...]:
        """The newest record of each run, from row to row."""
        found: dict[str, Record] = {}
        entry = self._entry(stream, top) if top is not None else None
        entry = entry or self._last(stream)  # it was forgotten meanwhile
        while entry is not None:
            found.setdefault(entry.record.run, entry.record)
            entry = self._entry(stream, entry.first - 1) if entry.first > 0 else None
        return tuple(reversed(found.values()))

    def _entry(self, stream: str, seq: int) -> Entry | None:
        held = self._get(self._names.record(stream, seq))
        return None if held is None else self._seen(stream, seq, held)

    def _seen(self, stream: str, seq: int, held: bytes) -> Entry | None:
        """What an object holds; the newest one of a stream is remembered for the next append."""
        entry = unwrap(seq, held)
        if entry is not None:
            self._remember(stream, entry)
        return entry

    def _remember(self, stream: str, entry: Entry) -> None:
        known = self._newest.get(stream)
        if known is None or known.seq < entry.record.seq:
            self._newest[stream] = _Newest(entry.record.seq, entry.record.run, entry.first)

    def _listed(self, stream: str, *, after: int = -1) -> Iterator[int]:
        """Numbers of records that were not dropped, the newest first; a page at a time."""
        with self._told():
            pages = obstore.list(self._client, self._names.stream(stream), chunk_size=1000)
            for each in (each for page in pages for each in page):
                seq = seq_of(each["path"])
                if seq <= after:
                    return
                if each["size"]:
                    yield seq

    def _see_ours(self, stream: str, record: Record, error: Exception | None = None) -> None:
        """See that a slot holds our record."""
        held = self._get(self._names.record(stream, record.seq))
        if held is None and error is not None and not _is_conflict(error):
            raise explained(error, self._place) from None
        entry = self._seen(stream, record.seq, held or b"")
        if entry is None or entry.record != record:
            raise Conflict(f"{stream}: {record.seq} is taken")

    def _lease(self, stream: str) -> tuple[str, bytes] | None:
        with self._told():
            try:
                found = obstore.get(self._client, self._names.lease(stream))
            except FileNotFoundError as error:
                self._see_container(error)
                return None
            token = found.meta["version" if self._kind == "gs" else "e_tag"]
            return str(token), bytes(found.bytes())

    def _get(self, key: str) -> bytes | None:
        with self._told():
            try:
                return bytes(obstore.get(self._client, key).bytes())
            except FileNotFoundError as error:
                self._see_container(error)
                return None

    def _create(self, key: str, held: bytes) -> Exception | None:
        """Make an object that is not there; what went wrong is returned, as it may be there now."""
        self._see_process()
        try:
            obstore.put(self._client, key, held, mode="create", use_multipart=False)
        except Failure as error:
            return error
        return None

    def _empty(self, key: str) -> None:
        with self._told():
            obstore.put(self._client, key, b"", use_multipart=False)

    def _stamp(self) -> float:
        with self._told():
            obstore.put(self._client, self._names.clock, b"", use_multipart=False)
            return obstore.head(self._client, self._names.clock)["last_modified"].timestamp()

    def _see_container(self, error: FileNotFoundError) -> None:
        """An object that is missing is no trouble; a container that is missing is."""
        if is_without_container(error):
            raise error

    def _writable(self) -> None:
        if not self._made:
            self.open(create=False)
        if not self._made:
            raise StoreError(
                f"There is no journal {self._place}.",
                do="Check --state; the first apply makes it.",
            )
        self._writes = True

    @contextmanager
    def _told(self) -> Iterator[None]:
        self._see_process()
        with told(self._place):
            yield

    def _see_process(self) -> None:
        if os.getpid() != self._process:
            raise StoreError(
                f"The journal {self._place} was opened before this process was forked off.",
                do="Open it again in a process of its own (spawn in place of fork).",
            )

    def _at_once(self, deed: Callable[[T], U], of: Iterable[T]) -> tuple[U, ...]:
        """Do the same for each, a few at a time; results in the order given."""
        todo: Sequence[T] = tuple(of)
        if len(todo) <= 1:
            return tuple(deed(each) for each in todo)
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="rollout-objects")
            jobs = [self._pool.submit(deed, each) for each in todo]
        return tuple(job.result() for job in jobs)


def _is_conflict(error: Exception) -> bool:
    return isinstance(error, AlreadyExistsError | PreconditionError)
