"""A runner in its seat: the lease held, a run owned and driven, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollout.api.attending import Going
from rollout.api.opening import reached, stored
from rollout.api.settings import Settings
from rollout.domain.outcome import exit_code, outcome
from rollout.domain.plan import Plan
from rollout.domain.run import Run
from rollout.ports.endpoint import Endpoint
from rollout.ports.observer import Notice, Observer
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
    """Drive an open run that was found in a store that is open, from its journal alone."""

    def own(_: Endpoint, journal: Journal, before: Before) -> Course:
        run = journal.refresh()
        if run is None or run.final:
            return Course.NOTHING
        begin.resume(journal, before)
        return Course.RESUME

    plan = orders.plan_of(store, found)
    with reached(plan, used) as endpoint:
        return _seated(Seat(plan, endpoint, store, observer, going), own, 0.0)


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
