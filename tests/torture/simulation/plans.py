"""Plans of every shape, drawn by lot; short, so that thousands of rollouts take minutes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from random import Random

from rollout.domain.criteria import Check, Gate, OnInconclusive
from rollout.domain.plan import (
    Approve,
    Bootstrap,
    Create,
    Delete,
    DeploymentRef,
    EndpointRef,
    Guard,
    Mirror,
    OnFailure,
    Plan,
    Preflight,
    Scale,
    Shift,
    Smoke,
    Stage,
    Wait,
    Window,
)

APPROVERS = ("eve", "mia")
# Open for two minutes of every five, from two hours before a story begins (08:00) to four hours after.
WINDOW = ",".join(
    f"{hour:02}:{minute:02}-{hour:02}:{minute + 2:02}"
    for hour in range(6, 12)
    for minute in range(0, 60, 5)
)
GATED = 0.6  # of the stages that can have one
WINDOWED = 0.15  # of the plans
HEALTHY = Check("error_rate", maximum=0.4)


def draw_plan(chance: Random) -> Plan:
    """A plan that could be anybody's."""
    tests_only = chance.random() < 0.1
    stages = [*_prepared(chance), *(_tested(chance) if tests_only else _given(chance))]
    gates = {name: _gate(chance, name) for name in ("first", "second")}
    made = Plan(
        name="any",
        endpoint=EndpointRef("fake", "diabetes"),
        baseline=DeploymentRef("blue", "/plans/blue.yml"),
        candidate=DeploymentRef("green", "/plans/green.yml"),
        stages=tuple(_timed(chance, stage) for stage in stages),
        gates=gates,
        requests=(b"{}",),
        on_failure=_on_failure(chance),
        guard=Guard(chance.choice((0, 5, 10, None))),
        windows=_windows(chance),
        deadline=chance.uniform(40.0, 300.0) if chance.random() < 0.3 else None,
        file="plan.yml",
    )
    return replace(made, digest=hashlib.sha256(repr(made).encode()).hexdigest())


def edited(chance: Random, plan: Plan) -> Plan:
    """The same rollout of the same candidate, by other stages and gates."""
    other = replace(draw_plan(chance), endpoint=plan.endpoint)
    return replace(other, digest=hashlib.sha256(repr(other).encode()).hexdigest())


def _prepared(chance: Random) -> list[Stage]:
    stages = [Stage("bootstrap", Bootstrap())]
    if chance.random() < 0.3:
        stages.append(Stage("preflight", Preflight()))
    if chance.random() < 0.3:
        stages.append(Stage("scale-blue", Scale("baseline", 2)))
    stages.append(Stage("create", Create("candidate")))
    return [*stages, Stage("smoke", Smoke("candidate", 2))]


def _tested(chance: Random) -> list[Stage]:
    if chance.random() < 0.5:
        return [Stage("delete-green", Delete("candidate"))]
    return [_gated(chance, Stage("mirror", Mirror(20))), Stage("mirror-off", Mirror(0))]


def _given(chance: Random) -> list[Stage]:
    stages = []
    if chance.random() < 0.4:
        stages.append(_gated(chance, Stage("mirror", Mirror(chance.choice((10, 50))))))
    shares = [share for share in (10, 50) if chance.random() < 0.4]
    stages += [_gated(chance, Stage(f"shift-{share}", Shift(share))) for share in shares]
    between = chance.random()
    if between < 0.25:
        stages.append(Stage("approve", _approve(chance)))
    elif between < 0.4 and shares:
        stages.append(_gated(chance, Stage("wait", Wait(5.0))))
    stages.append(_gated(chance, Stage("shift-100", Shift(100))))
    if chance.random() < 0.15:
        stages.append(Stage("scale-green", Scale("candidate", 2)))
    if chance.random() < 0.4:
        stages.append(Stage("delete-blue", Delete("baseline")))
    return stages


def _approve(chance: Random) -> Approve:
    expires = chance.choice((None, 60.0))
    by = APPROVERS if chance.random() < 0.7 else ()
    return Approve(by=by, expires=expires, count=chance.choice((1, 1, 2)))


def _gated(chance: Random, stage: Stage) -> Stage:
    if chance.random() >= GATED:
        return stage
    return replace(stage, gate=chance.choice(("first", "second")))


def _timed(chance: Random, stage: Stage) -> Stage:
    timeout = chance.choice((30.0, 120.0, 3600.0))
    after = 3.0 if chance.random() < 0.1 else 0.0
    return replace(stage, timeout=timeout, after=after)


def _gate(chance: Random, name: str) -> Gate:
    then = OnInconclusive(then=chance.choice(("hold", "rollback")))
    return Gate(name, (HEALTHY,), 2.0, chance.choice((15.0, 40.0)), 5, 0.0, then)


def _windows(chance: Random) -> tuple[Window, ...]:
    if chance.random() >= WINDOWED:
        return ()
    return (Window(WINDOW, applies_to=chance.choice(((), ("shift",), ("create", "delete")))),)


def _on_failure(chance: Random) -> OnFailure:
    return OnFailure(
        action="hold" if chance.random() < 0.15 else "rollback",
        candidate=chance.choice(("keep", "delete")),
        verify_within=chance.choice((20.0, 60.0)),
        collect_logs=chance.choice((0, 20)),
    )
