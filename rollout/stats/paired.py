"""Tests on requests that both deployments answered, by mirroring or by probes.

A pair is one request with two answers, and an event something that either answer can have:

- errors: the answer is a failure (McNemar's test);
- disagreement against a second copy of the baseline, the primary's twin: the answer differs from
  the primary's. The twin stands in for the baseline here, and its differences are the noise;
- one field of the answer: that field differs;
- a slow answer: it lies above an edge of `slow`, the candidate's above the shifted one.

Only discordant pairs, in which one arm alone had the event, say which arm is worse.

Validity of `steps`. In a pair, given the past, the candidate alone has the event with probability
``p``, the baseline alone with ``q``; both may change from pair to pair, and the arms may be as
dependent as they like. Null: ``p <= q + points``. An alternative's factor is ``a`` for the one
outcome, ``r`` for the other and 1 for concordant pairs, times ``exp(points (r - 1))``. At a share
of one half ``a + r = 2``; with ``s = a - 1 = 1 - r > 0`` its expectation is
``(1 + p s - q s) exp(-points s) <= exp(s (p - q - points)) <= 1``. With ``s < 0`` the same line
holds for the null ``p >= q + points`` that a pass rejects. Products over pairs are e-processes, so
this is the two-arm test of `counts` with the pairs as the requests of both arms. Betting
``1 + bet (points - d)`` on ``d`` in -1, 0, 1 instead saves the step from a tangent to the
exponential, and the best bet, known beforehand, grows little faster: by 0.5 % at 1 % discordant
pairs and half a point of margin, by 15 % at 10 % and one point.

Fields are found while the test runs; each has a process of its own (`family`).

Source: Q. McNemar, Psychometrika 12 (1947) 153-157; the twin of the primary is the noise
cancellation of Twitter's Diffy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from rollout.stats import counts, family as families, objective
from rollout.stats.counts import Counts
from rollout.stats.family import FINE_FAIL, FINE_PASS, Cover, Family
from rollout.stats.grid import Grid

_FAIR = 0.5


class Pairs(NamedTuple):
    """Pairs in which one arm alone had the event, among all."""

    candidate: int
    baseline: int
    total: int


def counted(events: Iterable[tuple[bool, bool]]) -> Pairs:
    """The pairs of an interval.

    Args:
        events: For each pair, whether the candidate and whether the baseline had the event.

    >>> counted([(True, False), (True, True), (False, False)])
    Pairs(candidate=1, baseline=0, total=3)
    """
    candidate = baseline = total = 0
    for ours, theirs in events:
        total += 1
        candidate += ours and not theirs
        baseline += theirs and not ours
    return Pairs(candidate, baseline, total)


def swapped(pairs: Pairs) -> Pairs:
    """The pairs with the arms exchanged, to test the other direction."""
    return Pairs(pairs.baseline, pairs.candidate, pairs.total)


def steps(grid: Grid, pairs: Pairs, *, points: float = 0.0) -> tuple[float, ...] | None:
    """What one interval adds to the log likelihood ratios.

    Args:
        grid: ``FAIL`` tests "the candidate has the event at most ``points`` more often than the
            baseline", ``PASS`` "at least".
        pairs: Of this interval.
        points: Allowed excess, a fraction of all pairs, at least 0.

    Returns:
        float[len(grid.excess)]; None without a pair.

    Ten pairs in which the candidate alone failed are enough for 1 %:

    >>> from rollout.stats.grid import FAIL, log_e
    >>> log_e(FAIL, steps(FAIL, Pairs(10, 0, 500)) or ()) > 4.61
    True
    """
    candidate, baseline, total = pairs
    return counts.steps(grid, Counts(candidate, total), Counts(baseline, total), points=points)


def disagreement_steps(grid: Grid, differing: Counts, limit: float) -> tuple[float, ...] | None:
    """What one interval adds to the test of a rate of differing answers, without a twin.

    Args:
        grid: ``FAIL`` tests "the rate is at most the limit", ``PASS`` "at least".
        differing: Pairs with different answers, and all pairs.
        limit: Allowed rate, 0..1.

    Returns:
        float[len(grid.excess)]; None without a pair.
    """
    return objective.steps(grid, differing, limit)


def slower(seconds: Iterable[tuple[float, float]], tolerance: float = 0.0) -> Counts:
    """How many pairs had a slower candidate, beyond a tolerance.

    Args:
        seconds: The candidate's and the baseline's latency of each pair; infinity where no answer
            came. Two missing answers are a tie, and a tie is not slower.
        tolerance: Relative, at least 0.

    >>> inf = float("inf")
    >>> slower([(0.12, 0.1), (0.1, 0.1), (inf, 0.1), (inf, inf)], 0.1)
    Counts(events=2, requests=4)
    """
    found = [ours > (1.0 + tolerance) * theirs for ours, theirs in seconds]
    return Counts(sum(found), len(found))


def slower_steps(grid: Grid, found: Counts) -> tuple[float, ...] | None:
    """What one interval adds to the sign test of paired latency.

    Its null is about the median of the ratio: at most half of the pairs have a slower candidate.
    A tail that grew in a few pairs is seen by `steps` on slow answers instead.

    Args:
        grid: ``FAIL`` tests "at most half", ``PASS`` "at least half".
        found: From `slower`.

    Returns:
        float[len(grid.excess)]; None without a pair.
    """
    return objective.steps(grid, found, _FAIR)


def fields_failing(
    family: Family, fields: Mapping[str, Pairs], total: int, *, points: float = 0.0
) -> Family:
    """The fields' tests against the candidate after one interval.

    Args:
        family: Before the interval.
        fields: For each field that an answer had in it, the pairs in which it differed.
        total: All pairs of the interval, also those whose answers lacked the field.
        points: Allowed excess, as in `steps`.
    """
    nothing = Pairs(0, 0, total)
    found = {
        name: (steps(FINE_FAIL, fields.get(name, nothing)._replace(total=total), points=points),)
        for name in family.members
    }
    return families.joined(families.grown(family, found), fields)


def fields_passing(cover: Cover, fields: Mapping[str, Pairs], total: int, margin: float) -> Cover:
    """The fields' tests for a pass after one interval.

    Args:
        cover: Before the interval.
        fields: As in `fields_failing`.
        total: All pairs of the interval.
        margin: Excess to be ruled out for every field, a fraction of all pairs, above 0.
    """
    found = {
        name: (steps(FINE_PASS, pairs._replace(total=total), points=margin),)
        for name, pairs in fields.items()
    }
    return families.covered(cover, found, (steps(FINE_PASS, Pairs(0, 0, total), points=margin),))
