"""Wald's sequential test with what nobody knows: how bad this candidate is if it is bad.

One oracle knows both deployments' true rates at every moment, drift and incidents included; it
need not even look at the baseline. The other knows only their ratio. It is the best test of those
that stay valid whatever the shared rate does: the total of both deployments' failures tells
nothing about the ratio, and it is complete for the shared rate, so such a test can only ask which
of the failures are the candidate's.

Source: A. Wald, Sequential tests of statistical hypotheses, 1945.
"""

from __future__ import annotations

import math

import numpy as np

from benchmarks.detection.conditions import Floats
from benchmarks.detection.outcome import Outcome

ALPHA, BETA = 0.01, 0.05


def open_ended(worse: Floats, seconds: int) -> Outcome:
    """The end of a test that never accepts, as the product's failing side never does."""
    against = np.cumsum(worse) >= -math.log(ALPHA)
    if not against.any():
        return Outcome()
    return Outcome(rolled_back=float((int(np.argmax(against)) + 1) * seconds))


def oracle(worse: Floats, seconds: int) -> Outcome:
    """The end of the test with two bounds.

    Args:
        worse: Log likelihood ratio of each interval, positive where it argues against the
            candidate.
        seconds: Length of an interval.
    """
    total = np.cumsum(worse)
    against = total >= -math.log(ALPHA)
    decided = against | (total <= math.log(BETA))
    if not decided.any():
        return Outcome()
    at = int(np.argmax(decided))
    end = float((at + 1) * seconds)
    return Outcome(rolled_back=end) if against[at] else Outcome(promoted=end)
