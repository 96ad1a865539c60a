"""Whatever looks at an endpoint or changes it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rollout.api.attending import FOR_GOOD, Going, Stay
from rollout.api.opening import opened, regained, see_here, stored
from rollout.api.ordering import abort
from rollout.api.plans import read_plan
from rollout.api.seating import Own, Result, Silent, carried_on, driven, driven_back
from rollout.api.settings import Settings
from rollout.domain.errors import EndpointAway, EndpointError, Locked, NotLoggedIn, UsageError
from rollout.domain.outcome import repeated_code
from rollout.domain.plan import Plan
from rollout.domain.run import OPEN, Run, Split
from rollout.domain.unguarded import unguarded
from rollout.ports.endpoint import Endpoint, Finding
from rollout.ports.observer import Observer
from rollout.runtime import begin, orders, superseding
from rollout.runtime.begin import Course, Standing
from rollout.runtime.journal import Journal
from rollout.runtime.lease import Before, watched_holder
from rollout.runtime.preview import Preview, checks_ahead, preview_of
from rollout.runtime.undoing import checked_goal, undoes
from rollout.wiring import plugs

Drive = Callable[[Plan, Own], Result]
GUARD, LEAVE = ON_HOLD = ("guard", "leave")


def standing(
    plan: str | Path,
    settings: Settings | None = None,
    *,
    again: bool = False,
    supersede: bool = False,
    scheduled: bool = False,
) -> Standing:
    """What applying the plan would mean: start, resume, nothing, or in another run's way.

    It looks at the endpoint only where the same work has ended already: is it still as it was left?
    Not so for a schedule (``scheduled``): what has ended in any way, no schedule begins anew.

    Raises:
        PlanInvalid, EndpointError, StoreError: see ``rollout.domain.errors``.
    """
    used = settings or Settings()
    value = read_plan(plan, used)
    with opened(value, used, create=False) as (endpoint, store):
        journal = Journal(store, endpoint.key, used.who)
        return begin.stand(
            value,
            endpoint,
            journal.refresh(),
            again=again,
            supersede=supersede,
            scheduled=scheduled,
        )


def preview(
    plan: str | Path,
    settings: Settings | None = None,
    *,
    again: bool = False,
    supersede: bool = False,
    rps: float | None = None,
    error_rate: float | None = None,
) -> Preview:
    """What applying the plan would do to the endpoint as it is now; writes nothing.

    Args:
        plan: The plan file.
        settings: Where things are.
        again: As if the same work had not ended already.
        supersede: As if another plan's open run were to be superseded.
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
        found = begin.stand(value, endpoint, journal.refresh(), again=again, supersede=supersede)
        seen = endpoint.observe()
        stated = Stated(rps, error_rate)
        outlook = outlook_of(value, endpoint, found, stated, exists=seen.exists)
        checks = _checks(endpoint) if checks_ahead(value, found) else ()
        fresh = begin.fresh_run(value, endpoint, found.identity, used.who, journal.now())
        return preview_of(value, seen, found, outlook, checks, fresh=fresh)


def _checks(endpoint: Endpoint) -> tuple[Finding, ...]:
    """The pre-checks; who does not answer them is told as one that is not good."""
    try:
        return endpoint.preflight()
    except EndpointAway as error:
        return (Finding("pre-checks", False, str(error)),)


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
    supersede: str | None = None,
    stay: Stay = FOR_GOOD,
    scheduled: bool = False,
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
        supersede: Why the plan takes the place of another plan's open run, may be empty; None: it
            does not.
        stay: How long to wait for what is due, and what to do where ``stopping`` says True.
        scheduled: It is no person who asks: what has ended in any way does not begin anew.

    Raises:
        PlanInvalid, Locked, Fenced, EndpointError, StoreError: see ``rollout.domain.errors``.
    """
    used = settings or Settings()
    value = read_plan(plan, used)
    in_the_way: list[tuple[Run, Run]] = []

    def own(endpoint: Endpoint, journal: Journal, before: Before) -> Course:
        found = begin.stand(
            value,
            endpoint,
            journal.refresh(),
            again=again,
            supersede=supersede is not None,
            scheduled=scheduled,
        )
        _unchanged(plan, identity, found.identity)
        way = _way(value, endpoint, journal, found, used.who)
        if way is not None:
            in_the_way.append(way)
            return Course.NOTHING
        if found.course is not Course.NOTHING:
            begin.own(value, endpoint, journal, found, used.who, before, supersede or "")
        return found.course

    def drive(what: Plan, owning: Own) -> Result:
        return driven(what, used, owning, observer or Silent(), lock_timeout, going)

    if on_hold not in ON_HOLD:
        raise UsageError(f"on_hold is {on_hold!r}.", do=f"Say {' or '.join(ON_HOLD)}.")
    going = Going(stopping, stay, on_hold == LEAVE)
    while True:
        result = drive(value, own)
        if not in_the_way:
            return result if result.course is not Course.NOTHING else _told(result, scheduled)
        back = _taken_back(*in_the_way.pop(), supersede or "", used, drive)
        if not (back.run.final or back.course is Course.NOTHING):
            return back


def _told(result: Result, scheduled: bool) -> Result:
    """What is told of work that had ended already.

    Raises:
        Unguarded: no schedule begins it anew, and nobody guards what it left.
    """
    alone = unguarded(result.run) if scheduled else None
    if alone is not None:
        raise alone
    return replace(result, code=repeated_code(result.run))


def _unchanged(plan: str | Path, agreed: str | None, identity: str) -> None:
    """See that the plan still means the work that was agreed to; None: nobody was asked."""
    if agreed not in (None, identity):
        raise UsageError(
            f"{plan} or one of its files changed while you were asked.",
            do=f"Look again: rollout plan {shlex.quote(str(plan))}",
        )


def _way(
    plan: Plan, endpoint: Endpoint, journal: Journal, found: Standing, who: str
) -> tuple[Run, Run] | None:
    """The run whose split must be taken back before the plan's can begin, and the plan's; or None."""
    if found.course not in (Course.START, Course.SUPERSEDE):
        return None
    _known(endpoint)
    fresh = begin.fresh_run(plan, endpoint, found.identity, who, journal.now())
    last = found.run
    return (last, fresh) if last is not None and superseding.must_go_back(fresh, last) else None


def _taken_back(last: Run, fresh: Run, why: str, used: Settings, drive: Drive) -> Result:
    """Bring back the split that a run found which stands in the way of a new one.

    Args:
        last: Open, or superseded with its split as it was.
        fresh: The new one.
        why: Its place is taken.
        used: Where things are.
        drive: Drives a run of a plan, once it is owned.
    """
    with stored(used) as store:
        old = orders.plan_of(store, orders.find_run(store, last.id))

    def own(_: Endpoint, journal: Journal, before: Before) -> Course:
        newest = journal.refresh()
        if newest is None or newest.id != last.id:
            return Course.NOTHING
        if newest.final:
            begin.undo(journal, newest, old, used.who)
            return Course.START
        run = begin.resume(journal, before)
        if run.phase in OPEN:
            superseding.end(journal, run, fresh, why)
        return Course.RESUME

    return drive(old, own)


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
    stay: Stay = FOR_GOOD,
) -> Result:
    """Drive an open run from the journal alone, without its plan file."""
    used = settings or Settings()
    with stored(used) as store:
        found = orders.find_run(store, run_id)
        return carried_on(store, found, used, observer or Silent(), Going(stopping, stay))


def undo(
    run_id: str | None = None,
    settings: Settings | None = None,
    *,
    observer: Observer | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Result:
    """Take an endpoint back to the split that a finished run found; an open run is aborted.

    What an earlier call began, and did not finish, goes on. Where the split is back already there is
    nothing to do.
    """
    used = settings or Settings()
    with stored(used) as store:
        found = orders.find_run(store, run_id)
        value = orders.plan_of(store, found)
    if not found.run.final:
        see_here(value, found.stream, used)
        abort(found.run.id, settings=used)
        return carry_on(found.run.id, used, observer=observer, stopping=stopping)

    def own(endpoint: Endpoint, journal: Journal, before: Before) -> Course:
        newest = journal.refresh()
        if newest is not None and not newest.final and undoes(newest, found.run):
            begin.resume(journal, before)
            return Course.RESUME
        seen = endpoint.observe()
        as_wanted = Split.of(seen) == checked_goal(found.run, seen) and not seen.busy
        if as_wanted and newest is not None and newest.final and not newest.unaudited:
            return Course.NOTHING
        begin.undo(journal, found.run, value, used.who)
        return Course.START

    result = driven_back(found, value, used, own, observer or Silent(), Going(stopping))
    return replace(result, code=0) if result.course is Course.NOTHING else result


def undoing(run_id: str | None = None, settings: Settings | None = None) -> tuple[Split, Split]:
    """What undoing a run would change: the split as it is, and as it would be.

    Raises:
        UsageError: the run changed nothing, or its endpoint is not here.
        PreflightFailed: what had traffic then is not there any more, or has failed.
    """
    used = settings or Settings()
    with stored(used, create=False) as store:
        found = orders.find_run(store, run_id)
        value = orders.plan_of(store, found)
    with regained(value, found.stream, used, create=False) as endpoint:
        seen = endpoint.observe()
    run, now = found.run, Split.of(seen)
    if not run.final:  # it is aborted, and an abort is never refused
        return now, Split(run.captured.traffic) if run.captured else now
    return now, checked_goal(run, seen)


def destroy(
    plan: str | Path,
    settings: Settings | None = None,
    *,
    watching: Callable[[str], None] = lambda _: None,
) -> None:
    """Remove the plan's endpoint with everything on it; the journal is kept.

    A run that is open on it, and that nobody drives, is over with it.

    Args:
        plan: The plan file.
        settings: Where things are.
        watching: Called with whoever held the endpoint's lease last, before its lease is watched
            for signs of life, 20 s at most.

    Raises:
        PlanInvalid, Locked, EndpointError, StoreError: see ``rollout.domain.errors``.
    """
    used = settings or Settings()
    value = read_plan(plan, used)
    with opened(value, used, create=False) as (endpoint, store):
        run = Journal(store, endpoint.key, used.who).refresh()
        left = None if run is None or run.final else run
        who = watched_holder(store, endpoint.key, plugs.owner(), plugs.clock(), watching)
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
