"""What was changed by hand since a run left its endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rollout.api.opening import opened, regained, stored
from rollout.api.plans import read_plan
from rollout.api.settings import Settings
from rollout.domain.drift import difference
from rollout.domain.errors import UsageError
from rollout.domain.plan import Plan
from rollout.domain.run import Drift, Run, Split
from rollout.ports.endpoint import Endpoint
from rollout.runtime import orders
from rollout.runtime.journal import Journal


@dataclass(frozen=True, slots=True)
class Drifting:
    """An endpoint beside what its last run left.

    Args:
        run: The run.
        split: The split as it is.
        drift: How it differs; None: not at all.
    """

    run: Run
    split: Split
    drift: Drift | None


def drift(
    run_id: str | None = None,
    settings: Settings | None = None,
    *,
    plan: str | Path | None = None,
) -> Drifting:
    """Compare an endpoint with what a run left there; writes nothing.

    Args:
        run_id: A run's id or its beginning; None: the open or newest one.
        settings: Where things are.
        plan: In place of a run: the newest one on this plan's endpoint.

    Raises:
        PlanInvalid, UsageError, EndpointError, StoreError: see ``rollout.domain.errors``.
    """
    used = settings or Settings()
    if plan is not None:
        value = read_plan(plan, used)
        with opened(value, used, create=False) as (endpoint, store):
            return _compared(Journal(store, endpoint.key, used.who).refresh(), endpoint, value)
    with stored(used, create=False) as store:
        found = orders.find_run(store, run_id)
        value = orders.plan_of(store, found)
    with regained(value, found.stream, used, create=False) as endpoint:
        return _compared(found.run, endpoint, value)


def _compared(run: Run | None, endpoint: Endpoint, plan: Plan) -> Drifting:
    if run is None or run.expected is None:
        what = f"{run.id} has read no split yet" if run else "No run has ended here yet"
        raise UsageError(
            f"{what}, so there is nothing to compare {plan.endpoint.name} with.",
            do="List the runs: rollout history",
        )
    seen = endpoint.observe()
    return Drifting(run, Split.of(seen), difference(run, seen))
