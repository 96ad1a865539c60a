"""The raw limit of each store: the same bytes written one after the other by its bare driver.

Every write waits for what the journal waits for: the disk, or the service's answer. Of a service of
objects also how long its bare driver takes to read the newest record of each rollout.
"""

from __future__ import annotations

import sqlite3
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.scale import crowd, memory

AT_ONCE = 16  # reads of objects, as many as the store makes

Write = Callable[[int, bytes], None]


@contextmanager
def sqlite(folder: Path) -> Iterator[Write]:
    """A file of its own, in WAL with full synchronisation."""
    with closing(sqlite3.connect(folder / "raw.db", isolation_level=None)) as made:
        made.execute("pragma journal_mode = wal")
        made.execute("pragma synchronous = full")
        made.execute("create table raw (seq integer primary key, body blob not null)")
        yield lambda seq, body: made.execute("insert into raw values (?, ?)", (seq, body)) and None


@contextmanager
def postgres(url: str) -> Iterator[Write]:
    """A table of its own, each insert a transaction."""
    import psycopg  # noqa: PLC0415 - where it is measured

    with psycopg.connect(url, autocommit=True) as made:
        name = f"raw_{uuid.uuid4().hex}"
        made.execute(f"create table {name} (seq bigint primary key, body bytea not null)")
        sql = f"insert into {name} values (%s, %s)"  # noqa: S608 - the name is ours
        yield lambda seq, body: made.execute(sql, (seq, body)) and None
        made.execute(f"drop table {name}")


@contextmanager
def objects(url: str) -> Iterator[Write]:
    """An object each, created only where there is none."""
    import obstore  # noqa: PLC0415 - where it is measured

    from rollout.adapters.stores.objects.place import connected, understood  # noqa: PLC0415

    kind, name, _ = understood(url)
    made = connected(kind, name)
    prefix = f"raw-{uuid.uuid4().hex}"

    def write(seq: int, body: bytes) -> None:
        obstore.put(made, f"{prefix}/{seq}", body, mode="create", use_multipart=False)

    yield write


def reading(url: str, count: int, records: int, passes: int) -> float:
    """Seconds in which the bare driver reads the newest record of so many rollouts; 0: no objects."""
    if not url.startswith(("az:", "s3:", "gs:")) or url.startswith(memory.url(0)[:-1]):
        return 0.0
    import obstore  # noqa: PLC0415 - where it is measured

    from rollout.adapters.stores.objects.names import Names  # noqa: PLC0415
    from rollout.adapters.stores.objects.place import connected, understood  # noqa: PLC0415

    kind, name, prefix = understood(url)
    made, names = connected(kind, name), Names(prefix)
    keys = [names.record(f"fake/{crowd.name_of(each)}", records - 1) for each in range(count)]
    took = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in range(passes):
            began = time.perf_counter()
            read = sum(pool.map(lambda key: len(obstore.get(made, key).bytes()), keys))
            took.append(time.perf_counter() - began)
            assert read
    return statistics.median(took)
