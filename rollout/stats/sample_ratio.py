"""Sample-ratio mismatch: do the deployments get the shares of requests that the plan says?

A mismatch means that the arms do not see the same traffic, so that no comparison can be trusted:
an error of the measurement, and neither for nor against the candidate.

Validity. In an interval each request goes to a deployment with a probability within ``tolerance``
of its planned share, given the past; the plan may change from interval to interval (the interval
that mixes two splits is left out). For each deployment "the share is at most the planned one plus
the tolerance" and "at least the planned one minus it" are one-arm tests (`objective`) with a null
of their own for each interval; the mean over both sides of all deployments is an e-process. One
deployment's mismatch is another's, so little is lost by averaging.

The tolerance keeps a split that a platform rounds by a hundredth of a point from being a mismatch
at a billion requests. Sessions that stick to a deployment make the counts jump; divide the steps by
their dispersion (`dispersion.scaled`).

The alternatives are a grid of their own: a share that is wrong by a hundredth is a mismatch, while
the grids of `grid` begin where an event rate is wrong by a tenth or more. A Dirichlet mixture has
no margin to test, and its log gamma functions lose a thousandth at 1e12 counts.

Source: M. Lindon, A. Malek, Anytime-valid inference for multinomial count data, NeurIPS 2022
(arXiv 2011.03567), for the sequential test; A. Fabijan et al., Diagnosing sample ratio mismatch in
online controlled experiments, KDD 2019, for what a mismatch means.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from rollout.stats import grid as grids, objective
from rollout.stats.counts import Counts
from rollout.stats.grid import Grid

GRID_ID = "24s"  # part of what is stored, like `grid.GRID_ID`
POINTS, RELATIVE, LEAST = 0.01, 0.1, 0.001  # of the default tolerance

_COUNT, _SMALLEST, _LARGEST = 24, 0.005, 100.0


def _excesses() -> tuple[float, ...]:
    ratio = _LARGEST / _SMALLEST
    return tuple(_SMALLEST * ratio ** (at / (_COUNT - 1)) for at in range(_COUNT))


_LOG_WEIGHTS = (-math.log(_COUNT),) * _COUNT

MORE = Grid(excess=_excesses(), log_weights=_LOG_WEIGHTS)
"""Odds above what the null allows, by 0.5 % to a hundredfold."""
LESS = Grid(
    excess=tuple(-excess / (1.0 + excess) for excess in MORE.excess), log_weights=_LOG_WEIGHTS
)
"""Odds below, by the same factors."""


class Sides(NamedTuple):
    """Log likelihood ratios of one deployment: of a share too large, and of one too small."""

    more: tuple[float, ...]
    less: tuple[float, ...]


def start(deployments: Iterable[str]) -> dict[str, Sides]:
    """The tests before any data."""
    return {name: Sides(grids.start(MORE), grids.start(LESS)) for name in deployments}


def tolerance_of(planned: float) -> float:
    """The default tolerance: a point, or a tenth of a share below ten points, at least 0.1 points.

    Args:
        planned: Share of the requests, 0..1.

    Returns:
        A fraction of all requests.

    >>> tolerance_of(0.5), round(tolerance_of(0.05), 6), round(tolerance_of(0.95), 6)
    (0.01, 0.005, 0.005)
    >>> tolerance_of(0.0)
    0.001
    """
    return max(LEAST, min(POINTS, RELATIVE * min(planned, 1.0 - planned)))


def steps(planned: float, served: Counts, tolerance: float | None = None) -> Sides | None:
    """What one interval adds to the log likelihood ratios of one deployment.

    Args:
        planned: Its share of the requests in this interval, 0..1.
        served: Its requests, and those of all deployments.
        tolerance: Allowed difference of the share, a fraction of 1; None: `tolerance_of` it.

    Returns:
        None without a request.
    """
    allowed = tolerance_of(planned) if tolerance is None else tolerance
    more = objective.steps(MORE, served, planned + allowed)
    less = objective.steps(LESS, served, planned - allowed)
    return None if more is None or less is None else Sides(more, less)


def update(
    sides: Mapping[str, Sides],
    planned: Mapping[str, float],
    requests: Mapping[str, int],
    tolerance: float | None = None,
) -> dict[str, Sides]:
    """The tests after one more interval.

    Args:
        sides: Before it; the deployments tested, at least one.
        planned: Deployment -> share in this interval, 0..1; 0 where it is not named.
        requests: Deployment -> requests. Those of a deployment that is not tested count among all.
        tolerance: As in `steps`.

    >>> sides = update(start(["blue", "green"]), {"blue": 0.9, "green": 0.1}, {"blue": 1000})
    >>> log_e(sides) > 3 * math.log(10)
    True
    """
    total = sum(requests.values())
    new = {}
    for name, before in sides.items():
        found = steps(planned.get(name, 0.0), Counts(requests.get(name, 0), total), tolerance)
        new[name] = before if found is None else added(before, found)
    return new


def added(sides: Sides, found: Sides) -> Sides:
    """The log likelihood ratios of one deployment after an interval that adds ``found``."""
    return Sides(grids.add(sides.more, found.more), grids.add(sides.less, found.less))


def log_e(sides: Mapping[str, Sides]) -> float:
    """Logarithm of the evidence for a mismatch: of the mean over deployments and both sides.

    >>> abs(log_e(start(["blue", "green"]))) < 1e-12
    True
    """
    values = [
        grids.log_e(grid, log_l)
        for more, less in sides.values()
        for grid, log_l in ((MORE, more), (LESS, less))
    ]
    return grids.log_sum(values) - math.log(len(values))
