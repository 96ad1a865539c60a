"""Measurements: what each deployment answered in an interval, reduced to counts.

Latency is a sparse log histogram: bucket ``i`` holds durations in ``(edge(i - 1), edge(i)]``
with ``edge(i) = 1 microsecond * GROWTH ** i``. A request that failed or timed out is in ``NEVER``,
slower than everything, else a crash would look fast.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

GROWTH = 1.02  # 2 % wide buckets: a tolerance of 10 % is 5 of them
NEVER = 1 << 20
_BASE = 1e-6  # seconds
_LOG_GROWTH = math.log(GROWTH)


def bucket_of(seconds: float) -> int:
    """The histogram bucket of a duration in seconds.

    >>> edge(bucket_of(0.1) - 1) < 0.1 <= edge(bucket_of(0.1))
    True
    """
    if seconds <= _BASE:
        return 0
    return math.ceil(math.log(seconds / _BASE) / _LOG_GROWTH - 1e-9)


def edge(bucket: int) -> float:
    """Upper edge of a bucket in seconds; infinite for ``NEVER``."""
    return math.inf if bucket >= NEVER else _BASE * GROWTH**bucket


@dataclass(frozen=True, slots=True)
class Arm:
    """What one deployment answered in one interval.

    Args:
        requests: Answers that count, failed ones included.
        errors: Those that failed.
        latency: Bucket -> requests; sums to the requests since the last interval that had a
            histogram. None: this interval carries none.
    """

    requests: int = 0
    errors: int = 0
    latency: Mapping[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """Closed observations from ``start`` to ``end``, Unix seconds.

    ``arms`` has two keys, ``baseline`` and ``candidate``: in a mirror stage the candidate's arm
    holds the mirrored copies, else its live answers.
    """

    start: float
    end: float
    arms: Mapping[str, Arm] = field(default_factory=dict)
