"""Driving by ticks: every open run of a store in one pass, those that are not due left alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from rollout.api.attending import HOLD, Going, Stay
from rollout.api.opening import stored
from rollout.api.seating import Result, Silent, carried_on
from rollout.api.settings import Settings
from rollout.domain.errors import Fenced, Locked, RolloutError
from rollout.domain.run import Run
from rollout.ports.store import Store
from rollout.runtime import orders
from rollout.runtime.due import Standing, standings

JOBS = 8  # runs that are driven at the same time


@dataclass(frozen=True, slots=True)
class Ticked:
    """What one pass did with one run.

    Args:
        standing: The run as it was found.
        result: What came of it; None: it was not driven.
        error: Why not, if it should have been.
    """

    standing: Standing
    result: Result | None = None
    error: RolloutError | None = None

    @property
    def run(self) -> Run | None:
        """The run as it stands now; None: it was not driven."""
        return self.result.run if self.result else None

    @property
    def elsewhere(self) -> bool:
        """Whether another runner drives it."""
        return isinstance(self.error, Locked | Fenced)


def tick_all(
    settings: Settings | None = None,
    *,
    only: Sequence[str] | None = None,
    max_wait: float = 0.0,
    on_interrupt: str = HOLD,
    jobs: int = JOBS,
    stopping: Callable[[], bool] = lambda: False,
    told: Callable[[Ticked], None] = lambda _: None,
) -> tuple[Ticked, ...]:
    """Do what is due in every open run of the store; a run in which nothing is due is not touched.

    Args:
        settings: Where things are.
        only: Names of the runs that are meant, due or not; None: all.
        max_wait: Seconds that each run may be waited for.
        on_interrupt: What to do where ``stopping`` says True: ``hold`` or ``rollback``.
        jobs: How many are driven at the same time.
        stopping: Asked between two steps of each; True leaves with the state saved.
        told: Called with each run that is done with, as it comes.

    Returns:
        The runs in the order in which they were done.

    Raises:
        StoreError: the store cannot be read; what is wrong with one run is in its ``Ticked``.
    """
    used, stay = settings or Settings(), Stay(max_wait, on_interrupt)
    with stored(used, create=False) as store:
        now = store.now()
        found = [each for each in standings(store) if only is None or each.run in only]
        done, due = [], []
        for each in found:
            if only is not None or each.is_due(now):
                due.append(each)
            else:
                done.append(Ticked(each))
                told(done[-1])
        with ThreadPoolExecutor(max(1, jobs)) as pool:
            going = [pool.submit(_ticked, store, each, used, Going(stopping, stay)) for each in due]
            for future in as_completed(going):
                done.append(future.result())
                told(done[-1])
    return tuple(done)


def _ticked(store: Store, standing: Standing, used: Settings, going: Going) -> Ticked:
    if going.stopping():
        return Ticked(standing)
    try:
        found = orders.newest(store, standing.stream)
        return Ticked(standing, carried_on(store, found, used, Silent(), going))
    except RolloutError as error:
        return Ticked(standing, error=error)
