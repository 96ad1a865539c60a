"""A closer look at gates and their evidence: judge one now, verify a run's, compare its answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rollout.api.opening import opened, regained, see_here, stored
from rollout.api.plans import read_plan
from rollout.api.settings import Settings
from rollout.domain.verdict import Judgement
from rollout.runtime import orders
from rollout.runtime.differing import Diff, diff_of
from rollout.runtime.journal import entries
from rollout.runtime.judging import judge_now
from rollout.runtime.probing import hearing_of
from rollout.runtime.replay import Placed, Replay, place, replay
from rollout.wiring import plugs

LOOK = 60.0  # seconds


def check(
    gate: str,
    plan: str | Path,
    settings: Settings | None = None,
    *,
    seconds: float = LOOK,
    told: Callable[[Judgement], None] = lambda _: None,
) -> Judgement:
    """What a gate of the plan says of the endpoint as it is now; nothing is written.

    Args:
        gate: A gate's name.
        plan: The plan file.
        settings: Where things are.
        seconds: How long to look at most; a verdict ends it sooner.
        told: Called every second with what the gate says so far.

    Raises:
        PlanInvalid, UsageError, EndpointError: see ``rollout.domain.errors``.
    """
    used = settings or Settings()
    value = read_plan(plan, used)
    clock = plugs.clock()
    with opened(value, used, create=False) as (endpoint, _):
        hearing = hearing_of(value, endpoint, clock)
        return judge_now(value, gate, endpoint, hearing, clock, seconds=seconds, told=told)


def verify(run_id: str | None = None, settings: Settings | None = None) -> Replay:
    """Replay a run: its hash chain, its states, and every verdict from its stored evidence.

    Raises:
        StoreError: an entry was edited, taken out or put in since it was written.
    """
    with stored(settings or Settings(), create=False) as store:
        found = orders.find_run(store, run_id)
        return replay(orders.story(store, found), orders.plan_of(store, found))


def placed(run_id: str | None = None, settings: Settings | None = None) -> Placed:
    """Where the entry that last changed a run's endpoint stands in its journal.

    Raises:
        UsageError: the endpoint is not here.
        EndpointError: the endpoint cannot be read.
        StoreError: see ``verify``.
    """
    used = settings or Settings()
    with stored(used, create=False) as store:
        found = orders.find_run(store, run_id)
        plan = orders.plan_of(store, found)
        with regained(plan, found.stream, used, create=False) as endpoint:
            seen = endpoint.observe()
        return place(seen, entries(store, found.stream))


def see_reachable(run_id: str | None = None, settings: Settings | None = None) -> None:
    """See that a run's endpoint can be reached from here, as far as its name tells.

    Raises:
        UsageError: it cannot, a local endpoint of another machine for example.
    """
    used = settings or Settings()
    with stored(used, create=False) as store:
        found = orders.find_run(store, run_id)
        see_here(orders.plan_of(store, found), found.stream, used)


def diff(run_id: str | None = None, settings: Settings | None = None) -> Diff:
    """How the answers of a run's deployments to the same requests differed."""
    with stored(settings or Settings(), create=False) as store:
        return diff_of(orders.story(store, orders.find_run(store, run_id)))
