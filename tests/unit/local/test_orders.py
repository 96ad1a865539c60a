"""Which servers start, drain and stop: never fewer ready ones than before."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from rollout.adapters.endpoints.local.orders import Drain, Goal, Server, Start, Stop, due
from rollout.adapters.endpoints.local.replica import State

STARTING, READY, DRAINING, STOPPING = State.STARTING, State.READY, State.DRAINING, State.STOPPING


def servers(*states: tuple[int, State]) -> list[Server]:
    return [Server(number, *one) for number, one in enumerate(states, 1)]


@pytest.mark.parametrize(
    ("goal", "there", "orders"),
    [
        (Goal(1, 2), [], [Start(), Start()]),
        (Goal(1, 2), [(1, READY)], [Start()]),
        (Goal(1, 1), [(1, STARTING)], []),
        (Goal(1, 1), [(1, READY), (1, READY)], [Drain(2)]),
        (Goal(1, 1), [(1, READY), (1, STARTING)], [Stop(2)]),
        (Goal(2, 1), [(1, READY)], [Start()]),
        (Goal(2, 1), [(1, READY), (2, STARTING)], []),
        (Goal(2, 1), [(1, READY), (2, READY)], [Drain(1)]),
        (Goal(2, 2), [(1, READY), (1, READY), (2, READY), (2, STARTING)], []),
        (Goal(2, 1), [(1, STARTING)], [Start(), Stop(1)]),
        (Goal(1, 0, may_start=False), [(1, READY), (1, STARTING)], [Stop(2), Drain(1)]),
        (Goal(1, 2, may_start=False), [(1, READY)], []),
        (Goal(1, 1), [(1, READY), (1, STOPPING)], []),
    ],
)
def test_what_is_due(goal: Goal, there: list[tuple[int, State]], orders: list[object]) -> None:
    assert due(goal, servers(*there)) == orders


def test_a_draining_server_stops_when_nothing_is_in_flight() -> None:
    busy, idle = Server(1, 1, DRAINING), Server(2, 1, DRAINING, idle=True)

    assert due(Goal(1, 0), [busy, idle]) == [Stop(2)]


@given(
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from(list(State)), st.booleans()), max_size=8),
    st.integers(1, 3),
    st.integers(1, 4),
)
def test_readiness_never_falls_below_the_goal_and_rest_is_reached(
    there: list[tuple[int, State, bool]], revision: int, instances: int
) -> None:
    fleet = {n: Server(n, *one) for n, one in enumerate(there, 1)}
    goal = Goal(revision, instances)

    for _ in range(12):
        before = sum(one.state is READY for one in fleet.values())
        for order in due(goal, fleet.values()):
            match order:
                case Start():
                    number = max(fleet, default=0) + 1
                    fleet[number] = Server(number, revision, STARTING)
                case Drain(number):
                    fleet[number] = Server(number, fleet[number].revision, DRAINING)
                case Stop(number):
                    assert fleet[number].state in (STARTING, DRAINING)
                    del fleet[number]
        ready = sum(one.state is READY for one in fleet.values())
        assert ready >= min(before, instances)
        fleet = {n: advanced(one) for n, one in fleet.items() if one.state is not STOPPING}

    assert due(goal, fleet.values()) == []
    assert [(one.revision, one.state) for one in fleet.values()] == [(revision, READY)] * instances


def advanced(server: Server) -> Server:
    """A server some time later."""
    if server.state is STARTING:
        return Server(server.number, server.revision, READY)
    return Server(server.number, server.revision, server.state, server.state is DRAINING)
