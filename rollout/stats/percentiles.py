"""Latency of sources that publish only percentiles: a few per minute and arm, and a request count.

The null hypothesis is an order of whole distributions: within the minute no more of the candidate's
requests are slower than ``factor * t`` than of the baseline's are slower than ``t``, whatever ``t``
(passing side: no fewer). Three e-processes look at it, for each published percentile; the evidence
is their mean, which needs no independence.

**Rank counts.** The edge is the baseline's own percentile of the same minute. It is not below the
``k``-th slowest baseline request, ``k = ceil((1 - p) n_b) + 1``, under every usual definition of a
sample percentile (nearest rank or interpolated). Of the candidate's requests at least
``floor((1 - p') n_c)`` lie above the shifted edge, for the lowest percentile ``p'`` beyond it. The
factor ``a**x_c * r**x_b`` of `counts` rises with the first and falls with the second, so these
bounds only lose evidence. That the edge comes from the data costs nothing: couple every request of
the candidate with one of the baseline's law that is as slow or slower; ``U``, the mass above the
``k``-th slowest baseline request, is Beta(``k``, ``n_b - k + 1``), and with
``s = n_c (a - 1) = n_b (1 - r)``, ``E[a**x_c] <= E[exp(s U)] = sum_j (k)_j / (n_b + 1)_j s**j / j!
<= sum_j (k)_j / n_b**j s**j / j! = (1 - s / n_b)**-k = r**-k``.
Passing side (``a < 1 < r``; the edge is not above the ``k``-th slowest, ``k = floor((1 - p) n_b)``;
at most ``ceil((1 - p') n_c)`` requests of the candidate lie beyond): Stein's identity for the law
of ``U`` tilted by ``exp(-s U)`` reads ``E[U] (n_b + 1 + s) = k + s E[U**2]``, so
``E[U] >= k / (n_b + 1 + s)``, and integrated over ``s``:
``E[exp(-s U)] <= (1 + s / (n_b + 1))**-k``. With the baseline counted as if it had one request
more, ``E[a**x_c r**k] <= 1``. Equal durations may be thought of as ordered at random, because the
candidate is counted strictly beyond, and bounded strictly within. Power needs a shift beyond the
next published percentile: p95 speaks from a factor of about 1.4 on.

**Signs.** "The candidate's percentile is above ``factor`` times the baseline's" is a coin that the
null makes fair at most: a factor below 2 a minute, so no verdict before some 7 minutes at 1 %.
Where the arms' counts differ, ranks do by a part of a request; with `LEAST_TAIL` requests beyond
the percentile the coin's chance at the very factor stays within 0.3..0.7, on average near 0.5.

**Shift.** The log ratios less ``log(factor)`` as normal data of unknown mean and scale, the null
being a mean of at most 0. Numerator: the likelihood averaged over a grid of means and scales, a
fixed prior; denominator: the largest likelihood under the null. Under each null law the ratio is at
most a likelihood ratio of that law, hence an e-process (universal inference). The t-test by the
right Haar prior is some minutes faster, but an e-process only for whoever looks at nothing except
the t statistics: its mean with the others would keep their bound only up to a factor of 2.

Both assume minutes whose noise is independent and, for the shift, near normal; ranks assume only
independent requests. Averaging over percentiles finds a slow tail that p95 hides. The passing side
asks the gate's own percentile alone; count on 10 minutes.

Source: rank bound own, on `counts`; L. Wasserman, A. Ramdas, S. Balakrishnan, Universal inference,
PNAS 117 (2020) 16880-16890; H. Wang, A. Ramdas, Anytime-valid t-tests and confidence sequences for
Gaussian means with unknown variance, arXiv 2310.03722.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from rollout.stats import counts, grid as grids, objective
from rollout.stats.counts import Counts
from rollout.stats.grid import Grid

LEAST_TAIL = 2  # requests beyond a percentile: with fewer, ranks of unequal arms mean unlike things
_MILLION = 10**6  # percentiles in whole millionths: products with any count are exact
_TIE = 1e-12  # log ratios this close to the factor are on it
_FINEST = 1e-6  # no source publishes log ratios more exactly; keeps a constant from infinity
_MEANS = tuple(0.03 * (2.0 / 0.03) ** (at / 7) for at in range(8))
_SCALES = tuple(0.01 * (0.5 / 0.01) ** (at / 7) for at in range(8))
_COMPONENTS = tuple(product(_MEANS, _SCALES))


class Minute(NamedTuple):
    """What a source published of one arm for one minute.

    Args:
        values: Share of the requests that are faster, 0..1 -> seconds.
        requests: Number of requests; None: the source does not say.
    """

    values: Mapping[float, float]
    requests: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is tested; fixed before the first minute.

    Args:
        grid: ``grids.FAIL`` tests "not slower than by the factor", ``grids.PASS`` "not faster".
        quantiles: Each 0..1; all that are published to fail, the promised one to pass.
        factor: ``1 + tolerance`` or ``1 + margin``.
        counted: Whether the source publishes request counts; without them there are no ranks.
    """

    grid: Grid
    quantiles: tuple[float, ...]
    factor: float
    counted: bool = True


class State(NamedTuple):
    """Evidence so far, one entry of each for every quantile of the comparison.

    ``shift`` holds the number, the sum and the sum of squares of the log ratios.
    """

    rank: Sequence[Sequence[float]]
    sign: Sequence[Sequence[float]]
    shift: Sequence[Sequence[float]]


def start(comparison: Comparison) -> State:
    """The state before any data.

    >>> one = Comparison(grids.FAIL, (0.95,), 1.1)
    >>> abs(log_e(one, start(one))) < 1e-12
    True
    """
    each = len(comparison.quantiles)
    none = (grids.start(comparison.grid),) * each
    return State(none if comparison.counted else (), none, ((0.0, 0.0, 0.0),) * each)


def update(comparison: Comparison, state: State, candidate: Minute, baseline: Minute) -> State:
    """The state after one more minute; what is missing or not a duration says nothing.

    Args:
        comparison: What is tested.
        state: From `start` or an earlier minute.
        candidate: The candidate's minute.
        baseline: The baseline's, under the same conditions.
    """
    grid, factor = comparison.grid, comparison.factor
    rank, sign, shift = list(state.rank), list(state.sign), list(state.shift)
    for at, quantile in enumerate(comparison.quantiles):
        if comparison.counted:
            ranks = rank_counts(grid, candidate, baseline, quantile, factor)
            rank[at] = rank[at] if ranks is None else counts.update(tuple(rank[at]), grid, *ranks)
        excess = log_excess(candidate, baseline, quantile, factor)
        if excess is not None:
            sign[at] = objective.update(tuple(sign[at]), grid, _sign(grid, excess), 0.5)
            shift[at] = shift_update(shift[at], -excess if _passes(grid) else excess)
    return State(tuple(rank), tuple(sign), tuple(shift))


def log_e(comparison: Comparison, state: State) -> float:
    """Logarithm of the evidence: of the mean over percentiles of ranks, signs and shift.

    Args:
        comparison: What is tested.
        state: The evidence so far.
    """
    grid = comparison.grid
    parts = [grids.log_e(grid, log_l) for log_l in (*state.rank, *state.sign)]
    parts += [shift_log_e(sums) for sums in state.shift]
    return grids.log_sum(parts) - math.log(len(parts))


def log_excess(candidate: Minute, baseline: Minute, quantile: float, factor: float) -> float | None:
    """How far the ratio of the arms' percentiles lies above the factor, as a logarithm.

    Returns:
        None where a percentile is missing, or its tail holds fewer than ``LEAST_TAIL`` requests
        of an arm: with 10 requests p99 is the slowest of them, with 1000 it is not.

    >>> minute = Minute({0.95: 0.2}, 300), Minute({0.95: 0.1}, 2700)
    >>> round(log_excess(*minute, 0.95, 1.0), 3)
    0.693
    """
    above, edge = seconds_of(candidate, quantile), seconds_of(baseline, quantile)
    if above is None or edge is None:
        return None
    known = [arm.requests for arm in (candidate, baseline) if arm.requests is not None]
    if any(tail_of(quantile) * requests < LEAST_TAIL * _MILLION for requests in known):
        return None
    return math.log(above) - math.log(edge) - math.log(factor)


def rank_counts(
    grid: Grid, candidate: Minute, baseline: Minute, quantile: float, factor: float
) -> tuple[Counts, Counts] | None:
    """Events of the candidate and the baseline around the baseline's percentile, for `counts`.

    Args:
        grid: The side: failing counts the candidate from below, passing from above.
        candidate: The candidate's minute.
        baseline: The baseline's.
        quantile: Whose value in the baseline is the edge.
        factor: On the edge, for the candidate.

    Returns:
        None where a count or the edge is missing.

    >>> slow = Minute({0.5: 0.2, 0.95: 0.4}, 100), Minute({0.5: 0.1, 0.95: 0.15}, 900)
    >>> rank_counts(grids.FAIL, *slow, 0.95, 1.1)
    (Counts(events=50, requests=100), Counts(events=46, requests=900))
    """
    edge = seconds_of(baseline, quantile)
    served, base_served = candidate.requests, baseline.requests
    if edge is None or not served or not base_served or min(served, base_served) < 0:
        return None
    limit, tail = edge * factor, tail_of(quantile)
    known = {at: value for at in candidate.values if (value := seconds_of(candidate, at))}
    if _passes(grid):
        within = [tail_of(at) for at, value in known.items() if value < limit]
        most = min([served, *(up(share * served) for share in within)])
        return Counts(most, served), Counts(tail * base_served // _MILLION, base_served + 1)
    beyond = [tail_of(at) for at, value in known.items() if value > limit]
    least = max(beyond, default=0) * served // _MILLION
    return Counts(least, served), Counts(up(tail * base_served) + 1, base_served)


def shift_update(sums: Sequence[float], excess: float) -> tuple[float, float, float]:
    """Number, sum and sum of squares with one more value."""
    number, total, squares = sums
    return number + 1.0, total + excess, squares + excess * excess


def shift_log_e(sums: Sequence[float]) -> float:
    """Logarithm of the evidence against "the values' mean is at most 0".

    Args:
        sums: Number, sum and sum of squares of the values.

    >>> shift_log_e((10.0, 3.0, 0.95)) > math.log(100) > shift_log_e((10.0, 0.0, 0.95))
    True
    """
    number, total, squares = sums
    if number <= 0:
        return 0.0
    spread = squares / number - min(total / number, 0.0) ** 2
    best = -0.5 * number * (math.log(max(spread, _FINEST**2)) + 1.0)
    found = [
        -number * math.log(scale)
        - (squares - 2.0 * mean * total + number * mean * mean) / (2.0 * scale * scale)
        for mean, scale in _COMPONENTS
    ]
    return grids.log_sum(found) - math.log(len(found)) - best


def _passes(grid: Grid) -> bool:
    return grid.excess[0] < 0


def _sign(grid: Grid, excess: float) -> Counts:
    """One toss: a tie is never evidence, on neither side."""
    event = excess >= -_TIE if _passes(grid) else excess > _TIE
    return Counts(int(event), 1)


def seconds_of(minute: Minute, quantile: float) -> float | None:
    """What was published for a quantile; None: nothing, or no duration."""
    value = minute.values.get(quantile)
    return value if value is not None and 0.0 < value < math.inf else None


def tail_of(quantile: float) -> int:
    """The share beyond a quantile, in millionths."""
    return round((1.0 - quantile) * _MILLION)


def up(millionths: int) -> int:
    """Whole ones of millionths, rounded up."""
    return -(-millionths // _MILLION)
