"""The fakes with everything that may go wrong at a call: at each one another process may go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from rollout.domain.endpoint import Effect, Seen
from rollout.domain.errors import EndpointAway, EndpointRefused, StoreError
from rollout.domain.plan import Plan
from rollout.ports.store import LeaseRecord, Record, Store
from tests.fakes.endpoint import FakeEndpoint, Reality, World
from tests.fakes.store import FakeStore
from tests.torture.simulation.scheduling import Scheduler
from tests.torture.simulation.troubles import Troubles

T = TypeVar("T")
FROZEN = 120.0  # seconds that a process stands still at most
STEPS = 50_000  # calls
STALE = 30.0  # seconds that a reading is behind at most
SLOW = 8.0  # seconds that a call to the store takes at most
CHANGING, READING = ("perform",), ("observe", "read", "cursor", "logs", "preflight", "probe")


@dataclass
class Ground:
    """What every process of a story stands on.

    Args:
        store: Where the journal is.
        store_ahead: Seconds that the store's clock is ahead of the true time.
        store_away: Until when the store cannot be reached.
        log: What happened so far: when, to whom, what.
    """

    scheduler: Scheduler
    troubles: Troubles
    store: Store = field(default_factory=FakeStore)
    store_ahead: float = 0.0
    store_away: float = 0.0
    log: list[tuple[float, str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    steps: int = 0

    def note(self, what: str, who: str | None = None) -> None:
        """Keep a line of the story."""
        now = self.scheduler.monotonic()
        self.log.append((now, who or self.scheduler.current.name, what))

    def breaks(self, what: str) -> None:
        """An invariant does not hold."""
        self.wrong.append(what)
        self.note(f"BREAKS {what}")

    @property
    def spent(self) -> bool:
        """Whether so much has happened that the story can have no end."""
        return self.steps > STEPS

    def step(self) -> None:
        """A place where another one may go on, or this one dies or stands still."""
        self.steps += 1
        self.scheduler.switch()
        if self.troubles.happens("killed"):
            self.note("is killed")
            self.scheduler.kill(self.scheduler.current)
            self.scheduler.switch()
        if self.troubles.happens("frozen"):
            self.stand_still(self.troubles.lots["frozen"], FROZEN)

    def stand_still(self, lot: Random, most: float) -> None:
        """Nothing of the present process moves for a while."""
        seconds = lot.uniform(0.0, most)
        self.note(f"stands still for {seconds:.1f} s")
        self.scheduler.sleep(seconds)


class UnsteadyStore:
    """A process's connection to the story's ``Store``, which keeps every promise by itself."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._kept = ground.store

    def streams(self) -> tuple[str, ...]:
        self._reach()
        return self._kept.streams()

    def read(self, stream: str, *, after: int = -1, limit: int | None = None) -> tuple[Record, ...]:
        self._reach()
        return self._kept.read(stream, after=after, limit=limit)

    def last(self, stream: str) -> Record | None:
        self._reach()
        return self._kept.last(stream)

    def tails(self, stream: str | None = None) -> tuple[tuple[str, Record], ...]:
        self._reach()
        return self._kept.tails(stream)

    def append(self, stream: str, record: Record) -> None:
        self._reach()
        self._kept.append(stream, record)
        self._acknowledge()

    def drop(self, stream: str, below: int) -> None:
        self._reach()
        self._kept.drop(stream, below)
        self._acknowledge()

    def lease(self, stream: str) -> LeaseRecord | None:
        self._reach()
        return self._kept.lease(stream)

    def put_lease(self, stream: str, body: bytes, *, version: str | None) -> LeaseRecord:
        self._reach()
        made = self._kept.put_lease(stream, body, version=version)
        self._acknowledge()
        return made

    def now(self) -> float:
        self._reach()
        return self._ground.scheduler.now() + self._ground.store_ahead

    def close(self) -> None:
        """The store is the story's, and stays open."""

    def _reach(self) -> None:
        ground, troubles = self._ground, self._ground.troubles
        ground.step()
        if troubles.happens("store slow"):
            ground.scheduler.sleep(troubles.lots["store slow"].uniform(0.0, SLOW))
        away = ground.scheduler.now() < ground.store_away and not troubles.calm
        if away or troubles.happens("store refuses"):
            ground.note("the store is not reached")
            raise StoreError("The journal cannot be reached.", do="Repeat the command.")

    def _acknowledge(self) -> None:
        self._ground.step()
        if self._ground.troubles.happens("store forgets to answer"):
            self._ground.note("the store does not answer, but has written")
            raise StoreError("The journal did not answer.", do="Repeat the command.")


class UnsteadyEndpoint(FakeEndpoint):
    """A process's connection to the endpoint.

    ``watch`` is told of every write that the endpoint accepts, before and after.
    """

    def __init__(
        self,
        plan: Plan,
        world: World,
        ground: Ground,
        who: str,
        watch: Callable[[Effect, str], None],
    ) -> None:
        super().__init__(plan, world, who=who)
        self._ground = ground
        self._process = who
        self._watch = watch
        self._before: Seen | None = None
        self.observed_at = 0.0
        self.blind = True

    def observe(self) -> Seen:
        self.blind = True
        seen = super().observe()
        self.blind = False
        now, before = self._ground.scheduler.now(), self._before
        recent = now - self.observed_at <= STALE
        self.observed_at, self._before = now, seen
        stale = recent and self._ground.troubles.happens("read stale")
        return before if stale and before is not None else seen

    def _called(self, op: str, deed: Callable[[Reality], T]) -> T:
        ground = self._ground
        if op not in CHANGING:
            ground.step()
            if ground.troubles.happens("read lost"):
                raise EndpointAway("The endpoint did not answer.", do="Try again.")
            return super()._called(op, deed)
        self._on_its_way()
        lost = ground.troubles.happens("call lost")
        forgotten = ground.troubles.happens("reply lost")
        if lost:
            ground.note("call lost on its way")
            raise EndpointAway("The call did not get through.", do="Try again.")
        if ground.troubles.happens("call refused"):
            raise EndpointRefused("Not today.", do="Change the plan.")
        done = super()._called(op, deed)
        ground.step()
        if forgotten:
            ground.note("reply lost")
            raise EndpointAway("The reply got lost.", do="Try again.")
        return done

    def _on_its_way(self) -> None:
        """Between the last look at the lease and the endpoint."""
        ground, troubles = self._ground, self._ground.troubles
        ground.scheduler.switch()
        if troubles.happens("call slow"):
            ground.scheduler.sleep(troubles.lots["call slow"].uniform(0.0, self.call_seconds))
        if troubles.happens("call late"):
            ground.stand_still(troubles.lots["call late"], FROZEN)

    def _perform(self, real: Reality, effect: Effect, run: str, *more: str) -> None:
        before = len(real.accepted)
        super()._perform(real, effect, run, *more)
        if len(real.accepted) > before:
            changed = "" if real.accepted[-1].changed else " (was so already)"
            self._ground.note(f"accepted: {real.accepted[-1].op} {real.accepted[-1].arg}{changed}")
            self._watch(effect, self._process)
