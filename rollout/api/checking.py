"""A plan file, without the endpoint it is about."""

from __future__ import annotations

from pathlib import Path

from rollout.api.settings import Settings
from rollout.domain.diagnostics import Diagnostic
from rollout.domain.plan import Plan
from rollout.planfile.load import examine, load
from rollout.wiring.checks import LocalFiles


def validate(plan: str | Path, settings: Settings | None = None) -> tuple[Diagnostic, ...]:
    """Everything that is wrong with a plan file, sorted by place; empty: it is good."""
    used = settings or Settings()
    _, findings = examine(
        Path(plan),
        variables=used.variables,
        environment=used.environment,
        check_provider=LocalFiles(),
    )
    return findings


def read_plan(plan: str | Path, settings: Settings | None = None) -> Plan:
    """The plan in a file.

    Raises:
        PlanInvalid: with every finding.
    """
    used = settings or Settings()
    return load(
        Path(plan),
        variables=used.variables,
        environment=used.environment,
        check_provider=LocalFiles(),
    )
