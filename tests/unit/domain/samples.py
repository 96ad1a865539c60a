"""A run, its plan and its endpoint, for rules to be tried on; every test changes what it is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rollout.domain import events as e
from rollout.domain.decisions import Act, Ask, Decision, Record, Rest, Wait as Waits
from rollout.domain.endpoint import Condition, DeploymentSeen, Seen
from rollout.domain.plan import (
    Approve,
    Bootstrap,
    Create,
    Delete,
    Mirror,
    OnFailure,
    Preflight,
    Scale,
    Shift,
    Smoke,
    Stage,
    Wait,
)
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.run import Cause, Run, Split, StageDone, Step, Why
from rollout.domain.verdict import Judgement, Verdict

STAGES = (
    Stage("bootstrap", Bootstrap()),
    Stage("preflight", Preflight()),
    Stage("scale-blue", Scale(BASELINE, 2)),
    Stage("create", Create(CANDIDATE), timeout=2700.0),
    Stage("smoke", Smoke(CANDIDATE)),
    Stage("mirror-10", Mirror(10), gate="shadow"),
    Stage("shift-10", Shift(10), gate="canary"),
    Stage("approve", Approve(by=("ada",), expires=86400.0, author=True)),
    Stage("shift-50", Shift(50), gate="canary", after=600.0),
    Stage("wait", Wait(1800.0), gate="canary"),
    Stage("shift-100", Shift(100), gate="bake"),
    Stage("delete-blue", Delete(BASELINE), after=86400.0),
)
STARTED = 1000.0
ENTERED = 2000.0  # when the present stage began
NOW = ENTERED + 60
BLUE_100 = Split({"blue": 100})
BLUE_90 = Split({"blue": 90, "green": 10})
GREEN_100 = Split({"green": 100})
MIRRORED = Split({"blue": 100}, {"green": 10})
BLUE = DeploymentSeen(Condition.READY, instances=2, ready=2)
GREEN = DeploymentSeen(Condition.READY, ready=1, run="r-1", digest="green-spec")
_LIVE = {
    "mirror-10": MIRRORED,
    "shift-10": BLUE_90,
    "shift-50": Split({"blue": 50, "green": 50}),
    "shift-100": GREEN_100,
}


def fresh(**changes: Any) -> Run:
    """A run at its very beginning."""
    run = Run(
        id="r-1",
        plan="churn",
        endpoint="churn-endpoint",
        identity="identity",
        digest="plan-digest",
        baseline="blue",
        candidate="green",
        baseline_digest="blue-spec",
        candidate_digest="green-spec",
        stages=STAGES,
        on_failure=OnFailure(),
        on_inconclusive={"canary": "hold", "bake": "rollback"},
        author="ada",
        started=STARTED,
        since=STARTED,
    )
    return replace(run, **changes)


def split_before(stage_id: str) -> Split:
    """The split that the stages before this one left behind."""
    split = BLUE_100
    for stage in STAGES:
        if stage.id == stage_id:
            break
        split = _LIVE.get(stage.id, split)
    return split


def entering(stage_id: str, **changes: Any) -> Run:
    """A run that has just come to this stage, as the stages before it left it."""
    ids = [stage.id for stage in STAGES]
    at = ids.index(stage_id)
    begun = at > ids.index("preflight")
    run = fresh(
        at=at,
        since=ENTERED,
        done=tuple(StageDone(each, STARTED, ENTERED) for each in ids[:at]),
        captured=BLUE_100 if begun else None,
        expected=split_before(stage_id) if begun else None,
        created=at > ids.index("create"),
    )
    return replace(run, **changes)


def seen_of(split: Split, *, busy: bool = False, **deployments: DeploymentSeen | None) -> Seen:
    """The endpoint with this split; blue and green are there unless said otherwise."""
    named = {"blue": BLUE, "green": GREEN, **deployments}
    there = {name: found for name, found in named.items() if found is not None}
    return Seen(True, busy, there, split.traffic, split.mirror)


def seen_at(stage_id: str, **changes: Any) -> Seen:
    """The endpoint as the stages before this one left it."""
    return seen_of(split_before(stage_id), **changes)


def judged(verdict: Verdict, gate: str = "canary") -> Judgement:
    """A gate's word."""
    return Judgement(gate, verdict, "because")


def because(why: Why) -> Cause:
    """A cause whose sentence does not matter."""
    return Cause(why, "because")


def told(decision: Decision) -> object:
    """A decision without its sentences."""
    match decision:
        case Act(effect):
            return effect
        case Ask(question):
            return question
        case Waits(on):
            return on
        case Record(e.Held(cause)):
            return "held", cause.why
        case Record(e.RollbackBegan(cause)):
            return "back", cause.why
        case Record(e.Ended(cause)):
            return "ended", cause.why if cause else None
        case Record(event):
            return type(event)
        case Rest():
            return Rest
        case _:
            raise AssertionError(decision)


def condition(found: DeploymentSeen, moved: Condition, **changes: Any) -> DeploymentSeen:
    """A deployment whose provisioning stands elsewhere."""
    return replace(found, condition=moved, **changes)


def observing(stage_id: str, **changes: Any) -> Run:
    """A run whose stage holds its set-point."""
    run = entering(stage_id)
    live = _LIVE.get(stage_id, run.expected)
    return replace(run, **{"step": Step.OBSERVING, "expected": live, **changes})


def holding(run: Run, **changes: Any) -> Seen:
    """The endpoint just as the run expects it."""
    return seen_of(run.expected or BLUE_100, **changes)
