"""Kills each runner on a local endpoint at the first mark at which none has died before.

For processes that have this folder in their path; what they know of each other is in the folder
that ``TORTURE_DEATHS`` names: the points at which runners died, and each order with whether it
changed anything.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rollout.adapters.endpoints.local.endpoint import LocalEndpoint
from rollout.domain.endpoint import Condition, Effect, Seen
from rollout.domain.errors import EndpointError
from rollout.domain.run import Run
from rollout.ports.endpoint import Hold, unfenced
from rollout.runtime.drive import Driver
from rollout.runtime.runner import Runner

FOLDER = Path(os.environ["TORTURE_DEATHS"])
DIED, SENT = FOLDER / "died", FOLDER / "sent"


class Marks:
    """Where this runner stands; ``where`` is the step that it is about."""

    where = "start"

    def at(self, label: str) -> None:
        """Die here, unless an earlier runner has."""
        point = f"{self.where}/{label}"
        known = DIED.read_text().splitlines() if DIED.exists() else []
        if point in known:
            return
        with DIED.open("a") as died:
            died.write(f"{point}\n")
        os.kill(os.getpid(), signal.SIGKILL)


MARKS = Marks()


def _marked(make: Callable[..., None]) -> Callable[..., None]:
    def made(self: Runner, *given: Any, **named: Any) -> None:
        make(self, *given, **named)
        object.__setattr__(self, "mark", MARKS.at)

    return made


def _placed(step: Callable[..., bool]) -> Callable[..., bool]:
    def stepped(self: Driver, run: Run) -> bool:
        stage = run.stage.id if run.stage else "end"
        MARKS.where = f"{run.phase.value}/{stage}/{run.step.value}"
        return step(self, run)

    return stepped


def _wanted(endpoint: LocalEndpoint) -> object:
    """What an order can change."""
    try:
        seen = endpoint.observe()
    except EndpointError:
        seen = Seen(exists=False)
    there = {
        name: (one.instances, one.run, one.digest, one.condition is Condition.DELETING)
        for name, one in seen.deployments.items()
    }
    return seen.exists, dict(seen.traffic), dict(seen.mirror), there


def _told(perform: Callable[..., None]) -> Callable[..., None]:
    def performed(
        self: LocalEndpoint, effect: Effect, *, run: str, hold: Hold = unfenced, head: str = ""
    ) -> None:
        def held(seconds: float) -> None:
            hold(seconds)
            MARKS.at(f"before call {type(effect).__name__}")

        before = _wanted(self)
        perform(self, effect, run=run, hold=held, head=head)
        order = {"order": str(effect), "changed": _wanted(self) != before}
        with SENT.open("a") as sent:
            sent.write(f"{json.dumps(order)}\n")

    return performed


Driver._step = _placed(Driver._step)  # type: ignore[method-assign]
Runner.__init__ = _marked(Runner.__init__)  # type: ignore[method-assign]
LocalEndpoint.perform = _told(LocalEndpoint.perform)  # type: ignore[method-assign]
