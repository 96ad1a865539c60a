"""Hypothesis looks for an order of events in which the driver breaks a promise, on real stores.

A rule lets a runner start, time pass, or one thing go wrong at the next call that it can happen to.
Whatever was found is shrunk to the few steps that it needs.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rollout.adapters.stores import sqlite
from rollout.adapters.stores.postgres import store as postgres
from rollout.ports.store import Store
from tests.fakes.store import FakeStore
from tests.servers import postgres_server
from tests.torture.simulation.story import Story
from tests.torture.simulation.troubles import CALLS, DEEDS, KINDS, Troubles

EXAMPLES = int(os.environ.get("TORTURE_EXAMPLES", "30"))  # `make torture` looks at many more
MINUTES = 30 if "TORTURE_EXAMPLES" in os.environ else 5
STEPS = 25  # rules in a row
AT_ONCE = 3  # runners
PROFILE = settings(
    derandomize=True,
    database=None,
    stateful_step_count=STEPS,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)
pytestmark = pytest.mark.timeout(60 * MINUTES)


class Ordered(Troubles):
    """Trouble that a rule orders: once, at the next call that it can happen to."""

    def __init__(self) -> None:
        super().__init__(0, without=frozenset(KINDS))
        self.due: Counter[str] = Counter()

    def happens(self, kind: str) -> bool:
        if self.calm or not self.due[kind]:
            return False
        self.due[kind] -= 1
        return True


class Machine(RuleBasedStateMachine):
    """One rollout; ``open`` gives the store of its journal."""

    open: ClassVar[Callable[[], Store]] = staticmethod(FakeStore)
    numbers: ClassVar[Iterator[int]] = count()

    def __init__(self) -> None:
        super().__init__()
        self.troubles = Ordered()
        self.stale = False
        self.stack = ExitStack()

    @initialize(seed=st.integers(0, 9999))
    def begin(self, seed: int) -> None:
        name = f"endpoint-{next(self.numbers)}"
        self.story = Story(seed, self.troubles, self.open(), name)
        self.stack.enter_context(self.story.watched())
        self.story.start()

    @precondition(lambda self: len(self.story.running()) < AT_ONCE)
    @rule()
    def a_runner_starts(self) -> None:
        self.story.start()

    @rule(seconds=st.sampled_from((0.5, 2.0, 10.0, 30.0)))
    def time_passes(self, seconds: float) -> None:
        self.story.ground.scheduler.sleep(seconds)

    @rule(kind=st.sampled_from(sorted(CALLS)), seconds=st.sampled_from((0.0, 1.0, 5.0)))
    def a_call_goes_wrong(self, kind: str, seconds: float) -> None:
        self.stale = self.stale or kind == "read stale"
        self.troubles.due[kind] += 1
        self.story.ground.scheduler.sleep(seconds)

    @rule(kind=st.sampled_from(sorted(DEEDS)), seconds=st.sampled_from((0.0, 1.0, 5.0)))
    def something_happens(self, kind: str, seconds: float) -> None:
        self.story.happens(kind)
        self.story.ground.scheduler.sleep(seconds)

    @invariant()
    def nothing_is_broken(self) -> None:
        if hasattr(self, "story"):
            assert self.story.ground.wrong == [], "\n".join(self.story.outcome(stuck=False).log)

    def teardown(self) -> None:
        if not hasattr(self, "story"):
            return
        with self.stack:
            stuck = not self.story.calmed()
        if not stuck:
            self.story.check()
        found = self.story.outcome(stuck=stuck)
        told = "\n".join(found.log)
        assert not found.wrong, told
        assert not stuck, told
        assert self.stale or not found.doubled, told


def test_no_order_of_events_breaks_a_promise_in_memory() -> None:
    run_state_machine_as_test(Machine, settings=settings(PROFILE, max_examples=EXAMPLES))


def test_no_order_of_events_breaks_a_promise_on_sqlite(tmp_path: Path) -> None:
    store = sqlite.build(f"sqlite:///{tmp_path}/state.db")

    class OnSqlite(Machine):
        open = staticmethod(lambda: store)

    run_state_machine_as_test(OnSqlite, settings=settings(PROFILE, max_examples=EXAMPLES // 2))


def test_no_order_of_events_breaks_a_promise_on_postgresql() -> None:
    with postgres_server() as url:
        store = postgres.build(url)

        class OnPostgres(Machine):
            open = staticmethod(lambda: store)

        few = settings(PROFILE, max_examples=EXAMPLES // 3)
        run_state_machine_as_test(OnPostgres, settings=few)
        store.close()
