"""A runner that is frozen before a request, is taken over, and thaws when all is over."""

from __future__ import annotations

import pytest

from rollout.domain import events as e
from tests.torture.ending import end
from tests.torture.place import fresh
from tests.torture.scenarios import SCENARIOS
from tests.torture.server import Wish
from tests.torture.zombies import BEFORE_CALL, frozen


@pytest.mark.parametrize("aborted", [False, True], ids=["finished", "aborted"])
def test_whatever_a_frozen_runner_sends_too_late_is_undone(servers, place, aborted):
    found = list(frozen(servers, place, "keep", aborted=aborted))

    assert [each.call for each in found] == [
        "ScaleDeployment", "PutDeployment", "SetSplit", "SetSplit", "SetSplit"
    ]  # fmt: skip
    assert [each.wrong for each in found] == [""] * 5
    landed = [sum(isinstance(x.event, e.LateCallLanded) for x in each.left.story) for each in found]
    assert landed == ([0, 1, 0, 0, 0] if aborted else [0, 0, 1, 1, 0])
    told = [each.first["text"] for each in found]
    assert all("took" in each and "nothing of it is left" in each for each in told)


def test_two_frozen_runners_leave_the_endpoint_to_the_third(servers, place):
    server = servers.servers[0]
    calm = fresh(place / "calm", SCENARIOS["keep"])
    labels = server.run(Wish(str(calm), "keep"))["labels"]
    calls = [at for at, each in enumerate(labels, 1) if each.startswith(BEFORE_CALL)]
    folder = str(fresh(place / "both", SCENARIOS["keep"]))

    first = server.run(Wish(folder, "keep", stop_at=calls[2]))
    second = server.run(Wish(folder, "keep", stop_at=30))
    third = server.run(Wish(folder, "keep"))
    ends = [server.go_on(each["stopped"]) for each in (first, second)]

    assert third["phase"] == "completed"
    assert [each["code"] for each in ends] == [30, 30]
    left = end(place / "both")
    assert left.place == end(calm).place
    assert [*left.wrongs()] == []


def test_an_owner_on_this_machine_that_is_dead_is_not_waited_for(servers, place):
    server = servers.servers[0]
    folder = str(fresh(place / "here", SCENARIOS["rollback"]))
    server.run(Wish(folder, "rollback", kill_at=30))

    server.run(Wish(folder, "rollback"))

    took = _take_over(place / "here")
    assert (took.crashed, took.contested) == (True, False)
    assert _silence(place / "here") < 2.0


@pytest.mark.parametrize("deed", ["kill_at", "stop_at"])
def test_any_other_owner_is_waited_for_as_long_as_it_may_act(servers, place, deed):
    server = servers.servers[0]
    folder = str(fresh(place / "there", SCENARIOS["rollback"]))
    told = server.run(Wish(folder, "rollback", **{deed: 30}))

    server.run(Wish(folder, "rollback", elsewhere=True))

    took = _take_over(place / "there")
    assert (took.crashed, took.contested) == (True, True)
    assert 20.0 + 5.0 <= _silence(place / "there") < 20.0 + 5.0 + 2.0  # ttl, a call, a poll
    if "stopped" in told:
        assert server.go_on(told["stopped"])["code"] == 30


def _take_over(folder):
    (found,) = [each.event for each in end(folder).story if isinstance(each.event, e.OwnerTook)]
    return found


def _silence(folder):
    """Virtual seconds between the last entry of the first owner and the first of the second."""
    story = end(folder).story
    at = next(n for n, each in enumerate(story) if isinstance(each.event, e.OwnerTook))
    return story[at].at - story[at - 1].at
