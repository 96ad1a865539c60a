"""Answers about online endpoints: read, written, deleted, their keys and tokens."""

from __future__ import annotations

import base64
import secrets
from dataclasses import replace

from rollout.emulator import rules
from rollout.emulator.faults import STALE
from rollout.emulator.records import BUSY, CREATING, DELETING, UPDATING, Endpoint, Operation
from rollout.emulator.site import Site
from rollout.emulator.tokens import LIFE_SECONDS
from rollout.emulator.wire import Asked, Refusal, Reply

_REFRESH_SECONDS = LIFE_SECONDS // 2
_LIMIT = "PT30M"


def found(site: Site, asked: Asked) -> Endpoint:
    """The endpoint that a call names.

    Raises:
        Refusal: there is none.
    """
    name = asked.part("endpoint")
    endpoint = site.records.endpoints.get(name)
    if endpoint is None:
        raise Refusal(404, "UserError", f"Online Endpoint {name} was not found.")
    return endpoint


def _shown(site: Site, asked: Asked, endpoint: Endpoint) -> Endpoint:
    """An endpoint as this read shall see it: a fault may show the split before the present one."""
    past = replace(endpoint, traffic=endpoint.before[0], mirror=endpoint.before[1])
    if (past.traffic, past.mirror) == (endpoint.traffic, endpoint.mirror):
        return endpoint
    fault = site.faults.peek(STALE, asked)
    if fault is None:
        return endpoint
    if not fault.alternate and site.clock.now() >= endpoint.split_at + fault.seconds:
        return endpoint
    return past if site.faults.take(STALE, asked) is not None else endpoint


async def get(site: Site, asked: Asked) -> Reply:
    """One endpoint."""
    return Reply(200, site.documents.endpoint(_shown(site, asked, found(site, asked))))


async def listed(site: Site, asked: Asked) -> Reply:
    """All endpoints."""
    shown = [_shown(site, asked, each) for each in site.records.endpoints.values()]
    return Reply(200, {"value": [site.documents.endpoint(each) for each in shown]})


async def put(site: Site, asked: Asked) -> Reply:
    """Create an endpoint, or replace all of it: nothing is kept that the body leaves out."""
    name, body = asked.part("endpoint"), asked.json()
    old = site.records.endpoints.get(name)
    computes = frozenset({site.settings.compute.lower()} if site.settings.compute else ())
    rules.check_endpoint(name, body, old, computes)
    delays = site.settings.delays
    takes = delays.update if old is not None and old.ready else delays.endpoint
    operation = site.operations.begin(asked, site.faults, endpoint=name, takes=takes)
    now = site.clock.now()
    if old is None:
        endpoint = Endpoint(name, body, CREATING, operation.id, (_key(), _key()), now, now)
    else:
        state = UPDATING if old.ready else CREATING
        endpoint = replace(old, body=body, state=state, operation=operation.id, modified_at=now)
    site.records.keep_endpoint(endpoint)
    site.operations.start(operation)
    # The traffic in this answer is the old one; the new one is in force when the operation ends.
    return accepted(site, asked, operation, 201, site.documents.endpoint(endpoint))


async def delete(site: Site, asked: Asked) -> Reply:
    """Delete an endpoint with all its deployments; absent already is success without a body."""
    name = asked.part("endpoint")
    endpoint = site.records.endpoints.get(name)
    if endpoint is None:
        return Reply(204)
    if endpoint.state in BUSY:
        raise Refusal(409, "Conflict", f"Endpoint {name} has an operation in progress.")
    takes = site.settings.delays.delete
    operation = site.operations.begin(asked, site.faults, endpoint=name, takes=takes)
    site.records.keep_endpoint(replace(endpoint, state=DELETING, operation=operation.id))
    site.operations.start(operation)
    return accepted(site, asked, operation, 202, None)


async def keys(site: Site, asked: Asked) -> Reply:
    """The keys."""
    primary, secondary = found(site, asked).keys
    return Reply(200, {"primaryKey": primary, "secondaryKey": secondary})


async def regenerate(site: Site, asked: Asked) -> Reply:
    """Another primary or secondary key."""
    endpoint = found(site, asked)
    primary, secondary = endpoint.keys
    secondly = str(asked.json().get("keyType", "Primary")).lower() == "secondary"
    after = (primary, _key()) if secondly else (_key(), secondary)
    site.records.keep_endpoint(replace(endpoint, keys=after))
    return Reply(202, None, _timing(site))


async def token(site: Site, asked: Asked) -> Reply:
    """A token for the scoring URI of an endpoint with ``aml_token``."""
    endpoint = found(site, asked)
    now = site.clock.now()
    return Reply(
        200,
        {
            "accessToken": site.tokens.issue(f"aml:{endpoint.name}", now),
            "tokenType": "Bearer",
            "expiryTimeUtc": int(now) + LIFE_SECONDS,
            "refreshAfterTimeUtc": int(now) + _REFRESH_SECONDS,
        },
    )


def accepted(site: Site, asked: Asked, operation: Operation, status: int, body: object) -> Reply:
    """The answer to a call that began a long operation."""
    version = asked.query.get("api-version", "")
    location = f"{site.base}{asked.path}?api-version={version}"
    if body is None:
        location = site.documents.result_uri(operation.id, version)
    headers = {
        "Azure-AsyncOperation": site.documents.operation_uri(operation.id, version),
        "Location": location,
        "x-ms-async-operation-timeout": _LIMIT,
    }
    return Reply(status, body, headers | _timing(site))


async def operation_state(site: Site, asked: Asked) -> Reply:
    """How a long operation stands; a failed one is told with status 200."""
    operation = site.records.operations.get(asked.parts["operation"])
    if operation is None:
        raise Refusal(404, "NotFound", f"Operation {asked.parts['operation']} was not found.")
    return Reply(200, site.documents.operation(operation), _timing(site))


async def operation_result(site: Site, asked: Asked) -> Reply:
    """Where a deletion's result would be: there is none."""
    operation = site.records.operations.get(asked.parts["operation"])
    if operation is None:
        raise Refusal(404, "NotFound", f"Operation {asked.parts['operation']} was not found.")
    return Reply(202 if operation.ended_at == 0 else 204)


def _timing(site: Site) -> dict[str, str]:
    """Azure sends none of it, so its SDK asks every 5 or 30 seconds."""
    pause = site.settings.delays.poll_ms
    return {"x-ms-retry-after-ms": str(pause)} if pause else {}


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
