"""Where a source's own bucket edges are too coarse for a plan's latency checks, and what to do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from rollout.domain.criteria import Check
from rollout.domain.measure import NEVER
from rollout.domain.units import Allowance
from rollout.gates import criteria
from rollout.gates.reduce import beyond_limit
from rollout.gates.sides import sides_of
from rollout.stats import slow
from rollout.stats.buckets import far, pair_to_fail, pair_to_pass, quantile

_SMALLEST = 1e-6  # of a step: what floating-point numbers add to it


def findings(
    checks: Iterable[Check], edges: Sequence[float], buckets: Mapping[int, int]
) -> tuple[str, ...]:
    """What a plan's checks cannot tell by such buckets: a sentence for each, and what to do.

    Args:
        checks: Of any kind; only those of latency are looked at, each once.
        edges: Of the baseline's buckets, seconds, ascending; empty: they are ours, and fine enough.
        buckets: Bucket number -> requests of the baseline lately. Below 200 only objectives are
            looked at.

    >>> findings([Check("latency", 0.99, maximum=0.8)], (0.5, 1.0), {})[0].partition(": ")[2][:45]
    'no bucket edge is at 800ms, so a pass counts '
    """
    if not edges:
        return ()
    latency = [check for check in dict.fromkeys(checks) if criteria.is_latency(check)]
    found = ((check, _finding(check, edges, buckets)) for check in latency)
    return tuple(f"{check.name} ({criteria.spell(check)}): {what}" for check, what in found if what)


def _finding(check: Check, edges: Sequence[float], buckets: Mapping[int, int]) -> str:
    if check.maximum is not None:
        return _objective(check, check.maximum, edges)
    margin = check.margin or check.tolerance
    reference = slow.learn(None, buckets, NEVER, 0.0)
    if margin is None or reference.seen < slow.NEEDED:
        return ""
    share = check.quantile or 0.0
    drawn, seconds = slow.edges(reference, (share,)), quantile(edges, buckets, share)
    if drawn is None or seconds is None:
        return f"{far(edges, None)}. Give the histogram edges above {_spell(edges[-1])}."
    if not 0 <= drawn[0] < len(edges) or edges[drawn[0]] <= 0 or seconds <= 0:
        return (
            f"the baseline's {_at(check)} lies below the first bucket edge of use: nothing can be "
            "shown there. Give the histogram smaller edges."
        )
    if _widened(edges, drawn[0], margin) <= 1.0:
        return _impassable(check, edges, drawn[0], margin)
    told = far(edges, seconds)
    return (
        f"{told}. Give the histogram an edge near {criteria.spell_seconds(seconds)}."
        if told
        else ""
    )


def _widened(edges: Sequence[float], number: int, margin: Allowance) -> float:
    """The largest part of a margin that two edges span; 1 or less: no part of it."""
    pair = pair_to_pass(edges, edges, number, margin.ratio)
    return 0.0 if pair is None else pair.factor


def _impassable(check: Check, edges: Sequence[float], number: int, margin: Allowance) -> str:
    """A margin within which there is no edge, so that only a faster candidate passes."""
    drawn = edges[number]
    reach = _spell(_cut(drawn * margin.ratio))
    where = f"above {_spell(drawn)}, the one nearest to the baseline's {_at(check)}, up to {reach}"
    instead = f"give the histogram an edge at {reach}"
    if number + 1 == len(edges):
        return (
            f"no bucket edge lies {where}, nor any further on, so a candidate as fast as the "
            f"baseline cannot pass and a slower one cannot fail. To judge it, {instead}."
        )
    following = edges[number + 1]
    return (
        f"no bucket edge lies {where} (the next is {_spell(following)}), so a candidate as fast as "
        f"the baseline cannot pass{_unseen(check, edges, number)}. Write margin: "
        f"{_percent(following / drawn)} or more, or an objective on an edge such as max: "
        f"{_spell(following)}, or {instead}."
    )


def _unseen(check: Check, edges: Sequence[float], number: int) -> str:
    """What the failing side does not see by these edges."""
    if check.tolerance is None:
        return ""
    pair = pair_to_fail(edges, edges, number, check.tolerance.ratio)
    if pair is None:
        return " and a slower one cannot fail"
    return f" and one less than {pair.factor:.3g} times as slow can hardly fail"


def _objective(check: Check, limit: float, edges: Sequence[float]) -> str:
    """An objective between two edges, or beyond all."""
    failing, passing = (beyond_limit(side, edges) for side in sides_of(check) if side)
    exact, first, last = _spell(limit), _spell(edges[0]), _spell(edges[-1])
    finer = f"or give the histogram an edge at {exact}."
    if failing == passing:
        return ""
    if failing == NEVER:
        return (
            f"{exact} lies above the last bucket edge, {last}, so a failure can never be shown, "
            f"and a pass counts what is above {last} as slow. Write max: {last}, {finer}"
        )
    if passing < 0:
        return (
            f"{exact} lies below the first bucket edge, {first}, so a pass can never be shown, "
            f"and a failure counts only what is above {first}. Write max: {first}, {finer}"
        )
    low, high = _spell(edges[passing]), _spell(edges[failing])
    return (
        f"no bucket edge is at {exact}, so a pass counts what is above {low} as slow, a failure "
        f"only what is above {high}. Write max: {low} or max: {high}, {finer}"
    )


def _at(check: Check) -> str:
    return f"p{(check.quantile or 0.0) * 100:g}"


def _spell(seconds: float) -> str:
    """A duration as a plan may have it, exact enough to be an edge.

    >>> _spell(0.25), _spell(2.5)
    ('250ms', '2.5s')
    """
    return f"{seconds * 1000:.12g}ms" if seconds < 1 else f"{seconds:.12g}s"


def _cut(seconds: float) -> float:
    """Six digits of a duration, never more than it: an edge there still lies within the margin.

    >>> _cut(0.1340108), _cut(0.25 * 1.2)
    (0.13401, 0.3)
    """
    unit = 10.0 ** (math.floor(math.log10(seconds)) - 5)
    return float(f"{math.floor(seconds / unit + _SMALLEST) * unit:.6g}")


def _percent(factor: float) -> str:
    """The smallest margin that is not below a factor, in steps of 0.1 %.

    >>> _percent(0.5 / 0.25), _percent(0.15 / 0.1)
    ('100%', '50%')
    """
    return f"{math.ceil((factor - 1.0) * 1000 - _SMALLEST) / 10:.10g}%"
