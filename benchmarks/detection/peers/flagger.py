"""Flagger: static thresholds, failed checks added up, the count tested before the next check.

Source: fluxcd/flagger at 15bd6ad, pkg/controller/scheduler.go (`advanceCanary`, `runAB`) and
scheduler_metrics.go. At each tick the count of failed checks is compared with `threshold` first;
only then the metrics are read. A metric out of its range, *or one without values*, adds 1, and
nothing ever subtracts. The tick that routes the first traffic counts as the first iteration; a
good tick adds one, and a good tick after the last iteration promotes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from benchmarks.detection.kinds import HOUR
from benchmarks.detection.outcome import Outcome

INTERVAL = 60  # seconds
THRESHOLD = 5
ITERATIONS = 10
WITHIN = 0.99  # request-success-rate, thresholdRange.min
DURATION = 0.5  # request-duration, the 99th percentile: thresholdRange.max, seconds

Check = Callable[[float], bool]


def flagger(check: Check, *, iterations: int = ITERATIONS, seconds: int = HOUR) -> Outcome:
    """The canary's end.

    Args:
        check: Seconds since traffic began -> whether every metric of the last minute has a value
            within its range.
        iterations: Good checks that promote.
        seconds: When the traffic ends.
    """
    failed, done = 0, 1
    for tick in range(INTERVAL, seconds + 1, INTERVAL):
        if failed >= THRESHOLD:
            return Outcome(rolled_back=tick)
        if not check(tick):
            failed += 1
        elif done < iterations:
            done += 1
        else:
            return Outcome(promoted=tick)
    return Outcome()


def success(error_rate: float) -> bool:
    """Whether request-success-rate is within its range.

    >>> success(0.01), success(0.0101), success(math.nan)
    (True, False, False)
    """
    return not math.isnan(error_rate) and 1 - error_rate >= WITHIN


def duration(p99: float) -> bool:
    """Whether request-duration is within its range.

    >>> duration(0.5), duration(0.51), duration(math.nan)
    (True, False, False)
    """
    return not math.isnan(p99) and p99 <= DURATION
