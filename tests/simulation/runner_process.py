"""Runners as real processes that can be killed at any of their marks.

The main program keeps a warm interpreter: for each line of JSON on its standard input it forks a
process that drives a scenario, and answers with a line of JSON once that process is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rollout.adapters.owner import myself, surely_dead
from rollout.adapters.stores.sqlite import SqliteStore, build
from rollout.domain import events as e
from rollout.domain.criteria import Check, Gate
from rollout.domain.plan import (
    Approve,
    Create,
    Delete,
    DeploymentRef,
    EndpointRef,
    Mirror,
    OnFailure,
    Plan,
    Preflight,
    Scale,
    Shift,
    Smoke,
    Stage,
)
from rollout.domain.run import Phase, Step
from rollout.gates.rules import compile_rules
from rollout.ports.observer import Notice
from rollout.runtime import begin, orders
from rollout.runtime.begin import Course
from rollout.runtime.drive import Driver
from rollout.runtime.journal import Journal
from rollout.runtime.lease import Owner, acquire
from rollout.runtime.meter import Meter
from tests.fakes.clock import SharedClock
from tests.fakes.endpoint import FakeEndpoint, World

GATE = Gate("short", (Check("error_rate", maximum=0.4),), 2.0, 60.0, 5, 0.0)
ENDED = 7  # the exit status of a process that was not killed


@dataclass(frozen=True)
class Scenario:
    """A plan, what is wrong with its candidate, and where a person steps in.

    Args:
        error_rate: Of the candidate.
        orders: The person's order by the stage in which it is given.
    """

    stages: tuple[Stage, ...]
    error_rate: float = 0.0
    orders: tuple[tuple[str, e.Order], ...] = ()

    @property
    def plan(self) -> Plan:
        return Plan(
            name="kill",
            endpoint=EndpointRef("fake", "diabetes"),
            baseline=DeploymentRef("blue", "/plans/blue.yml"),
            candidate=DeploymentRef("green", "/plans/green.yml"),
            stages=self.stages,
            gates={"short": GATE},
            requests=(b"{}",),
            on_failure=OnFailure(candidate="delete"),
            digest="0" * 64,
        )


PREPARED = (
    Stage("preflight", Preflight()),
    Stage("scale", Scale("baseline", 2)),
    Stage("create", Create("candidate")),
)
APPROVE = Stage("approve", Approve())
APPROVED = ("approve", e.Approved("approve", "0" * 64, "eve", 0.0))
ABORTED = ("approve", e.AbortOrdered("eve"))
SCENARIOS = {
    "promote": Scenario(
        (
            *PREPARED,
            Stage("smoke", Smoke("candidate", 3)),
            Stage("mirror", Mirror(50), "short"),
            APPROVE,
            Stage("all", Shift(100), "short"),
            Stage("delete", Delete("baseline")),
        ),
        orders=(APPROVED,),
    ),
    "rollback": Scenario((*PREPARED, Stage("half", Shift(50), "short")), error_rate=0.9),
    "abort": Scenario((*PREPARED, Stage("half", Shift(50), "short"), APPROVE), orders=(ABORTED,)),
}


class TimedStore(SqliteStore):
    """The real store, but its time is the scenario's."""

    clock: SharedClock

    def now(self) -> float:
        return self.clock.now()


class Place:
    """A folder with everything that outlives a process: time, the endpoint, the journal."""

    def __init__(self, folder: Path) -> None:
        self.clock = SharedClock(folder / "clock.db")
        self.world = World(self.clock, path=folder / "world.db", rps=20.0)
        self.world.create_seconds = self.world.delete_seconds = self.world.update_seconds = 1.5
        self.world.split_seconds = 0.5
        build(f"sqlite:///{folder}/state.db").close()
        self.store = TimedStore((folder / "state.db").absolute())
        self.store.clock = self.clock

    def arrange(self, scenario: Scenario) -> None:
        """Before the first process: one deployment serves."""
        self.world.serve("blue")
        self.world.behave("green", error_rate=scenario.error_rate)

    def close(self) -> None:
        for each in (self.store, self.world, self.clock):
            each.close()


class Person:
    """Gives an order as soon as the run is in its stage, unless it was given already."""

    def __init__(self, scenario: Scenario, store: SqliteStore) -> None:
        self._scenario = scenario
        self._store = store

    def saw(self, notice: Notice) -> None:
        run = notice.run
        for stage, order in self._scenario.orders:
            here = run.stage is not None and run.stage.id == stage and run.step is Step.OBSERVING
            if here and run.phase is Phase.RUNNING and not run.approvals:
                orders.give(self._store, orders.find_run(self._store, run.id), order, "eve")


def drive(folder: Path, scenario: Scenario, mark: Callable[[str], None]) -> None:
    """As ``rollout.api.apply`` does it."""
    place = Place(folder)
    endpoint = FakeEndpoint(scenario.plan, place.world, who=str(os.getpid()))
    me = Owner(myself(), surely_dead)
    lease = acquire(place.store, endpoint.key, me, place.clock, patience=0)
    mark("after lease")
    journal = Journal(place.store, endpoint.key, me.name)
    standing = begin.stand(scenario.plan, endpoint, journal.refresh())
    if standing.course is not Course.NOTHING:
        begin.own(scenario.plan, endpoint, journal, standing, "ada")
        mark("after own")
        meter = Meter(endpoint, compile_rules(scenario.plan), place.clock)
        person = Person(scenario, place.store)
        Driver(
            scenario.plan, endpoint, journal, lease, meter, place.clock, person, mark=mark
        ).drive()
    lease.release()
    mark("after release")
    place.close()


def run(folder: Path, name: str, kill_at: int) -> list[str]:
    """Drive to the end, or to the mark with this number; the labels of all marks."""
    labels: list[str] = []

    def mark(label: str) -> None:
        labels.append(label)
        if len(labels) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    drive(folder, SCENARIOS[name], mark)
    return labels


def forked(folder: Path, name: str, kill_at: int) -> dict[str, object]:
    """What became of a process of its own: its signal, or the labels of its marks."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, json.dumps(run(folder, name, kill_at)).encode())
            os._exit(ENDED)
        except BaseException as error:  # noqa: BLE001 - the last line of a process
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as told:
        labels = told.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return {"signal": os.WTERMSIG(status)}
    return {"status": os.WEXITSTATUS(status), "labels": json.loads(labels or "[]")}


def main() -> None:
    for line in sys.stdin:
        wanted = json.loads(line)
        found = forked(Path(wanted["folder"]), wanted["scenario"], wanted["kill_at"])
        print(json.dumps(found), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
