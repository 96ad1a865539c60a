"""From an interval to counts: how many requests of each arm were what a test calls an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rollout.gates.rules import Side
from rollout.stats import counts, histogram, objective, slow
from rollout.stats.counts import Counts
from rollout.stats.grid import Grid
from rollout.stats.slow import Reference

Buckets = Mapping[int, int]
_NOBODY = Counts(0, 0)


@dataclass(frozen=True, slots=True)
class Pair:
    """What both arms did in one interval, as one test counts it."""

    candidate: Counts
    baseline: Counts


@dataclass(frozen=True, slots=True)
class Batch:
    """One interval, ready to be counted.

    Args:
        errors: Failed requests among all.
        latency: The candidate's and the baseline's histogram; None: none, or of the warm-up.
        reference: The baseline's latency before this interval.
    """

    errors: Pair
    latency: tuple[Buckets, Buckets] | None
    reference: Reference | None


def pairs(side: Side, batch: Batch) -> tuple[Pair, ...] | None:
    """The counts of each part of a test; None where the interval has nothing for it."""
    if not side.latency:
        return (batch.errors if side.relative else Pair(batch.errors.candidate, _NOBODY),)
    if batch.latency is None:
        return None
    candidate, baseline = batch.latency
    if side.edge is not None:
        events = histogram.slower(candidate, (side.edge,))[0]
        return (Pair(Counts(events, sum(candidate.values())), _NOBODY),)
    edges = slow.edges(batch.reference, side.quantiles)
    if edges is None:
        return None
    return _against(edges, side.shift, candidate, baseline)


def _against(
    edges: tuple[int, ...], shift: int, candidate: Buckets, baseline: Buckets
) -> tuple[Pair, ...]:
    served, base_served = sum(candidate.values()), sum(baseline.values())
    events = histogram.slower(candidate, [edge + shift for edge in edges])
    base_events = histogram.slower(baseline, edges)
    return tuple(
        Pair(Counts(slow_here, served), Counts(slow_there, base_served))
        for slow_here, slow_there in zip(events, base_events, strict=True)
    )


def steps(side: Side, grid: Grid, pair: Pair) -> tuple[float, ...] | None:
    """What a pair of counts adds to a test's log likelihood ratios; None: nothing."""
    if not side.relative:
        return objective.steps(grid, pair.candidate, side.objective)
    allowed = side.allowance
    return counts.steps(
        grid, pair.candidate, pair.baseline, ratio=allowed.ratio, points=allowed.points
    )
