"""Prediction drift: does the candidate answer other classes, or other numbers, than the baseline?

Numbers become classes by `bin_of` and edges that the past has fixed, as in `slow`; the edges may
move between intervals, since the null speaks of each interval by itself. Every class then is an
event, tested in both directions.

- Independent arms, `failing`: "more" is the two-arm test of `counts`, with a tolerance in points,
  and "less" the same test with the arms exchanged. The proof of `counts` needs nothing but
  independent arms and a share of the class that is the same for all requests of an interval, so it
  holds for each class and direction; the mean over them is an e-process whatever their dependence.
- The same requests in both arms, `paired_failing`: for each class, the pairs in which the candidate
  alone answered it against those in which the baseline alone did. Under marginal homogeneity, equal
  shares of each class, that is a fair coin (`paired.steps`); a share that differs by at most a
  tolerance is the same test with points.

Classes that turn up while the test runs are members of a `family.Family`. A pass must reject "the
share of this class differs by the margin or more" for every class and direction, seen or not
(`family.Cover`).

Poisson's bound in the proof of `counts` takes ``share`` for the variance ``share (1 - share)``.
That errs on the careful side and costs time where a class is common: twice as long at one half.

The population stability index is reported and decides nothing: its customary limits, 0.1 and 0.25,
know neither traffic nor chance.

Source: A. Stuart, A test for homogeneity of the marginal distributions in a two-way
classification, Biometrika 42 (1955) 412-416, for the paired null; E. Lewis, An Introduction to
Credit Scoring, 1994, for the index.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from rollout.stats import counts, family as families, histogram as histograms, paired
from rollout.stats.counts import Counts
from rollout.stats.family import FINE_FAIL, FINE_PASS, Cover, Family
from rollout.stats.grid import Grid
from rollout.stats.histogram import Histogram
from rollout.stats.paired import Pairs

DIRECTIONS = 2  # tests for each class: more, less
PARTS = 10
NEEDED = 200  # numbers of the baseline before edges are drawn
_SMOOTHING = 0.5  # of a request, for each class and arm

Both = tuple[tuple[float, ...] | None, tuple[float, ...] | None]
Tally = Mapping[str, int]


def steps(grid: Grid, candidate: Counts, baseline: Counts, *, points: float = 0.0) -> Both:
    """What one interval adds to the two tests of a class, independent arms.

    Args:
        grid: One above 1 such as ``FINE_FAIL`` tests "more or less by at most ``points``", one
            below such as ``FINE_PASS`` "by at least".
        candidate: Answers of this class, and all answers, of the candidate.
        baseline: Those of the baseline.
        points: Allowed difference of the shares, a fraction of 1.

    Returns:
        Two times float[len(grid.excess)], "more" and "less"; None where an arm had no request.
    """
    return (
        counts.steps(grid, candidate, baseline, points=points),
        counts.steps(grid, baseline, candidate, points=points),
    )


def paired_steps(grid: Grid, pairs: Pairs, *, points: float = 0.0) -> Both:
    """What one interval adds to the two tests of a class, the same requests in both arms.

    Args:
        grid: As in `steps`.
        pairs: Pairs in which one arm alone answered this class.
        points: Allowed difference of the shares, a fraction of 1.
    """
    return (
        paired.steps(grid, pairs, points=points),
        paired.steps(grid, paired.swapped(pairs), points=points),
    )


def failing(family: Family, candidate: Tally, baseline: Tally, *, points: float = 0.0) -> Family:
    """The classes' tests against the candidate after one interval, independent arms.

    Args:
        family: Before the interval; `family.of_known` where all classes are known, such as bins.
        candidate: Class -> answers of the candidate in it.
        baseline: Class -> answers of the baseline.
        points: Allowed difference of each class's share, a fraction of 1.

    >>> family = families.of_known(["cat", "dog"], DIRECTIONS)
    >>> family = failing(family, {"cat": 5, "dog": 45}, {"cat": 225, "dog": 225})
    >>> families.log_e(family) > -math.log(0.01)
    True
    """
    arms = _Arms(candidate, baseline)
    found = {name: steps(FINE_FAIL, *arms.of(name), points=points) for name in family.members}
    return families.joined(families.grown(family, found), arms.seen, DIRECTIONS)


def passing(cover: Cover, candidate: Tally, baseline: Tally, margin: float) -> Cover:
    """The classes' tests for a pass after one interval, independent arms.

    Args:
        cover: Before the interval; starts as ``family.empty_cover(DIRECTIONS)``.
        candidate: Class -> answers of the candidate in it.
        baseline: Class -> answers of the baseline.
        margin: Difference to be ruled out for every class, a fraction of 1, above 0.
    """
    arms = _Arms(candidate, baseline)
    found = {name: steps(FINE_PASS, *arms.of(name), points=margin) for name in arms.seen}
    return families.covered(cover, found, steps(FINE_PASS, *arms.of_nobody(), points=margin))


class _Arms:
    """Both arms' counts of each class."""

    def __init__(self, candidate: Tally, baseline: Tally) -> None:
        self._candidate, self._baseline = candidate, baseline
        self._served, self._base_served = sum(candidate.values()), sum(baseline.values())

    @property
    def seen(self) -> list[str]:
        return [*{**self._candidate, **self._baseline}]

    def of(self, name: str) -> tuple[Counts, Counts]:
        return (
            Counts(self._candidate.get(name, 0), self._served),
            Counts(self._baseline.get(name, 0), self._base_served),
        )

    def of_nobody(self) -> tuple[Counts, Counts]:
        return Counts(0, self._served), Counts(0, self._base_served)


def moved(answers: Iterable[tuple[str, str]]) -> dict[str, Pairs]:
    """For each class answered, the pairs in which one arm alone answered it.

    Args:
        answers: The candidate's and the baseline's class of each pair.

    >>> moved([("cat", "cat"), ("dog", "cat")])["cat"]
    Pairs(candidate=0, baseline=1, total=2)
    """
    tally = Counter(answers)
    total = tally.total()
    gained: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    for (ours, theirs), count in tally.items():
        gained[ours] += count if ours != theirs else 0
        lost[theirs] += count if ours != theirs else 0
    return {name: Pairs(gained[name], lost[name], total) for name in sorted({*gained, *lost})}


def paired_failing(
    family: Family, moves: Mapping[str, Pairs], total: int, *, points: float = 0.0
) -> Family:
    """The classes' tests against the candidate after one interval, the same requests in both arms.

    Args:
        family: Before the interval.
        moves: From `moved`.
        total: All pairs of the interval.
        points: Allowed difference of each class's share, a fraction of 1.
    """
    nothing = Pairs(0, 0, total)
    found = {
        name: paired_steps(FINE_FAIL, moves.get(name, nothing), points=points)
        for name in family.members
    }
    return families.joined(families.grown(family, found), moves, DIRECTIONS)


def paired_passing(cover: Cover, moves: Mapping[str, Pairs], total: int, margin: float) -> Cover:
    """The classes' tests for a pass after one interval, the same requests in both arms.

    Args:
        cover: Before the interval; starts as ``family.empty_cover(DIRECTIONS)``.
        moves: From `moved`.
        total: All pairs of the interval.
        margin: Difference to be ruled out for every class, a fraction of 1, above 0.
    """
    found = {name: paired_steps(FINE_PASS, pairs, points=margin) for name, pairs in moves.items()}
    unseen = paired_steps(FINE_PASS, Pairs(0, 0, total), points=margin)
    return families.covered(cover, found, unseen)


def psi(candidate: Tally, baseline: Tally) -> float:
    """The population stability index, an effect size; half a request is added to each class.

    Args:
        candidate: Class -> answers of the candidate.
        baseline: Class -> answers of the baseline.

    Returns:
        At least 0; 0 without classes. The half requests bias it upwards where answers are few.

    >>> round(psi({"cat": 500, "dog": 500}, {"cat": 600, "dog": 400}), 3)
    0.04
    """
    names = {**candidate, **baseline}
    extra = _SMOOTHING * len(names)
    served, base_served = sum(candidate.values()) + extra, sum(baseline.values()) + extra
    shares = [
        (
            (candidate.get(name, 0) + _SMOOTHING) / served,
            (baseline.get(name, 0) + _SMOOTHING) / base_served,
        )
        for name in names
    ]
    return math.fsum((ours - theirs) * math.log(ours / theirs) for ours, theirs in shares)


def edges_of(numbers: Iterable[float], parts: int = PARTS) -> tuple[float, ...] | None:
    """Edges between bins of numbers, drawn so that the baseline has about as many in each.

    A number that the baseline answers so often that two edges meet gets a bin of its own; else a
    candidate whose answers all move below a constant would stay in the constant's bin.

    Args:
        numbers: The baseline's *before* the interval to be judged, in any order; those that are
            not finite are ignored.
        parts: Number of bins, at least 2.

    Returns:
        Increasing; None while too few numbers are known.

    >>> edges_of(range(1000), 4)
    (249, 499, 749)
    >>> len(edges_of([1.5] * 1000) or ())
    2
    """
    ordered = sorted(number for number in numbers if math.isfinite(number))
    if len(ordered) < NEEDED:
        return None
    drawn = [ordered[math.ceil(len(ordered) * at / parts) - 1] for at in range(1, parts)]
    frequent = {low for low, high in pairwise([ordered[0], *drawn]) if low == high}
    return tuple(sorted({*drawn, *(math.nextafter(number, -math.inf) for number in frequent)}))


def bucket_edges(histogram: Histogram, parts: int = PARTS) -> tuple[int, ...] | None:
    """As `edges_of`, of a histogram: bucket numbers, for `bin_of` on bucket numbers.

    Args:
        histogram: The baseline's before the interval to be judged.
        parts: Number of bins, at least 2.

    >>> bucket_edges(Histogram(10, (100, 100, 100, 100), 0), 4)
    (10, 11, 12)
    """
    if histograms.total(histogram) < NEEDED:
        return None
    drawn = (histograms.quantile(histogram, at / parts) for at in range(1, parts))
    found = [edge for edge in drawn if edge is not None]
    frequent = {low for low, high in pairwise(found) if low == high}
    return tuple(sorted({*found, *(edge - 1 for edge in frequent)}))


def bin_of(number: float, edges: Sequence[float]) -> str:
    """The class of a number: of those up to the first edge, and so on; ``nan`` is one of its own.

    Args:
        number: A prediction, infinite ones included.
        edges: From `edges_of`.

    >>> bin_of(249, (249, 499, 749)), bin_of(math.inf, (249, 499, 749)), bin_of(math.nan, ())
    ('0', '3', 'nan')
    """
    return "nan" if math.isnan(number) else str(bisect_left(edges, number))


def bins(edges: Sequence[float]) -> tuple[str, ...]:
    """All classes that `bin_of` can answer, for `family.of_known`.

    >>> bins((249, 499, 749))
    ('0', '1', '2', '3', 'nan')
    """
    return (*map(str, range(len(edges) + 1)), "nan")
