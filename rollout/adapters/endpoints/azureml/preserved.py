"""What a write must leave as it is.

Azure's PUT replaces the whole resource, and the SDK's entities drop parts of it: times below a
second, the tags and the mirror of an entity made by hand. So each write is compared, as the bytes that would leave, with what the service had before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rollout.adapters.endpoints.azureml.entities import HEAD_TAG, RUN_TAG
from rollout.domain.errors import EndpointRefused
from rollout.domain.run import Split

Json = Mapping[str, Any]
Look = Callable[[Json], Json]
"""Given the body of a write before it leaves; what it returns leaves, what it raises stops it."""

# What people and pipelines set; fields that only the service writes are none of our business.
_NETWORK = "properties.publicNetworkAccess"
_ENDPOINT = (
    "tags", "identity", "properties.authMode", "properties.description", "properties.compute",
    _NETWORK, "properties.traffic", "properties.mirrorTraffic",
)  # fmt: skip
_DEPLOYMENT = (
    "tags", "sku.capacity", "properties.appInsightsEnabled", "properties.codeConfiguration",
    "properties.containerResourceRequirements", "properties.dataCollector",
    "properties.description", "properties.egressPublicNetworkAccess",
    "properties.endpointComputeType", "properties.environmentId",
    "properties.environmentVariables", "properties.instanceType", "properties.livenessProbe",
    "properties.model", "properties.modelMountPath", "properties.readinessProbe",
    "properties.requestSettings", "properties.scaleSettings", "properties.startupProbe",
)  # fmt: skip
# The SDK carries these for the one kind only, and the service means nothing by them for the other.
_OF_THE_OTHER_KIND = {
    "Managed": ("properties.containerResourceRequirements",),
    "Kubernetes": ("properties.egressPublicNetworkAccess",),
}
_COMPARED = (*_ENDPOINT, *_DEPLOYMENT)
_OURS = tuple(f"tags.{each} " for each in (RUN_TAG, HEAD_TAG))
_READ_ONLY = (
    "provisioningState", "scoringUri", "swaggerUri", "properties", "keys", "createdTime",
)  # fmt: skip
_WRITTEN_BY_THE_SERVICE = ("principalid", "tenantid", "clientid")
# Left out of a write they come back by themselves: the defaults of Azure's YAML reference for
# managed online deployments. The SDK reads half a second as none.
_AS_GOOD_AS_NONE = {
    "properties.requestSettings.maxQueueWait": ("0 s", "0.5 s"),
    "properties.requestSettings.requestTimeout": ("0 s", "5 s"),
}
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
# Enumerations that the SDK, files and the service spell each their own way.
_ANY_CASE = (
    _NETWORK, "properties.egressPublicNetworkAccess", "properties.authMode", "identity.type",
)  # fmt: skip
_IDENTITY_TYPES = re.compile(r"(system|user)assigned\s*,\s*(system|user)assigned")
_UNITS = (86400.0, 3600.0, 60.0, 1.0)


def endpoint_changes(before: Json, after: Json, *, split: bool) -> list[str]:
    """How an endpoint's ``after`` differs from its ``before``, one sentence each.

    Args:
        before: As the service had it.
        after: As it would be written, or as it was read later.
        split: Compare the shares, too; else they are what shall change.
    """
    shares = ("properties.traffic", "properties.mirrorTraffic")
    fields = [each for each in _ENDPOINT if split or each not in shares]
    if _at(before, "properties.compute"):
        fields.remove(_NETWORK)  # a cluster has its own; the SDK carries it for managed ones only
    found = _changes(fields, before, after)
    return [each for each in found if not each.startswith(_OURS)]  # they go with each write


def deployment_changes(before: Json, after: Json) -> list[str]:
    """How a deployment's ``after`` differs from its ``before`` beside its number of instances."""
    kind = _at(before, "properties.endpointComputeType")
    foreign = ("sku.capacity", *_OF_THE_OTHER_KIND.get(str(kind), ()))
    return _changes([each for each in _DEPLOYMENT if each not in foreign], before, after)


def as_it_is(body: Json) -> Json:
    """A ``Look`` for whoever writes nothing that existed: there is nothing to keep."""
    return body


def split_of(body: Json) -> Split:
    """The shares in an endpoint's body, zeros left out."""
    properties = body.get("properties") or {}
    return Split(
        *(
            {name: int(part) for name, part in (properties.get(key) or {}).items() if part}
            for key in ("traffic", "mirrorTraffic")
        )
    )


def restored_endpoint(before: Json, body: Json) -> Json:
    """A write of an endpoint with what the SDK's entity has no place for, and without what it adds."""
    made = _with_unknown(before, body)
    if not before.get("identity"):  # the SDK gives an endpoint without one a system identity
        made.pop("identity", None)
    return made


def restored_deployment(before: Json, body: Json) -> Json:
    """A write that only scales a deployment, with everything else as the service had it.

    The SDK drops what it cannot express (times below a second, fields newer than itself) and spells
    some values its own way; what the service said is what it understands.
    """
    made = _with_unknown(before, body)
    kept = {key: value for key, value in before["properties"].items() if key not in _READ_ONLY}
    properties = {**made["properties"], **kept, "properties": made["properties"].get("properties")}
    found = {**made, "properties": properties, "tags": before.get("tags") or {}}
    if before.get("identity"):
        found["identity"] = _writable_identity(before["identity"])
    return found


def _with_unknown(before: Json, body: Json) -> dict[str, Any]:
    """The body with those properties that the service had and the SDK does not know."""
    known = body.get("properties") or {}
    missing = {
        key: value
        for key, value in (before.get("properties") or {}).items()
        if key not in known and key not in _READ_ONLY and f"properties.{key}" not in _COMPARED
    }
    return {**body, "properties": {**known, **missing}}


def _writable_identity(identity: Json) -> Json:
    """An identity without what only the service writes into it."""
    given = identity.get("userAssignedIdentities")
    made: dict[str, Any] = {"type": identity.get("type")}
    return {**made, "userAssignedIdentities": {key: {} for key in given}} if given else made


def refuse(what: str, changes: Sequence[str], do: str = "") -> None:
    """Stop a write that would change more than it was asked to.

    Raises:
        EndpointRefused: with every change.
    """
    if changes:
        raise EndpointRefused(
            f"This write would also change, on {what}: {'; '.join(changes)}. Nothing was sent.",
            do=do or "Report this with the versions: rollout version",
        )


def _changes(fields: list[str], before: Json, after: Json) -> list[str]:
    found = []
    for field in fields:
        old, new = (_leaves(_at(each, field), field) for each in (before, after))
        found += [
            f"{name} from {_shown(old, name)} to {_shown(new, name)}"
            for name in sorted({*old, *new})
            if old.get(name) != new.get(name)
        ]
    return found


def _at(data: Json, path: str) -> object:
    found: object = data
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _leaves(value: object, path: str) -> dict[str, object]:
    """Every value below ``path`` that says something, by its path."""
    if isinstance(value, Mapping):
        if path.endswith("userAssignedIdentities"):
            return {path: sorted(str(key).lower() for key in value)}
        found: dict[str, object] = {}
        for key, each in value.items():
            if str(key).lower() not in _WRITTEN_BY_THE_SERVICE:
                found.update(_leaves(each, f"{path}.{key}"))
        return found
    if value is None or value in ("", [], "None"):
        return {}
    plain = _plain(value.lower() if isinstance(value, str) and path in _ANY_CASE else value)
    return {} if plain in _AS_GOOD_AS_NONE.get(path, ()) else {path: plain}


def _plain(value: object) -> object:
    """A value as it is meant: ids in any case, ninety seconds in any spelling."""
    if not isinstance(value, str):
        return value
    if value.startswith("/subscriptions/"):
        return value.lower()
    if _IDENTITY_TYPES.fullmatch(value):
        return sorted(part.strip() for part in value.split(","))
    found = _DURATION.fullmatch(value)
    if found is None or value in ("P", "PT"):
        return value
    parts = zip(found.groups(), _UNITS, strict=True)
    return f"{sum(float(part or 0) * unit for part, unit in parts):g} s"


def _shown(leaves: Mapping[str, object], name: str) -> str:
    if name not in leaves:
        return "nothing"
    return "a value" if ".environmentVariables." in name else str(leaves[name])  # may be a secret
