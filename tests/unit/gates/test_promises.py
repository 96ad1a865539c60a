"""The numbers a gate is chosen for, measured on seeded traffic."""

import math
from dataclasses import astuple
from itertools import islice

import pytest

from rollout.domain.verdict import Verdict
from rollout.gates import processes
from rollout.gates.judge import enter, fresh, ingest, judge
from rollout.gates.processes import Look
from rollout.gates.reduce import Pair, allowed
from rollout.stats import counts
from rollout.stats.counts import Counts
from tests.unit.gates.traffic import errors, feed, interval, rules

RULE = rules()


def failed_after(traffic, limit):
    """Candidate requests until the rollback; None: none within the limit of intervals."""
    evidence = enter(RULE, fresh(), 0)
    for one in islice(traffic, limit):
        evidence = ingest(RULE, evidence, one)
        if evidence["latch"] is not None:
            return evidence["stage"]["requests"][1]
    return None


def test_a_crash_is_rolled_back_after_a_handful_of_failures():
    one_by_one = (interval(at, (1, 1), (0, 9)) for at in range(100))

    assert 4 <= failed_after(one_by_one, 100) <= 8


def test_one_failure_alone_never_rolls_back():
    evidence = feed(RULE, [interval(0, (1, 1), (0, 10**9))])

    assert judge(RULE, evidence).verdict is Verdict.RUNNING


def test_a_crash_at_an_even_split_takes_a_few_more():
    one_by_one = (interval(at, (1, 1), (0, 1)) for at in range(100))

    assert 7 <= failed_after(one_by_one, 100) <= 20


@pytest.mark.parametrize("seed", range(10))
def test_a_fifth_of_failures_is_caught_within_tens_of_requests(seed):
    assert failed_after(errors(seed, base=0.005, bad=0.2), 600) <= 80


def passed_after(traffic, limit, rule=RULE, phi=1.0):
    """Candidate requests until the pass; None: another verdict, or none within the limit."""
    evidence = enter(rule, fresh(phi), 0)
    for one in islice(traffic, limit):
        evidence = ingest(rule, evidence, one)
        verdict = judge(rule, evidence).verdict
        if verdict is not Verdict.RUNNING:
            return evidence["stage"]["requests"][1] if verdict is Verdict.PASS else None
    return None


def clean(every):
    """A candidate without errors at a 10 % share; the baseline fails once in so many requests."""
    for at in range(1000):
        failed = 1 if every and at * 9 % every < 9 else 0
        yield interval(at, (0, 1), (failed, 9))


def test_a_clean_candidate_passes_near_the_rule_of_three():
    """ln 20 / 0.5 pp = 599 requests is what no test can beat beside a clean baseline."""
    least = math.log(20) / 0.005

    assert least <= passed_after(clean(0), 1000) <= 1.25 * least


def test_errors_in_clusters_make_a_pass_take_longer():
    alone, clustered = (passed_after(clean(0), 2000, phi=phi) for phi in (1.0, 1.25))

    assert clustered >= 1.2 * alone


def test_a_baseline_that_fails_shortens_the_way_to_a_pass():
    assert 250 <= passed_after(clean(200), 1000) <= 500


def test_a_pass_bets_on_the_baselines_past_alone():
    """The interval itself has no say in the bet on it: else the test would not be valid."""
    side = RULE.stages[0].checks[0].passing
    assert side is not None
    ratio, points = allowed(side)
    process, past = processes.empty(side), Counts(0, 0)
    for failed in (0, 3, 1, 0, 9):
        pair = Pair(candidate=Counts(0, 50), baseline=Counts(failed, 450))
        bet = counts.alike(past, ratio=ratio, points=points)
        (step,) = counts.steps(bet, *astuple(pair), ratio=ratio, points=points)

        after = processes.fed(side, process, Look((pair,)))

        assert -2e-6 <= after["log_l"][-1] - process["log_l"][-1] - step <= 1e-12, "cut down only"
        process, past = after, Counts(past.events + failed, past.requests + 450)
        assert process["past"] == list(past)


@pytest.mark.parametrize("seed", range(10))
def test_healthy_candidates_pass(seed):
    assert passed_after(errors(seed, base=0.005, bad=0.005, seconds=5), 720) is not None


def test_healthy_candidates_are_rolled_back_less_often_than_alpha_allows():
    """300 rollouts, 10 minutes at 50 rps, looked at each second; alpha is 1 %."""
    trials = 300
    failed = sum(
        failed_after(errors(seed, base=0.005, bad=0.005), 600) is not None for seed in range(trials)
    )

    assert failed <= 0.03 * trials


def test_candidates_at_the_margin_seldom_pass():
    """Beta is 5 % for each stage; 100 stages of up to 10 minutes, 500 rps."""
    rule = rules(min_duration=0)
    stages = (errors(seed, base=0.005, bad=0.01, rps=500, seconds=10) for seed in range(100))

    passed = sum(passed_after(traffic, 60, rule) is not None for traffic in stages)

    assert passed <= 10
