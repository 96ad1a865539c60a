"""The gates under test: the product's defaults in a plan with one gated stage of an hour."""

from __future__ import annotations

from rollout.domain.criteria import Allowance, Check, Gate
from rollout.domain.plan import DeploymentRef, EndpointRef, Plan, Shift, Stage
from rollout.gates.rules import DEFAULT_CHECK, Rules, compile_rules

ERRORS = DEFAULT_CHECK
ERRORS_STRICT = Check("error_rate", tolerance=Allowance(), margin=Allowance(points=0.005))
ERRORS_MAX = Check("error_rate", maximum=0.02)
SLOW = Check("latency", 0.95, tolerance=Allowance(1.1), margin=Allowance(1.2))
SLOW_TAIL = Check("latency", 0.99, tolerance=Allowance(1.1), margin=Allowance(1.5))


def rules(*checks: Check) -> Rules:
    """The compiled rules of a stage at 10 % with these checks; everything else is the default."""
    plan = Plan(
        name="benchmark",
        endpoint=EndpointRef("local", "benchmark"),
        baseline=DeploymentRef("blue"),
        candidate=DeploymentRef("green"),
        stages=(Stage("shift-10", Shift(10), "canary"),),
        gates={"canary": Gate("canary", checks)},
    )
    return compile_rules(plan)
