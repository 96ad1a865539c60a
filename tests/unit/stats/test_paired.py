"""Paired tests learn from the pairs in which the arms differ."""

import math
import random

import pytest
from hypothesis import given, settings, strategies as st

from rollout.stats import grid as grids, objective, paired
from rollout.stats.counts import Counts
from rollout.stats.grid import FAIL, PASS
from rollout.stats.paired import Pairs

HUGE = 10**12
QUICK = settings(max_examples=100)
allowances = st.sampled_from([0.0, 0.001, 0.05])


@st.composite
def pairs_of(draw: st.DrawFn) -> Pairs:
    total = draw(st.integers(1, 10**6))
    candidate = draw(st.integers(0, total))
    return Pairs(candidate, draw(st.integers(0, total - candidate)), total)


def evidence(grid, pairs, points=0.0):
    return grids.log_e(grid, paired.steps(grid, pairs, points=points) or grids.start(grid))


def slack(value):
    return 1e-9 * (1 + abs(value))


def test_only_discordant_pairs_count_and_weigh_like_coin_tosses():
    found = paired.steps(FAIL, Pairs(7, 2, 500))

    assert found == pytest.approx(objective.steps(FAIL, Counts(7, 9), 0.5))
    for excess, value in zip(FAIL.excess, found, strict=True):
        up = math.log((1 + excess) / (1 + excess / 2))
        assert value == pytest.approx(7 * up - 2 * math.log1p(excess / 2))


def test_pairs_that_agree_show_that_the_excess_is_within_a_margin():
    assert evidence(PASS, Pairs(0, 0, 500)) == pytest.approx(0.0, abs=1e-12)
    assert evidence(PASS, Pairs(0, 0, 500), 0.005) < math.log(20)
    assert evidence(PASS, Pairs(0, 0, 1000), 0.005) > math.log(20)


@QUICK
@given(st.floats(0, 0.47), allowances, st.sampled_from([FAIL, PASS]))
def test_the_expectation_of_one_pair_under_the_null_is_at_most_one(q, points, grid):
    """All three outcomes, at the null's edge, where it is largest."""
    p = q + points
    one, other, none = (
        paired.steps(grid, Pairs(x, y, 1), points=points) for x, y in ((1, 0), (0, 1), (0, 0))
    )

    for a, r, zero in zip(one, other, none, strict=True):
        mean = p * math.exp(a) + q * math.exp(r) + (1 - p - q) * math.exp(zero)
        assert mean <= 1 + 1e-12


@QUICK
@given(pairs_of(), allowances, st.integers(1, 10**6))
def test_more_errors_of_the_candidate_alone_never_argue_for_it(pairs, points, more):
    worse = pairs._replace(candidate=min(pairs.total, pairs.candidate + more))

    for grid, sign in ((FAIL, 1), (PASS, -1)):
        before, after = evidence(grid, pairs, points), evidence(grid, worse, points)
        assert sign * (after - before) >= -slack(before)


@QUICK
@given(pairs_of(), pairs_of(), allowances)
def test_two_intervals_say_what_one_of_both_says(one, two, points):
    both = Pairs(*map(sum, zip(one, two, strict=True)))

    for grid in (FAIL, PASS):
        parts = [paired.steps(grid, pairs, points=points) for pairs in (one, two)]
        whole = paired.steps(grid, both, points=points)
        assert grids.add(*parts) == pytest.approx(whole, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("grid", [FAIL, PASS])
@pytest.mark.parametrize("points", [0.0, 0.005])
@pytest.mark.parametrize("pairs", [(0, 0, 1), (1, 0, 1), (HUGE, 0, HUGE), (0, HUGE, HUGE)])
def test_counts_from_zero_to_a_trillion_stay_finite(grid, points, pairs):
    assert math.isfinite(evidence(grid, Pairs(*pairs), points))


def test_no_pair_says_nothing():
    assert paired.steps(FAIL, Pairs(0, 0, 0)) is None
    assert paired.slower_steps(FAIL, paired.slower([])) is None
    assert paired.counted([]) == Pairs(0, 0, 0)


def test_a_twin_cancels_the_noise_of_the_baseline():
    """Diffy: 20 % of answers are random, in the twin's as in the candidate's."""
    noisy = paired.counted([(True, False), (False, True), (True, True), (False, False)] * 100)
    worse = paired.counted([(True, False)] * 60 + [(False, True)] * 20 + [(False, False)] * 320)

    assert evidence(FAIL, noisy) < 0
    assert evidence(FAIL, worse) > math.log(100)


def test_without_a_twin_the_rate_itself_is_judged():
    found = paired.disagreement_steps(FAIL, Counts(30, 1000), 0.01)

    assert grids.log_e(FAIL, found) > math.log(100)


def test_a_slower_answer_is_one_beyond_the_tolerance_or_none_at_all():
    found = paired.slower(
        [(1.2, 1.0), (1.1, 1.0), (0.5, 1.0), (math.inf, 1.0), (1.0, math.inf)], 0.1
    )

    assert found == Counts(2, 5)
    assert grids.log_e(FAIL, paired.slower_steps(FAIL, Counts(60, 80))) > math.log(100)
    assert grids.log_e(PASS, paired.slower_steps(PASS, Counts(20, 80))) > math.log(20)


def test_a_healthy_candidate_is_blamed_no_more_often_than_allowed():
    rng, runs, blamed, passed = random.Random(5), 400, 0, 0  # noqa: S311
    for _ in range(runs):
        log_l, log_s, reached, shown = grids.start(FAIL), grids.start(PASS), False, False
        for _ in range(60):
            ours = sum(rng.random() < 0.06 for _ in range(10))
            theirs = sum(rng.random() < 0.06 for _ in range(10))
            beyond = sum(rng.random() < 0.11 for _ in range(10))
            log_l = grids.add(log_l, paired.steps(FAIL, Pairs(ours, theirs, 10)))
            log_s = grids.add(log_s, paired.steps(PASS, Pairs(beyond, theirs, 10), points=0.05))
            reached = reached or grids.log_e(FAIL, log_l) >= math.log(20)
            shown = shown or grids.log_e(PASS, log_s) >= math.log(20)
        blamed, passed = blamed + reached, passed + shown

    # Three standard deviations of a binomial count at 5 %.
    most = 0.05 * runs + 3 * math.sqrt(0.05 * 0.95 * runs)
    assert blamed <= most
    assert passed <= most
