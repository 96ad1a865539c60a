"""A plan file as a Plan, or everything that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rollout.domain.diagnostics import Diagnostic
from rollout.domain.errors import PlanInvalid
from rollout.domain.plan import Plan
from rollout.planfile.build import build
from rollout.planfile.inspect import inspect
from rollout.planfile.provider import Providers
from rollout.planfile.substitute import Inputs

__all__ = ["Inputs", "Providers", "examine", "load"]


def load(
    path: Path,
    *,
    variables: Mapping[str, str],
    environment: Mapping[str, str],
    providers: Providers | None = None,
) -> Plan:
    """The plan in the file at ``path``.

    Raises:
        PlanInvalid: with every finding, sorted by place.
    """
    plan, findings = examine(
        path, variables=variables, environment=environment, providers=providers
    )
    if plan is None:
        raise PlanInvalid(findings)
    return plan


def examine(
    path: Path,
    *,
    variables: Mapping[str, str],
    environment: Mapping[str, str],
    providers: Providers | None = None,
) -> tuple[Plan | None, tuple[Diagnostic, ...]]:
    """The plan in the file at ``path``, or None and what is wrong; see ``inspect``."""
    checked, findings = inspect(
        path, variables=variables, environment=environment, providers=providers
    )
    return (None if checked is None else build(*checked)), findings
