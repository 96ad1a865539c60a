"""Traffic that never was: requests, failures and latencies drawn from a stream of random numbers.

What both deployments share (how much traffic there is, how it fails, how slow it is) moves as it
does in life: slowly, and never quite back to where it was. What tells the candidate from the
baseline is the scenario's alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random
from typing import Protocol

from rollout.domain.errors import EndpointAway
from rollout.domain.measure import GROWTH, NEVER, Agreement, Arm, Interval, bucket_of
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.run import Exposure
from rollout.runtime.simulation import draws
from rollout.runtime.simulation.saying import Topics
from rollout.runtime.simulation.scenarios import Scenario

RPS = 50.0  # requests a second where the plan sends none itself
_MEMORY, _MEMORY_STEP = 0.9, 10.0  # what is left of a deviation after so many seconds
_DAY = 86400.0
_LOG_GROWTH = math.log(GROWTH)
_GATE, _GUARD = 60.0, 300.0  # seconds between measurements, at most, in a stage of many hours
_REACH = 6.5  # standard deviations of the latency that have buckets


@dataclass(frozen=True, slots=True)
class Climate:
    """What traffic is like without a scenario. The last four are 0 in steady traffic.

    Args:
        rps: Requests a second for both deployments.
        error_rate: The baseline's, a fraction of 1.
        latency: The baseline's median, seconds.
        width: Standard deviation of the logarithm of a latency.
        drift: Standard deviation of the logarithm of the shared error rate, over time.
        sway: The same of the shared latency.
        burst: The same of the traffic.
        day: How much of the traffic comes and goes with the time of day, 0..1.
    """

    rps: float = RPS
    error_rate: float = 0.005
    latency: float = 0.08
    width: float = 0.5
    drift: float = 0.7
    sway: float = 0.1
    burst: float = 0.3
    day: float = 0.3


def steady(climate: Climate) -> Climate:
    """The same traffic without any movement."""
    return replace(climate, drift=0.0, sway=0.0, burst=0.0, day=0.0)


@dataclass(frozen=True, slots=True)
class Shares:
    """Fractions of the requests that the candidate answers, or gets copies of."""

    live: float = 0.0
    mirrored: float = 0.0


class Source(Protocol):
    """Where a simulated endpoint's measurements come from."""

    @property
    def exposure(self) -> Exposure:
        """Live requests that the candidate answered so far, and how many of them badly."""
        ...

    @property
    def over(self) -> bool:
        """Whether more was to be measured than there is."""
        ...

    def trouble(self, at: float) -> None:
        """The scenario begins; ``at`` in virtual seconds."""
        ...

    def flow(self, start: float, end: float, shares: Shares) -> None:
        """Let the traffic of a stretch of time pass; virtual seconds."""
        ...

    def restart(self) -> None:
        """Measurements begin: what passed so far is in none of them."""
        ...

    def taken(self, start: float, end: float, *, histogram: bool) -> Interval | None:
        """What passed since the last measurement; None: nothing that is closed.

        Raises:
            EndpointAway: nothing can be measured at the moment.
        """
        ...

    def wait(self, observed: float, *, guard: bool) -> float:
        """Seconds to the next measurement that is worth its cost.

        Args:
            observed: Seconds since the first one.
            guard: Nobody waits for a pass.
        """
        ...


@dataclass(slots=True)
class _Pending:
    """One arm since the last measurement; ``unseen`` are good answers without a latency yet."""

    requests: int = 0
    errors: int = 0
    unseen: int = 0
    failed: int = 0

    def add(self, requests: int, errors: int) -> None:
        self.requests += requests
        self.errors += errors
        self.unseen += requests - errors
        self.failed += errors

    def arm(self, latency: Mapping[int, int] | None) -> Arm:
        """What is to be told now."""
        made = Arm(self.requests, self.errors, latency)
        self.requests = self.errors = 0
        if latency is not None:
            self.unseen = self.failed = 0
        return made


@dataclass(slots=True)
class _Wave:
    """A deviation that fades and is renewed, in logarithms: AR(1).

    Args:
        size: Its standard deviation.
        now: Its value.
    """

    size: float
    now: float

    def move(self, random: Random, seconds: float) -> float:
        """Its value after so many seconds."""
        if self.size:
            kept = _MEMORY ** (seconds / _MEMORY_STEP)
            fresh = math.sqrt(1.0 - kept * kept) * self.size
            self.now = kept * self.now + fresh * random.gauss(0.0, 1.0)
        return self.now


@dataclass(slots=True)
class Drawn:
    """A ``Source`` of drawn traffic.

    Args:
        climate: What traffic is like.
        scenario: What is wrong.
        random: The only source of chance.
        coarsest: The longest wait between two measurements, seconds, of a stage's first hour.
        topics: What is asked of the answers.
    """

    climate: Climate
    scenario: Scenario
    random: Random
    coarsest: float
    topics: Topics = field(default_factory=Topics)
    exposure: Exposure = field(default_factory=Exposure)
    _began: float = math.inf
    _arms: dict[str, _Pending] = field(default_factory=dict)
    _copied: int = 0
    _waves: tuple[_Wave, _Wave, _Wave] = field(init=False)
    _phase: float = field(init=False)

    def __post_init__(self) -> None:
        sizes = (self.climate.drift, self.climate.sway, self.climate.burst)
        drift, sway, burst = (_Wave(size, size * self.random.gauss(0.0, 1.0)) for size in sizes)
        self._waves = (drift, sway, burst)
        self._phase = self.random.random() * 2.0 * math.pi
        self.restart()

    @property
    def over(self) -> bool:
        """Drawn traffic never ends."""
        return False

    def trouble(self, at: float) -> None:
        """The scenario begins."""
        self._began = at

    def flow(self, start: float, end: float, shares: Shares) -> None:
        """Draw the requests and failures of a stretch of time; latencies are drawn when wanted."""
        for begin, finish in self._cut(start, end):
            self._flow(begin, finish, shares)

    def _cut(self, start: float, end: float) -> list[tuple[float, float]]:
        """The stretch, cut where the scenario begins and where it ends."""
        edges = (self._began, self._began + self.scenario.seconds)
        inside = sorted(each for each in edges if start < each < end)
        return list(zip([start, *inside], [*inside, end], strict=True))

    def _flow(self, start: float, end: float, shares: Shares) -> None:
        random, seconds, climate = self.random, end - start, self.climate
        drift, _, burst = (wave.move(random, seconds) for wave in self._waves)
        day = 1.0 + climate.day * math.sin(2.0 * math.pi * start / _DAY + self._phase)
        rate = climate.rps * day * math.exp(burst - climate.burst**2 / 2.0)
        everything = draws.poisson(random, rate * seconds)
        base = climate.error_rate * math.exp(drift - climate.drift**2 / 2.0)
        trouble = self.scenario if self._troubled(start) else None
        bad = min(1.0, base + (trouble.shared if trouble else 0.0))
        worse = min(1.0, bad + (trouble.points if trouble else 0.0))
        live = draws.binomial(random, everything, shares.live)
        served, copied = everything - live, 0
        if shares.mirrored:
            copied = draws.binomial(random, everything, shares.mirrored)
        self._arms[BASELINE].add(served, draws.binomial(random, served, bad))
        failed = draws.binomial(random, live or copied, worse)
        self._arms[CANDIDATE].add(live or copied, failed)
        self._copied += copied
        if live:
            done = self.exposure
            self.exposure = Exposure(done.requests + live, done.errors + failed)

    def _troubled(self, at: float) -> bool:
        return self._began <= at < self._began + self.scenario.seconds

    def restart(self) -> None:
        """What passed so far is in no measurement."""
        self._arms = {BASELINE: _Pending(), CANDIDATE: _Pending()}
        self._copied = 0

    def taken(self, start: float, end: float, *, histogram: bool) -> Interval | None:
        """What passed since the last measurement."""
        if self.scenario.blind and self._troubled(end):
            raise EndpointAway("The metrics source does not answer.", do="Try again.")
        arms = {
            role: self._said(
                role, pending.arm(self._latency(role, pending, end) if histogram else None), end
            )
            for role, pending in self._arms.items()
        }
        agreement = self._agreement(start, end)
        return Interval(start, end, arms, agreement) if end > start else None

    def _said(self, role: str, arm: Arm, at: float) -> Arm:
        topics, good = self.topics, arm.requests - arm.errors
        if not (topics.predictions or topics.customs):
            return arm
        trouble = self._trouble_of(role, at)
        outputs = topics.outputs(self.random, good, trouble)
        return replace(arm, outputs=outputs, sums=topics.sums(self.random, good, trouble))

    def _agreement(self, start: float, end: float) -> Mapping[str, Agreement]:
        pairs, self._copied = (self._copied if self.topics.mirrored else 0), 0
        if not self.topics.comparisons:
            return {}
        probed = math.floor(end * self.topics.probed) - math.floor(start * self.topics.probed)
        trouble = self._trouble_of(CANDIDATE, end)
        return self.topics.agreement(self.random, pairs + probed, trouble)

    def _trouble_of(self, role: str, at: float) -> Scenario | None:
        return self.scenario if role == CANDIDATE and self._troubled(at) else None

    def _latency(self, role: str, pending: _Pending, at: float) -> dict[int, int]:
        trouble = self._trouble_of(role, at)
        factor, tail, longer = (
            (trouble.factor, trouble.tail, trouble.tail_factor) if trouble else (1.0, 0.0, 1.0)
        )
        climate = self.climate
        among = latencies(climate.latency * factor, climate.width, tail, longer)
        found = draws.spread(self.random, among, pending.unseen)
        # A shared deviation moves both arms by the same whole number of buckets.
        moved = round(self._waves[1].now / _LOG_GROWTH)
        latency = {max(0, bucket + moved): count for bucket, count in found.items()}
        if pending.failed:
            latency[NEVER] = pending.failed
        return latency

    def wait(self, observed: float, *, guard: bool) -> float:
        """Every second at first, then ever less often: what is left to learn comes slowly."""
        if self.coarsest <= 1.0:
            return 1.0
        longest = _GUARD if guard else min(max(self.coarsest, observed / 360.0), _GATE)
        return min(max(1.0, observed / 60.0), longest)


@cache
def latencies(median: float, width: float, tail: float, longer: float) -> draws.Table:
    """Latency buckets of a lognormal distribution with a slower part.

    Args:
        median: Seconds.
        width: Standard deviation of the logarithm, above 0.
        tail: Share of the slower part, 0..1.
        longer: How many times slower that is.
    """
    first = bucket_of(median * math.exp(-_REACH * width))
    last = bucket_of(median * max(1.0, longer) * math.exp(_REACH * width))
    centre, slower = math.log(median / 1e-6), math.log(longer)

    def below(bucket: int) -> float:
        edge = bucket * _LOG_GROWTH - centre
        usual, slow = _normal(edge / width), _normal((edge - slower) / width)
        return (1.0 - tail) * usual + tail * slow

    return draws.table(
        first, [max(0.0, below(at) - below(at - 1)) for at in range(first, last + 1)]
    )


def _normal(at: float) -> float:
    return 0.5 * math.erfc(-at / math.sqrt(2.0))
