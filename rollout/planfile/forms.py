"""The forms of values in a plan: how a quantity or a name is written, and what it is inside.

The schema names a form by ``x-form``, so that one parser decides for ``validate`` and for ``build``
alike; the ``pattern`` beside it is for editors only.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping

from rollout.domain.units import (
    Allowance,
    parse_duration,
    parse_percent,
    parse_points,
    spell_duration,
)
from rollout.planfile import attendance, secrets
from rollout.planfile.misshapen import Misshapen
from rollout.planfile.wording import listed, shown

_NAME_LENGTHS = range(3, 33)  # Azure ML: 3 to 32 characters
_MOST_RELATIVE = 100  # times the baseline; more is a slip of the pen
_LONGEST = 64  # characters; nothing longer is a quantity, and the parsers are not built for it
_YEAR = 366 * 86400.0  # seconds; no rollout waits longer
_NUMERAL = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_AZURE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]")
_TITLE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_JSON_PATH = re.compile(r"\$(?:\.[A-Za-z_][A-Za-z0-9_-]*|\[[0-9]{1,6}\])*")
_STEP = r'\.([A-Za-z_][A-Za-z0-9_-]*)|\[([0-9]{1,6}|\*)\]|\[("(?:[^"\\]|\\.)*")\]'
_QUANTILE = re.compile(r"latency_p([0-9]{2}|[0-9]{2,3}[1-9])")


def duration(value: object) -> float:
    """Seconds.

    Raises:
        Misshapen: as every function of this module does.

    >>> duration("1h30m")
    5400.0
    """
    what = f"{shown(value)} is not a duration."
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        units = listed([f"{shown(value)}{unit}" for unit in ("ms", "s", "m", "h")])
        raise Misshapen(f"{shown(value)} has no unit.", f"Write {units}.")
    seconds = _parsed(parse_duration, value)
    if seconds is None:
        raise Misshapen(what, "Write it like 300ms, 90s, 10m, 1h30m or 3d.")
    if seconds > _YEAR:
        raise Misshapen(f"{shown(value)} is longer than a year.", "Write a shorter duration.")
    return seconds


def percent(value: object) -> float:
    """A fraction from ``10%``, or from ``10`` where only a percentage can stand.

    >>> percent("10%"), percent(10), percent("0.5 %")
    (0.1, 0.1, 0.005)
    """
    number = _no_fraction(value)
    fraction = _parsed(parse_percent, value) if number is None else number / 100
    if fraction is None or not 0 <= fraction <= 1:
        raise Misshapen(f"{shown(value)} is not a percentage of 0 to 100 %.", "Write it like 10%.")
    return fraction


def share(value: object) -> int:
    """Whole percent, 0 to 100.

    >>> share("10%"), share(100)
    (10, 100)
    """
    exact = percent(value) * 100
    if not math.isclose(exact, round(exact), abs_tol=1e-9):
        low = math.floor(exact)
        near = f"{low}% or {low + 1}%" if low else "1%"
        what = f"{shown(value)} is not a whole percentage."
        raise Misshapen(what, f"Write {near}; endpoints split by whole percent.")
    return round(exact)


def allowance(value: object) -> Allowance:
    """What a rate may be worse by: ``0.5pp`` is added to it, ``10%`` is a part of it.

    >>> allowance("0.5pp"), allowance("10%")
    (Allowance(ratio=1.0, points=0.005), Allowance(ratio=1.1, points=0.0))
    """
    if (number := _number(value)) is not None:
        spelled = f"{number:g}"
        what = f"{shown(value)} can mean percent or percentage points."
        raise Misshapen(what, f"Write {spelled}pp (added to the rate) or {spelled}% (of the rate).")
    points = _parsed(parse_points, value)
    if points is None:
        return relative(value, do="Write it like 0.5pp (added to the rate) or 10% (of the rate).")
    if points >= 1:
        what = f"{shown(value)} allows every answer to be an error."
        raise Misshapen(what, "Write less than 100pp.")
    return Allowance(points=points)


def points(value: object) -> Allowance:
    """By how much a share may differ, where nothing but percentage points can be meant.

    >>> points("2pp")
    Allowance(ratio=1.0, points=0.02)
    """
    found = _parsed(parse_points, value)
    if found is None:
        raise Misshapen(f"{shown(value)} is not in percentage points.", "Write it like 2pp.")
    if found >= 1:
        raise Misshapen(f"{shown(value)} allows any difference.", "Write less than 100pp.")
    return Allowance(points=found)


def part(value: object) -> Allowance:
    """What a mean may be worse by, as a part of it; a bare number would be in the mean's own unit.

    >>> part("10%")
    Allowance(ratio=1.1, points=0.0)
    """
    do = "Write it like 10%, relative to the baseline's mean."
    if (number := _number(value)) is not None:
        what = f"{shown(value)} can mean percent or the metric's own unit."
        raise Misshapen(what, f"Write {number:g}%, or 'max' or 'min' in the metric's own unit.")
    return relative(value, do=do)


def relative(
    value: object, *, do: str = "Write it like 10%, relative to the baseline."
) -> Allowance:
    """What a duration may be worse by, as a part of it.

    >>> relative("20%")
    Allowance(ratio=1.2, points=0.0)
    """
    number = _no_fraction(value)
    part = _parsed(parse_percent, value) if number is None else number / 100
    if part is None:
        raise Misshapen(f"{shown(value)} is not an allowance.", do)
    if part > _MOST_RELATIVE:
        raise Misshapen(f"{shown(value)} allows more than a hundredfold.", "Write less.")
    return Allowance(ratio=1 + part)


def count(value: object) -> int:
    """A whole number.

    >>> count(3), count("3")
    (3, 3)
    """
    number = _number(value)
    if number is None or number != int(number):
        raise Misshapen(f"{shown(value)} is not a whole number.", "Write a whole number.")
    return int(number)


def rate(value: object) -> float:
    """A number, such as requests per second.

    >>> rate(20), rate("0.5")
    (20.0, 0.5)
    """
    number = _number(value)
    if number is None:
        raise Misshapen(f"{shown(value)} is not a number.", "Write a number such as 20.")
    return number


def rps(value: object) -> float:
    """Requests per second, with the unit or without.

    >>> rps("0.5rps"), rps(1)
    (0.5, 1.0)
    """
    number = _number(value.removesuffix("rps").rstrip(" ") if isinstance(value, str) else value)
    if number is None:
        raise Misshapen(f"{shown(value)} is not a rate.", "Write it like 1rps or 0.5rps.")
    return number


def number(value: object) -> float:
    """A plain number, which may be below 0.

    >>> number(-3), number("0.5")
    (-3.0, 0.5)
    """
    below, size = False, value
    if isinstance(value, str):
        below, size = value.startswith("-"), value.removeprefix("-")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        below, size = value < 0, abs(value)
    found = _number(size)
    if found is None:
        raise Misshapen(f"{shown(value)} is not a plain number.", "Write a number such as 500.")
    return -found if below else found


def flag(value: object) -> bool:
    """True or false.

    >>> flag(True), flag("false")
    (True, False)
    """
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    raise Misshapen(f"{shown(value)} is neither true nor false.", "Write true or false.")


def azure_name(value: object) -> str:
    """The name of an endpoint or a deployment, by Azure ML's rule."""
    text = str(value)
    if len(text) not in _NAME_LENGTHS:
        what = f"{shown(value)} has {len(text)} characters; Azure ML takes 3 to 32."
        raise Misshapen(what, "Write a name of 3 to 32 characters.")
    if not _AZURE_NAME.fullmatch(text):
        do = "Use letters, digits and '-'; begin with a letter, end with a letter or a digit."
        raise Misshapen(f"Azure ML refuses the name {shown(value)}.", do)
    return text


def title(value: object) -> str:
    """The name of a plan or the id of a stage; it becomes part of file names and tags."""
    text = str(value)
    if not _TITLE.fullmatch(text):
        do = "Use up to 63 letters, digits, '.', '_' and '-'; begin and end with letter or digit."
        raise Misshapen(f"{shown(value)} cannot be a name here.", do)
    return text


def json_path(value: object) -> str:
    """A path into an answer: ``$``, ``$[0]``, ``$.scores[1].label``."""
    text = str(value)
    if not _JSON_PATH.fullmatch(text):
        what = f"{shown(value)} is not a path into an answer."
        raise Misshapen(what, "Write it like $[0] or $.scores[0].")
    return text


def answer_path(value: object) -> str:
    """A path to one value of an answer: ``$.scores[0]``, ``$["a b"]``."""
    if None in steps(value):
        what = f"{shown(value)} names more than one value."
        raise Misshapen(what, "Write a position such as [0] for each [*].")
    return str(value)


def answer_paths(value: object) -> str:
    """A path to the values of an answer, where ``[*]`` is every item of a list."""
    steps(value)
    return str(value)


def steps(value: object) -> tuple[str | int | None, ...]:
    """The steps of a path into an answer: keys, positions, and None for any position.

    >>> steps('$.a[*]["b c"][0]')
    ('a', None, 'b c', 0)
    """
    text = str(value)
    try:
        if re.fullmatch(rf"\$(?:{_STEP})*", text):
            return tuple(_step(*found) for found in re.findall(_STEP, text))
    except ValueError:
        pass  # what stands in quotes is no text of JSON
    what = f"{shown(value)} is not a path into an answer."
    raise Misshapen(what, """Write it like $.score, "$.scores[0]" or '$["a key"]'.""")


def _step(name: str, index: str, quoted: str) -> str | int | None:
    if index:
        return None if index == "*" else int(index)
    return name or str(json.loads(quoted))


def quantile(metric: str) -> float | None:
    """The quantile in a latency metric's name; None where it names none.

    >>> quantile("latency_p95"), quantile("latency_p999"), quantile("latency_p5")
    (0.95, 0.999, None)
    """
    found = _QUANTILE.fullmatch(metric)
    if found is None or not int(found[1]):
        return None
    return float(f"0.{found[1]}")


# Forms of text; the others are quantities.
TEXT = (
    "secret",
    "azure-name",
    "title",
    "json-path",
    "answer-path",
    "answer-paths",
    "window",
    "time-zone",
)
_FORMS: Mapping[str, Callable[[object], object]] = {
    "duration": duration,
    "percent": percent,
    "share": share,
    "allowance": allowance,
    "relative": relative,
    "points": points,
    "part": part,
    "count": count,
    "rate": rate,
    "rps": rps,
    "number": number,
    "flag": flag,
    "azure-name": azure_name,
    "title": title,
    "json-path": json_path,
    "secret": secrets.place,
    "answer-path": answer_path,
    "answer-paths": answer_paths,
    "window": attendance.allowed,
    "time-zone": attendance.time_zone,
    "unattended": attendance.unattended,
}


def check(form: Mapping[str, object], value: object) -> None:
    """Refuse a value that is not in the form, or outside its bounds.

    Args:
        form: ``is``: the name; ``above``, ``below`` (exclusive), ``least``, ``most`` (inclusive):
            bounds in seconds, percent or as they are.
        value: Plain data.
    """
    kind = str(form["is"])
    found = _FORMS[kind](value)
    if not isinstance(found, int | float):
        return
    scale = 100 if kind == "percent" else 1
    for name, holds in _BOUNDS.items():
        bound = form.get(name)
        if isinstance(bound, int | float) and not holds(round(found * scale, 9), bound):
            limit = _spelled(kind, bound)
            raise Misshapen(f"{shown(value)} is out of bounds.", f"Write {_SAYS[name]} {limit}.")


_BOUNDS: Mapping[str, Callable[[float, float], bool]] = {
    "above": lambda value, bound: value > bound,
    "below": lambda value, bound: value < bound,
    "least": lambda value, bound: value >= bound,
    "most": lambda value, bound: value <= bound,
}
_SAYS = {"above": "more than", "below": "less than", "least": "at least", "most": "at most"}


def _spelled(kind: str, bound: float) -> str:
    match kind:
        case "duration":
            return spell_duration(bound) if bound else "0s"
        case "percent":
            return f"{bound:g}%"
        case "rps":
            return f"{bound:,}rps"
        case _:
            return f"{bound:,}"


def _number(value: object) -> float | None:
    """A number that is not negative, or the text of one (what a variable becomes)."""
    if isinstance(value, str) and len(value) <= _LONGEST and _NUMERAL.fullmatch(value):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < math.inf else None


def _no_fraction(value: object) -> float | None:
    """A number that can only be a percentage: 0.01 is 1 % to one reader and 0.01 % to another."""
    number = _number(value)
    if number is not None and 0 < number < 1:
        what = f"{shown(value)} can mean {number * 100:g} % or {number:g} %."
        raise Misshapen(what, f"Write {number * 100:g}% or {number:g}%.")
    return number


def _parsed(parse: Callable[[str], float], value: object) -> float | None:
    if not isinstance(value, str) or len(value) > _LONGEST or not value.isascii():
        return None
    try:
        return parse(value)
    except ValueError:
        return None
