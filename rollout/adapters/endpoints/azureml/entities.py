"""Azure's own entities: loaded by Azure's own loaders, and changed without losing anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rollout.adapters.endpoints.azureml.failures import told

if TYPE_CHECKING:
    from azure.ai.ml.entities import OnlineDeployment, OnlineEndpoint

RUN_TAG, DIGEST_TAG, HEAD_TAG = "rollout.id", "rollout.digest", "rollout.head"
# Written back, they would only make noise: the SDK and the service put them in by themselves.
_NOISE = ("createdBy", "createdAt", "lastModifiedBy", "lastModifiedAt", "AzureAsyncOperationUri")

Overrides = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who writes: the run, and the entry of its journal that orders it; empty: it does not say."""

    run: str
    head: str = ""

    @property
    def tags(self) -> dict[str, str]:
        """As tags of a resource."""
        return {RUN_TAG: self.run, **({HEAD_TAG: self.head} if self.head else {})}


def load_endpoint(name: str, file: str | None, stamp: Stamp) -> OnlineEndpoint:
    """The endpoint to create: its file without the shares, which belong to the plan.

    Raises:
        EndpointRefused: Azure's loader refuses the file.
    """
    from azure.ai.ml import load_online_endpoint  # noqa: PLC0415 - heavy
    from azure.ai.ml.entities import ManagedOnlineEndpoint  # noqa: PLC0415 - heavy

    with told(f"does not take {file or 'the endpoint'}"):
        if file is None:
            made: OnlineEndpoint = ManagedOnlineEndpoint(name=name, auth_mode="key")
        else:
            made = load_online_endpoint(file, params_override=[{"name": name}])
        made.traffic = {}
        if hasattr(made, "mirror_traffic"):
            made.mirror_traffic = {}
        made.tags = {**(made.tags or {}), **stamp.tags}
    return made


def load_deployment(endpoint: str, name: str, file: str, overrides: Overrides) -> OnlineDeployment:
    """The deployment that a file describes, with what the plan sets in it.

    Raises:
        EndpointRefused: Azure's loader refuses it.
    """
    from azure.ai.ml import load_online_deployment  # noqa: PLC0415 - heavy

    changes: list[dict[str, object]] = [{"name": name}, {"endpoint_name": endpoint}]
    changes += [{path: value} for path, value in _dotted(overrides)]
    with told(f"does not take {file}"):
        return load_online_deployment(file, params_override=changes)


def mark(entity: OnlineDeployment, stamp: Stamp, digest: str) -> None:
    """Say on the deployment whose it is."""
    entity.tags = {**(entity.tags or {}), **stamp.tags, DIGEST_TAG: digest}


def tagged(entity: Any, tag: str) -> str | None:
    """What one of our tags says; None: it is not there."""
    found = (entity.tags or {}).get(tag)
    return None if found is None else str(found)


def clean(entity: Any) -> None:
    """Take out what reading put in, before the entity is written again."""
    entity.properties = {
        key: value for key, value in (entity.properties or {}).items() if key not in _NOISE
    }


def share(entity: Any, traffic: Mapping[str, int], mirror: Mapping[str, int], by: Stamp) -> None:
    """Give an endpoint as read both shares, absolute, for one write that says whose it is."""
    entity.tags = {**(entity.tags or {}), **by.tags}
    entity.traffic = {name: part for name, part in traffic.items() if part}
    if hasattr(entity, "mirror_traffic"):
        entity.mirror_traffic = {name: part for name, part in mirror.items() if part}


def is_kubernetes(endpoint: Any) -> bool:
    """Whether an endpoint runs on a cluster of the user's own."""
    return bool(getattr(endpoint, "compute", None))


def _dotted(overrides: Overrides, above: str = "") -> Iterator[tuple[str, object]]:
    """Nested values by dotted path, as Azure's loader takes them.

    >>> list(_dotted({"a": {"b": 1}, "c": 2}))
    [('a.b', 1), ('c', 2)]
    """
    for key, value in overrides.items():
        path = f"{above}{key}"
        if isinstance(value, Mapping) and value:
            yield from _dotted(value, f"{path}.")
        else:
            yield path, value
