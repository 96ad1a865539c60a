"""The planner's numbers are those of the tests that will run."""

import math
import random

import pytest
from hypothesis import given, settings, strategies as st

from rollout.stats import counts, grid as grids, objective, paired, passage, power
from rollout.stats.counts import Counts
from rollout.stats.grid import FAIL, PASS
from rollout.stats.paired import Pairs
from rollout.stats.power import Traffic

ALPHA, BETA = power.bound_of(0.01), power.bound_of(0.05)
BUSY, CALM = Traffic(50, 0.1), Traffic(5, 0.5)
QUICK = settings(max_examples=25)


def poisson(rng, mean):
    count, left = 0, rng.expovariate(1.0)
    while left < mean:
        count, left = count + 1, left + rng.expovariate(1.0)
    return count


def simulated(grid, traffic, rate, base, bound, seconds, *, points=0.0, one=None, since=0.0):
    """Share of runs whose evidence, by the real tests, reaches the bound at a look."""
    rng, runs, reached = random.Random(17), 200, 0  # noqa: S311
    mean = traffic.served * traffic.interval
    base_mean = traffic.rps * traffic.interval - mean
    for _ in range(runs):
        log_l = grids.start(grid)
        for look in range(1, round(seconds / traffic.interval) + 1):
            x, other = poisson(rng, mean * rate), poisson(rng, mean * (1 - rate))
            y, base_other = poisson(rng, base_mean * base), round(base_mean * (1 - base))
            ours, theirs = Counts(x, x + other), Counts(y, y + base_other)
            if one is not None:
                log_l = objective.update(log_l, grid, ours, one)
            else:
                log_l = counts.update(log_l, grid, ours, theirs, points=points)
            if look * traffic.interval >= since and grids.log_e(grid, log_l) >= bound:
                reached += 1
                break
    return reached / runs


ROLLBACKS = [
    (BUSY, 0.02, 0.005, 120, 0.0),
    (BUSY, 0.02, 0.005, 180, 0.001),
    (BUSY, 0.10, 0.05, 100, 0.0),
    (Traffic(5, 0.5, interval=60), 0.004, 0.001, 1800, 0.0),
    (Traffic(5, 0.1), 0.05, 0.01, 400, 0.0),
    (Traffic(500, 0.1), 0.01, 0.005, 80, 0.0),
]


@pytest.mark.parametrize(("traffic", "rate", "base", "seconds", "points"), ROLLBACKS)
def test_the_probability_of_a_rollback_is_that_of_real_runs(traffic, rate, base, seconds, points):
    walk = power.two_arms(FAIL, traffic, rate, base, points=points)

    formula = power.probability(walk, ALPHA, seconds)

    found = simulated(FAIL, traffic, rate, base, ALPHA, seconds, points=points)
    assert 0.1 < found < 0.95
    assert formula == pytest.approx(found, abs=0.1)


PASSES = [
    (BUSY, 0.005, 0.005, 480, 0.005, 0.0),
    (BUSY, 0.005, 0.005, 480, 0.005, 480.0),
    (BUSY, 0.001, 0.001, 140, 0.005, 120.0),
    (CALM, 0.001, 0.001, 400, 0.005, 0.0),
    (BUSY, 0.02, 0.05, 150, 0.0, 120.0),
]


@pytest.mark.parametrize(("traffic", "rate", "base", "seconds", "margin", "since"), PASSES)
def test_the_probability_of_a_pass_is_that_of_real_runs(
    traffic, rate, base, seconds, margin, since
):
    walk = power.two_arms(PASS, traffic, rate, base, points=margin)

    formula = power.probability(walk, BETA, seconds, since)

    found = simulated(PASS, traffic, rate, base, BETA, seconds, points=margin, since=since)
    assert 0.1 < found < 0.95
    assert formula == pytest.approx(found, abs=0.1)


@pytest.mark.parametrize(
    ("grid", "rate", "bound", "seconds"), [(FAIL, 0.03, ALPHA, 150), (PASS, 0.003, BETA, 400)]
)
def test_the_probabilities_of_an_objective_are_those_of_real_runs(grid, rate, bound, seconds):
    formula = power.probability(power.one_arm(grid, BUSY, rate, 0.01), bound, seconds)

    found = simulated(grid, BUSY, rate, 0.0, bound, seconds, one=0.01)
    assert 0.1 < found < 0.95
    assert formula == pytest.approx(found, abs=0.1)


def test_the_probability_of_paired_tests_is_that_of_real_runs():
    rng, seconds, reached = random.Random(23), 200, 0  # noqa: S311
    for _ in range(250):
        log_l = grids.start(FAIL)
        for _ in range(seconds // 10):
            found = Pairs(poisson(rng, 50 * 0.03), poisson(rng, 50 * 0.01), 50)
            log_l = grids.add(log_l, paired.steps(FAIL, found))
            if grids.log_e(FAIL, log_l) >= ALPHA:
                reached += 1
                break

    formula = power.probability(power.pairs(FAIL, BUSY, 0.03, 0.01), ALPHA, seconds)

    assert 0.1 < reached / 250 < 0.95
    assert formula == pytest.approx(reached / 250, abs=0.1)


# Cases that can be worked by hand


def test_without_any_event_a_pass_is_certain_at_one_moment():
    """The rule of three: ln 20 / 0.5 points = 600 requests, and a tenth for the mixture."""
    walk = power.two_arms(PASS, BUSY, 0.0, 0.0, points=0.005)

    found = passage.curve(walk, BETA, 300)

    first = next(seconds for seconds, reached in found if reached > 0)
    assert {round(reached, 6) for _, reached in found} == {0.0, 1.0}
    assert 120 < first < 180
    assert power.seconds_needed(walk, BETA, 0.8) == pytest.approx(first, abs=10)


def test_one_look_has_the_probability_of_its_counts():
    """At a single look: as many failures or more, by Poisson's law."""
    traffic = Traffic(500, 0.1, interval=10)
    walk = power.two_arms(FAIL, traffic, 0.01, 0.0)
    needed = next(
        x
        for x in range(100)
        if grids.log_e(FAIL, counts.steps(FAIL, Counts(x, 500), Counts(0, 4500))) >= ALPHA
    )

    found = power.probability(walk, ALPHA, 10)

    less = math.fsum(math.exp(-5 + x * math.log(5) - math.lgamma(x + 1)) for x in range(needed))
    assert found == pytest.approx(1 - less, abs=1e-6)


def test_a_crash_needs_as_many_failures_as_the_test_says():
    for share, least, most in ((0.1, 3, 4), (0.5, 8, 11)):
        traffic = Traffic(50, share)
        needed = power.failures_needed(traffic, power.two_arms(FAIL, traffic, 1.0, 0.0), ALPHA)

        def evidence(failures, share=share):
            base = round(failures * (1 - share) / share)
            return grids.log_e(
                FAIL, counts.steps(FAIL, Counts(failures, failures), Counts(0, base))
            )

        assert least <= needed <= most
        assert evidence(needed) >= ALPHA > evidence(needed - 1)


def test_a_crash_is_over_at_the_next_look():
    crash = power.two_arms(FAIL, BUSY, 1.0, 0.001)
    slow = Traffic(0.5, 0.1)

    assert power.crash_seconds(BUSY, crash, ALPHA) == 10
    assert 60 <= power.crash_seconds(slow, power.two_arms(FAIL, slow, 1.0, 0.001), ALPHA) <= 300
    nothing = Traffic(50, 0.0)
    assert power.crash_seconds(nothing, power.two_arms(FAIL, nothing, 1.0, 0.1), ALPHA) == math.inf


def test_a_slower_candidate_is_above_the_edge_as_often_as_its_latency_says():
    assert power.slow_rate(0.95, 0.0, 0.0, 0.5) == pytest.approx(0.05)
    assert power.slow_rate(0.95, 0.21, 0.21, 0.5) == pytest.approx(0.05)
    assert power.slow_rate(0.5, 1.0, 0.0, 0.5) == pytest.approx(0.917, abs=0.001)


def test_weights_are_those_of_the_combined_evidence():
    assert power.first_weight(1, 1) == 1.0
    assert power.first_weight(3, 4) == pytest.approx((0.5 + 0.125) / 3)
    assert power.later_weight(3, 4) == pytest.approx(0.125 / 3)
    assert power.bound_of(0.01, 0.1) == pytest.approx(math.log(1000))


def test_minima_are_the_later_of_both():
    assert power.earliest(BUSY, 120, 100) == 120
    assert power.earliest(BUSY, 10, 100) == 20
    assert power.earliest(Traffic(0, 0.1), 120, 1) == math.inf
    assert power.earliest(Traffic(0, 0.1), 120, 0) == 120


# What must hold everywhere


@QUICK
@given(
    st.sampled_from([0.5, 5.0, 50.0, 500.0]),
    st.sampled_from([0.05, 0.1, 0.5]),
    st.sampled_from([0.0, 0.001, 0.02]),
    st.sampled_from([0.0, 0.002, 0.05, 1.0]),
    st.sampled_from([FAIL, PASS]),
)
def test_a_curve_is_a_probability_that_never_falls(rps, share, base, rate, grid):
    walk = power.two_arms(grid, Traffic(rps, share), rate, base, points=0.005)

    found = passage.curve(walk, ALPHA, 1800, since=120)

    values = [reached for _, reached in found]
    assert values == sorted(values)
    assert -1e-9 <= values[0] <= values[-1] <= 1 + 1e-6
    assert found[0][0] >= 120
    assert found[-1][0] == 1800


@pytest.mark.parametrize("rps", [0.0, 1e-3, 1e6])
@pytest.mark.parametrize("rate", [0.0, 1e-9, 0.5, 1.0])
@pytest.mark.parametrize("seconds", [1.0, 10.0, 1e6])
def test_any_traffic_has_a_finite_probability(rps, rate, seconds):
    traffic = Traffic(rps, 0.1)

    for walk in (
        power.two_arms(FAIL, traffic, rate, 0.001),
        power.two_arms(PASS, traffic, rate, 0.001, ratio=1.5, points=0.001),
        power.one_arm(FAIL, traffic, rate, 0.01),
        power.one_arm(PASS, traffic, rate, 0.01),
    ):
        assert 0.0 <= power.probability(walk, ALPHA, seconds) <= 1 + 1e-6


def test_a_healthy_candidate_is_rarely_rolled_back_and_a_bad_one_rarely_passed():
    same = power.two_arms(FAIL, BUSY, 0.005, 0.005)
    worse = power.two_arms(PASS, BUSY, 0.01, 0.005, points=0.005)

    assert power.probability(same, ALPHA, 3600) < 0.015
    assert power.probability(worse, BETA, 3600) < 0.06


def test_more_time_traffic_and_effect_find_more():
    def found(seconds=300, rps=50.0, rate=0.015, bound=ALPHA):
        return power.probability(
            power.two_arms(FAIL, Traffic(rps, 0.1), rate, 0.005), bound, seconds
        )

    middle = found()
    assert found(seconds=150) < middle < found(seconds=600)
    assert found(rps=25) < middle < found(rps=100)
    assert found(rate=0.01) < middle < found(rate=0.02)
    assert found(bound=power.bound_of(0.01, 0.1)) < middle


def test_clusters_divide_the_traffic():
    plain = power.two_arms(FAIL, Traffic(25, 0.1, 20), 0.02, 0.005)
    clustered = power.two_arms(FAIL, Traffic(50, 0.1, 10, dispersion=2), 0.02, 0.005)

    one, two = (power.seconds_needed(walk, ALPHA, 0.8) for walk in (plain, clustered))

    assert one == pytest.approx(two, rel=0.1)


def test_short_intervals_with_few_candidate_requests_find_less():
    """An interval is judged by its own split, and one without the candidate says nothing."""
    often, seldom = (
        power.two_arms(FAIL, Traffic(5, 0.05, interval), 0.5, 0.02) for interval in (1, 10)
    )

    assert power.probability(often, ALPHA, 30) < power.probability(seldom, ALPHA, 30) - 0.1


@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.95])
def test_the_seconds_needed_give_the_probability_wanted(wanted):
    rollback = power.two_arms(FAIL, BUSY, 0.01, 0.005)
    passing = power.two_arms(PASS, BUSY, 0.005, 0.005, points=0.005)

    for walk, bound in ((rollback, ALPHA), (passing, BETA)):
        seconds = power.seconds_needed(walk, bound, wanted)
        assert power.probability(walk, bound, seconds) == pytest.approx(wanted, abs=0.03)
    assert power.seconds_needed(passing, BETA, wanted, since=7200) == 7200


def test_what_cannot_be_found_takes_forever():
    assert power.seconds_needed(power.two_arms(FAIL, BUSY, 0.005, 0.005), ALPHA, 0.8) == math.inf
    assert power.seconds_needed(power.two_arms(FAIL, Traffic(0, 0.1), 1, 0), ALPHA, 0.8) == math.inf
    slow = Traffic(0.01, 0.1)
    rate = power.smallest_rate(
        lambda rate: power.two_arms(FAIL, slow, rate, 0.005), 0.005, ALPHA, 60, 0.8
    )
    assert rate == math.inf


def test_the_smallest_rate_is_found_as_often_as_wanted():
    def walk_of(rate):
        return power.two_arms(FAIL, BUSY, rate, 0.005)

    rate = power.smallest_rate(walk_of, 0.005, ALPHA, 1800, 0.8)

    assert 0.007 < rate < 0.011
    assert power.probability(walk_of(rate), ALPHA, 1800) == pytest.approx(0.8, abs=0.04)


def test_the_requests_exposed_are_those_until_the_bound_or_the_end():
    never = power.two_arms(FAIL, BUSY, 0.0, 0.005)
    crash = power.two_arms(FAIL, BUSY, 1.0, 0.005)

    assert power.exposed(passage.curve(never, ALPHA, 600), BUSY.served) == pytest.approx(
        3000, rel=0.01
    )
    assert power.exposed(passage.curve(crash, ALPHA, 600), BUSY.served) == pytest.approx(
        50, rel=0.01
    )


def test_an_alternative_that_is_the_null_itself_goes_nowhere():
    with_null = grids.half_each(PASS, grids.Grid((0.0,), (0.0,)))
    bound = BETA + math.log(2.0)  # half of the weight is lost

    found = power.probability(power.two_arms(with_null, BUSY, 0.025, 0.05), bound, 600.0)

    alone = power.probability(power.two_arms(PASS, BUSY, 0.025, 0.05), bound + math.log(2.0), 600.0)
    assert 0.0 < found < 1.0
    assert found == pytest.approx(alone, abs=0.02)
