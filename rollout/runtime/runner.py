"""A runner: takes the lease of one endpoint, looks for late calls, drives a run, lets go."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from rollout.domain.errors import StoreError
from rollout.domain.events import Order
from rollout.domain.plan import Plan
from rollout.domain.run import Run
from rollout.gates.rules import compile_rules
from rollout.ports.clock import Clock
from rollout.ports.endpoint import Endpoint
from rollout.ports.observer import Alert, Observer
from rollout.ports.store import Store
from rollout.runtime.audit import audit, owned_up
from rollout.runtime.begin import Course
from rollout.runtime.drive import Driver, LateCall
from rollout.runtime.journal import Journal
from rollout.runtime.lease import Before, Owner, acquire
from rollout.runtime.meter import Meter
from rollout.runtime.outage import OutlastingStore
from rollout.runtime.patience import Patience
from rollout.runtime.probing import hearing_of

Own = Callable[[Journal, Before], Course]
"""Starts or resumes a run in a journal, whose owner before left the lease like that."""


def _nothing(label: str) -> None:
    """The default of ``Runner.mark``."""


@dataclass(frozen=True, slots=True)
class Runner:
    """What a process needs to drive runs of one endpoint.

    Args:
        plan: What is driven.
        endpoint: Where.
        store: Where the journal and the lease are.
        clock: Time.
        owner: This process.
        observer: Told of everything.
        stopping: Says of the run as it stands whether to leave it; asked between two steps.
        mark: Called with a label at every point where a crash would be interesting.
        max_wait: Seconds that it waits in all for something due before it leaves; None: it stays.
        ordering: What it orders of its own, of the run as it stands; asked between two steps.
    """

    plan: Plan
    endpoint: Endpoint
    store: Store
    clock: Clock
    owner: Owner
    observer: Observer
    stopping: Callable[[Run], bool] = lambda _: False
    mark: Callable[[str], None] = _nothing
    max_wait: float | None = None
    ordering: Callable[[Run], Order | None] = lambda _: None

    def run(self, own: Own, *, patience: float = 0.0) -> tuple[Run, Course]:
        """Hold the lease, own a run, drive it until nothing is due, and let go.

        Args:
            own: Starts or resumes the run.
            patience: Seconds to wait for another runner that is alive.

        Returns:
            The run as it stands, and what ``own`` said.

        Raises:
            Locked: another runner is alive.
            Fenced: another runner took over meanwhile.
            StoreError: the journal is out of reach, for too long.
        """
        driver, store = self._seated(patience)
        self.mark("after lease")
        try:
            audit(driver)
            course = own(driver.journal, driver.lease.before)
            self.mark("after own")
            if course is not Course.NOTHING:
                self._drive(driver, store)
            run = driver.journal.refresh()
        except LateCall as late:
            raise owned_up(late, lambda: self._seated(0.0)[0], self._newest) from late
        finally:
            # A lease that cannot be let go falls silent: others wait a little longer.
            with suppress(StoreError):
                driver.let_go()
            self.mark("after release")
        if run is None:
            raise StoreError("The journal is empty.", do="Begin a run: rollout apply PLAN")
        return run, course

    def _newest(self) -> Run | None:
        return Journal(self.store, self.endpoint.key, self.owner.name).refresh()

    def _seated(self, patience: float) -> tuple[Driver, OutlastingStore]:
        store, key = OutlastingStore(self.store, self.clock), self.endpoint.key
        journal = Journal(store, key, self.owner.name)
        journal.refresh()  # what a newer version wrote is refused before its lease is touched
        lease = acquire(
            store,
            key,
            self.owner,
            self.clock,
            patience=patience,
            grace=self.endpoint.call_seconds,
            file=self.plan.file,
        )
        plan, endpoint, clock = self.plan, self.endpoint, self.clock
        load = endpoint.load(rps=plan.load_rps, bodies=plan.requests) if plan.load_rps else None
        hearing = hearing_of(plan, endpoint, clock)
        driver = Driver(
            plan,
            endpoint,
            journal,
            lease,
            Meter(endpoint, compile_rules(plan), clock, hearing),
            clock,
            self.observer,
            load,
            self.stopping,
            self.mark,
            Patience(self.max_wait, plan.guard),
            self.ordering,
        )
        return driver, store

    def _drive(self, driver: Driver, store: OutlastingStore) -> None:
        """Drive; from here on an outage of the store is waited out."""

        def tell(text: str) -> None:
            if (run := driver.journal.run) is not None:
                self.observer.saw(Alert(run, text, self.clock.now()))

        def stopping() -> bool:
            run = driver.journal.run
            return run is not None and self.stopping(run)

        store.drive(tell, stopping)
        driver.drive()
