"""The plan in a file, as a value."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rollout.api.settings import Settings
from rollout.domain.plan import Plan
from rollout.planfile.load import load
from rollout.wiring.checks import check_of


def read_plan(plan: str | Path, settings: Settings | None = None) -> Plan:
    """The plan in a file.

    Raises:
        PlanInvalid: with every finding.
    """
    used = settings or Settings()
    made = load(
        Path(plan),
        variables=used.variables,
        environment=used.environment,
        providers=check_of,
    )
    return replace(made, values=dict(used.variables))
