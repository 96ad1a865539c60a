"""The journal in two tables of a PostgreSQL database: for any number of machines.

Four rules shape this module:

* Names and bodies are ``bytea``: text of PostgreSQL holds no NUL, and sorts by the server's locale.
* An append is one statement in autocommit: the slot is compared and filled under one snapshot, and
  the primary key decides between two who saw the same one.
* A statement whose connection broke is sent once more on a new one. That is safe for both writes:
  what the first attempt did is recognised by its bytes.
* A connection must not cross a fork. So it is closed before one and opened again when needed.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from rollout.adapters.clock import SystemClock
from rollout.adapters.stores.forks import around_forks
from rollout.adapters.stores.hours import Hours
from rollout.adapters.stores.postgres.connection import Address, Session, understood
from rollout.domain.addresses import refuse_secrets
from rollout.domain.errors import StoreError
from rollout.ports.store import Conflict, LeaseRecord, Record

if TYPE_CHECKING:
    from rollout.ports.clock import Clock

_Row = tuple[Any, ...]

_APPEND = """
    insert into rollout_event (stream, seq, run, body)
    select %(stream)s, %(seq)s, %(run)s, %(body)s
    where %(seq)s = (
        select coalesce(max(seq), -1) + 1 from rollout_event where stream = %(stream)s
    )
    on conflict do nothing
"""
_SLOT = "select run, body from rollout_event where stream = %(stream)s and seq = %(seq)s"
_STREAMS = """
    with recursive name as (
        select min(stream) as stream from rollout_event
        union all
        select (select min(stream) from rollout_event where stream > name.stream)
        from name where name.stream is not null
    )
    select stream from name where stream is not null order by stream
"""
_READ = """
    select seq, run, body from rollout_event
    where stream = %(stream)s and seq > %(after)s order by seq limit %(limit)s::bigint
"""
_LAST = """
    select seq, run, body from rollout_event
    where stream = %(stream)s order by seq desc limit 1
"""
# From run to run along the index, so that the length of a run does not matter.
_TAILS = """
    with recursive newest as (
        (select stream, run, seq from rollout_event {of_one}
         order by stream desc, run desc, seq desc limit 1)
        union all
        select next.* from newest, lateral (
            select stream, run, seq from rollout_event
            where (stream, run) < (newest.stream, newest.run) {and_of_one}
            order by stream desc, run desc, seq desc limit 1
        ) as next
    )
    select stream, seq, run, body from newest join rollout_event using (stream, run, seq)
    order by stream, seq
"""
_ALL_TAILS = _TAILS.format(of_one="", and_of_one="")
_ITS_TAILS = _TAILS.format(of_one="where stream = %(stream)s", and_of_one="and stream = %(stream)s")
_DROP = """
    delete from rollout_event where stream = %(stream)s and seq < %(below)s
    and seq < (select max(seq) from rollout_event where stream = %(stream)s)
"""
_LEASE = "select version::text, body from rollout_lease where stream = %(stream)s"
_FIRST_LEASE = """
    insert into rollout_lease (stream, version, body) values (%(stream)s, 1, %(body)s)
    on conflict do nothing
"""
_NEXT_LEASE = """
    update rollout_lease set body = %(body)s, version = version + 1
    where stream = %(stream)s and version::text = %(version)s
"""
_NOW = "select extract(epoch from clock_timestamp())::float8"


def build(url: str, *, create: bool = True, clock: Clock | None = None) -> PostgresStore:
    """The journal at ``url``: ``postgresql://[user@][host][:port][/database][?parameters]``.

    What the URL leaves out comes from where libpq looks: ``PGHOST``, ``PGUSER``, ``PGPASSWORD``,
    ``PGSERVICE``, ``~/.pgpass``. The tables stand in the schema that the search path leads to.

    Args:
        url: As libpq reads it, without a password.
        create: Whether missing tables are made. If not, they read as a journal without streams
            and refuse to be written; should they appear later, the next call sees them.
        clock: For waits; None: the machine's.

    Raises:
        UsageError: the URL cannot be read or has a password in it.
        StoreError: the database cannot be reached, used or understood.
    """
    refuse_secrets(url)
    store = PostgresStore(
        understood(url), create=create, clock=SystemClock() if clock is None else clock
    )
    store.open()
    return store


class PostgresStore:
    """A ``Store`` in one database; usable from several threads, and on both sides of a fork.

    Args:
        address: Where it is.
        create: What missing tables mean: they are made, or there are no streams.
        clock: For waits.
    """

    def __init__(self, address: Address, *, create: bool, clock: Clock) -> None:
        self._address = address
        self._create = create
        self._clock = clock
        self._lock = threading.RLock()
        self._held: Session | None = None
        self._hours = Hours(self._stamp, clock, step=0.0)
        around_forks(self._before_fork, self._after_fork)

    def open(self) -> None:
        """Connect now rather than at the first call, to learn early what is wrong."""
        with self._lock:
            self._session()

    def streams(self) -> tuple[str, ...]:
        """Names of all streams, sorted."""
        return tuple(_text(stream) for (stream,) in self._rows(_STREAMS))

    def read(self, stream: str, *, after: int = -1, limit: int | None = None) -> tuple[Record, ...]:
        """Records with a ``seq`` above ``after``, in order; so many at most."""
        rows = self._rows(_READ, stream=_bytes(stream), after=after, limit=limit)
        return tuple(_record(row) for row in rows)

    def last(self, stream: str) -> Record | None:
        """The newest record, or None for an empty stream."""
        rows = self._rows(_LAST, stream=_bytes(stream))
        return _record(rows[0]) if rows else None

    def tails(self, stream: str | None = None) -> tuple[tuple[str, Record], ...]:
        """The newest record of each run, by stream and ``seq``."""
        if stream is None:
            rows = self._rows(_ALL_TAILS)
        else:
            rows = self._rows(_ITS_TAILS, stream=_bytes(stream))
        return tuple((_text(name), _record(row)) for name, *row in rows)

    def append(self, stream: str, record: Record) -> None:
        """Add ``record`` exactly at its ``seq``; on the server's disk when this returns.

        Raises:
            Conflict: the slot is taken by something else, or is not the next one.
        """
        slot = {"stream": _bytes(stream), "seq": record.seq}
        run, body = _bytes(record.run), record.body
        if self._write(_APPEND, {**slot, "run": run, "body": body}).done:
            return
        if self._rows(_SLOT, **slot) != [(run, body)]:
            raise Conflict(f"{stream}: {record.seq} is not the next free slot")

    def drop(self, stream: str, below: int) -> None:
        """Forget records with a ``seq`` below ``below``, but never the newest one."""
        with self._lock:
            if not self._absent():
                self._write(_DROP, {"stream": _bytes(stream), "below": below})

    def lease(self, stream: str) -> LeaseRecord | None:
        """The stream's lease, or None."""
        rows = self._rows(_LEASE, stream=_bytes(stream))
        return LeaseRecord(*rows[0]) if rows else None

    def put_lease(self, stream: str, body: bytes, *, version: str | None) -> LeaseRecord:
        """Replace the lease if it still has ``version`` (None: if there is none).

        Raises:
            Conflict: it has another version.
        """
        values = {"stream": _bytes(stream), "body": body}
        if version is None:
            written = self._write(_FIRST_LEASE, values)
        else:
            written = self._write(_NEXT_LEASE, {**values, "version": version})
        if written.done:
            return LeaseRecord(str(int(version or 0) + 1), body)
        found = self.lease(stream) if written.repeated else None
        if found is None or found.body != body or found.version == version:
            raise Conflict(f"{stream}: the lease has another version than {version}")
        return found  # the first attempt did it, and its acknowledgement got lost

    def now(self) -> float:
        """The server's clock, Unix seconds; asked now and then, not before every append."""
        with self._lock:
            return self._hours.now()

    def close(self) -> None:
        """Let go of the connection; another call opens it again."""
        with self._lock:
            held, self._held = self._held, None
            if held is not None:
                held.close()

    def _stamp(self) -> float:
        return float(self._run(_NOW, {}).rows[0][0])

    def _rows(self, sql: str, **values: object) -> list[_Row]:
        with self._lock:
            return [] if self._absent() else self._run(sql, values).rows

    def _write(self, sql: str, values: Mapping[str, object]) -> _Done:
        with self._lock:
            if self._absent():
                raise StoreError(
                    f"There is no journal in {self._address.place}.",
                    do="Check --state and the search path; the first apply makes it.",
                )
            return self._run(sql, values)

    def _absent(self) -> bool:
        return not self._session().has_tables()

    def _run(self, sql: str, values: Mapping[str, object]) -> _Done:
        session = self._session()
        try:
            return _Done(*session.run(sql, values, often=sql is _APPEND), repeated=False)
        except StoreError:
            if not session.broken:
                raise
        self.close()
        return _Done(*self._session().run(sql, values), repeated=True)

    def _session(self) -> Session:
        if self._held is not None and self._held.broken:
            self.close()
        if self._held is None:
            with ExitStack() as undone:
                made = Session(self._address, self._clock)
                undone.callback(made.close)
                made.check(create=self._create)
                undone.pop_all()
            self._held = made
        return self._held

    def _before_fork(self) -> None:
        self._lock.acquire()
        self.close()

    def _after_fork(self) -> None:
        self._lock.release()


class _Done:
    """What a statement came to: its rows, how many it changed, and whether it was sent twice."""

    def __init__(self, rows: list[_Row], count: int, *, repeated: bool) -> None:
        self.rows = rows
        self.done = count == 1
        self.repeated = repeated


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogatepass")


def _record(row: _Row | list[Any]) -> Record:
    seq, run, body = row
    return Record(seq, _text(run), body)
