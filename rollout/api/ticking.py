"""Driving by ticks: every open run of a store in one pass, those that are not due left alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Event

from rollout.api.attending import HOLD, Going, Stay
from rollout.api.faults import Fault
from rollout.api.opening import kept
from rollout.api.seating import Result, carried_on, over
from rollout.api.settings import Settings
from rollout.domain.errors import Fenced, Locked, RolloutError, StoreError
from rollout.domain.run import Run
from rollout.domain.unguarded import unguarded
from rollout.ports.clock import Clock
from rollout.ports.observer import Appended, Notice
from rollout.ports.store import Store
from rollout.runtime import orders
from rollout.runtime.due import Standing, standings
from rollout.runtime.lease import watched_holder
from rollout.wiring import plugs

JOBS = 8  # runs that are driven at the same time, without those that only wait
MOST = 256  # runs in flight at the same time, with those
AGAIN = 15.0  # seconds between two looks for what became due, while a run is waited for
PAUSE = 60.0  # seconds until one pass drives a run again


@dataclass(frozen=True, slots=True)
class Ticked:
    """What one pass did with one run.

    Args:
        standing: The run as it was found.
        result: What came of it; None: it was not driven.
        error: Why not, if it should have been; a ``Fault`` has an unexpected one as its cause.
        dropped: It was due, but this process was told to leave before its turn.
    """

    standing: Standing
    result: Result | None = None
    error: RolloutError | None = None
    dropped: bool = False

    @property
    def run(self) -> Run | None:
        """The run as it stands now; None: it was not driven."""
        return self.result.run if self.result else None

    @property
    def elsewhere(self) -> bool:
        """Whether another runner drives it."""
        return isinstance(self.error, Locked | Fenced)


def tick_all(  # noqa: PLR0913 - a name for each thing a caller may want otherwise
    settings: Settings | None = None,
    *,
    only: Sequence[str] | None = None,
    max_wait: float = 0.0,
    on_interrupt: str = HOLD,
    jobs: int = JOBS,
    stopping: Callable[[], bool] = lambda: False,
    told: Callable[[Ticked], None] = lambda _: None,
    crowded: Callable[[int], None] = lambda _: None,
) -> tuple[Ticked, ...]:
    """Do what is due in every open run of the store; a run in which nothing is due is not touched.

    While a run is waited for, the others are looked at again, so that one which stays does not keep
    what becomes due meanwhile from being done. The pass ends with the last run that it drives.

    Args:
        settings: Where things are.
        only: Names of the runs that are meant, due or not; None: all.
        max_wait: Seconds after the beginning of the pass for which runs may be waited for.
        on_interrupt: What to do where ``stopping`` says True: ``hold`` or ``rollback``.
        jobs: How many are driven at the same time; one that waits is not counted.
        stopping: Asked between two steps of each; True leaves with the state saved.
        told: Called with each run that is done with, as it comes.
        crowded: Called when so many runs stay that the others have to wait for their end.

    Returns:
        What was last done with each run, in the order in which they were done.

    Raises:
        StoreError: the store cannot be read; what is wrong with one run is in its ``Ticked``.
    """
    used, stay, clock = settings or Settings(), Stay(max_wait, on_interrupt), plugs.clock()
    with kept(used) as store:
        return _Pass(
            store, used, only, stay, max(1, jobs), stopping, told, crowded, clock
        ).through()


class _Place:
    """A run in flight: an observer of it, which knows from the first wait on that it waits."""

    def __init__(self, stream: str, news: Event) -> None:
        self.stream = stream
        self.waits = False
        self._news = news

    def saw(self, notice: Notice) -> None:
        """Take note; whatever is not an entry of the journal is told by a runner that waits."""
        self.waits = self.waits or not isinstance(notice, Appended)
        self._news.set()


@dataclass(slots=True)
class _Pass:
    """One pass over a store."""

    store: Store
    used: Settings
    only: Sequence[str] | None
    stay: Stay
    jobs: int
    stopping: Callable[[], bool]
    told: Callable[[Ticked], None]
    crowded: Callable[[int], None]
    clock: Clock
    began: float = field(init=False)
    news: Event = field(default_factory=Event)
    due: deque[Standing] = field(default_factory=deque)
    flying: dict[Future[Ticked], _Place] = field(default_factory=dict)
    rests: dict[str, float] = field(default_factory=dict)
    done: dict[tuple[str, str], Ticked] = field(default_factory=dict)
    full: bool = False
    gone: bool = False

    def through(self) -> tuple[Ticked, ...]:
        self.began = looked = self.clock.monotonic()
        self._look(first=True)
        if self.due:
            with ThreadPoolExecutor(MOST) as pool:
                try:
                    while self.due or self.flying:
                        self._begin(pool)
                        self.news.wait(AGAIN)  # its clock is real; whether to look is the port's
                        self.news.clear()
                        self._collect()
                        if self._stays() and self.clock.monotonic() - looked >= AGAIN:
                            looked = self.clock.monotonic()
                            with suppress(StoreError):  # whoever stays goes on; looked at later
                                self._look()
                except BaseException:
                    self.gone = True  # the others leave after their step
                    raise
        return tuple(self.done.values())

    def _stays(self) -> bool:
        return not self.stopping() and any(each.waits for each in self.flying.values())

    def _look(self, *, first: bool = False) -> None:
        """Line up what is due and not in flight; at first tell of what is not due."""
        now, clock = self.store.now(), self.clock.monotonic()
        busy = {each.stream for each in self.flying.values()}
        busy |= {each.stream for each in self.due}
        if self.only is not None and not first:
            return
        found = [each for each in standings(self.store) if self._meant(each)]
        for each in found:
            if each.stream in busy or self.rests.get(each.stream, clock) > clock:
                continue
            if self.only is not None or each.is_due(now):
                self.due.append(each)
            elif first:
                self._tell(Ticked(each))
        for name in {*(self.only or ())} - {each.run for each in found}:
            self._tell(_over(orders.find_run(self.store, name)))

    def _meant(self, each: Standing) -> bool:
        return self.only is None or each.run in self.only

    def _begin(self, pool: ThreadPoolExecutor) -> None:
        """Take up what is lined up, as long as there is a place for it."""
        while self.due and sum(not each.waits for each in self.flying.values()) < self.jobs:
            if len(self.flying) >= MOST:
                if not self.full:
                    self.full = True
                    self.crowded(MOST)
                return
            each = self.due.popleft()
            place = _Place(each.stream, self.news)
            passed = self.clock.monotonic() - self.began
            stay = replace(self.stay, max_wait=max(0.0, (self.stay.max_wait or 0.0) - passed))
            going = Going(self.stopping, stay, at_once=lambda: self.gone)
            future = pool.submit(_ticked, self.store, each, self.used, going, place)
            self.flying[future] = place
            future.add_done_callback(lambda _: self.news.set())

    def _collect(self) -> None:
        for future in [each for each in self.flying if each.done()]:
            place = self.flying.pop(future)
            self.rests[place.stream] = self.clock.monotonic() + PAUSE
            self._tell(future.result())

    def _tell(self, each: Ticked) -> None:
        key = each.standing.stream, each.standing.run
        before = self.done.pop(key, None)
        self.done[key] = each
        if before is None or each.error is None or str(before.error) != str(each.error):
            self.told(each)


def _over(found: orders.Found) -> Ticked:
    """A run that was named, and that is over."""
    run = found.run
    return Ticked(Standing(found.stream, run.id, run.plan, run.endpoint, None, ""), over(run))


def _alone(store: Store, standing: Standing) -> RolloutError | None:
    """What to tell of a run that left a candidate; None: the next run has begun meanwhile."""
    me, clock = plugs.owner(), plugs.clock()
    who = watched_holder(store, standing.stream, me, clock, lambda _: None)
    if who is not None:
        return Locked(
            f"{who} is about to begin what takes its place.", do="Look: rollout status -w"
        )
    return unguarded(orders.newest(store, standing.stream).run)


def _ticked(
    store: Store, standing: Standing, used: Settings, going: Going, place: _Place
) -> Ticked:
    if going.stopping():
        return Ticked(standing, dropped=True)
    try:
        if standing.left:
            return Ticked(standing, error=_alone(store, standing))
        found = orders.newest(store, standing.stream)
        if found.run.id != standing.run:  # another one began since the store was read
            found = orders.find_run(store, standing.run)
        return Ticked(standing, carried_on(store, found, used, place, going))
    except RolloutError as error:
        return Ticked(standing, error=error)
    except Exception as error:  # noqa: BLE001 - a fault that one run meets stops no other run
        return Ticked(standing, error=Fault(error))
