"""Quantities as people write them in a plan: durations, percents, percentage points, sizes.

Inside the program a duration is seconds, a share a fraction of 1, a size bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_SPAN = re.compile(r"(?:(\d+(?:\.\d+)?)(ms|s|m|h|d))")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NUMBER = r"(\d+(?:\.\d+)?)"
_SIZE = re.compile(rf"{_NUMBER}\s*(kB|KB|MB|GB|Ki|Mi|Gi|KiB|MiB|GiB)")
_BYTES = {
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "Ki": 2**10,
    "KiB": 2**10,
    "Mi": 2**20,
    "MiB": 2**20,
    "Gi": 2**30,
    "GiB": 2**30,
}

# A gate's times where a plan gives none, seconds. Here, for `validate` makes no gates.
GATE_TIMES: Mapping[str, float] = {"min_duration": 120.0, "max_duration": 3600.0, "warm_up": 60.0}


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much worse than the baseline: ``ratio`` times its rate (or duration) plus ``points``.

    Args:
        ratio: Factor on the baseline's value, at least 1.
        points: Added on top, a fraction of 1 (percentage points / 100); rates only.
    """

    ratio: float = 1.0
    points: float = 0.0


def parse_duration(text: str) -> float:
    """Seconds from `300ms`, `90s`, `10m`, `1h30m`, `3d`.

    Raises:
        ValueError: the text is not a duration; the message says what one looks like.

    >>> parse_duration("1h30m")
    5400.0
    """
    at, total = 0, 0.0
    for found in _SPAN.finditer(text):
        if found.start() != at:
            break
        total += float(found[1]) * _SECONDS[found[2]]
        at = found.end()
    if not text or at != len(text):
        raise ValueError("a duration is written like 300ms, 90s, 10m, 1h30m or 3d")
    return total


def parse_percent(text: str) -> float:
    """A fraction from `10%` or `0.5 %`.

    >>> parse_percent("10%")
    0.1
    """
    found = re.fullmatch(rf"{_NUMBER}\s*%", text)
    if not found:
        raise ValueError("a percentage is written like 10% or 0.5%")
    return float(found[1]) / 100


def parse_points(text: str) -> float:
    """A difference of two shares from `0.5pp`, percentage points.

    >>> parse_points("0.5pp")
    0.005
    """
    found = re.fullmatch(rf"{_NUMBER}\s*pp", text)
    if not found:
        raise ValueError("percentage points are written like 0.5pp")
    return float(found[1]) / 100


def parse_size(text: str) -> int:
    """Bytes from `400MB`, `1GiB` or Kubernetes' `512Mi`.

    >>> parse_size("512Mi")
    536870912
    """
    found = _SIZE.fullmatch(text)
    if not found:
        raise ValueError("a size is written like 400MB, 1GB or 512Mi")
    return int(float(found[1]) * _BYTES[found[2]])


def spell_duration(seconds: float) -> str:
    """A duration as a person reads it, at most two units.

    >>> spell_duration(5400), spell_duration(0.25), spell_duration(75)
    ('1h30m', '250ms', '1m15s')
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    whole = round(seconds)
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"


def spell_share(fraction: float) -> str:
    """A share as a person reads it.

    >>> spell_share(0.1), spell_share(0.00125)
    ('10 %', '0.125 %')
    """
    return f"{fraction * 100:.4g} %"
