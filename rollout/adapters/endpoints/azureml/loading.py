"""A plan's files as Azure's own loaders take them, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rollout.adapters.endpoints.azureml import entities
from rollout.domain.errors import EndpointError
from rollout.domain.plan import Plan
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.ports.endpoint import Finding


def loads(plan: Plan) -> tuple[Finding, ...]:
    """Whether Azure's loaders take each of the plan's files."""
    name = plan.endpoint.name
    found = []
    if plan.endpoint.file is not None:
        file = plan.endpoint.file
        found.append(_finding(file, lambda: entities.load_endpoint(name, file, entities.Stamp(""))))
    for role in (BASELINE, CANDIDATE):
        ref = plan.deployment(role)
        if ref.file is None:
            continue
        load = _loader(name, ref.name, ref.file, ref.overrides)
        found.append(_finding(ref.file, load))
    return tuple(found)


def _loader(
    endpoint: str, name: str, file: str, overrides: entities.Overrides
) -> Callable[[], object]:
    return lambda: entities.load_deployment(endpoint, name, file, overrides)


def _finding(file: str, load: Callable[[], object]) -> Finding:
    name = Path(file).name
    try:
        load()
    except EndpointError as error:
        return Finding(name, ok=False, text=str(error))
    return Finding(name, ok=True, text="Azure's own loader takes it.")
