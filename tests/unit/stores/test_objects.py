"""What only objects can get wrong: credentials, containers, requests, lost acknowledgements."""

from __future__ import annotations

import secrets
from collections import Counter
from contextlib import closing

import obstore
import pytest
from obstore.exceptions import GenericError

from rollout.adapters.stores.hours import AGAIN_SECONDS, Hours
from rollout.adapters.stores.objects import store as module
from rollout.adapters.stores.objects.store import build
from rollout.domain.errors import StoreError, UsageError
from rollout.ports.store import Conflict, Record
from tests.fakes.clock import EPOCH, FakeClock
from tests.servers import free_port

FIRST = Record(0, "r-1", b"{}")
CONNECTION = "AZURE_STORAGE_CONNECTION_STRING"


@pytest.fixture(params=["blobs", "buckets"])
def url(request, monkeypatch):
    address, told = request.getfixturevalue(request.param)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return f"{address}/{secrets.token_hex(6)}"


@pytest.fixture
def store(url):
    with closing(build(url)) as made:
        yield made


@pytest.fixture
def requests(monkeypatch):
    """What is asked of the service."""
    seen = Counter()

    def counted(name, call):
        def ask(*given, **options):
            seen[name] += 1
            return call(*given, **options)

        return ask

    for name in ("get", "put", "list", "list_with_delimiter", "head"):
        monkeypatch.setattr(obstore, name, counted(name, getattr(obstore, name)))
    return seen


def refused(url, say, **options):
    with pytest.raises(StoreError, match=say) as caught:
        build(url, **options)
    assert caught.value.do
    assert caught.value.__cause__ is None
    return caught.value


class TestAddress:
    @pytest.mark.parametrize(
        "url",
        [
            "az://",
            "s3:///prefix",
            "gs:bucket",
            "az://c/../x",
            "az://c/.",
            "s3://b//x",
            "s3://b/a b",
        ],
    )
    def test_what_names_no_container_is_refused(self, url):
        with pytest.raises(UsageError, match=r"names no|is no URL"):
            build(url)

    def test_an_address_that_is_refused_is_not_repeated(self):
        with pytest.raises(UsageError, match="names no container") as caught:
            build("AZ://container/s3cret")

        assert "s3cret" not in str(caught.value)

    def test_a_prefix_may_be_left_out(self, url):
        with closing(build(url)) as store:
            assert store._names.layout.endswith("/layout")
        assert module.Names("").layout == "layout"


class TestReaching:
    @pytest.mark.parametrize("create", [True, False])
    def test_a_missing_container_is_reported(self, url, create):
        kind = url.partition(":")[0]

        refused(f"{kind}://nowhere/prefix", "does not exist", create=create)

    def test_no_account_is_reported(self, monkeypatch):
        for name in (CONNECTION, "AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"):
            monkeypatch.delenv(name, raising=False)

        refused("az://journals/prod", "No storage account is named.*AZURE_STORAGE_ACCOUNT")

    def test_a_wrong_key_is_refused_and_not_shown(self, blobs, monkeypatch):
        address, told = blobs
        key = told[CONNECTION].partition("AccountKey=")[2].partition(";")[0]
        monkeypatch.setenv(CONNECTION, told[CONNECTION].replace(key, "d3Jvbmc="))

        error = refused(address, "refuses us")

        assert "d3Jvbmc" not in str(error)

    def test_a_signature_is_not_shown(self, blobs, monkeypatch):
        address, told = blobs
        key = told[CONNECTION].partition("AccountKey=")[2].partition(";")[0]
        signature = "SharedAccessSignature=sv=2024-11-04&sp=rl&sig=s3cret"
        monkeypatch.setenv(CONNECTION, told[CONNECTION].replace(f"AccountKey={key}", signature))

        error = refused(address, "refuses us|cannot be used")

        assert "s3cret" not in str(error)

    def test_a_service_that_is_not_there_is_reported(self, monkeypatch):
        place = f"http://127.0.0.1:{free_port()}"
        monkeypatch.setenv(CONNECTION, f"AccountName=a;AccountKey=aGFsbG8=;BlobEndpoint={place}/a")

        refused("az://journals/prod", "it gave no answer.*can be reached from here")

    @pytest.mark.parametrize("create", [True, False])
    def test_a_newer_layout_is_refused(self, url, store, create):
        obstore.put(store._client, store._names.layout, b"2")

        refused(url, "written by a newer rollout", create=create)

    def test_looking_writes_nothing(self, url, requests):
        with closing(build(url, create=False)) as store:
            assert store.streams() == store.read("s") == store.tails() == ()
            assert store.last("s") is store.lease("s") is None
            assert store.now() > 0
            store.drop("s", 5)
            with pytest.raises(StoreError, match="There is no journal"):
                store.append("s", FIRST)
            with pytest.raises(StoreError, match="There is no journal"):
                store.put_lease("s", b"", version=None)

        assert requests["put"] == 0

    def test_a_journal_that_appears_is_seen_and_takes_orders(self, url):
        with closing(build(url, create=False)) as looking, closing(build(url)) as writer:
            writer.append("s", FIRST)

            assert looking.last("s") == FIRST
            looking.append("s", Record(1, "r-1", b"approved"))
            assert len(writer.read("s")) == 2

    def test_a_process_that_was_forked_off_is_told(self, store):
        store._process -= 1

        with pytest.raises(StoreError, match="before this process was forked off"):
            store.last("s")


class TestRequests:
    """What calls cost; the figures of docs/stores.md."""

    @pytest.fixture
    def filled(self, url, store):
        for seq, run in enumerate("aaabbbcccc"):
            store.append("s", Record(seq, run, b"x"))
        with closing(build(url)) as fresh:
            yield fresh

    def test_each_call_costs_what_the_docs_say(self, filled, requests):
        filled.last("s")
        assert dict(requests) == {"list": 1, "get": 1}
        requests.clear()

        filled.append("s", Record(10, "c", b"x"))
        assert dict(requests) == {"put": 1}
        requests.clear()

        assert filled.read("s", after=10) == ()
        assert dict(requests) == {"get": 1}
        requests.clear()

        assert len(filled.read("s", after=9)) == 1
        assert dict(requests) == {"get": 2}
        requests.clear()

        assert len(filled.tails("s")) == 3
        assert dict(requests) == {"list": 1, "get": 3}
        requests.clear()

        held = filled.put_lease("s", b"mine", version=None)
        filled.put_lease("s", b"mine", version=held.version)
        assert dict(requests) == {"put": 2}

    def test_the_time_costs_two_requests_and_then_none(self, filled, requests):
        for _ in range(5):
            filled.now()

        assert dict(requests) == {"put": 1, "head": 1}


class TestLosing:
    """The service did it, and its answer got lost; or it did not."""

    @pytest.fixture
    def cut(self, monkeypatch):
        put = obstore.put

        def prepare(error, *, done=True):
            def once(*given, **options):
                monkeypatch.setattr(obstore, "put", put)
                if done:
                    put(*given, **options)
                raise error

            monkeypatch.setattr(obstore, "put", once)

        return prepare

    @pytest.mark.parametrize(
        "error",
        [GenericError("timed out"), module.AlreadyExistsError("retried"),
         module.PreconditionError("retried")],
        ids=lambda each: type(each).__name__,
    )  # fmt: skip
    def test_a_write_whose_answer_got_lost_has_succeeded(self, store, cut, error):
        cut(error)
        store.append("s", FIRST)
        store.append("s", Record(1, "r-1", b"next"))
        cut(error)
        first = store.put_lease("s", b"one", version=None)
        cut(error)
        second = store.put_lease("s", b"one", version=first.version)

        assert len(store.read("s")) == 2
        assert store.lease("s") == second != first

    def test_a_write_that_did_not_happen_is_an_error_and_can_be_repeated(self, store, cut):
        cut(GenericError("timed out"), done=False)
        with pytest.raises(StoreError, match="it gave no answer"):
            store.append("s", FIRST)
        cut(GenericError("timed out"), done=False)
        with pytest.raises(StoreError, match="it gave no answer"):
            store.put_lease("s", b"one", version=None)

        store.append("s", FIRST)
        store.put_lease("s", b"one", version=None)

    def test_a_rival_who_was_faster_is_still_a_conflict(self, url, store, cut):
        with closing(build(url)) as rival:
            rival.append("s", Record(0, "r-2", b"theirs"))
        cut(GenericError("timed out"), done=False)

        with pytest.raises(Conflict):
            store.append("s", FIRST)

    def test_a_runner_that_was_left_behind_cannot_write_into_what_was_dropped(self, url, store):
        store.append("s", FIRST)
        with closing(build(url)) as ahead:
            for seq in range(1, 6):
                ahead.append("s", Record(seq, "r-2", b"x"))
            ahead.drop("s", 5)

        with pytest.raises(Conflict):
            store.append("s", Record(1, "r-1", b"late"))


class TestHours:
    """The service stamps whole seconds; we tell time between two looks."""

    def test_time_is_the_services_within_its_second(self):
        clock, service = FakeClock(), FakeClock(EPOCH + 3600.7)
        hours = Hours(lambda: float(int(service.now())), clock, step=1.0)

        assert abs(hours.now() - service.now()) <= 0.5

        for each in (clock, service):
            each.sleep(7.25)
        assert abs(hours.now() - service.now()) <= 0.5

    def test_a_second_look_corrects_a_clock_that_drifts_and_never_goes_back(self):
        clock, service = FakeClock(), FakeClock()
        hours = Hours(lambda: float(int(service.now())), clock, step=1.0)
        told = [hours.now()]

        for drift in (4.0, -4.0, -4.0):
            clock.sleep(AGAIN_SECONDS)
            service.sleep(AGAIN_SECONDS + drift)
            told.append(hours.now())

        assert told == sorted(told)
        assert abs(told[-1] - service.now()) <= 1.0

    def test_looks_are_rare(self):
        clock, looks = FakeClock(), []
        hours = Hours(lambda: looks.append(1) or EPOCH, clock, step=1.0)

        for _ in range(100):
            hours.now()
            clock.sleep(1)

        assert len(looks) == 1
