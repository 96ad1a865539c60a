"""A plan's gates as tests to run: compiled once, then asked at every interval.

Each check has two sides, a test each: the failing side, whose evidence counts for the whole
rollout, and the passing side, whose evidence starts anew in every stage. Checks that differ in the
passing side only share one failing side, so that writing a check into two gates costs no power.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rollout.domain.criteria import Check, Gate
from rollout.domain.measure import GROWTH, bucket_of, edge
from rollout.domain.plan import Mirror, Plan, Shift
from rollout.domain.units import Allowance
from rollout.gates import criteria
from rollout.stats import slow

GUARD = "guard"
DEFAULT_CHECK = Check(
    "error_rate", tolerance=Allowance(points=0.001), margin=Allowance(points=0.005)
)


@dataclass(frozen=True, slots=True)
class Side:
    """One side of one check, reduced to "events among requests".

    Args:
        key: What its evidence is filed under.
        relative: Two arms; else the candidate against ``objective``.
        quantiles: For relative latency, where the edges are drawn; empty: the test needs none.
        allowance: For relative tests, what the null allows.
        objective: For absolute tests, the allowed share of events.
        shift: For relative latency, buckets between the baseline's edge and the candidate's.
        edge: For absolute latency, the bucket above which a request is slow; None: events are
            errors, or slow relative to the baseline.
    """

    key: str
    relative: bool
    quantiles: tuple[float, ...] = ()
    allowance: Allowance = field(default_factory=Allowance)
    objective: float = 0.0
    shift: int = 0
    edge: int | None = None

    @property
    def latency(self) -> bool:
        """Whether the events come from a latency histogram."""
        return bool(self.quantiles) or self.edge is not None

    @property
    def parts(self) -> int:
        """How many processes the test averages over."""
        return len(self.quantiles) or 1


@dataclass(frozen=True, slots=True)
class CheckRule:
    """A check with its two tests.

    Args:
        check: As the plan has it.
        key: What its evidence of the stage is filed under.
        criteria: As a person reads it.
        failing: Evidence against the candidate; None: this check never fails.
        passing: Evidence that the candidate is within the margin.
    """

    check: Check
    key: str
    criteria: str
    failing: Side | None
    passing: Side


@dataclass(frozen=True, slots=True)
class StageRule:
    """What to watch while a stage holds.

    Args:
        id: The stage's id.
        gate: Times and minima; a guard has those of the gate whose checks it took.
        guard: Only the failing sides run.
        checks: Empty where there is nothing to watch.
        failing: The distinct failing sides among them, by key.
    """

    id: str
    gate: Gate
    guard: bool
    checks: tuple[CheckRule, ...]
    failing: Mapping[str, Side]

    @property
    def name(self) -> str:
        """The gate's name, or ``guard``."""
        return GUARD if self.guard else self.gate.name


@dataclass(frozen=True, slots=True)
class Rules:
    """A plan's gates, compiled.

    Args:
        stages: One for each of the plan's stages.
        planned: Failing test's key -> number of stages that use it. Every test has the same
            weight; its whole-rollout process has one half of it, its stages share the other.
        alpha: Allowed probability of rolling back a healthy candidate, for the whole rollout.
        beta: Allowed probability, for each stage, of passing one beyond a margin.
    """

    stages: tuple[StageRule, ...]
    planned: Mapping[str, int]
    alpha: float
    beta: float

    @property
    def weight(self) -> float:
        """The weight of one failing test in the combined evidence."""
        return 1.0 / max(1, len(self.planned))


def compile_rules(plan: Plan) -> Rules:
    """The rules of a checked plan.

    Raises:
        KeyError: A stage names a gate that the plan lacks.
        ValueError: A check has no criteria. A checked plan has neither.
    """
    stages = tuple(_stage_rule(plan, at) for at in range(len(plan.stages)))
    planned: dict[str, int] = {}
    for stage in stages:
        for key in stage.failing:
            planned[key] = planned.get(key, 0) + 1
    return Rules(stages, planned, plan.risk.false_rollback, plan.risk.wrong_promotion)


def _stage_rule(plan: Plan, at: int) -> StageRule:
    stage = plan.stages[at]
    gate = plan.gates[stage.gate] if stage.gate is not None else _guarding(plan, at)
    watched = stage.gate is not None or _has_traffic(plan, at)
    checks = tuple(map(_check_rule, dict.fromkeys(gate.checks))) if watched else ()
    failing = {rule.failing.key: rule.failing for rule in checks if rule.failing}
    return StageRule(stage.id, gate, stage.gate is None, checks, failing)


def _has_traffic(plan: Plan, at: int) -> bool:
    """Whether the candidate gets requests, live or mirrored, at or before this stage."""
    works = (stage.work for stage in plan.stages[: at + 1])
    return any(isinstance(work, Shift | Mirror) and work.percent > 0 for work in works)


def _guarding(plan: Plan, at: int) -> Gate:
    """The gate whose checks guard a stage that has none of its own."""
    for stage in reversed(plan.stages[:at]):
        if stage.gate is not None and isinstance(stage.work, Shift):
            return plan.gates[stage.gate]
    for stage in plan.stages[at:]:
        if stage.gate is not None:
            return plan.gates[stage.gate]
    return Gate(GUARD, (DEFAULT_CHECK,))


def _check_rule(check: Check) -> CheckRule:
    failing, passing = _absolute(check) if check.maximum is not None else _relative(check)
    return CheckRule(check, criteria.key(check), criteria.spell(check), failing, passing)


def _absolute(check: Check) -> tuple[Side, Side]:
    key, at_most = criteria.key(check), check.maximum or 0.0
    if check.quantile is None:
        side = Side(key, relative=False, objective=at_most)
        return side, side
    objective, above = 1.0 - check.quantile, bucket_of(at_most)
    # The failing side counts above an edge that is not below the maximum, the passing side above
    # one that is not beyond it.
    below = above if edge(above) <= at_most * (1.0 + 1e-9) else above - 1
    return (
        Side(key, relative=False, objective=objective, edge=above),
        Side(key, relative=False, objective=objective, edge=below),
    )


def _relative(check: Check) -> tuple[Side | None, Side]:
    tolerance, margin = check.tolerance, check.margin or check.tolerance
    if margin is None:
        raise ValueError(f"{check.name} has neither tolerance, margin nor maximum")
    return _failing(check, tolerance) if tolerance else None, _passing(check, margin)


def _failing(check: Check, tolerance: Allowance) -> Side:
    if check.quantile is None:
        return Side(_failing_key(check), relative=True, allowance=tolerance)
    shift = slow.shift_at_least(tolerance.ratio, GROWTH)
    return Side(_failing_key(check), relative=True, quantiles=_mixed(check.quantile), shift=shift)


def _passing(check: Check, margin: Allowance) -> Side:
    key = criteria.key(check)
    if check.quantile is None:
        return Side(key, relative=True, allowance=margin)
    shift = slow.shift_at_most(margin.ratio, GROWTH)
    return Side(key, relative=True, quantiles=(check.quantile,), shift=shift)


def _mixed(quantile: float) -> tuple[float, ...]:
    """Where the failing side of relative latency looks: the usual four, and the plan's own."""
    return tuple(sorted({*slow.FAIL_QUANTILES, quantile}))


def _failing_key(check: Check) -> str:
    """Equal for checks whose failing sides are equal."""
    only = Check(check.metric, tolerance=check.tolerance)
    if check.quantile is None or check.quantile in slow.FAIL_QUANTILES:
        return criteria.key(only)
    return criteria.key(Check(check.metric, check.quantile, tolerance=check.tolerance))
