"""Whatever looks at an endpoint or changes it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rollout.api.opening import opened, stored
from rollout.api.ordering import abort
from rollout.api.plans import read_plan
from rollout.api.settings import Settings
from rollout.domain.errors import EndpointError, Locked, NotLoggedIn, StoreError, UsageError
from rollout.domain.outcome import exit_code, outcome
from rollout.domain.plan import Plan
from rollout.domain.run import Run
from rollout.gates.rules import compile_rules
from rollout.ports.endpoint import Endpoint
from rollout.ports.observer import Notice, Observer
from rollout.runtime import begin, orders
from rollout.runtime.begin import Course, Standing
from rollout.runtime.drive import Driver, until_held
from rollout.runtime.journal import Journal
from rollout.runtime.lease import acquire, living_holder
from rollout.runtime.meter import Meter
from rollout.runtime.preview import Preview, checks_ahead, preview_of
from rollout.runtime.probing import hearing_of
from rollout.wiring import plugs

GUARD, LEAVE = ON_HOLD = ("guard", "leave")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an ``apply``.

    Args:
        run: The run as it stands now.
        outcome: One word: ``completed``, ``rolled_back``, ``inconclusive``, ``held``, ...
        code: The exit code that the command line would end with.
        course: Whether it was started, resumed, or there was nothing to do.
    """

    run: Run
    outcome: str
    code: int
    course: Course


class Silent:
    """An observer that takes no note."""

    def saw(self, notice: Notice) -> None:
        """Nothing."""


def standing(
    plan: str | Path, settings: Settings | None = None, *, again: bool = False
) -> Standing:
    """What applying the plan would mean: start, resume, nothing, or in another run's way.

    It looks at the endpoint only where the same work has ended already: is it still as it was left?

    Raises:
        PlanInvalid, EndpointError, StoreError: see ``rollout.domain.errors``.
    """
    used = settings or Settings()
    value = read_plan(plan, used)
    with opened(value, used, create=False) as (endpoint, store):
        journal = Journal(store, endpoint.key, used.who)
        return begin.stand(value, endpoint, journal.refresh(), again=again)


def preview(
    plan: str | Path,
    settings: Settings | None = None,
    *,
    again: bool = False,
    rps: float | None = None,
    error_rate: float | None = None,
) -> Preview:
    """What applying the plan would do to the endpoint as it is now; writes nothing.

    Args:
        plan: The plan file.
        settings: Where things are.
        again: As if the same work had not ended already.
        rps: Requests a second that the gates will see; None: as the endpoint's history has it.
        error_rate: Share of the baseline's answers that are errors, 0..1; None: likewise.

    Raises:
        PlanInvalid, EndpointError, StoreError: see ``rollout.domain.errors``.
    """
    from rollout.runtime.outlook import Stated, outlook_of  # noqa: PLC0415 - runs do not need it

    used = settings or Settings()
    value = read_plan(plan, used)
    with opened(value, used, create=False) as (endpoint, store):
        journal = Journal(store, endpoint.key, used.who)
        found = begin.stand(value, endpoint, journal.refresh(), again=again)
        seen = endpoint.observe()
        stated = Stated(rps, error_rate)
        outlook = outlook_of(value, endpoint, found, stated, exists=seen.exists)
        checks = endpoint.preflight() if checks_ahead(value, found) else ()
        return preview_of(value, seen, found, outlook, checks)


def apply(  # noqa: PLR0913 - a name for each thing a caller may want otherwise
    plan: str | Path,
    settings: Settings | None = None,
    *,
    observer: Observer | None = None,
    lock_timeout: float = 0.0,
    again: bool = False,
    identity: str | None = None,
    stopping: Callable[[], bool] = lambda: False,
    on_hold: str = GUARD,
) -> Result:
    """Start the plan's run, or resume it from wherever it stands; idempotent.

    Args:
        plan: The plan file.
        settings: Where things are.
        observer: Told of everything that happens.
        lock_timeout: Seconds to wait for another runner that is alive.
        again: Begin anew although the same work has ended already.
        identity: What was agreed to, from ``standing``: refused if the plan means other work now.
        stopping: Asked between two steps; True leaves with the state saved.
        on_hold: What to do with a held run whose candidate answers users: ``guard`` it until a
            person's order or ``stopping``, or ``leave`` it as it is.

    Raises:
        PlanInvalid, Locked, Fenced, EndpointError, StoreError: see ``rollout.domain.errors``.
    """
    used = settings or Settings()
    value = read_plan(plan, used)

    def own(endpoint: Endpoint, journal: Journal) -> Course:
        found = begin.stand(value, endpoint, journal.refresh(), again=again)
        if identity not in (None, found.identity):
            raise UsageError(
                f"{plan} or one of its files changed while you were asked.",
                do=f"Look again: rollout plan {shlex.quote(str(plan))}",
            )
        if found.course is Course.START:
            _known(endpoint)
        if found.course is not Course.NOTHING:
            begin.own(value, endpoint, journal, found, used.who)
        return found.course

    if on_hold not in ON_HOLD:
        raise UsageError(f"on_hold is {on_hold!r}.", do=f"Say {' or '.join(ON_HOLD)}.")
    leaves = until_held(stopping) if on_hold == LEAVE else lambda _: stopping()
    return _driven(value, used, own, observer or Silent(), lock_timeout, leaves)


def _known(endpoint: Endpoint) -> None:
    """See that the endpoint knows who asks, before a run is written down.

    Raises:
        NotLoggedIn: it does not. Whatever else is wrong, the run meets again and says.
    """
    try:
        endpoint.observe()
    except NotLoggedIn:
        raise
    except EndpointError:
        return


def carry_on(
    run_id: str | None = None,
    settings: Settings | None = None,
    *,
    observer: Observer | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Result:
    """Drive an open run from the journal alone, without its plan file."""
    used = settings or Settings()
    with stored(used) as store:
        found = orders.find_run(store, run_id)
        value = orders.plan_of(store, found)

    def own(_: Endpoint, journal: Journal) -> Course:
        run = journal.refresh()
        if run is None or run.final:
            return Course.NOTHING
        begin.resume(journal)
        return Course.RESUME

    return _driven(value, used, own, observer or Silent(), 0.0, lambda _: stopping())


def undo(
    run_id: str | None = None,
    settings: Settings | None = None,
    *,
    observer: Observer | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Result:
    """Take an endpoint back to the split that a finished run found; an open run is aborted."""
    used = settings or Settings()
    with stored(used) as store:
        found = orders.find_run(store, run_id)
        value = orders.plan_of(store, found)
    if not found.run.final:
        abort(found.run.id, settings=used)
        return carry_on(found.run.id, used, observer=observer, stopping=stopping)

    def own(_: Endpoint, journal: Journal) -> Course:
        journal.refresh()
        begin.undo(journal, found.run, value, used.who)
        return Course.START

    return _driven(value, used, own, observer or Silent(), 0.0, lambda _: stopping())


def destroy(plan: str | Path, settings: Settings | None = None) -> None:
    """Remove the plan's endpoint with everything on it; the journal is kept.

    A run that is open on it, and that nobody drives, is over with it.

    Raises:
        PlanInvalid, Locked, EndpointError, StoreError: see ``rollout.domain.errors``.
    """
    used = settings or Settings()
    value = read_plan(plan, used)
    with opened(value, used, create=False) as (endpoint, store):
        run = Journal(store, endpoint.key, used.who).refresh()
        left = None if run is None or run.final else run
        who = living_holder(store, endpoint.key, plugs.owner().surely_dead)
        if who is not None:
            raise Locked(
                f"{who} is driving a run on {value.endpoint.name}.",
                do=f"End it first: rollout abort {left.id}" if left else "Try again in a moment.",
            )
        endpoint.destroy()
        if left is not None:
            with stored(used) as writable:
                what = "the endpoint was destroyed"
                orders.close(writable, left, endpoint.key, used.who, what)


def logs(plan: str | Path, deployment: str, tail: int, settings: Settings | None = None) -> str:
    """The newest log lines of a deployment of the plan's endpoint.

    Args:
        plan: The plan file.
        deployment: A deployment's name, or ``baseline`` or ``candidate``.
        tail: How many lines.
        settings: Where things are.
    """
    used = settings or Settings()
    value = read_plan(plan, used)
    names = {"baseline": value.baseline.name, "candidate": value.candidate.name}
    with opened(value, used, create=False) as (endpoint, _):
        return endpoint.logs(names.get(deployment, deployment), tail=tail)


def _driven(
    plan: Plan,
    used: Settings,
    own: Callable[[Endpoint, Journal], Course],
    observer: Observer,
    patience: float,
    stopping: Callable[[Run], bool],
) -> Result:
    """Hold the lease, own a run, drive it until nothing is due, and let go."""
    clock, me = plugs.clock(), plugs.owner()
    with opened(plan, used) as (endpoint, store):
        lease = acquire(store, endpoint.key, me, clock, patience=patience, file=plan.file)
        try:
            journal = Journal(store, endpoint.key, me.name)
            course = own(endpoint, journal)
            if course is not Course.NOTHING:
                load = (
                    endpoint.load(rps=plan.load_rps, bodies=plan.requests)
                    if plan.load_rps
                    else None
                )
                meter = Meter(
                    endpoint, compile_rules(plan), clock, hearing_of(plan, endpoint, clock)
                )
                Driver(
                    plan, endpoint, journal, lease, meter, clock, observer, load, stopping
                ).drive()
            run = journal.refresh()
            if run is None:
                raise StoreError("The journal is empty.", do="Begin a run: rollout apply PLAN")
        finally:
            lease.release()
    return Result(run, outcome(run), exit_code(run), course)
