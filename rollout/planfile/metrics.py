"""The metrics that a plan declares beside those that every plan has, as far as they can be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from rollout.domain.plan import PROMETHEUS
from rollout.planfile import forms
from rollout.planfile.draft import Draft
from rollout.planfile.misshapen import Misshapen
from rollout.planfile.wording import Path, shown

AGREEMENT, DRIFT, REQUESTS = "response_agreement", "prediction_drift", "requests"
RATIO, MEAN = "ratio", "mean"

_OURS = ("error_rate", "latency", AGREEMENT, DRIFT, REQUESTS)
_CONDITIONS = ("above", "below")
_BOUNDS = ("low", "high")
_OF: Mapping[str, tuple[str, ...]] = {RATIO: ("equals", *_CONDITIONS), MEAN: _BOUNDS}
_PATH = ("metrics", "custom")
_OF_PROMETHEUS = ("address", "requests", "errors", "latency", "unit", "token", "username")


class Own(NamedTuple):
    """One metric of the user's own; its path and conditions may still be wrong.

    Args:
        kind: ``ratio`` or ``mean``.
        higher: More of it is better.
        low, high: Of a mean, the least and the largest value; None: unknown or unreadable.
    """

    kind: str
    higher: bool
    low: float | None
    high: float | None


def own(draft: Draft) -> Mapping[str, Own | None]:
    """The metrics that the plan declares, by name; None: its kind cannot be read."""
    return {
        name: _read(entry) for name, entry in draft.mapping(*_PATH).items() if not _is_ours(name)
    }


def readable(draft: Draft) -> bool:
    """Whether the plan says in a way that can be read which metrics it declares."""
    metrics = draft.data.get("metrics", {})
    return isinstance(metrics, dict) and isinstance(metrics.get("custom", {}), dict)


def _is_ours(name: str) -> bool:
    return name in _OURS or forms.quantile(name) is not None


def _read(entry: object) -> Own | None:
    kind = entry.get("kind") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or kind not in (RATIO, MEAN):
        return None
    low, high = (_number(entry.get(key)) for key in _BOUNDS)
    return Own(str(kind), entry.get("better") == "higher", low, high)


def _number(value: object) -> float | None:
    try:
        return None if value is None else forms.number(value)
    except Misshapen:
        return None


def check(draft: Draft) -> None:
    """Note every declared metric that does not say what it measures, and keys of another meter."""
    _meter(draft)
    for name in draft.mapping(*_PATH):
        path = (*_PATH, name)
        if _is_ours(name):
            what = f"{shown(name)} is a metric that every plan has."
            draft.wrong_key(path, what, "Choose another name.")
        found = _read(draft.at(*path))
        if found is None:
            continue
        _belonging(draft, path, found.kind)
        if found.kind == RATIO:
            _conditions(draft, path)
        elif found.low is not None and found.high is not None and found.low >= found.high:
            what = f"low, {found.low:g}, is not below high, {found.high:g}."
            draft.wrong((*path, "low"), what, "Write the least and the largest value there can be.")


def _meter(draft: Draft) -> None:
    """Of a meter that is not named, nothing is said: else another one would measure in silence."""
    metrics, named = draft.mapping("metrics"), draft.at("metrics", "provider")
    if named is not None and not isinstance(named, str):
        return  # told by the schema
    secret = ("metrics", "token", "secret")
    if secret in draft.written:
        # What it stands for would be in the plan, and so in the journal.
        do = "Write env:VARIABLE with the variable's name as it is."
        draft.wrong(secret, "a reference stands where a secret's place is named.", do)
    for key in _OF_PROMETHEUS if named != PROMETHEUS else ():
        if key in metrics:
            what = f"'{key}' belongs to prometheus."
            draft.wrong_key(("metrics", key), what, "Write 'provider: prometheus', or remove it.")


def _belonging(draft: Draft, path: Path, kind: str) -> None:
    """Keys that only the other kind has."""
    other = MEAN if kind == RATIO else RATIO
    for key in _OF[other]:
        if key in draft.mapping(*path):
            what = f"'{key}' belongs to a {other}, and this is a {kind}."
            draft.wrong_key((*path, key), what, f"Remove it, or write 'kind: {other}'.")


def _conditions(draft: Draft, path: Path) -> None:
    """What a value must be to count."""
    entry = draft.mapping(*path)
    asked = [key for key in _CONDITIONS if key in entry]
    if not asked and "equals" not in entry:
        do = "Add 'above: NUMBER', 'below: NUMBER' or 'equals: VALUE'."
        draft.wrong(path, "the ratio does not say which answers count.", do)
    elif asked and "equals" in entry:
        do = "Write 'equals' alone, or 'above' and 'below'."
        draft.wrong_key((*path, "equals"), f"'equals' stands beside '{asked[0]}'.", do)
    above, below = (_number(entry.get(key)) for key in _CONDITIONS)
    if above is not None and below is not None and above >= below:
        what = f"no number is above {above:g} and below {below:g}."
        draft.wrong((*path, "above"), what, "Write a number that is less than 'below'.")
