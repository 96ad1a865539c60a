"""What a simulated rollout is about: the kind of traffic, and the candidate.

Whatever a `Kind` varies is shared by both deployments, but for the cold start.
"""

from __future__ import annotations

from dataclasses import dataclass

SHARE = 0.1  # the candidate's part of the traffic
HOUR = 3600  # seconds
MEDIAN, SIGMA = 0.080, 0.5  # lognormal latency: seconds, and the logarithm's deviation
TAIL_FACTOR = 5.0


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of traffic.

    Args:
        name: As the table has it.
        drift: Standard deviation of the logarithmic error rate, AR(1), 0.9 every 10 s.
        slow_drift: The same of the logarithmic latency.
        burst: Standard deviation of the logarithmic arrival rate, AR(1), 0.8 every 10 s.
        incidents: An hour, each 30 s long: 5 % of all requests fail, latency doubles.
        day: Amplitude of the arrival rate's sine, one period an hour, random phase.
        slow_day: Amplitude of the logarithmic latency's sine, in phase with it.
        cold: Factor on the candidate's first latencies; its logarithm falls to 0 in 60 s.
        outage: Share of both deployments' requests that fail from 60 s to 360 s.
    """

    name: str
    drift: float = 0.0
    slow_drift: float = 0.0
    burst: float = 0.0
    incidents: float = 0.0
    day: float = 0.0
    slow_day: float = 0.0
    cold: float = 1.0
    outage: float = 0.0


CLEAN = Kind("clean")
DRIFTING = Kind("drifting", drift=0.7, slow_drift=0.1)
BURSTY = Kind("bursty", burst=0.5, incidents=3.0)
DIURNAL = Kind("diurnal", day=0.3, slow_day=0.2)
COLD = Kind("cold start", cold=3.0)
ALL = Kind(
    "all at once",
    drift=0.7,
    slow_drift=0.1,
    burst=0.5,
    incidents=3.0,
    day=0.3,
    slow_day=0.2,
    cold=3.0,
)
OUTAGE = Kind("shared outage", outage=0.3)
KINDS = (CLEAN, DRIFTING, BURSTY, DIURNAL, COLD, ALL)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate, beside a baseline that fails in ``base`` of its requests on average.

    Args:
        name: As the table has it.
        base: The baseline's error rate, before drift and incidents.
        factor, points: The candidate's is ``factor`` times it plus ``points``.
        rate: Or this, whatever the baseline does; None: as above.
        slower: Factor on every latency.
        tail: Share of requests that take ``TAIL_FACTOR`` times as long.
    """

    name: str
    base: float = 0.005
    factor: float = 1.0
    points: float = 0.0
    rate: float | None = None
    slower: float = 1.0
    tail: float = 0.0

    @property
    def healthy(self) -> bool:
        """Whether it is as good as the baseline."""
        worse = (self.factor, self.points, self.rate, self.slower, self.tail)
        return worse == (1.0, 0.0, None, 1.0, 0.0)


HEALTHY = Candidate("healthy 0.5 %")
MARGIN = Candidate("0.5 % + 0.5pp, the margin", points=0.005)
TO_1 = Candidate("0.5 -> 1 %", factor=2.0)
TO_2 = Candidate("0.5 -> 2 %", factor=4.0)
TO_5 = Candidate("1 -> 5 %", base=0.01, factor=5.0)
CRASH = Candidate("0.1 -> 100 %", base=0.001, rate=1.0)
SLOW_20 = Candidate("latency + 20 %", slower=1.2)
SLOW_50 = Candidate("latency + 50 %", slower=1.5)
SLOW_100 = Candidate("latency x 2", slower=2.0)
TAIL = Candidate("3 % tail x 5", tail=0.03)
