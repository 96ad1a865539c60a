"""Latency histograms: counts of consecutive buckets, and of the requests never answered.

The buckets' edges are nobody's business here; whoever counts and whoever reads agree on them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

_MOST = 4095  # keeps a nonsensical duration from filling the memory; 1.02**4095 is 1e35


class Histogram(NamedTuple):
    """Counts of ``first``, ``first + 1``, ...; ``never`` lies above all buckets."""

    first: int
    counts: Sequence[int]
    never: int


EMPTY = Histogram(0, (), 0)


def total(histogram: Histogram) -> int:
    """All requests, answered or not."""
    return sum(histogram.counts) + histogram.never


def merged(
    histogram: Histogram, buckets: Mapping[int, int], never: int, unit: int = 1
) -> Histogram:
    """The histogram with more requests.

    Args:
        histogram: What is counted so far.
        buckets: Bucket number -> requests, sparse.
        never: Bucket number of the requests without an answer.
        unit: Weight of one request.

    >>> merged(Histogram(5, (1, 2), 0), {7: 1, 99: 4}, never=99)
    Histogram(first=5, counts=[1, 2, 1], never=4)
    """
    found = {max(0, min(at, _MOST)): count for at, count in buckets.items() if at < never}
    lost = histogram.never + unit * sum(count for at, count in buckets.items() if at >= never)
    if not found:
        return histogram._replace(never=lost)
    first, counts = _widened(histogram, min(found), max(found))
    for at, count in found.items():
        counts[at - first] += unit * count
    return Histogram(first, counts, lost)


def _widened(histogram: Histogram, low: int, high: int) -> tuple[int, list[int]]:
    """First bucket and a copy of the counts, with room for the buckets from low to high."""
    if not histogram.counts:
        return low, [0] * (high - low + 1)
    first, last = histogram.first, histogram.first + len(histogram.counts) - 1
    counts = [0] * (first - low) + list(histogram.counts) + [0] * (high - last)
    return min(first, low), counts


def quantile(histogram: Histogram, share: float) -> int | None:
    """The bucket at which ``share`` of all requests is reached; None: no data, or never.

    >>> quantile(Histogram(10, (90, 10), 0), 0.95)
    11
    """
    below = list(accumulate(histogram.counts))
    everyone = total(histogram)
    if everyone <= 0 or not below or below[-1] < share * everyone:
        return None
    return histogram.first + bisect_left(below, share * everyone)


def tail_edge(histogram: Histogram, share: float) -> int | None:
    """The bucket above which the share of all requests comes nearest to ``share``.

    >>> tail_edge(Histogram(10, (90, 6, 4), 0), 0.05)
    11
    """
    if not histogram.counts:
        return None
    # above[i] lies above the i-th bucket from the top; the last entry is everything.
    above = list(accumulate(reversed(histogram.counts), initial=histogram.never))
    top, wanted = histogram.first + len(histogram.counts) - 1, share * above[-1]
    at = bisect_right(above, wanted)
    if at == 0:
        return top
    if at < len(above) and above[at] - wanted < wanted - above[at - 1]:
        return top - at
    return top - at + 1


def slower(buckets: Mapping[int, int], marks: Sequence[int]) -> tuple[int, ...]:
    """Requests of a sparse histogram in buckets above each mark.

    >>> slower({10: 5, 20: 3, 30: 1}, (9, 10, 25, 30))
    (9, 4, 1, 0)
    """
    numbers = sorted(buckets)
    below = list(accumulate((buckets[at] for at in numbers), initial=0))
    return tuple(below[-1] - below[bisect_right(numbers, mark)] for mark in marks)
