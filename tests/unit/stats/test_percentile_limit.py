"""A limit on latency, tested on a few published percentiles a minute."""

import math
import random

import pytest
from hypothesis import given, settings, strategies as st

from rollout.stats import grid as grids, objective, percentile_limit
from rollout.stats.counts import Counts
from rollout.stats.grid import FAIL, PASS
from rollout.stats.percentile_limit import Limit, State, at_least
from rollout.stats.percentiles import Minute

SHARES = (0.5, 0.9, 0.95, 0.99)
QUICK = settings(max_examples=60)
times = st.lists(st.integers(1, 1000), min_size=1, max_size=120)


def interpolated(values, share):
    place = (len(values) - 1) * share
    low, high = values[math.floor(place)], values[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def nearest_rank(values, share):
    return values[max(0, math.ceil(share * len(values) - 1e-9) - 1)]


@QUICK
@given(times, st.integers(1, 1000), st.sampled_from([interpolated, nearest_rank]))
def test_ranks_bound_the_true_count_under_each_definition_of_a_percentile(
    values, limit, percentile
):
    values = sorted(values)
    minute = Minute({at: percentile(values, at) for at in SHARES}, len(values))
    slow = sum(value > limit for value in values)

    least = percentile_limit.rank_counts(Limit(FAIL, 0.9, limit), minute)
    most = percentile_limit.rank_counts(Limit(PASS, 0.9, limit), minute)

    assert least.events <= slow <= most.events


@QUICK
@given(times, st.sampled_from(SHARES), st.sampled_from([interpolated, nearest_rank]))
def test_a_percentile_beyond_the_limit_needs_as_many_slow_requests_as_the_coin_says(
    values, share, percentile
):
    """What the chances are the chances of: at least so many beyond, at most so many."""
    values, number = sorted(values), len(values)
    tail = round((1 - share) * 1e6) * number
    for limit in {*values, values[0] - 1}:
        slow = sum(value > limit for value in values)
        if percentile(values, share) > limit:
            assert slow >= tail // 10**6
        else:
            assert slow <= -(-tail // 10**6)


@pytest.mark.parametrize(("number", "share"), [(40, 0.95), (300, 0.99), (305, 0.99), (1000, 0.5)])
@pytest.mark.parametrize("grid", [FAIL, PASS], ids=["fail", "pass"])
def test_a_toss_keeps_the_expectation_at_most_one(grid, number, share):
    """At the null's edge, with the likeliest event that the published value allows."""
    limit = Limit(grid, share, 1.0)
    tail = round((1 - share) * 1e6) * number
    if grid is FAIL:
        above = at_least(tail // 10**6, number, 1 - share)
    else:
        above = at_least(-(-tail // 10**6) + 1, number, 1 - share)
    factors = {}
    for slow in (True, False):
        minute = Minute({share: 2.0 if slow else 0.5}, number)
        state = percentile_limit.update(limit, percentile_limit.start(limit), minute)
        factors[slow] = state.sign

    for on, off in zip(factors[True], factors[False], strict=True):
        assert above * math.exp(on) + (1 - above) * math.exp(off) <= 1 + 1e-12


@QUICK
@given(st.integers(1, 400), st.floats(0.01, 0.99), st.data())
def test_the_binomial_tail_is_the_sum_of_its_terms(number, chance, data):
    least = data.draw(st.integers(math.floor(number * chance), number))
    terms = [
        math.comb(number, k) * chance**k * (1 - chance) ** (number - k)
        for k in range(least, number + 1)
    ]

    assert at_least(least, number, chance) == pytest.approx(min(1.0, math.fsum(terms)), rel=1e-9)


def test_the_tail_of_a_million_is_near_one_half():
    assert at_least(10_000, 10**6, 0.01) == pytest.approx(0.5, abs=0.01)
    assert at_least(11, 10, 0.5) == 0.0


@pytest.mark.parametrize("grid", [FAIL, PASS], ids=["fail", "pass"])
@pytest.mark.parametrize(
    "minute",
    [Minute({}, 300), Minute({0.99: 2.0}), Minute({0.99: 2.0}, 0), Minute({0.99: math.nan}, 300)],
    ids=["no-values", "no-count", "nobody", "no-duration"],
)
def test_what_is_missing_says_nothing(grid, minute):
    limit = Limit(grid, 0.99, 0.8)
    state = percentile_limit.start(limit)

    after = percentile_limit.update(limit, state, minute)

    assert percentile_limit.log_e(limit, after) <= 1e-12


def test_the_slowest_of_a_few_requests_is_no_toss():
    limit = Limit(FAIL, 0.99, 0.8)
    state = percentile_limit.start(limit)

    after = percentile_limit.update(limit, state, Minute({0.5: 0.1, 0.99: 5.0}, 150))

    assert after.sign == state.sign


def test_ranks_are_those_of_the_one_arm_test():
    limit = Limit(FAIL, 0.99, 0.8)

    after = percentile_limit.update(limit, percentile_limit.start(limit), Minute({0.9: 0.9}, 300))

    expected = objective.update(grids.start(FAIL), FAIL, Counts(30, 300), 0.01)
    assert after.rank == pytest.approx(expected)


def minutes_until(limit, bound, seed, median, requests=300, minutes=120):
    """The minute in which the evidence reaches the bound; None: never. Lognormal, sigma 0.5."""
    rng, state = random.Random(seed), percentile_limit.start(limit)  # noqa: S311
    for at in range(1, minutes + 1):
        number = round(requests * rng.uniform(0.8, 1.2))
        values = sorted(median * rng.lognormvariate(0.0, 0.5) for _ in range(number))
        minute = Minute({share: nearest_rank(values, share) for share in SHARES}, number)
        state = percentile_limit.update(limit, state, minute)
        if percentile_limit.log_e(limit, state) >= math.log(bound):
            return at
    return None


@pytest.mark.parametrize(
    ("grid", "bound", "median", "within"),
    [(PASS, 20, 0.15, 25), (FAIL, 100, 0.35, 25), (FAIL, 100, 1.0, 2)],
    ids=["pass", "slower", "much-slower"],
)
def test_clear_cases_are_told_within_minutes(grid, bound, median, within):
    """p99 is 3.2 medians; the limit is 800 ms."""
    found = [minutes_until(Limit(grid, 0.99, 0.8), bound, seed, median) for seed in range(10)]

    assert all(each is not None and each <= within for each in found)


@pytest.mark.parametrize("grid", [FAIL, PASS], ids=["fail", "pass"])
@pytest.mark.parametrize("share", [0.95, 0.99])
def test_at_the_limit_hardly_anything_is_shown(grid, share):
    """Evidence of 20 in at most 5 % of the runs."""
    limit = Limit(grid, share, math.exp(0.5 * {0.95: 1.6449, 0.99: 2.3263}[share]))

    found = [minutes_until(limit, 20, seed, 1.0, minutes=40) for seed in range(60)]

    assert sum(each is not None for each in found) <= 5


def test_a_state_goes_through_json():
    limit = Limit(PASS, 0.95, 0.8)
    after = percentile_limit.update(limit, percentile_limit.start(limit), Minute({0.5: 0.1}, 300))

    again = State(list(after.rank), list(after.sign))

    assert percentile_limit.log_e(limit, again) == percentile_limit.log_e(limit, after)
