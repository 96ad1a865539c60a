"""What a plan's files and stages will ask of Azure: sizes, instances, assets that come along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rollout.adapters.endpoints.azureml.permissions import Wants
from rollout.domain.plan import (
    Bootstrap,
    Create,
    Delete,
    DeploymentRef,
    Plan,
    Scale,
)
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.planfile import azure_yaml
from rollout.planfile.deployment_file import overridden

_REGISTERED = "azureml:"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A deployment as its file describes it.

    Args:
        name: Its name in the plan.
        size: Its virtual machine size; empty: the file names none, as for Kubernetes.
        instances: How many.
        inline: Kinds of assets that the file brings with it: ``model``, ``code``, ``environment``.
    """

    name: str
    size: str = ""
    instances: int = 1
    inline: frozenset[str] = frozenset()


def wanted(ref: DeploymentRef) -> Wanted | None:
    """What a deployment's file asks for; None: it has none, or one that cannot be read.

    A file that cannot be read is the loader's finding, not ours.
    """
    if ref.file is None:
        return None
    source = azure_yaml.read(ref.file)
    if source.findings:
        return None
    whole = overridden(source.data, ref.overrides)
    count = whole.get("instance_count")
    return Wanted(
        ref.name,
        str(whole.get("instance_type") or ""),
        count if isinstance(count, int) else 1,
        frozenset(_inline(whole)),
    )


def _inline(data: Mapping[str, object]) -> list[str]:
    code = data.get("code_configuration")
    found = {
        "model": data.get("model"),
        "code": code.get("code") if isinstance(code, dict) else None,
        "environment": data.get("environment"),
    }
    return [kind for kind, value in found.items() if value is not None and not _registered(value)]


def _registered(value: object) -> bool:
    return isinstance(value, str) and value.startswith((_REGISTERED, "/subscriptions/"))


def wants_of(plan: Plan, *, sends: str, azure_monitor: bool, managed: bool = True) -> Wants:
    """What of the plan decides which rights it needs.

    Args:
        plan: The plan.
        sends: How the endpoint authenticates requests.
        azure_monitor: The gates read Azure Monitor.
        managed: Azure's own machines serve, which have a quota.
    """
    works = [stage.work for stage in plan.stages]
    made = {
        role
        for work in works
        for role in (
            (work.deployment,)
            if isinstance(work, Create | Scale)
            else (BASELINE,)
            if isinstance(work, Bootstrap)
            else ()
        )
    }
    files = [wanted(plan.deployment(role)) for role in (BASELINE, CANDIDATE) if role in made]
    return Wants(
        deploys=bool(made),
        deletes=plan.on_failure.candidate == "delete"
        or any(isinstance(work, Delete) for work in works),
        inline=frozenset(kind for each in files if each is not None for kind in each.inline),
        sends=sends if plan.requests else "",
        reads_logs=plan.on_failure.collect_logs > 0,
        checks_quota=managed and plan.preflight.quota,
        reads_metrics=azure_monitor and bool(plan.gates),
    )
