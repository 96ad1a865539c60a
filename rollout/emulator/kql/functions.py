"""KQL's functions and operators on single values; null in, null out, where KQL has it so."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from rollout.emulator.kql.words import parse_datetime

Function = Callable[..., object]

_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


def _strict(function: Callable[..., object]) -> Function:
    """A function of which nothing is known where anything it needs is null."""

    def called(*values: object) -> object:
        if any(value is None for value in values):
            return None
        try:
            return function(*values)
        except (ValueError, OverflowError, ZeroDivisionError):
            return None

    return called


def _divided(one: Any, other: Any) -> object:
    if isinstance(one, timedelta) and isinstance(other, timedelta):
        return one / other
    if isinstance(one, int) and isinstance(other, int):
        return int(one / other) if abs(one) < 2**53 else one // other  # toward zero
    return one / other


def _binned(value: Any, size: Any) -> object:
    """The last multiple of ``size`` that is not above ``value``."""
    if isinstance(value, datetime):
        return _BEGINNING + (value - _BEGINNING) // size * size
    if isinstance(value, timedelta):
        return value // size * size
    return math.floor(value / size) * size


def _number(value: object) -> float | int | None:
    if isinstance(value, bool | int | float):
        return value
    text = str(value).strip()
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def _whole(value: object) -> int | None:
    found = _number(value)
    return None if found is None or math.isnan(found) else int(found)


def _real(value: object) -> float | None:
    found = _number(value)
    return None if found is None else float(found)


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value)
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        case _:
            return str(value)


def _folded(compare: Callable[[str, str], bool]) -> Function:
    return _strict(lambda one, other: compare(str(one).lower(), str(other).lower()))


def _compared(compare: Callable[[Any, Any], bool]) -> Function:
    """A comparison; with null it holds nowhere."""

    def called(one: object, other: object) -> bool:
        return one is not None and other is not None and compare(one, other)

    return called


def _chosen(*values: object) -> object:
    """``case``: the value behind the first condition that holds, else the last."""
    pairs = zip(values[0:-1:2], values[1:-1:2], strict=True)
    return next((value for condition, value in pairs if condition is True), values[-1])


FUNCTIONS: Mapping[str, Function] = {
    "==": _compared(lambda a, b: bool(a == b)),
    "!=": lambda a, b: a != b,
    "<": _compared(lambda a, b: bool(a < b)),
    "<=": _compared(lambda a, b: bool(a <= b)),
    ">": _compared(lambda a, b: bool(a > b)),
    ">=": _compared(lambda a, b: bool(a >= b)),
    "=~": _folded(lambda a, b: a == b),
    "!~": _folded(lambda a, b: a != b),
    "contains": _folded(lambda a, b: b in a),
    "has": _folded(lambda a, b: b in a.replace("-", " ").replace("/", " ").split()),
    "startswith": _folded(lambda a, b: a.startswith(b)),
    "endswith": _folded(lambda a, b: a.endswith(b)),
    "between": _strict(lambda value, low, high: low <= value <= high),
    "in": lambda value, *others: value in others,
    "and": lambda a, b: a is True and b is True,
    "or": lambda a, b: a is True or b is True,
    "not": _strict(lambda a: not a),
    "+": _strict(lambda a, b: a + b),
    "-": _strict(lambda a, b: a - b),
    "*": _strict(lambda a, b: a * b),
    "/": _strict(_divided),
    "%": _strict(lambda a, b: a % b),
    "negate": _strict(lambda a: -a),
    "bin": _strict(_binned),
    "floor": _strict(_binned),
    "ceiling": _strict(lambda a: float(math.ceil(a))),
    "log": _strict(math.log),
    "log2": _strict(math.log2),
    "log10": _strict(math.log10),
    "exp": _strict(math.exp),
    "pow": _strict(lambda a, b: float(a) ** b),
    "sqrt": _strict(math.sqrt),
    "abs": _strict(abs),
    "round": _strict(lambda a, digits=0: round(float(a), int(digits))),
    "toint": _strict(_whole),
    "tolong": _strict(_whole),
    "todouble": _strict(_real),
    "toreal": _strict(_real),
    "tostring": _text,
    "tolower": _strict(lambda a: str(a).lower()),
    "toupper": _strict(lambda a: str(a).upper()),
    "strcat": lambda *values: "".join(map(_text, values)),
    "todatetime": _strict(lambda a: a if isinstance(a, datetime) else parse_datetime(cast(str, a))),
    "iff": lambda condition, one, other: one if condition is True else other,
    "iif": lambda condition, one, other: one if condition is True else other,
    "case": _chosen,
    "coalesce": lambda *values: next((each for each in values if each is not None), None),
    "isnull": lambda a: a is None,
    "isnotnull": lambda a: a is not None,
    "isempty": lambda a: a is None or a == "",
    "isnotempty": lambda a: a is not None and a != "",
    "max_of": _strict(max),
    "min_of": _strict(min),
}
