"""What an engine writes down for the one after it: who serves, and what has been reached."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

from rollout.adapters.endpoints.local.fleet import Fleet
from rollout.adapters.endpoints.local.folder import (
    Folder,
    read_json,
    replace_json,
    write_json,
)
from rollout.adapters.endpoints.local.gateway import Gateway
from rollout.adapters.endpoints.local.reached import Reached

Json = dict[str, object]


class Records:
    """The records of one endpoint, written when they change."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._processes: Json = read_json(folder.processes) or {}
        self._reached: Json = read_json(folder.status) or {}

    def envoy(self) -> Json | None:
        """The Envoy of an earlier engine."""
        return cast("Json | None", self._processes.get("envoy"))

    def servers(self, deployment: str) -> list[Json]:
        """The servers of a deployment that an earlier engine had."""
        return cast("dict[str, list[Json]]", self._processes.get("servers", {})).get(deployment, [])

    def reached(self, deployment: str) -> Reached:
        """What a deployment had reached."""
        found = self._reached.get(deployment)
        return Reached.from_json(cast(Json, found)) if found else Reached()

    def write(self, gateway: Gateway, fleets: Collection[Fleet]) -> None:
        """Write down what is new."""
        envoy = gateway.process.identity.to_json() if gateway.process else None
        servers = {one.name: [server.to_json() for server in one.replicas] for one in fleets}
        processes: Json = {"envoy": envoy, "servers": servers}
        if processes != self._processes:
            replace_json(self._folder.processes, processes)
            self._processes = processes
        reached: Json = {one.name: one.reached.to_json() for one in fleets}
        if reached != self._reached:
            write_json(self._folder.status, reached)
            self._reached = reached
