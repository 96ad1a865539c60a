"""Tests of names that turn up while they run, such as an answer's fields or classes.

- `Family`, against the candidate. A process starts *after* the interval that showed its name, so
  that how it was found says nothing about what it counts. The names of an interval share a part of
  a reserve, 1 at the start: the ``w``-th wave of names gets ``1 / (w (w + 1))`` of the whole. Every
  weight is fixed before its process moves, and the reserve is kept as it is: evidence is capital,
  partly invested, and its expectation under the null never exceeds 1.
- `Cover`, for a pass: every name must be shown to be within the margin, so nothing is averaged and
  no weight is needed (intersection-union). Each process runs from the start; for a name that was
  not seen yet all counts are zero, so one process stands for all of those.

Both use grids of their own: noise can be as frequent as half of the answers and a class as nine
tenths, where the nearest alternatives of `grid`, 1.3 and 0.9 times the null's value, are too far
off to see a shift, or its absence, however long they look.

Source: the reserve is the betting argument of J. Ville, Etude critique de la notion de collectif,
1939: no capital that is moved between fair games grows in expectation; R. Berger, Multiparameter
hypothesis testing and acceptance sampling, Technometrics 24 (1982) 295-300, for intersection-union.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from rollout.stats import grid as grids
from rollout.stats.grid import Grid

Parts = tuple[tuple[float, ...], ...]
"""Log likelihood ratios of one name: a tuple for each of its tests."""

FINE_ID = "24f"  # part of what is stored, like `grid.GRID_ID`
MOST = 256  # names; a field named for each user must not fill the memory
_COUNT = 24


def _fine(nearest: float, furthest: float) -> Grid:
    ratio = furthest / nearest
    return Grid(
        excess=tuple(nearest * ratio ** (at / (_COUNT - 1)) for at in range(_COUNT)),
        log_weights=(-math.log(_COUNT),) * _COUNT,
    )


FINE_FAIL = _fine(0.02, 100.0)
FINE_PASS = _fine(-0.01, -0.98)


class Member(NamedTuple):
    """One name's share of the capital and its tests, whose mean is its evidence."""

    weight: float
    parts: Parts


@dataclass(frozen=True, slots=True)
class Family:
    """The tests against a candidate, one name each, of names found while they run.

    Args:
        reserve: What is not invested, 0..1.
        waves: How many intervals brought new names.
        members: By name. The weights and the reserve sum to 1.
    """

    reserve: float = 1.0
    waves: int = 0
    members: Mapping[str, Member] = field(default_factory=dict)


def of_known(names: Collection[str], parts: int = 1) -> Family:
    """The family of names that are all known before the first count; no other can join.

    Args:
        names: At least one.
        parts: Tests for each name.
    """
    return _invested(Family(), sorted(set(names)), 1.0, parts)


def joined(family: Family, names: Iterable[str], parts: int = 1) -> Family:
    """The family after an interval that showed these names, to be counted from the next one on.

    >>> family = joined(joined(Family(), ["score", "label"]), ["label", "reason"])
    >>> [(name, round(member.weight, 3)) for name, member in family.members.items()]
    [('label', 0.25), ('score', 0.25), ('reason', 0.167)]
    """
    new = sorted(set(names) - family.members.keys())[: MOST - len(family.members)]
    return _invested(family, new, 1.0 / (family.waves + 2), parts)


def _invested(family: Family, names: list[str], part: float, parts: int) -> Family:
    """The family with a part of the reserve shared equally among new names."""
    if not names or family.reserve <= 0.0:
        return family
    member = Member(family.reserve * part / len(names), (grids.start(FINE_FAIL),) * parts)
    return Family(
        reserve=family.reserve * (1.0 - part),
        waves=family.waves + 1,
        members={**family.members, **dict.fromkeys(names, member)},
    )


def grown(family: Family, found: Mapping[str, tuple[tuple[float, ...] | None, ...]]) -> Family:
    """The family after an interval.

    Args:
        family: Before it.
        found: For each member, what the interval adds to each of its tests, on `FINE_FAIL`;
            other names are ignored, and members that are not named stay as they are.
    """
    members = {
        name: member._replace(parts=_added(member.parts, found[name])) if name in found else member
        for name, member in family.members.items()
    }
    return Family(family.reserve, family.waves, members)


def _added(parts: Parts, found: tuple[tuple[float, ...] | None, ...]) -> Parts:
    return tuple(
        log_l if steps is None else grids.add(log_l, steps)
        for log_l, steps in zip(parts, found, strict=True)
    )


def log_e(family: Family) -> float:
    """Logarithm of the evidence against the candidate: of the capital.

    >>> abs(log_e(joined(Family(), ["score"]))) < 1e-12
    True
    """
    values = [
        math.log(weight / len(parts)) + grids.log_e(FINE_FAIL, log_l)
        for weight, parts in family.members.values()
        for log_l in parts
    ]
    return grids.log_sum([*values, math.log(family.reserve)] if family.reserve > 0.0 else values)


@dataclass(frozen=True, slots=True)
class Cover:
    """The tests for a pass, one name each, and one for all names that were not seen yet.

    Args:
        unseen: Log likelihood ratios of a name without any count.
        members: Those of the names seen, by name.
        full: Whether a name found no room; then nothing is shown.
    """

    unseen: Parts
    members: Mapping[str, Parts] = field(default_factory=dict)
    full: bool = False


def empty_cover(parts: int = 1) -> Cover:
    """The cover before any data, with a number of tests for each name."""
    return Cover((grids.start(FINE_PASS),) * parts)


def covered(
    cover: Cover,
    found: Mapping[str, tuple[tuple[float, ...] | None, ...]],
    unseen: tuple[tuple[float, ...] | None, ...],
) -> Cover:
    """The cover after an interval.

    Args:
        cover: Before it.
        found: What the interval adds to each test of each name that was counted in it, on
            `FINE_PASS`.
        unseen: What it adds to the tests of a name that was not.
    """
    new = sorted(found.keys() - cover.members.keys())
    room = MOST - len(cover.members)
    before = {**cover.members, **dict.fromkeys(new[:room], cover.unseen)}
    members = {name: _added(parts, found.get(name, unseen)) for name, parts in before.items()}
    return Cover(_added(cover.unseen, unseen), members, cover.full or len(new) > room)


def log_s(cover: Cover) -> float:
    """Logarithm of the evidence for a pass: that of the name shown least well."""
    everyone = [cover.unseen, *cover.members.values()]
    least = min(grids.log_e(FINE_PASS, log_l) for parts in everyone for log_l in parts)
    return min(least, 0.0) if cover.full else least
