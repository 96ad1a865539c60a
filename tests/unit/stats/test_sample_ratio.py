"""A sample-ratio mismatch is found at any scale; a platform's rounding is none."""

import json
import math
import random

import pytest
from hypothesis import given, settings, strategies as st

from rollout.stats import sample_ratio
from rollout.stats.counts import Counts
from rollout.stats.sample_ratio import LESS, MORE, Sides

HUGE = 10**12
QUICK = settings(max_examples=100)
PLAN = {"blue": 0.9, "green": 0.1}


def after(*intervals):
    """Evidence after intervals of (plan, requests)."""
    sides = sample_ratio.start(PLAN)
    for planned, requests in intervals:
        sides = sample_ratio.update(sides, planned, requests)
    return sides


def green(share, total):
    return {"blue": total - round(share * total), "green": round(share * total)}


def test_grids_are_the_documented_ones_and_mirror_each_other():
    for grid in (MORE, LESS):
        assert len(grid.excess) == 24
        assert math.fsum(map(math.exp, grid.log_weights)) == pytest.approx(1.0)
    assert MORE.excess[0] == pytest.approx(0.005)
    assert MORE.excess[-1] == pytest.approx(100.0)
    for up, down in zip(MORE.excess, LESS.excess, strict=True):
        assert (1 + up) * (1 + down) == pytest.approx(1.0)


@pytest.mark.parametrize("total", [10**3, 10**6, 10**9, HUGE])
def test_a_split_rounded_by_a_hundredth_of_a_point_is_no_mismatch(total):
    assert sample_ratio.log_e(after((PLAN, green(0.1001, total)))) < 0


@pytest.mark.parametrize("share", [0.0, 0.05, 0.08, 0.12, 0.2, 1.0])
def test_a_wrong_share_is_found_in_both_directions(share):
    sides = after((PLAN, green(share, 20_000)))

    assert sample_ratio.log_e(sides) > math.log(100)
    more, less = sides["green"]
    assert (max(more) > max(less)) == (share > 0.1)


def test_a_mismatch_just_beyond_the_tolerance_takes_more_requests():
    assert sample_ratio.log_e(after((PLAN, green(0.112, 10**4)))) < 0
    assert sample_ratio.log_e(after((PLAN, green(0.112, 10**6)))) > math.log(100)


def test_a_plan_that_changes_is_followed():
    half = {"blue": 0.5, "green": 0.5}
    tenth, fifty = green(0.1, 10_000), green(0.5, 10_000)

    kept = after((PLAN, tenth), (half, fifty))
    late = after((PLAN, tenth), (half, tenth))

    assert sample_ratio.log_e(kept) < 0
    assert sample_ratio.log_e(late) > math.log(100)


def test_a_deployment_that_should_get_nothing_and_gets_some_is_a_mismatch():
    nothing = {"blue": 1.0, "green": 0.0}

    assert sample_ratio.log_e(after((nothing, green(0.01, 2000)))) > math.log(100)
    assert sample_ratio.log_e(after((nothing, green(0.0001, 10**6)))) < 0
    assert sample_ratio.log_e(after(({"blue": 1.0}, green(0.01, 2000)))) > math.log(100)


@pytest.mark.parametrize(
    ("planned", "allowed"),
    [
        (0.0, 0.001),
        (0.005, 0.001),
        (0.05, 0.005),
        (0.1, 0.01),
        (0.5, 0.01),
        (0.95, 0.005),
        (1, 0.001),
    ],
)
def test_the_default_tolerance_is_a_point_or_a_tenth(planned, allowed):
    assert sample_ratio.tolerance_of(planned) == pytest.approx(allowed)


@QUICK
@given(st.integers(1, 10**6), st.data(), st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]))
def test_more_requests_than_planned_never_argue_for_too_few(total, data, planned):
    few = data.draw(st.integers(0, total))
    many = data.draw(st.integers(few, total))

    one, two = (sample_ratio.steps(planned, Counts(x, total)) for x in (few, many))

    for before, after_ in zip(one.more, two.more, strict=True):
        assert after_ >= before - 1e-9 * (1 + abs(before))
    for before, after_ in zip(one.less, two.less, strict=True):
        assert after_ <= before + 1e-9 * (1 + abs(before))


@pytest.mark.parametrize("requests", [(0, 0), (1, 0), (0, 1), (HUGE, 0), (0, HUGE), (HUGE, HUGE)])
@pytest.mark.parametrize("planned", [0.0, 1e-6, 0.5, 1.0])
def test_counts_from_zero_to_a_trillion_stay_finite(requests, planned):
    plan = {"blue": 1 - planned, "green": planned}

    sides = after((plan, dict(zip(PLAN, requests, strict=True))))

    assert math.isfinite(sample_ratio.log_e(sides))


def test_an_interval_without_a_request_says_nothing():
    assert sample_ratio.steps(0.1, Counts(0, 0)) is None
    assert after((PLAN, {}), (PLAN, {"blue": 0})) == sample_ratio.start(PLAN)


@QUICK
@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=2, max_size=6))
def test_a_resumed_test_goes_on_bit_by_bit(intervals):
    fed = [(PLAN, {"blue": blue, "green": ours}) for blue, ours in intervals]
    stored = json.loads(json.dumps(after(*fed[:1])))

    resumed = {name: Sides(tuple(more), tuple(less)) for name, (more, less) in stored.items()}
    for planned, requests in fed[1:]:
        resumed = sample_ratio.update(resumed, planned, requests)

    assert resumed == after(*fed)


def test_a_share_at_the_tolerances_edge_is_blamed_no_more_often_than_allowed():
    rng, runs, blamed = random.Random(11), 200, 0  # noqa: S311
    for _ in range(runs):
        sides, reached = sample_ratio.start(PLAN), False
        for _ in range(60):
            # A normal count stands for a binomial one of 2000 requests.
            drawn = round(rng.gauss(220, math.sqrt(2000 * 0.11 * 0.89)))
            sides = sample_ratio.update(sides, PLAN, {"blue": 2000 - drawn, "green": drawn})
            reached = reached or sample_ratio.log_e(sides) >= math.log(10)
        blamed += reached

    assert blamed <= 0.1 * runs + 3 * math.sqrt(0.1 * 0.9 * runs)
