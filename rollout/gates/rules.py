"""A plan's gates as tests to run: compiled once, then asked at every interval.

Each check has two sides, a test each: the failing side, whose evidence counts for the whole
rollout, and the passing side, whose evidence starts anew in every stage. Checks that differ in the
passing side only share one failing side, so that writing a check into two gates costs no power.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rollout.domain.criteria import Check, Gate
from rollout.domain.plan import Mirror, Plan, Shift
from rollout.domain.units import Allowance
from rollout.gates import criteria
from rollout.gates.sides import Kind, Side, sides_of

GUARD, WARN = "guard", "warn"
WHOLE = 100  # percent
DEFAULT_CHECK = Check(
    "error_rate", tolerance=Allowance(points=0.001), margin=Allowance(points=0.005)
)


@dataclass(frozen=True, slots=True)
class CheckRule:
    """A check with its two tests.

    Args:
        check: As the plan has it.
        key: What its evidence of the stage is filed under.
        criteria: As a person reads it.
        failing: Evidence against the candidate; None: this check never fails.
        passing: Evidence that the candidate is within the margin; None: it stands in no pass's way.
    """

    check: Check
    key: str
    criteria: str
    failing: Side | None
    passing: Side | None

    @property
    def decides(self) -> bool:
        """Whether it can fail or hold up a gate; one that only warns cannot."""
        return self.check.severity != WARN

    @property
    def splits(self) -> bool:
        """Whether it is about the measurement itself: that the arms see the same traffic."""
        return self.failing is not None and self.failing.kind is Kind.SHARE

    @property
    def averages(self) -> bool:
        """Whether it is about a mean, whose bounds are those of the difference."""
        return self.shown.kind in (Kind.MEAN, Kind.BOUNDED)

    @property
    def shown(self) -> Side:
        """The side whose form the reported numbers have."""
        side = self.passing or self.failing
        if side is None:
            raise ValueError(f"{self.check.name} tests nothing")
        return side


@dataclass(frozen=True, slots=True)
class StageRule:
    """What to watch while a stage holds.

    Args:
        id: The stage's id.
        gate: Times and minima; a guard has those of the gate whose checks it took.
        guard: Only the failing sides run.
        checks: Empty where there is nothing to watch.
        failing: The distinct failing sides among them, by key.
        planned: The candidate's share of the requests by the plan; None: there is none.
    """

    id: str
    gate: Gate
    guard: bool
    checks: tuple[CheckRule, ...]
    failing: Mapping[str, Side]
    planned: float | None = None

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
        sides: Every failing test by key, those that only warn included.
        uses: Its key -> number of stages in which it runs.
    """

    stages: tuple[StageRule, ...]
    planned: Mapping[str, int]
    alpha: float
    beta: float
    sides: Mapping[str, Side] = field(default_factory=dict)
    uses: Mapping[str, int] = field(default_factory=dict)

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
    deciding = [
        {rule.failing.key for rule in stage.checks if rule.failing and rule.decides}
        for stage in stages
    ]
    sides = {key: side for stage in stages for key, side in stage.failing.items()}
    planned = {
        key: count
        for key, side in sides.items()
        if (count := sum(key in keys for keys in deciding)) and side.kind is not Kind.SHARE
    }
    uses = {key: sum(key in stage.failing for stage in stages) for key in sides}
    risk = plan.risk
    return Rules(stages, planned, risk.false_rollback, risk.wrong_promotion, sides, uses)


def _stage_rule(plan: Plan, at: int) -> StageRule:
    stage = plan.stages[at]
    gate = plan.gates[stage.gate] if stage.gate is not None else _guarding(plan, at)
    watched = stage.gate is not None or _has_traffic(plan, at)
    checks = tuple(map(_check_rule, dict.fromkeys(gate.checks))) if watched else ()
    failing = {rule.failing.key: rule.failing for rule in checks if rule.failing}
    share = _planned_share(plan, at)
    return StageRule(stage.id, gate, stage.gate is None, checks, failing, share)


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
    failing, passing = sides_of(check)
    key = criteria.key(check)
    if check.severity == WARN:  # evidence of its own: elsewhere the same check may decide
        key = f"{key} ({WARN})"
        failing = failing and replace(failing, key=f"{failing.key} ({WARN})")
    return CheckRule(check, key, criteria.spell(check), failing, passing)


def _planned_share(plan: Plan, at: int) -> float | None:
    """The candidate's part of all requests counted in a stage; None: no split says it."""
    works = [stage.work for stage in plan.stages[: at + 1]]
    last = next((work for work in reversed(works) if isinstance(work, Shift | Mirror)), None)
    if last is None or not 0 < last.percent < WHOLE:
        return None
    share = last.percent / WHOLE
    # A copy is counted beside the request that it was made of.
    return share if isinstance(last, Shift) else share / (1.0 + share)
