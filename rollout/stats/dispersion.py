"""Dispersion of event counts: how many counted events are worth one independent event.

Retries that fail together, or callers that send bursts, make a count jump by clusters. The index
``phi``, variance over mean relative to Poisson's, is what the tests divide their steps by: exact
where every cluster has ``phi`` events, an approximation elsewhere. It is learned from the baseline
before the rollout; during one it would be learned too late.

Estimate. Two neighbouring batches have ``x`` and ``y`` events among ``n`` and ``m`` requests. Given
``x + y`` and equal rates, Poisson counts make ``x`` binomial with share ``n / (n + m)``, so

    t = (x m - y n)**2 / (n m (x + y))

has an expectation of exactly 1, whatever the rate and however the traffic changes; clusters of
``c`` multiply it by ``c``. With ``n = m`` it is ``(x - y)**2 / (x + y)``. Three things are left:

- A pair with few events sees one cluster, and ``t`` its size, where a large one's ``t`` is the
  index, which weighs clusters by their size. Weights ``min(x + y, 10)`` let pairs without much to
  say count less (by events alone, one outage would decide the whole).
- A rate that moves between the batches is not dispersion, since both arms share it. Its part in
  ``t`` grows with the square of the batch, that of clusters not at all, so batches of double length
  tell them apart: ``(4 t - t of doubled batches) / 3``.
- A true index somewhat above the estimate costs false rollbacks, one below costs time only:
  estimates above 2 are multiplied by 1.25.

Clusters that spread over more than a batch are not seen by any of this.

Source: R. A. Fisher's index of dispersion, Statistical Methods for Research Workers, 1925; J. von
Neumann, Annals of Mathematical Statistics 12 (1941) 367-395, for successive differences; L. F.
Richardson's extrapolation, 1911, for the doubled batches; weights, threshold and factor are our
own, by simulation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from rollout.stats.counts import Counts, clipped

BATCH = 15.0  # seconds
NEEDED = 1800.0  # seconds of history
FEW = 20  # events, below which an estimate says nothing
_FULL, _CAREFUL_ABOVE, _CARE = 10, 2.0, 1.25


class Basis(Enum):
    """What an index rests on, in a word to print."""

    MEASURED = "measured"
    SHORT = "too little history"
    QUIET = "too few events"


@dataclass(frozen=True, slots=True)
class Dispersion:
    """The index to divide by, at least 1, and what it rests on."""

    phi: float
    basis: Basis


def estimated(batches: Sequence[Counts], seconds: float = BATCH) -> Dispersion:
    """The dispersion index of the baseline's history.

    Args:
        batches: Events and requests, one after another without gaps; a batch without requests
            stands for one that is missing.
        seconds: Length of a batch.

    Returns:
        1 where the history is too short or too quiet to tell, with a word that says so.

    >>> calm = [Counts(4, 1000), Counts(6, 1000), Counts(5, 1000)] * 40
    >>> estimated(calm), estimated(calm[:100]).basis.value
    (Dispersion(phi=1.0, basis=<Basis.MEASURED: 'measured'>), 'too little history')
    """
    known = [clipped(batch) for batch in batches]
    if sum(batch.requests > 0 for batch in known) * seconds < NEEDED:
        return Dispersion(1.0, Basis.SHORT)
    if sum(batch.events for batch in known) < FEW:
        return Dispersion(1.0, Basis.QUIET)
    doubled = (index_of(_doubled(known)) + index_of(_doubled(known[1:]))) / 2.0
    phi = max(1.0, (4.0 * index_of(known) - doubled) / 3.0)
    return Dispersion(phi * _CARE if phi > _CAREFUL_ABOVE else phi, Basis.MEASURED)


def index_of(batches: Sequence[Counts]) -> float:
    """Mean of the pairs' ``t`` as above, by weight; 1 without a pair that has an event."""
    total = weights = 0.0
    for (x, n), (y, m) in pairwise(batches):
        events = x + y
        if events > 0 and n > 0 and m > 0:
            weight = min(events, _FULL)
            total += weight * (x * math.sqrt(m / n) - y * math.sqrt(n / m)) ** 2 / events
            weights += weight
    return total / weights if weights else 1.0


def _doubled(batches: Sequence[Counts]) -> list[Counts]:
    """Two and two together; where one is missing, so is the sum."""
    return [
        Counts(one.events + two.events, one.requests + two.requests)
        if one.requests and two.requests
        else Counts(0, 0)
        for one, two in zip(batches[::2], batches[1::2], strict=False)
    ]


def scaled(steps: tuple[float, ...] | None, phi: float) -> tuple[float, ...] | None:
    """What an interval adds to log likelihood ratios, for counts with a dispersion index.

    Args:
        steps: From `counts.steps`, `objective.steps` or the like; None stays None.
        phi: At least 1.

    >>> scaled((3.0, -1.5), 1.5)
    (2.0, -1.0)
    """
    return steps if steps is None or phi == 1.0 else tuple(step / phi for step in steps)
