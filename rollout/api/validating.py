"""What is wrong with a plan file; nothing else is looked at, so that it answers at once."""

from __future__ import annotations

from pathlib import Path

from rollout.api.settings import Settings
from rollout.domain.diagnostics import Diagnostic
from rollout.planfile.inspect import inspect
from rollout.wiring.checks import check_of


def validate(plan: str | Path, settings: Settings | None = None) -> tuple[Diagnostic, ...]:
    """Everything that is wrong with a plan file, sorted by place; empty: it is good."""
    used = settings or Settings()
    _, findings = inspect(
        Path(plan),
        variables=used.variables,
        environment=used.environment,
        providers=check_of,
    )
    return findings
