"""What both deployments meet during a simulated hour, in steps of 10 s."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.kinds import HOUR, Kind

Floats = NDArray[np.float64]

STEP = 10  # seconds
INCIDENT = 0.05  # share of requests that fail
_INCIDENT_STEPS = 3
_OUTAGE = slice(6, 36)  # steps: 60 s to 360 s
_COLD = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Conditions:
    """float[seconds / STEP] each.

    Args:
        arrivals: Factor on the arrival rate, mean 1.
        errors: Factor on the error rate, mean 1.
        failing: Added to both error rates.
        slower: Added to both logarithmic latencies.
        cold: Added to the candidate's.
    """

    arrivals: Floats
    errors: Floats
    failing: Floats
    slower: Floats
    cold: Floats


def conditions(rng: np.random.Generator, kind: Kind, seconds: int = HOUR) -> Conditions:
    """One hour of this kind of traffic."""
    steps = seconds // STEP
    at = np.arange(steps) * float(STEP)
    day = np.sin(2 * math.pi * at / HOUR + rng.uniform(0, 2 * math.pi))
    burst = _ar1(rng, steps, 0.8, kind.burst)
    drift = _ar1(rng, steps, 0.9, kind.drift)
    incident = _incidents(rng, steps, kind.incidents)
    failing = incident * INCIDENT
    failing[_OUTAGE] += kind.outage
    slow = _ar1(rng, steps, 0.9, kind.slow_drift) + kind.slow_day * day
    return Conditions(
        arrivals=(1 + kind.day * day) * np.exp(burst - kind.burst**2 / 2),
        errors=np.exp(drift - kind.drift**2 / 2),
        failing=failing,
        slower=slow + incident * math.log(2.0),
        cold=math.log(kind.cold) * np.clip(1 - (at + STEP / 2) / _COLD, 0, None),
    )


def _ar1(rng: np.random.Generator, steps: int, keep: float, deviation: float) -> Floats:
    """A stationary first-order autoregression."""
    if deviation == 0:
        return np.zeros(steps)
    shocks = rng.standard_normal(steps)
    shocks[1:] *= math.sqrt(1 - keep**2)
    return deviation * np.array(list(accumulate(shocks, lambda last, new: keep * last + new)))


def _incidents(rng: np.random.Generator, steps: int, an_hour: float) -> Floats:
    """1 during an incident."""
    found = np.zeros(steps)
    for at in np.flatnonzero(rng.random(steps) < an_hour * STEP / HOUR):
        found[at : at + _INCIDENT_STEPS] = 1.0
    return found
