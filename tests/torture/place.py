"""Everything that outlives a tortured process: time, the endpoint, the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rollout.adapters.clock import SystemClock
from rollout.domain.endpoint import Effect
from rollout.domain.plan import Plan
from rollout.ports.clock import Clock
from rollout.ports.endpoint import Hold, unfenced
from rollout.ports.store import Store
from rollout.wiring import plugs
from tests.fakes.clock import SharedClock
from tests.fakes.endpoint import FakeEndpoint, World
from tests.torture.scenarios import Scenario

VIRTUAL, REAL = "virtual", "real"


def address(folder: Path, state: str) -> str:
    """The journal's URL of a place: of its own where looking through others would take long."""
    if not state:
        return f"sqlite:///{folder.absolute()}/state.db"
    return f"{state}/{'-'.join(folder.parts[-2:])}" if state.startswith("az:") else state


class Timed:
    """A real store whose time is the scenario's."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def now(self) -> float:
        return self._clock.now()

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


class Place:
    """A folder with the world, and a journal at ``state``; both named for the folder.

    Args:
        folder: Of the clock and the world.
        state: The journal's URL; empty: a file in the folder.
        time: ``virtual``: shared by all processes, and nobody waits. ``real``: the machine's.
    """

    def __init__(self, folder: Path, state: str = "", time: str = VIRTUAL) -> None:
        self.virtual = time == VIRTUAL
        self.clock: Clock = SharedClock(folder / "clock.db") if self.virtual else SystemClock()
        self.world = World(self.clock, path=folder / "world.db", rps=20.0)
        pace = 1.0 if self.virtual else 0.2
        self.world.create_seconds = self.world.delete_seconds = self.world.update_seconds = (
            1.5 * pace
        )
        self.world.split_seconds = 0.5 * pace
        self.pace = 1.0 if self.virtual else 0.1
        self.name = "-".join(folder.parts[-2:])
        self.stream = f"fake/{self.name}".lower()
        found = plugs.store(address(folder, state))
        self.store: Store = Timed(found, self.clock) if self.virtual else found  # type: ignore[assignment]

    def arrange(self, scenario: Scenario) -> None:
        """Before the first process: one deployment serves."""
        self.world.serve("blue")
        self.world.behave("green", error_rate=scenario.error_rate)

    def endpoint(self, plan: Plan, who: str, mark: Callable[[str], None]) -> Endpoint:
        return Endpoint(plan, self.world, who=who, pace=self.pace, mark=mark)

    def close(self) -> None:
        self.store.close()
        self.world.close()
        if isinstance(self.clock, SharedClock):
            self.clock.close()


class Endpoint(FakeEndpoint):
    """The endpoint, with a mark between the last look at the lease and the request."""

    def __init__(
        self, plan: Plan, world: World, *, who: str, pace: float, mark: Callable[[str], None]
    ) -> None:
        super().__init__(plan, world, who=who, pace=pace)
        self._mark = mark

    def perform(self, effect: Effect, *, run: str, hold: Hold = unfenced, head: str = "") -> None:
        def held(seconds: float) -> None:
            hold(seconds)
            self._mark(f"before call {type(effect).__name__}")

        super().perform(effect, run=run, hold=held, head=head)


@contextmanager
def opened(folder: Path, state: str = "", time: str = VIRTUAL) -> Iterator[Place]:
    """A place, closed in the end."""
    made = Place(folder, state, time)
    try:
        yield made
    finally:
        made.close()


def fresh(folder: Path, scenario: Scenario, state: str = "", time: str = VIRTUAL) -> Path:
    """A new place where the scenario has been arranged."""
    folder.mkdir(parents=True)
    with opened(folder, state, time) as made:
        made.arrange(scenario)
    return folder
