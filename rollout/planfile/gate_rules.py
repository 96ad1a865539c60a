"""Rules about gates: checks that can decide, and times that leave room for them."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.domain.units import GATE_TIMES, spell_duration
from rollout.planfile import check_rules, checks, forms
from rollout.planfile.checks import Sketch
from rollout.planfile.draft import Draft
from rollout.planfile.metrics import AGREEMENT, REQUESTS
from rollout.planfile.misshapen import Misshapen
from rollout.planfile.wording import Path

_ALWAYS = (AGREEMENT, REQUESTS)  # metrics that need no criteria


def check(draft: Draft) -> None:
    """Note every gate that could not decide as its author means it."""
    for name in draft.mapping("gates"):
        path = ("gates", name)
        found = [*checks.sketches(draft, name)]
        _room(draft, path)
        _warm_up(draft, path, found)
        _twice(draft, found)
        _deciding(draft, path, found)
        for each in found:
            check_rules.check(draft, each)


def relative_metrics(draft: Draft, gate: str) -> list[str]:
    """The metrics that the gate compares with the baseline, each once."""
    found = checks.sketches(draft, gate)
    return [*dict.fromkeys(each.metric for each in found if each.relative)]


def of_metric(draft: Draft, gate: str, metric: str) -> Iterator[Sketch]:
    """The gate's checks of one metric."""
    return (each for each in checks.sketches(draft, gate) if each.metric == metric)


def probed(draft: Draft) -> bool:
    """Whether the plan sends probes, or says something about it that cannot be read."""
    compare = draft.data.get("compare", {})
    return not isinstance(compare, dict) or "probe" in compare


def _room(draft: Draft, path: Path) -> None:
    """A pass is possible before the time is over."""
    least, longest = gate_time(draft, path, "min_duration"), gate_time(draft, path, "max_duration")
    if least is None or not longest or least <= longest:
        return
    what = (
        f"min_duration, {spell_duration(least)}, is longer than max_duration, "
        f"{spell_duration(longest)}: the gate can never pass."
    )
    where = "min_duration" if "min_duration" in draft.mapping(*path) else "max_duration"
    draft.wrong((*path, where), what, "Write a min_duration that is not longer.")


def _warm_up(draft: Draft, path: Path, found: list[Sketch]) -> None:
    """Latency is seen for a part of the time."""
    warm_up, longest = gate_time(draft, path, "warm_up"), gate_time(draft, path, "max_duration")
    slow = any(forms.quantile(each.metric) is not None for each in found)
    if warm_up is None or longest is None or warm_up < longest or not slow:
        return
    what = (
        f"warm_up, {spell_duration(warm_up)}, is as long as the gate, "
        f"{spell_duration(longest)}: latency is never seen."
    )
    where = "warm_up" if "warm_up" in draft.mapping(*path) else "max_duration"
    draft.wrong((*path, where), what, "Write a shorter warm_up.")


def gate_time(draft: Draft, path: Path, key: str) -> float | None:
    """The gate's time in seconds, its default where none is written; None if unreadable."""
    entry = draft.mapping(*path)
    if key not in entry:
        return GATE_TIMES[key]
    try:
        return forms.duration(entry[key])
    except Misshapen:
        return None


def _twice(draft: Draft, found: list[Sketch]) -> None:
    """Checks that ask the same question, with other numbers at most."""
    seen: set[tuple[object, ...]] = set()
    for each in found:
        if each.metric not in _ALWAYS and not each.asks:
            continue
        kind, question = _question(each)
        if question in seen:
            what = f"the gate has {kind} check of {each.metric} already."
            draft.wrong_key(each.path, what, "Keep the stricter one.")
        seen.add(question)


def _question(check: Sketch) -> tuple[str, tuple[object, ...]]:
    """What a finding calls the check, and what no second one may ask.

    One that warns stands beside one that decides; predictions may be looked at in several places,
    and answers compared in several ways.
    """
    kind = "a relative" if check.relative else "an absolute"
    apart = repr([check.criteria.get(key) for key in ("path", "compare")])
    bound = "min" in check.criteria
    question = (check.metric, check.relative, bound, check.warns, apart)
    return ("a" if check.metric in _ALWAYS else kind), question


def _deciding(draft: Draft, path: Path, found: list[Sketch]) -> None:
    """One check at least can let the gate pass."""
    if found and all(each.warns or each.metric == REQUESTS for each in found):
        do = (
            "Add one that is neither 'severity: warn' nor of requests, such as "
            "'- error_rate: {tolerance: 0.1pp, margin: 0.5pp}'."
        )
        draft.wrong((*path, "checks"), "the gate has no check that decides.", do)
