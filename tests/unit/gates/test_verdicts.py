"""What a gate says, and what it never says."""

from dataclasses import replace
from itertools import islice

import pytest

from rollout.domain.criteria import Check, OnInconclusive, Risk
from rollout.domain.units import Allowance
from rollout.domain.verdict import Verdict
from rollout.gates.judge import enter, fresh, ingest, judge
from tests.unit.gates.traffic import (
    ERRORS,
    ERRORS_MAX,
    SLOW,
    SLOW_MAX,
    errors,
    feed,
    interval,
    latencies,
    rules,
)


def clean(seconds, candidate=5, baseline=45):
    return [interval(at, (0, candidate), (0, baseline)) for at in range(seconds)]


def test_nothing_is_judged_before_a_stage_observes():
    with pytest.raises(ValueError, match="enter"):
        judge(rules(), fresh())
    with pytest.raises(ValueError, match="enter"):
        ingest(rules(), fresh(), interval(0, (0, 1), (0, 9)))


def test_a_stage_without_an_interval_is_running():
    rule = rules(ERRORS, SLOW, ERRORS_MAX, SLOW_MAX)

    judged = judge(rule, enter(rule, fresh(), 0))

    assert judged.verdict is Verdict.RUNNING
    assert judged.gate == "canary"
    assert judged.bound == pytest.approx(100.0)
    assert judged.evidence == pytest.approx(1.0)
    assert judged.observed_seconds == 0.0
    assert [check.verdict for check in judged.checks] == [Verdict.RUNNING] * 4


@pytest.mark.parametrize("checks", [(ERRORS,), (SLOW,), (ERRORS_MAX,), (SLOW_MAX,)])
def test_zero_traffic_is_neither_pass_nor_failure(checks):
    rule = rules(*checks, max_duration=60, min_requests=0, min_duration=0)

    for seconds, verdict in ((59, Verdict.RUNNING), (60, Verdict.INCONCLUSIVE)):
        judged = judge(rule, feed(rule, clean(seconds, 0, 0)))
        assert judged.verdict is verdict

    assert judged.cause == "no_data"
    assert "no data" in judged.reason


def test_a_candidate_without_a_baseline_is_not_compared():
    rule = rules(ERRORS, max_duration=60)

    judged = judge(rule, feed(rule, [interval(at, (9, 10), (0, 0)) for at in range(60)]))

    assert (judged.verdict, judged.cause) == (Verdict.INCONCLUSIVE, "no_data")
    assert "no baseline requests" in judged.reason


def test_a_gate_without_checks_never_passes():
    rule = rules()
    empty = replace(rule.stages[0], checks=(), failing={})
    rule = replace(rule, stages=(empty,), planned={})

    early, judged = judge(rule, feed(rule, clean(60))), judge(rule, feed(rule, clean(3600)))

    assert early.verdict is Verdict.RUNNING
    assert (judged.verdict, judged.cause) == (Verdict.INCONCLUSIVE, "no_data")
    assert judged.evidence == 0.0


def test_a_healthy_candidate_passes_with_the_counts_in_the_reason():
    rule = rules()

    judged = judge(rule, feed(rule, clean(300)))

    assert judged.verdict is Verdict.PASS
    assert judged.checks[0].verdict is Verdict.PASS
    assert judged.checks[0].toward_pass == 1.0
    assert judged.reason == (
        "Every check passes after 5m and 1,500 candidate requests; the closest was error_rate: "
        "baseline 0 of 13,500 (0 %), candidate 0 of 1,500 (0 %): within the margin of 0.5pp."
    )


def test_a_pass_waits_for_the_minima():
    ready = clean(200)
    slow, few = rules(min_duration=201), rules(min_requests=1001)

    waiting, lacking = judge(slow, feed(slow, ready)), judge(few, feed(few, ready))

    assert waiting.verdict is lacking.verdict is Verdict.RUNNING
    assert waiting.checks[0].verdict is lacking.checks[0].verdict is Verdict.PASS
    assert waiting.reason == "Every check would pass; 3m20s of at least 3m21s observed so far."
    assert lacking.reason == (
        "Every check would pass; 1,000 of at least 1,001 candidate requests so far."
    )
    assert waiting.remaining_seconds == pytest.approx(1.0)
    assert lacking.remaining_seconds == pytest.approx(0.2)


def test_minima_that_outlast_the_gate_end_it_for_want_of_traffic():
    rule = rules(min_requests=10_000, max_duration=300)

    judged = judge(rule, feed(rule, clean(300)))

    assert (judged.verdict, judged.cause) == (Verdict.INCONCLUSIVE, "not_enough_traffic")


def test_every_check_must_pass():
    rule = rules(ERRORS, Check("error_rate", maximum=0.0001))

    judged = judge(rule, feed(rule, clean(300)))

    assert judged.verdict is Verdict.RUNNING
    assert [check.verdict for check in judged.checks] == [Verdict.PASS, Verdict.RUNNING]


def test_a_failure_never_waits_and_says_why():
    rule = rules()

    evidence = feed(
        rule, [interval(0, (13, 3351), (13, 33_510)), interval(1, (15, 376), (0, 3351))]
    )
    judged = judge(rule, evidence)

    assert judged.verdict is Verdict.FAIL
    assert judged.evidence >= judged.bound
    assert judged.checks[0].verdict is Verdict.FAIL
    assert judged.checks[0].toward_rollback == 1.0
    assert judged.reason.startswith("error_rate failed (E = ")
    assert "baseline 13 of 36,861 (0.0353 %), candidate 28 of 3,727 (0.751 %)" in judged.reason
    assert judged.reason.endswith("beyond the tolerance of 0.1pp.")


def test_a_failure_stays_one():
    rule = rules()
    failed = feed(rule, [interval(0, (10, 10), (0, 90))])

    healed = feed(rule, [interval(1 + at, (0, 50), (5, 450)) for at in range(500)], failed)

    assert judge(rule, healed).verdict is Verdict.FAIL
    assert judge(rule, healed).evidence >= 100
    assert judge(rule, healed, source_errors=9).verdict is Verdict.FAIL


def test_failing_outranks_passing_in_the_same_batch():
    rule = rules(Check("error_rate", tolerance=Allowance(), margin=Allowance(points=0.2)))

    judged = judge(rule, feed(rule, [interval(0, (200, 2000), (180, 18_000), seconds=300)]))

    assert judged.checks[0].toward_pass == 1.0
    assert judged.verdict is Verdict.FAIL


@pytest.mark.parametrize(("count", "verdict"), [(3, Verdict.PASS), (4, Verdict.ERROR)])
def test_the_fourth_error_of_the_source_in_a_row_stops_the_judging(count, verdict):
    rule = rules()

    judged = judge(rule, feed(rule, clean(300)), source_errors=count)

    assert judged.verdict is verdict
    assert judged.cause == ("source" if verdict is Verdict.ERROR else "")


def test_extensions_lengthen_the_gate_and_are_named():
    rule = rules(max_duration=60, on_inconclusive=OnInconclusive(30, 2))

    before = judge(rule, feed(rule, clean(59)))
    extended = judge(rule, feed(rule, clean(119)))
    over = judge(rule, feed(rule, clean(120)))

    assert before.verdict is extended.verdict is Verdict.RUNNING
    assert over.verdict is Verdict.INCONCLUSIVE
    assert "Extended" not in before.reason
    assert "Extended: inconclusive after 2m (1m extended by 2 x 30s)" in extended.reason
    assert "No verdict after 2m (1m extended by 2 x 30s), not enough traffic" in over.reason


def test_too_little_traffic_is_told_from_a_candidate_in_between():
    rule = rules(max_duration=600, risk=Risk(1e-12, 1e-12))
    little = feed(rule, clean(600, candidate=1, baseline=9))
    between = feed(rule, islice(errors(3, base=0.005, bad=0.008, rps=1500), 600))

    assert judge(rule, little).cause == "not_enough_traffic"
    assert judge(rule, between).cause == "between_tolerance_and_margin"
    assert judge(rule, between).verdict is Verdict.INCONCLUSIVE


def test_a_latency_in_between_is_told_too():
    """14 % slower: tolerated are 10 %, the margin is 20 %, and no error is allowed to be made."""
    rule = rules(SLOW, max_duration=600, risk=Risk(1e-15, 1e-15), warm_up=10)
    traffic = list(islice(latencies(3, lambda at: 1.14, rps=200, share=0.5, seconds=20), 30))

    judged = judge(rule, feed(rule, traffic))

    assert (judged.verdict, judged.cause) == (Verdict.INCONCLUSIVE, "between_tolerance_and_margin")


def test_the_remaining_time_shrinks_to_nothing():
    rule = rules()
    waits = [
        judge(rule, feed(rule, clean(seconds))).remaining_seconds for seconds in (60, 100, 125)
    ]

    assert all(wait is not None for wait in waits)
    assert waits == sorted(waits, reverse=True)
    assert waits[2] == pytest.approx(0, abs=20)
    assert judge(rule, feed(rule, clean(60, 0, 10))).remaining_seconds is None


def test_an_absolute_check_looks_at_the_candidate_only():
    rule = rules(ERRORS_MAX)

    judged = judge(rule, feed(rule, [interval(at, (1, 10), (90, 90)) for at in range(60)]))

    check = judged.checks[0]
    assert judged.verdict is Verdict.FAIL
    assert (check.baseline_events, check.baseline_requests) == (0, 0)
    assert check.baseline_value is None
    assert check.candidate_value == pytest.approx(0.1)
    assert check.ratio == pytest.approx(5.0)
    assert check.ratio_low < 5.0 < check.ratio_high
    assert "beyond the maximum of 2 %" in check.reason


def test_a_check_without_a_failing_side_only_keeps_from_passing():
    rule = rules(Check("error_rate", margin=Allowance(points=0.005)), max_duration=60)

    judged = judge(rule, feed(rule, [interval(at, (9, 10), (0, 90)) for at in range(60)]))

    assert (judged.verdict, judged.evidence) == (Verdict.INCONCLUSIVE, 0.0)
    assert judged.checks[0].candidate_events == 540
    assert judged.checks[0].toward_rollback == 0.0


def test_an_open_ratio_is_none_not_infinite():
    rule = rules()

    quiet = judge(rule, feed(rule, clean(10))).checks[0]
    worse = judge(rule, feed(rule, [interval(0, (9, 3000), (0, 3000))])).checks[0]

    assert (quiet.ratio, quiet.ratio_low, quiet.ratio_high) == (None, 0.0, None)
    assert worse.ratio is None
    assert worse.ratio_low > 1
    assert worse.ratio_high is None
    assert "ratio at least" in worse.reason


def test_interval_after_interval_the_shown_counts_are_the_stages():
    rule = rules()
    batches = list(islice(errors(5, base=0.005, bad=0.005), 60))

    check = judge(rule, feed(rule, batches)).checks[0]

    arms = [batch.arms["candidate"] for batch in batches]
    assert check.candidate_requests == sum(arm.requests for arm in arms)
    assert check.candidate_events == sum(arm.errors for arm in arms)
