"""The one-arm test: events of the candidate alone against an absolute objective.

Likelihood ratios of Bernoulli trials on a grid of odds: an event multiplies by ``p / p0``, a
request without one by ``(1 - p) / (1 - p0)``. Their expectation is linear in the true probability
and 1 at ``p0``, hence at most 1 on the null's whole side, for every interval by itself: the
probability may drift below (or, on the passing side, above) the objective.
"""

from __future__ import annotations

from rollout.stats import grid as grids
from rollout.stats.counts import Counts, clipped
from rollout.stats.grid import Grid

_LEAST = 1e-9  # an objective of 0 or 1 has no odds


def steps(grid: Grid, counts: Counts, objective: float) -> tuple[float, ...] | None:
    """What one interval adds to the log likelihood ratios.

    Args:
        grid: ``FAIL`` tests "the rate is at most the objective", ``PASS`` "at least".
        counts: Events and requests of the interval.
        objective: The allowed event probability, 0..1; 0 and 1 are moved inwards by 1e-9.

    Returns:
        float[len(grid.excess)]; None without a request.
    """
    events, requests = clipped(counts)
    if requests == 0:
        return None
    allowed = min(max(objective, _LEAST), 1.0 - _LEAST)
    return grids.steps(
        grid, share=allowed, rest=1.0 - allowed, hits=events, others=requests - events
    )


def update(
    log_l: tuple[float, ...], grid: Grid, counts: Counts, objective: float
) -> tuple[float, ...]:
    """Log likelihood ratios after one more interval; arguments as in `steps`.

    >>> log_l = update(grids.start(grids.PASS), grids.PASS, Counts(0, 400), 0.01)
    >>> grids.log_e(grids.PASS, log_l) > 2
    True
    """
    found = steps(grid, counts, objective)
    return log_l if found is None else grids.add(log_l, found)
