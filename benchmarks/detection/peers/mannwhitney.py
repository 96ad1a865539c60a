"""Kayenta's Mann-Whitney test: the confidence interval of a shift, by root finding.

Source: spinnaker/kayenta at a69573b, kayenta-mannwhitney (MannWhitney.scala, BrentSolver.java),
root tolerance included: it is absolute, 1e-4.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from benchmarks.detection.conditions import Floats

TOLERANCE = 1e-4
_EPSILON = 2.220446049250313e-16
_ROUNDS = 1000


def score(shift: float, experiment: Floats, control: Floats) -> float:
    """The normal score of the rank sum of ``experiment - shift`` among both samples.

    Falls as the shift grows. Corrected for continuity and for ties.

    >>> round(score(0.0, np.array([3.0, 4.0]), np.array([1.0, 2.0])), 4)
    1.1619
    """
    mine, theirs = len(experiment), len(control)
    both = np.concatenate([experiment - shift, control])
    _, place, ties = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[place]
    above = float(ranks[:mine].sum()) - mine * (mine + 1) / 2 - mine * theirs / 2
    everyone = mine + theirs
    tied = float((ties.astype(float) ** 3 - ties).sum()) / (everyone * (everyone - 1))
    deviation = math.sqrt(mine * theirs / 12 * (everyone + 1 - tied))
    if deviation == 0:
        return 0.0
    return (above - math.copysign(0.5, above) * (above != 0)) / deviation


def shift_at(wanted: float, experiment: Floats, control: Floats) -> float:
    """The shift at which the score is as wanted, or the end of the possible shifts."""
    low, high = experiment.min() - control.max(), experiment.max() - control.min()

    def off(shift: float) -> float:
        return score(shift, experiment, control) - wanted

    if off(low) <= 0:
        return float(low)
    if off(high) >= 0:
        return float(high)
    return brent(float(low), float(high), off)


def brent(low: float, high: float, value: Callable[[float], float]) -> float:
    """A root between low and high, as Kayenta's BrentSolver finds it (it is R's zeroin).

    >>> abs(brent(0.0, 2.0, lambda at: 2.0 - at * at) - math.sqrt(2)) < 1e-4
    True
    """
    last, here = low, high
    f_last, f_here = value(last), value(here)
    across, f_across = last, f_last
    for _ in range(_ROUNDS):
        before = here - last
        if abs(f_across) < abs(f_here):
            last, here, across = here, across, here
            f_last, f_here, f_across = f_here, f_across, f_here
        least = 2 * _EPSILON * abs(here) + TOLERANCE / 2
        step = (across - here) / 2
        if abs(step) <= least or f_here == 0:
            break
        if abs(before) >= least and abs(f_last) > abs(f_here):
            step = _interpolated((last, here, across), (f_last, f_here, f_across), before, least)
        if abs(step) < least:
            step = math.copysign(least, step)
        last, f_last = here, f_here
        here += step
        f_here = value(here)
        if f_here * f_across > 0:
            across, f_across = last, f_last
    return here


def _interpolated(
    places: tuple[float, float, float],
    values: tuple[float, float, float],
    before: float,
    least: float,
) -> float:
    """The step of a linear or inverse quadratic interpolation, or half the way if that is bad."""
    last, here, across = places
    f_last, f_here, f_across = values
    wide = across - here
    if last == across:
        part = f_here / f_last
        top, bottom = wide * part, 1.0 - part
    else:
        q, t1, t2 = f_last / f_across, f_here / f_across, f_here / f_last
        top = t2 * (wide * q * (q - t1) - (here - last) * (t1 - 1.0))
        bottom = (q - 1.0) * (t1 - 1.0) * (t2 - 1.0)
    if top > 0:
        bottom = -bottom
    top = abs(top)
    near = top < 0.75 * wide * bottom - abs(least * bottom) / 2
    return top / bottom if near and top < abs(before * bottom / 2) else wide / 2
