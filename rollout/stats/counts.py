"""The two-arm test: events of a candidate against events of a baseline, interval by interval.

Validity. In an interval the baseline serves ``n_b`` requests with event probability ``lam``, the
candidate ``n_c`` with ``mu``; ``lam`` may change from interval to interval in any way (drift, time
of day, an outage that both arms share), and so may ``n_c`` and ``n_b``. Null hypothesis:
``mu <= ratio * lam + points``. With ``theta(f) = n_c f / (n_c f + n_b)``, an alternative
``g > 1``, ``a = theta(ratio g) / theta(ratio)``, ``r = (1 - theta(ratio g)) / (1 - theta(ratio))``
and ``m = n_b points / ratio``, the factor ``a**x_c * r**x_b * exp(m (r - 1))`` has an expectation
of at most 1, whatever ``lam`` is: for ``lam' = lam + points / ratio``, since
``E[a**x_c] = (1 + mu (a - 1))**n_c <= exp(n_c mu (a - 1))`` and likewise for ``r``, it is at most
``exp(lam' [n_c ratio (a - 1) + n_b (r - 1)]) = exp(0)``. The product over intervals, and any fixed
mixture of such products, also of some whose ``g`` is chosen anew for each interval by what was
before it (`alike`), therefore is an e-process: under the null it ever reaches ``1 / alpha``
with a probability of at most ``alpha`` (Ville), however often one looks. ``g < 1`` gives the
mirrored test of ``mu >= ratio * lam + points``, which is what a pass must reject.

Source: own form of the conditional binomial test of M. Lindon, A. Malek, Anytime-valid inference
for multinomial count data, NeurIPS 2022 (arXiv 2011.03567); J. Ville, Etude critique de la notion
de collectif, 1939.
"""

from __future__ import annotations

from typing import NamedTuple

from rollout.stats import grid as grids
from rollout.stats.grid import Grid


class Counts(NamedTuple):
    """Events among the requests of one arm."""

    events: int
    requests: int


NOBODY = Counts(0, 0)


def clipped(counts: Counts) -> Counts:
    """The counts with both numbers made possible: ``0 <= events <= requests``.

    >>> clipped(Counts(5, 3)), clipped(Counts(-1, -1))
    (Counts(events=3, requests=3), Counts(events=0, requests=0))
    """
    if 0 <= counts.events <= counts.requests:
        return counts
    requests = max(0, counts.requests)
    return Counts(min(max(0, counts.events), requests), requests)


def steps(
    grid: Grid, candidate: Counts, baseline: Counts, *, ratio: float = 1.0, points: float = 0.0
) -> tuple[float, ...] | None:
    """What one interval adds to the log likelihood ratios.

    Args:
        grid: ``FAIL`` tests ``mu <= ratio * lam + points``, ``PASS`` tests ``mu >= ...``.
        candidate: Events and requests of the candidate in this interval.
        baseline: Those of the baseline, under the same conditions.
        ratio: Factor on the baseline's event rate, above 0.
        points: Added to it, a fraction of 1, at least 0.

    Returns:
        float[len(grid.excess)]; None where an arm had no request, which says nothing.
    """
    events, served = clipped(candidate)
    base_events, base_served = clipped(baseline)
    if served == 0 or base_served == 0:
        return None
    weighted = served * ratio
    total = weighted + base_served
    return grids.steps(
        grid,
        share=weighted / total,
        rest=base_served / total,
        hits=events,
        others=base_events,
        virtual=base_served * points / ratio,
    )


def alike(past: Counts, *, ratio: float = 1.0, points: float = 0.0) -> Grid:
    """The alternative that the candidate's event rate is the baseline's so far.

    It bets for a pass on what a healthy candidate does: with the rate known, no bet grows faster.

    Args:
        past: The baseline's counts before the interval on which it is used.
        ratio: Factor on the baseline's rate that the null allows, as in `steps`.
        points: Added to it.

    >>> round(alike(Counts(50, 9_900), points=0.005).excess[0], 2)  # 0.5 % where 1 % is too much
    -0.5
    """
    rate = (past.events + 0.5) / (past.requests + 100.0)
    return Grid(excess=(rate / (ratio * rate + points) - 1.0,), log_weights=(0.0,))


def update(
    log_l: tuple[float, ...],
    grid: Grid,
    candidate: Counts,
    baseline: Counts,
    *,
    ratio: float = 1.0,
    points: float = 0.0,
) -> tuple[float, ...]:
    """Log likelihood ratios after one more interval; arguments as in `steps`.

    Four failures of four candidate requests at a 10 % share are enough at 1 %:

    >>> log_l = grids.start(grids.FAIL)
    >>> log_l = update(log_l, grids.FAIL, Counts(4, 4), Counts(0, 36))
    >>> grids.log_e(grids.FAIL, log_l) > 4.605  # the logarithm of 100
    True
    """
    found = steps(grid, candidate, baseline, ratio=ratio, points=points)
    return log_l if found is None else grids.add(log_l, found)
