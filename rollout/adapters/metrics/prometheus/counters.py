"""What counters grew by, from scrape to scrape: exact, over restarts, and each request once.

A counter tells how many there were since its process began, so the difference of two scrapes is
exact however far apart they are; nothing is extrapolated, as ``increase()`` does. Three rules:

* A counter that fell was restarted, and has counted from zero since. What it counted between the
  last scrape and the restart is lost, as in Prometheus itself.
* A series that is not in a scrape of its group and is in the next one began at zero in between:
  most libraries have a series once its first request was counted, and a proxy that is told anew
  about a deployment begins anew. ``increase()`` leaves that first value out, and with it the first
  failures of a new version.
* A series whose group was not scraped before is known from its first scrape on.

What is scraped at once has the same time, to the millisecond; so series of one ``job`` and
``instance`` that share a time are one group, and only a group tells what one of its series missed.
Samples that come one by one (pushed, or from two scrapers) are groups of their own.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import NamedTuple, TypeVar

from rollout.domain.measure import NEVER
from rollout.stats import buckets
from rollout.stats.buckets import Dropped, Reading

V = TypeVar("V")

Key = frozenset[tuple[str, str]]
"""What tells a series from all others: its labels."""

EDGE_LABEL = "le"
_NEAR = 0.25  # of the time between two samples; nearer ones are not two scrapes of one group


@dataclass(frozen=True, slots=True)
class Series:
    """One series as it was scraped.

    Args:
        labels: Its name is under ``__name__``.
        samples: Unix seconds -> value.
        native: It has native histograms, which are not read.
    """

    labels: Mapping[str, str]
    samples: Mapping[float, float] = field(default_factory=dict)
    native: bool = False

    @property
    def key(self) -> Key:
        """What tells it from all others."""
        return frozenset(self.labels.items())


class Scraped(NamedTuple):
    """One deployment's series."""

    requests: tuple[Series, ...]
    errors: tuple[Series, ...]
    latency: tuple[Series, ...]

    @property
    def every(self) -> tuple[Series, ...]:
        """All of them."""
        return (*self.requests, *self.errors, *self.latency)


class Span(NamedTuple):
    """Which steps between scrapes are counted: those that end in ``(start, end]``.

    Args:
        begin: Steps that begin before are of another time; what they count is left out.
        start, end: Unix seconds.
    """

    begin: float
    start: float
    end: float

    def holds(self, before: float, at: float) -> bool:
        """Whether the step from ``before`` to ``at`` is counted."""
        return self.begin <= before and self.start < at <= self.end


@dataclass(frozen=True, slots=True)
class Scrapes:
    """When what is scraped at once was scraped.

    Args:
        groups: Of each group the times, ascending.
        places: Series -> its group.
    """

    groups: Sequence[Sequence[float]]
    places: Mapping[Key, int]

    def of(self, series: Series) -> Sequence[float]:
        """When the group of a series was scraped."""
        at = self.places.get(series.key)
        return () if at is None else self.groups[at]


def scrapes(series: Iterable[Series]) -> Scrapes:
    """When each group was scraped, as far as its series tell."""
    parents: list[int] = []

    def root(at: int) -> int:
        while parents[at] != at:
            at = parents[at]
        return at

    seen: dict[tuple[str, str, float], int] = {}
    first: dict[Key, int] = {}
    for each in series:
        if not each.samples:
            continue
        mine = len(parents)
        parents.append(first.setdefault(each.key, mine))
        where = each.labels.get("job", ""), each.labels.get("instance", "")
        for at in each.samples:
            other = root(seen.setdefault((*where, at), mine))
            parents[root(mine)] = other
    numbers: dict[int, int] = {}
    places = {key: numbers.setdefault(root(at), len(numbers)) for key, at in first.items()}
    times: list[list[float]] = [[] for _ in numbers]
    for (_, _, at), member in seen.items():
        times[numbers[root(member)]].append(at)
    return Scrapes([sorted(each) for each in times], places)


def spacing(times: Sequence[float]) -> float | None:
    """Seconds between two scrapes, usually; None: there were not two.

    >>> spacing([0.0, 15.0, 30.0, 60.0])
    15.0
    """
    gaps = [late - early for early, late in pairwise(times)]
    return median(gaps) if gaps else None


class Step(NamedTuple):
    """What a counter grew by between two scrapes of its target."""

    before: float
    at: float
    growth: float


def steps(series: Series, known: Scrapes) -> Iterator[Step]:
    """What a counter grew by, scrape by scrape."""
    for before, at, old, new in _pairs(series.samples, known.of(series)):
        yield Step(before, at, new if old is None or new < old else new - old)


def _pairs(
    samples: Mapping[float, V], times: Sequence[float]
) -> Iterator[tuple[float, float, V | None, V]]:
    """Each scrape with the one before it; None: the series was not in that one."""
    own = sorted(samples)
    if not own:
        return
    near = _NEAR * (times[-1] - times[0]) / max(1, len(times) - 1) if times else 0.0
    earlier = bisect_right(times, own[0] - near) - 1
    if earlier >= 0 and times[earlier] < own[0]:
        yield times[earlier], own[0], None, samples[own[0]]
    for before, at in pairwise(own):
        missed = _missed(times, before, at)
        yield (
            (before, at, samples[before], samples[at])
            if missed is None
            else (missed, at, None, samples[at])
        )


def _missed(times: Sequence[float], before: float, at: float) -> float | None:
    """The group's last scrape between two of a series, in which it was not; None: there was none.

    Samples that come one by one may share a time by chance; so one that is near to either is none.
    """
    near = _NEAR * (at - before)
    last = bisect_right(times, at - near) - 1
    return times[last] if last >= 0 and times[last] > before + near else None


# --- histograms -------------------------------------------------------------------


class Layers(NamedTuple):
    """A histogram's counters, of all targets.

    Args:
        edges: Finite upper edges that all of them have, seconds, ascending.
        rows: One of a histogram's series, and its readings by time; None: that scrape is torn.
    """

    edges: tuple[float, ...]
    rows: tuple[tuple[Series, Mapping[float, Reading | None]], ...]


def layers(series: Iterable[Series], unit: float) -> Layers:
    """A classic histogram from its ``le`` counters.

    What has other edges elsewhere (a version that is being replaced) is read at the edges that are
    the same everywhere. A scrape that is torn or has no ``+Inf`` is left out.

    Args:
        series: Of one deployment.
        unit: What their edges are multiplied by to be seconds.
    """
    grouped: defaultdict[tuple[tuple[str, str], ...], dict[float, dict[float, float]]]
    grouped = defaultdict(lambda: defaultdict(dict))
    members: dict[tuple[tuple[str, str], ...], Series] = {}
    for each in series:
        edge = _edge(each.labels.get(EDGE_LABEL, ""), unit)
        if edge is None:
            continue
        rest = tuple(sorted(item for item in each.labels.items() if item[0] != EDGE_LABEL))
        members[rest] = each
        for at, value in each.samples.items():
            grouped[rest][at][edge] = value
    every = [
        set(cumulative)
        for times in grouped.values()
        for cumulative in times.values()
        if math.inf in cumulative
    ]
    common = set.intersection(*every) if every else set()
    rows = tuple(
        (members[rest], {at: _reading(held, common) for at, held in times.items()})
        for rest, times in sorted(grouped.items())
    )
    return Layers(tuple(sorted(common - {math.inf})), rows)


def _edge(text: str, unit: float) -> float | None:
    try:
        return float(text) * unit
    except ValueError:
        return None


def _reading(cumulative: Mapping[float, float], common: set[float]) -> Reading | None:
    if not common or not common <= set(cumulative):
        return None
    found = buckets.reading({edge: cumulative[edge] for edge in common})
    return None if isinstance(found, Dropped) else found


def increases(found: Layers, known: Scrapes) -> Iterator[tuple[float, float, Mapping[int, int]]]:
    """What a histogram grew by, step by step: bucket -> requests; above the last edge ``NEVER``."""
    last = len(found.edges)
    for member, readings in found.rows:
        whole = {at: each for at, each in readings.items() if each is not None}
        # In a torn scrape it was there, so it has not begun anew behind it.
        times = [at for at in known.of(member) if at in whole or at not in readings]
        for before, at, old, new in _pairs(whole, times):
            grown = _grown(old, new)
            if not isinstance(grown, Dropped):
                yield (
                    before,
                    at,
                    {NEVER if number == last else number: count for number, count in grown.items()},
                )


def _grown(old: Reading | None, new: Reading) -> Mapping[int, int] | Dropped:
    nothing = Reading(new.edges, (0.0,) * len(new.below))
    grown = buckets.increase(old or nothing, new)
    return buckets.increase(nothing, new) if grown is Dropped.RESET else grown
