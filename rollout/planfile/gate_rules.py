"""Rules about gates: criteria that can be met, and times that leave room for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from rollout.domain.units import GATE_TIMES, Allowance, spell_duration
from rollout.planfile import forms
from rollout.planfile.draft import Draft
from rollout.planfile.wording import Path

T = TypeVar("T")

RELATIVE = ("tolerance", "margin")
ABSOLUTE = "max"


def check(draft: Draft) -> None:
    """Note every gate that could not decide as its author means it."""
    for name in draft.mapping("gates"):
        path = ("gates", name)
        _room(draft, path)
        _warm_up(draft, path)
        _twice(draft, path)
        for at in _checks(draft, path):
            _criteria(draft, at)


def relative_metrics(draft: Draft, gate: str) -> list[str]:
    """The metrics that the gate compares with the baseline."""
    checks = _checks(draft, ("gates", gate))
    return [str(path[-1]) for path in checks if _is_relative(draft, path)]


def _checks(draft: Draft, gate: Path) -> Iterator[Path]:
    """The path of every check, its metric last."""
    for at, entry in enumerate(draft.items(*gate, "checks")):
        for metric in entry if isinstance(entry, dict) else ():
            yield (*gate, "checks", at, metric)


def _is_relative(draft: Draft, path: Path) -> bool:
    return any(key in draft.mapping(*path) for key in RELATIVE)


def _room(draft: Draft, path: Path) -> None:
    """A pass is possible before the time is over."""
    least, longest = _time(draft, path, "min_duration"), _time(draft, path, "max_duration")
    if least is None or not longest or least <= longest:
        return
    what = (
        f"min_duration, {spell_duration(least)}, is longer than max_duration, "
        f"{spell_duration(longest)}: the gate can never pass."
    )
    where = "min_duration" if "min_duration" in draft.mapping(*path) else "max_duration"
    draft.wrong((*path, where), what, "Write a min_duration that is not longer.")


def _warm_up(draft: Draft, path: Path) -> None:
    """Latency is seen for a part of the time."""
    warm_up, longest = _time(draft, path, "warm_up"), _time(draft, path, "max_duration")
    slow = any(str(each[-1]).startswith("latency") for each in _checks(draft, path))
    if warm_up is None or longest is None or warm_up < longest or not slow:
        return
    what = (
        f"warm_up, {spell_duration(warm_up)}, is as long as the gate, "
        f"{spell_duration(longest)}: latency is never seen."
    )
    where = "warm_up" if "warm_up" in draft.mapping(*path) else "max_duration"
    draft.wrong((*path, where), what, "Write a shorter warm_up.")


def _time(draft: Draft, path: Path, key: str) -> float | None:
    """The gate's time in seconds, its default where none is written; None if unreadable."""
    entry = draft.mapping(*path)
    if key in entry:
        return _read(forms.duration, entry[key])
    return GATE_TIMES[key]


def _twice(draft: Draft, path: Path) -> None:
    first: dict[tuple[str, bool], Path] = {}
    for check_path in _checks(draft, path):
        metric, relative = str(check_path[-1]), _is_relative(draft, check_path)
        if not draft.mapping(*check_path):
            continue
        if (metric, relative) in first:
            kind = "relative" if relative else "absolute"
            what = f"the gate has an {kind} check of {metric} already.".replace("an rel", "a rel")
            draft.wrong_key(check_path, what, "Keep the stricter one.")
        first.setdefault((metric, relative), check_path)


def _criteria(draft: Draft, path: Path) -> None:
    criteria = draft.mapping(*path)
    if ABSOLUTE in criteria and _is_relative(draft, path):
        what = "'max' is absolute and stands beside a relative criterion."
        do = f"Write it as a check of its own: '- {path[-1]}: {{max: ...}}'."
        draft.wrong_key((*path, ABSOLUTE), what, do, told=path)
    form = forms.allowance if path[-1] == "error_rate" else forms.relative
    tolerance, margin = (_read(form, criteria.get(key)) for key in RELATIVE)
    if tolerance is None or margin is None:
        return
    if _unit(tolerance) not in ("", _unit(margin)) and _unit(margin):
        what = f"the margin is in {_unit(margin)}, the tolerance in {_unit(tolerance)}."
        draft.wrong((*path, "margin"), what, "Write both in the same unit.")
    elif (tolerance.ratio, tolerance.points) >= (margin.ratio, margin.points):
        what = "the tolerance is not below the margin."
        do = "Write a smaller tolerance: a candidate between the two is neither kept nor rolled back."
        draft.wrong((*path, "tolerance"), what, do)


def _unit(allowance: Allowance) -> str:
    if allowance.points:
        return "percentage points"
    return "percent" if allowance.ratio > 1 else ""


def _read(form: Callable[[object], T], value: object) -> T | None:
    try:
        return form(value)
    except forms.Misshapen:
        return None
