"""The checks of a plan's gates as far as they can be read: metric, criteria, and their units."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from rollout.domain.units import Allowance
from rollout.planfile import forms, metrics
from rollout.planfile.draft import Draft
from rollout.planfile.metrics import DRIFT, MEAN, REQUESTS, Own
from rollout.planfile.misshapen import Misshapen
from rollout.planfile.wording import Path

T = TypeVar("T")

RELATIVE, ABSOLUTE = ("tolerance", "margin"), ("max", "min")
WARN = "warn"


class Terms(NamedTuple):
    """How the criteria of a metric are written.

    Args:
        allowance: Reads ``tolerance`` and ``margin``.
        bound: Reads ``max`` and ``min``.
    """

    allowance: Callable[[object], Allowance]
    bound: Callable[[object], float]


def terms(metric: str, kind: str = "") -> Terms:
    """How the criteria of a metric are written.

    Args:
        metric: Its name.
        kind: Of a metric of the user's own; empty: it is one of ours.
    """
    if kind == MEAN:
        return Terms(forms.part, forms.number)
    if metric in (DRIFT, REQUESTS):
        return Terms(forms.points, forms.percent)
    if forms.quantile(metric) is not None:
        return Terms(forms.relative, forms.duration)
    return Terms(forms.allowance, forms.percent)


class Sketch(NamedTuple):
    """One check; its criteria may still be wrong, and there may be no such metric.

    Args:
        path: Where it stands, its metric last.
        criteria: As written; empty where there are none.
        own: The user's own metric that it names; None: another, or one that cannot be read.
    """

    path: Path
    criteria: Mapping[str, object]
    own: Own | None

    @property
    def metric(self) -> str:
        """The metric's name."""
        return str(self.path[-1])

    @property
    def relative(self) -> bool:
        """Whether it compares with the baseline."""
        return self.metric != REQUESTS and any(key in self.criteria for key in RELATIVE)

    @property
    def asks(self) -> bool:
        """Whether a criterion is written."""
        return any(key in self.criteria for key in (*RELATIVE, *ABSOLUTE))

    @property
    def warns(self) -> bool:
        """Whether it is reported and decides nothing."""
        return self.criteria.get("severity") == WARN

    @property
    def terms(self) -> Terms:
        """How its criteria are written."""
        return terms(self.metric, "" if self.own is None else self.own.kind)

    def allowance(self, key: str) -> Allowance | None:
        """The ``tolerance`` or the ``margin``; None where it cannot be read."""
        return _read(self.terms.allowance, self.criteria.get(key))

    def bound(self, key: str) -> float | None:
        """The ``max`` or the ``min``; None where it cannot be read."""
        return _read(self.terms.bound, self.criteria.get(key))


def _read(form: Callable[[object], T], value: object) -> T | None:
    try:
        return None if value is None else form(value)
    except Misshapen:
        return None


def sketches(draft: Draft, gate: str) -> Iterator[Sketch]:
    """Every check of a gate; two of them where two metrics stand in one item."""
    known = metrics.own(draft)
    for at, entry in enumerate(draft.items("gates", gate, "checks")):
        for metric in entry if isinstance(entry, dict) else ():
            path = ("gates", gate, "checks", at, metric)
            yield Sketch(path, draft.mapping(*path), known.get(metric))
