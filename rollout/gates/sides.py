"""One side of one check as a test to run: what it counts, and what its null hypothesis allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from rollout.domain.answers import CompareRule
from rollout.domain.criteria import Check
from rollout.domain.measure import GROWTH, bucket_of, edge
from rollout.domain.units import Allowance
from rollout.gates import criteria
from rollout.stats import grid as grids, slow
from rollout.stats.family import FINE_FAIL, FINE_PASS
from rollout.stats.grid import Grid


class Kind(Enum):
    """What a test looks at."""

    ERRORS = "errors"
    LATENCY = "latency"
    RATIO = "ratio"
    MEAN = "mean"
    BOUNDED = "bounded"
    AGREEMENT = "agreement"
    DRIFT = "drift"
    SHARE = "share"


def grid_of(kind: Kind, *, failing: bool) -> Grid:
    """The alternatives of a test. A custom share may be near one half, where small factors matter."""
    match kind:
        case Kind.RATIO:
            return FINE_FAIL if failing else FINE_PASS
        case Kind.LATENCY if failing:
            return grids.FAIL_SLOW
        case _:
            return grids.FAIL if failing else grids.PASS


COUNTED = (Kind.ERRORS, Kind.LATENCY, Kind.RATIO)
"""The kinds that are events among requests, one pair of counts for each part of the test."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of one check.

    Args:
        key: What its evidence is filed under.
        relative: Two arms; else the candidate against ``objective``.
        quantiles: For relative latency, where the edges are drawn; empty: the test needs none.
        allowance: For relative tests, what the null allows.
        objective: For absolute tests, the allowed share of events, or the allowed mean.
        shift: For relative latency, buckets between the baseline's edge and the candidate's.
        edge: For absolute latency, the bucket above which a request is slow; None: events are
            errors, or slow relative to the baseline.
        factor, limit: For latency where only percentiles are published: of relative latency, what
            the baseline's may be multiplied by; of absolute latency, what is not slow, seconds.
        kind: What it looks at.
        failing: Whether it argues against the candidate; else for a pass.
        name: Which custom metric, prediction or comparison it looks at.
        low, high: Of a bounded mean, the least and the largest value.
        upside_down: More is better: the test sees the negative values.
    """

    key: str
    relative: bool
    quantiles: tuple[float, ...] = ()
    allowance: Allowance = field(default_factory=Allowance)
    objective: float = 0.0
    shift: int = 0
    edge: int | None = None
    factor: float = 1.0
    limit: float = 0.0
    kind: Kind = Kind.ERRORS
    failing: bool = True
    name: str = ""
    low: float = 0.0
    high: float = 0.0
    upside_down: bool = False

    @property
    def latency(self) -> bool:
        """Whether the events come from a latency histogram."""
        return self.kind is Kind.LATENCY

    @property
    def misses(self) -> bool:
        """Whether a share of which more is better is seen by what it misses.

        Where a part of the baseline's share is allowed the arms are exchanged instead: misses have
        no such part. Misses of a common event are rare, and rare events tell arms apart sooner.
        """
        return self.upside_down and not (self.relative and self.allowance.ratio != 1.0)

    @property
    def alike(self) -> bool:
        """Whether half of the evidence bets on the candidate being as the baseline was so far.

        Of latency it is not known what share of the baseline's answers is beyond a raised edge.
        """
        return self.relative and not self.failing and self.kind in (Kind.ERRORS, Kind.RATIO)

    @property
    def parts(self) -> int:
        """How many processes the test averages over."""
        return len(self.quantiles) or 1


def sides_of(check: Check) -> tuple[Side | None, Side | None]:
    """The failing and the passing side of a check; None: it has none.

    Raises:
        ValueError: The check has no criteria.
    """
    match kind_of(check):
        case Kind.SHARE:
            return _share(check), None
        case Kind.AGREEMENT:
            return _both(check, Kind.AGREEMENT, name=comparison(check.compare))
        case Kind.DRIFT:
            return _both(check, Kind.DRIFT, name=check.path)
        case Kind.ERRORS | Kind.LATENCY:
            return _absolute(check) if check.maximum is not None else _relative(check)
        case kind:
            return _both(check, kind, name=check.metric)


def kind_of(check: Check) -> Kind:
    """What a check looks at."""
    named = {
        "error_rate": Kind.ERRORS,
        criteria.LATENCY: Kind.LATENCY,
        criteria.REQUESTS: Kind.SHARE,
        criteria.AGREEMENT: Kind.AGREEMENT,
        criteria.DRIFT: Kind.DRIFT,
    }
    if check.metric in named:
        return named[check.metric]
    if check.kind == "ratio":
        return Kind.RATIO
    return Kind.MEAN if check.low is None or check.high is None else Kind.BOUNDED


def comparison(rules: Sequence[CompareRule]) -> str:
    """What agreements by these rules are filed under; empty: by structure alone.

    >>> comparison(()), comparison((CompareRule("$[*]", rel_tolerance=0.01),))
    ('', '$[*] rel 0.01 abs 0.0')
    """
    return "; ".join(
        f"{rule.path} ignored"
        if rule.ignore
        else f"{rule.path} rel {rule.rel_tolerance!r} abs {rule.abs_tolerance!r}"
        + (" unordered" if rule.unordered else "")
        for rule in rules
    )


def _share(check: Check) -> Side:
    allowed = check.tolerance or Allowance()
    return Side(criteria.key(check), relative=False, kind=Kind.SHARE, allowance=allowed)


def _both(check: Check, kind: Kind, *, name: str) -> tuple[Side | None, Side | None]:
    """Both sides of a check whose criteria are one bound, or a tolerance and a margin."""
    side = Side(
        criteria.key(check),
        relative=False,
        kind=kind,
        name=name,
        low=check.low or 0.0,
        high=check.high or 0.0,
    )
    if check.maximum is not None:
        side = replace(side, objective=check.maximum)
        return side, _passing_twin(side)
    if check.minimum is not None:
        side = replace(side, objective=check.minimum, upside_down=True)
        return side, _passing_twin(side)
    if check.tolerance is None and check.margin is None:
        raise ValueError(f"{check.name} has no criteria")
    side = replace(side, relative=True, upside_down=check.better == "higher")
    failing, passing = (
        None if allowed is None else replace(side, allowance=allowed)
        for allowed in (check.tolerance, check.margin)
    )
    return failing, None if passing is None else _passing_twin(passing)


def _passing_twin(side: Side) -> Side:
    return replace(side, failing=False)


def _absolute(check: Check) -> tuple[Side, Side]:
    key, at_most = criteria.key(check), check.maximum or 0.0
    if check.quantile is None:
        side = Side(key, relative=False, objective=at_most)
        return side, _passing_twin(side)
    objective, above = 1.0 - check.quantile, bucket_of(at_most)
    # The failing side counts above an edge that is not below the maximum, the passing side above
    # one that is not beyond it.
    below = above if edge(above) <= at_most * (1.0 + 1e-9) else above - 1
    failing = Side(
        key, relative=False, objective=objective, edge=above, limit=at_most, kind=Kind.LATENCY
    )
    return failing, replace(failing, edge=below, failing=False)


def _relative(check: Check) -> tuple[Side | None, Side]:
    tolerance, margin = check.tolerance, check.margin or check.tolerance
    if margin is None:
        raise ValueError(f"{check.name} has neither tolerance, margin nor maximum")
    return _failing(check, tolerance) if tolerance else None, _passing(check, margin)


def _failing(check: Check, tolerance: Allowance) -> Side:
    if check.quantile is None:
        return Side(_failing_key(check), relative=True, allowance=tolerance)
    return Side(
        _failing_key(check),
        relative=True,
        quantiles=_mixed(check.quantile),
        shift=slow.shift_at_least(tolerance.ratio, GROWTH),
        factor=tolerance.ratio,
        kind=Kind.LATENCY,
    )


def _passing(check: Check, margin: Allowance) -> Side:
    key = criteria.key(check)
    if check.quantile is None:
        return Side(key, relative=True, allowance=margin, failing=False)
    return Side(
        key,
        relative=True,
        quantiles=(check.quantile,),
        shift=slow.shift_at_most(margin.ratio, GROWTH),
        factor=margin.ratio,
        kind=Kind.LATENCY,
        failing=False,
    )


def _mixed(quantile: float) -> tuple[float, ...]:
    """Where the failing side of relative latency looks: the usual four, and the plan's own."""
    return tuple(sorted({*slow.FAIL_QUANTILES, quantile}))


def _failing_key(check: Check) -> str:
    """Equal for checks whose failing sides are equal."""
    only = Check(check.metric, tolerance=check.tolerance)
    if check.quantile is None or check.quantile in slow.FAIL_QUANTILES:
        return criteria.key(only)
    return criteria.key(Check(check.metric, check.quantile, tolerance=check.tolerance))
