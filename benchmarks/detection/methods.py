"""Every method's end on one simulated hour."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.detection import rules as gates
from benchmarks.detection.cells import BOTH, ERRORS, LATENCY, MAXIMUM, Cell
from benchmarks.detection.engine import engine
from benchmarks.detection.kinds import ALL, CLEAN, MEDIAN, SIGMA
from benchmarks.detection.outcome import Outcome, first
from benchmarks.detection.peers.argo import Measure, argo
from benchmarks.detection.peers.flagger import duration, flagger, success
from benchmarks.detection.peers.kayenta import kayenta
from benchmarks.detection.peers.oracle import open_ended, oracle
from benchmarks.detection.peers.ztest import Sums, means, peeking, proportions, running
from benchmarks.detection.traffic import BUCKETS, FIRST, Served, Traffic
from benchmarks.detection.windows import Metrics, by_minute, metrics, minute_ends
from rollout.domain.measure import GROWTH, edge
from rollout.gates.rules import Rules

ENGINE, STRICT = "rollout", "rollout, tolerance 0"
FLAGGER, ARGO_0, ARGO_3 = "Flagger", "Argo, limit 0", "Argo, limit 3"
FLAGGER_HOUR, ARGO_HOUR = "Flagger, 1 h", "Argo, limit 3, 1 h"
KAYENTA, ZTEST = "Kayenta", "z-test peeked"
ORACLE, RELATIVE = "oracle, both rates", "oracle, the ratio"

_HOUR = 60  # checks
_ARGO_P95 = 1.2 * MEDIAN * math.exp(1.6449 * SIGMA)  # seconds; static, 1.2 times the usual
_ARGO_ERRORS = 0.01
_CHECKS = {
    ERRORS: (gates.ERRORS,),
    LATENCY: (gates.SLOW,),
    BOTH: (gates.ERRORS, gates.SLOW),
    MAXIMUM: (gates.ERRORS_MAX,),
}


def compiled(cell: Cell) -> dict[str, Rules]:
    """The engine's rules in this cell, by the method's name."""
    found = {ENGINE: gates.rules(*_CHECKS[cell.gate])}
    if cell.gate == ERRORS and cell.rps == 50 and cell.kind in (CLEAN, ALL):
        found[STRICT] = gates.rules(gates.ERRORS_STRICT)
    return found


def outcomes(cell: Cell, compiled: dict[str, Rules], traffic: Traffic) -> dict[str, Outcome]:
    """Every method's end. A healthy candidate is looked at for the full hour."""
    go_on = cell.candidate.healthy
    found = {name: engine(rules, traffic, go_on=go_on) for name, rules in compiled.items()}
    if cell.gate != MAXIMUM:
        found |= _peers(cell, traffic)
    if cell.gate in (ERRORS, LATENCY):
        wald = oracle if cell.candidate.healthy else open_ended
        found[ORACLE] = wald(traffic.worse, traffic.seconds)
        if traffic.relative is not None:
            found[RELATIVE] = wald(traffic.relative, traffic.seconds)
    return found


def _peers(cell: Cell, traffic: Traffic) -> dict[str, Outcome]:
    ours = metrics(traffic.candidate, traffic.seconds)
    theirs = metrics(traffic.baseline, traffic.seconds)
    found = static(cell, ours)
    return found | {
        KAYENTA: kayenta([_points(word, ours, theirs, traffic) for word in _words(cell)]),
        ZTEST: first([_ztest(word, traffic) for word in _words(cell)]),
    }


def _words(cell: Cell) -> tuple[str, ...]:
    return (ERRORS, LATENCY) if cell.gate == BOTH else (cell.gate,)


def static(cell: Cell, ours: Metrics) -> dict[str, Outcome]:
    """The ends under Flagger's and Argo's rules, which look at the candidate alone."""

    def good(until: float) -> bool:
        return all(_good(word, ours, until) for word in _words(cell))

    limits = [_limit(word, ours) for word in _words(cell)]

    def argos(failures: int, count: int = 10) -> Outcome:
        return first([argo(each, most, failures=failures, count=count) for each, most in limits])

    found = {FLAGGER: flagger(good), ARGO_0: argos(0), ARGO_3: argos(3)}
    if cell.candidate.healthy:
        found[FLAGGER_HOUR] = flagger(good, iterations=_HOUR)
        found[ARGO_HOUR] = argos(3, _HOUR)
    return found


def _good(word: str, ours: Metrics, until: float) -> bool:
    if word == LATENCY:
        return duration(ours.quantile(until, 0.99))
    return success(ours.error_rate(until))


def _limit(word: str, ours: Metrics) -> tuple[Measure, float]:
    if word == LATENCY:
        return lambda until: ours.quantile(until, 0.95), _ARGO_P95
    return ours.error_rate, _ARGO_ERRORS


def _points(
    word: str, ours: Metrics, theirs: Metrics, traffic: Traffic
) -> tuple[np.ndarray, np.ndarray]:
    """One-minute points of both arms: percent, or milliseconds at p95."""

    def value(arm: Metrics, until: float) -> float:
        if word == LATENCY:
            return 1000 * arm.quantile(until, 0.95)
        return 100 * arm.error_rate(until)

    ends = minute_ends(traffic)
    mine, others = ([value(arm, until) for until in ends] for arm in (ours, theirs))
    return np.array(mine), np.array(others)


def _ztest(word: str, traffic: Traffic) -> Outcome:
    sums, score = (_logs, means) if word == LATENCY else (_failures, proportions)
    arms = (running(sums(arm, traffic.seconds)) for arm in (traffic.candidate, traffic.baseline))
    return peeking([score(mine, theirs) for mine, theirs in zip(*arms, strict=True)])


def _failures(served: Served, seconds: int) -> list[Sums]:
    """Errors minute by minute."""
    requests = by_minute(served.requests, seconds).tolist()
    errors = by_minute(served.errors, seconds).tolist()
    return [Sums(sent, bad, bad) for sent, bad in zip(requests, errors, strict=True)]


def _logs(served: Served, seconds: int) -> list[Sums]:
    """Logarithmic latencies minute by minute."""
    places = math.log(edge(FIRST)) + math.log(GROWTH) * np.arange(BUCKETS)
    counts = by_minute(served.latency, seconds)
    columns = (counts.sum(axis=1), counts @ places, counts @ places**2)
    return [Sums(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
