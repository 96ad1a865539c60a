"""The state of one test as plain JSON, whatever it looks at: begun empty, fed, asked for evidence.

Every kind of test is an e-process here: `log_e` is the logarithm of its evidence, 0 before any
data, and under its null hypothesis the evidence ever reaches ``1 / alpha`` with a probability of at
most ``alpha``. What an interval adds is cut down, never up, when it is stored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from rollout.domain.measure import Agreement, Sums
from rollout.gates import published
from rollout.gates.published import Minutes
from rollout.gates.reduce import Batch, Classes, Pair, allowed, pairs, steps
from rollout.gates.sides import Kind, Side, grid_of
from rollout.stats import (
    betting,
    counts,
    dispersion,
    drift,
    family,
    grid as grids,
    means,
    paired,
    sample_ratio,
)
from rollout.stats.counts import NOBODY, Counts
from rollout.stats.family import Cover, Family, Member
from rollout.stats.grid import Grid
from rollout.stats.paired import Pairs

Process = Any
"""JSON: what `empty` and `fed` return; its shape is the business of this module alone."""

_FINE, _COARSE = 1e6, 1e4  # a log likelihood ratio is cut down to one part in so many
_CERTAIN = 1e6  # requests of an arm that is a number, for each of the candidate
_CANDIDATE = "candidate"
_LOG_HALF = math.log(0.5)


def empty(side: Side) -> Process:
    """The process of a test that has seen nothing."""
    match side.kind:
        case Kind.AGREEMENT:
            fields = _packed_family(Family()) if side.failing else _packed_cover(_cover(1))
            return {"all": list(grids.start(_grid(side))), "fields": fields}
        case Kind.DRIFT if side.failing:
            return _packed_family(Family())
        case Kind.DRIFT:
            return _packed_cover(_cover(drift.DIRECTIONS))
        case Kind.MEAN:
            return [*_packed_means(means.start()), 0.0]
        case Kind.BOUNDED:
            return {"bets": list(grids.start(_bets(side))), "centre": list(betting.UNKNOWN)}
        case Kind.SHARE:
            found = sample_ratio.start([_CANDIDATE])[_CANDIDATE]
            return [list(found.more), list(found.less)]
        case _ if side.alike:
            return {"log_l": list(grids.start(_with_alike(side, NOBODY))), "past": [*NOBODY]}
        case _:
            return [list(grids.start(_grid(side))) for _ in range(side.parts)]


class Look(NamedTuple):
    """What one interval has for a test, worked out once for all of its processes.

    Args:
        pairs: Counts, one pair for each part of a test that is events among requests.
        added: What they add to each part's log likelihood ratios; empty where the past has a say.
        phi: Dispersion by which that is divided.
        agreement: For a comparison of answers.
        both: Of a prediction or a custom metric: the candidate's and the baseline's side.
        minutes: Of latency that was published, not counted.
    """

    pairs: tuple[Pair, ...] = ()
    added: tuple[tuple[float, ...] | None, ...] = ()
    phi: float = 1.0
    agreement: Agreement | None = None
    both: Any = None
    minutes: Minutes | None = None


def look(side: Side, batch: Batch) -> Look | None:
    """What an interval has for a test; None: nothing."""
    match side.kind:
        case Kind.AGREEMENT:
            found = batch.agreement.get(side.name)
            return Look(agreement=found) if found is not None and found.compared else None
        case Kind.DRIFT:
            both = batch.outputs.get(side.name)
            return Look(both=both) if both is not None and all(both) else None
        case Kind.MEAN | Kind.BOUNDED:
            sums = batch.sums.get(side.name)
            return None if sums is None else Look(both=sums)
        case Kind.SHARE:
            return _split(side, batch)
        case Kind.LATENCY if batch.latency is None and batch.minutes is not None:
            minutes = batch.minutes
            return Look(minutes=minutes) if published.tells(side, minutes) else None
        case _:
            return _counts(side, batch)


def _counts(side: Side, batch: Batch) -> Look | None:
    found = pairs(side, batch)
    if found is None:
        return None
    phi = batch.phi if side.kind is Kind.ERRORS else 1.0
    if side.alike:
        quiet = any(0 in (pair.candidate.requests, pair.baseline.requests) for pair in found)
        return None if quiet else Look(found, phi=phi)
    added = tuple(dispersion.scaled(steps(side, _grid(side), pair), phi) for pair in found)
    return None if all(part is None for part in added) else Look(found, added)


def _split(side: Side, batch: Batch) -> Look | None:
    if batch.planned is None:
        return None
    mine, theirs = batch.errors.candidate.requests, batch.errors.baseline.requests
    allowed = side.allowance.points or None
    found = sample_ratio.steps(batch.planned, Counts(mine, mine + theirs), allowed)
    pair = Pair(Counts(mine, mine + theirs), Counts(theirs, mine + theirs))
    return None if found is None else Look((pair,), tuple(found))


def fed(side: Side, process: Process, seen: Look) -> Process:
    """The process after one interval."""
    match side.kind:
        case Kind.AGREEMENT:
            return _agreed(side, process, cast("Agreement", seen.agreement))
        case Kind.DRIFT:
            return _drifted(side, process, *seen.both)
        case Kind.MEAN:
            return _averaged(side, process, *seen.both)
        case Kind.BOUNDED:
            return _bet(side, process, *seen.both)
        case _ if side.alike:
            return _alike(side, process, seen)
        case _ if seen.minutes is not None:
            held = published.fed(side, _published(process), seen.minutes)
            return {"counted": _counted(process), "published": held}
        case _ if _published(process) is not None:
            return {**process, "counted": fed(side, _counted(process), seen)}
        case _:
            return [
                values if part is None else grown(values, part)
                for values, part in zip(process, seen.added, strict=True)
            ]


def log_e(side: Side, process: Process) -> float:
    """Logarithm of the evidence: against the candidate, or for a pass."""
    match side.kind:
        case Kind.AGREEMENT:
            whole = grids.log_e(_grid(side), process["all"])
            if not side.failing:
                return min(whole, family.log_s(_cover_of(process["fields"])))
            by_field = family.log_e(_family_of(process["fields"]))
            return grids.log_sum([_LOG_HALF + whole, _LOG_HALF + by_field])
        case Kind.DRIFT if side.failing:
            return family.log_e(_family_of(process))
        case Kind.DRIFT:
            return family.log_s(_cover_of(process))
        case Kind.MEAN:
            grid = means.FAIL if side.failing else means.PASS
            return means.log_e(grid, _means_of(process[:-1]))
        case Kind.BOUNDED:
            return grids.log_e(_bets(side), process["bets"])
        case Kind.SHARE:
            return sample_ratio.log_e({_CANDIDATE: sample_ratio.Sides(*map(tuple, process))})
        case _:
            found = part_log_e(side, _counted(process))
            log_mean, held = grids.log_sum(found) - math.log(len(found)), _published(process)
            # An interval moves one of the two, so their product is an e-process as well.
            return log_mean if held is None else log_mean + published.log_e(side, held)


def part_log_e(side: Side, process: Process) -> list[float]:
    """Log evidence of each part of a test that is events among requests."""
    if side.alike:
        return [grids.log_e(_with_alike(side, NOBODY), process["log_l"])]
    return [grids.log_e(_grid(side), values) for values in process]


def is_published(process: Process) -> bool:
    """Whether part of a test's evidence is published latency, which has no counts to show."""
    return _published(process) is not None


def _published(process: Process) -> Any:
    return process["published"] if isinstance(process, dict) and "published" in process else None


def _counted(process: Process) -> Process:
    """The process over intervals with counts."""
    return process if _published(process) is None else process["counted"]


def worst(side: Side, process: Process) -> str:
    """The field or class with most evidence against the candidate; empty: none."""
    packed = process["fields"] if side.kind is Kind.AGREEMENT else process
    members = _family_of(packed).members
    if not members:
        return ""
    best = {name: max(_member_log_e(member)) for name, member in members.items()}
    return max(best, key=lambda name: best[name])


def _member_log_e(member: Member) -> list[float]:
    return [grids.log_e(family.FINE_FAIL, log_l) for log_l in member.parts]


def shown_means(process: Process, candidate: Sums, baseline: Sums) -> Process:
    """The process behind a mean's reported bounds, after one interval; None begins it."""
    before = means.start() if process is None else _means_of(process)
    mine, theirs = (
        means.Sample(each.count, each.total, each.squares) for each in (candidate, baseline)
    )
    return _packed_means(means.update(before, mine, theirs))


def bounds(process: Process) -> tuple[float, float]:
    """95 % confidence bounds of the difference of the means, the candidate's less the baseline's."""
    return means.bounds(_means_of(process))


def grown(values: Sequence[float], added: Sequence[float], scale: float = _FINE) -> list[float]:
    """Values plus what is added, cut down to multiples of ``1 / scale``, never up.

    >>> grown([0.0], [-0.00000001])
    [-1e-06]
    """
    floor = math.floor
    return [
        floor((value + step) * scale) / scale for value, step in zip(values, added, strict=True)
    ]


def _grid(side: Side) -> Grid:
    return grid_of(side.kind, failing=side.failing)


def _bets(side: Side) -> Grid:
    return betting.FAIL if side.failing else betting.PASS


# --- events -----------------------------------------------------------------------


def _alike(side: Side, process: Process, seen: Look) -> Process:
    (pair,), past = seen.pairs, Counts(*process["past"])
    added = dispersion.scaled(steps(side, _with_alike(side, past), pair), seen.phi)
    return {
        "log_l": process["log_l"] if added is None else grown(process["log_l"], added),
        "past": [total + more for total, more in zip(past, pair.baseline, strict=True)],
    }


def _with_alike(side: Side, past: Counts) -> Grid:
    """Half on fixed alternatives, half on the candidate being as the baseline was so far."""
    ratio, points = allowed(side)
    return grids.half_each(_grid(side), counts.alike(past, ratio=ratio, points=points))


# --- answers compared -----------------------------------------------------------


def _agreed(side: Side, process: Process, found: Agreement) -> Process:
    whole = _disagreement(side, found)
    fields = {
        path: Pairs(found.fields.get(path, 0), found.field_noise.get(path, 0), found.compared)
        for path in {**found.fields, **found.field_noise}
    }
    packed = process["fields"]
    if side.failing:
        after = paired.fields_failing(
            _family_of(packed), fields, found.compared, points=side.objective
        )
        packed = _packed_family(after)
    else:
        cover = paired.fields_passing(_cover_of(packed), fields, found.compared, side.objective)
        packed = _packed_cover(cover)
    before = process["all"]
    return {"all": before if whole is None else grown(before, whole), "fields": packed}


def _disagreement(side: Side, found: Agreement) -> tuple[float, ...] | None:
    """Against a limit where the baseline answered once; else against the baseline's own noise."""
    if found.noisy is None:
        differing = Counts(found.differing, found.compared)
        return paired.disagreement_steps(_grid(side), differing, side.objective)
    discordant = Pairs(found.only_candidate, found.only_noise, found.compared)
    return paired.steps(_grid(side), discordant, points=side.objective)


# --- predictions ----------------------------------------------------------------


def _drifted(side: Side, process: Process, candidate: Classes, baseline: Classes) -> Process:
    points = side.allowance.points
    if side.failing:
        after = drift.failing(_family_of(process), candidate, baseline, points=points)
        return _packed_family(after)
    return _packed_cover(drift.passing(_cover_of(process), candidate, baseline, points))


def _cover(parts: int) -> Cover:
    return family.empty_cover(parts)


def _packed_family(found: Family) -> Process:
    members = {
        name: [member.weight, [_floored(part) for part in member.parts]]
        for name, member in found.members.items()
    }
    return {"reserve": found.reserve, "waves": found.waves, "members": members}


def _family_of(packed: Process) -> Family:
    members = {
        name: Member(weight, tuple(map(tuple, parts)))
        for name, (weight, parts) in cast("Mapping[str, Any]", packed["members"]).items()
    }
    return Family(packed["reserve"], packed["waves"], members)


def _packed_cover(found: Cover) -> Process:
    members = {name: [_floored(part) for part in parts] for name, parts in found.members.items()}
    return {
        "unseen": [_floored(part) for part in found.unseen],
        "members": members,
        "full": found.full,
    }


def _cover_of(packed: Process) -> Cover:
    members = {name: tuple(map(tuple, parts)) for name, parts in packed["members"].items()}
    return Cover(tuple(map(tuple, packed["unseen"])), members, packed["full"])


def _floored(values: Sequence[float]) -> list[float]:
    return [math.floor(value * _COARSE) / _COARSE for value in values]


# --- means ------------------------------------------------------------------------


def _averaged(side: Side, process: Process, candidate: Sums, baseline: Sums) -> Process:
    sign = -1.0 if side.upside_down else 1.0
    mine, theirs = (
        means.Sample(each.count, sign * each.total, each.squares) for each in (candidate, baseline)
    )
    *packed, base = process
    before = _means_of(packed)
    if side.relative:
        # A tenth of a negative mean is allowed on its other side; which it is, the past says.
        ratio = _factor(side) if base >= 0.0 else 2.0 - _factor(side)
        after = means.update(before, mine, theirs, ratio=ratio)
        return [*_packed_means(after), base + baseline.total]
    # One arm against a number is two arms, one of which is that number, known for certain.
    known, goal = mine.requests * _CERTAIN, sign * side.objective
    certain = means.Sample(known, goal * known, goal * goal * known)
    return [*_packed_means(means.update(before, mine, certain)), base]


def _factor(side: Side) -> float:
    """What the baseline's mean may be multiplied by: upside down, a loss of 10 % is 0.9."""
    return 2.0 - side.allowance.ratio if side.upside_down else side.allowance.ratio


def _packed_means(state: means.State) -> Process:
    return [*state[:6], list(state.waiting), list(state.base_waiting)]


def _means_of(packed: Process) -> means.State:
    return means.State._make([*packed[:6], means.Sample(*packed[6]), means.Sample(*packed[7])])


def _bet(side: Side, process: Process, candidate: Sums, baseline: Sums) -> Process:
    mine, theirs = (
        betting.flipped(each.tally) if side.upside_down else each.tally
        for each in (candidate, baseline)
    )
    low, high = (-side.high, -side.low) if side.upside_down else (side.low, side.high)
    centre = betting.Centre(*process["centre"])
    if side.relative:
        ratio = _factor(side)
        points = betting.allowance(0.0, ratio, low, high)
        added = betting.steps(_bets(side), mine, theirs, centre, ratio=ratio, points=points)
    else:
        goal = -side.objective if side.upside_down else side.objective
        added = betting.objective_steps(_bets(side), mine, (goal - low) / (high - low))
    bets = process["bets"] if added is None else grown(process["bets"], added)
    return {"bets": bets, "centre": list(betting.learn(centre, theirs))}
