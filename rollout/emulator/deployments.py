"""Answers about online deployments: read, written, deleted, their logs."""

from __future__ import annotations

import asyncio
from typing import cast

from rollout.adapters.endpoints.local.replica import tail
from rollout.emulator import machines, rules
from rollout.emulator.endpoints import accepted, found
from rollout.emulator.faults import QUOTA
from rollout.emulator.records import DELETING, FAILED, SUCCEEDED, UPDATING, Deployment, Endpoint
from rollout.emulator.site import Site
from rollout.emulator.wire import Asked, Json, Refusal, Reply, mapping

_DEFAULT_LINES = 50
_STEPS = ("SystemSetup", "UserContainerImagePull", "ModelDownload")


def _found(endpoint: Endpoint, asked: Asked) -> Deployment:
    name = asked.part("deployment")
    deployment = endpoint.deployments.get(name)
    if deployment is None:
        raise Refusal(404, "UserError", f"Deployment {name} was not found.")
    return deployment


async def get(site: Site, asked: Asked) -> Reply:
    """One deployment."""
    endpoint = found(site, asked)
    return Reply(200, site.documents.deployment(endpoint.name, _found(endpoint, asked)))


async def listed(site: Site, asked: Asked) -> Reply:
    """All deployments of an endpoint."""
    endpoint = found(site, asked)
    shown = [site.documents.deployment(endpoint.name, d) for d in endpoint.deployments.values()]
    return Reply(200, {"value": shown})


async def put(site: Site, asked: Asked) -> Reply:
    """Create a deployment, or replace all of it: nothing is kept that the body leaves out."""
    endpoint, name, body = found(site, asked), asked.part("deployment"), asked.json()
    rules.check_deployment(name, body, endpoint)
    site.building.check(body)
    _check_quota(site, asked, endpoint, body)
    takes = site.settings.delays.deployment
    operation = site.operations.begin(
        asked, site.faults, endpoint=endpoint.name, deployment=name, takes=takes
    )
    now = site.clock.now()
    old = endpoint.deployments.get(name)
    created = now if old is None else old.created_at
    deployment = Deployment(name, body, UPDATING, operation.id, created, now)
    site.records.keep_endpoint(endpoint.with_deployment(deployment))
    site.operations.start(operation)
    shown = site.documents.deployment(endpoint.name, deployment, fresh=True)
    return accepted(site, asked, operation, 201, shown)


async def delete(site: Site, asked: Asked) -> Reply:
    """Delete a deployment; absent already is success without a body."""
    endpoint, name = found(site, asked), asked.part("deployment")
    deployment = endpoint.deployments.get(name)
    if deployment is None:
        return Reply(204)
    rules.check_removal(name, endpoint)
    takes = site.settings.delays.delete
    operation = site.operations.begin(
        asked, site.faults, endpoint=endpoint.name, deployment=name, takes=takes
    )
    going = Deployment(
        name,
        deployment.body,
        DELETING,
        operation.id,
        deployment.created_at,
        deployment.modified_at,
    )
    site.records.keep_endpoint(endpoint.with_deployment(going))
    site.operations.start(operation)
    return accepted(site, asked, operation, 202, None)


async def logs(site: Site, asked: Asked) -> Reply:
    """The newest lines of a deployment's container."""
    endpoint = found(site, asked)
    deployment, wish = _found(endpoint, asked), asked.json()
    lines = cast(int, wish.get("tail") or _DEFAULT_LINES)
    if wish.get("containerType") == "StorageInitializer":
        path = site.settings.state / "storage-initializer" / endpoint.name
        said = tail(path / f"{deployment.name}.log").splitlines()
        return Reply(200, {"content": "\n".join(said[-lines:])})
    text = await asyncio.to_thread(
        lambda: site.engines.logs(endpoint.name, deployment.name, lines=lines)
    )
    states = dict.fromkeys(_STEPS, SUCCEEDED)
    serving = {SUCCEEDED: SUCCEEDED, FAILED: FAILED}.get(deployment.state, "InProgress")
    steps = [
        f"{name}: {state}" for name, state in (states | {"UserContainerStart": serving}).items()
    ]
    head = "\n".join(["Instance status:", *steps, "", "Container logs:"])
    return Reply(200, {"content": f"{head}\n{text}\n"})


def _check_quota(site: Site, asked: Asked, endpoint: Endpoint, body: Json) -> None:
    if mapping(body["properties"]).get("endpointComputeType") != "Managed":
        return
    size = machines.machine(str(mapping(body["properties"]).get("instanceType")))
    others = machines.used(taken(site, without=(endpoint.name, asked.part("deployment"))))
    if site.faults.take(QUOTA, asked) is not None and size is not None:
        used = others.get(size.family, 0)
        needed = machines.cores(rules.instances_of(body), size)
        raise rules.out_of_quota(size.family, used, used, needed)
    rules.check_quota(body, others, site.settings.quota, site.settings.default_quota)


def taken(site: Site, *, without: tuple[str, str] = ("", "")) -> list[tuple[str, int]]:
    """Instance type and instances of every managed deployment, but of one."""
    return [
        (str(properties.get("instanceType")), rules.instances_of(one.body))
        for endpoint in site.records.endpoints.values()
        for one in endpoint.deployments.values()
        if (properties := mapping(one.body["properties"])).get("endpointComputeType") == "Managed"
        and (endpoint.name, one.name) != without
    ]
