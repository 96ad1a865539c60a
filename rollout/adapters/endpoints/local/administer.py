"""What ``rollout local up | down | ps | fault`` do, without a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from rollout.adapters.endpoints.local import faults, resting
from rollout.adapters.endpoints.local.client import Client
from rollout.adapters.endpoints.local.desired import Desired
from rollout.adapters.endpoints.local.folder import Folder, read_json
from rollout.adapters.load.openloop import OpenLoopLoad
from rollout.domain.errors import EndpointRefused
from rollout.ports.clock import Clock

Json = dict[str, object]

FAULTS = faults.KINDS


@dataclass(frozen=True, slots=True)
class Summary:
    """A local endpoint as its files tell.

    Args:
        scoring_uri: Where its clients send requests.
        up: Whether its Envoy runs.
        traffic: Deployment -> percent.
        mirror: Deployment -> percent.
        deployments: Deployment -> instances it shall have.
    """

    name: str
    scoring_uri: str
    up: bool
    traffic: Mapping[str, int]
    mirror: Mapping[str, int]
    deployments: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Running:
    """A process of an endpoint.

    Args:
        role: ``engine``, ``envoy`` or ``server``.
        deployment: Of a server.
        port: Where it listens on the loopback; None: nowhere.
        restarts: How often it, or one of its deployment, had to be started again.
        memory: Resident bytes of its group.
    """

    role: str
    pid: int
    state: str
    deployment: str | None = None
    port: int | None = None
    restarts: int = 0
    memory: int = 0


def list_endpoints(home: Path) -> tuple[Summary, ...]:
    """All local endpoints, by name; starts nothing."""
    folders = sorted(path.parent for path in home.resolve().glob("*/spec.json"))
    return tuple(_summary(Folder(path)) for path in folders)


def processes(home: Path, name: str, clock: Clock) -> tuple[Running, ...]:
    """What runs for an endpoint; starts nothing.

    Raises:
        EndpointRefused: there is no such endpoint.
    """
    folder = _existing(home, name)
    answer = Client(folder, clock).call_if_up("GET", "/v1/processes")
    if answer is None:
        return tuple(_running(one) for one in resting.living(folder))
    return tuple(_running(one) for one in cast("list[Json]", answer["processes"]))


def up(home: Path, name: str, clock: Clock) -> None:
    """Start an endpoint that is down; its deployments come back by themselves.

    Raises:
        EndpointRefused: there is no such endpoint.
    """
    Client(_existing(home, name), clock).call("GET", "/v1/endpoint")


def down(home: Path, name: str, clock: Clock) -> None:
    """Stop everything of an endpoint and keep its files.

    Raises:
        EndpointRefused: there is no such endpoint.
    """
    Client(_existing(home, name), clock).stop("down")


def fault(
    home: Path,
    name: str,
    clock: Clock,
    *,
    kind: str,
    deployment: str | None = None,
    percent: float = 100.0,
    seconds: float = 0.0,
) -> None:
    """Inject a fault, live and in the shadow alike.

    Args:
        home: The folder of all local endpoints.
        name: The endpoint.
        clock: Time.
        kind: ``error`` (500), ``delay``, ``hang``, ``crash`` (of the worker), ``kill-server``,
            ``kill-envoy``; ``none`` takes those of a deployment away.
        deployment: Which one; not for ``kill-envoy``.
        percent: Of its requests.
        seconds: Of a delay.

    Raises:
        EndpointRefused: the endpoint, the deployment or the fault is unknown.
    """
    folder = _existing(home, name)
    there = sorted(_desired(folder).deployments)
    if deployment is not None and deployment not in there:
        raise EndpointRefused(
            f"There is no deployment '{deployment}' on '{name}'.",
            do=f"Name one of: {', '.join(there) or 'none'}.",
        )
    body = {"kind": kind, "deployment": deployment, "percent": percent, "seconds": seconds}
    Client(folder, clock).call("POST", "/v1/fault", body)


def key(home: Path, name: str) -> str:
    """The primary key of an endpoint, for its clients.

    Raises:
        EndpointRefused: there is no such endpoint.
    """
    return str((read_json(_existing(home, name).keys) or {})["primary"])


def load(home: Path, name: str, *, rps: float, bodies: tuple[bytes, ...]) -> OpenLoopLoad:
    """Open-loop traffic for an endpoint, not started yet.

    Raises:
        EndpointRefused: there is no such endpoint.
    """
    folder = _existing(home, name)
    uri = _summary(folder).scoring_uri
    return OpenLoopLoad(lambda: (uri, key(home, name)), rps=rps, bodies=bodies)


def _existing(home: Path, name: str) -> Folder:
    folder = Folder(home.resolve() / name)
    if folder.is_used:
        return folder
    there = ", ".join(one.name for one in list_endpoints(home)) or "none"
    raise EndpointRefused(
        f"There is no local endpoint '{name}' in {home}.",
        do=f"Name one that is there ({there}), or create it: rollout apply PLAN",
    )


def _summary(folder: Folder) -> Summary:
    desired = _desired(folder)
    return Summary(
        name=desired.name,
        scoring_uri=f"http://127.0.0.1:{desired.port}/score",
        up=any(one["role"] == "envoy" for one in resting.living(folder)),
        traffic=desired.traffic,
        mirror=desired.mirror,
        deployments={name: one.instances for name, one in desired.deployments.items()},
    )


def _desired(folder: Folder) -> Desired:
    return Desired.from_json(read_json(folder.desired) or {})


def _running(data: Json) -> Running:
    return Running(
        role=str(data["role"]),
        pid=cast(int, data["pid"]),
        state=str(data["state"]),
        deployment=cast("str | None", data.get("deployment")),
        port=cast("int | None", data.get("port")),
        restarts=cast(int, data.get("restarts", 0)),
        memory=cast(int, data.get("memory", 0)),
    )
