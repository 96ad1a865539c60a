"""Faults hit the calls they name, as often as they say."""

import pytest

from rollout.domain.errors import UsageError
from rollout.emulator.faults import Fault, Faults
from rollout.emulator.routes import checked
from rollout.emulator.wire import Asked

PUT = Asked("endpoint.put", "PUT", "/x/onlineEndpoints/shop")
GET = Asked("endpoint.get", "GET", "/x/onlineEndpoints/shop")


def test_a_fault_is_used_up():
    faults = Faults([Fault.parse("429:on=endpoint.put,times=2,retry_after=1")])

    taken = [faults.take("status", each) for each in (GET, PUT, PUT, PUT)]

    assert [each is not None for each in taken] == [False, True, True, False]
    assert taken[1].refusal().status == 429
    assert taken[1].refusal().headers == {"Retry-After": "1"}


@pytest.mark.parametrize(
    ("spec", "hits"),
    [
        ("503", True),
        ("503:on=endpoint.*", True),
        ("503:on=deployment.*|endpoint.put", True),
        ("503:on=deployment.*", False),
        ("503:method=put", True),
        ("503:method=get", False),
        ("503:path=Endpoints/shop$", True),
        ("503:path=Endpoints/other", False),
        ("stuck:on=endpoint.put", False),
    ],
)
def test_which_calls_are_hit(spec, hits):
    assert (Faults([Fault.parse(spec)]).take("status", PUT) is not None) is hits


def test_some_may_pass_first_and_some_stay():
    later = Faults([Fault.parse("503:skip=1")])
    always = Faults([Fault.parse("503:times=always")])

    assert [later.take("status", PUT) is None for _ in range(3)] == [True, False, True]
    assert all(always.take("status", PUT) for _ in range(5))


def test_every_other_one():
    faults = Faults([Fault.parse("stale:alternate=true,times=2")])

    assert [faults.take("stale", GET) is not None for _ in range(4)] == [True, False, True, False]


def test_a_fault_survives_being_written_down():
    fault = Fault.parse("fail:on=deployment.put,code=Broken,message=by hand")

    assert Fault.from_json(fault.to_json()) == fault
    assert (fault.code, fault.message) == ("Broken", "by hand")
    assert Fault.parse("409").code == "Conflict"


@pytest.mark.parametrize(
    "spec",
    [
        "nothing",
        "200",
        "503:times",
        "503:times=x",
        "503:color=red",
        "stale:alternate=1",
        "503:path=(",
    ],
)
def test_what_is_no_fault(spec):
    with pytest.raises(UsageError):
        Fault.parse(spec)


def test_an_unknown_kind_is_told_the_kinds_first():
    with pytest.raises(UsageError) as caught:
        Fault.parse("nonsense")

    assert caught.value.do.startswith("Use a status (400 to 599), fail, stuck,")


@pytest.mark.parametrize("on", ["endpoint.pvt", "endpoint.put|deploy.*", "nothing*"])
def test_a_fault_of_no_operation_is_refused_with_those_there_are(on):
    with pytest.raises(UsageError, match="names no operation") as caught:
        checked(Fault.parse(f"503:on={on}"))

    assert "endpoint.put" in caught.value.do
    assert "score" in caught.value.do


@pytest.mark.parametrize("spec", ["503", "stale:seconds=1", "503:on=*.get|score", "quota"])
def test_a_fault_of_operations_there_are_is_taken(spec):
    assert checked(Fault.parse(spec)) == Fault.parse(spec)
