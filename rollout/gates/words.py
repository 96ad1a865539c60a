"""The sentences of a verdict: value, bound and counts, for a person who was not there."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rollout.domain.units import spell_duration, spell_share
from rollout.gates import criteria
from rollout.gates.case import BETWEEN, NO_DATA, Case
from rollout.gates.evidence import Latch
from rollout.gates.published import Summary
from rollout.gates.readings import Reading, rate
from rollout.gates.sides import Kind
from rollout.stats.counts import Counts

_HUGE = math.log(1e6)
_SHOWN = 60  # characters of a name


def check(case: Case, reading: Reading) -> str:
    """One check in one sentence."""
    if reading.rule.splits:
        return split(case, reading)
    numbers = measured(reading)
    if case.phi > 1.0 and reading.rule.shown.kind is Kind.ERRORS:
        numbers += f", {case.phi:.3g} counted as 1 because the baseline's come in clusters"
    if case.has_failed(reading):
        return f"{numbers}: beyond {_bound(reading, failing=True)}{_origin(reading)}."
    if not reading.counted:
        return f"{_missing(case, reading)}."
    if case.has_passed(reading):
        return f"{numbers}: within {_bound(reading, failing=False)}."
    toward = f"{_percent(case.toward_rollback(reading))} of the evidence for a rollback"
    if not case.rule.guard:
        toward = f"{_percent(case.toward_pass(reading))} of the evidence for a pass, {toward}"
    return f"{numbers}: {toward}."


def failed(case: Case, latch: Latch) -> str:
    """Why the combined evidence means a rollback."""
    bound = f"E = {_evidence(case)} >= {1 / case.rules.alpha:.4g}"
    for reading in case.readings:
        if case.has_failed(reading):
            return f"{reading.rule.check.name} failed ({bound}): {check(case, reading)}"
    return f"{latch['key']} failed in stage {case.rules.stages[latch['stage']].id} ({bound})."


def mismatched(case: Case, reading: Reading) -> str:
    """Why no comparison can be trusted."""
    return (
        f"The arms do not see the traffic that the split says: {split(case, reading)} "
        "Find out who routes it; nothing was judged."
    )


def split(case: Case, reading: Reading) -> str:
    """The candidate's part of the requests beside the planned one."""
    planned, found = case.rule.planned, rate(reading.candidate)
    if planned is None or found is None:
        return "no split to compare with."
    served = f"{reading.candidate.events:,} of {reading.candidate.requests:,}"
    return (
        f"the candidate got {served} requests ({found * 100:.3g} %), planned {planned * 100:.3g} %."
    )


def source_failed(errors: int) -> str:
    """Why nothing is judged."""
    return f"The metrics source failed {errors} times in a row; no verdict without it."


def passed(case: Case) -> str:
    """Why the gate passes: the check that had the least to spare."""
    deciding = [reading for reading in case.readings if reading.rule.decides]
    least = min(deciding, key=lambda reading: reading.log_s)
    after = f"after {spell_duration(case.observed)} and {case.served:,} candidate requests"
    return f"Every check passes {after}; the closest was {_named(case, least)}"


def inconclusive(case: Case, cause: str) -> str:
    """Why the gate's time was not enough."""
    over = f"No verdict after {_limit(case)}"
    if not case.readings:
        return f"{over}: the gate has no check."
    why = {NO_DATA: "no data", BETWEEN: "between tolerance and margin"}.get(
        cause, "not enough traffic"
    )
    if not case.open_readings:
        return f"{over}, {why}: {_minimum(case)}."
    return f"{over}, {why}: {_named(case, _slowest(case))}"


def running(case: Case) -> str:
    """What the gate waits for."""
    if not case.readings:
        return "There is nothing to check."
    if not case.open_readings:
        return f"Every check would pass; {_minimum(case)}."
    extended = case.observed >= case.rule.gate.max_duration
    more = f" Extended: inconclusive after {_limit(case)}." if extended else ""
    return f"{_named(case, _slowest(case))}{more}"


def guarding(case: Case) -> str:
    """What a guard sees."""
    if not case.readings:
        return "Nothing is guarded: the candidate has no traffic yet."
    worst = max(case.readings, key=lambda reading: reading.log_e)
    bound = 1 / case.rules.alpha
    return f"E = {_evidence(case)}, rollback at {bound:.4g}. {_named(case, worst)}"


def measured(reading: Reading) -> str:
    """Values and counts of both arms, and their ratio.

    As in ``baseline 13 of 3,351 (0.388 %), candidate 15 of 376 (3.99 %), ratio 10.3 [4.1, 27]``.
    """
    match reading.rule.shown.kind:
        case Kind.AGREEMENT:
            return _agreement(reading)
        case Kind.DRIFT:
            return _drift(reading)
        case Kind.MEAN | Kind.BOUNDED:
            return _mean(reading)
        case Kind.LATENCY:
            return _latency(reading)
        case _:
            return _events(reading)


def _events(reading: Reading) -> str:
    arms = f"candidate {_counts(reading.candidate)}"
    if not reading.rule.shown.relative:
        return arms
    return f"baseline {_counts(reading.baseline)}, {arms}{_ratio(reading)}"


def _latency(reading: Reading) -> str:
    plan = reading.rule.check
    if reading.minutes is not None:
        return _by_the_minute(reading, reading.minutes)
    arms, at = _events(reading), _percentile(plan.quantile or 0.0)
    theirs = _seconds(reading.baseline_value, reading.reach[0])
    mine = _seconds(reading.candidate_value, reading.reach[1])
    coarse = " as far as the buckets' edges show" if any(reading.reach) else ""
    if plan.maximum is not None:
        limit = criteria.spell_seconds(plan.maximum)
        return f"candidate {at} {mine}, slower than {limit}{coarse}: {arms}"
    values = f"baseline {at} {theirs}, candidate {at} {mine}"
    allowed = plan.tolerance or plan.margin
    more = f" + {criteria.spell_allowance(plan, allowed)} for the candidate" if allowed else ""
    return f"{values}, slower than the baseline's recent {at}{more}{coarse}: {arms}"


def _by_the_minute(reading: Reading, minutes: Summary) -> str:
    """As in ``candidate p99 410ms..980ms by the minute, above 800ms in 2 of 12 minutes``."""
    plan = reading.rule.check
    at = _percentile(plan.quantile or 0.0)
    of = f"in {minutes['beyond']:,} of {minutes['counted']:,} minutes"
    mine = f"candidate {at} {_range(minutes['candidate'])}"
    if plan.maximum is not None:
        return f"{mine} by the minute, above {criteria.spell_seconds(plan.maximum)} {of}"
    allowed = plan.tolerance or plan.margin
    more = f" + {criteria.spell_allowance(plan, allowed)}" if allowed else ""
    theirs = f"baseline {at} {_range(minutes['baseline'])}"
    return f"{theirs}, {mine} by the minute, slower than the baseline's{more} {of}"


def _range(spread: Sequence[float]) -> str:
    least, most = (criteria.spell_seconds(value) for value in spread[:2])
    return least if least == most else f"{least}..{most}"


def _agreement(reading: Reading) -> str:
    noise = reading.baseline.requests
    text = f"{_counts(reading.candidate)} answers differ"
    if noise:
        text += f"; the baseline's own second answers: {_counts(reading.baseline)}"
    return text + (f"; mostly {_foreign(reading.worst)}" if reading.worst else "")


def _drift(reading: Reading) -> str:
    index = "-" if reading.candidate_value is None else f"{reading.candidate_value:.3f}"
    arms = f"{reading.baseline.requests:,} and {reading.candidate.requests:,} predictions compared"
    moved = f", most of it in {_foreign(reading.worst)}" if reading.worst else ""
    return f"{arms}, PSI {index}{moved}"


def _mean(reading: Reading) -> str:
    plan = reading.rule.check
    found = reading.candidate_value
    mine = "-" if found is None else criteria.spell_value(plan, found)
    arms = f"candidate {mine} over {reading.candidate.requests:,}"
    if reading.baseline_value is None:
        return arms
    text = f"baseline {criteria.spell_value(plan, reading.baseline_value)}, {arms}"
    if reading.low is None or reading.high is None:
        return text
    return f"{text}, difference [{reading.low:.3g}, {reading.high:.3g}]"


def _foreign(name: str) -> str:
    """A name out of an answer; whoever prints it makes it harmless."""
    return repr(name[:_SHOWN])


def _named(case: Case, reading: Reading) -> str:
    return f"{reading.rule.check.name}: {check(case, reading)}"


def _slowest(case: Case) -> Reading:
    """The open check that is furthest from a pass."""
    return min(case.open_readings, key=lambda reading: (reading.counted, reading.log_s))


def _counts(counts: Counts) -> str:
    share = rate(counts)
    shown = "" if share is None else f" ({share * 100:.3g} %)"
    return f"{counts.events:,} of {counts.requests:,}{shown}"


def _ratio(reading: Reading) -> str:
    if reading.low is None:
        return ""
    if reading.ratio is None or reading.high is None:
        return f", ratio at least {reading.low:.2g}" if reading.low > 0 else ""
    return f", ratio {reading.ratio:.3g} [{reading.low:.2g}, {reading.high:.2g}]"


def _bound(reading: Reading, *, failing: bool) -> str:
    plan = reading.rule.check
    if plan.maximum is not None and plan.quantile is not None and reading.minutes is None:
        return f"the {spell_share(1 - plan.quantile)} that may be"
    for word, bound in (("maximum", plan.maximum), ("minimum", plan.minimum)):
        if bound is not None:
            return f"the {word} of {criteria.spell_value(plan, bound)}"
    sides = [("margin", plan.margin), ("tolerance", plan.tolerance)]
    return next(
        f"the {word} of {criteria.spell_allowance(plan, allowance)}"
        for word, allowance in (reversed(sides) if failing else sides)
        if allowance
    )


def _origin(reading: Reading) -> str:
    """Where the evidence came from, if not from the counts just shown."""
    origin = reading.origin
    own = origin is None or origin.quantile in (None, reading.rule.check.quantile)
    if origin is None or (own and reading.counted and not origin.earlier):
        return ""
    at = f" at {_percentile(origin.quantile)}" if origin.quantile is not None else ""
    arms = f"candidate {_counts(origin.candidate)}"
    if reading.rule.shown.relative:
        arms = f"baseline {_counts(origin.baseline)}, {arms}"
    return f"; over the whole rollout{at}: {arms}"


def _missing(case: Case, reading: Reading) -> str:
    if case.served == 0:
        return "no candidate requests yet"
    if reading.rule.shown.kind in (Kind.AGREEMENT, Kind.DRIFT, Kind.MEAN, Kind.BOUNDED):
        return "no answers to look into yet"
    if not reading.rule.shown.latency:
        return "no baseline requests to compare with"
    if case.observed <= case.rule.gate.warm_up:
        return f"warming up, latency counts after {spell_duration(case.rule.gate.warm_up)}"
    return "no latencies to judge yet"


def _minimum(case: Case) -> str:
    gate = case.rule.gate
    if case.served < gate.min_requests:
        return f"{case.served:,} of at least {gate.min_requests:,} candidate requests so far"
    observed, least = spell_duration(case.observed), spell_duration(gate.min_duration)
    return f"{observed} of at least {least} observed so far"


def _limit(case: Case) -> str:
    more, limit = case.rule.gate.on_inconclusive, spell_duration(case.limit)
    if case.limit <= case.rule.gate.max_duration:
        return limit
    each = f"{more.times} x {spell_duration(more.extend_seconds)}"
    return f"{limit} ({spell_duration(case.rule.gate.max_duration)} extended by {each})"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def _percentile(quantile: float) -> str:
    return f"p{quantile * 100:g}"


def _seconds(value: float | None, reach: float | None) -> str:
    if value is not None:
        return criteria.spell_seconds(value)
    return "unanswered" if reach is None else f"above {criteria.spell_seconds(reach)} or unanswered"


def _evidence(case: Case) -> str:
    # Beyond that the number says no more, and it may be too large for a float.
    return f"{math.exp(case.log_e):.3g}" if case.log_e < _HUGE else "over a million"
