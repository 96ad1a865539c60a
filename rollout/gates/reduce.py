"""From an interval to counts: how many requests of each arm were what a test calls an event."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rollout.domain.measure import NEVER, Agreement, Sums, edge
from rollout.gates.published import Minutes
from rollout.gates.sides import Kind, Side
from rollout.stats import buckets, counts, histogram, objective, slow
from rollout.stats.counts import NOBODY, Counts
from rollout.stats.grid import Grid
from rollout.stats.slow import Reference

Buckets = Mapping[int, int]
Classes = Mapping[str, int]
Edges = tuple[float, ...]

_OWN = tuple(map(edge, range(1 << 12)))  # seconds; no histogram has more of our buckets
_ALL = -1  # the bucket above which every request is
_ROUND = 1e-9


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
        edges: Those of the candidate's and of the baseline's buckets, seconds; empty: they are ours.
        minutes: What was published of latency in their place; None: nothing, or of the warm-up.
        reference: The baseline's latency before this interval, by the same edges.
        outputs: Prediction -> the candidate's and the baseline's answers by class.
        agreement: Comparison -> pairs of answers.
        sums: Custom metric -> the candidate's and the baseline's sums.
        planned: The candidate's share of the requests by the plan; None: there is none.
        phi: Dispersion of the error counts, at least 1.
        steady: The split was the stage's own; else nothing in it argues for a pass.
    """

    errors: Pair
    latency: tuple[Buckets, Buckets] | None
    reference: Reference | None
    edges: tuple[Edges, Edges] = ((), ())
    minutes: Minutes | None = None
    outputs: Mapping[str, tuple[Classes, Classes]] = field(default_factory=dict)
    agreement: Mapping[str, Agreement] = field(default_factory=dict)
    sums: Mapping[str, tuple[Sums, Sums]] = field(default_factory=dict)
    planned: float | None = None
    phi: float = 1.0
    steady: bool = True


def pairs(side: Side, batch: Batch) -> tuple[Pair, ...] | None:
    """The counts of each part of a test; None where the interval has nothing for it."""
    if side.kind is Kind.RATIO:
        return _hits(side, batch)
    if not side.latency:
        return (batch.errors if side.relative else Pair(batch.errors.candidate, NOBODY),)
    if batch.latency is None:
        return None
    (candidate, baseline), (mine, theirs) = batch.latency, batch.edges
    if side.edge is not None:
        mark = beyond_limit(side, mine) if mine else side.edge
        events = histogram.slower(candidate, (mark,))[0]
        return (Pair(Counts(events, sum(candidate.values())), NOBODY),)
    drawn = slow.edges(batch.reference, side.quantiles)
    if drawn is None:
        return None
    if mine or theirs:
        marks = tuple(_beyond(side, theirs or _OWN, mine or _OWN, number) for number in drawn)
    else:
        marks = tuple(number + side.shift for number in drawn)
    return _against(drawn, marks, candidate, baseline)


def beyond_limit(side: Side, edges: Sequence[float]) -> int:
    """The bucket above which absolute latency is slow, where buckets are not ours.

    A limit between two edges is rounded against the side's own claim: what is counted for a failure
    is slower than the limit for certain, what is not counted for a pass is certainly not.

    Args:
        side: Its ``limit`` counts, seconds.
        edges: Seconds, ascending.

    Returns:
        ``NEVER`` where no edge shows that a request was too slow, -1 where none shows that it was
        not.
    """
    if not side.failing:
        return bisect_right(edges, side.limit * (1.0 + _ROUND)) - 1
    at = bisect_left(edges, side.limit * (1.0 - _ROUND))
    return at if at < len(edges) else NEVER


def _beyond(side: Side, baseline: Sequence[float], candidate: Sequence[float], number: int) -> int:
    """The candidate's bucket that is to the baseline's as the side's factor allows.

    Without one a failure counts no request and a pass every one, so that neither can be shown.
    """
    if side.failing:
        found = buckets.pair_to_fail(baseline, candidate, number, side.factor)
        return NEVER if found is None else found.candidate
    found = buckets.pair_to_pass(baseline, candidate, number, side.factor)
    return _ALL if found is None else found.candidate


def _hits(side: Side, batch: Batch) -> tuple[Pair, ...] | None:
    """A custom share; where more is better its misses are counted, or the arms exchanged."""
    found = batch.sums.get(side.name)
    if found is None:
        return None
    mine, theirs = (Counts(round(each.total), each.count) for each in found)
    if side.misses:
        mine, theirs = (
            Counts(each.requests - each.events, each.requests) for each in (mine, theirs)
        )
    if not side.relative:
        return (Pair(mine, NOBODY),)
    exchanged = side.upside_down and not side.misses
    return (Pair(theirs, mine) if exchanged else Pair(mine, theirs),)


def plain(side: Side, pair: Pair) -> Pair:
    """A test's counts as a person reads them: hits of each arm, neither misses nor exchanged."""
    if not side.upside_down:
        return pair
    if not side.misses:
        return Pair(candidate=pair.baseline, baseline=pair.candidate)
    return Pair(*(Counts(each.requests - each.events, each.requests) for each in _both(pair)))


def _both(pair: Pair) -> tuple[Counts, Counts]:
    return pair.candidate, pair.baseline


def _against(
    drawn: Sequence[int], marks: Sequence[int], candidate: Buckets, baseline: Buckets
) -> tuple[Pair, ...]:
    served, base_served = sum(candidate.values()), sum(baseline.values())
    events = histogram.slower(candidate, marks)
    base_events = histogram.slower(baseline, drawn)
    return tuple(
        Pair(Counts(slow_here, served), Counts(slow_there, base_served))
        for slow_here, slow_there in zip(events, base_events, strict=True)
    )


def steps(side: Side, grid: Grid, pair: Pair) -> tuple[float, ...] | None:
    """What a pair of counts adds to a test's log likelihood ratios; None: nothing."""
    if not side.relative:
        most = 1.0 - side.objective if side.upside_down else side.objective
        return objective.steps(grid, pair.candidate, most)
    ratio, points = allowed(side)
    return counts.steps(grid, pair.candidate, pair.baseline, ratio=ratio, points=points)


def allowed(side: Side) -> tuple[float, float]:
    """Factor on the baseline's share of events, and what is added to it, that a test allows."""
    ratio, points = side.allowance.ratio, side.allowance.points
    if side.upside_down and not side.misses:
        # The arms are exchanged: 10 % less than the baseline is 1 / 0.9 of it.
        ratio = 1.0 / (2.0 - ratio)
    return ratio, points
