"""Candidates to ask about: healthy, at the margin, twice as bad, crashed, and how each is called."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from rollout.domain.criteria import Check
from rollout.domain.units import Allowance, spell_share
from rollout.gates import criteria
from rollout.gates.power.baseline import Baseline
from rollout.gates.rules import CheckRule
from rollout.gates.sides import Kind, Side

_HALF_SLOWER = 1.5
_CLEAR = 1.05  # an effect this much beyond the tolerance is worth a question
_SLOWEST = 1000.0  # times the baseline


@dataclass(frozen=True, slots=True)
class Effect:
    """A candidate: its value as in `walks`, and its name."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Scale:
    """A check's candidates from good to bad, as values of `walks`.

    Args:
        check: The check.
        healthy: A candidate like the baseline.
        tolerated: The worst that is allowed.
        margin: What is to be found: the margin, or twice the objective; None: nothing said.
        doubled: A doubled rate, half more latency; None: tolerated, or nothing to double.
        crash: Every answer fails; None: the check does not see that.
        worst: The end of the scale.
    """

    check: Check
    healthy: float
    tolerated: float
    margin: Effect | None = None
    doubled: Effect | None = None
    crash: float | None = None
    worst: float = 1.0

    @property
    def direction(self) -> int:
        """Which way is worse."""
        return 1 if self.worst >= self.tolerated else -1

    @property
    def factors(self) -> bool:
        """Whether the values are factors on the baseline's latency or mean."""
        check = self.check
        measured = criteria.is_latency(check) or check.kind == "mean"
        return measured and check.maximum is None and check.minimum is None

    def beyond(self, excess: float) -> float:
        """The candidate that is so much worse than tolerated: relatively, or as a share of all."""
        if self.factors:
            return self.tolerated * (1.0 + self.direction * excess)
        found = self.tolerated + self.direction * excess
        return min(1.0, max(0.0, found))

    @property
    def most(self) -> float:
        """The largest excess."""
        if self.factors:
            return abs(self.worst / self.tolerated - 1.0)
        return abs(self.worst - self.tolerated)

    def spell(self, value: float) -> str:
        """A candidate's name by its value."""
        if self.factors:
            return f"{(value - 1.0) * 100:+.2g} %"
        if self.check.maximum is None and self.check.minimum is None:
            return f"{(value - self.healthy) * 100:+.2g}pp"
        return spell_share(float(f"{value:.2g}"))


def scale_of(rule: CheckRule, baseline: Baseline) -> Scale:
    """The candidates of a check of which something is known."""
    side, check = rule.shown, rule.check
    if side.relative:
        return _beside(check, side, baseline)
    match side.kind:
        case Kind.AGREEMENT:
            return _objective(check, side, healthy=0.0, crash=1.0)
        case Kind.RATIO:
            return _objective(check, side, baseline.shares[side.name], None)
        case Kind.LATENCY:
            return _objective(check, side, baseline.slower(side.edge or 0), 1.0)
        case _:
            return _objective(check, side, baseline.error_rate.value, 1.0)


def _beside(check: Check, side: Side, baseline: Baseline) -> Scale:
    match side.kind:
        case Kind.LATENCY:
            return _latency(check)
        case Kind.MEAN:
            worst = 0.0 if check.better == "higher" else _SLOWEST
            return replace(_relative(check, 1.0, None), doubled=None, worst=worst)
        case Kind.DRIFT:
            return replace(_relative(check, baseline.class_share, None), doubled=None)
        case Kind.RATIO:
            return _relative(check, baseline.shares[side.name], None)
        case _:
            return _relative(check, baseline.error_rate.value, 1.0)


def _latency(check: Check) -> Scale:
    tolerance, margin = check.tolerance or Allowance(), check.margin
    tolerated = tolerance.ratio
    found = margin is not None and margin.ratio > tolerated
    return Scale(
        check,
        healthy=1.0,
        tolerated=tolerated,
        margin=Effect(_allowed(check, margin), margin.ratio) if found and margin else None,
        doubled=Effect("+50 %", _HALF_SLOWER) if tolerated * _CLEAR < _HALF_SLOWER else None,
        crash=math.inf,
        worst=_SLOWEST,
    )


def _relative(check: Check, base: float, crash: float | None) -> Scale:
    """Of a rate beside the baseline's."""
    better = check.better == "higher"
    tolerated = _moved(check, check.tolerance or Allowance(), base)
    margin = None if check.margin is None else _moved(check, check.margin, base)
    found = margin is not None and margin != tolerated
    twice = 2.0 * base
    return Scale(
        check,
        healthy=base,
        tolerated=tolerated,
        margin=Effect(_allowed(check, check.margin), margin)
        if found and margin is not None
        else None,
        doubled=Effect("doubled", twice)
        if not better and _CLEAR * tolerated < twice <= 1
        else None,
        crash=crash,
        worst=0.0 if better else 1.0,
    )


def _moved(check: Check, allowance: Allowance, base: float) -> float:
    """The rate that an allowance makes of the baseline's."""
    if check.better == "higher":
        return max(0.0, (2.0 - allowance.ratio) * (base - allowance.points))
    moved = allowance.ratio * base + allowance.points
    return moved if check.kind == "mean" else min(1.0, moved)


def _allowed(check: Check, allowance: Allowance | None) -> str:
    sign = "-" if check.better == "higher" else "+"
    return "" if allowance is None else sign + criteria.spell_allowance(check, allowance)


def _objective(check: Check, side: Side, healthy: float, crash: float | None) -> Scale:
    """Of a share against a number: found shall be one that is twice as far from perfect."""
    at_most = side.objective
    twice = 2.0 * at_most - 1.0 if side.upside_down else 2.0 * at_most
    found = min(1.0, max(0.0, twice))
    return Scale(
        check,
        healthy=healthy,
        tolerated=at_most,
        margin=Effect(spell_share(found), found) if found != at_most else None,
        crash=crash,
        worst=0.0 if side.upside_down else 1.0,
    )
