"""What the evidence says about each check of the present stage, as numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rollout.domain.measure import GROWTH, NEVER, edge
from rollout.gates import processes, tracks
from rollout.gates.evidence import (
    Packed,
    Record,
    State,
    Track,
    edges_of,
    empty_record,
    present,
    unpack,
)
from rollout.gates.published import Summary
from rollout.gates.rules import CheckRule, Rules
from rollout.gates.sides import COUNTED, Kind, Side
from rollout.stats import buckets, drift, ratio
from rollout.stats.counts import Counts
from rollout.stats.histogram import quantile

Values = tuple[float | None, float | None]
"""The baseline's and the candidate's."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the evidence of a failing side comes from.

    Args:
        quantile: The part of a latency mixture that has most of it; None: one part only.
        earlier: Whether the whole rollout says more than this stage alone.
        candidate, baseline: Counts of that part over the whole rollout.
    """

    quantile: float | None
    earlier: bool
    candidate: Counts
    baseline: Counts


@dataclass(frozen=True, slots=True)
class Reading:
    """One check's numbers.

    Args:
        rule: The check.
        baseline, candidate: Events and requests of this stage, as the failing side counts them.
        beyond: The candidate's events as the passing side counts them.
        baseline_value, candidate_value: Rates, or quantiles in seconds; None: no data, or no
            answer at that quantile, or none that the buckets' edges reach.
        ratio: Candidate's event rate over the baseline's or the objective; None: undefined.
        low, high: 95 % confidence sequence for it (of a mean: for the difference); ``high`` None:
            unbounded so far.
        log_e: Log evidence against the candidate, whole rollout.
        log_s: Log evidence for a pass, this stage.
        origin: Where ``log_e`` comes from; None: the check has no failing side.
        worst: The field or class with most evidence against the candidate; empty: none.
        minutes: Of latency that was published by the minute; events and requests are minutes then.
        reach: Of latency in buckets that are not ours: the baseline's and the candidate's last edge,
            seconds; None: the buckets are ours.
    """

    rule: CheckRule
    baseline: Counts
    candidate: Counts
    beyond: int
    baseline_value: float | None
    candidate_value: float | None
    ratio: float | None
    low: float | None
    high: float | None
    log_e: float
    log_s: float
    origin: Origin | None
    worst: str = ""
    minutes: Summary | None = None
    reach: Values = (None, None)

    @property
    def counted(self) -> bool:
        """Whether there is data for the check in this stage."""
        compared = self.baseline.requests > 0 or not self.rule.shown.relative
        return compared and self.candidate.requests > 0


def read(rules: Rules, state: State) -> tuple[Reading, ...]:
    """The numbers of every check of the present stage, in the gate's order."""
    rule, stage = present(rules, state)
    latency = (stage["baseline"], stage["candidate"])
    records = stage["checks"]
    return tuple(
        _reading(state, check, records.get(check.key) or empty_record(check), latency)
        for check in rule.checks
    )


def _reading(
    state: State, rule: CheckRule, record: Record, latency: tuple[Packed, Packed]
) -> Reading:
    baseline, candidate = Counts(*record["baseline"]), Counts(*record["candidate"])
    values = _values(rule, record, latency)
    track = tracks.track_of(state, rule.failing) if rule.failing else None
    point, low, high = _compared(rule, record, values)
    return Reading(
        rule=rule,
        baseline=baseline,
        candidate=candidate,
        beyond=record["beyond"],
        baseline_value=values[0],
        candidate_value=values[1],
        ratio=point,
        low=low,
        high=high,
        log_e=track["log_e"] if track else 0.0,
        log_s=_log_s(rule, record),
        origin=_origin(rule.failing, track) if rule.failing and track else None,
        worst=_worst(rule.failing, track) if rule.failing and track else "",
        minutes=record.get("minutes"),
        reach=(_reach(latency[0]), _reach(latency[1])) if rule.shown.latency else (None, None),
    )


def _log_s(rule: CheckRule, record: Record) -> float:
    """Log evidence for a pass; infinite for a check that stands in no pass's way."""
    side = rule.passing
    return math.inf if side is None else processes.log_e(side, record["passing"])


def _worst(side: Side, track: Track) -> str:
    named = side.kind in (Kind.AGREEMENT, Kind.DRIFT)
    return processes.worst(side, track["start"]) if named else ""


def rate(counts: Counts) -> float | None:
    """Events per request; None without requests."""
    return counts.events / counts.requests if counts.requests else None


def _values(rule: CheckRule, record: Record, latency: tuple[Packed, Packed]) -> Values:
    """The baseline's and the candidate's value, as the check's metric is read."""
    baseline, candidate = Counts(*record["baseline"]), Counts(*record["candidate"])
    side = rule.shown
    match side.kind:
        case Kind.LATENCY if "minutes" in record:
            found = record["minutes"]
            theirs = _mean(sum(found["baseline"][2:]), baseline.requests)
            return theirs, _mean(sum(found["candidate"][2:]), candidate.requests)
        case Kind.LATENCY:
            mine = _quantile(rule, latency[1])
            return (_quantile(rule, latency[0]) if side.relative else None), mine
        case Kind.MEAN | Kind.BOUNDED:
            sums = record.get("sums", [0.0, 0.0])
            theirs = _mean(sums[1], baseline.requests) if side.relative else None
            return theirs, _mean(sums[0], candidate.requests)
        case Kind.DRIFT:
            classes = record.get("classes") or [{}, {}]
            return None, drift.psi(*classes) if all(classes) else None
        case Kind.AGREEMENT:
            return rate(baseline), rate(candidate)
        case _:
            return (rate(baseline) if side.relative else None), rate(candidate)


def _mean(total: float, count: int) -> float | None:
    return total / count if count else None


def _quantile(rule: CheckRule, packed: Packed) -> float | None:
    histogram, share, edges = unpack(packed), rule.check.quantile or 0.0, edges_of(packed)
    if edges:
        found = dict(enumerate(histogram.counts, histogram.first))
        return buckets.quantile(edges, {**found, NEVER: histogram.never}, share)
    bucket = quantile(histogram, share)
    # The middle of the bucket, at most 1 % off.
    return None if bucket is None else edge(bucket) / math.sqrt(GROWTH)


def _reach(packed: Packed) -> float | None:
    edges = edges_of(packed)
    return edges[-1] if edges else None


def _compared(
    rule: CheckRule, record: Record, values: Values
) -> tuple[float | None, float | None, float | None]:
    """What the arms, or arm and objective, differ by, with 95 % confidence bounds."""
    side = rule.shown
    if side.kind in (Kind.MEAN, Kind.BOUNDED):
        return _difference(record, values)
    if side.kind in (Kind.DRIFT, Kind.SHARE) or "minutes" in record:
        return None, None, None
    baseline, candidate = Counts(*record["baseline"]), Counts(*record["candidate"])
    found, base = rate(candidate), rate(baseline)
    if not side.relative:
        if found is None or side.objective <= 0:
            return None, None, None
        low, high = ratio.rate_bounds(candidate)
        return found / side.objective, low / side.objective, high / side.objective
    if found is None or base is None:
        return None, None, None
    low, high = ratio.bounds(record["ratio"])
    return found / base if base else None, low, high if math.isfinite(high) else None


def _difference(record: Record, values: Values) -> tuple[float | None, float | None, float | None]:
    """Of means: the ratio, and bounds of the difference."""
    base, found = values
    point = found / base if base and found is not None else None
    if record.get("means") is None:
        return point, None, None
    low, high = processes.bounds(record["means"])
    finite = math.isfinite(low) and math.isfinite(high)
    return point, *((low, high) if finite else (None, None))


def _origin(side: Side, track: Track) -> Origin | None:
    if side.kind not in COUNTED or processes.is_published(track["start"]):
        return None
    start = processes.part_log_e(side, track["start"])
    stage = [track["offset"] + value for value in processes.part_log_e(side, track["stage"])]
    best = [max(pair) for pair in zip(start, stage, strict=True)]
    at = best.index(max(best))
    return Origin(
        quantile=side.quantiles[at] if side.quantiles else None,
        earlier=max(start) > max(stage),
        candidate=Counts(track["candidate"][at + 1], track["candidate"][0]),
        baseline=Counts(track["baseline"][at + 1], track["baseline"][0]),
    )
