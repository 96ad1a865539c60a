"""What every journal store promises: subclass the contract, say how to open yours, run pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from rollout.ports.store import Conflict, LeaseRecord, Record, Store

Open = Callable[[], Store]

WORKERS, EACH = 4, 12
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


def body_of(lease: LeaseRecord | None) -> bytes | None:
    """What a lease says; None: there is none."""
    return lease.body if lease is not None else None


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
    def opened(self) -> Iterator[Open]:
        raise NotImplementedError

    @pytest.fixture
    def store(self, opened: Open) -> Store:
        return opened()

    def test_a_new_store_is_empty(self, store: Store) -> None:
        assert store.streams() == ()
        assert store.read("s") == ()
        assert store.last("s") is None
        assert store.tails() == store.tails("s") == ()
        assert store.lease("s") is None

    def test_records_come_back_in_order_as_they_went_in(self, store: Store) -> None:
        put = [record(0, b""), record(1, bytes(range(256)), run="r-2"), record(2, b'{"v": 1}')]

        for each in put:
            store.append("s", each)

        assert store.read("s") == tuple(put)
        assert store.last("s") == put[2]

    def test_reading_starts_behind_what_is_known(self, store: Store) -> None:
        fill(store, "s", "aaaa")

        assert [each.seq for each in store.read("s", after=1)] == [2, 3]
        assert store.read("s", after=3) == store.read("s", after=99) == ()

    def test_so_many_are_read_as_are_wanted(self, store: Store) -> None:
        fill(store, "s", "aaaaaaaa")

        for after in (-1, 0, 3, 6, 7):
            for limit in (1, 2, 6):
                found = [each.seq for each in store.read("s", after=after, limit=limit)]
                assert found == list(range(after + 1, min(after + 1 + limit, 8)))
        store.drop("s", 5)
        assert [each.seq for each in store.read("s", limit=2)] == [5, 6]
        assert [each.seq for each in store.read("s", after=2, limit=1)] == [5]
        assert store.read("empty", limit=1) == ()

    def test_another_handle_sees_every_acknowledged_record(self, opened: Open) -> None:
        first, second = opened(), opened()

        fill(first, "s", "aa")
        fill(second, "s", "bb")

        assert first.read("s") == second.read("s")
        assert [each.run for each in first.read("s")] == ["a", "a", "b", "b"]

    def test_closing_keeps_the_records(self, opened: Open) -> None:
        with_records = opened()
        fill(with_records, "s", "ab")
        with_records.put_lease("s", b"mine", version=None)

        with_records.close()
        with_records.close()

        assert len(opened().read("s")) == 2
        assert body_of(opened().lease("s")) == b"mine"

    @pytest.mark.parametrize(
        "late", [record(1, b"other"), record(1, b"1", run="r-9"), record(0, b"1", run="a")]
    )
    def test_a_taken_slot_is_a_conflict_and_keeps_its_record(
        self, store: Store, late: Record
    ) -> None:
        fill(store, "s", "aaa")

        with pytest.raises(Conflict):
            store.append("s", late)

        assert [each.body for each in store.read("s")] == [b"0", b"1", b"2"]

    @pytest.mark.parametrize("seq", [-1, 4, 1000])
    def test_a_gap_is_a_conflict(self, store: Store, seq: int) -> None:
        fill(store, "s", "aaa")

        with pytest.raises(Conflict):
            store.append("s", record(seq))
        with pytest.raises(Conflict):
            store.append("new", record(1))

        assert len(store.read("s")) == 3
        assert store.streams() == ("s",)

    def test_an_append_whose_acknowledgement_got_lost_can_be_repeated(self, store: Store) -> None:
        fill(store, "s", "a")

        store.append("s", record(1, b"sent twice"))
        store.append("s", record(1, b"sent twice"))
        store.append("s", record(2, b"and life went on"))
        store.append("s", record(1, b"sent twice"))

        assert [each.body for each in store.read("s")] == [b"0", b"sent twice", b"and life went on"]

    def test_large_records_come_back_whole(self, store: Store) -> None:
        large = bytes(range(256)) * 4096

        store.append("s", record(0, large))
        store.append("s", record(1, large[::-1]))

        assert [each.body for each in store.read("s")] == [large, large[::-1]]
        assert store.tails("s") == (("s", record(1, large[::-1])),)

    def test_stream_names_are_taken_as_they_are(self, store: Store) -> None:
        for name in ODD_NAMES:
            store.append(name, record(0, name.encode()))
            store.put_lease(name, name.encode(), version=None)

        assert store.streams() == tuple(sorted(ODD_NAMES))
        for name in ODD_NAMES:
            assert store.read(name) == (record(0, name.encode()),)
            assert store.tails(name) == ((name, record(0, name.encode())),)
            assert body_of(store.lease(name)) == name.encode()

    def test_tails_are_the_newest_record_of_each_run(self, store: Store) -> None:
        fill(store, "t", "aab")
        fill(store, "s", "abacca")

        of_s = (("s", record(1, b"1", run="b")), ("s", record(4, b"4", run="c")))
        assert store.tails("s") == (*of_s, ("s", record(5, b"5", run="a")))
        assert [(name, each.seq) for name, each in store.tails()] == [
            ("s", 1), ("s", 4), ("s", 5), ("t", 1), ("t", 2),
        ]  # fmt: skip
        assert store.tails("missing") == ()

    def test_tails_cover_many_runs_and_streams(self, store: Store) -> None:
        for stream in "xyz":
            for seq in range(30):
                store.append(stream, record(seq, b"%d" % seq, run=f"r-{seq % 10:02}"))

        tails = store.tails()

        assert [name for name, _ in tails] == ["x"] * 10 + ["y"] * 10 + ["z"] * 10
        assert [each.seq for _, each in tails] == list(range(20, 30)) * 3
        assert store.tails("y") == tails[10:20]

    # --- forgetting ---

    def test_dropped_records_are_gone_and_the_rest_stays(self, opened: Open) -> None:
        store = opened()
        fill(store, "s", "aabbcc")
        fill(store, "t", "a")

        store.drop("s", 3)

        for each in (store, opened()):
            assert [one.seq for one in each.read("s")] == [3, 4, 5]
            assert [one.seq for one in each.read("s", after=0)] == [3, 4, 5]
            assert [one.seq for one in each.read("s", after=3)] == [4, 5]
            assert [one.seq for _, one in each.tails("s")] == [3, 5]
            assert each.last("s") == record(5, b"5", run="c")
        assert store.streams() == ("s", "t")
        assert len(store.read("t")) == 1

    def test_dropping_again_changes_nothing(self, store: Store) -> None:
        fill(store, "s", "aabb")

        for below in (2, 2, 1, 0, -1):
            store.drop("s", below)
        store.drop("missing", 5)

        assert [each.seq for each in store.read("s")] == [2, 3]
        assert store.streams() == ("s",)

    def test_the_newest_record_is_never_dropped(self, store: Store) -> None:
        fill(store, "s", "aab")

        store.drop("s", 99)

        assert store.read("s") == (record(2, b"2", run="b"),)
        assert store.tails("s") == (("s", record(2, b"2", run="b")),)

    def test_appends_go_on_behind_what_was_dropped(self, opened: Open) -> None:
        first, second = opened(), opened()
        fill(first, "s", "aabb")

        second.drop("s", 3)
        first.append("s", record(4, b"4", run="c"))
        opened().append("s", record(5, b"5", run="c"))

        assert [each.seq for each in second.read("s")] == [3, 4, 5]
        assert [each.seq for _, each in second.tails("s")] == [3, 5]

    def test_a_dropped_number_is_not_free_again(self, opened: Open) -> None:
        behind, ahead = opened(), opened()
        fill(behind, "s", "aa")
        for seq in range(2, 9):
            ahead.append("s", record(seq, b"%d" % seq, run="b"))

        ahead.drop("s", 8)

        assert [each.seq for each in behind.read("s", after=1)] == [8]
        for seq in (0, 1, 2, 7):
            for each in (behind, ahead, opened()):
                with pytest.raises(Conflict):
                    each.append("s", record(seq, b"too late"))
        assert [each.seq for each in ahead.read("s")] == [8]

    # --- leases ---

    def test_the_first_lease_goes_to_one(self, store: Store) -> None:
        first = store.put_lease("s", b"first", version=None)

        with pytest.raises(Conflict):
            store.put_lease("s", b"second", version=None)

        assert store.lease("s") == first
        assert first.body == b"first"

    def test_a_lease_is_replaced_by_its_version_only(self, store: Store) -> None:
        first = store.put_lease("s", b"same", version=None)
        second = store.put_lease("s", b"same", version=first.version)

        for stale in (first.version, None, "nonsense", ""):
            with pytest.raises(Conflict):
                store.put_lease("s", b"rival", version=stale)

        assert first.version != second.version
        assert store.lease("s") == second

    def test_a_version_without_a_lease_is_a_conflict(self, store: Store) -> None:
        with pytest.raises(Conflict):
            store.put_lease("s", b"mine", version="1")

        assert store.lease("s") is None

    def test_a_version_never_comes_back(self, store: Store) -> None:
        held = [store.put_lease("s", b"0", version=None)]

        for turn in range(1, 12):
            held.append(store.put_lease("s", b"%d" % (turn % 2), version=held[-1].version))

        assert len({each.version for each in held}) == 12

    def test_a_lease_alone_makes_no_stream(self, store: Store) -> None:
        store.put_lease("s", b"mine", version=None)

        assert store.streams() == ()
        assert store.tails() == ()

    def test_time_does_not_run_backwards(self, store: Store) -> None:
        told = [store.now() for _ in range(5)]

        assert all(isinstance(moment, float) for moment in told)
        assert all(earlier <= later for earlier, later in pairwise(told))

    def test_threads_share_a_handle(self, store: Store) -> None:
        with ThreadPoolExecutor(WORKERS) as pool:
            jobs = [pool.submit(write_many, store, f"w{n}") for n in range(WORKERS)]
            for job in jobs:
                job.result()

        assert_nothing_lost(store)

    def test_threads_with_a_handle_each_race(self, opened: Open) -> None:
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
