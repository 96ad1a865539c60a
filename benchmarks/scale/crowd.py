"""Many open rollouts: each waits for an hour in a stage of its own endpoint."""

from __future__ import annotations

from pathlib import Path

from rollout.domain import events as e
from rollout.domain.plan import DeploymentRef, EndpointRef, Plan, Stage, Wait
from rollout.domain.run import Run, Split
from rollout.ports.clock import Clock
from rollout.ports.store import Store
from rollout.runtime.begin import kept
from rollout.runtime.journal import Journal
from rollout.wiring import plugs
from tests.fakes.endpoint import FakeEndpoint, World

HOUR = 3600.0
ALL_BLUE = Split({"blue": 100})
RECORDS = 4  # of each rollout, at least
_WORLDS: dict[str, World] = {}


def plan_of(name: str) -> Plan:
    """The plan of one rollout."""
    return Plan(
        name=f"plan-of-{name}",
        endpoint=EndpointRef("crowd", name),
        baseline=DeploymentRef("blue"),
        candidate=DeploymentRef("green", "/plans/green.yml"),
        stages=(Stage("wait-1h", Wait(HOUR)),),
        requests=(b'{"data": [[1, 2, 3, 4]]}',),
        digest="0" * 64,
    )


def gather(store: Store, count: int, records: int = RECORDS) -> list[str]:
    """Begin so many rollouts, each with so many records, and leave each one waiting; their ids."""
    return [begin(store, name_of(number), records).id for number in range(count)]


def name_of(number: int) -> str:
    """The name of one rollout's endpoint; its stream is ``fake/NAME``."""
    return f"crowd-{number:06d}"


def begin(store: Store, name: str, records: int = RECORDS) -> Run:
    """One rollout, left waiting for its timer."""
    journal = Journal(store, f"fake/{name}", "benchmark")
    journal.refresh()
    plan, now = plan_of(name), store.now()
    run = Run(
        id=f"r-{name}", plan=plan.name, endpoint=name, identity=name, digest=plan.digest,
        baseline="blue", candidate="green", baseline_digest="", candidate_digest="1" * 64,
        stages=plan.stages, on_failure=plan.on_failure, on_inconclusive={}, author="benchmark",
        started=now, since=now,
    )  # fmt: skip
    journal.start(run, kept(plan), "")
    journal.append(e.SplitCaptured(ALL_BLUE))
    journal.append(e.SetPointReached("wait-1h", ALL_BLUE))
    for _ in range(records - RECORDS):
        journal.append(e.Left(now + HOUR, "timer"))
    return journal.append(e.Left(now + HOUR, "timer"))


def build(plan: Plan, *, home: Path, clock: Clock, start: bool) -> FakeEndpoint:  # noqa: ARG001
    """The endpoint of one rollout: in memory, at once ready."""
    name = plan.endpoint.name
    if name not in _WORLDS:
        _WORLDS[name] = World(clock, rps=1.0)
        _WORLDS[name].serve("blue")
    return FakeEndpoint(plan, _WORLDS[name], who="benchmark")


def install() -> None:
    """Let plans name these endpoints."""
    plugs.BUILT_IN["rollout.endpoints"]["crowd"] = f"{__name__}:build"
