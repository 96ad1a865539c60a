"""The fake endpoint of the tests in real time, and quick.

It lives in the file that ``TORTURE_WORLD`` names, for all processes; ``TORTURE_BOOT`` is the time
at which this machine was started, for an endpoint has a clock of its own.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from rollout.adapters.clock import SystemClock
from rollout.domain.plan import Plan
from rollout.ports.clock import Clock
from tests.fakes.endpoint import FakeEndpoint, World

PACE = 0.1  # seconds between two looks


class Steady(SystemClock):
    """The endpoint's own time, whatever a runner's clock is set to.

    Args:
        boot: When the machine was started, Unix seconds.
    """

    def __init__(self, boot: float) -> None:
        self.boot = boot

    def now(self) -> float:
        return self.boot + time.monotonic()  # noqa: TID251 - the same for all processes


class QuickWorld(World):
    """Nothing takes long."""

    create_seconds = update_seconds = delete_seconds = 0.3
    split_seconds = 0.1


def build(plan: Plan, *, home: Path, clock: Clock, start: bool) -> FakeEndpoint:
    """The plan's endpoint."""
    own = Steady(float(os.environ["TORTURE_BOOT"]))
    world = QuickWorld(own, path=Path(os.environ["TORTURE_WORLD"]), rps=50.0)
    return FakeEndpoint(plan, world, who=str(os.getpid()), pace=PACE, measure_pace=0.5)
