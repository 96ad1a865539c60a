"""What the emulated service refuses; pure. Which of it is known and which assumed: docs/emulator.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from rollout.emulator import machines
from rollout.emulator.records import BUSY, Endpoint
from rollout.emulator.wire import Json, Refusal, mapping

MOST_INSTANCES = 50
MOST_DEPLOYMENTS = 20

_NAME = re.compile(r"[a-zA-Z](-?[a-zA-Z0-9])*")
_NAME_LENGTH = range(3, 33)
_ALL = 100
_MOST_MIRRORED = 50
_AUTH_MODES = ("Key", "AMLToken", "AADToken")
_BAD, _CONFLICT = 400, 409


def check_endpoint(name: str, body: Json, old: Endpoint | None, computes: frozenset[str]) -> None:
    """What a PUT of an endpoint may not say.

    Args:
        name: The endpoint's.
        body: As it was sent.
        old: The endpoint before; None: it is to be created.
        computes: Names of attached Kubernetes computes, in lower case.

    Raises:
        Refusal: a rule is broken.
    """
    _check_name(name)
    properties = mapping(body.get("properties"))
    if properties.get("authMode") not in _AUTH_MODES:
        raise _bad(f"authMode is {properties.get('authMode')!r}; use {', '.join(_AUTH_MODES)}.")
    if not body.get("location"):
        raise Refusal(_BAD, "LocationRequired", "The location property is required.")
    compute = properties.get("compute")
    if compute and str(compute).rsplit("/", 1)[-1].lower() not in computes:
        raise _bad(f"Compute {compute} is not attached to the workspace.")
    if old is not None and bool(compute) != bool(mapping(old.body["properties"]).get("compute")):
        raise _bad("The compute of an endpoint cannot be changed.")
    there = frozenset() if old is None else frozenset(old.deployments)
    _check_split(properties, there)
    if old is not None and old.state in BUSY:
        raise Refusal(_CONFLICT, "Conflict", f"Endpoint {name} has an operation in progress.")


def _check_split(properties: Json, there: frozenset[str]) -> None:
    traffic = _shares(properties, "traffic")
    mirror = _shares(properties, "mirrorTraffic")
    for each in [*traffic, *mirror]:
        if each.lower() not in there:
            raise _bad(f"Deployment {each} does not exist.")
    total = sum(traffic.values())
    if total not in (0, _ALL) or any(each < 0 for each in traffic.values()):
        raise _bad(f"Traffic must sum to 0 or 100, and this sums to {total}.")
    if not mirror:
        return
    if properties.get("compute"):
        raise _bad("Mirroring is not supported for Kubernetes online endpoints.")
    if len(mirror) > 1:
        raise _bad("Only one deployment can receive mirror traffic.")
    [(name, percent)] = mirror.items()
    if not 0 < percent <= _MOST_MIRRORED:
        raise _bad(f"Mirror traffic must be between 1 and {_MOST_MIRRORED}, and this is {percent}.")
    if name in traffic:
        raise _bad(f"Deployment {name} can receive either live or mirror traffic.")
    if not traffic:
        raise _bad("Mirror traffic needs live traffic on another deployment.")


def _shares(properties: Json, key: str) -> dict[str, int]:
    """The shares of a PUT without zeros.

    Raises:
        Refusal: one is no whole number.
    """
    found = mapping(properties.get(key))
    for name, share in found.items():
        if not isinstance(share, int) or isinstance(share, bool):
            message = f"{key} of {name} is {share!r}, not an integer."
            raise Refusal(_BAD, "InvalidRequestContent", message)
    return {name: share for name, share in cast("dict[str, int]", found).items() if share}


def wanted_split(body: Json) -> tuple[dict[str, int], dict[str, int]]:
    """Traffic and mirror that an accepted PUT asks for."""
    properties = mapping(body.get("properties"))
    traffic, mirror = (_shares(properties, key) for key in ("traffic", "mirrorTraffic"))
    return _lowered(traffic), _lowered(mirror)


def _lowered(shares: Mapping[str, int]) -> dict[str, int]:
    return {name.lower(): share for name, share in shares.items()}


def check_deployment(name: str, body: Json, endpoint: Endpoint) -> None:
    """What a PUT of a deployment may not say.

    Raises:
        Refusal: a rule is broken.
    """
    _check_name(name)
    old = endpoint.deployments.get(name)
    given = mapping(body.get("properties"))
    kubernetes = bool(mapping(endpoint.body["properties"]).get("compute"))
    expected = "Kubernetes" if kubernetes else "Managed"
    if given.get("endpointComputeType") != expected:
        raise _bad(f"endpointComputeType must be {expected} on this endpoint.")
    if not kubernetes:
        _check_instance_type(given, mapping(old.body["properties"]) if old else {})
    instances = instances_of(body)
    if not 1 <= instances <= MOST_INSTANCES:
        raise _bad(f"sku.capacity is {instances}; it must be from 1 to {MOST_INSTANCES}.")
    if old is None and len(endpoint.deployments) >= MOST_DEPLOYMENTS:
        raise _bad(f"An endpoint can have {MOST_DEPLOYMENTS} deployments.")
    busy = old is not None and old.state in BUSY
    if busy or endpoint.state in ("Creating", "Deleting"):
        what = f"Deployment {name}" if busy else f"Endpoint {endpoint.name}"
        raise Refusal(_CONFLICT, "Conflict", f"{what} has an operation in progress.")


def _check_instance_type(given: Json, old: Json) -> None:
    wanted = str(given.get("instanceType") or "")
    if machines.machine(wanted) is None:
        raise _bad(f"Instance type {wanted!r} is not supported here.")
    before = old.get("instanceType")
    if before and str(before).lower() != wanted.lower():
        raise _bad(f"instanceType cannot be changed from {before} to {wanted}.")


def check_quota(
    body: Json, others: Mapping[str, int], limits: Mapping[str, int], default: int
) -> None:
    """See that there is quota for a managed deployment.

    Args:
        body: As it was sent.
        others: Family -> cores that other deployments take.
        limits: Family -> cores there are.
        default: Of families that have no limit of their own.

    Raises:
        Refusal: there is not.
    """
    size = machines.machine(str(mapping(body.get("properties")).get("instanceType") or ""))
    if size is None:
        return
    limit = limits.get(size.family, default)
    taken, needed = others.get(size.family, 0), machines.cores(instances_of(body), size)
    if taken + needed > limit:
        raise out_of_quota(size.family, taken, limit, needed)


def out_of_quota(family: str, taken: int, limit: int, needed: int) -> Refusal:
    """The answer where there is no quota."""
    message = (
        f"Not enough quota available for {family}. "
        f"Current usage/limit: {taken}/{limit}. Additional needed: {needed}"
    )
    return Refusal(_BAD, "OutOfQuota", message)


def check_removal(name: str, endpoint: Endpoint) -> None:
    """What may not be deleted.

    Raises:
        Refusal: the deployment has traffic, or something is going on with it.
    """
    for kind, split in (("live", endpoint.traffic), ("mirror", endpoint.mirror)):
        if split.get(name):
            raise _bad(
                f"Deployment {name} has {split[name]} % of {kind} traffic; set it to 0 first."
            )
    if endpoint.state in BUSY or endpoint.deployments[name].state in BUSY:
        raise Refusal(_CONFLICT, "Conflict", f"Deployment {name} has an operation in progress.")


def instances_of(body: Json) -> int:
    """How many instances a PUT of a deployment asks for."""
    capacity = mapping(body.get("sku")).get("capacity")
    return 1 if capacity is None else cast(int, capacity)


def _check_name(name: str) -> None:
    if len(name) not in _NAME_LENGTH or not _NAME.fullmatch(name):
        raise _bad(
            f"{name!r} is no valid name: 3 to 32 letters, digits and single dashes, a letter first."
        )


def _bad(message: str) -> Refusal:
    return Refusal(_BAD, "UserError", message)
