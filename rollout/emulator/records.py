"""What the emulator remembers: endpoints, deployments, operations and assets, in one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import cast

from rollout.adapters.endpoints.local.folder import read_json, replace_json
from rollout.emulator.wire import Json

Split = Mapping[str, int]

CREATING, UPDATING, DELETING = "Creating", "Updating", "Deleting"
SUCCEEDED, FAILED, RUNNING = "Succeeded", "Failed", "Running"
_ENDED_KEPT = 200  # operations

BUSY = frozenset({CREATING, UPDATING, DELETING})


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment as Azure would remember it.

    Args:
        body: As the last PUT had it.
        state: Its ``provisioningState``.
        operation: The newest operation on it.
    """

    name: str
    body: Json
    state: str
    operation: str
    created_at: float
    modified_at: float


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint as Azure would remember it.

    Args:
        body: As the last PUT had it; what it says of traffic is only wanted.
        state: Its ``provisioningState``.
        operation: The newest operation on it.
        keys: Primary and secondary.
        ready: Whether it has ever been created in full, so that it has a scoring URI.
        traffic: Live shares in force.
        mirror: Mirrored shares in force.
        before: Traffic and mirror that were in force before those.
        split_at: Since when those have been in force.
    """

    name: str
    body: Json
    state: str
    operation: str
    keys: tuple[str, str]
    created_at: float
    modified_at: float
    ready: bool = False
    traffic: Split = field(default_factory=dict)
    mirror: Split = field(default_factory=dict)
    before: tuple[Split, Split] = field(default_factory=lambda: ({}, {}))
    split_at: float = 0.0
    deployments: Mapping[str, Deployment] = field(default_factory=dict)

    def with_deployment(self, deployment: Deployment) -> Endpoint:
        """The same with a deployment added or replaced."""
        return replace(self, deployments={**self.deployments, deployment.name: deployment})

    def without(self, name: str) -> Endpoint:
        """The same without a deployment."""
        left = {key: one for key, one in self.deployments.items() if key != name}
        return replace(self, deployments=left)


@dataclass(frozen=True, slots=True)
class Operation:
    """A long operation.

    Args:
        kind: ``endpoint.put``, ``endpoint.delete``, ``deployment.put`` or ``deployment.delete``.
        deployment: Empty: it is about the endpoint.
        due_at: It does not end earlier.
        status: ``Running``, ``Succeeded`` or ``Failed``.
        code: Of the error it ended with, or is made to end with.
        stuck: It does not end by itself.
    """

    id: str
    kind: str
    endpoint: str
    deployment: str
    begun_at: float
    due_at: float
    status: str = RUNNING
    ended_at: float = 0.0
    code: str = ""
    message: str = ""
    stuck: bool = False


@dataclass(frozen=True, slots=True)
class Asset:
    """A registered model, environment or code.

    Args:
        kind: ``models``, ``environments`` or ``codes``.
        path: Where it lies on this machine; empty: where its properties say.
    """

    kind: str
    name: str
    version: str
    properties: Json
    created_at: float
    path: str = ""


class Records:
    """All of it; every change is in the file before it is answered.

    A file that is replaced survives the end of this process at any point, which is all that an
    emulator needs: it is not written through to the disk.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        data = read_json(path) or {}
        endpoints = cast("list[Json]", data.get("endpoints", []))
        operations = cast("list[Json]", data.get("operations", []))
        assets = cast("list[Json]", data.get("assets", []))
        self.endpoints = {one.name: one for one in map(_endpoint, endpoints)}
        self.operations = {one.id: one for one in map(_operation, operations)}
        self.assets = {_key(one): one for one in map(_asset, assets)}
        self.marks = cast("dict[str, str]", data.get("marks", {}))

    def keep_endpoint(self, endpoint: Endpoint) -> None:
        """Add or replace an endpoint."""
        self.endpoints[endpoint.name] = endpoint
        self.save()

    def drop_endpoint(self, name: str) -> None:
        """Forget an endpoint."""
        self.endpoints.pop(name, None)
        self.save()

    def keep_operation(self, operation: Operation) -> None:
        """Add or replace an operation."""
        self.operations[operation.id] = operation
        ended = [one.id for one in self.operations.values() if one.status != RUNNING]
        for each in ended[:-_ENDED_KEPT]:
            del self.operations[each]
        self.save()

    def keep_asset(self, asset: Asset) -> None:
        """Add or replace an asset."""
        self.assets[_key(asset)] = asset
        self.save()

    def asset(self, kind: str, name: str, version: str) -> Asset | None:
        """An asset, if there is one."""
        return self.assets.get((kind, name.lower(), version.lower()))

    def mark(self, name: str, value: str) -> str:
        """A value that was once chosen and stays: the old one, else ``value`` from now on."""
        if name not in self.marks:
            self.marks[name] = value
            self.save()
        return self.marks[name]

    def save(self) -> None:
        """Write everything."""
        data = {
            "endpoints": [asdict(one) for one in self.endpoints.values()],
            "operations": [asdict(one) for one in self.operations.values()],
            "assets": [asdict(one) for one in self.assets.values()],
            "marks": self.marks,
        }
        replace_json(self._path, data)


def _key(asset: Asset) -> tuple[str, str, str]:
    return asset.kind, asset.name.lower(), asset.version.lower()


def _endpoint(data: Json) -> Endpoint:
    deployments = cast("Mapping[str, Mapping[str, object]]", data.pop("deployments"))
    keys = cast("list[str]", data.pop("keys"))
    before = cast("list[Split]", data.pop("before"))
    return Endpoint(
        **data,  # type: ignore[arg-type]  # as asdict wrote them
        keys=(keys[0], keys[1]),
        before=(before[0], before[1]),
        deployments={
            name: Deployment(**one)  # type: ignore[arg-type]
            for name, one in deployments.items()
        },
    )


def _operation(data: Json) -> Operation:
    return Operation(**data)  # type: ignore[arg-type]


def _asset(data: Json) -> Asset:
    return Asset(**data)  # type: ignore[arg-type]
