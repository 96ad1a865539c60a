"""How many rollouts one process can hold open, on each store.

Run: ``python -m benchmarks.scale [--stores sqlite,postgres,azurite,s3,memory] [--sizes 10,100,1000,10000] [--records 4] [--passes 5] [--patient]``.

Prints for each store how a pass of ``rollout tick --all`` grows with the number of open rollouts
that wait, what a rollout costs in memory and what one costs that is due, and how fast the journal
appends beside the bare driver of the store. PostgreSQL runs with fsync; Azurite and moto (S3) are
emulators, so their figures are those of their own programs, not of Azure or S3. What it takes Azurite
to give an object away grows with the number of all its objects. So the growth on objects is that of
a pass in units of ``raw s``, the time in which the bare driver reads one object a rollout, measured
beside it; and Azurite has a thousand rollouts at most unless somebody is ``--patient``. ``memory``
is the store of objects above no service at all, which shows the growth of the journal itself: there
appends have no limit of a service to be held against, so none is promised.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.scale import crowd, memory, raw
from benchmarks.scale.appends import Speed, race
from rollout.wiring import plugs
from tests.servers import azurite, environment, postgres_database, postgres_server, s3_server

DUE = 100  # at most, of each size
LIMIT_SECONDS, LIMIT_SIZE = 5.0, 1000  # of a pass over waiting rollouts on SQLite


@dataclass(frozen=True)
class Place:
    """A store to be filled: its address for ``--state``, and what a child needs to reach it."""

    url: str
    variables: Mapping[str, str]


@contextmanager
def sqlite() -> Iterator[Iterator[Place]]:
    """A file each."""
    with tempfile.TemporaryDirectory() as folder:
        yield (Place(f"sqlite:///{folder}/{n}.db", {}) for n in range(100))


@contextmanager
def postgres() -> Iterator[Iterator[Place]]:
    """A database each, in one server that waits for its disk."""
    with postgres_server("fsync=on") as server, ExitStack() as made:
        yield (Place(made.enter_context(postgres_database(server)), {}) for _ in range(100))


@contextmanager
def blobs() -> Iterator[Iterator[Place]]:
    """A prefix each, in one container."""
    with azurite() as (url, variables):
        yield (Place(f"{url}/{n}", variables) for n in range(100))


@contextmanager
def buckets() -> Iterator[Iterator[Place]]:
    """A prefix each, in one bucket."""
    with s3_server() as (url, variables):
        yield (Place(f"{url}/{n}", variables) for n in range(100))


@contextmanager
def memory_of_its_own() -> Iterator[Iterator[Place]]:
    """A prefix each, in the memory of the process that looks."""
    yield (Place(memory.url(n), {}) for n in range(100))


STORES = {
    "sqlite": sqlite,
    "postgres": postgres,
    "azurite": blobs,
    "s3": buckets,
    "memory": memory_of_its_own,
}
MOST = {"azurite": 1000}  # rollouts


def main() -> None:
    """Print the tables; ends with 1 where a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", default=",".join(STORES))
    parser.add_argument("--sizes", default="10,100,1000,10000")
    parser.add_argument("--records", type=int, default=crowd.RECORDS, help="of each rollout")
    parser.add_argument("--passes", type=int, default=5, help="over one store; their median counts")
    parser.add_argument("--patient", action="store_true", help="all sizes on Azurite, too")
    asked = parser.parse_args()
    sizes = [int(each) for each in asked.sizes.split(",")]
    broken: list[str] = []
    for name in asked.stores.split(","):
        print(f"\n{name}")
        print(
            f"{'open':>7}{'pass s':>9}{'ms each':>9}{'raw s':>9}{'kB each':>9}{'due ms':>9}{'fill ms':>9}"
        )
        with STORES[name]() as places:
            costs = {
                size: cell(next(places), size, asked.records, asked.passes)
                for size in sizes
                if asked.patient or size <= MOST.get(name, size)
            }
            broken += [f"{name}: {each}" for each in judged(name, costs)]
            speed = raced(name, next(places))
        told = f"{speed.journal:,.0f} of {speed.raw:,.0f} raw = {speed.ratio:.2f}"
        print(f"appends a second, one after the other: {told}", flush=True)
        if speed.ratio < 1 / 2 and name != "memory":
            broken.append(f"{name}: appends at {speed.ratio:.2f} of the raw speed")
    print("\n" + ("; ".join(broken) or "Every promise is kept."))
    sys.exit(bool(broken))


def cell(place: Place, size: int, records: int, passes: int) -> dict[str, float]:
    """What a pass over so many costs, measured in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scale.cell", place.url, str(size)]
    done = subprocess.run(
        [*command, str(min(size, DUE)), str(records), str(passes)],
        env={**os.environ, **place.variables},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    print(
        f"{size:>7,}{found['waiting']:>9.3f}{found['waiting'] / size * 1e3:>9.3f}"
        f"{format(found['raw'], '.3f') if found['raw'] else '-':>9}{found['bytes'] / 1024:>9.1f}{found['due'] * 1e3:>9.1f}"
        f"{found['filled'] / size * 1e3:>9.1f}",
        flush=True,
    )
    return found


def judged(name: str, costs: Mapping[int, Mapping[str, float]]) -> Iterator[str]:
    """What is promised and not kept: the growth is linear, a thousand take five seconds at most."""
    # Of fewer than a hundred the beginning of a pass weighs more than they do, which would flatter.
    large = [size for size in costs if size >= 100]
    if len(large) > 1:
        first, last = large[0], large[-1]
        power = _power(costs, "waiting", first, last)
        text = f"from {first:,} to {last:,} open rollouts a pass grows with their number to the power {power:.2f}"
        if costs[first]["raw"]:
            bare = _power(costs, "raw", first, last)
            text += f", what the bare driver needs with {bare:.2f}"
            power += 1.0 - bare
        print(text)
        if power > 1.15:
            yield f"a pass grows with the power {power:.2f}"
    if name == "sqlite" and costs.get(LIMIT_SIZE, {}).get("waiting", 0.0) > LIMIT_SECONDS:
        yield f"a pass over {LIMIT_SIZE:,} takes {costs[LIMIT_SIZE]['waiting']:.1f} s"


def _power(costs: Mapping[int, Mapping[str, float]], what: str, first: int, last: int) -> float:
    """With which power of the number of rollouts a cost grows."""
    return math.log(costs[last][what] / costs[first][what]) / math.log(last / first)


def raced(name: str, place: Place) -> Speed:
    """Appends of the journal beside those of the bare driver."""
    memory.install(place.url)
    with environment(place.variables), tempfile.TemporaryDirectory() as folder:
        store = plugs.store(place.url)
        bare = {
            "sqlite": lambda: raw.sqlite(Path(folder)),
            "postgres": lambda: raw.postgres(place.url),
            "azurite": lambda: raw.objects(place.url),
            "s3": lambda: raw.objects(place.url),
            "memory": lambda: raw.objects(place.url),
        }[name]
        with bare() as write:
            speed = race(store, write)
        store.close()
    return speed


if __name__ == "__main__":
    main()
