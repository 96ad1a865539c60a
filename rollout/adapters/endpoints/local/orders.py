"""Which servers to start, drain and stop next, read off what is there; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rollout.adapters.endpoints.local.replica import State


@dataclass(frozen=True, slots=True)
class Server:
    """A server as the rules see it; ``idle``: draining, and nothing is in flight there."""

    number: int
    revision: int
    state: State
    idle: bool = False


@dataclass(frozen=True, slots=True)
class Goal:
    """So many servers of this revision. ``may_start``: nothing speaks against starting some."""

    revision: int
    instances: int
    may_start: bool = True


@dataclass(frozen=True, slots=True)
class Start:
    """Start one server of the goal's revision."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Send no new requests to this server."""

    number: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask this server to end."""

    number: int


Order = Start | Drain | Stop


def due(goal: Goal, servers: Iterable[Server]) -> list[Order]:
    """What brings ``servers`` nearer to ``goal`` without ever having fewer ready than before.

    New ones become ready first, then the old ones go; each is drained before it is stopped.

    >>> due(Goal(2, 1), [Server(1, 1, State.READY)])
    [Start()]
    >>> due(Goal(2, 1), [Server(1, 1, State.READY), Server(2, 2, State.READY)])
    [Drain(number=1)]
    """
    servers = list(servers)
    here = [one for one in servers if one.state in (State.STARTING, State.READY)]
    current = [one for one in here if one.revision == goal.revision]
    ready = [one for one in current if one.state is State.READY]
    surplus = _least_useful(current)[: max(0, len(current) - goal.instances)]
    old = [one for one in here if one.revision != goal.revision]
    replaced = len(ready) >= goal.instances
    orders: list[Order] = []
    if goal.may_start:
        orders += [Start()] * (goal.instances - len(current))
    orders += [_retire(one) for one in surplus]
    orders += [_retire(one) for one in old if replaced or one.state is State.STARTING]
    orders += [Stop(one.number) for one in servers if one.state is State.DRAINING and one.idle]
    return orders


def _retire(server: Server) -> Order:
    if server.state is State.STARTING:
        return Stop(server.number)
    return Drain(server.number)


def _least_useful(servers: list[Server]) -> list[Server]:
    return sorted(servers, key=lambda one: (one.state is State.READY, -one.number))
