"""What only PostgreSQL can get wrong: connections, rights, layouts, lost acknowledgements."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import closing, contextmanager, suppress
from urllib.parse import urlsplit

import psycopg
import pytest

from rollout.adapters.stores.postgres import connection
from rollout.adapters.stores.postgres.store import build
from rollout.domain.errors import StoreError, UsageError
from rollout.ports.store import Conflict, Record
from tests.servers import free_port, postgres_database

FIRST = Record(0, "r-1", b"{}")


@pytest.fixture
def url(postgres):
    with postgres_database(postgres) as made:
        yield made


@pytest.fixture
def store(url):
    with closing(build(url)) as made:
        yield made


def sql(url, *statements):
    with psycopg.connect(url, autocommit=True) as made:
        for each in statements:
            made.execute(each)


def refused(url, say, **options):
    with pytest.raises(StoreError, match=say) as caught:
        build(url, **options)
    assert caught.value.do
    return caught.value


class TestReaching:
    @pytest.mark.parametrize("url", ["postgresql://%zz/db", "postgres:x"])
    def test_what_is_no_address_is_refused(self, url):
        with pytest.raises(UsageError, match=r"is no (address of a PostgreSQL database|URL)"):
            build(url)

    def test_nobody_serves_there(self):
        refused(f"postgresql://postgres@127.0.0.1:{free_port()}/db", "is not served there")

    def test_the_host_leads_nowhere(self):
        refused("postgresql://postgres@no-such-host.invalid/db", "leads nowhere")

    def test_the_database_is_missing(self, postgres):
        refused(postgres.rpartition("/")[0] + "/nowhere", "is not there.*createdb")

    def test_a_wrong_password_is_refused_and_not_shown(self, url, monkeypatch):
        guarded = url.replace("postgres@", "guarded@")
        sql(url, "drop role if exists guarded", "create role guarded login password 'right'")

        monkeypatch.delenv("PGPASSWORD", raising=False)
        refused(guarded, "wants a password.*PGPASSWORD")
        monkeypatch.setenv("PGPASSWORD", "wr0ng")
        error = refused(guarded, "refused the password")

        assert "wr0ng" not in str(error)
        sql(url, "drop role guarded")

    def test_missing_rights_are_reported(self, url):
        sql(url, "drop role if exists poor", "create role poor login")

        refused(url.replace("postgres@", "poor@"), "may not be used for a journal")

        sql(url, "drop role poor")

    def test_a_read_only_server_is_reported(self, url, store):
        store.append("s", FIRST)
        read_only = f"{url}?options=-cdefault_transaction_read_only%3Don"

        with closing(build(read_only)) as there:
            assert there.last("s") == FIRST
            with pytest.raises(StoreError, match="is read-only"):
                there.append("s", Record(1, "r-1", b"{}"))


class TestLayout:
    @pytest.mark.parametrize("create", [True, False])
    def test_a_newer_layout_is_refused(self, url, store, create):
        sql(url, "comment on table rollout_event is 'journal of rollout, layout 2'")

        refused(url, "written by a newer rollout", create=create)

    def test_the_table_of_another_program_is_refused_and_kept(self, url):
        sql(url, "create table rollout_event (id int)")

        refused(url, "that is not ours")

        sql(url, "select id from rollout_event")

    def test_a_schema_of_its_own_is_found_by_the_search_path(self, url):
        sql(url, "create schema apart")

        with closing(build(f"{url}?options=-csearch_path%3Dapart")) as store:
            store.append("s", FIRST)

        sql(url, "select * from apart.rollout_event")
        with closing(build(url, create=False)) as elsewhere:
            assert elsewhere.streams() == ()

    def test_looking_makes_nothing(self, url):
        with closing(build(url, create=False)) as store:
            assert store.streams() == store.read("s") == store.tails() == ()
            assert store.last("s") is store.lease("s") is None
            assert store.now() > 0
            store.drop("s", 5)
            for write in (
                lambda: store.append("s", FIRST),
                lambda: store.put_lease("s", b"", version=None),
            ):
                with pytest.raises(StoreError, match="There is no journal"):
                    write()
            with pytest.raises(psycopg.errors.UndefinedTable):
                sql(url, "select * from rollout_event")

            with closing(build(url)) as writer:
                writer.append("s", FIRST)

            assert store.streams() == ("s",)

    def test_acknowledgements_wait_for_the_disk(self, url):
        with closing(build(f"{url}?options=-csynchronous_commit%3Doff")) as store:
            rows, _ = store._session().run("show synchronous_commit", {})

        assert rows == [("on",)]


class TestLosing:
    """A connection that breaks before, while or after a statement is carried out."""

    @pytest.fixture
    def cut(self, monkeypatch):
        """Lets the next statement reach the server, and its answer get lost."""
        run = connection.Session.run

        def prepare():
            def once(self, statement, values, **options):
                monkeypatch.setattr(connection.Session, "run", run)
                run(self, statement, values, **options)
                self._held.pgconn.finish()
                raise StoreError("The connection broke.", do="Repeat.")

            monkeypatch.setattr(connection.Session, "run", once)

        return prepare

    def test_an_append_whose_answer_got_lost_has_succeeded(self, store, cut):
        cut()
        store.append("s", FIRST)

        assert store.read("s") == (FIRST,)

    def test_a_lease_whose_answer_got_lost_is_ours(self, store, cut):
        cut()
        first = store.put_lease("s", b"one", version=None)
        cut()
        second = store.put_lease("s", b"two", version=first.version)

        assert store.lease("s") == second
        with pytest.raises(Conflict):
            store.put_lease("s", b"two", version=first.version)

    def test_a_rival_who_was_faster_is_still_a_conflict(self, url, store, cut):
        with closing(build(url)) as rival:
            rival.append("s", Record(0, "r-2", b"theirs"))
        cut()

        with pytest.raises(Conflict):
            store.append("s", FIRST)

    def test_a_connection_that_the_server_ended_is_made_anew(self, url, store):
        store.append("s", FIRST)
        sql(url, "select pg_terminate_backend(pid) from pg_stat_activity"
                 " where application_name = 'rollout' and datname = current_database()")  # fmt: skip

        store.append("s", Record(1, "r-1", b"{}"))

        assert len(store.read("s")) == 2

    def test_an_answer_that_does_not_come_is_given_up(self, url, store, monkeypatch):
        monkeypatch.setattr(connection, "_ANSWER_SECONDS", 0.2)

        with pytest.raises(StoreError, match="did not answer in time"):
            store._run("select pg_sleep(30)", {})


@contextmanager
def pooled(url):
    """A proxy that gives its client another key to cancel by, as poolers do that share connections."""
    behind = urlsplit(url)
    key = b"K\x00\x00\x00\x0c"

    def carry(source, sink, answering):
        with suppress(OSError):
            while data := source.recv(65536):
                at = data.find(key) if answering else -1
                sink.sendall(
                    data if at < 0 else data[: at + 5] + b"\x7f\x00\x00\x01" + data[at + 9 :]
                )
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as front:

        def serve():
            client, _ = front.accept()
            server = socket.create_connection((behind.hostname, behind.port))
            with client, server:
                back = threading.Thread(target=carry, args=(server, client, True))
                back.start()
                carry(client, server, answering=False)
                back.join()

        thread = threading.Thread(target=serve)
        thread.start()
        yield behind._replace(
            netloc=f"{behind.username}@127.0.0.1:{front.getsockname()[1]}"
        ).geturl()
        thread.join()


class TestPreparing:
    @staticmethod
    def prepared(store):
        for seq in range(3):
            store.append("s", Record(seq, "r-1", b"{}"))
            store.last("s")
        return store._run("select statement from pg_prepared_statements", {}).rows

    def test_appends_are_prepared_and_nothing_else(self, store):
        ((statement,),) = self.prepared(store)

        assert "insert into rollout_event" in statement

    def test_nothing_is_prepared_behind_a_pooling_proxy(self, url):
        with pooled(url) as other, closing(build(other)) as store:
            assert self.prepared(store) == []


FORK = """
import os, sys
from rollout.adapters.stores.postgres.store import build
from rollout.ports.store import Record

ours = build(sys.argv[1])
ours.append("s", Record(0, "r-1", b"before"))
child = os.fork()
me = "parent" if child else "child"
for seq in range(20):
    ours.append(me, Record(seq, "r-1", b"x"))
if not child:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert len(ours.read("child")) == len(ours.read("parent")) == 20
"""


def test_both_sides_of_a_fork_go_on(url):
    subprocess.run([sys.executable, "-c", FORK, url], check=True, timeout=60, env=os.environ)
