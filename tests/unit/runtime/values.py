"""A plan, and runs of it."""

from __future__ import annotations

from dataclasses import replace

from rollout.domain.criteria import Check, Gate
from rollout.domain.endpoint import Condition, DeploymentSeen, Seen
from rollout.domain.plan import (
    Approve,
    Bootstrap,
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
from rollout.domain.run import Run
from rollout.domain.units import Allowance

ERRORS = Check("error_rate", tolerance=Allowance(points=0.001), margin=Allowance(points=0.01))
GATE = Gate("canary", (ERRORS,), max_duration=7200.0)
PLAN = Plan(
    name="safe",
    endpoint=EndpointRef("fake", "diabetes", "/plans/endpoint.yml", {"port": 1, "keys": ["a"]}),
    baseline=DeploymentRef("blue", "/plans/blue.yml"),
    candidate=DeploymentRef("green", "/plans/green.yml", {"instance_count": 2}),
    stages=(
        Stage("preflight", Preflight()),
        Stage("bootstrap", Bootstrap()),
        Stage("scale", Scale("baseline", 2)),
        Stage("create", Create("candidate"), timeout=600.0),
        Stage("smoke", Smoke("candidate", 20)),
        Stage("mirror", Mirror(10), "canary"),
        Stage("canary", Shift(10), "canary", after=90.0),
        Stage("approve", Approve(by=("ada", "eve"))),
        Stage("all", Shift(100), "canary"),
        Stage("delete", Delete("baseline")),
    ),
    gates={"canary": GATE},
    labels={"team": "churn"},
    requests=(b"{}", b'{"data": "\xff"}'),
    source='{"name": "safe"}',
    digest="d" * 64,
)


def run(**changes: object) -> Run:
    """A run that has just begun, with these changes."""
    return replace(
        Run(
            id="r-1",
            plan=PLAN.name,
            endpoint=PLAN.endpoint.name,
            identity="i",
            digest=PLAN.digest,
            baseline="blue",
            candidate="green",
            baseline_digest="b",
            candidate_digest="c",
            stages=PLAN.stages,
            on_failure=OnFailure(),
            on_inconclusive={"canary": "hold"},
            author="ada",
            started=100.0,
            since=100.0,
        ),
        **changes,
    )


def at(stage: str) -> int:
    """The index of a stage of the plan."""
    return [each.id for each in PLAN.stages].index(stage)


def seen(*, traffic: dict[str, int] | None = None, **deployments: DeploymentSeen) -> Seen:
    """An endpoint with these deployments; all traffic on blue, unless said otherwise."""
    live = {"blue": 100} if traffic is None else traffic
    return Seen(exists=True, deployments=deployments, traffic=live)


def ready(instances: int = 1, owner: str | None = None) -> DeploymentSeen:
    """A deployment that answers."""
    return DeploymentSeen(Condition.READY, instances, instances, owner)
