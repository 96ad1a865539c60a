"""Rules about one check: criteria that go together and can be met."""

from __future__ import annotations

from rollout.domain.units import Allowance
from rollout.planfile import forms
from rollout.planfile.checks import ABSOLUTE, RELATIVE, Sketch
from rollout.planfile.draft import Draft
from rollout.planfile.metrics import AGREEMENT, DRIFT, RATIO, Own
from rollout.planfile.misshapen import Misshapen
from rollout.planfile.wording import Path, listed, shown

_COMPARING = ("rel_tolerance", "abs_tolerance", "unordered")


def check(draft: Draft, written: Sketch) -> None:
    """Note every criterion that does not fit the others, or its metric."""
    _one_question(draft, written)
    _sides(draft, written)
    if written.own is not None:
        _loss(draft, written, written.own)
        _bounds(draft, written, written.own)
    if written.metric == DRIFT:
        _margin(draft, written)
    if written.metric == AGREEMENT:
        _comparisons(draft, (*written.path, "compare"))


def _one_question(draft: Draft, written: Sketch) -> None:
    """A check is relative, or has one bound."""
    bounds = ABSOLUTE if written.own is not None else ABSOLUTE[:1]
    given = [key for key in bounds if key in written.criteria]
    for key in given:
        if written.relative:
            what = f"'{key}' is absolute and stands beside a relative criterion."
        elif key != given[0]:
            what = f"'{key}' stands beside '{given[0]}'."
        else:
            continue
        do = f"Write it as a check of its own: '- {written.metric}: {{{key}: ...}}'."
        draft.wrong_key((*written.path, key), what, do, told=written.path)


def _sides(draft: Draft, written: Sketch) -> None:
    """The tolerance is below the margin, in the same unit."""
    tolerance, margin = map(written.allowance, RELATIVE)
    if tolerance is None or margin is None:
        return
    if _unit(tolerance) not in ("", _unit(margin)) and _unit(margin):
        what = f"the margin is in {_unit(margin)}, the tolerance in {_unit(tolerance)}."
        draft.wrong((*written.path, "margin"), what, "Write both in the same unit.")
    elif (tolerance.ratio, tolerance.points) >= (margin.ratio, margin.points):
        what = "the tolerance is not below the margin."
        do = "Write a smaller tolerance: a candidate between the two is neither kept nor rolled back."
        draft.wrong((*written.path, "tolerance"), what, do)


def _unit(allowance: Allowance) -> str:
    if allowance.points:
        return "percentage points"
    return "percent" if allowance.ratio > 1 else ""


def _loss(draft: Draft, written: Sketch, own: Own) -> None:
    """A part of the baseline's value is something that a candidate may lose or gain."""
    for key in RELATIVE:
        allowed = written.allowance(key)
        if allowed is None:
            continue
        path = (*written.path, key)
        if own.higher and allowed.ratio >= 2:  # noqa: PLR2004 - a loss of all of it
            what = f"{shown(written.criteria[key])} allows all of it to be lost: higher is better."
            draft.wrong(path, what, "Write less than 100%.")
        elif own.low is not None and own.low < 0:
            what = f"a part of a mean that may be below 0 (low is {own.low:g}) is no allowance."
            draft.wrong(path, what, "Write {max: ...} or {min: ...} in its place.")


def _bounds(draft: Draft, written: Sketch, own: Own) -> None:
    """What a mean must be lies between what it can be."""
    if own.kind == RATIO or own.low is None or own.high is None or own.low >= own.high:
        return
    for key in ABSOLUTE:
        bound = written.bound(key)
        if bound is not None and not own.low < bound < own.high:
            what = f"{bound:g} is not between low, {own.low:g}, and high, {own.high:g}."
            draft.wrong((*written.path, key), what, "Write a number between the two.")


def _margin(draft: Draft, written: Sketch) -> None:
    """What decides must say from where on a candidate does not pass."""
    if "tolerance" in written.criteria and "margin" not in written.criteria and not written.warns:
        what = "'tolerance' stands without 'margin'."
        do = "Add 'margin: ...', or 'severity: warn'."
        draft.wrong_key((*written.path, "tolerance"), what, do, told=written.path)


def _comparisons(draft: Draft, path: Path) -> None:
    """Rules for how values are compared, each for a path of its own."""
    first: dict[tuple[str | int | None, ...], Path] = {}
    for at, rule in enumerate(draft.items(*path)):
        if not isinstance(rule, dict):
            continue
        here = (*path, at)
        beside = [key for key in _COMPARING if key in rule]
        if _holds(rule.get("ignore")) and beside:
            what = f"'ignore' stands beside {listed(beside, joined='and')}."
            do = "Keep one of the two: what is ignored is not compared."
            draft.wrong_key((*here, "ignore"), what, do)
        _one_rule(draft, here, first)


def _holds(value: object) -> bool:
    return value in (True, "true")


def _one_rule(draft: Draft, here: Path, first: dict[tuple[str | int | None, ...], Path]) -> None:
    place = draft.text(*here, "path")
    try:
        steps = None if place is None else forms.steps(place)
    except Misshapen:
        return
    if steps is None:
        return
    if steps in first:
        what = f"compare[{first[steps][-1]}] is a rule for {shown(place)} already."
        draft.wrong((*here, "path"), what, "Write one rule for each path.")
    first.setdefault(steps, here)
