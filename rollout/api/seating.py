"""A runner in its seat: the lease held, a run owned and driven, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollout.api.attending import Going
from rollout.api.opening import reached, regained, stored
from rollout.api.settings import Settings
from rollout.domain.outcome import exit_code, outcome
from rollout.domain.plan import Plan
from rollout.domain.run import Run
from rollout.ports.endpoint import Endpoint
from rollout.ports.observer import Alert, Notice, Observer
from rollout.ports.store import Store
from rollout.runtime import begin, orders
from rollout.runtime.begin import Course
from rollout.runtime.journal import Journal
from rollout.runtime.lease import Before
from rollout.runtime.runner import Runner
from rollout.wiring import plugs

Own = Callable[[Endpoint, Journal, Before], Course]
"""Starts or resumes a run, whose owner before left the lease like that."""


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


def driven(
    plan: Plan, used: Settings, own: Own, observer: Observer, patience: float, going: Going
) -> Result:
    """Drive a run of the plan with the journal that the settings name.

    Args:
        plan: Whose endpoint.
        used: Where things are.
        own: Starts or resumes the run.
        observer: Told of everything.
        patience: Seconds to wait for another runner that is alive.
        going: When to leave.
    """
    with stored(used) as store, reached(plan, used) as endpoint:
        return _seated(Seat(plan, endpoint, store, observer, going), own, patience)


def carried_on(
    store: Store, found: orders.Found, used: Settings, observer: Observer, going: Going
) -> Result:
    """Drive an open run that was found in a store that is open, from its journal alone.

    A run behind which another one began on its endpoint is over: it is told how it ended, and the
    other, which has another plan, is not touched.

    Raises:
        UsageError: its endpoint is not here.
    """

    def own(_: Endpoint, journal: Journal, before: Before) -> Course:
        run = journal.refresh()
        if run is None or run.final or run.id != found.run.id:
            return Course.NOTHING
        begin.resume(journal, before)
        return Course.RESUME

    newest = orders.newest(store, found.stream).run
    if newest.id == found.run.id:
        plan = orders.plan_of(store, found)
        with regained(plan, found.stream, used) as endpoint:
            result = _seated(Seat(plan, endpoint, store, observer, going), own, 0.0)
        newest = result.run  # another one, if that began before the lease was held
        if newest.id == found.run.id:
            return result
    return _overtaken(orders.find_run(store, found.run.id).run, newest, observer)


def driven_back(
    found: orders.Found, plan: Plan, used: Settings, own: Own, observer: Observer, going: Going
) -> Result:
    """Drive a run on the endpoint of another one, which was found in a journal.

    Args:
        found: The other one.
        plan: Its plan.
        used: Where things are.
        own: Starts or resumes the run.
        observer: Told of everything.
        going: When to leave.

    Raises:
        UsageError: the endpoint is not here.
    """
    with stored(used) as store, regained(plan, found.stream, used) as endpoint:
        return _seated(Seat(plan, endpoint, store, observer, going), own, 0.0)


def over(run: Run) -> Result:
    """What is told of a run in which nothing was done."""
    return Result(run, outcome(run), exit_code(run), Course.NOTHING)


def _overtaken(run: Run, newest: Run, observer: Observer) -> Result:
    if not newest.final:
        told = f"{run.id} is over; {newest.id} of {newest.plan} is open on {newest.endpoint}."
        observer.saw(
            Alert(run, f"{told} Go on with that: rollout tick {newest.id}", plugs.clock().now())
        )
    return over(run)


@dataclass(frozen=True, slots=True)
class Seat:
    """What a runner of one endpoint has at hand.

    Args:
        plan, endpoint, store, observer: See ``Runner``.
        going: When to leave.
    """

    plan: Plan
    endpoint: Endpoint
    store: Store
    observer: Observer
    going: Going


def _seated(at: Seat, own: Own, patience: float) -> Result:
    """Hold the lease, own a run, drive it until nothing is due, and let go."""
    clock, me = plugs.clock(), plugs.owner()
    runner = Runner(
        at.plan,
        at.endpoint,
        at.store,
        clock,
        me,
        at.observer,
        at.going.leaves,
        max_wait=at.going.stay.max_wait,
        ordering=at.going.ordering(me.name),
    )
    run, course = runner.run(
        lambda journal, before: own(at.endpoint, journal, before), patience=patience
    )
    return Result(run, outcome(run), exit_code(run), course)
