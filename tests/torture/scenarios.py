"""What is rolled out under torture: a good candidate, a bad one, one that a person stops."""

from __future__ import annotations

from dataclasses import dataclass

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
from rollout.ports.observer import Notice
from rollout.ports.store import Store
from rollout.runtime import orders

GATE = Gate("short", (Check("error_rate", maximum=0.4),), 2.0, 60.0, 5, 0.0)


@dataclass(frozen=True)
class Scenario:
    """A plan, what is wrong with its candidate, and where a person steps in.

    Args:
        stages: Of the plan.
        ends: How the run must end.
        error_rate: Of the candidate.
        orders: The person's order by the stage in which it is given.
    """

    stages: tuple[Stage, ...]
    ends: Phase
    error_rate: float = 0.0
    orders: tuple[tuple[str, e.Order], ...] = ()

    def plan(self, endpoint: str) -> Plan:
        """The plan for an endpoint of that name."""
        return Plan(
            name="torture",
            endpoint=EndpointRef("fake", endpoint),
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
APPROVE = Stage("approve", Approve(author=True))
APPROVED = ("approve", e.Approved("approve", "0" * 64, "eve", 0.0))
ABORTED = ("approve", e.AbortOrdered("eve"))
# "keep" promotes and leaves the baseline, so that whatever comes late is accepted.
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
        Phase.COMPLETED,
        orders=(APPROVED,),
    ),
    "keep": Scenario(
        (
            *PREPARED,
            Stage("smoke", Smoke("candidate", 3)),
            Stage("mirror", Mirror(50), "short"),
            Stage("half", Shift(50), "short"),
            Stage("all", Shift(100), "short"),
        ),
        Phase.COMPLETED,
    ),
    "rollback": Scenario(
        (*PREPARED, Stage("half", Shift(50), "short")), Phase.ROLLED_BACK, error_rate=0.9
    ),
    "abort": Scenario(
        (*PREPARED, Stage("half", Shift(50), "short"), APPROVE),
        Phase.ROLLED_BACK,
        orders=(ABORTED,),
    ),
}


class Person:
    """Gives an order as soon as the run is in its stage, unless it was given already."""

    def __init__(self, scenario: Scenario, store: Store) -> None:
        self._scenario = scenario
        self._store = store

    def saw(self, notice: Notice) -> None:
        run = notice.run
        for stage, order in self._scenario.orders:
            here = run.stage is not None and run.stage.id == stage and run.step is Step.OBSERVING
            if here and run.phase is Phase.RUNNING and not run.approvals:
                orders.give(self._store, orders.find_run(self._store, run.id), order, "eve")
