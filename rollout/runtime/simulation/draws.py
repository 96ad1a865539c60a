"""Random counts from one stream of random numbers: exact, and quick at any size.

Python's own ``random`` has no Poisson, and a binomial only from version 3.12 on; a simulation must
give the same numbers everywhere.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

_FEW = 16.0  # expected events up to which they are counted one by one
_ALONE = 96  # requests up to which each draws its own bucket
_NEVER = 1e-15  # a probability that no simulation lives to see


def poisson(random: Random, mean: float) -> int:
    """A Poisson number.

    Args:
        random: The stream.
        mean: At least 0.

    Source: J. H. Ahrens, U. Dieter, Computer methods for sampling from gamma, beta, Poisson and
    binomial distributions, Computing 12 (1974) 223-246: the m-th arrival splits the time.
    """
    count = 0
    while mean > _FEW:
        arrivals = int(mean * 0.875)
        at = random.gammavariate(arrivals, 1.0)
        if at > mean:
            return count + binomial(random, arrivals - 1, mean / at)
        count, mean = count + arrivals, mean - at
    least, product = math.exp(-mean), random.random()
    while product > least:
        count, product = count + 1, product * random.random()
    return count


def binomial(random: Random, trials: int, chance: float) -> int:
    """How many of ``trials`` hit, each with probability ``chance``.

    Source: the same paper; the median of the trials' uniform numbers is a beta number, and leaves
    half of the trials to be counted.
    """
    if chance > 0.5:  # noqa: PLR2004 - the rarer outcome is counted
        return trials - binomial(random, trials, 1.0 - chance)
    count = 0
    while trials * chance > _FEW:
        middle = 1 + trials // 2
        at = random.betavariate(middle, trials + 1 - middle)
        if at >= chance:
            trials, chance = middle - 1, chance / at
        else:
            count, trials, chance = count + middle, trials - middle, (chance - at) / (1.0 - at)
    return count + _skipped(random, trials, chance)


def _skipped(random: Random, trials: int, chance: float) -> int:
    """The same by the gaps between hits, which are geometric."""
    if trials <= 0 or chance <= _NEVER:
        return 0
    if chance >= 1.0:
        return trials
    log_miss, at, count = math.log1p(-chance), 0, 0
    while True:
        at += int(math.log(1.0 - random.random()) / log_miss) + 1
        if at > trials:
            return count
        count += 1


@dataclass(frozen=True, slots=True)
class Table:
    """A distribution over consecutive buckets.

    Args:
        first: The first bucket's number.
        upto: Probability of each bucket or one before it; the last is 1.
    """

    first: int
    upto: tuple[float, ...]


def table(first: int, weights: Sequence[float]) -> Table:
    """The distribution with these weights, from bucket ``first`` on."""
    total = math.fsum(weights)
    upto = [min(1.0, each / total) for each in accumulate(weights)]
    return Table(first, (*upto[:-1], 1.0))


def spread(random: Random, among: Table, count: int) -> dict[int, int]:
    """``count`` requests over the buckets of a table: bucket -> requests, sparse.

    >>> spread(Random(1), table(7, [1.0]), 3)
    {7: 3}
    """
    found: dict[int, int] = {}
    _share(random, among, count, (0, len(among.upto)), found)
    return found


def _share(
    random: Random, among: Table, count: int, part: tuple[int, int], found: dict[int, int]
) -> None:
    """Many are halved by bucket, few draw one by one: the cost is that of the smaller number."""
    low, high = part
    if count == 0:
        return
    if high - low == 1:
        at = among.first + low
        found[at] = found.get(at, 0) + count
    elif count <= _ALONE:
        _draw(random, among, count, part, found)
    else:
        middle = (low + high) // 2
        below = among.upto[low - 1] if low else 0.0
        whole = among.upto[high - 1] - below
        left = (among.upto[middle - 1] - below) / whole if whole > 0 else 0.0
        fewer = binomial(random, count, min(1.0, left))
        _share(random, among, fewer, (low, middle), found)
        _share(random, among, count - fewer, (middle, high), found)


def _draw(
    random: Random, among: Table, count: int, part: tuple[int, int], found: dict[int, int]
) -> None:
    low, high = part
    upto, draw = among.upto, random.random
    below = upto[low - 1] if low else 0.0
    width = upto[high - 1] - below
    # The loop and the count run in C: this is the innermost loop of a simulation.
    drawn = Counter([bisect_right(upto, below + width * draw(), low, high) for _ in range(count)])
    for place, requests in drawn.items():
        at = among.first + min(place, high - 1)
        found[at] = found.get(at, 0) + requests
