"""Latency gates: tails, warm-up, failures that are slow, histograms that come seldom."""

from itertools import islice

import pytest

from rollout.domain.criteria import Check
from rollout.domain.measure import NEVER, Arm, Interval, bucket_of, edge
from rollout.domain.plan import Shift, Stage
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.verdict import Verdict
from rollout.gates.judge import enter, fresh, ingest, judge
from rollout.gates.rules import compile_rules
from rollout.gates.sides import Kind, grid_of
from rollout.stats.grid import FAIL, FAIL_SLOW, PASS
from tests.unit.gates.traffic import SLOW, SLOW_MAX, feed, latencies, plan, rules

WARM = rules(SLOW, warm_up=60.0)


def until(rule, traffic, seconds):
    """The judgement at the first verdict, or after so many seconds."""
    evidence = enter(rule, fresh(), 0)
    for one in traffic:
        evidence = ingest(rule, evidence, one)
        judged = judge(rule, evidence)
        if judged.verdict is not Verdict.RUNNING or one.end >= seconds:
            return judged
    raise AssertionError("the traffic ended")


def steady(count, factor=1.0):
    return islice(latencies(1, lambda at: factor, seconds=5), count)


def test_a_candidate_as_fast_as_the_baseline_passes():
    judged = until(WARM, latencies(1, lambda at: 1.0), 900)

    assert judged.verdict is Verdict.PASS
    assert judged.observed_seconds < 300
    check = judged.checks[0]
    assert check.candidate_value == pytest.approx(check.baseline_value, rel=0.1)
    assert "within the margin of 20 %" in check.reason


@pytest.mark.parametrize("seed", range(5))
def test_half_as_slow_again_is_caught(seed):
    judged = until(WARM, latencies(seed, lambda at: 1.5), 900)

    assert judged.verdict is Verdict.FAIL
    assert judged.observed_seconds < 180
    assert judged.checks[0].ratio > 1
    assert judged.checks[0].candidate_value > judged.checks[0].baseline_value
    assert judged.reason.startswith("latency_p95 failed (E = ")


@pytest.mark.parametrize("seed", range(5))
def test_a_cold_start_within_the_warm_up_is_forgiven(seed):
    """Measured in gates.md: 100 % false rollbacks without a warm-up, none with 60 s."""

    def cold(at):
        return 3.0 - 2.0 * at / 60.0 if at < 60.0 else 1.0

    eager = until(rules(SLOW, warm_up=0.0), latencies(seed, cold), 900)
    patient = until(WARM, latencies(seed, cold), 900)

    assert eager.verdict is Verdict.FAIL
    assert patient.verdict is Verdict.PASS


def test_errors_count_during_the_warm_up():
    rule = rules(warm_up=600.0)

    evidence = feed(rule, [Interval(0, 1, {CANDIDATE: Arm(10, 10), BASELINE: Arm(90, 0)})])

    assert judge(rule, evidence).verdict is Verdict.FAIL


def test_the_baseline_is_learned_while_the_candidate_warms_up():
    before = feed(WARM, steady(12))
    assert before["reference"]["seen"] >= 200
    assert judge(WARM, before).checks[0].candidate_requests == 0
    assert "warming up, latency counts after 1m" in judge(WARM, before).checks[0].reason

    after = feed(WARM, islice(latencies(1, lambda at: 1.0, seconds=5), 12, 13), before)
    assert judge(WARM, after).checks[0].candidate_requests > 0


def test_a_histogram_that_reaches_into_the_warm_up_is_left_out():
    """One histogram in 40 s: the second covers 40..80 s, the warm-up ends at 60."""
    rule = rules(SLOW_MAX, warm_up=60.0)
    histogram = {bucket_of(0.1): 100}
    shown = []
    evidence = enter(rule, fresh(), 0)
    for at in range(0, 160, 10):
        bears = at % 40 == 30
        arm = Arm(25, 0, histogram if bears else None)
        evidence = ingest(rule, evidence, Interval(at, at + 10, {CANDIDATE: arm}))
        shown.append(judge(rule, evidence).checks[0].candidate_requests)

    assert shown == [0] * 11 + [100] * 4 + [200]


def test_a_histogram_that_began_in_the_stage_before_is_left_out():
    stages = (Stage("a", Shift(10), "canary"), Stage("b", Shift(50), "canary"))
    rule = compile_rules(plan(SLOW_MAX, stages=stages, warm_up=0.0))
    arm = {CANDIDATE: Arm(100, 0, {bucket_of(0.1): 100})}
    first = feed(rule, [Interval(0, 10, arm)])
    assert judge(rule, first).checks[0].candidate_requests == 100

    second = feed(rule, [Interval(20, 30, arm)], enter(rule, first, 1))
    assert judge(rule, second).checks[0].candidate_requests == 0
    assert judge(rule, feed(rule, [Interval(30, 40, arm)], second)).checks[0].candidate_requests


def test_requests_that_fail_are_slow():
    judged = until(WARM, latencies(1, lambda at: 0.5, lost=0.3), 900)

    assert judged.verdict is Verdict.FAIL
    assert judged.checks[0].candidate_value is None
    assert "candidate p95 unanswered" in judged.reason


def test_a_slower_median_is_caught_by_a_check_of_the_tail():
    """The failing side averages over quantiles; the reason names the one that saw it."""

    def traffic():
        for one in latencies(2, lambda at: 1.0):
            arm = one.arms[CANDIDATE]
            moved = {}
            for bucket, count in arm.latency.items():
                to = bucket + 20 if edge(bucket) < 0.11 else bucket
                moved[to] = moved.get(to, 0) + count
            slowed = Arm(arm.requests, 0, moved)
            yield Interval(one.start, one.end, {**one.arms, CANDIDATE: slowed})

    judged = until(rules(SLOW, warm_up=60.0, min_duration=7200, max_duration=7200), traffic(), 1800)

    assert judged.verdict is Verdict.FAIL
    assert "over the whole rollout at p50: baseline" in judged.reason


def test_a_maximum_counts_each_side_carefully():
    """800 ms lies inside a bucket: what is in it is slow for a pass and not for a failure."""
    inside = bucket_of(0.8)
    rule = rules(SLOW_MAX, warm_up=0.0)
    check = rule.stages[0].checks[0]

    assert edge(inside - 1) < 0.8 < edge(inside)
    assert (check.failing.edge, check.passing.edge) == (inside, inside - 1)

    exact = rules(Check("latency", 0.99, maximum=edge(700))).stages[0].checks[0]
    assert (exact.failing.edge, exact.passing.edge) == (700, 700)


@pytest.mark.parametrize(
    ("latency", "verdict"), [(0.1, Verdict.PASS), (2.0, Verdict.FAIL), (None, Verdict.FAIL)]
)
def test_an_absolute_latency_needs_no_baseline(latency, verdict):
    rule = rules(SLOW_MAX, warm_up=10.0)
    bucket = NEVER if latency is None else bucket_of(latency)
    batches = [
        Interval(at, at + 10, {CANDIDATE: Arm(50, 0, {bucket: 50}), BASELINE: Arm()})
        for at in range(0, 300, 10)
    ]

    judged = judge(rule, feed(rule, batches))

    assert judged.verdict is verdict
    assert judged.checks[0].baseline_requests == 0


def test_shifts_of_the_edges_are_careful():
    check = WARM.stages[0].checks[0]

    assert check.failing.quantiles == (0.5, 0.9, 0.95, 0.99)
    assert check.failing.shift == 5  # 10.4 %
    assert check.passing.quantiles == (0.95,)
    assert check.passing.shift == 9  # 19.5 %


def test_slow_answers_are_bet_against_by_smaller_factors_than_errors():
    slower, failing = (grid_of(kind, failing=True) for kind in (Kind.LATENCY, Kind.ERRORS))

    assert (slower, failing) == (FAIL_SLOW, FAIL)
    assert grid_of(Kind.LATENCY, failing=False) == grid_of(Kind.ERRORS, failing=False) == PASS
