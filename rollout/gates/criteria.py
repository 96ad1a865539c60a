"""A check's criteria, as people read them and as evidence is filed under."""

from __future__ import annotations

from rollout.domain.criteria import Check
from rollout.domain.units import Allowance, spell_share

LATENCY, REQUESTS = "latency", "requests"
AGREEMENT, DRIFT = "response_agreement", "prediction_drift"
_SHOWN_AS_ONE = 0.9995  # seconds; three digits of milliseconds would be 1e+03


def spell(check: Check) -> str:
    """The criteria in the plan's words.

    >>> spell(Check("error_rate", tolerance=Allowance(points=0.001), margin=Allowance(1.0, 0.005)))
    'tolerance 0.1pp, margin 0.5pp'
    >>> spell(Check("latency", quantile=0.95, tolerance=Allowance(1.1), margin=Allowance(1.2)))
    'tolerance 10 %, margin 20 %'
    >>> spell(Check("latency", quantile=0.99, maximum=0.8)), spell(Check("error_rate", maximum=0.02))
    ('at most 800ms', 'at most 2 %')
    """
    for word, bound in (("at most", check.maximum), ("at least", check.minimum)):
        if bound is not None:
            return f"{word} {spell_value(check, bound)}"
    if check.metric == REQUESTS:
        within = f" within {spell_allowance(check, check.tolerance)}" if check.tolerance else ""
        return f"as the split says{within}"
    sides = (("tolerance", check.tolerance), ("margin", check.margin))
    return ", ".join(
        f"{word} {spell_allowance(check, allowance)}" for word, allowance in sides if allowance
    )


def spell_allowance(check: Check, allowance: Allowance) -> str:
    """One allowance in the plan's words.

    >>> spell_allowance(Check("error_rate"), Allowance(1.5, 0.001))
    '50 % + 0.1pp'
    """
    relative = f"{(allowance.ratio - 1) * 100:.4g} %"
    points = f"{allowance.points * 100:.4g}pp"
    if is_latency(check) or allowance.points == 0:
        return relative if is_latency(check) or allowance.ratio != 1 else points
    return points if allowance.ratio == 1 else f"{relative} + {points}"


def spell_value(check: Check, value: float) -> str:
    """A value of the check's metric: a duration, a share, or a plain number.

    >>> spell_value(Check("tokens", kind="mean"), 1234.5), spell_value(Check("error_rate"), 0.02)
    ('1,234.5', '2 %')
    """
    if is_latency(check):
        return spell_seconds(value)
    return f"{value:,.5g}" if check.kind == "mean" else spell_share(value)


def spell_seconds(seconds: float) -> str:
    """A latency, three digits.

    >>> spell_seconds(0.1314), spell_seconds(1.5), spell_seconds(0.0004)
    ('131ms', '1.5s', '0.4ms')
    """
    return f"{seconds * 1000:.3g}ms" if seconds < _SHOWN_AS_ONE else f"{seconds:.3g}s"


def is_latency(check: Check) -> bool:
    """Whether the check looks at durations rather than at errors."""
    return check.metric == LATENCY


def key(check: Check) -> str:
    """What evidence of a whole check is filed under; other criteria are another key."""
    bounds = (("max", check.maximum), ("min", check.minimum))
    parts = [check.name, *(f"{word} {part!r}" for word, part in bounds if part is not None)]
    sides = (("tolerance", check.tolerance), ("margin", check.margin))
    parts += [f"{word} {_exact(part)}" for word, part in sides if part]
    more = [check.path, *(repr(rule) for rule in check.compare)]
    return " ".join([*parts, *(each for each in more if each)])


def _exact(allowance: Allowance) -> str:
    return f"{allowance.ratio!r}x+{allowance.points!r}"
