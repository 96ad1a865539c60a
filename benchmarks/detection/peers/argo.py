"""Argo Rollouts: an analysis of counted measurements against a static condition.

Source: argoproj/argo-rollouts at 9f8d111, analysis/analysis.go (`assessMetricStatus`,
`assessMetricFailureInconclusiveOrError`, `calculateNextReconcileTime`) and utils/defaults. More
failed measurements than `failureLimit` fail the analysis; more errors in a row than
`consecutiveErrorLimit` end it in error, which aborts the rollout like a failure
(rollout/analysis.go). An error is retried after 10 s and does not count towards `count`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from benchmarks.detection.kinds import HOUR
from benchmarks.detection.outcome import Outcome

INTERVAL = 60  # seconds; also the initialDelay, for a first measurement has a full minute
RETRY = 10  # seconds after an error
ERRORS = 4  # consecutiveErrorLimit
COUNT = 10

Measure = Callable[[float], float]


def argo(
    measure: Measure,
    limit: float,
    *,
    failures: int = 0,
    count: int = COUNT,
    seconds: int = HOUR,
) -> Outcome:
    """One metric's end.

    Args:
        measure: Seconds since traffic began -> the metric over the last minute; NaN: no data,
            which cannot be evaluated and is an error.
        limit: The greatest value that succeeds.
        failures: failureLimit.
        count: Measurements after which the metric is successful.
        seconds: When the traffic ends.
    """
    failed = measured = in_error = 0
    at = INTERVAL
    while at <= seconds:
        value = measure(at)
        if math.isnan(value):
            in_error += 1
            if in_error > ERRORS:
                return Outcome(rolled_back=at)
            at += RETRY
            continue
        in_error, measured = 0, measured + 1
        failed += value > limit
        if failed > failures:
            return Outcome(rolled_back=at)
        if measured >= count:
            return Outcome(promoted=at)
        at += INTERVAL
    return Outcome()
