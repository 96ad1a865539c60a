"""Plans and traffic for the gates' tests: seeded, and quick enough for hundreds of rollouts."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from statistics import NormalDist

from rollout.domain.criteria import Check, Gate, Risk
from rollout.domain.measure import NEVER, Arm, Interval, Published, bucket_of
from rollout.domain.plan import DeploymentRef, EndpointRef, Plan, Shift, Stage
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.units import Allowance
from rollout.gates.judge import Evidence, enter, fresh, ingest
from rollout.gates.rules import Rules, compile_rules

ERRORS = Check("error_rate", tolerance=Allowance(points=0.001), margin=Allowance(points=0.005))
ERRORS_MAX = Check("error_rate", maximum=0.02)
SLOW = Check("latency", 0.95, tolerance=Allowance(1.1), margin=Allowance(1.2))
SLOW_MAX = Check("latency", 0.99, maximum=0.8)

ONE_STAGE = (Stage("shift-10", Shift(10), "canary"),)


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - traffic, not secrets


def plan(
    *checks: Check,
    stages: tuple[Stage, ...] = ONE_STAGE,
    gates: Mapping[str, Gate] | None = None,
    risk: Risk | None = None,
    **gate: object,
) -> Plan:
    """A plan whose only gate, ``canary``, has these checks and settings."""
    canary = Gate("canary", checks or (ERRORS,), **gate)  # type: ignore[arg-type]
    return Plan(
        name="test",
        endpoint=EndpointRef("local", "endpoint"),
        baseline=DeploymentRef("blue"),
        candidate=DeploymentRef("green"),
        stages=stages,
        gates={"canary": canary, **(gates or {})},
        risk=risk or Risk(),
    )


def rules(*checks: Check, **settings: object) -> Rules:
    return compile_rules(plan(*checks, **settings))  # type: ignore[arg-type]


def interval(
    at: float, candidate: tuple[int, int], baseline: tuple[int, int], *, seconds: float = 1.0
) -> Interval:
    """An interval without histograms; an arm is (errors, requests)."""
    arms = {BASELINE: Arm(baseline[1], baseline[0]), CANDIDATE: Arm(candidate[1], candidate[0])}
    return Interval(at, at + seconds, arms)


def feed(rule: Rules, intervals: Iterable[Interval], evidence: Evidence | None = None) -> Evidence:
    """The evidence after these intervals, of the first stage if none was entered yet."""
    evidence = enter(rule, fresh(), 0) if evidence is None else evidence
    for one in intervals:
        evidence = ingest(rule, evidence, one)
    return evidence


def poisson(rng: random.Random, mean: float) -> Callable[[], int]:
    """A sampler of Poisson numbers from a table."""
    top = int(mean + 12 * math.sqrt(mean) + 12)
    odds = (math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(top))
    table = list(accumulate(odds)) if mean > 0 else [1.0]
    return lambda: bisect_right(table, rng.random())


def errors(
    seed: int, *, base: float, bad: float, rps: float = 50, share: float = 0.1, seconds: float = 1.0
) -> Iterator[Interval]:
    """Endless Poisson traffic with these error rates, interval by interval."""
    rng = seeded(seed)
    mine, theirs = rps * share * seconds, rps * (1 - share) * seconds
    rates = (mine * bad, mine * (1 - bad), theirs * base, theirs * (1 - base))
    x, fine, base_x, base_fine = (poisson(rng, rate) for rate in rates)
    at = 0.0
    while True:
        failed, base_failed = x(), base_x()
        counts = (failed, failed + fine()), (base_failed, base_failed + base_fine())
        yield interval(at, *counts, seconds=seconds)
        at += seconds


def latencies(
    seed: int,
    slowdown: Callable[[float], float],
    *,
    rps: float = 50,
    share: float = 0.1,
    seconds: float = 5.0,
    lost: float = 0.0,
) -> Iterator[Interval]:
    """Endless traffic with lognormal latencies around 80 ms, the candidate's slowed down.

    Args:
        seed: Of the traffic.
        slowdown: Time since the start -> factor on the candidate's latency.
        rps: Requests per second of both arms.
        share: The candidate's part of them.
        seconds: Length of an interval.
        lost: Share of the candidate's requests that never get an answer.
    """
    rng = seeded(seed)
    at = 0.0
    while True:
        arms = {}
        for role, part in ((BASELINE, 1 - share), (CANDIDATE, share)):
            factor = slowdown(at) if role == CANDIDATE else 1.0
            found: dict[int, int] = {}
            for _ in range(poisson(rng, rps * part * seconds)()):
                bucket = bucket_of(0.08 * factor * rng.lognormvariate(0.0, 0.5))
                bucket = NEVER if role == CANDIDATE and rng.random() < lost else bucket
                found[bucket] = found.get(bucket, 0) + 1
            arms[role] = Arm(sum(found.values()), 0, found)
        yield Interval(at, at + seconds, arms)
        at += seconds


SHARES = (0.5, 0.9, 0.95, 0.99)  # of what Azure Monitor publishes


def minutes(
    seed: int,
    slowdown: Callable[[float], float] = lambda _: 1.0,
    *,
    rps: float = 50,
    share: float = 0.1,
    median: float = 0.08,
    errors: float = 0.0,
    drift: float = 0.1,
) -> Iterator[Interval]:
    """Endless minutes of which only percentiles are known; both arms drift together.

    Args:
        seed: Of the traffic.
        slowdown: Time since the start -> factor on the candidate's latency.
        rps: Requests per second of both arms.
        share: The candidate's part of them.
        median: Of the baseline's lognormal latencies, seconds.
        errors: Share of the requests that fail, of both arms.
        drift: Standard deviation of the logarithm of what both arms share.
    """
    rng = seeded(seed)
    counts = {
        CANDIDATE: poisson(rng, rps * 60 * share),
        BASELINE: poisson(rng, rps * 60 * (1 - share)),
    }
    at = 0.0
    while True:
        common = math.log(median) + rng.gauss(0.0, drift)
        arms = {}
        for role, count in counts.items():
            number = count()
            mean = common + (math.log(slowdown(at)) if role == CANDIDATE else 0.0)
            bad = sum(rng.random() < errors for _ in range(number)) if errors else 0
            values = _percentiles(rng, number, mean)
            minute = Published(at, values, number, bad)
            arms[role] = Arm(number, bad, published=(minute,))
        yield Interval(at, at + 60.0, arms)
        at += 60.0


def _percentiles(rng: random.Random, requests: int, mean: float) -> dict[float, float]:
    """Order statistics of lognormal latencies (sigma 0.5), without drawing all of them."""
    grown, last, masses = 0.0, 0, []
    for share in SHARES:
        rank = max(1, math.ceil(share * requests - 1e-9))
        grown += rng.gammavariate(rank - last, 1.0) if rank > last else 0.0
        last = rank
        masses.append(grown)
    whole = grown + rng.gammavariate(requests + 1 - last, 1.0)
    normal = NormalDist(mean, 0.5)
    return {
        share: math.exp(normal.inv_cdf(mass / whole))
        for share, mass in zip(SHARES, masses, strict=True)
    }
