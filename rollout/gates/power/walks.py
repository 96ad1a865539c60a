"""The walks of a check's tests for a candidate that is as good or as bad as one number says.

The number, `value`, is the candidate's share of events, 0..1: of errors, of slow answers, of a
custom metric's hits, of differing answers, of one class of predictions. Only for latency and means
beside the baseline it is the candidate's over the baseline's, infinite where no request is
answered.
"""

from __future__ import annotations

import math

from rollout.domain.measure import GROWTH
from rollout.gates.power.baseline import MEAN_SPREAD
from rollout.gates.power.setting import Setting
from rollout.gates.reduce import allowed
from rollout.gates.sides import Kind, Side, grid_of
from rollout.stats import counts, drift, grid as grids, means, power
from rollout.stats.counts import Counts
from rollout.stats.family import FINE_FAIL, FINE_PASS
from rollout.stats.grid import Grid
from rollout.stats.passage import Walk
from rollout.stats.power import Traffic

_LONG = 10**9  # requests
_LEAST = 1e-9  # an objective of 0 or 1 has no odds


def walks_of(side: Side, setting: Setting, value: float) -> tuple[Walk, ...]:
    """Of each part of a test: failing needs one of them at its bound, a pass all of them.

    Args:
        side: A test of which something is known.
        setting: The stage's traffic.
        value: The candidate, as above.
    """
    match side.kind:
        case Kind.LATENCY if side.relative:
            return _slow(side, setting, value)
        case Kind.AGREEMENT:
            return _differing(side, setting, value)
        case Kind.MEAN:
            return (_averaged(side, setting, value),)
        case Kind.DRIFT:
            return _drifted(side, setting, value)
        case Kind.RATIO:
            return (_share(side, setting, value),)
        case _:
            base = setting.baseline.error_rate.value
            return (_counted(side, setting, value, base),)


def _counted(side: Side, setting: Setting, rate: float, base: float) -> Walk:
    traffic = setting.traffic(side)
    if not side.relative:
        return power.one_arm(_grid(side), traffic, rate, _inside(side.objective))
    return _two_arms(side, traffic, rate, base)


def _two_arms(side: Side, traffic: Traffic, rate: float, base: float) -> Walk:
    grid, (ratio, points) = _grid(side), allowed(side)
    if side.alike:
        # As if the baseline's past were long: its rate is known.
        past = Counts(round(base * _LONG), _LONG)
        grid = grids.half_each(grid, counts.alike(past, ratio=ratio, points=points))
    return power.two_arms(grid, traffic, rate, base, ratio=ratio, points=points)


def _slow(side: Side, setting: Setting, slowdown: float) -> tuple[Walk, ...]:
    """One walk for each of the baseline's quantiles."""
    baseline, traffic, grid = setting.baseline, setting.traffic(side), _grid(side)
    moved = math.log(slowdown) / math.log(GROWTH)
    found = []
    for quantile in side.quantiles:
        edge = baseline.edge(quantile)
        rate = 1.0 if math.isinf(moved) else baseline.slower(edge + side.shift - moved)
        found.append(power.two_arms(grid, traffic, rate, baseline.slower(edge)))
    return tuple(found)


def _share(side: Side, setting: Setting, share: float) -> Walk:
    """A custom share; where more is better its misses are counted, or the arms exchanged."""
    base, traffic = setting.baseline.shares[side.name], setting.traffic(side)
    if not side.upside_down:
        return _counted(side, setting, share, base)
    if not side.relative:
        return power.one_arm(_grid(side), traffic, 1.0 - share, _inside(1.0 - side.objective))
    if side.misses:
        return _two_arms(side, traffic, 1.0 - share, 1.0 - base)
    return _two_arms(side, _swapped(traffic), base, share)


def _differing(side: Side, setting: Setting, rate: float) -> tuple[Walk, ...]:
    """All answers as a whole; a pass also needs that no single field differs too often."""
    traffic = setting.traffic(side)
    whole = power.one_arm(_grid(side), traffic, rate, _inside(side.objective))
    if side.failing:
        return (whole,)
    return whole, power.pairs(FINE_PASS, traffic, rate, 0.0, points=side.objective)


def _averaged(side: Side, setting: Setting, factor: float) -> Walk:
    """A mean against the baseline's; the arm that varies more stands for both, as in `means`."""
    worst = 2.0 - side.allowance.ratio if side.upside_down else side.allowance.ratio
    beyond = worst - factor if side.upside_down else factor - worst
    grid = means.FAIL if side.failing else means.PASS
    effect = beyond / (MEAN_SPREAD * max(factor, worst))
    return power.averages(grid, setting.traffic(side), effect)


def _drifted(side: Side, setting: Setting, share: float) -> tuple[Walk, ...]:
    """One class that is answered more often; a pass needs every class, in both directions."""
    base, traffic, points = (
        setting.baseline.class_share,
        setting.traffic(side),
        side.allowance.points,
    )
    if side.failing:
        return (power.two_arms(FINE_FAIL, traffic, share, base, points=points),)
    more = power.two_arms(FINE_PASS, traffic, share, base, points=points)
    less = power.two_arms(FINE_PASS, _swapped(traffic), base, share, points=points)
    return (more, less) * round(1.0 / base)


def _swapped(traffic: Traffic) -> Traffic:
    """The arms exchanged."""
    return power.Traffic(traffic.rps, 1.0 - traffic.share, traffic.interval)


def _grid(side: Side) -> Grid:
    return grid_of(side.kind, failing=side.failing)


def _inside(objective: float) -> float:
    return min(max(objective, _LEAST), 1.0 - _LEAST)


def part_weight(side: Side, setting: Setting) -> float:
    """One part's weight in the evidence of a failing test."""
    match side.kind:
        case Kind.AGREEMENT:  # one half is on the whole, the other on the fields
            return 0.5
        case Kind.DRIFT:  # classes found together share one half; each has two directions
            return 0.5 * setting.baseline.class_share / drift.DIRECTIONS
        case _:
            return 1.0 / side.parts
