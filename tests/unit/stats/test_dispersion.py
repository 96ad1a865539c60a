"""The dispersion index sees clusters, and nothing but clusters."""

import math
import random

import pytest
from hypothesis import given, settings, strategies as st

from rollout.stats import dispersion, grid as grids
from rollout.stats.counts import Counts
from rollout.stats.dispersion import Basis

QUICK = settings(max_examples=60)


def poisson(rng, mean):
    count, left = 0, rng.expovariate(1.0)
    while left < mean:
        count, left = count + 1, left + rng.expovariate(1.0)
    return count


def history(rng, batches=240, events=5.0, size=1, swing=0):
    """Clusters of a size, as many to a request in every batch."""
    found = []
    for at in range(batches):
        served = 700 + swing * (-1) ** at
        clusters = poisson(rng, events / size * served / 700)
        found.append(Counts(min(served, size * clusters), served))
    return found


@QUICK
@given(st.integers(1, 40), st.integers(1, 10**6), st.integers(1, 10**6))
def test_independent_events_have_an_index_of_exactly_one(events, n, m):
    """The expectation over all ways in which the events can fall into two batches."""
    share = n / (n + m)

    mean = math.fsum(
        math.comb(events, x)
        * share**x
        * (1 - share) ** (events - x)
        * dispersion.index_of([Counts(x, n), Counts(events - x, m)])
        for x in range(events + 1)
    )

    assert mean == pytest.approx(1.0, rel=1e-6)


@QUICK
@given(st.integers(1, 20), st.integers(0, 9), st.integers(0, 9), st.integers(200, 400))
def test_clusters_of_one_size_multiply_the_index_by_it(size, x, y, m):
    single = dispersion.index_of([Counts(x, 300), Counts(y, m)])
    clusters = dispersion.index_of([Counts(size * x, 300), Counts(size * y, m)])

    assert clusters == pytest.approx(single * size if x + y else 1.0)


def test_two_batches_of_equal_traffic_have_the_papers_formula():
    found = dispersion.index_of([Counts(9, 500), Counts(3, 500)])

    assert found == pytest.approx((9 - 3) ** 2 / (9 + 3))


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("swing", [0, 500])
def test_the_estimate_is_near_the_size_of_the_clusters_whatever_the_traffic(size, swing):
    rng = random.Random(size)  # noqa: S311

    found = dispersion.estimated(history(rng, size=size, swing=swing))

    assert found.basis is Basis.MEASURED
    careful = 1.25 if found.phi > 2 else 1.0
    assert size * 0.75 < found.phi / careful < size * 1.3


def test_a_rate_that_moves_for_both_arms_is_mostly_no_dispersion():
    rng = random.Random(2)  # noqa: S311
    swinging = [Counts(poisson(rng, 200 * (1.2 + math.sin(at / 8))), 90_000) for at in range(240)]

    assert dispersion.index_of(swinging) > 1.5
    assert dispersion.estimated(swinging).phi < 1.3


def test_a_short_or_quiet_history_is_taken_for_independent_and_says_so():
    rng = random.Random(3)  # noqa: S311
    clustered = history(rng, size=4)

    assert dispersion.estimated(clustered[:119]) == dispersion.Dispersion(1.0, Basis.SHORT)
    assert dispersion.estimated(clustered[:119], seconds=60.0).basis is Basis.MEASURED
    assert dispersion.estimated([Counts(0, 700)] * 240) == dispersion.Dispersion(1.0, Basis.QUIET)
    assert dispersion.estimated([]).basis is Basis.SHORT
    assert all(basis.value for basis in Basis)


def test_a_missing_batch_is_no_history_and_no_jump():
    rng = random.Random(4)  # noqa: S311
    known = history(rng, batches=240)
    gaps = [Counts(0, 0) if at % 4 == 3 else batch for at, batch in enumerate(known)]

    assert dispersion.estimated(gaps).phi == pytest.approx(1.0, abs=0.35)
    assert dispersion.estimated([Counts(5, 700), Counts(0, 0)] * 119).basis is Basis.SHORT


def test_regular_events_do_not_make_the_test_bolder_than_independent_ones():
    assert dispersion.estimated([Counts(5, 700)] * 240).phi == 1.0


@QUICK
@given(
    st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**12)), min_size=120, max_size=130)
)
def test_the_index_is_finite_and_at_least_one_at_any_count(batches):
    found = dispersion.estimated([Counts(*batch) for batch in batches])

    assert 1.0 <= found.phi < math.inf


def test_steps_are_divided_and_nothing_stays_nothing():
    assert dispersion.scaled(None, 2.0) is None
    assert dispersion.scaled((1.0, -3.0), 2.0) == (0.5, -1.5)
    assert dispersion.scaled(grids.start(grids.FAIL), 3.0) == grids.start(grids.FAIL)
