"""What the evidence says about each check of the present stage, as numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rollout.domain.measure import GROWTH, edge
from rollout.gates import tracks
from rollout.gates.evidence import Record, State, Track, empty_record, present, unpack
from rollout.gates.rules import CheckRule, Rules, Side
from rollout.stats import grid as grids, ratio
from rollout.stats.counts import Counts
from rollout.stats.histogram import Histogram, quantile


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
            answer at that quantile.
        ratio: Candidate's event rate over the baseline's or the objective; None: undefined.
        low, high: 95 % confidence sequence for it; ``high`` None: unbounded so far.
        log_e: Log evidence against the candidate, whole rollout.
        log_s: Log evidence for a pass, this stage.
        origin: Where ``log_e`` comes from; None: the check has no failing side.
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

    @property
    def counted(self) -> bool:
        """Whether there is data for the check in this stage."""
        compared = self.baseline.requests > 0 or not self.rule.passing.relative
        return compared and self.candidate.requests > 0


def read(rules: Rules, state: State) -> tuple[Reading, ...]:
    """The numbers of every check of the present stage, in the gate's order."""
    rule, stage = present(rules, state)
    latency = (unpack(stage["baseline"]), unpack(stage["candidate"]))
    records = stage["checks"]
    return tuple(
        _reading(state, check, records.get(check.key) or empty_record(check), latency)
        for check in rule.checks
    )


def _reading(
    state: State, rule: CheckRule, record: Record, latency: tuple[Histogram, Histogram]
) -> Reading:
    baseline, candidate = Counts(*record["baseline"]), Counts(*record["candidate"])
    point, low, high = _ratio(rule, baseline, candidate, record["ratio"])
    track = tracks.track_of(state, rule.failing) if rule.failing else None
    return Reading(
        rule=rule,
        baseline=baseline,
        candidate=candidate,
        beyond=record["beyond"],
        baseline_value=_value(rule, baseline, latency[0]) if rule.passing.relative else None,
        candidate_value=_value(rule, candidate, latency[1]),
        ratio=point,
        low=low,
        high=high,
        log_e=track["log_e"] if track else 0.0,
        log_s=grids.log_e(grids.PASS, record["passing"]),
        origin=_origin(rule.failing, track) if rule.failing and track else None,
    )


def rate(counts: Counts) -> float | None:
    """Events per request; None without requests."""
    return counts.events / counts.requests if counts.requests else None


def _value(rule: CheckRule, counts: Counts, histogram: Histogram) -> float | None:
    if rule.check.quantile is None:
        return rate(counts)
    bucket = quantile(histogram, rule.check.quantile)
    # The middle of the bucket, at most 1 % off.
    return None if bucket is None else edge(bucket) / math.sqrt(GROWTH)


def _ratio(
    rule: CheckRule, baseline: Counts, candidate: Counts, log_l: list[float]
) -> tuple[float | None, float | None, float | None]:
    """Point and confidence bounds of the candidate's event rate over what it is compared with."""
    found, base = rate(candidate), rate(baseline)
    if not rule.passing.relative:
        objective = rule.passing.objective
        if found is None or objective <= 0:
            return None, None, None
        low, high = ratio.rate_bounds(candidate)
        return found / objective, low / objective, high / objective
    if found is None or base is None:
        return None, None, None
    low, high = ratio.bounds(log_l)
    return found / base if base else None, low, high if math.isfinite(high) else None


def _origin(side: Side, track: Track) -> Origin:
    start = tracks.part_log_e(track["start"])
    stage = [track["offset"] + value for value in tracks.part_log_e(track["stage"])]
    best = [max(pair) for pair in zip(start, stage, strict=True)]
    at = best.index(max(best))
    return Origin(
        quantile=side.quantiles[at] if side.quantiles else None,
        earlier=max(start) > max(stage),
        candidate=Counts(track["candidate"][at + 1], track["candidate"][0]),
        baseline=Counts(track["baseline"][at + 1], track["baseline"][0]),
    )
