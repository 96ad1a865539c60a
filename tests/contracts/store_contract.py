"""What every journal store promises: subclass a contract, say how to open yours, run pytest."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from rollout.ports.store import Conflict, LeaseRecord, Record, Store

WORKERS, EACH = 4, 25
ODD_NAMES = (
    "azureml/subscriptions/0a1b/resourcegroups/ml-rg/onlineendpoints/churn",
    "a", "A", "a ", " a", "a/", "/a", "a//b", "a/../b", ".", "..", "a.lease", "a/lease",
    "a%2fb", "a\\b", "a:b", "a?b#c&d=e", "a\nb", "a\x00b", "*", "%", "_", "'; drop table event; --",
    "Grüße", "Gru\u0308ße", "終点", "\N{ROCKET}", "\ufeffa", "n" * 500,
)  # fmt: skip


def record(seq: int, body: bytes = b"{}", *, run: str = "r-1") -> Record:
    """A record that says as much as the test at hand needs."""
    return Record(seq, run, body)


def fill(store: Store, stream: str, runs: str) -> None:
    """Append a record a letter, each letter standing for a run."""
    for seq, run in enumerate(runs, start=len(store.read(stream))):
        store.append(stream, record(seq, b"%d" % seq, run=run))


def append_next(store: Store, stream: str, run: str, body: bytes) -> None:
    """Append as a runner does: look, try, and look again when somebody was faster."""
    while True:
        newest = store.last(stream)
        try:
            return store.append(stream, Record(newest.seq + 1 if newest else 0, run, body))
        except Conflict:
            continue


class StoreContract:
    """Promises that one process can check. ``opened`` gives another handle on the same data."""

    @pytest.fixture
    def opened(self) -> Iterator[Callable[[], Store]]:
        raise NotImplementedError

    @pytest.fixture
    def store(self, opened: Callable[[], Store]) -> Store:
        return opened()

    def test_a_new_store_is_empty(self, store):
        assert store.streams() == ()
        assert store.read("s") == ()
        assert store.last("s") is None
        assert store.tails() == store.tails("s") == ()
        assert store.lease("s") is None

    def test_records_come_back_in_order_as_they_went_in(self, store):
        put = [record(0, b""), record(1, bytes(range(256)), run="r-2"), record(2, b'{"v": 1}')]

        for each in put:
            store.append("s", each)

        assert store.read("s") == tuple(put)
        assert store.last("s") == put[2]

    def test_reading_starts_behind_what_is_known(self, store):
        fill(store, "s", "aaaa")

        assert [each.seq for each in store.read("s", after=1)] == [2, 3]
        assert store.read("s", after=3) == store.read("s", after=99) == ()

    def test_another_handle_sees_every_acknowledged_record(self, opened):
        first, second = opened(), opened()

        fill(first, "s", "aa")
        fill(second, "s", "bb")

        assert first.read("s") == second.read("s")
        assert [each.run for each in first.read("s")] == ["a", "a", "b", "b"]

    def test_closing_keeps_the_records(self, opened):
        with_records = opened()
        fill(with_records, "s", "ab")
        with_records.put_lease("s", b"mine", version=None)

        with_records.close()
        with_records.close()

        assert len(opened().read("s")) == 2
        assert opened().lease("s").body == b"mine"

    @pytest.mark.parametrize(
        "late", [record(1, b"other"), record(1, b"1", run="r-9"), record(0, b"1", run="a")]
    )
    def test_a_taken_slot_is_a_conflict_and_keeps_its_record(self, store, late):
        fill(store, "s", "aaa")

        with pytest.raises(Conflict):
            store.append("s", late)

        assert [each.body for each in store.read("s")] == [b"0", b"1", b"2"]

    @pytest.mark.parametrize("seq", [-1, 4, 1000])
    def test_a_gap_is_a_conflict(self, store, seq):
        fill(store, "s", "aaa")

        with pytest.raises(Conflict):
            store.append("s", record(seq))
        with pytest.raises(Conflict):
            store.append("new", record(1))

        assert len(store.read("s")) == 3
        assert store.streams() == ("s",)

    def test_an_append_whose_acknowledgement_got_lost_can_be_repeated(self, store):
        fill(store, "s", "a")

        store.append("s", record(1, b"sent twice"))
        store.append("s", record(1, b"sent twice"))
        store.append("s", record(2, b"and life went on"))
        store.append("s", record(1, b"sent twice"))

        assert [each.body for each in store.read("s")] == [b"0", b"sent twice", b"and life went on"]

    def test_large_records_come_back_whole(self, store):
        large = bytes(range(256)) * 4096

        store.append("s", record(0, large))
        store.append("s", record(1, large[::-1]))

        assert [each.body for each in store.read("s")] == [large, large[::-1]]
        assert store.tails("s") == (("s", record(1, large[::-1])),)

    def test_stream_names_are_taken_as_they_are(self, store):
        for name in ODD_NAMES:
            store.append(name, record(0, name.encode()))
            store.put_lease(name, name.encode(), version=None)

        assert store.streams() == tuple(sorted(ODD_NAMES))
        for name in ODD_NAMES:
            assert store.read(name) == (record(0, name.encode()),)
            assert store.tails(name) == ((name, record(0, name.encode())),)
            assert store.lease(name).body == name.encode()

    def test_tails_are_the_newest_record_of_each_run(self, store):
        fill(store, "t", "aab")
        fill(store, "s", "abacca")

        of_s = (("s", record(1, b"1", run="b")), ("s", record(4, b"4", run="c")))
        assert store.tails("s") == (*of_s, ("s", record(5, b"5", run="a")))
        assert [(name, each.seq) for name, each in store.tails()] == [
            ("s", 1), ("s", 4), ("s", 5), ("t", 1), ("t", 2),
        ]  # fmt: skip
        assert store.tails("missing") == ()

    def test_tails_cover_many_runs_and_streams(self, store):
        for stream in "xyz":
            for seq in range(120):
                store.append(stream, record(seq, b"%d" % seq, run=f"r-{seq % 40:02}"))

        tails = store.tails()

        assert [name for name, _ in tails] == ["x"] * 40 + ["y"] * 40 + ["z"] * 40
        assert [each.seq for _, each in tails] == list(range(80, 120)) * 3
        assert store.tails("y") == tails[40:80]

    def test_the_first_lease_goes_to_one(self, store):
        first = store.put_lease("s", b"first", version=None)

        with pytest.raises(Conflict):
            store.put_lease("s", b"second", version=None)

        assert store.lease("s") == first
        assert first.body == b"first"

    def test_a_lease_is_replaced_by_its_version_only(self, store):
        first = store.put_lease("s", b"same", version=None)
        second = store.put_lease("s", b"same", version=first.version)

        for stale in (first.version, None, "nonsense", ""):
            with pytest.raises(Conflict):
                store.put_lease("s", b"rival", version=stale)

        assert first.version != second.version
        assert store.lease("s") == second

    def test_a_version_without_a_lease_is_a_conflict(self, store):
        with pytest.raises(Conflict):
            store.put_lease("s", b"mine", version="1")

        assert store.lease("s") is None

    def test_a_version_never_comes_back(self, store):
        held = [store.put_lease("s", b"0", version=None)]

        for turn in range(1, 12):
            held.append(store.put_lease("s", b"%d" % (turn % 2), version=held[-1].version))

        assert len({each.version for each in held}) == 12

    def test_a_lease_alone_makes_no_stream(self, store):
        store.put_lease("s", b"mine", version=None)

        assert store.streams() == ()
        assert store.tails() == ()

    def test_time_does_not_run_backwards(self, store):
        told = [store.now() for _ in range(5)]

        assert all(isinstance(moment, float) for moment in told)
        assert all(earlier <= later for earlier, later in pairwise(told))

    def test_threads_share_a_handle(self, store):
        with ThreadPoolExecutor(WORKERS) as pool:
            jobs = [pool.submit(write_many, store, f"w{n}") for n in range(WORKERS)]
            for job in jobs:
                job.result()

        assert_nothing_lost(store)

    def test_threads_with_a_handle_each_race(self, opened):
        handles = [opened() for _ in range(WORKERS)]

        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(write_many, handles, [f"w{n}" for n in range(WORKERS)]))

        assert_nothing_lost(handles[0])


def write_many(store: Store, me: str) -> None:
    """One of the racers."""
    for turn in range(EACH):
        append_next(store, "s", me, f"{me}:{turn}".encode())


def assert_nothing_lost(store: Store) -> None:
    """Every racer's records are there once, in its order, without a gap."""
    found = store.read("s")
    assert [each.seq for each in found] == list(range(WORKERS * EACH))
    for me in (f"w{n}" for n in range(WORKERS)):
        assert [each.body.decode() for each in found if each.run == me] == [
            f"{me}:{turn}" for turn in range(EACH)
        ]


CHILD = """
import sys
from importlib.metadata import entry_points
from rollout.ports.store import Conflict, Record

url, me, job = sys.argv[1:4]
build = entry_points(group="rollout.stores")[url.split(":")[0]].load()

def tell(word):
    print(word, flush=True)

def race(turns):
    for turn in range(int(turns)):
        while True:
            newest = store.last("s")
            try:
                seq = newest.seq + 1 if newest else 0
                store.append("s", Record(seq, me, f"{me}:{turn}".encode()))
                break
            except Conflict:
                pass

def grab(version):
    try:
        store.put_lease("s", me.encode(), version=version or None)
        tell("got it")
    except Conflict:
        tell("too late")

def pour(size):
    newest = store.last("s")
    seq = newest.seq + 1 if newest else 0
    while True:
        store.append("s", Record(seq, me, b"%d " % seq * int(size)))
        tell(seq)
        seq += 1

tell("ready")
sys.stdin.readline()
store = build(url)
{"race": race, "grab": grab, "pour": pour}[job](*sys.argv[4:])
"""


class SharedStoreContract(StoreContract):
    """Promises between processes as well. ``url`` names data that does not exist yet."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        raise NotImplementedError

    @pytest.fixture
    def child(self, url: str) -> Iterator[Callable[..., subprocess.Popen[str]]]:
        """Starts a process of its own that waits for a line before it opens the store."""
        with ExitStack() as started:
            yield partial(_child, started, url)

    def test_processes_race_for_slots_of_a_store_that_none_has_made(self, child, opened):
        children = [child(f"w{n}", "race", str(EACH)) for n in range(WORKERS)]

        go(children)

        assert [each.wait() for each in children] == [0] * WORKERS
        assert_nothing_lost(opened())

    def test_processes_race_for_a_lease(self, child, opened):
        for round_ in range(2):
            held = opened().lease("s")
            children = [
                child(f"w{round_}{n}", "grab", held.version if held else "") for n in range(WORKERS)
            ]

            go(children)
            said = [each.communicate()[0].strip() for each in children]

            assert sorted(said) == ["got it", *["too late"] * (WORKERS - 1)]
            winner = f"w{round_}{said.index('got it')}"
            assert opened().lease("s") == LeaseRecord(opened().lease("s").version, winner.encode())

    @pytest.mark.parametrize("size", [10, 5000])
    def test_a_killed_writer_takes_no_acknowledged_record_along(self, child, opened, size):
        acknowledged = -1
        for patience in (1, 30, 150):
            writer = child("w", "pour", str(size))
            go([writer])
            heard = [int(writer.stdout.readline()) for _ in range(patience)]
            writer.kill()
            heard += [int(line) for line in writer.stdout.read().splitlines()]
            writer.wait()

            kept = opened().read("s")

            assert heard[0] >= acknowledged + 1
            acknowledged = heard[-1]
            assert [each.seq for each in kept] == list(range(len(kept)))
            assert len(kept) - (acknowledged + 1) in (0, 1)
            assert all(each.body == b"%d " % each.seq * size for each in kept)


def _child(started: ExitStack, url: str, me: str, job: str, *rest: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, url, me, job, *rest]
    made = started.enter_context(
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    )
    started.callback(made.kill)
    return made


def go(children: list[subprocess.Popen[str]]) -> None:
    """Let all of them loose once the last one is ready."""
    for each in children:
        assert each.stdout.readline() == "ready\n"
    for each in children:
        each.stdin.write("\n")
        each.stdin.flush()
