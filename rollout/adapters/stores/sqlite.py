"""The journal in one SQLite file: for one machine, any number of processes, nothing to install.

Four rules of SQLite shape this module:

* Switching a file to WAL can fail at once with "locked" while a rival does the same, whatever the
  busy timeout. So a new journal is finished under a private name and then linked into place.
* A lock belongs to the process and falls when *any* descriptor of the file is closed. So nothing
  here opens the file except SQLite.
* A connection must not cross a fork. So it is closed before one and opened again when needed.
* A deleted file can still be written. So each call looks whether the name still leads to the file.
"""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rollout.adapters.clock import SystemClock
from rollout.adapters.stores.forks import around_forks
from rollout.domain.addresses import no_file
from rollout.domain.errors import StoreError
from rollout.ports.store import Conflict, LeaseRecord, Record

if TYPE_CHECKING:
    from rollout.ports.clock import Clock

_URL = re.compile(r"sqlite:///(?!~|:memory:)([^?\0]*[^?\0/])")
_MINE = int.from_bytes(b"roll")  # marks the file as ours among all SQLite files
_DDL_VERSION = 1
_BUSY_SECONDS = 10
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)  # FAT, exFAT, some mounts

# Records average 2 KB. WITHOUT ROWID would push each into an overflow page: twice the file.
_DDL = f"""
    begin immediate;
    create table event (
        stream text not null, seq integer not null, run text not null, body blob not null,
        primary key (stream, seq)
    );
    create index tail on event (stream, run, seq);
    create table lease (stream text primary key, version integer not null, body blob not null);
    pragma application_id = {_MINE};
    pragma user_version = {_DDL_VERSION};
    commit;
"""

# One statement, so that the slot is compared and filled under one lock and nothing is left open.
_APPEND = """
    insert into event (stream, seq, run, body)
    select :stream, :seq, :run, :body
    where :seq = (select coalesce(max(seq), -1) + 1 from event where stream = :stream)
"""
_TAILS = """
    select event.stream, event.seq, event.run, event.body
    from (
        select stream, run, max(seq) as seq from event
        where :stream is null or stream = :stream group by stream, run
    ) as newest
    join event on event.stream = newest.stream and event.seq = newest.seq
    order by event.stream, event.seq
"""
_FIRST_LEASE = """
    insert into lease (stream, body, version) values (:stream, :body, 1) on conflict do nothing
"""
_NEXT_LEASE = """
    update lease set body = :body, version = version + 1
    where stream = :stream and cast(version as text) = :version
"""
# The newest record stays, so that the numbers below it are never free again.
_DROP = """
    delete from event where stream = :stream and seq < :below
    and seq < (select max(seq) from event where stream = :stream)
"""

_ELSEWHERE = "or name another journal with --state."
_RIGHTS = "this user may write it and its folder"
_TROUBLE = {
    sqlite3.SQLITE_FULL: (
        "could not be written: the disk is full.",
        "Free some space and repeat the command; everything acknowledged before is kept.",
    ),
    sqlite3.SQLITE_READONLY: (
        "is read-only for this user.",
        f"See to it that {_RIGHTS}, {_ELSEWHERE}",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened.",
        f"Check that it is a file and that {_RIGHTS} (even to read it), {_ELSEWHERE}",
    ),
    sqlite3.SQLITE_BUSY: (
        f"stayed locked by another process for {_BUSY_SECONDS} seconds.",
        "Look who holds it (lsof shows it), then repeat the command.",
    ),
    sqlite3.SQLITE_PROTOCOL: ("is in use by too many processes at once.", "Repeat the command."),
    sqlite3.SQLITE_NOTADB: ("is not a SQLite database.", f"Move that file away {_ELSEWHERE}"),
    sqlite3.SQLITE_CORRUPT: (
        "is damaged.",
        "Copy it and its -wal file to a safe place, then restore a backup or try: sqlite3 .recover",
    ),
    sqlite3.SQLITE_IOERR: (
        "could not be read or written: the disk reported an error.",
        "Check the disk and its free space, then repeat the command.",
    ),
}


def build(url: str, *, create: bool = True, clock: Clock | None = None) -> SqliteStore:
    """The journal at ``url``: ``sqlite:///relative/path.db`` or ``sqlite:////absolute/path.db``.

    Args:
        url: With three slashes relative to the present folder, with four absolute.
        create: Whether a missing file is made. If not, it reads as a journal without streams and
            refuses to be written; should the file appear later, the next call sees it.
        clock: Time; None: the machine's.

    Raises:
        UsageError: the URL names no file.
        StoreError: the file cannot be made, opened or understood.
    """
    named = _URL.fullmatch(url)
    if named is None:
        raise no_file()
    path = Path(named[1]).absolute()
    if create:
        _make(path)
    store = SqliteStore(path, missing_is_empty=not create, clock=clock)
    store.open()
    return store


class SqliteStore:
    """A ``Store`` in one file; usable from several threads, and on both sides of a fork.

    Args:
        path: Absolute, so that a later ``chdir`` changes nothing.
        missing_is_empty: What a missing file means: no streams, or an error.
        clock: Time; None: the machine's.
    """

    def __init__(
        self, path: Path, *, missing_is_empty: bool = False, clock: Clock | None = None
    ) -> None:
        self._path = path
        self._missing_is_empty = missing_is_empty
        self._lock = threading.RLock()
        self._held: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._clock = SystemClock() if clock is None else clock
        self._began = self._clock.now() - self._clock.monotonic()
        around_forks(self._before_fork, self._after_fork)

    def open(self) -> None:
        """Open the file now rather than at the first call, to learn early what is wrong with it."""
        with self._lock, _told(self._path):
            if not self._absent():
                self._connection()

    def streams(self) -> tuple[str, ...]:
        """Names of all streams, sorted."""
        rows = self._rows("select distinct stream from event order by stream")
        return tuple(stream for (stream,) in rows)

    def read(self, stream: str, *, after: int = -1, limit: int | None = None) -> tuple[Record, ...]:
        """Records with a ``seq`` above ``after``, in order; so many at most."""
        rows = self._rows(
            "select seq, run, body from event where stream = :stream and seq > :after order by seq"
            " limit :limit",
            stream=stream,
            after=after,
            limit=-1 if limit is None else limit,
        )
        return tuple(Record(*row) for row in rows)

    def last(self, stream: str) -> Record | None:
        """The newest record, or None for an empty stream."""
        rows = self._rows(
            "select seq, run, body from event where stream = :stream order by seq desc limit 1",
            stream=stream,
        )
        return Record(*rows[0]) if rows else None

    def tails(self, stream: str | None = None) -> tuple[tuple[str, Record], ...]:
        """The newest record of each run, by stream and ``seq``."""
        return tuple((name, Record(*row)) for name, *row in self._rows(_TAILS, stream=stream))

    def append(self, stream: str, record: Record) -> None:
        """Add ``record`` exactly at its ``seq``; on disk when this returns.

        Raises:
            Conflict: the slot is taken by something else, or is not the next one.
        """
        seq, run, body = record.seq, record.run, record.body
        if self._write(_APPEND, stream=stream, seq=seq, run=run, body=body):
            return
        slot = "select run, body from event where stream = :stream and seq = :seq"
        if self._rows(slot, stream=stream, seq=seq) != [(run, body)]:
            raise Conflict(f"{stream}: {seq} is not the next free slot")

    def drop(self, stream: str, below: int) -> None:
        """Forget records with a ``seq`` below ``below``, but never the newest one."""
        with self._lock:
            if not self._absent():
                self._write(_DROP, stream=stream, below=below)

    def lease(self, stream: str) -> LeaseRecord | None:
        """The stream's lease, or None."""
        rows = self._rows(
            "select cast(version as text), body from lease where stream = :stream", stream=stream
        )
        return LeaseRecord(*rows[0]) if rows else None

    def put_lease(self, stream: str, body: bytes, *, version: str | None) -> LeaseRecord:
        """Replace the lease if it still has ``version`` (None: if there is none).

        Raises:
            Conflict: it has another version.
        """
        if version is None:
            written = self._write(_FIRST_LEASE, stream=stream, body=body)
        else:
            written = self._write(_NEXT_LEASE, stream=stream, body=body, version=version)
        if not written:
            raise Conflict(f"{stream}: the lease has another version than {version}")
        return LeaseRecord(str(int(version or 0) + 1), body)

    def now(self) -> float:
        """The machine's clock when this was made and what passed since, Unix seconds.

        Whoever sets the clock of the machine moves no deadline of a living process.
        """
        return round(self._began + self._clock.monotonic(), 3)

    def close(self) -> None:
        """Let go of the file; another call opens it again."""
        with self._lock, _told(self._path):
            held, self._held = self._held, None
            if held is not None:
                held.close()

    def _rows(self, sql: str, **values: object) -> list[tuple[Any, ...]]:
        with self._lock, _told(self._path):
            return [] if self._absent() else self._connection().execute(sql, values).fetchall()

    def _write(self, sql: str, **values: object) -> bool:
        with self._lock, _told(self._path):
            if self._absent():
                raise StoreError(
                    f"There is no journal {self._path}.",
                    do="Check --state and the folder you are in; the first apply makes it.",
                )
            return self._connection().execute(sql, values).rowcount == 1

    def _absent(self) -> bool:
        return self._missing_is_empty and self._file is None and not self._path.exists()

    def _connection(self) -> sqlite3.Connection:
        if self._file not in (None, _identity(self._path)):
            raise StoreError(
                f"The journal {self._path} was deleted or replaced while in use.",
                do="Stop whatever did that, put the file back, then repeat the command.",
            )
        if self._held is None:
            self._held = _open(self._path)
            self._file = _identity(self._path)
        return self._held

    def _before_fork(self) -> None:
        self._lock.acquire()
        self.close()

    def _after_fork(self) -> None:
        self._lock.release()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tells the troubles of SQLite and of the file as ``StoreError``."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"The journal {path} cannot be reached: {error.strerror}.",
            do=f"Make its folder one that this user may write, {_ELSEWHERE}",
        ) from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        what, do = _TROUBLE.get(
            code, (f"failed: {error}.", "Repeat the command; if it stays, report it.")
        )
        raise StoreError(f"The journal {path} {what}", do=do) from error


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _open(path: Path) -> sqlite3.Connection:
    """A connection to a journal that this version understands."""
    with ExitStack() as undone:
        made = undone.enter_context(closing(_connect(path)))
        _wait_for_the_disk(made)
        _check(path, made)
        undone.pop_all()
    return made


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.as_uri()}?mode=rw",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


def _wait_for_the_disk(made: sqlite3.Connection) -> None:
    made.execute("pragma synchronous = full")
    made.execute("pragma fullfsync = on")  # macOS: fsync alone stays in the drive's cache


def _check(path: Path, made: sqlite3.Connection) -> None:
    (mine,) = made.execute("pragma application_id").fetchone()
    (version,) = made.execute("pragma user_version").fetchone()
    if mine != _MINE:
        raise StoreError(
            f"{path} is not a journal of rollout.",
            do=f"Remove the file if it is empty, {_ELSEWHERE}",
        )
    if version > _DDL_VERSION:
        raise StoreError(
            f"The journal {path} was written by a newer rollout"
            f" (its layout is {version}, this one knows up to {_DDL_VERSION}).",
            do="Upgrade: pip install -U rollout. Nothing was changed.",
        )


def _make(path: Path) -> None:
    """Puts an empty journal at ``path``, unless there is a file; a rival's is as good as ours."""
    with _told(path):
        if path.exists():
            return
        _make_folders(path.parent)
        draft = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
        try:
            _fill(draft)
            _link(path, draft)
        finally:
            for suffix in ("", "-journal", "-wal", "-shm"):
                draft.with_name(draft.name + suffix).unlink(missing_ok=True)
        _sync(path.parent)


def _link(path: Path, draft: Path) -> None:
    """Gives the draft its name. A rename would do so everywhere, but over a rival's journal, too."""
    try:
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        what = f"The journal {path} cannot be made: its file system has no hard links."
        raise StoreError(what, do="Name one on another file system with --state.") from error


def _fill(draft: Path) -> None:
    draft.touch(mode=0o600, exist_ok=False)
    with closing(_connect(draft)) as made:
        _wait_for_the_disk(made)
        made.execute("pragma journal_mode = wal")
        made.executescript(_DDL)


def _make_folders(folder: Path) -> None:
    # Path.mkdir(parents=True) gives its mode to the last folder only.
    if not folder.is_dir():
        _make_folders(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    """Makes new names in ``folder`` survive a power cut, where the file system lets us."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
