"""How evidence grows: a stage is entered, closed intervals come in, each of them once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from rollout.domain.codec import decode, encode
from rollout.domain.measure import NEVER, Arm, Interval, Sums
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.gates import answers, processes, published, tracks
from rollout.gates.evidence import (
    Evidence,
    Latch,
    Record,
    StageState,
    State,
    counted,
    empty_record,
    empty_track,
    opened,
    pack,
    pack_reference,
    present,
    unpack_reference,
)
from rollout.gates.processes import Look
from rollout.gates.reduce import Batch, Classes, Pair, plain
from rollout.gates.rules import CheckRule, Rules, StageRule
from rollout.gates.sides import Kind
from rollout.stats import ratio, slow
from rollout.stats.counts import Counts, clipped
from rollout.stats.histogram import EMPTY

FEW = 4  # candidate requests below which an interval waits for the next one
LONGEST_WAIT = 10.0  # seconds
_NOTHING = Arm()
_SLACK = 1e-6  # seconds; sums of floating-point times


class _Arms(NamedTuple):
    baseline: Arm
    candidate: Arm


def enter(rules: Rules, evidence: Evidence, stage: int, *, guard: bool = False) -> Evidence:
    """The evidence as a stage begins to observe, or begins again.

    What argues for a pass starts anew, and so do the stage's counts and its clock. What argues
    against the candidate goes on: a second attempt of a stage continues the first one's process,
    so that trying again does not buy a new chance of a false rollback.

    Args:
        rules: The compiled plan.
        evidence: All evidence so far.
        stage: Index into the plan's stages.
        guard: Only its failing sides run: the stage is over, and the next one is being entered.
    """
    state, rule = opened(evidence), rules.stages[stage]
    before = state["stage"]
    kept = dict(state["tracks"])
    if before is not None and before["index"] != stage:
        kept = {
            key: tracks.left(track, rules.sides[key], before["index"])
            if key in rules.sides
            else track
            for key, track in kept.items()
        }
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
    if guard:
        entered["guard"] = True
    new: State = {**state, "tracks": kept, "stage": entered}
    return new


def ingest(rules: Rules, evidence: Evidence, interval: Interval) -> Evidence:
    """The evidence after one closed interval of the present stage.

    An interval that ends no later than the last one was seen already and changes nothing. One
    with a negative count (a counter was reset in it) lets time pass and counts nothing. One with
    hardly a request of the candidate waits for the next: the tests judge each interval by its own
    split, and 1 to 3 requests have any split. One of which only minutes are known is judged minute
    by minute. One in which the split was not the stage's own argues against the candidate only.

    Args:
        rules: The compiled plan.
        evidence: All evidence so far; a stage was entered.
        interval: Both arms' counts; histograms cover the time since the last that came.

    Raises:
        ValueError: No stage was entered yet.
    """
    state = opened(evidence)
    _, stage = present(rules, state)
    if state["last"] is not None and interval.end <= state["last"]:
        return evidence
    first = interval.start if stage["first"] is None else stage["first"]
    covered = interval.start if state["covered"] is None else state["covered"]
    stage = {**stage, "first": first}
    state = {**state, "last": interval.end, "covered": covered, "stage": stage}
    if any(_broken(arm) for arm in interval.arms.values()):
        return state
    state = _served(state, interval)
    for part, known in published.apart(interval):
        whole = _whole(state, part)
        if _waits(whole):
            return _with(state, "waiting", encode(whole))
        whole = replace(whole, steady=interval.steady and whole.steady)
        state = _counted(rules, _with(state, "waiting", None), whole, split_known=known)
    return state


def _served(state: State, interval: Interval) -> State:
    """The stage's requests with those of an interval, counted before the interval itself is."""
    stage = state["stage"]
    assert stage is not None  # noqa: S101 - `present` has looked
    arms = _arms(interval)
    served = zip(stage["requests"], arms, strict=True)
    requests = [total + _errors(arm).requests for total, arm in served]
    return {**state, "stage": {**stage, "requests": requests}}


def _with(state: State, key: str, value: object) -> State:
    stage = state["stage"]
    assert stage is not None  # noqa: S101 - `present` has looked
    kept = {name: held for name, held in stage.items() if name != key}
    new = kept if value is None else {**kept, key: value}
    return {**state, "stage": new}  # type: ignore[typeddict-item]  # the same keys, but for one


def _whole(state: State, interval: Interval) -> Interval:
    """The interval with those that wait for it."""
    stage = state["stage"]
    waiting = None if stage is None else stage.get("waiting")
    return interval if waiting is None else decode(Interval, waiting).plus(interval)


def _waits(interval: Interval) -> bool:
    """Never for long: what the arms do at different times must not be compared."""
    served = _arms(interval).candidate.requests
    return served < FEW and interval.end - interval.start < LONGEST_WAIT


def _arms(interval: Interval) -> _Arms:
    return _Arms(interval.arms.get(BASELINE, _NOTHING), interval.arms.get(CANDIDATE, _NOTHING))


def _counted(rules: Rules, state: State, interval: Interval, *, split_known: bool) -> State:
    """The evidence with an interval that waits for no other."""
    rule, stage = present(rules, state)
    arms, first, covered = _arms(interval), stage["first"] or 0.0, state["covered"] or 0.0
    if any(arm.published for arm in arms):
        covered = interval.start  # a minute covers itself, whether or not others came before it
    batch = _batch(state, arms, warm=covered + _SLACK >= first + rule.gate.warm_up)
    planned = rule.planned if split_known and interval.steady else None
    batch = replace(batch, planned=planned, agreement=interval.agreement, steady=interval.steady)
    state = _judged(rules, rule, _remembered(state, stage, batch), batch, interval)
    state = _learned(state, arms, interval)
    return _latched(rules, state, interval)


def _broken(arm: Arm) -> bool:
    counts = (arm.latency or {}).values()
    negative = arm.requests < 0 or arm.errors < 0 or min(counts, default=0) < 0
    return negative or any((each.requests or 0) < 0 or each.errors < 0 for each in arm.published)


def _batch(state: State, arms: _Arms, *, warm: bool) -> Batch:
    batch = Batch(
        errors=Pair(candidate=_errors(arms.candidate), baseline=_errors(arms.baseline)),
        latency=None,
        reference=None,
        outputs=_classes(state, arms),
        sums={
            name: (arms.candidate.sums.get(name, Sums()), arms.baseline.sums.get(name, Sums()))
            for name in {**arms.candidate.sums, **arms.baseline.sums}
        },
        phi=state.get("phi", 1.0),
    )
    if not _bears_latency(arms):
        return batch
    if all(arm.latency is None for arm in arms):
        minutes = published.minutes_of(arms.candidate, arms.baseline)
        return replace(batch, minutes=minutes) if warm else batch
    latency = (arms.candidate.latency or {}, arms.baseline.latency or {})
    edges = (arms.candidate.edges, arms.baseline.edges)
    reference = unpack_reference(state["reference"], arms.baseline.edges)
    return replace(batch, latency=latency if warm else None, edges=edges, reference=reference)


def _classes(state: State, arms: _Arms) -> dict[str, tuple[Classes, Classes]]:
    """Each prediction's answers by class; of one whose classes are not known yet, none."""
    known = state.get("outputs", {})
    return {
        path: (
            answers.classed(arms.candidate.outputs.get(path, {}), known[path]["classes"]),
            answers.classed(arms.baseline.outputs.get(path, {}), known[path]["classes"]),
        )
        for path in {**arms.candidate.outputs, **arms.baseline.outputs}
        if "classes" in known.get(path, {})
    }


def _errors(arm: Arm) -> Counts:
    return clipped(Counts(arm.errors, arm.requests))


def _bears_latency(arms: _Arms) -> bool:
    return any(arm.latency is not None or arm.published for arm in arms)


def _remembered(state: State, stage: StageState, batch: Batch) -> State:
    """The stage's histograms with the batch."""
    if batch.latency is None:
        return state
    (candidate, baseline), (mine, theirs) = batch.latency, batch.edges
    histograms = {
        "candidate": counted(stage["candidate"], candidate, mine),
        "baseline": counted(stage["baseline"], baseline, theirs),
    }
    return {**state, "stage": {**stage, **histograms}}  # type: ignore[typeddict-item]


def _judged(rules: Rules, rule: StageRule, state: State, batch: Batch, interval: Interval) -> State:
    """The tests with the batch."""
    _, stage = present(rules, state)
    seen = {
        key: found
        for key, side in rule.failing.items()
        if (found := processes.look(side, batch)) is not None
    }
    fed = {
        key: tracks.fed(
            tracks.track_of(state, rule.failing[key]),
            rule.failing[key],
            found,
            interval.start,
            rules.uses[key],
        )
        for key, found in seen.items()
    }
    checks = {
        check.key: _recorded(
            stage["checks"].get(check.key) or empty_record(check), check, rule, batch, seen
        )
        for check in rule.checks
    }
    return {
        **state,
        "tracks": {**state["tracks"], **fed},
        "stage": {**stage, "checks": {**stage["checks"], **checks}},
    }


def _recorded(
    record: Record, check: CheckRule, rule: StageRule, batch: Batch, seen: Mapping[str, Look]
) -> Record:
    """A check's counts, confidence bounds and passing side with the batch."""
    found = processes.look(check.passing, batch) if check.passing else _shown(check, seen)
    if found is None:
        return record
    new = _summed(record, check, found, _shown(check, seen) or found)
    if check.passing is None or rule.guard or not batch.steady:
        return new
    return {**new, "passing": processes.fed(check.passing, record["passing"], found)}


def _shown(check: CheckRule, seen: Mapping[str, Look]) -> Look | None:
    """The counts that a person sees: the failing side's."""
    return seen.get(check.failing.key) if check.failing else None


def _summed(record: Record, check: CheckRule, found: Look, shown: Look) -> Record:
    """A check's totals with what an interval has for it."""
    match check.shown.kind:
        case Kind.AGREEMENT:
            return _compared(record, found)
        case Kind.DRIFT:
            candidate, baseline = found.both
            totals = record.get("classes") or [{}, {}]
            classes = [_plus(totals[0], candidate), _plus(totals[1], baseline)]
            served = [sum(candidate.values()), sum(baseline.values())]
            return {
                **record,
                "classes": classes,
                "candidate": [0, record["candidate"][1] + served[0]],
                "baseline": [0, record["baseline"][1] + served[1]],
            }
        case Kind.MEAN | Kind.BOUNDED:
            means = processes.shown_means(record.get("means"), *found.both)
            served = [each.count for each in found.both]
            return {
                **record,
                "means": means,
                "sums": [
                    before + each.total
                    for before, each in zip(record.get("sums", [0.0, 0.0]), found.both, strict=True)
                ],
                "candidate": [0, record["candidate"][1] + served[0]],
                "baseline": [0, record["baseline"][1] + served[1]],
            }
        case _ if found.minutes is not None:
            side, at = check.failing or check.shown, check.check.quantile or 0.0
            more = published.noted(record.get("minutes"), side, at, found.minutes)
            return {**record, **more}
        case _:
            return _events(record, check, found, shown)


def _plus(totals: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {name: totals.get(name, 0) + more.get(name, 0) for name in {**totals, **more}}


def _compared(record: Record, found: Look) -> Record:
    pairs = found.agreement
    assert pairs is not None  # noqa: S101 - `look` gives one to this kind
    differing = pairs.differing if pairs.noisy is None else pairs.only_candidate
    noise = Counts(pairs.only_noise, 0 if pairs.noisy is None else pairs.compared)
    return {
        **record,
        "candidate": _sum(record["candidate"], Counts(differing, pairs.compared)),
        "baseline": _sum(record["baseline"], noise),
        "beyond": record["beyond"] + differing,
    }


def _events(record: Record, check: CheckRule, found: Look, shown: Look) -> Record:
    """Events among requests: the failing side's, at the plan's own quantile."""
    quantiles = check.failing.quantiles if check.failing else ()
    wanted = check.check.quantile
    part = plain(check.shown, shown.pairs[quantiles.index(wanted) if wanted in quantiles else 0])
    new: Record = {
        **record,
        "baseline": _sum(record["baseline"], part.baseline),
        "candidate": _sum(record["candidate"], part.candidate),
        "beyond": record["beyond"] + found.pairs[0].candidate.events,
    }
    known = ratio.steps(part.candidate, part.baseline) if record["ratio"] else None
    if known is not None:
        new["ratio"] = processes.grown(record["ratio"], known, scale=1e3)
    return new


def _sum(totals: Sequence[int], counts: Counts) -> list[int]:
    return [totals[0] + counts.events, totals[1] + counts.requests]


def _learned(state: State, arms: _Arms, interval: Interval) -> State:
    """What the baseline's past says, with this interval; only the next one may use it."""
    if arms.baseline.outputs:
        state = _sorted(state, arms)
    if not _bears_latency(arms):
        return state
    state = {**state, "covered": interval.end}
    if arms.baseline.latency:
        edges = arms.baseline.edges
        reference = unpack_reference(state["reference"], edges)
        learned = slow.learn(reference, arms.baseline.latency, NEVER, interval.end)
        state["reference"] = pack_reference(learned, edges)
    return state


def _sorted(state: State, arms: _Arms) -> State:
    """Predictions whose classes become known by the baseline's answers up to this interval."""
    known = dict(state.get("outputs", {}))
    for path, found in arms.baseline.outputs.items():
        if "classes" in known.get(path, {}):
            continue
        seen = _plus(known.get(path, {}).get("seen", {}), found)
        classes = answers.binned(seen)
        known[path] = {"seen": seen} if classes is None else {"classes": classes}
    return {**state, "outputs": known}


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
