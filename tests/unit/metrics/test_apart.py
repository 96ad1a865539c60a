"""What both deployments met, seen by pods that are scraped at other moments, is nobody's own."""

from __future__ import annotations

import pytest

from rollout.adapters.metrics.prometheus.metering import Meter
from rollout.adapters.metrics.prometheus.source import Source
from rollout.domain.criteria import Check
from rollout.domain.measure import Interval
from rollout.domain.units import Allowance
from rollout.domain.verdict import Verdict
from rollout.gates.judge import enter, fresh, ingest, judge
from tests.fakes.prometheus import FakePrometheus, Process
from tests.unit.gates.traffic import poisson, rules, seeded

METER = Meter(
    "http://x", requests="requests ${deployment}", errors="errors ${deployment}", delay=10.0
)
NAMES = {"baseline": "blue", "candidate": "green"}
RULES = rules(Check("error_rate", tolerance=Allowance(points=0.005), margin=Allowance(points=0.03)))
RPS, EVERY, T0, STEP = 100.0, 15.0, 1_000.0, 0.5


class Pods:
    """Pods of blue and one of green, each scraped every 15 seconds at a moment of its own."""

    def __init__(self, seed: int, blues: int) -> None:
        self.chance = seeded(seed)
        self.server = FakePrometheus()
        self.pods = [self.server.start("blue", f"b{at}") for at in range(blues)]
        self.pods.append(self.server.start("green", "g"))
        self.due = [T0 - EVERY + self.chance.uniform(0.0, EVERY) for _ in self.pods]
        self.counts = [
            poisson(self.chance, RPS * STEP * (0.1 if _green(each) else 0.9 / blues))
            for each in self.pods
        ]
        self.source = Source(METER, NAMES, self.server)  # type: ignore[arg-type]

    def readings(self, outage: tuple[float, float, float], bad: float = 0.005) -> list[Interval]:
        """Five minutes; ``outage``: when it begins, how long it takes, the share that fails."""
        cursor, found = self.source.cursor(T0), []
        for tick in range(round((T0 + 300.0) / STEP)):
            now = tick * STEP
            if now < T0 - 2 * EVERY:
                continue
            for at, pod in enumerate(self.pods):
                rate = bad if _green(pod) else 0.005
                if outage[0] <= now - T0 < outage[0] + outage[1]:
                    rate = max(rate, outage[2])
                self._serve(pod, self.counts[at](), rate)
                if now >= self.due[at]:
                    self.server.scrape(self.due[at], [pod])
                    self.due[at] += EVERY
            if tick % 8 == 0:
                reading = self.source.read(cursor, moment=now, mirrored=False)
                cursor = reading.cursor
                found += [reading.interval] if reading.interval is not None else []
        return found

    def _serve(self, pod: Process, count: int, rate: float) -> None:
        failed = sum(self.chance.random() < rate for _ in range(count))
        if count > failed:
            pod.answer(count - failed)
        if failed:
            pod.answer(failed, code="500")


def _green(pod: Process) -> bool:
    return pod.labels["deployment"] == "green"


def verdict(intervals: list[Interval]) -> Verdict:
    evidence, passed = enter(RULES, fresh(), 0), False
    for each in intervals:
        evidence = ingest(RULES, evidence, each)
        said = judge(RULES, evidence).verdict
        if said is Verdict.FAIL:
            return said
        passed = passed or said is Verdict.PASS
    return Verdict.PASS if passed else Verdict.RUNNING


@pytest.mark.parametrize("blues", [1, 3])
@pytest.mark.parametrize(
    ("seconds", "share"), [(10.0, 0.3), (10.0, 1.0), (3.0, 1.0)], ids=["part", "whole", "short"]
)
def test_an_outage_that_both_share_fails_no_healthy_candidate(
    blues: int, seconds: float, share: float
):
    """Compared as they are scraped, up to 21 of 100 would be failed (benchmarks/apart.py)."""
    found = [
        verdict(Pods(seed, blues).readings((60.0 + 3.7 * seed, seconds, share)))
        for seed in range(24)
    ]

    assert Verdict.FAIL not in found


@pytest.mark.parametrize("blues", [1, 3])
def test_a_bad_candidate_is_failed_and_a_healthy_one_passes(blues: int):
    none = (0.0, 0.0, 0.0)

    assert verdict(Pods(1, blues).readings(none, bad=0.1)) is Verdict.FAIL
    assert verdict(Pods(2, blues).readings(none)) is Verdict.PASS


def test_a_candidate_that_fails_alone_gets_no_help_from_the_time_beside_it():
    intervals = Pods(3, 2).readings((0.0, 0.0, 0.0), bad=0.5)

    assert sum(not each.steady for each in intervals) <= len(intervals) / 5  # by chance alone
    assert len(intervals) > 10


@pytest.mark.parametrize("blues", [1, 3])
def test_every_request_is_counted_once(blues: int):
    scene = Pods(4, blues)

    intervals = scene.readings((100.0, 10.0, 1.0))

    end = intervals[-1].end
    for name, role in (("blue", "baseline"), ("green", "candidate")):
        told = sum(each.arms[role].requests for each in intervals)
        real = 0.0
        for series in scene.server.samples(f"requests {name}", start=T0, end=end):
            real += series.samples[max(series.samples)] - series.samples[min(series.samples)]
        assert told == pytest.approx(real, abs=10)  # a code's first requests have no sample before
    assert any(not each.steady for each in intervals)
