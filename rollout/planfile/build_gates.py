"""A checked draft's gates, and the metrics of its own, as the values that judge a candidate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollout.domain.answers import CompareRule
from rollout.domain.criteria import Check, Custom, Gate, OnInconclusive
from rollout.planfile import checks, forms
from rollout.planfile.arguments import given
from rollout.planfile.checks import Sketch
from rollout.planfile.draft import Draft
from rollout.planfile.metrics import AGREEMENT

_MAX_MISMATCH = "1%"  # where the plan gives none


def customs(draft: Draft) -> tuple[Custom, ...]:
    """The metrics of the user's own, in the plan's order."""
    entries: Mapping[str, Any] = draft.mapping("metrics", "custom")
    return tuple(
        Custom(
            name=name,
            **given(
                entry,
                kind=str,
                path=forms.answer_path,
                equals=_spelled,
                above=forms.number,
                below=forms.number,
                better=str,
                low=forms.number,
                high=forms.number,
            ),
        )
        for name, entry in entries.items()
    )


def _spelled(value: object) -> str:
    """The value that counts, as JSON writes it; text without its quotes."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def gates(draft: Draft) -> dict[str, Gate]:
    """The gates by name."""
    own = {each.name: each for each in customs(draft)}
    return {name: _gate(draft, name, own) for name in draft.mapping("gates")}


def _gate(draft: Draft, name: str, own: Mapping[str, Custom]) -> Gate:
    return Gate(
        name=name,
        checks=tuple(_check(each, own) for each in checks.sketches(draft, name)),
        **given(
            draft.mapping("gates", name),
            min_duration=forms.duration,
            max_duration=forms.duration,
            min_requests=forms.count,
            warm_up=forms.duration,
            on_inconclusive=_on_inconclusive,
        ),
    )


def _check(written: Sketch, own: Mapping[str, Custom]) -> Check:
    criteria, quantile = written.criteria, forms.quantile(written.metric)
    allowance, bound = written.terms
    if written.metric == AGREEMENT:
        criteria = {"max_mismatch": _MAX_MISMATCH, **criteria}
    return Check(
        metric=written.metric if quantile is None else "latency",
        quantile=quantile,
        **given(
            criteria,
            tolerance=allowance,
            margin=allowance,
            max=("maximum", bound),
            min=("minimum", bound),
            max_mismatch=("maximum", bound),
            severity=str,
            path=forms.answer_path,
            compare=_compare,
        ),
        **_nature(own.get(written.metric)),
    )


def _nature(custom: Custom | None) -> dict[str, Any]:
    """What a check of a user's own metric knows about it."""
    if custom is None:
        return {}
    return {name: getattr(custom, name) for name in ("kind", "better", "low", "high")}


def _compare(rules: list[Mapping[str, object]]) -> tuple[CompareRule, ...]:
    return tuple(
        CompareRule(
            **given(
                rule,
                path=forms.answer_paths,
                rel_tolerance=forms.percent,
                abs_tolerance=forms.rate,
                ignore=forms.flag,
                unordered=forms.flag,
            )
        )
        for rule in rules
    )


def _on_inconclusive(entry: Mapping[str, object]) -> OnInconclusive:
    extend = ("extend_seconds", forms.duration)
    return OnInconclusive(**given(entry, extend=extend, times=forms.count, then=str))
