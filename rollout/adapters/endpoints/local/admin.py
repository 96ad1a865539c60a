"""Envoy's administration socket: what it has accepted, and who is listed."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from rollout.adapters.endpoints.local.unix_http import UnixConnection
from rollout.adapters.endpoints.local.xds import ROUTES, SHADOW_ROUTES, Json

_TIMEOUT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Listed:
    """A host as Envoy lists it. ``active``: requests in flight there, live and shadow."""

    draining: bool
    active: int


class Admin:
    """Questions to a running Envoy. Every call may raise ``OSError``: it is not there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def live(self) -> bool:
        """Whether it serves."""
        try:
            return self._ask("GET", "/ready").startswith("LIVE")
        except OSError:
            return False

    def accepted(self) -> tuple[str, str, int]:
        """Versions of public and of shadow routes that it uses, and how many it has refused."""
        pattern = r"^http\..*rds\..*\.(version_text|update_rejected)$"
        text = self._ask("GET", f"/stats?filter={pattern}")
        found = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        front, shadow = f"http.{ROUTES}.rds.{ROUTES}", f"http.{SHADOW_ROUTES}.rds.{SHADOW_ROUTES}"
        refused = [int(found.get(f"{prefix}.update_rejected", 0)) for prefix in (front, shadow)]
        versions = [
            found.get(f"{prefix}.version_text", "").strip('"') for prefix in (front, shadow)
        ]
        return versions[0], versions[1], sum(refused)

    def hosts(self) -> dict[str, dict[int, Listed]]:
        """Cluster -> port -> host."""
        answer = cast(Json, json.loads(self._ask("GET", "/clusters?format=json")))
        clusters = cast("list[Json]", answer.get("cluster_statuses", []))
        return {str(cluster["name"]): _hosts(cluster) for cluster in clusters}

    def reopen_logs(self) -> None:
        """Go on in new log files; the old ones have been renamed."""
        self._ask("POST", "/reopen_logs")

    def _ask(self, method: str, path: str) -> str:
        connection = UnixConnection(self._path, _TIMEOUT_SECONDS)
        try:
            connection.request(method, path)
            return connection.getresponse().read().decode()
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()


def _hosts(cluster: Json) -> dict[int, Listed]:
    found = {}
    for host in cast("list[Json]", cluster.get("host_statuses", [])):
        address = cast("dict[str, Json]", host["address"]).get("socket_address")
        if address is None:
            continue
        stats = {
            one["name"]: int(cast(str, one.get("value", "0")))
            for one in cast("list[Json]", host.get("stats", []))
        }
        health = cast(Json, host.get("health_status", {})).get("eds_health_status")
        port = cast(int, address["port_value"])
        found[port] = Listed(health == "DRAINING", stats.get("rq_active", 0))
    return found
