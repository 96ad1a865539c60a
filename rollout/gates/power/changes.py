"""Plans with one number changed, from a little to a lot, in the values that people write."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rollout.domain.criteria import Check
from rollout.domain.plan import Mirror, Plan, Shift
from rollout.domain.units import Allowance, spell_duration, spell_share
from rollout.gates import criteria
from rollout.gates.rules import WHOLE
from rollout.gates.sides import Kind, kind_of

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
DURATIONS = (
    *(_MINUTE * each for each in (1, 2, 3, 5, 10, 15, 20, 30, 45)),
    *(_HOUR * each for each in (1, 1.5, 2, 3, 4, 6, 8, 12)),
    *(_DAY * each for each in (1, 2, 3, 5, 7)),
)
SHARES = (1, 2, 3, 5, 10, 15, 20, 25, 30, 40, 50)
"""Percent; a mirror takes no more, and nor should a first look at a candidate."""
PARTS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 50)
"""Percentage points, and percent of all answers."""
RELATIVE = (5, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 300, 500)
"""Percent of the baseline's value."""
_WHOLE_LOSS = 2.0  # an allowance of 100 %; of more nothing is left where more is better
_LATENCIES = tuple(
    each * ten for ten in (0.001, 0.01, 0.1, 1.0, 10.0) for each in (1, 1.5, 2, 3, 5, 8)
)


@dataclass(frozen=True, slots=True)
class Change:
    """A plan with one number changed.

    Args:
        words: What to write: ``max_duration: 2h``.
        plan: The plan with it.
    """

    words: str
    plan: Plan


def longer(plan: Plan, gate: str, least: float) -> Iterator[Change]:
    """More time for a gate, from so many seconds on."""
    found = plan.gates[gate]
    for seconds in DURATIONS:
        if seconds > found.max_duration and seconds >= least:
            words = f"max_duration: {spell_duration(seconds)}"
            if plan.deadline is not None and seconds >= plan.deadline:
                words += " (and a later policy.deadline)"
            yield Change(words, _with_gate(plan, gate, max_duration=seconds))


def shared(plan: Plan, at: int) -> Iterator[Change]:
    """A larger share in a stage that sets one, still below that of the next."""
    stage = plan.stages[at]
    if not isinstance(stage.work, Shift | Mirror):
        return
    ahead = (each.work.percent for each in plan.stages[at + 1 :] if isinstance(each.work, Shift))
    below = next(ahead, WHOLE) if isinstance(stage.work, Shift) else WHOLE
    kind = type(stage.work).__name__.lower()
    for percent in SHARES:
        if stage.work.percent < percent < below:
            changed = replace(stage, work=replace(stage.work, percent=percent))
            stages = (*plan.stages[:at], changed, *plan.stages[at + 1 :])
            yield Change(f"{kind}: {percent}%", replace(plan, stages=stages))


def wider(plan: Plan, gate: str, check: Check) -> Iterator[Change]:
    """A wider margin, or a looser objective, for a check of a gate."""
    if check.maximum is not None:
        yield from _looser(plan, gate, check, check.maximum)
    margin = check.margin or check.tolerance
    if margin is None:
        return
    if margin.points:
        made = [replace(margin, points=part / 100) for part in PARTS]
        made = [each for each in made if each.points > margin.points]
    else:
        made = [Allowance(ratio=1.0 + part / 100) for part in RELATIVE]
        most = _WHOLE_LOSS if check.better == "higher" else math.inf
        made = [each for each in made if margin.ratio < each.ratio < most]
    for each in made:
        spelt = criteria.spell_allowance(check, each).replace(" %", "%")
        words = f"{check.name} margin: {spelt}"
        yield Change(words, _with_check(plan, gate, check, replace(check, margin=each)))


def _looser(plan: Plan, gate: str, check: Check, at_most: float) -> Iterator[Change]:
    key = "max_mismatch" if kind_of(check) is Kind.AGREEMENT else "max"
    values = _LATENCIES if criteria.is_latency(check) else [part / 100 for part in PARTS]
    for value in values:
        if value > at_most:
            spelt = (
                criteria.spell_seconds(value)
                if criteria.is_latency(check)
                else spell_share(value).replace(" %", "%")
            )
            words = f"{check.name} {key}: {spelt}"
            yield Change(words, _with_check(plan, gate, check, replace(check, maximum=value)))


def _with_gate(plan: Plan, gate: str, **changes: object) -> Plan:
    changed = replace(plan.gates[gate], **changes)  # type: ignore[arg-type]
    return replace(plan, gates={**plan.gates, gate: changed})


def _with_check(plan: Plan, gate: str, check: Check, new: Check) -> Plan:
    checks = tuple(new if each == check else each for each in plan.gates[gate].checks)
    return _with_gate(plan, gate, checks=checks)
