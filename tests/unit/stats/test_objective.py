"""The one-arm test against an absolute objective."""

import math

import pytest
from hypothesis import given, settings, strategies as st

from rollout.stats import grid as grids, objective
from rollout.stats.counts import Counts
from rollout.stats.grid import FAIL, PASS

HUGE = 10**12
QUICK = settings(max_examples=100)
objectives = st.sampled_from([0.0, 1e-6, 0.01, 0.05, 0.5, 0.99, 1.0])


def evidence(grid, x, n, allowed):
    return grids.log_e(grid, objective.update(grids.start(grid), grid, Counts(x, n), allowed))


@QUICK
@given(st.integers(1, 10**6), st.data(), objectives)
def test_more_errors_never_argue_for_the_candidate(n, data, allowed):
    x = data.draw(st.integers(0, n))
    worse = data.draw(st.integers(x, n))

    for grid, sign in ((FAIL, 1), (PASS, -1)):
        before, after = evidence(grid, x, n, allowed), evidence(grid, worse, n, allowed)
        assert sign * (after - before) >= -1e-9 * (1 + abs(before))


@QUICK
@given(st.floats(1e-6, 1 - 1e-6), st.sampled_from([FAIL, PASS]))
def test_the_expectation_at_the_objective_is_one(allowed, grid):
    hit = objective.steps(grid, Counts(1, 1), allowed)
    miss = objective.steps(grid, Counts(0, 1), allowed)

    assert hit is not None
    assert miss is not None
    for a, b in zip(hit, miss, strict=True):
        assert allowed * math.exp(a) + (1 - allowed) * math.exp(b) == pytest.approx(1.0)


@pytest.mark.parametrize("grid", [FAIL, PASS])
@pytest.mark.parametrize(("x", "n"), [(0, 1), (1, 1), (0, HUGE), (HUGE, HUGE), (1, HUGE)])
@pytest.mark.parametrize("allowed", [0.0, 0.01, 1.0])
def test_counts_from_one_to_a_trillion_stay_finite(grid, x, n, allowed):
    assert math.isfinite(evidence(grid, x, n, allowed))


def test_no_request_says_nothing():
    assert objective.steps(FAIL, Counts(0, 0), 0.01) is None


@pytest.mark.parametrize(
    ("grid", "bound", "rate", "least", "most"),
    [(PASS, 20, 0.005, 1200, 3600), (FAIL, 100, 0.02, 750, 2200), (FAIL, 100, 0.05, 100, 300)],
)
def test_an_objective_of_one_percent_is_decided_after_the_published_counts(
    grid, bound, rate, least, most
):
    """gates.md 3.7: 0.5 % passes at 2400 requests, 2 % fails at 1500, 5 % at 200."""
    needed = next(
        n
        for n in range(20, 10_000, 20)
        if evidence(grid, round(rate * n), n, 0.01) > math.log(bound)
    )

    assert least <= needed <= most
