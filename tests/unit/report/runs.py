"""A run built by hand, for pictures that must not change by themselves."""

from __future__ import annotations

from dataclasses import replace

from rollout.domain.plan import (
    Approve,
    Create,
    Delete,
    Mirror,
    OnFailure,
    Scale,
    Shift,
    Smoke,
    Stage,
    Wait,
)
from rollout.domain.run import Cause, Exposure, Phase, Run, Split, StageDone, Step, Why
from rollout.domain.verdict import CheckJudgement, Judgement, Verdict

START = 1_800_000_000.0

STAGES = (
    Stage("scale", Scale("baseline", 2)),
    Stage("create", Create("candidate")),
    Stage("smoke", Smoke("candidate", 20)),
    Stage("mirror-10", Mirror(10), gate="shadow"),
    Stage("shift-10", Shift(10), gate="canary"),
    Stage("ok", Approve()),
    Stage("soak", Wait(600.0)),
    Stage("shift-100", Shift(100)),
    Stage("delete", Delete("baseline"), after=3600.0),
)
DONE = (
    StageDone("scale", START, START + 544),
    StageDone("create", START + 544, START + 1421, "2 of 2 instances"),
    StageDone("smoke", START + 1421, START + 1430, "20 of 20, slowest 184ms"),
    StageDone("mirror-10", START + 1430, START + 3230, "gate shadow: pass"),
)

ERRORS = CheckJudgement(
    "error_rate",
    "tolerance 0.5pp, margin 1pp",
    Verdict.RUNNING,
    baseline_events=13,
    baseline_requests=3351,
    candidate_events=2,
    candidate_requests=376,
    baseline_value=13 / 3351,
    candidate_value=2 / 376,
    ratio=1.1,
    ratio_low=0.4,
    ratio_high=2.6,
    toward_rollback=0.02,
    toward_pass=0.71,
)
LATENCY = CheckJudgement(
    "latency_p95",
    "margin 20 %",
    Verdict.PASS,
    baseline_events=170,
    baseline_requests=3351,
    candidate_events=20,
    candidate_requests=376,
    baseline_value=0.131,
    candidate_value=0.138,
    ratio=1.05,
    ratio_low=0.8,
    ratio_high=1.3,
    toward_pass=1.0,
    unit="seconds",
)
RUNNING = Judgement(
    "canary",
    Verdict.RUNNING,
    "error_rate: 71 % of the evidence for a pass.",
    (ERRORS, LATENCY),
    evidence=0.9,
    bound=100.0,
    observed_seconds=1300.0,
    remaining_seconds=1020.0,
)
FAILED = replace(
    RUNNING,
    verdict=Verdict.FAIL,
    reason="error_rate failed (E = 214 >= 100): beyond the tolerance of 0.5pp.",
    checks=(
        replace(
            ERRORS,
            verdict=Verdict.FAIL,
            candidate_events=15,
            candidate_value=15 / 376,
            ratio=10.3,
            ratio_low=4.1,
            ratio_high=27.0,
            toward_rollback=1.0,
            toward_pass=0.0,
        ),
        LATENCY,
    ),
    evidence=214.0,
    observed_seconds=252.0,
    remaining_seconds=None,
)


def running(**changes: object) -> Run:
    """A run that watches its canary."""
    run = Run(
        id="r-7f3a",
        plan="churn-green",
        endpoint="churn",
        identity="i",
        digest="d" * 64,
        baseline="blue",
        candidate="green",
        baseline_digest="",
        candidate_digest="",
        stages=STAGES,
        on_failure=OnFailure(),
        on_inconclusive={},
        author="ada",
        started=START,
        since=START + 3260,
        at=4,
        step=Step.OBSERVING,
        captured=Split({"blue": 100}),
        expected=Split({"blue": 90, "green": 10}),
        created=True,
        done=DONE,
        cursor="c",
        judgement=RUNNING,
        exposure=Exposure(376, 2),
    )
    return replace(run, **changes)  # type: ignore[arg-type]


def rolled_back() -> Run:
    """The same, after its canary failed."""
    return running(
        phase=Phase.ROLLED_BACK,
        step=Step.OBSERVING,
        judgement=FAILED,
        cause=Cause(Why.GATE_FAILED, f"gate canary: {FAILED.reason}"),
        expected=Split({"blue": 100}),
        since=START + 3512,
        ended=START + 3575,
        exposure=Exposure(376, 15),
        checked=True,
    )
