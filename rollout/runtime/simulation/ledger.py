"""What a simulated runner holds in place of a store: a journal of values, and a lease without rivals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rollout.domain import approvals
from rollout.domain.advance import advance
from rollout.domain.endpoint import Effect
from rollout.domain.events import Approved, Event, Order, Rejected, RunStarted
from rollout.domain.plan import Approve
from rollout.domain.run import Phase, Run, Step
from rollout.domain.verdict import Verdict
from rollout.ports.clock import Clock
from rollout.runtime.journal import Entry, Journal
from rollout.runtime.lease import Lease

SOMEBODY = "somebody"  # who answers where the plan names nobody
_EPOCH = 1


@dataclass(frozen=True, slots=True)
class Person:
    """What people say when a run asks them.

    Args:
        says: The order that answers an approval stage, at a time; None: nobody says anything.
    """

    says: Callable[[Run, Approve, float], Order] | None

    def order(self, run: Run, now: float) -> Order | None:
        """The order for a run as it stands; None: it asks for none."""
        work = _asks(run)
        return self.says(run, work, now) if work is not None and self.says is not None else None

    def leaves(self, run: Run) -> bool:
        """Whether the run would wait for ever: all that is due is an answer that never comes."""
        work = _asks(run)
        if work is None or self.says is not None or run.stage is None:
            return False
        passed = run.judgement is not None and run.judgement.verdict is Verdict.PASS
        return work.expires is run.deadline is None and (passed or run.stage.gate is None)


def _asks(run: Run) -> Approve | None:
    """The approval that a run asks for at the moment."""
    if run.phase is not Phase.RUNNING or run.step is not Step.OBSERVING or run.stage is None:
        return None
    stage, work = run.stage, run.stage.work
    if not isinstance(work, Approve) or len(approvals.given(run, stage, work)) >= work.count:
        return None
    return work


def _yes(run: Run, work: Approve, now: float) -> Order:
    stage = run.stage.id if run.stage else ""
    said = [each.by for each in run.approvals if each.stage == stage]
    people = work.by or [SOMEBODY, *(f"{SOMEBODY} {at}" for at in range(2, work.count + 1))]
    return Approved(stage, run.digest, next(name for name in people if name not in said), now)


def _no(run: Run, work: Approve, now: float) -> Order:  # noqa: ARG001 - as a yes is said
    return Rejected((work.by or (SOMEBODY,))[0])


PEOPLE: Mapping[str, Person] = {"yes": Person(_yes), "no": Person(_no), "never": Person(None)}


class Ledger(Journal):
    """A journal in memory, of values; a person may answer between two looks at it.

    Args:
        clock: The time of its entries.
        person: Asked at every look.
    """

    def __init__(self, clock: Clock, person: Person) -> None:
        self._clock = clock
        self._person = person
        self.stream = "simulation"
        self.last: Entry | None = None
        self.entries: list[Entry] = []

    def now(self) -> float:
        """The virtual time."""
        return self._clock.now()

    def refresh(self) -> Run | None:
        """See whether a person has said something."""
        run = self.run
        order = self._person.order(run, self.now()) if run is not None else None
        return run if order is None else self.append(order)

    def take(
        self, *, crashed: bool = False, contested: bool = False, call: Effect | None = None
    ) -> None:
        """Nobody else is there."""

    def start(self, run: Run, source: str, file: str) -> Run:
        """Begin a run."""
        return self._keep(RunStarted(run, source, file), run)

    def append(self, event: Event) -> Run:
        """Keep the event with the run after it."""
        run = self.run
        assert run is not None  # noqa: S101 - a ledger is started before anything else
        return self._keep(event, advance(run, event, self.now()))

    def _keep(self, event: Event, state: Run) -> Run:
        seq = len(self.entries)
        self.last = Entry(seq, self.now(), _EPOCH, "simulation", event, state, "", "")
        self.entries.append(self.last)
        return state


class Unrivalled(Lease):
    """A lease that nobody else wants."""

    def __init__(self) -> None:
        """Nothing to hold."""

    def beat(self) -> None:
        """Nothing to renew."""

    def renew(self) -> None:
        """Nothing to renew."""

    def may_act(self, seconds: float) -> bool:  # noqa: ARG002 - as every lease is asked
        """Always."""
        return True

    def release(self, *, calling: bool = False) -> None:
        """Nothing to let go of."""
