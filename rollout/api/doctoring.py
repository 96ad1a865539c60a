"""Whether a plan's ground is fit for it: who is logged in, what is allowed, what is installed."""

from __future__ import annotations

from pathlib import Path

from rollout.api.plans import read_plan
from rollout.api.settings import Settings
from rollout.ports.doctor import Doctor, Sign, sign_of
from rollout.wiring import plugs


def doctor(plan: str | Path, settings: Settings | None = None) -> tuple[Sign, ...]:
    """Everything that is worth a look before the plan is applied; writes and starts nothing.

    A provider that has no more to say than its pre-checks says those.

    Raises:
        PlanInvalid, UsageError, EndpointError: see ``rollout.domain.errors``.
    """
    used = settings or Settings()
    value = read_plan(plan, used)
    endpoint = plugs.endpoint(value, home=used.home, clock=plugs.clock(), start=False)
    try:
        if isinstance(endpoint, Doctor):
            return endpoint.diagnose()
        return tuple(sign_of("pre-checks", each) for each in endpoint.preflight())
    finally:
        endpoint.close()
