"""Chances, effects and times of a forecast as a person reads them."""

from __future__ import annotations

import math

from rollout.domain.units import spell_duration

_MOST = 0.99
_ROUNDED = ((60.0, 1.0), (600.0, 10.0), (3600.0, 60.0), (36000.0, 300.0), (math.inf, 3600.0))


def chance(probability: float) -> str:
    """A probability as whole percent, never rounded up.

    >>> chance(0.9999), chance(0.806), chance(0.002)
    ('>99 %', '80 %', '<1 %')
    """
    if probability > _MOST:
        return ">99 %"
    whole = int(probability * 100 + 1e-9)
    return f"{whole} %" if whole else "<1 %"


def lasting(seconds: float) -> str:
    """How long something takes, to two digits or so, rounded up.

    >>> lasting(0.4), lasting(61), lasting(2209), lasting(26379), lasting(math.inf)
    ('1s', '1m10s', '37m', '7h20m', '>30d')
    """
    if math.isinf(seconds):
        return ">30d"
    step = next(each for below, each in _ROUNDED if seconds < below)
    return spell_duration(max(1.0, math.ceil(seconds / step - 1e-9) * step))
