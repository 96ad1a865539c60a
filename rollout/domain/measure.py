"""Measurements: what each deployment answered in an interval, reduced to counts.

Latency is a sparse log histogram: bucket ``i`` holds durations in ``(edge(i - 1), edge(i)]``
with ``edge(i) = 1 microsecond * GROWTH ** i``. A request that failed or timed out is in ``NEVER``,
slower than everything, else a crash would look fast. Buckets of a source that keeps histograms of
its own have other edges, few of them, which an `Arm` then names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

GROWTH = 1.02  # 2 % wide buckets: a tolerance of 10 % is 5 of them
NEVER = 1 << 20
_BASE = 1e-6  # seconds
_LOG_GROWTH = math.log(GROWTH)


def bucket_of(seconds: float) -> int:
    """The histogram bucket of a duration in seconds.

    >>> edge(bucket_of(0.1) - 1) < 0.1 <= edge(bucket_of(0.1))
    True
    """
    if seconds <= _BASE:
        return 0
    return math.ceil(math.log(seconds / _BASE) / _LOG_GROWTH - 1e-9)


def edge(bucket: int) -> float:
    """Upper edge of a bucket in seconds; infinite for ``NEVER``."""
    return math.inf if bucket >= NEVER else _BASE * GROWTH**bucket


@dataclass(frozen=True, slots=True)
class Sums:
    """A custom metric in one interval: of a share ``total`` of ``count``, of a mean the moments.

    Args:
        count: Observations.
        total: Sum of the values; of a share the number of hits.
        squares: Sum of the squared values; of a share 0.
        tally: Of a bounded mean: position on the grid of its range -> weight.
    """

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    tally: Mapping[int, int] = field(default_factory=dict)

    def plus(self, more: Sums) -> Sums:
        """Both intervals as one."""
        return Sums(
            self.count + more.count,
            self.total + more.total,
            self.squares + more.squares,
            _added(self.tally, more.tally),
        )


@dataclass(frozen=True, slots=True)
class Published:
    """What a source says of one deployment's minute where it counts no latencies.

    Args:
        start: Unix seconds.
        values: Share of the requests that are faster, 0..1 -> seconds. One that is missing was not
            published.
        requests: Number of requests; None: the source does not say, which is not 0.
        errors: Those that failed.
    """

    start: float
    values: Mapping[float, float] = field(default_factory=dict)
    requests: int | None = None
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Arm:
    """What one deployment answered in one interval; its latencies are counted or published.

    Args:
        requests: Answers that count, failed ones included.
        errors: Those that failed.
        latency: Bucket -> requests; sums to the requests since the last interval that had a
            histogram. None: this interval carries none.
        outputs: Of each prediction looked at (its path in the answers): label -> answers. A label
            is ``=text`` for a class, ``#number`` for the bucket of a number.
        sums: Custom metric -> what it adds up to.
        published: Minutes of which only percentiles are known, oldest first. Their requests and
            errors are in ``requests`` and ``errors``, too; a minute without data is not among them.
        edges: Of buckets that are not ours: their finite upper edges, seconds, ascending. Bucket
            ``i`` of ``latency`` then holds durations in ``(edges[i - 1], edges[i]]``, and what lies
            above the last edge is in ``NEVER``, like failures. Empty: the buckets are ours.
    """

    requests: int = 0
    errors: int = 0
    latency: Mapping[int, int] | None = None
    outputs: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    sums: Mapping[str, Sums] = field(default_factory=dict)
    published: tuple[Published, ...] = ()
    edges: tuple[float, ...] = ()

    def plus(self, more: Arm) -> Arm:
        """Both intervals as one; latency stays None only where neither had any.

        Latencies of different edges cannot be added up: the newer one's stand alone.
        """
        latency, edges = _joined(self, more)
        return Arm(
            requests=self.requests + more.requests,
            errors=self.errors + more.errors,
            latency=latency,
            outputs={
                name: _added(self.outputs.get(name, {}), more.outputs.get(name, {}))
                for name in {**self.outputs, **more.outputs}
            },
            sums={
                name: self.sums.get(name, Sums()).plus(more.sums.get(name, Sums()))
                for name in {**self.sums, **more.sums}
            },
            published=self.published + more.published,
            edges=edges,
        )


def _joined(one: Arm, two: Arm) -> tuple[Mapping[int, int] | None, tuple[float, ...]]:
    """The latency of an interval and the next one, and its edges; an empty one changes neither."""
    if one.latency is not None and not two.latency:
        return one.latency, one.edges
    if not one.latency or two.latency is None or one.edges != two.edges:
        return two.latency, two.edges
    return _added(one.latency, two.latency), one.edges


K = TypeVar("K", int, str)


def _added(one: Mapping[K, int], two: Mapping[K, int]) -> dict[K, int]:
    found = dict(one)
    for key, count in two.items():
        found[key] = found.get(key, 0) + count
    return found


@dataclass(frozen=True, slots=True)
class Agreement:
    """Requests that both deployments answered, and how many of the answers differ.

    Args:
        compared: Pairs of answers.
        differing: Pairs in which the candidate's answer differs from the baseline's.
        noisy: Of requests that the baseline answered twice: pairs in which its own answers differ.
            None: it answered once.
        only_candidate, only_noise: Pairs in which just one of the two differs from the baseline's
            first answer; 0 where it answered once.
        fields: Path -> pairs that differ there; with a second answer: those where only the
            candidate does.
        field_noise: Path -> pairs where only the baseline's own second answer differs.
    """

    compared: int = 0
    differing: int = 0
    noisy: int | None = None
    only_candidate: int = 0
    only_noise: int = 0
    fields: Mapping[str, int] = field(default_factory=dict)
    field_noise: Mapping[str, int] = field(default_factory=dict)

    def plus(self, more: Agreement) -> Agreement:
        """Both intervals as one; where only one knows the baseline's noise, the other says nothing."""
        known = self.noisy is not None and more.noisy is not None
        if not known and (self.noisy is not None or more.noisy is not None):
            return self if self.noisy is not None else more
        return Agreement(
            compared=self.compared + more.compared,
            differing=self.differing + more.differing,
            noisy=(self.noisy or 0) + (more.noisy or 0) if known else None,
            only_candidate=self.only_candidate + more.only_candidate,
            only_noise=self.only_noise + more.only_noise,
            fields=_added(self.fields, more.fields),
            field_noise=_added(self.field_noise, more.field_noise),
        )


@dataclass(frozen=True, slots=True)
class Interval:
    """Closed observations from ``start`` to ``end``, Unix seconds.

    ``arms`` has two keys, ``baseline`` and ``candidate``: in a mirror stage the candidate's arm
    holds the mirrored copies, else its live answers. ``agreement``: by the plan's rules of
    comparison -> pairs; empty: nobody compared. ``steady``: the split was the stage's own all the
    time; where nobody guarded the candidate it may have been a smaller one.
    """

    start: float
    end: float
    arms: Mapping[str, Arm] = field(default_factory=dict)
    agreement: Mapping[str, Agreement] = field(default_factory=dict)
    steady: bool = True

    def plus(self, later: Interval) -> Interval:
        """This interval and the next one as one."""
        return Interval(
            self.start,
            later.end,
            {
                role: self.arms.get(role, Arm()).plus(later.arms.get(role, Arm()))
                for role in {**self.arms, **later.arms}
            },
            {
                name: self.agreement[name].plus(later.agreement[name])
                if name in self.agreement and name in later.agreement
                else {**self.agreement, **later.agreement}[name]
                for name in {**self.agreement, **later.agreement}
            },
            steady=self.steady and later.steady,
        )
