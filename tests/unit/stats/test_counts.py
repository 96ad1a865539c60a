"""The two-arm test keeps its promises at every count, share and order."""

import math

import pytest
from hypothesis import given, settings, strategies as st

from rollout.stats import counts, grid as grids
from rollout.stats.counts import Counts
from rollout.stats.grid import FAIL, FAIL_SLOW, PASS

HUGE = 10**12
QUICK = settings(max_examples=100)
requests = st.integers(1, 10**6)
allowances = st.sampled_from([(1.0, 0.0), (1.0, 0.001), (1.5, 0.0), (2.0, 0.005)])


@st.composite
def arms(draw: st.DrawFn) -> tuple[int, int, int, int]:
    served, base = draw(requests), draw(requests)
    return draw(st.integers(0, served)), served, draw(st.integers(0, base)), base


def evidence(grid, x, n, base_x, base_n, ratio=1.0, points=0.0):
    log_l = counts.update(
        grids.start(grid), grid, Counts(x, n), Counts(base_x, base_n), ratio=ratio, points=points
    )
    return grids.log_e(grid, log_l)


def slack(value):
    return 1e-9 * (1 + abs(value))


@QUICK
@given(arms(), allowances, st.integers(1, 10**6))
def test_more_candidate_errors_never_argue_for_the_candidate(arm, allowance, more):
    x, n, base_x, base_n = arm
    worse = min(n, x + more)

    for grid, sign in ((FAIL, 1), (PASS, -1)):
        before = evidence(grid, x, n, base_x, base_n, *allowance)
        after = evidence(grid, worse, n, base_x, base_n, *allowance)
        assert sign * (after - before) >= -slack(before)


@QUICK
@given(arms(), allowances, st.integers(1, 10**6))
def test_more_baseline_errors_never_argue_against_the_candidate(arm, allowance, more):
    x, n, base_x, base_n = arm
    worse = min(base_n, base_x + more)

    for grid, sign in ((FAIL, -1), (PASS, 1)):
        before = evidence(grid, x, n, base_x, base_n, *allowance)
        after = evidence(grid, x, n, worse, base_n, *allowance)
        assert sign * (after - before) >= -slack(before)


@QUICK
@given(arms(), allowances, st.sampled_from([FAIL, FAIL_SLOW, PASS, "alike"]))
def test_the_expectation_under_the_null_is_at_most_one(arm, allowance, grid):
    """The proof's bound, computed: each factor's expectation for Poisson counts at the null."""
    _, n, base_x, base_n = arm
    ratio, points = allowance
    if grid == "alike":
        grid = counts.alike(Counts(base_x, base_n), ratio=ratio, points=points)
    log_a = counts.steps(grid, Counts(1, n), Counts(0, base_n), ratio=ratio, points=points)
    log_r = counts.steps(grid, Counts(0, n), Counts(1, base_n), ratio=ratio, points=points)
    log_0 = counts.steps(grid, Counts(0, n), Counts(0, base_n), ratio=ratio, points=points)
    lam = 0.01
    mu = ratio * lam + points

    for a, r, zero in zip(log_a, log_r, log_0, strict=True):
        mean = n * mu * math.expm1(a - zero) + base_n * lam * math.expm1(r - zero) + zero
        # The three terms cancel; what is left of them is rounding.
        assert abs(mean) <= 1e-9 * (1 + n + base_n)


@pytest.mark.parametrize("grid", [FAIL, PASS])
@pytest.mark.parametrize("x", [0, 1, HUGE])
@pytest.mark.parametrize("base_x", [0, 1, HUGE])
@pytest.mark.parametrize(("n", "base_n"), [(1, HUGE), (HUGE, 1), (HUGE, HUGE), (1, 1)])
@pytest.mark.parametrize("points", [0.0, 0.005])
def test_counts_from_one_to_a_trillion_stay_finite(grid, x, base_x, n, base_n, points):
    assert math.isfinite(evidence(grid, x, n, base_x, base_n, 1.0, points))


@pytest.mark.parametrize(("n", "base_n"), [(0, 0), (0, 10), (10, 0)])
def test_an_interval_without_one_of_the_arms_says_nothing(n, base_n):
    assert counts.steps(FAIL, Counts(n, n), Counts(base_n, base_n)) is None
    assert evidence(FAIL, n, n, base_n, base_n) == pytest.approx(0.0, abs=1e-12)


def test_more_events_than_requests_count_as_all_of_them():
    assert evidence(FAIL, 9, 3, 0, 27) == evidence(FAIL, 3, 3, 0, 27)


def test_grids_and_weights_are_the_documented_ones():
    for grid, low, high in ((FAIL, 1.3, 200.0), (FAIL_SLOW, 1.15, 50.0), (PASS, 0.02, 0.9)):
        factors = [1 + excess for excess in grid.excess]
        assert len(factors) == 24
        assert factors[0] == pytest.approx(low)
        assert factors[-1] == pytest.approx(high)
        assert math.fsum(map(math.exp, grid.log_weights)) == pytest.approx(1.0)
    assert PASS.log_weights == (PASS.log_weights[0],) * 24
    likeliest = max(zip(FAIL.log_weights, FAIL.excess, strict=True))[1]
    assert 1 + likeliest == pytest.approx(3.5, rel=0.12)


@QUICK
@given(arms(), allowances)
def test_the_bet_that_arms_are_alike_is_always_one_for_a_pass(arm, allowance):
    _, _, base_x, base_n = arm
    ratio, points = allowance

    (excess,) = counts.alike(Counts(base_x, base_n), ratio=ratio, points=points).excess
    (nothing,) = counts.alike(Counts(0, 0), ratio=ratio, points=points).excess

    assert -1 < excess <= 0
    assert -1 < nothing <= 0


def test_no_failure_counts_for_more_than_the_inverse_share():
    one = counts.steps(FAIL, Counts(1, 1), Counts(0, 9))

    assert one is not None
    assert max(one) < math.log(10)


def test_the_formula_is_the_papers():
    """Against the plain form of the ratios, where that is numerically harmless."""
    x, n, base_x, base_n, ratio, points = 7, 120, 9, 900, 1.5, 0.002
    theta0 = n * ratio / (n * ratio + base_n)

    found = counts.steps(FAIL, Counts(x, n), Counts(base_x, base_n), ratio=ratio, points=points)

    assert found is not None
    for excess, value in zip(FAIL.excess, found, strict=True):
        theta = n * ratio * (1 + excess) / (n * ratio * (1 + excess) + base_n)
        r = (1 - theta) / (1 - theta0)
        plain = x * math.log(theta / theta0) + base_x * math.log(r)
        assert value == pytest.approx(plain + base_n * points / ratio * (r - 1))
