"""Confidence sequences cover, tighten, and say when they know nothing."""

import math

import pytest
from hypothesis import given, settings, strategies as st

from rollout.stats import grid as grids, ratio
from rollout.stats.counts import Counts

HUGE = 10**12


def after(*batches):
    log_l = ratio.start()
    for x, n, base_x, base_n in batches:
        found = ratio.steps(Counts(x, n), Counts(base_x, base_n))
        log_l = log_l if found is None else grids.add(log_l, found)
    return ratio.bounds(log_l)


def test_nothing_is_known_without_events():
    assert after() == (0.0, math.inf)
    assert after((0, 10, 0, 90), (1, 0, 1, 10)) == (0.0, math.inf)


def test_an_arm_without_events_leaves_one_side_open():
    low, high = after((20, 100, 0, 900))
    assert low > 5
    assert high == math.inf

    low, high = after((0, 1000, 200, 9000))
    assert low == 0.0
    assert high < 1


def test_the_bounds_hold_the_estimate_and_tighten():
    wide = after((4, 100, 9, 900))
    narrow = after(*[(4, 100, 9, 900)] * 50)

    assert wide[0] < narrow[0] < 4.0 < narrow[1] < wide[1]
    assert narrow[1] / narrow[0] < 2


def test_a_bound_errs_outwards_by_less_than_a_point_of_the_grid():
    """Against the same mixture's bounds found without a grid, by bisection."""
    x, n, base_x, base_n = 60, 1000, 300, 9000
    theta = n / (n + base_n)
    log_l = ratio.start()
    log_l = grids.add(log_l, ratio.steps(Counts(x, n), Counts(base_x, base_n)) or ())

    def likelihood(value):
        return x * math.log(value) - (x + base_x) * math.log1p(theta * (value - 1))

    least = grids.log_e(ratio._GRID, log_l) + math.log(0.05)
    low, high = ratio.bounds(log_l)

    for bound, outwards in ((low, -1), (high, 1)):
        assert likelihood(bound) <= least
        assert likelihood(bound * 2 ** (-outwards / 6)) >= least


@settings(max_examples=100)
@given(st.integers(0, HUGE), st.integers(1, HUGE), st.integers(0, HUGE), st.integers(1, HUGE))
def test_bounds_are_ordered_and_finite_or_open_at_any_count(x, n, base_x, base_n):
    low, high = after((x, n, base_x, base_n))

    assert 0.0 <= low < high


@settings(max_examples=100)
@given(st.integers(0, HUGE), st.integers(1, HUGE))
def test_a_rate_lies_within_its_bounds(x, n):
    low, high = ratio.rate_bounds(Counts(x, n))
    rate = min(x, n) / n

    assert 0.0 <= low <= rate <= high <= 1.0


def test_a_rates_bounds_are_the_mixtures():
    """No event among n: (n + 1) (1 - p)**n = 1 / 20 has a closed form."""
    n = 500

    low, high = ratio.rate_bounds(Counts(0, n))

    assert low == 0.0
    assert high == pytest.approx(1 - (0.05 / (n + 1)) ** (1 / n), rel=1e-6)
    assert ratio.rate_bounds(Counts(0, 0)) == (0.0, 1.0)
