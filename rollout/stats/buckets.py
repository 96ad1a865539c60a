"""Latency of sources that keep their own histograms, reduced to the slow requests of `slow`.

Every form ends as ``bucket number -> requests`` of an interval, the larger number the slower, which
is what `slow.learn`, `slow.edges` and `histogram.slower` take:

* *Classic* histograms (cumulative ``le`` counters): the number is the place of the bucket's upper
  edge in the sorted edges; requests above the last finite edge have the number ``len(edges)``, to
  be handed on as ``never``. Edges are few, so a shift by a factor is a choice of two edges, `Pair`.
* *Log* histograms (Prometheus' native, OpenTelemetry's exponential, DDSketch): edges are powers of
  a growth, and a shift is a number of buckets, as for our own histograms (`slow.shift_at_least`).

Counters are read twice and subtracted; what cannot be subtracted is `Dropped`, with the reason in a
word, and never guessed. Subtract series by series and add with `summed` after that: one restarted
process hides in a sum.

A wrong or coarse choice of edges costs evidence, not validity. To fail, the candidate's edge is at
or above ``factor`` times the baseline's, to pass at or below: with any pair so chosen the null
"no more of the candidate beyond ``factor * t`` than of the baseline beyond ``t``" implies the
null of the counts.

Source: bucket bounds (lower excluded, upper included, ``base = 2**(2**-schema)``) of the
Prometheus and OpenTelemetry data models, which number them one apart; C. Masson, J. E. Rim,
H. K. Lee, DDSketch, PVLDB 12 (2019) 2195-2205.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, pairwise
from typing import NamedTuple

from rollout.stats import histogram as histograms
from rollout.stats.counts import Counts

NEAR = 0.30  # an edge further from the quantile than this costs most of the power
_LEAST_GROWTH = 1.005  # finer buckets would not fit the numbers of `histogram`
_SHORTEST = 1e-6  # seconds; the first bucket of log histograms
_ROUND = 1e-9


class Dropped(StrEnum):
    """Why an interval says nothing."""

    RESET = "reset"  # a counter fell: a process was restarted
    EDGES = "edges"  # the edges are not those of the last reading
    TOTAL = "total"  # no bucket up to +Inf, so the slowest requests are not counted
    NUMBER = "number"  # a count or an edge is not a number, or a count is negative
    ORDER = "order"  # a smaller bucket holds more than a larger one: torn while it was read


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a classic histogram.

    Args:
        edges: Finite upper edges in seconds, ascending.
        below: float[len(edges) + 1], requests up to each edge since the process started; the
            last is all of them.
    """

    edges: tuple[float, ...]
    below: tuple[float, ...]


class Pair(NamedTuple):
    """Two edges: ``number`` counts the baseline above ``edges[number]``.

    Args:
        baseline: Bucket number of the baseline's edge.
        candidate: Bucket number of the candidate's edge.
        factor: The candidate's edge over the baseline's: slowdowns below it are hard to see.
    """

    baseline: int
    candidate: int
    factor: float


def reading(cumulative: Mapping[float, float]) -> Reading | Dropped:
    """One reading, checked.

    Args:
        cumulative: Upper edge in seconds, ``math.inf`` for +Inf -> requests up to it; any order.

    >>> reading({math.inf: 10, 0.1: 4, 0.5: 9})
    Reading(edges=(0.1, 0.5), below=(4, 9, 10))
    >>> reading({0.1: 4.0}).value
    'total'
    """
    if not all(edge > -math.inf for edge in cumulative):  # false for nan, too
        return Dropped.NUMBER
    if not all(map(_counts, cumulative.values())):
        return Dropped.NUMBER
    if math.inf not in cumulative:
        return Dropped.TOTAL
    edges = tuple(sorted(cumulative))
    below = tuple(cumulative[edge] for edge in edges)
    return Dropped.ORDER if _falls(below) else Reading(edges[:-1], below)


def increase(before: Reading, after: Reading) -> dict[int, int] | Dropped:
    """The requests between two readings of one series.

    Returns:
        Bucket number -> requests, without empty buckets.

    >>> increase(Reading((0.1, 0.5), (4, 9, 10)), Reading((0.1, 0.5), (7, 12, 14)))
    {0: 3, 2: 1}
    >>> increase(Reading((0.1,), (4, 9)), Reading((0.1,), (1, 1))).value
    'reset'
    """
    if before.edges != after.edges:
        return Dropped.EDGES
    below = [new - old for old, new in zip(before.below, after.below, strict=True)]
    if min(below) < 0:
        return Dropped.RESET
    if _falls(below):
        return Dropped.ORDER
    # Rounding what lies below, not what lies between, keeps the total.
    whole = [0, *map(round, below)]
    return {at: high - low for at, (low, high) in enumerate(pairwise(whole)) if high > low}


def log_increase(
    before: Mapping[int, float], after: Mapping[int, float]
) -> dict[int, int] | Dropped:
    """The requests between two readings of one log histogram of the same growth.

    Args:
        before: Bucket number -> requests since the process started; missing buckets are empty.
        after: The same, later.

    >>> log_increase({5: 2}, {5: 2, 9: 1})
    {9: 1}
    """
    if not all(map(_counts, (*before.values(), *after.values()))):
        return Dropped.NUMBER
    found = {at: after.get(at, 0) - before.get(at, 0) for at in sorted({*before, *after})}
    if min(found.values(), default=0) < 0:
        return Dropped.RESET
    return {at: whole for at, count in found.items() if (whole := round(count)) > 0}


def summed(parts: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """The requests of several series together.

    >>> summed([{1: 2}, {1: 1, 4: 1}])
    {1: 3, 4: 1}
    """
    found: dict[int, int] = {}
    for part in parts:
        for at, count in part.items():
            found[at] = found.get(at, 0) + count
    return found


def from_records(
    durations: Iterable[float | None], bucket_of: Callable[[float], int], never: int
) -> dict[int, int]:
    """The histogram of single requests.

    Args:
        durations: Seconds; None: no answer came.
        bucket_of: The bucket number of a duration.
        never: Bucket number of the requests without an answer.

    Raises:
        ValueError: A duration is negative or not a number.

    >>> from_records([0.1, 0.1, None], lambda seconds: round(seconds * 10), 99)
    {1: 2, 99: 1}
    """
    found: dict[int, int] = {}
    for seconds in durations:
        if seconds is not None and not 0.0 <= seconds < math.inf:
            raise ValueError(f"{seconds} is not a duration in seconds")
        at = never if seconds is None else bucket_of(seconds)
        found[at] = found.get(at, 0) + 1
    return found


def above(found: Mapping[int, int], number: int) -> Counts:
    """Requests above an edge, among all: the events of `counts`.

    >>> above({0: 3, 2: 1}, 0)
    Counts(events=1, requests=4)
    """
    return Counts(histograms.slower(found, (number,))[0], sum(found.values()))


def pair_to_fail(
    edges: Sequence[float], candidate_edges: Sequence[float], number: int, factor: float
) -> Pair | None:
    """The pair for "not slower than by the factor".

    Args:
        edges: The baseline's, seconds, ascending.
        candidate_edges: The candidate's; a new version may have new ones.
        number: The baseline's edge, from `slow.edges`.
        factor: ``1 + tolerance``.

    Returns:
        None where the baseline has no such edge, or the candidate none far enough out.

    >>> pair_to_fail((0.1, 0.25, 0.5), (0.1, 0.25, 0.5), 1, 1.1)
    Pair(baseline=1, candidate=2, factor=2.0)
    """
    if not 0 <= number < len(edges):
        return None
    at = bisect_left(candidate_edges, edges[number] * factor * (1.0 - _ROUND))
    return _pair(edges, candidate_edges, number, at)


def pair_to_pass(
    edges: Sequence[float], candidate_edges: Sequence[float], number: int, factor: float
) -> Pair | None:
    """The pair for "not faster than by the factor"; arguments as in `pair_to_fail`.

    Without an edge between the baseline's and the factor it is a pair of equal edges: then only a
    candidate that is faster than the baseline passes.

    >>> pair_to_pass((0.1, 0.25, 0.5), (0.1, 0.25, 0.5), 1, 1.2)
    Pair(baseline=1, candidate=1, factor=1.0)
    """
    if not 0 <= number < len(edges):
        return None
    at = bisect_right(candidate_edges, edges[number] * factor * (1.0 + _ROUND)) - 1
    return _pair(edges, candidate_edges, number, at)


def _pair(
    edges: Sequence[float], candidate_edges: Sequence[float], number: int, at: int
) -> Pair | None:
    if not 0 <= at < len(candidate_edges) or edges[number] <= 0:
        return None
    return Pair(number, at, candidate_edges[at] / edges[number])


def quantile(edges: Sequence[float], found: Mapping[int, int], share: float) -> float | None:
    """The quantile of a classic histogram in seconds, linear within its bucket.

    Args:
        edges: Seconds, ascending.
        found: Bucket number -> requests.
        share: 0..1.

    Returns:
        None without requests, or where it lies above the last finite edge.

    >>> quantile((0.1, 0.3), {0: 50, 1: 50}, 0.75)
    0.2
    """
    below = list(accumulate((found.get(at, 0) for at in range(len(edges))), initial=0))
    wanted = share * sum(found.values())
    at = bisect_left(below, wanted, lo=1)
    if at == len(below) or below[at] == 0:
        return None
    low = edges[at - 2] if at > 1 else 0.0
    inside = below[at] - below[at - 1]
    return low + (edges[at - 1] - low) * (wanted - below[at - 1]) / inside if inside else low


def far(edges: Sequence[float], seconds: float | None) -> str | None:
    """The finding about edges that are too coarse for a latency check; None: there is none.

    Args:
        edges: Seconds, ascending.
        seconds: The quantile to be compared, from `quantile`, above 0; None: it lies above all
            edges.

    >>> far((0.1, 0.25, 0.5), 0.24)
    >>> far((0.1, 1.0), 0.3)
    'no bucket edge within 30 % of 0.3 s (nearest: 0.1 s): differences in latency are hard to see'
    """
    if seconds is None:
        last = f" ({edges[-1]:g} s)" if edges else ""
        return f"the quantile lies above the last bucket edge{last}: latency is not measured there"
    known = [edge for edge in edges if edge > 0]
    if any(abs(edge - seconds) <= NEAR * seconds for edge in known):
        return None
    nearest = min(known, key=lambda edge: abs(math.log(edge / seconds)), default=math.inf)
    return (
        f"no bucket edge within {100 * NEAR:g} % of {seconds:g} s (nearest: {nearest:g} s): "
        "differences in latency are hard to see"
    )


def native_growth(schema: int) -> float:
    """Ratio of two neighbouring edges: of a schema (Prometheus), or scale (OpenTelemetry).

    >>> native_growth(0), round(native_growth(5), 4)
    (2.0, 1.0219)
    """
    return math.exp2(2.0**-schema)


def sketch_growth(accuracy: float) -> float:
    """Ratio of two neighbouring edges of a DDSketch of a relative accuracy, 0..1.

    >>> round(sketch_growth(0.01), 4)
    1.0202
    """
    return (1.0 + accuracy) / (1.0 - accuracy)


def coarser(indexed: Mapping[int, float], levels: int) -> dict[int, float]:
    """A native histogram at a schema that is lower by some levels.

    Needed to read all series at one schema, and schemas above 7 at all.

    Args:
        indexed: Prometheus' index ``i`` of ``(base**(i - 1), base**i]`` -> count.
        levels: At least 0; each merges two buckets.

    >>> coarser({1: 1, 2: 1, 3: 1}, 1)
    {1: 2, 2: 1}
    """
    found: dict[int, float] = {}
    for index, count in indexed.items():
        at = ((index - 1) >> levels) + 1
        found[at] = found.get(at, 0) + count
    return found


def from_offset(offset: int, bucket_counts: Sequence[float]) -> dict[int, float]:
    """OpenTelemetry's positive buckets by Prometheus' index, which is larger by 1.

    >>> from_offset(-1, (5, 0, 2))
    {0: 5, 2: 2}
    """
    return {offset + at + 1: count for at, count in enumerate(bucket_counts) if count}


def from_spans(
    spans: Iterable[tuple[int, int]], deltas: Iterable[float]
) -> dict[int, float] | Dropped:
    """A native histogram's positive buckets by index.

    Args:
        spans: Gap to the last span (the first: its index) and number of buckets.
        deltas: Each bucket's count less the one before it, over all spans.

    >>> from_spans([(0, 2), (3, 1)], [5, -3, 1])
    {0: 5, 1: 2, 5: 3}
    """
    places: list[int] = []
    index = 0
    for gap, length in spans:
        index += gap
        places += range(index, index + length)
        index += length
    found = list(accumulate(deltas))
    if len(found) != len(places) or not all(map(_counts, found)):
        return Dropped.NUMBER
    return {at: count for at, count in zip(places, found, strict=True) if count}


def numbered(indexed: Mapping[int, float], growth: float, zero: float = 0.0) -> dict[int, float]:
    """A log histogram by bucket numbers from 0, which holds what is faster than a microsecond.

    Args:
        indexed: Index ``i`` of ``(growth**(i - 1), growth**i]`` seconds -> count.
        growth: Ratio of two neighbouring edges, above 1.005.
        zero: Count of the bucket around zero.

    Raises:
        ValueError: The growth is too fine; make the histogram `coarser` first.

    >>> numbered({0: 4}, 2.0, zero=1)
    {0: 1, 20: 4}
    """
    if not growth >= _LEAST_GROWTH:
        raise ValueError(f"growth {growth} is below {_LEAST_GROWTH}")
    first = math.ceil(math.log(_SHORTEST) / math.log(growth))
    found: dict[int, float] = {0: zero} if zero else {}
    for index, count in indexed.items():
        at = max(0, index - first + 1)
        found[at] = found.get(at, 0) + count
    return found


def _counts(value: float) -> bool:
    return 0 <= value < math.inf


def _falls(values: Sequence[float]) -> bool:
    return any(high < low for low, high in pairwise(values))
