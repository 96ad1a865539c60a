"""How evidence grows: a stage is entered, closed intervals come in, each of them once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rollout.domain.measure import NEVER, Arm, Interval
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.gates import tracks
from rollout.gates.evidence import (
    Evidence,
    Latch,
    Record,
    StageState,
    State,
    empty_record,
    empty_track,
    grown,
    opened,
    pack,
    pack_reference,
    present,
    unpack,
    unpack_reference,
)
from rollout.gates.reduce import Batch, Pair, pairs, steps
from rollout.gates.rules import CheckRule, Rules, StageRule
from rollout.stats import grid as grids, ratio, slow
from rollout.stats.counts import Counts, clipped
from rollout.stats.histogram import EMPTY, merged

_NOTHING = Arm()
_SLACK = 1e-6  # seconds; sums of floating-point times


class _Arms(NamedTuple):
    baseline: Arm
    candidate: Arm


def enter(rules: Rules, evidence: Evidence, stage: int) -> Evidence:
    """The evidence as a stage begins to observe, or begins again.

    What argues for a pass starts anew, and so do the stage's counts and its clock. What argues
    against the candidate goes on: a second attempt of a stage continues the first one's process,
    so that trying again does not buy a new chance of a false rollback.

    Args:
        rules: The compiled plan.
        evidence: All evidence so far.
        stage: Index into the plan's stages.
    """
    state, rule = opened(evidence), rules.stages[stage]
    before = state["stage"]
    kept = dict(state["tracks"])
    if before is not None and before["index"] != stage:
        kept = {key: tracks.left(track, before["index"]) for key, track in kept.items()}
    for key, side in rule.failing.items():
        kept[key] = tracks.begun(kept.get(key) or empty_track(side), side, stage)
    entered: StageState = {
        "index": stage,
        "first": None,
        "requests": [0, 0],
        "checks": {check.key: empty_record(check) for check in rule.checks},
        "baseline": pack(EMPTY),
        "candidate": pack(EMPTY),
    }
    new: State = {**state, "tracks": kept, "stage": entered}
    return new


def ingest(rules: Rules, evidence: Evidence, interval: Interval) -> Evidence:
    """The evidence after one closed interval of the present stage.

    An interval that ends no later than the last one was seen already and changes nothing. One
    with a negative count (a counter was reset in it) lets time pass and counts nothing.

    Args:
        rules: The compiled plan.
        evidence: All evidence so far; a stage was entered.
        interval: Both arms' counts; histograms cover the time since the last that came.

    Raises:
        ValueError: No stage was entered yet.
    """
    state = opened(evidence)
    rule, stage = present(rules, state)
    if state["last"] is not None and interval.end <= state["last"]:
        return evidence
    first = interval.start if stage["first"] is None else stage["first"]
    covered = interval.start if state["covered"] is None else state["covered"]
    stage = {**stage, "first": first}
    state = {**state, "last": interval.end, "covered": covered, "stage": stage}
    arms = _Arms(interval.arms.get(BASELINE, _NOTHING), interval.arms.get(CANDIDATE, _NOTHING))
    if any(_broken(arm) for arm in arms):
        return state
    batch = _batch(state, arms, warm=covered + _SLACK >= first + rule.gate.warm_up)
    state = _judged(rules, rule, _counted(state, stage, batch), batch, interval)
    state = _learned(state, arms, interval)
    return _latched(rules, state, interval)


def _broken(arm: Arm) -> bool:
    counts = (arm.latency or {}).values()
    return arm.requests < 0 or arm.errors < 0 or min(counts, default=0) < 0


def _batch(state: State, arms: _Arms, *, warm: bool) -> Batch:
    errors = Pair(candidate=_errors(arms.candidate), baseline=_errors(arms.baseline))
    if not _bears_latency(arms):
        return Batch(errors, None, None)
    reference = unpack_reference(state["reference"])
    latency = (arms.candidate.latency or {}, arms.baseline.latency or {})
    return Batch(errors, latency if warm else None, reference)


def _errors(arm: Arm) -> Counts:
    return clipped(Counts(arm.errors, arm.requests))


def _bears_latency(arms: _Arms) -> bool:
    return any(arm.latency is not None for arm in arms)


def _counted(state: State, stage: StageState, batch: Batch) -> State:
    """The stage's totals and histograms with the batch."""
    served = [stage["requests"][0] + batch.errors.baseline.requests]
    served.append(stage["requests"][1] + batch.errors.candidate.requests)
    stage = {**stage, "requests": served}
    if batch.latency is not None:
        candidate, baseline = batch.latency
        stage["candidate"] = pack(merged(unpack(stage["candidate"]), candidate, NEVER))
        stage["baseline"] = pack(merged(unpack(stage["baseline"]), baseline, NEVER))
    return {**state, "stage": stage}


def _judged(rules: Rules, rule: StageRule, state: State, batch: Batch, interval: Interval) -> State:
    """The tests with the batch."""
    _, stage = present(rules, state)
    counted = {key: found for key, side in rule.failing.items() if (found := pairs(side, batch))}
    fed = {
        key: tracks.fed(
            tracks.track_of(state, rule.failing[key]),
            rule.failing[key],
            found,
            interval.start,
            rules.planned[key],
        )
        for key, found in counted.items()
    }
    checks = {
        check.key: _recorded(
            stage["checks"].get(check.key) or empty_record(check), check, rule, batch, counted
        )
        for check in rule.checks
    }
    return {
        **state,
        "tracks": {**state["tracks"], **fed},
        "stage": {**stage, "checks": {**stage["checks"], **checks}},
    }


def _recorded(
    record: Record,
    check: CheckRule,
    rule: StageRule,
    batch: Batch,
    counted: Mapping[str, Sequence[Pair]],
) -> Record:
    """A check's counts, confidence bounds and passing side with the batch."""
    passing = pairs(check.passing, batch)
    if passing is None:
        return record
    pair = passing[0]
    shown = _shown(check, counted) or pair
    new: Record = {
        **record,
        "baseline": _sum(record["baseline"], shown.baseline),
        "candidate": _sum(record["candidate"], shown.candidate),
        "beyond": record["beyond"] + pair.candidate.events,
    }
    found = None if rule.guard else steps(check.passing, grids.PASS, pair)
    if found is not None:
        new["passing"] = grown(record["passing"], found)
    seen = ratio.steps(shown.candidate, shown.baseline) if check.passing.relative else None
    if seen is not None:
        new["ratio"] = grown(record["ratio"], seen, scale=1e3)
    return new


def _shown(check: CheckRule, counted: Mapping[str, Sequence[Pair]]) -> Pair | None:
    """The counts that a person sees: the failing side's, at the plan's own quantile."""
    if check.failing is None or check.failing.key not in counted:
        return None
    quantiles, wanted = check.failing.quantiles, check.check.quantile
    return counted[check.failing.key][quantiles.index(wanted) if wanted in quantiles else 0]


def _sum(totals: Sequence[int], counts: Counts) -> list[int]:
    return [totals[0] + counts.events, totals[1] + counts.requests]


def _learned(state: State, arms: _Arms, interval: Interval) -> State:
    """The baseline's reference latency with this interval; only the next one may use it."""
    if not _bears_latency(arms):
        return state
    state = {**state, "covered": interval.end}
    if arms.baseline.latency:
        reference = unpack_reference(state["reference"])
        learned = slow.learn(reference, arms.baseline.latency, NEVER, interval.end)
        state["reference"] = pack_reference(learned)
    return state


def _latched(rules: Rules, state: State, interval: Interval) -> State:
    """A failure stays one, whatever comes later."""
    log_e = tracks.combined(rules, state)
    stage = state["stage"]
    if state["latch"] is not None or stage is None or log_e < -math.log(rules.alpha):
        return state
    found = {key: track for key, track in state["tracks"].items() if key in rules.planned}
    decisive = max(found, key=lambda key: found[key]["log_e"])
    latch: Latch = {"key": decisive, "stage": stage["index"], "at": interval.end, "log_e": log_e}
    return {**state, "latch": latch}
