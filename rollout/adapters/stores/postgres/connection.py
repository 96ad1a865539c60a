"""One connection to PostgreSQL: where it leads, what it checks, how long it waits."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from rollout.adapters.stores.postgres.failures import told
from rollout.domain.addresses import refuse_secret_options
from rollout.domain.errors import StoreError, UsageError

if TYPE_CHECKING:
    from rollout.ports.clock import Clock

_LAYOUT = 1
_MINE = "journal of rollout, layout "
_ANSWER_SECONDS = 20.0
_MAKING = int.from_bytes(b"roll")  # the key of the advisory lock under which tables are made

_DDL = f"""
    create table if not exists rollout_event (
        stream bytea not null, seq bigint not null, run bytea not null, body bytea not null,
        primary key (stream, seq)
    );
    create index if not exists rollout_tail on rollout_event (stream, run, seq);
    create table if not exists rollout_lease (
        stream bytea primary key, version bigint not null, body bytea not null
    );
    comment on table rollout_event is '{_MINE}{_LAYOUT}';
"""
_LOOK = """
    select to_regclass('rollout_event') is not null,
        obj_description(to_regclass('rollout_event'), 'pg_class'),
        current_setting('synchronous_commit'), pg_backend_pid()
"""
_NEVER = 2**31  # executions until psycopg prepares a statement that nobody told it to prepare
# Patience with a network that swallows packets, in libpq's units; a URL may say otherwise.
_PATIENCE = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "application_name": "rollout",
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is.

    Args:
        parameters: For libpq.
        place: For people: no secret is in it.
    """

    parameters: Mapping[str, Any]
    place: str


def understood(url: str) -> Address:
    """The database that a URL without secrets names.

    Raises:
        UsageError: it is no URL that libpq understands, or one with a secret in it.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error as error:
        raise UsageError(
            "--state is no address of a PostgreSQL database.",
            do="Write postgresql://user@host:5432/database; the password goes into PGPASSWORD.",
        ) from error
    refuse_secret_options(given)
    host = f" on {given['host']}" if given.get("host") else ""
    name = given.get("dbname") or given.get("service") or "of this user"
    return Address({**_PATIENCE, **given}, f"the PostgreSQL database {name}{host}")


class _Patient(psycopg.Connection[tuple[Any, ...]]):
    """A connection that gives an answer up which does not come."""

    clock: Clock

    def wait(self, gen: Generator[Any, Any, Any], *rest: Any, **options: Any) -> Any:
        """Wait as psycopg does, but not for ever: a frozen server keeps its connections open."""
        return super().wait(self._bounded(gen), *rest, **options)

    def _bounded(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        until = self.clock.monotonic() + _ANSWER_SECONDS
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and self.clock.monotonic() > until:
                    self.pgconn.finish()
                    raise psycopg.OperationalError("the server did not answer in time")
                wanted = gen.send(ready)
        except StopIteration as ended:
            return ended.value


class Session:
    """A connection in autocommit mode.

    Args:
        address: Where to.
        clock: For waits.

    Raises:
        StoreError: it cannot be made.
    """

    def __init__(self, address: Address, clock: Clock) -> None:
        self._address = address
        self._ready = False
        with self._told():
            self._held = _Patient.connect(
                **address.parameters,
                autocommit=True,
                prepare_threshold=_NEVER,
            )
        self._held.clock = clock
        self._direct = (
            False  # no pooling proxy in between: with one, prepared statements do not mix
        )

    @property
    def broken(self) -> bool:
        """Whether nothing more can be sent."""
        return self._held.closed

    def check(self, *, create: bool) -> None:
        """See whether the tables are there and ours.

        Args:
            create: Make them if they are not there.

        Raises:
            StoreError: they cannot be used.
        """
        with self._told():
            self._look()
            if create and not self._ready:
                self._make()

    def has_tables(self) -> bool:
        """Whether the tables are there; looks again until they are."""
        if not self._ready:
            with self._told():
                self._look()
        return self._ready

    def run(
        self, sql: str, values: Mapping[str, object], *, often: bool = False
    ) -> tuple[list[tuple[Any, ...]], int]:
        """The rows that a statement gives, and how many it changed.

        Args:
            sql: The statement.
            values: Its parameters, by name.
            often: The server keeps it parsed and planned, where the connection leads to it directly.

        Raises:
            StoreError: it failed; ``broken`` says whether a new connection may help.
        """
        with self._told():
            cursor = self._execute(sql, values, prepare=often and self._direct)
            rows = cursor.fetchall() if cursor.description else []
            return rows, cursor.rowcount

    def close(self) -> None:
        """Let go of the connection."""
        with suppress(psycopg.Error):
            self._held.close()

    def _execute(
        self, sql: str, values: Mapping[str, object] | None = None, *, prepare: bool = False
    ) -> psycopg.Cursor[tuple[Any, ...]]:
        # Binary, so that bodies of megabytes are not sent as text of twice their size.
        return self._held.execute(sql, values, prepare=prepare, binary=values is not None)

    def _look(self) -> None:
        there, comment, commit, process = self._execute(_LOOK).fetchall()[0]
        # A pooling proxy gives its clients keys of its own to cancel by, in place of the server's.
        self._direct = process == self._held.info.backend_pid
        if commit == "off":
            self._execute("set synchronous_commit = on")
        if there:
            self._understand(comment or "")
        self._ready = there

    def _make(self) -> None:
        with self._held.transaction():
            self._execute(f"select pg_advisory_xact_lock({_MAKING})")
            # Somebody may have been faster. A look would not tell: a name that was not found is
            # remembered as such until the transaction ends.
            self._execute(_DDL)
        self._ready = True

    def _understand(self, comment: str) -> None:
        layout = comment.removeprefix(_MINE)
        if layout == comment or not layout.isdecimal():
            raise StoreError(
                f"In {self._address.place} there is a table rollout_event that is not ours.",
                do="Give rollout a schema of its own: --state 'postgresql:///db?options="
                "-csearch_path%3Drollout'.",
            )
        if int(layout) > _LAYOUT:
            raise StoreError(
                f"The journal in {self._address.place} was written by a newer rollout"
                f" (its layout is {layout}, this one knows up to {_LAYOUT}).",
                do="Upgrade: pip install -U rollout. Nothing was changed.",
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise told(error, self._address.place) from error
