"""Gates on latency that is only published by the minute: what decides, and what is no data."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice

import pytest

from rollout.domain.codec import decode, encode
from rollout.domain.criteria import Check
from rollout.domain.measure import Arm, Interval, Published
from rollout.domain.plan import Shift, Stage
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.units import Allowance
from rollout.domain.verdict import Verdict
from rollout.gates.judge import enter, fresh, ingest, judge
from rollout.gates.rules import compile_rules
from tests.unit.gates.traffic import ERRORS, SLOW, SLOW_MAX, feed, latencies, minutes, plan, rules

HOUR = 3600.0
QUICK = {"warm_up": 0.0, "min_duration": 0.0}
FOUR = {0.5: 0.08, 0.9: 0.15, 0.95: 0.2, 0.99: 0.3}


def until(rule, traffic, evidence=None):
    """The judgement at the first verdict."""
    evidence = enter(rule, fresh(), 0) if evidence is None else evidence
    for one in traffic:
        evidence = ingest(rule, evidence, one)
        judged = judge(rule, evidence)
        if judged.verdict is not Verdict.RUNNING:
            return judged
    raise AssertionError("the traffic ended")


def arm(start, requests=300, errors=0, factor=1.0, values=None):
    values = FOUR if values is None else values
    timed = {share: value * factor for share, value in values.items()}
    return Arm(requests or 0, errors, published=(Published(start, timed, requests, errors),))


def minute(start, candidate=None, baseline=None):
    found = {CANDIDATE: candidate, BASELINE: baseline}
    return Interval(start, start + 60.0, {role: one for role, one in found.items() if one})


def merged(intervals):
    whole, *rest = intervals
    for each in rest:
        whole = whole.plus(each)
    return whole


@pytest.mark.parametrize(
    ("factor", "verdict", "within"),
    [
        (1.0, Verdict.PASS, 10),
        (1.1, Verdict.PASS, 20),
        (1.2, Verdict.FAIL, 20),
        (1.5, Verdict.FAIL, 5),
        (3.0, Verdict.FAIL, 3),
    ],
)
def test_the_percentiles_of_a_minute_decide_on_a_slower_candidate(factor, verdict, within):
    rule = rules(SLOW, warm_up=60.0, max_duration=HOUR)

    judged = until(rule, minutes(1, lambda _: factor))

    assert judged.verdict is verdict
    assert judged.observed_seconds <= within * 60


@pytest.mark.parametrize(
    ("median", "verdict", "within"),
    [
        (0.1, Verdict.PASS, 25),
        (0.25, Verdict.INCONCLUSIVE, 60),
        (0.35, Verdict.FAIL, 25),
        (1.0, Verdict.FAIL, 3),
    ],
)
def test_a_limit_is_tested_by_the_minute(median, verdict, within):
    """The lognormal's p99 is 3.2 times its median; the limit is 800 ms."""
    rule = rules(SLOW_MAX, warm_up=60.0, max_duration=HOUR)

    judged = until(rule, minutes(2, median=median, drift=0.0))

    assert judged.verdict is verdict
    assert judged.observed_seconds <= within * 60


def test_a_healthy_candidate_is_hardly_ever_rolled_back():
    """At the very limit, and as slow as the tolerance allows; 1 % are allowed."""
    at_limit = Check("latency", 0.99, maximum=0.25 * 3.2003)
    rule = rules(SLOW, at_limit, warm_up=0.0, max_duration=HOUR / 2)

    found = [until(rule, minutes(seed, lambda _: 1.1, median=0.25 / 1.1)) for seed in range(60)]

    assert sum(each.verdict is Verdict.FAIL for each in found) <= 1


def test_a_limit_needs_no_baseline():
    rule = rules(SLOW_MAX, **QUICK)
    traffic = (minute(at * 60.0, candidate=arm(at * 60.0, factor=4.0)) for at in range(60))

    assert until(rule, traffic).verdict is Verdict.FAIL


def test_the_words_are_about_minutes():
    rule = rules(SLOW, SLOW_MAX, **QUICK)
    traffic = [minute(at * 60.0, arm(at * 60.0, factor=2.0), arm(at * 60.0)) for at in range(3)]

    judged = judge(rule, feed(rule, traffic))

    assert judged.reason.startswith("latency_p95 failed (E = ")
    relative, limit = judged.checks
    assert relative.reason == (
        "baseline p95 200ms, candidate p95 400ms by the minute, slower than the baseline's + 10 % "
        "in 3 of 3 minutes: beyond the tolerance of 10 %."
    )
    assert limit.reason.startswith(
        "candidate p99 600ms by the minute, above 800ms in 0 of 3 minutes: "
    )
    assert (relative.unit, limit.unit) == ("minutes", "minutes")
    assert (relative.candidate_events, relative.candidate_requests) == (3, 3)
    assert (relative.baseline_value, relative.candidate_value) == pytest.approx((0.2, 0.4))
    assert relative.ratio is limit.ratio is None


def test_the_first_minutes_are_a_warm_up():
    rule = rules(SLOW, warm_up=60.0)

    warm = feed(rule, [minute(0.0, arm(0.0, factor=9.0), arm(0.0))])
    assert judge(rule, warm).checks[0].candidate_requests == 0
    assert "warming up" in judge(rule, warm).checks[0].reason

    # A minute without data does not lengthen it.
    after = feed(rule, [minute(60.0), minute(120.0, arm(120.0), arm(120.0))], warm)
    assert judge(rule, after).checks[0].candidate_requests == 1


def test_several_minutes_in_one_interval_are_judged_one_by_one():
    rule = rules(ERRORS, SLOW, SLOW_MAX, Check("requests"), warm_up=60.0)
    traffic = list(islice(minutes(3, errors=0.01), 6))

    apart, together = feed(rule, traffic), feed(rule, [merged(traffic)])

    assert together == apart


def test_an_outage_that_one_arms_minutes_miss_is_not_the_candidates():
    """Minute 2 has both arms broken, minute 1 only the baseline's data, which is fine."""
    rule = rules(ERRORS, **QUICK)
    fine = minute(0.0, baseline=arm(0.0, 2700))
    broken = minute(60.0, arm(60.0, 300, 300), arm(60.0, 2700, 2700))

    judged = judge(rule, feed(rule, [fine.plus(broken)]))

    assert judged.verdict is Verdict.RUNNING
    assert judged.checks[0].baseline_requests == 2700


@pytest.mark.parametrize("kind", ["none", "empty", "no values", "no requests"])
def test_missing_data_is_never_a_pass(kind):
    rule = rules(ERRORS, SLOW, SLOW_MAX, max_duration=1800.0, **QUICK)

    def traffic():
        for at in range(60):
            start = at * 60.0
            nothing = Arm(0, 0, published=(Published(start),))
            values = arm(start, requests=None)
            one = {
                "none": Interval(start, start + 60.0, {}),
                "empty": minute(start, nothing, nothing),
                "no values": minute(start, arm(start, 300, values={}), arm(start, 2700, values={})),
                "no requests": minute(start, values, values),
            }
            yield one[kind]

    judged = until(rule, traffic())

    assert judged.verdict is Verdict.INCONCLUSIVE
    assert judged.cause == "no_data"
    assert judged.observed_seconds == 1800.0


def test_data_of_one_arm_is_nothing_to_compare_and_no_wrong_split():
    """A share of 10 % is promised, and the candidate's minutes are missing: not a mismatch yet."""
    rule = rules(ERRORS, SLOW, Check("requests"), **QUICK)
    traffic = (minute(at * 60.0, baseline=arm(at * 60.0, 3000)) for at in range(9))

    judged = judge(rule, feed(rule, traffic))

    assert judged.verdict is Verdict.RUNNING
    assert judged.checks[1].candidate_requests == 0


def test_a_wrong_split_is_seen_by_the_minute():
    rule = rules(ERRORS, Check("requests"), **QUICK)
    traffic = [minute(at * 60.0, arm(at * 60.0, 900), arm(at * 60.0, 2100)) for at in range(3)]

    judged = judge(rule, feed(rule, traffic))

    assert (judged.verdict, judged.cause) == (Verdict.ERROR, "sample_ratio")


def test_errors_are_judged_by_the_minute():
    rule = rules(ERRORS, **QUICK)
    traffic = [minute(0.0, arm(0.0, 300, 30), arm(0.0, 2700, 3))]

    assert judge(rule, feed(rule, traffic)).verdict is Verdict.FAIL


def test_evidence_goes_through_json_bit_by_bit():
    rule = rules(ERRORS, SLOW, SLOW_MAX, warm_up=0.0)
    straight = resumed = enter(rule, fresh(), 0)

    for one in islice(minutes(4), 5):
        straight = ingest(rule, straight, one)
        again = decode(Interval, json.loads(json.dumps(encode(one))))
        resumed = json.loads(json.dumps(ingest(rule, resumed, again)))

    assert again == one
    assert resumed == json.loads(json.dumps(straight))
    assert judge(rule, resumed) == judge(rule, straight)


def test_a_minute_that_was_seen_changes_nothing():
    rule = rules(SLOW, **QUICK)
    (one,) = islice(minutes(4), 1)
    evidence = feed(rule, [one])

    assert ingest(rule, evidence, one) == evidence


def test_evidence_of_counts_goes_on_where_percentiles_take_over():
    """The plan's source was changed in a stage: both parts multiply, neither is lost."""
    rule = rules(SLOW, warm_up=0.0, max_duration=HOUR)
    counted = feed(rule, islice(latencies(5, lambda _: 1.25, seconds=5.0), 24))
    before = judge(rule, counted).evidence
    later = [
        replace(
            one,
            start=one.start + 120,
            end=one.end + 120,
            arms={
                role: replace(arm, published=(replace(arm.published[0], start=one.start + 120),))
                for role, arm in one.arms.items()
            },
        )
        for one in islice(minutes(6, lambda _: 1.4), 5)
    ]
    assert judge(rule, counted).verdict is Verdict.RUNNING

    both = feed(rule, later, counted)
    back = feed(rule, [Interval(700.0, 705.0, next(latencies(7, lambda _: 1.25)).arms)], both)

    assert judge(rule, both).evidence > before
    assert judge(rule, both).verdict is Verdict.FAIL
    assert "published" in back["tracks"]["latency tolerance 1.1x+0.0"]["start"]


def test_a_stage_begins_its_minutes_anew_and_keeps_what_speaks_against_the_candidate():
    stages = (Stage("a", Shift(10), "canary"), Stage("b", Shift(50), "canary"))
    rule = compile_rules(plan(SLOW, stages=stages, **QUICK))
    bad = [minute(at, arm(at, factor=1.3), arm(at, 2700)) for at in (0.0, 60.0)]

    first = feed(rule, bad)
    second = enter(rule, first, 1)

    assert judge(rule, second).checks[0].candidate_requests == 0
    assert judge(rule, second).evidence == pytest.approx(judge(rule, first).evidence, rel=0.5)
    assert judge(rule, second).evidence > 1.0


def test_a_negative_count_lets_time_pass_and_counts_nothing():
    rule = rules(SLOW, **QUICK)

    evidence = feed(rule, [minute(0.0, arm(0.0, -5), arm(0.0))])

    assert judge(rule, evidence).observed_seconds == 60.0
    assert judge(rule, evidence).checks[0].candidate_requests == 0


def test_answers_that_come_beside_the_minutes_are_counted_once():
    drift = Check(
        "prediction_drift",
        path="$",
        tolerance=Allowance(points=0.03),
        margin=Allowance(points=0.1),
    )
    rule = rules(drift, **QUICK)
    said = {"$": {"=a": 240, "=b": 260}}
    both = [minute(at, arm(at), arm(at)) for at in (0.0, 60.0, 120.0, 180.0)]
    whole = merged(both)
    arms = {role: replace(one, outputs=said) for role, one in whole.arms.items()}

    learned = feed(rule, [replace(whole, arms=arms)])
    later = Interval(240.0, 300.0, {role: replace(arm(240.0), outputs=said) for role in arms})

    assert judge(rule, feed(rule, [later], learned)).checks[0].candidate_requests == 500
