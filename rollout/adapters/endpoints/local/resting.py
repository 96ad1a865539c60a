"""An endpoint as its files tell, for a look that starts nothing."""

from __future__ import annotations

from collections import Counter
from typing import cast

from rollout.adapters.endpoints.local.desired import Desired, Wanted
from rollout.adapters.endpoints.local.folder import Folder, read_json
from rollout.adapters.endpoints.local.processes import Identity, Process
from rollout.adapters.endpoints.local.reached import Reached, condition
from rollout.domain.endpoint import DeploymentSeen, Seen

Json = dict[str, object]


def seen(folder: Folder) -> Seen:
    """What the endpoint is while no engine looks after it; ready is who still lives."""
    data = read_json(folder.desired)
    if data is None:
        return Seen(exists=False)
    desired = Desired.from_json(data)
    reached = read_json(folder.status) or {}
    ready = Counter(one["deployment"] for one in living(folder) if one["state"] == "ready")
    return Seen(
        exists=True,
        deployments={
            name: _deployment(wanted, cast("Json | None", reached.get(name)), ready[name])
            for name, wanted in desired.deployments.items()
        },
        traffic=desired.traffic,
        mirror=desired.mirror,
        head=desired.head,
    )


def living(folder: Folder) -> list[Json]:
    """Records of Envoy and the servers that still run, as the last engine wrote them down."""
    records = read_json(folder.processes) or {}
    envoy = cast("Json | None", records.get("envoy"))
    servers = cast("dict[str, list[Json]]", records.get("servers", {}))
    found = [{**envoy, "role": "envoy", "state": "ready", "deployment": None}] if envoy else []
    for name, each in servers.items():
        found += [{**one, "role": "server", "deployment": name} for one in each]
    return [one for one in found if Process.adopt(Identity.from_json(one)) is not None]


def _deployment(wanted: Wanted, reached: Json | None, ready: int) -> DeploymentSeen:
    known = Reached.from_json(reached) if reached else Reached()
    return DeploymentSeen(
        condition=condition(wanted, known),
        instances=wanted.instances,
        ready=ready,
        run=wanted.run,
        digest=wanted.digest,
        error=known.failure,
    )
