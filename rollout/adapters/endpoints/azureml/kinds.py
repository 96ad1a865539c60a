"""The two kinds of online endpoints: on machines that Azure manages, and on a Kubernetes cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from rollout.domain.plan import Plan
from rollout.planfile import azure_yaml
from rollout.planfile.deployment_file import overridden

Json = Mapping[str, object]

MANAGED, KUBERNETES = "managed", "kubernetes"
KINDS = (MANAGED, KUBERNETES)


class Said(NamedTuple):
    """What a file says that it describes, and the key that says so."""

    kind: str
    key: str


def kind_of_endpoint(data: Json) -> Said | None:
    """What an endpoint's YAML says; None: nothing.

    By ``compute`` first: Azure's own loader looks at nothing else.
    """
    return Said(KUBERNETES, "compute") if data.get("compute") else _by_schema(data)


def kind_of_deployment(data: Json) -> Said | None:
    """What a deployment's YAML says; None: nothing.

    By ``type`` first: Azure's own loader looks at nothing else.
    """
    kind = str(data.get("type", "")).lower()
    return Said(kind, "type") if kind in KINDS else _by_schema(data)


def _by_schema(data: Json) -> Said | None:
    """By the last part of its ``$schema``: ``.../managedOnlineDeployment.schema.json``."""
    name = str(data.get("$schema", "")).rpartition("/")[2].lower()
    kind = next((each for each in KINDS if name.startswith(f"{each}online")), None)
    return None if kind is None else Said(kind, "$schema")


def settled(chosen: object, said: Iterable[Said | None]) -> str:
    """The kind: as the plan chooses, else as the first file says, else managed.

    >>> settled(None, [None, Said("kubernetes", "type")]), settled(None, [])
    ('kubernetes', 'managed')
    """
    if chosen in KINDS:
        return str(chosen)
    return next((each.kind for each in said if each is not None), MANAGED)


def kind_of_plan(plan: Plan) -> str:
    """The kind of endpoint that a checked plan is about."""
    file, deployments = plan.endpoint.file, (plan.baseline, plan.candidate)
    said = [] if file is None else [kind_of_endpoint(azure_yaml.read(file).data)]
    for each in deployments:
        if each.file is not None:
            data = overridden(azure_yaml.read(each.file).data, each.overrides)
            said.append(kind_of_deployment(data))
    return settled(plan.endpoint.options.get("kind"), said)
