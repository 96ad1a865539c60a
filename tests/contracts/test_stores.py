"""Every store, fake or installed, keeps the same promises."""

from __future__ import annotations

import secrets
import tempfile
from importlib.metadata import entry_points

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from rollout.adapters.stores.sqlite import build
from rollout.ports.store import Conflict, Record
from rollout.testing.shared_stores import SharedStoreContract
from rollout.testing.stores import StoreContract
from rollout.wiring import plugs
from tests.fakes.store import FakeStore, Shelf
from tests.servers import postgres_database


class TestFake(StoreContract):
    @pytest.fixture
    def opened(self):
        shelf = Shelf()
        return lambda: FakeStore(shelf=shelf)


class Installed(SharedStoreContract):
    """A store that ``--state`` can name; ``url`` names data that does not exist yet."""

    @pytest.fixture
    def opened(self, url):
        made = []

        def another():
            made.append(plugs.store(url))
            return made[-1]

        yield another
        for each in made:
            each.close()


class TestSqlite(Installed):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path}/new folder/ä#%41.db"


class TestPostgres(Installed):
    @pytest.fixture
    def url(self, postgres):
        with postgres_database(postgres) as url:
            yield url


class TestAzureBlobs(Installed):
    @pytest.fixture
    def url(self, blobs, monkeypatch):
        return fresh(blobs, monkeypatch)


class TestS3(Installed):
    @pytest.fixture
    def url(self, buckets, monkeypatch):
        return fresh(buckets, monkeypatch)


def fresh(server, monkeypatch):
    """A prefix of its own on a server, with the way to it in the environment."""
    url, told = server
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return f"{url}/{secrets.token_hex(6)}"


def test_every_installed_store_is_under_contract():
    under_contract = {"sqlite", "postgresql", "az", "s3"}
    the_same_by_another_name = {"postgres"}
    without_a_server_to_test_with = {"gs"}  # the code of the other two; docs/known-limits.md

    assert entry_points(group="rollout.stores").names == (
        under_contract | the_same_by_another_name | without_a_server_to_test_with
    )


STREAMS, RUNS, BODIES = st.sampled_from("st"), st.sampled_from("abc"), st.sampled_from([b"", b"x"])


class FakeAndSqliteAgree(RuleBasedStateMachine):
    """Whatever is done to both, both answer alike."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.url = f"sqlite:///{self.folder.name}/state.db"
        self.handles = [build(self.url)]
        self.fake = FakeStore()

    @rule(stream=STREAMS, ahead=st.integers(-3, 2), run=RUNS, body=BODIES)
    def append(self, stream, ahead, run, body):
        newest = self.fake.last(stream)
        seq = (newest.seq + 1 if newest else 0) + ahead
        self.both(lambda store: store.append(stream, Record(seq, run, body)))

    @rule(stream=STREAMS, body=BODIES, version=st.sampled_from([None, "1", "2", "3", "4"]))
    def put_lease(self, stream, body, version):
        self.both(lambda store: store.put_lease(stream, body, version=version))

    @rule(stream=STREAMS, below=st.integers(-1, 6))
    def drop(self, stream, below):
        self.both(lambda store: store.drop(stream, below))

    @rule(stream=STREAMS, after=st.integers(-2, 6))
    def read(self, stream, after):
        self.both(lambda store: store.read(stream, after=after))

    @rule(stream=STREAMS)
    def look(self, stream):
        self.both(lambda store: (store.streams(), store.last(stream), store.lease(stream)))
        self.both(lambda store: (store.tails(), store.tails(stream)))

    @rule(end=st.booleans())
    def reopen(self, end):
        if end:
            self.handles[-1].close()
        self.handles.append(build(self.url))

    def both(self, deed):
        assert self.outcome(deed, self.handles[-1]) == self.outcome(deed, self.fake)

    @staticmethod
    def outcome(deed, store):
        try:
            return deed(store)
        except Conflict:
            return Conflict

    def teardown(self):
        for each in self.handles:
            each.close()
        self.folder.cleanup()


TestFakeAndSqliteAgree = FakeAndSqliteAgree.TestCase
TestFakeAndSqliteAgree.settings = settings(
    max_examples=30, stateful_step_count=30, derandomize=True
)
