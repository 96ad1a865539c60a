"""What only SQLite can get wrong: files, rights, locks, layouts, forks."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.stores import sqlite
from rollout.adapters.stores.sqlite import build
from rollout.domain.errors import StoreError, UsageError
from rollout.ports.store import Record
from tests.fakes.clock import EPOCH, FakeClock

NOBODY = 65534


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.db"


@pytest.fixture
def store(path):
    with closing(build(f"sqlite:///{path}")) as made:
        yield made


def fill(store, count, body=b"{}"):
    for seq in range(count):
        store.append("s", Record(seq, "r-1", body))


def sql(path, *statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as made:
        return [made.execute(each).fetchall() for each in statements]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def unprivileged(*given: Path) -> Iterator[None]:
    """Rights bind nobody who is root: be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    for each in given:
        os.chown(each, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder():
    """A folder that other users can reach, unlike ``tmp_path``."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    made.chmod(0o755)
    shutil.rmtree(made)


class TestAddress:
    def test_three_slashes_are_relative_to_the_present_folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

        store = build("sqlite:///.rollout/state.db")
        monkeypatch.chdir("/")
        fill(store, 1)
        store.close()

        assert (tmp_path / ".rollout/state.db").is_file()

    def test_four_slashes_are_absolute(self, path):
        build(f"sqlite:///{path}").close()

        assert str(path).startswith("/")
        assert path.is_file()

    @pytest.mark.parametrize(
        "url",
        [
            "sqlite://", "sqlite:///", "sqlite:////", "sqlite:///folder/", "sqlite://host/a.db",
            "sqlite:a.db", "a.db", "", "sqlite:///:memory:", "sqlite:///~/a.db", "sqlite:///a.db?x=1",
            "sqlite:///a\0b", "postgresql:///a",
        ],
    )  # fmt: skip
    def test_what_names_no_file_is_refused(self, url, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

        with pytest.raises(UsageError, match="names no journal file") as caught:
            build(url)

        assert "a.db" not in str(caught.value).replace("file.db", "")
        assert list(tmp_path.iterdir()) == []


class TestMaking:
    def test_only_the_user_may_read_what_was_made(self, tmp_path):
        before = mode(tmp_path)
        old = os.umask(0)
        try:
            with closing(build(f"sqlite:///{tmp_path}/one/two/state.db")) as store:
                fill(store, 1)
                files = sorted((tmp_path / "one/two").iterdir())
                modes = {mode(each) for each in files}
        finally:
            os.umask(old)

        assert [each.name for each in files] == ["state.db", "state.db-shm", "state.db-wal"]
        assert modes == {0o600}
        assert mode(tmp_path / "one") == mode(tmp_path / "one/two") == 0o700
        assert mode(tmp_path) == before

    def test_nothing_else_stays_behind(self, path):
        build(f"sqlite:///{path}").close()

        assert [each.name for each in path.parent.iterdir()] == ["state.db"]

    def test_every_acknowledgement_waits_for_the_disk(self, store):
        asked = [store._connection().execute(f"pragma {name}") for name in MODES]

        assert [each.fetchone()[0] for each in asked] == list(MODES.values())

    def test_an_interrupted_making_leaves_the_name_free(self, path, monkeypatch):
        def interrupted(draft):
            sqlite3.connect(draft).close()
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(sqlite, "_fill", interrupted)
            with pytest.raises(KeyboardInterrupt):
                build(f"sqlite:///{path}")

        assert list(path.parent.iterdir()) == []
        with closing(build(f"sqlite:///{path}")) as store:
            fill(store, 1)

    def test_a_rival_who_was_faster_is_joined(self, path, monkeypatch):
        fill_draft = sqlite._fill

        def slow(draft):
            fill_draft(draft)
            monkeypatch.setattr(sqlite, "_fill", fill_draft)
            with closing(build(f"sqlite:///{path}")) as rival:
                fill(rival, 1)

        monkeypatch.setattr(sqlite, "_fill", slow)

        with closing(build(f"sqlite:///{path}")) as store:
            assert len(store.read("s")) == 1

    @pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
    def test_a_file_system_without_hard_links_is_told_as_that(self, path, monkeypatch, number):
        def refused(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(Path, "hardlink_to", refused)

        with pytest.raises(StoreError, match="has no hard links") as caught:
            build(f"sqlite:///{path}")

        assert "--state" in caught.value.do
        assert "may write" not in str(caught.value)
        assert list(path.parent.iterdir()) == []

    def test_another_trouble_of_linking_stays_what_it_is(self, path, monkeypatch):
        def refused(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "hardlink_to", refused)

        with pytest.raises(StoreError, match="cannot be reached: No space left on device"):
            build(f"sqlite:///{path}")


MODES = {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 10_000, "fullfsync": 1}


class TestLooking:
    """``create=False``: for commands that only read."""

    def test_a_missing_journal_reads_as_empty_and_stays_missing(self, tmp_path):
        store = build(f"sqlite:///{tmp_path}/none/state.db", create=False)

        assert store.streams() == store.read("s") == store.tails() == ()
        assert store.last("s") is store.lease("s") is None
        assert store.now() > 0
        store.close()
        assert list(tmp_path.iterdir()) == []

    def test_a_missing_journal_is_not_written(self, path):
        store = build(f"sqlite:///{path}", create=False)

        with pytest.raises(StoreError, match="There is no journal"):
            fill(store, 1)
        with pytest.raises(StoreError, match="There is no journal"):
            store.put_lease("s", b"mine", version=None)

        assert not path.exists()

    def test_a_journal_that_appears_is_seen(self, path):
        with closing(build(f"sqlite:///{path}", create=False)) as store:
            assert store.streams() == ()

            with closing(build(f"sqlite:///{path}")) as writer:
                fill(writer, 1)

            assert store.streams() == ("s",)

    def test_an_existing_journal_takes_orders(self, store, path):
        fill(store, 1)

        with closing(build(f"sqlite:///{path}", create=False)) as orders:
            orders.append("s", Record(1, "r-1", b"approved"))

        assert store.last("s").body == b"approved"


class TestStrangeFiles:
    def refused(self, path, say, *, create=True):
        with pytest.raises(StoreError, match=say) as caught:
            build(f"sqlite:///{path}", create=create)
        assert str(path) in caught.value.what
        assert caught.value.do

    @pytest.mark.parametrize("create", [True, False])
    def test_a_newer_layout_is_refused(self, path, create):
        build(f"sqlite:///{path}").close()
        sql(path, "pragma user_version = 2")

        self.refused(path, "written by a newer rollout .*Upgrade", create=create)

    @pytest.mark.parametrize("create", [True, False])
    def test_a_file_that_is_no_database_is_refused_and_kept(self, path, create):
        path.write_text("name: churn\n" * 400)

        self.refused(path, "is not a SQLite database", create=create)

        assert path.read_text() == "name: churn\n" * 400

    def test_the_database_of_another_program_is_refused_and_kept(self, path):
        sql(path, "create table experiments (id)", "pragma user_version = 9")
        before = path.read_bytes()

        self.refused(path, "is not a journal of rollout")

        assert path.read_bytes() == before

    def test_an_empty_file_is_refused(self, path):
        path.touch()

        self.refused(path, "is not a journal of rollout.*Remove the file if it is empty")

    def test_a_folder_is_refused(self, path):
        path.mkdir()

        self.refused(path, "cannot be opened")

    def test_a_file_in_place_of_the_folder_is_refused(self, path):
        path.touch()

        self.refused(path / "state.db", "cannot be reached")

    def test_a_dangling_link_is_refused(self, path):
        path.symlink_to("nowhere/state.db")

        self.refused(path, "cannot be opened")

    def test_a_link_to_a_journal_is_followed(self, store, path):
        fill(store, 1)
        link = path.with_name("link.db")
        link.symlink_to(path)

        with closing(build(f"sqlite:///{link}")) as linked:
            assert len(linked.read("s")) == 1

    def test_a_damaged_journal_is_reported(self, path):
        with closing(build(f"sqlite:///{path}")) as store:
            fill(store, 50, b"x" * 4000)
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 4096 * 20)

        store = build(f"sqlite:///{path}")
        with closing(store), pytest.raises(StoreError, match="is damaged"):
            store.read("s")


class TestTrouble:
    def test_a_full_disk_is_reported_and_keeps_what_was_acknowledged(self, store):
        fill(store, 3)
        connection = store._connection()
        (pages,) = connection.execute("pragma page_count").fetchone()
        connection.execute(f"pragma max_page_count = {pages}")
        large = Record(3, "r-1", b"x" * 100_000)

        with pytest.raises(StoreError, match="the disk is full"):
            store.append("s", large)

        assert len(store.read("s")) == 3
        connection.execute("pragma max_page_count = 100000")
        store.append("s", large)
        assert store.last("s") == large

    def test_a_lock_that_stays_is_reported_and_stops_no_reader(self, path, monkeypatch):
        monkeypatch.setattr(sqlite, "_BUSY_SECONDS", 0.01)
        with closing(build(f"sqlite:///{path}")) as store:
            fill(store, 1)
            with closing(sqlite3.connect(path, isolation_level=None)) as rival:
                rival.execute("begin immediate")

                with pytest.raises(StoreError, match="stayed locked"):
                    store.append("s", Record(1, "r-1", b"{}"))
                with pytest.raises(StoreError, match="stayed locked"):
                    store.put_lease("s", b"mine", version=None)

                assert len(store.read("s")) == 1
                rival.execute("rollback")
            store.append("s", Record(1, "r-1", b"{}"))

    def test_a_read_only_file_is_read_and_not_written(self, open_folder):
        path = open_folder / "state.db"
        with closing(build(f"sqlite:///{path}")) as store:
            fill(store, 1)
        path.chmod(0o400)

        with unprivileged(path, open_folder), closing(build(f"sqlite:///{path}")) as store:
            assert len(store.read("s")) == 1
            with pytest.raises(StoreError, match="is read-only for this user"):
                store.append("s", Record(1, "r-1", b"{}"))

    def test_an_unreadable_file_is_reported(self, open_folder):
        path = open_folder / "state.db"
        build(f"sqlite:///{path}").close()
        path.chmod(0)

        with unprivileged(path), pytest.raises(StoreError, match="cannot be opened"):
            build(f"sqlite:///{path}")

    def test_a_folder_that_must_not_be_written_is_reported(self, open_folder):
        open_folder.chmod(0o500)

        with unprivileged(open_folder):
            for name in ("state.db", "new/state.db"):
                with pytest.raises(StoreError, match="cannot be reached: Permission denied"):
                    build(f"sqlite:///{open_folder}/{name}")

    def test_a_folder_that_must_not_be_entered_is_reported(self, open_folder):
        open_folder.chmod(0)

        with unprivileged(open_folder):
            for create in (True, False):
                with pytest.raises(StoreError, match="cannot be reached: Permission denied"):
                    build(f"sqlite:///{open_folder}/state.db", create=create)

    @pytest.mark.parametrize("after_closing", [False, True])
    def test_a_deleted_journal_is_not_written_on_in_the_dark(self, store, path, after_closing):
        fill(store, 1)
        if after_closing:
            store.close()
        path.unlink()

        with pytest.raises(StoreError, match="was deleted or replaced"):
            store.append("s", Record(1, "r-1", b"{}"))
        with pytest.raises(StoreError, match="was deleted or replaced"):
            store.read("s")

        assert not path.exists()

    def test_a_replaced_journal_is_noticed(self, store, path):
        fill(store, 1)
        other = path.with_name("other.db")
        build(f"sqlite:///{other}").close()
        other.rename(path)

        with pytest.raises(StoreError, match="was deleted or replaced"):
            store.append("s", Record(1, "r-1", b"{}"))

    def test_a_journal_put_back_works_again(self, store, path):
        fill(store, 1)
        path.rename(path.with_name("away.db"))
        with pytest.raises(StoreError):
            store.last("s")

        path.with_name("away.db").rename(path)
        store.append("s", Record(1, "r-1", b"{}"))

        assert len(store.read("s")) == 2

    def test_no_error_of_sqlite_leaves_the_store(self, store):
        with pytest.raises(StoreError, match="failed: ") as caught:
            store._rows("select nonsense")

        assert isinstance(caught.value.__cause__, sqlite3.Error)


FORK = """
import os, sys
from rollout.adapters.stores.sqlite import build
from rollout.ports.store import Record

ours, spare = build(sys.argv[1]), build(sys.argv[1])
for seq in range(10):
    ours.append("s", Record(seq, "r-1", b"before"))
child = os.fork()
if child == 0:
    for seq in range(50):
        ours.append("child", Record(seq, "r-1", b"x" * 9000))
    os._exit(0 if len(spare.read("s")) >= 10 else 1)
for seq in range(50):
    ours.append("parent", Record(seq, "r-1", b"x" * 9000))
assert os.waitpid(child, 0)[1] == 0
assert len(ours.read("child")) == len(spare.read("parent")) == 50
"""


def test_both_sides_of_a_fork_go_on(path):
    subprocess.run([sys.executable, "-c", FORK, f"sqlite:///{path}"], check=True, timeout=60)

    assert sql(path, "pragma integrity_check", "select count(*) from event") == [
        [("ok",)],
        [(110,)],
    ]


def test_no_connection_crosses_a_fork(store):
    fill(store, 1)

    store._before_fork()
    held = store._held
    store._after_fork()

    assert held is None
    assert len(store.read("s")) == 1


def test_setting_the_clock_of_the_machine_moves_nothing_in_a_living_process(path):
    clock = Stepped()
    store = build(f"sqlite:///{path}", clock=clock)
    clock.sleep(5)

    clock.stepped = 3600
    ahead = store.now()
    clock.stepped = -3600
    back = store.now()
    clock.sleep(1.5)

    assert (ahead, back, store.now()) == (EPOCH + 5, EPOCH + 5, EPOCH + 6.5)
    store.close()


class Stepped(FakeClock):
    """A clock that somebody sets."""

    stepped = 0.0

    def now(self):
        return super().now() + self.stepped


def test_the_clock_is_the_machines_with_milliseconds(store):
    clock = SystemClock()

    moments = [(clock.now(), store.now(), clock.now()) for _ in range(50)]

    assert all(before - 0.002 < told < after + 0.002 for before, told, after in moments)
    assert any(told % 1 for _, told, _ in moments)
    assert all(one[1] <= other[1] for one, other in pairwise(moments))
