"""Means without bounds: found when they differ, rarely when they do not, also where they are skewed."""

import json
import math
import random
from statistics import NormalDist

import pytest
from hypothesis import given, settings, strategies as st

from rollout.stats import grid as grids, means
from rollout.stats.means import FAIL, PASS, Sample, State

HUGE = 1e12
QUICK = settings(max_examples=100)
values = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20)
NONE = Sample(0, 0.0, 0.0)


def chance(seed):
    return random.Random(seed)  # noqa: S311


def sample(found):
    return Sample(len(found), math.fsum(found), math.fsum(value * value for value in found))


def after(*intervals, **allowance):
    state = means.start()
    for candidate, baseline in intervals:
        state = means.update(state, candidate, baseline, **allowance)
    return state


def pools(sigma, seed, size=2000):
    """Lognormal values of mean 1; drawing from a pool is faster than drawing values."""
    rng = chance(seed)
    drawn = [rng.lognormvariate(-sigma * sigma / 2, sigma) for _ in range(size)]
    true = math.fsum(drawn) / size
    return [value / true for value in drawn]


def decided_at(grid, bound, *, sigma, seed, more=1.0, share=0.1, most=3000, drift=0.0, **allowance):
    """Candidate requests until the evidence reaches the bound; None: never."""
    pool, rng, state, served = pools(sigma, 99), chance(seed), means.start(), 0
    while served < most:
        level = math.exp(rng.gauss(0.0, drift))
        count, base = round(200 * share), round(200 * (1 - share))
        mine = [more * level * value for value in rng.choices(pool, k=count)]
        theirs = [level * value for value in rng.choices(pool, k=base)]
        state = means.update(state, sample(mine), sample(theirs), **allowance)
        served += count
        if means.log_e(grid, state) >= math.log(bound):
            return served
    return None


def times_decided(grid, bound, runs, **traffic):
    return sum(decided_at(grid, bound, seed=at, **traffic) is not None for at in range(runs))


def test_an_interval_adds_what_is_worked_by_hand():
    """Means 2 and 1 of 2 and 6 values, variances 2 and 0.4: size 1.5, allowed 1.5 * 1 + 0.1."""
    state = after((Sample(2, 4.0, 10.0), Sample(6, 6.0, 8.0)), ratio=1.5, absolute=0.1)

    assert state[:2] == (2, 6)
    assert state.size == pytest.approx(1.5)
    assert state.excess == pytest.approx(1.5 * 0.4)
    assert state.spread == pytest.approx(1.5 * 2.0)
    assert state.base_spread == pytest.approx(1.5 * 1.5**2 * 0.4)


def test_the_evidence_is_the_mixture_of_normal_likelihood_ratios():
    state = State(100, 900, 90.0, 18.0, 40.0, 22.5, NONE, NONE)
    score, root = 18.0 / math.sqrt(40.0), math.sqrt(90.0)
    normal = NormalDist()

    for grid in (FAIL, PASS):
        ratios = [NormalDist(root * d).pdf(score) / normal.pdf(score) for d in grid.excess]
        expected = math.fsum(ratios) / len(ratios)
        assert means.log_e(grid, state) == pytest.approx(math.log(expected))


def test_the_expectation_at_the_bound_is_one():
    """For a Gaussian sum of known variance; integrated over the score."""
    size, step = 50.0, 0.01
    root, normal = math.sqrt(size), NormalDist()
    scores = [at * step for at in range(-2500, 2501)]

    for effect in FAIL.excess:
        whole = math.fsum(
            math.exp(effect * root * z - effect * effect * size / 2 - z * z / 2) for z in scores
        )
        assert whole * step * normal.pdf(0.0) == pytest.approx(1.0, abs=1e-6)


@QUICK
@given(values, values, st.floats(0, 1e6))
def test_a_larger_candidate_never_argues_for_itself(mine, theirs, more):
    intervals = (sample(mine), sample(theirs))
    worse = (sample([value + more for value in mine]), intervals[1])
    before, after_ = after(*[intervals] * 60), after(*[worse] * 60)

    # Where all values are equal the spread is what rounding leaves, which grows with them.
    if max(mine) - min(mine) > 1:
        for grid, sign in ((FAIL, 1), (PASS, -1)):
            old, new = means.log_e(grid, before), means.log_e(grid, after_)
            assert sign * (new - old) >= -1e-6 * (1 + abs(old))


def test_there_is_no_evidence_before_the_burn_in():
    pair = Sample(10, 100.0, 1001.0), Sample(90, 90.0, 91.0)

    assert means.log_e(FAIL, after(*[pair] * 4)) == 0.0
    assert means.log_e(FAIL, after(*[pair] * 5)) > math.log(100)
    assert means.bounds(after(*[pair] * 4)) == (-math.inf, math.inf)


def test_intervals_too_small_for_a_variance_are_merged():
    single, rest = Sample(1, 2.0, 4.0), Sample(9, 9.0, 10.0)

    waiting = after((single, rest))
    state = means.update(waiting, single, rest)

    assert waiting.size == 0.0
    assert state == after((Sample(2, 4.0, 8.0), Sample(18, 18.0, 20.0)))


@pytest.mark.parametrize("missing", [NONE, Sample(0, math.nan, 0.0), Sample(-1, 0.0, 0.0)])
def test_an_interval_without_one_of_the_arms_adds_nothing(missing):
    pair = Sample(20, 20.0, 25.0), Sample(20, 20.0, 25.0)

    assert after(pair, (missing, NONE)) == after(pair)
    assert after((missing, NONE)) == means.start()


def test_negative_totals_turn_the_question_round():
    """Throughput 90 against 100 is worse; as negative numbers it is larger."""
    fewer, usual = Sample(20, -1800.0, 162100.0), Sample(20, -2000.0, 200100.0)

    assert means.log_e(FAIL, after(*[(fewer, usual)] * 3)) > math.log(100)
    assert means.log_e(PASS, after(*[(fewer, usual)] * 3, absolute=20.0)) > math.log(20)


def test_equal_constants_are_no_evidence_and_unequal_ones_are():
    same, double = Sample(10, 10.0, 10.0), Sample(10, 20.0, 40.0)

    assert means.log_e(FAIL, after(*[(same, same)] * 10)) < 0
    assert means.log_e(FAIL, after(*[(double, same)] * 10)) > math.log(100)


@QUICK
@given(
    st.sampled_from([0, 1, 2, 1000, HUGE]),
    st.sampled_from([0, 1, 2, 1000, HUGE]),
    st.floats(-1e9, 1e9),
    st.floats(-1e9, 1e9),
)
def test_any_interval_leaves_the_evidence_finite(served, base, mean, base_mean):
    mine = Sample(served, served * mean, served * mean * mean)
    theirs = Sample(base, base * base_mean, base * base_mean * base_mean)

    state = after(*[(mine, theirs)] * 3)

    for grid in (FAIL, PASS):
        assert math.isfinite(means.log_e(grid, state))


def test_evidence_resumes_bit_by_bit():
    rng, state = chance(5), means.start()
    stored = state
    for _ in range(30):
        pair = (
            sample([rng.lognormvariate(0, 1) for _ in range(rng.randrange(4))]),
            sample([rng.lognormvariate(0, 1) for _ in range(9)]),
        )
        state = means.update(state, *pair)
        stored = means.update(State(*json.loads(json.dumps(stored))), *pair)

    assert json.dumps(stored) == json.dumps(state)
    assert means.bounds(stored) == means.bounds(state)


def test_the_bounds_are_the_papers():
    """Theorem 2.2 of arXiv 2103.06476 at t = 400, a mean of 0.1 and a variance of 4."""
    state = State(4000, 444, 400.0, 40.0, 1600.0, 100.0, NONE, NONE)
    log_level = -2 * math.log(0.05)
    rho = (log_level + math.log(log_level + 1)) / 1000
    grown = 400 * rho + 1
    radius = 2 * math.sqrt(2 * grown / (400**2 * rho) * math.log(math.sqrt(grown) / 0.05))

    assert means.bounds(state) == pytest.approx((0.1 - radius, 0.1 + radius))


def test_the_bounds_hold_the_difference_all_along():
    outside = 0
    for seed in range(40):
        rng, state = chance(seed), means.start()
        for _ in range(60):
            mine = [rng.gauss(3.5, 1.0) for _ in range(10)]
            theirs = [rng.gauss(3.0, 2.0) for _ in range(20)]
            state = means.update(state, sample(mine), sample(theirs))
            low, high = means.bounds(state)
            if not low <= 0.5 <= high:
                outside += 1
                break

    # 5 % of 40: more than 6 has a chance of 0.3 %.
    assert outside <= 6


def test_ten_percent_more_is_found():
    """gates.md 3.5: after 500 candidate requests at sigma 0.5."""
    found = [decided_at(FAIL, 100, sigma=0.5, more=1.1, seed=at) for at in range(8)]

    assert None not in found
    assert 200 <= sorted(found)[4] <= 1000


def test_a_margin_is_shown():
    found = [decided_at(PASS, 20, sigma=0.5, seed=at, ratio=1.1) for at in range(8)]

    assert None not in found


@pytest.mark.parametrize("sigma", [0.5, 1.5])
@pytest.mark.parametrize("share", [0.1, 0.9])
def test_equal_arms_are_rarely_failed_under_shared_drift(sigma, share):
    failed = times_decided(FAIL, 20, 40, sigma=sigma, share=share, most=1500, drift=0.3)

    # 5 % of 40: more than 6 has a chance of 0.3 %.
    assert failed <= 6


@pytest.mark.parametrize("sigma", [0.5, 1.5])
def test_a_candidate_at_the_margin_rarely_passes(sigma):
    """With each arm's own variance, sigma 1.5 passes in 11 % of the runs."""
    passed = times_decided(PASS, 20, 80, sigma=sigma, more=1.2, ratio=1.2, most=1000)

    # 5 % of 80: more than 10 has a chance of 0.4 %.
    assert passed <= 10


def test_the_grids_are_mirrors_of_weight_one():
    assert PASS.excess == tuple(-effect for effect in FAIL.excess)
    for grid in (FAIL, PASS):
        assert grids.log_e(grid, grids.start(grid)) == pytest.approx(0.0, abs=1e-12)
