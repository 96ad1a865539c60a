"""Latency that a source publishes as percentiles, minute by minute: minutes apart, and a test's state.

A minute is judged by itself, for its own split and its own load: what was published of two minutes
cannot be added up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypedDict

from rollout.domain.measure import Arm, Interval, Published
from rollout.gates.sides import Side
from rollout.stats import grid as grids, percentile_limit, percentiles
from rollout.stats.percentile_limit import Limit
from rollout.stats.percentiles import Comparison, Minute

MINUTE = 60.0  # seconds
_FINE = 1e6  # a log likelihood ratio is cut down to one part in so many


class Minutes(NamedTuple):
    """The same minute of both arms; None: the source has no data of it."""

    candidate: Minute | None
    baseline: Minute | None


class Summary(TypedDict):
    """A check's minutes in a stage, as people read them.

    ``counted`` of them have the check's percentile, in ``beyond`` the candidate was slower than it
    may be; of each arm the least, the largest and the sum of the values, seconds.
    """

    counted: int
    beyond: int
    candidate: list[float]
    baseline: list[float]


def apart(interval: Interval) -> Iterator[tuple[Interval, bool]]:
    """The interval's minutes, each with whether both arms' requests are known; else itself.

    What belongs to no minute (answers) goes with the last one.
    """
    if not any(arm.published for arm in interval.arms.values()):
        yield interval, True
        return
    by_role = {
        role: {each.start: each for each in arm.published} for role, arm in interval.arms.items()
    }
    starts = sorted({start for minutes in by_role.values() for start in minutes})
    for start in starts:
        arms = {role: _arm(minutes[start]) for role, minutes in by_role.items() if start in minutes}
        known = len(arms) > 1 and all(
            minutes[start].requests is not None for minutes in by_role.values() if start in minutes
        )
        minute = Interval(start, min(start + MINUTE, interval.end), arms)
        yield (minute if start != starts[-1] else _with_the_rest(minute, interval)), known


def _arm(minute: Published) -> Arm:
    return Arm(minute.requests or 0, minute.errors, published=(minute,))


def _with_the_rest(minute: Interval, whole: Interval) -> Interval:
    arms = {
        role: replace(minute.arms.get(role, Arm()), outputs=arm.outputs, sums=arm.sums)
        for role, arm in whole.arms.items()
        if role in minute.arms or arm.outputs or arm.sums
    }
    return replace(minute, arms=arms, agreement=whole.agreement)


def minutes_of(candidate: Arm, baseline: Arm) -> Minutes | None:
    """What both arms published in a minute; None: neither did."""
    found = Minutes(*(_minute(arm) for arm in (candidate, baseline)))
    return None if found.candidate is None and found.baseline is None else found


def _minute(arm: Arm) -> Minute | None:
    if not arm.published:
        return None
    newest = arm.published[-1]
    return Minute(newest.values, newest.requests)


# --- the state of a test ------------------------------------------------------------


def tells(side: Side, minutes: Minutes) -> bool:
    """Whether a minute has something for a test; one that lacks an arm has nothing to compare."""
    return minutes.candidate is not None and not (side.relative and minutes.baseline is None)


def fed(side: Side, process: Mapping[str, Any] | None, minutes: Minutes) -> dict[str, Any]:
    """A test's state after one more minute; None begins it."""
    candidate, baseline = minutes
    if candidate is None or (side.relative and baseline is None):
        return dict(process or {})
    if not side.relative or baseline is None:
        limit = _limit(side)
        before = percentile_limit.start(limit) if not process else _limited(process)
        held = percentile_limit.update(limit, before, candidate)
        return {"rank": _cut(held.rank), "sign": _cut(held.sign)}
    comparison = _comparison(side)
    old = percentiles.start(comparison) if not process else _compared(process)
    new = percentiles.update(comparison, old, candidate, baseline)
    return {
        "rank": [_cut(part) for part in new.rank],
        "sign": [_cut(part) for part in new.sign],
        "shift": [list(sums) for sums in new.shift],
    }


def log_e(side: Side, process: Mapping[str, Any]) -> float:
    """Logarithm of a test's evidence."""
    if not process:
        return 0.0
    if side.relative:
        return percentiles.log_e(_comparison(side), _compared(process))
    return percentile_limit.log_e(_limit(side), _limited(process))


def _comparison(side: Side) -> Comparison:
    return Comparison(_grid(side), side.quantiles, side.factor)


def _limit(side: Side) -> Limit:
    return Limit(_grid(side), 1.0 - side.objective, side.limit)


def _grid(side: Side) -> grids.Grid:
    # Signs and ranks jump by factors of 2 and more, which is what FAIL bets on.
    return grids.FAIL if side.failing else grids.PASS


def _compared(process: Mapping[str, Any]) -> percentiles.State:
    return percentiles.State(process["rank"], process["sign"], process["shift"])


def _limited(process: Mapping[str, Any]) -> percentile_limit.State:
    return percentile_limit.State(process["rank"], process["sign"])


def _cut(values: Sequence[float]) -> list[float]:
    """Cut down, never up."""
    return [math.floor(value * _FINE) / _FINE for value in values]


# --- as people read it ----------------------------------------------------------------


class Noted(TypedDict, total=False):
    """What a check's record has of its minutes; empty where its percentile was never published.

    Events and requests are minutes: a percentile does not tell requests apart.
    """

    minutes: Summary
    candidate: list[int]
    baseline: list[int]


def noted(summary: Summary | None, side: Side, quantile: float, minutes: Minutes) -> Noted:
    """A check's minutes with one more."""
    found = _summed(summary, side, quantile, minutes)
    if found is None:
        return {}
    counted = found["counted"]
    return {
        "minutes": found,
        "candidate": [found["beyond"], counted],
        "baseline": [0, counted if side.relative else 0],
    }


def _summed(
    summary: Summary | None, side: Side, quantile: float, minutes: Minutes
) -> Summary | None:
    values = [
        None if arm is None else percentiles.seconds_of(arm, quantile)
        for arm in (minutes.candidate, minutes.baseline)
    ]
    mine, theirs = values
    if mine is None or (side.relative and theirs is None):
        return summary
    most = side.factor * theirs if side.relative and theirs is not None else side.limit
    old = summary or Summary(counted=0, beyond=0, candidate=[], baseline=[])
    return {
        "counted": old["counted"] + 1,
        "beyond": old["beyond"] + (mine > most),
        "candidate": _spread(old["candidate"], mine),
        "baseline": old["baseline"] if theirs is None else _spread(old["baseline"], theirs),
    }


def _spread(old: Sequence[float], value: float) -> list[float]:
    if not old:
        return [value, value, value]
    least, most, total = old
    return [min(least, value), max(most, value), total + value]
