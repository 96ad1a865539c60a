"""Bets on bounded values: valid for any drift and centre, and quick where values scatter little."""

import json
import math
import random

import pytest
from hypothesis import assume, given, settings, strategies as st

from rollout.stats import betting, grid as grids
from rollout.stats.betting import FAIL, PASS, STEPS, UNIT, UNKNOWN, Centre

HUGE = 10**12
QUICK = settings(max_examples=60)
unit = st.floats(0, 1)
observed = st.lists(unit, min_size=1, max_size=12)
sides = st.sampled_from([FAIL, PASS])
allowances = st.sampled_from([(1.0, 0.0), (1.0, 0.05), (1.2, 0.0), (0.8, 0.1)])
centres = unit.map(lambda mean: Centre(1.0, mean))


def chance(seed):
    return random.Random(seed)  # noqa: S311


def tally(values):
    return betting.tally(values, 0.0, 1.0)


def bounds_of_bets(grid, number, base_number, centre, ratio, points):
    """The two sizes of the largest bet, written out: on a candidate's and a baseline's value."""
    middle, kappa = centre.mean(), ratio * number / base_number
    target = ratio * middle + points
    own = target if grid is FAIL else 1 - target
    other = 1 - middle if grid is FAIL else middle
    most = min(1 / max(own, 1e-3), 1 / (kappa * other))
    return most, most * kappa, target, middle


@QUICK
@given(st.integers(1, 10**4), st.integers(1, 10**4), unit, centres, allowances, sides)
def test_the_expectation_at_the_bound_is_at_most_one_whatever_the_centre(
    number, base_number, mean, centre, allowance, grid
):
    """The proof's product: a value of mean ``mu`` earns ``1 + bet (mu - m)`` on average."""
    ratio, points = allowance
    own = ratio * mean + points
    assume(own <= 1)
    sizes = bounds_of_bets(grid, number, base_number, centre, ratio, points)
    most, base_most, target, middle = sizes

    for share in grid.excess:
        log_mean = number * math.log1p(share * most * (own - target))
        log_mean += base_number * math.log1p(-share * base_most * (mean - middle))
        assert log_mean <= 1e-9 * (number + base_number)


@QUICK
@given(observed, observed, centres, allowances, sides)
def test_a_step_is_the_log_wealth_of_its_bet_and_never_more(mine, theirs, centre, allowance, grid):
    ratio, points = allowance
    most, base_most, target, middle = bounds_of_bets(
        grid, len(mine), len(theirs), centre, ratio, points
    )

    found = betting.steps(grid, tally(mine), tally(theirs), centre, ratio=ratio, points=points)

    assert found is not None
    for share, value in zip(grid.excess, found, strict=True):
        exact = math.fsum(math.log1p(share * most * (x - target)) for x in mine)
        exact += math.fsum(math.log1p(-share * base_most * (x - middle)) for x in theirs)
        assert value <= exact + 1e-6 * (1 + abs(exact))


@QUICK
@given(observed)
def test_a_tally_keeps_the_number_and_the_mean(values):
    found = tally(values)

    assert sum(found.values()) == len(values) * UNIT
    mean = sum(at * weight for at, weight in found.items()) / (STEPS * UNIT)
    assert mean == pytest.approx(math.fsum(values), abs=1e-8 * len(values))
    assert all(0 <= at <= STEPS and weight > 0 for at, weight in found.items())


def test_tallies_of_parts_add_to_that_of_the_whole():
    whole, one, other = tally([0.1, 0.7, 0.7]), tally([0.7]), tally([0.7, 0.1])

    assert whole == {at: one.get(at, 0) + other.get(at, 0) for at in {*one, *other}}


def test_values_between_two_points_are_split():
    found = betting.tally([10.0 + 2.25 / STEPS * 5.0], 10.0, 15.0)

    assert found == {2: UNIT * 3 // 4, 3: UNIT // 4}


@pytest.mark.parametrize("value", [-0.001, 1.001, math.nan, math.inf])
def test_a_value_out_of_bounds_is_refused(value):
    with pytest.raises(ValueError, match="is not within"):
        tally([0.5, value])


def test_bounds_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="is not below"):
        betting.tally([], 1.0, 1.0)


def test_an_allowance_is_scaled_to_the_range():
    """mean <= 1.1 * baseline + 4 on 20..120, at a baseline of 70: 81 is 0.61 of the range."""
    points = betting.allowance(4.0, 1.1, 20.0, 120.0)

    assert 1.1 * 0.5 + points == pytest.approx(0.61)


@QUICK
@given(observed, observed, unit)
def test_flipping_both_arms_exchanges_the_sides(mine, theirs, mean):
    turned = Centre(1.0, 1.0 - mean)

    found = betting.steps(FAIL, tally(mine), tally(theirs), Centre(1.0, mean))
    mirrored = betting.steps(
        PASS, betting.flipped(tally(mine)), betting.flipped(tally(theirs)), turned
    )

    assert found == pytest.approx(mirrored, rel=1e-6, abs=1e-9)


@QUICK
@given(observed, observed, st.data(), sides)
def test_a_larger_value_of_the_candidate_never_argues_for_it(mine, theirs, data, grid):
    place = data.draw(st.integers(0, len(mine) - 1))
    worse = [*mine]
    worse[place] = data.draw(st.floats(mine[place], 1))

    before = betting.steps(grid, tally(mine), tally(theirs), UNKNOWN)
    after = betting.steps(grid, tally(worse), tally(theirs), UNKNOWN)

    sign = 1 if grid is FAIL else -1
    for old, new in zip(before, after, strict=True):
        assert sign * (new - old) >= -1e-6


@QUICK
@given(unit, sides)
def test_the_expectation_at_an_objective_is_one(objective, grid):
    """Two values whose mean is the objective."""
    low = betting.objective_steps(grid, {0: UNIT}, objective)
    high = betting.objective_steps(grid, {STEPS: UNIT}, objective)

    for zero, one in zip(low, high, strict=True):
        mean = (1 - objective) * math.exp(zero) + objective * math.exp(one)
        assert mean == pytest.approx(1.0)


@pytest.mark.parametrize("grid", [FAIL, PASS])
@pytest.mark.parametrize("mine", [0, STEPS // 2, STEPS])
@pytest.mark.parametrize("theirs", [0, STEPS // 2, STEPS])
@pytest.mark.parametrize(("number", "base"), [(1, HUGE), (HUGE, 1), (HUGE, HUGE), (1, 1)])
@pytest.mark.parametrize("centre", [UNKNOWN, Centre(1.0, 0.0), Centre(5.0, 5.0)])
def test_counts_from_one_to_a_trillion_stay_finite(grid, mine, theirs, number, base, centre):
    candidate, baseline = {mine: number * UNIT}, {theirs: base * UNIT}

    found = betting.steps(grid, candidate, baseline, centre)
    alone = betting.objective_steps(grid, candidate, theirs / STEPS)

    assert math.isfinite(grids.log_e(grid, found))
    assert math.isfinite(grids.log_e(grid, alone))
    assert 0 < betting.learn(centre, baseline).mean() < 1


def test_an_arm_without_values_says_nothing():
    some = tally([0.5])

    for pair in ((some, {}), ({}, some), ({}, {})):
        assert betting.steps(FAIL, *pair, UNKNOWN) is None
    assert betting.objective_steps(FAIL, {}, 0.5) is None
    assert betting.learn(UNKNOWN, {}) == UNKNOWN


def test_the_centre_follows_the_baseline_and_forgets():
    centre = UNKNOWN
    for _ in range(5):
        centre = betting.learn(centre, {STEPS // 4: 1000 * UNIT})
    assert centre.mean() == pytest.approx(0.25, abs=0.001)

    for _ in range(10):
        centre = betting.learn(centre, {STEPS // 2: 1000 * UNIT})
    assert centre.mean() == pytest.approx(0.5, abs=0.01)


def scores(rng, number, mean, spread):
    """Values that scatter evenly about a mean, with a standard deviation."""
    wide = spread * math.sqrt(3)
    return [mean + wide * (2 * rng.random() - 1) for _ in range(number)]


def decided_at(grid, bound, seed, *, more, points=0.0, spread=0.1, drift=0.05, most=2000):
    """Candidate values at a share of 10 % until the bound is reached; None: never."""
    rng, centre, served = chance(seed), UNKNOWN, 0
    log_l = grids.start(grid)
    while served < most:
        base = 0.5 + rng.uniform(-drift, drift)
        mine = tally(scores(rng, 25, base + more, spread))
        theirs = tally(scores(rng, 225, base, spread))
        log_l = grids.add(log_l, betting.steps(grid, mine, theirs, centre, points=points))
        centre = betting.learn(centre, theirs)
        served += 25
        if grids.log_e(grid, log_l) >= math.log(bound):
            return served
    return None


def test_a_small_shift_of_values_that_scatter_little_is_found():
    """0.03 at a deviation of 0.1: coins of the same mean would need 25 times as many."""
    found = [decided_at(FAIL, 100, seed, more=0.03) for seed in range(5)]

    assert None not in found
    # Wald's test with all known needs 2 ln(100) (0.1 / 0.03)**2 / 0.9 = 114.
    assert sorted(found)[2] <= 450


def test_a_margin_is_shown():
    found = [decided_at(PASS, 20, seed, more=0.0, points=0.05) for seed in range(5)]

    assert None not in found
    assert sorted(found)[2] <= 300


@pytest.mark.parametrize("grid", [FAIL, PASS])
def test_a_candidate_at_the_bound_is_rarely_decided(grid):
    found = [
        decided_at(grid, 20, seed, more=0.05, points=0.05, spread=0.2, most=300)
        for seed in range(40)
    ]

    # 5 % of 40: more than 6 has a chance of 0.3 %.
    assert sum(at is not None for at in found) <= 6


def test_an_objective_is_decided_on_both_sides():
    rng = chance(8)
    values = tally(scores(rng, 200, 0.6, 0.1))

    assert grids.log_e(FAIL, betting.objective_steps(FAIL, values, 0.5)) > math.log(100)
    assert grids.log_e(PASS, betting.objective_steps(PASS, values, 0.7)) > math.log(20)


def test_evidence_resumes_bit_by_bit():
    rng, centre, log_l = chance(9), UNKNOWN, grids.start(FAIL)
    stored = json.dumps([log_l, centre])
    for _ in range(5):
        mine, theirs = tally(scores(rng, 9, 0.5, 0.1)), tally(scores(rng, 90, 0.5, 0.1))
        log_l = grids.add(log_l, betting.steps(FAIL, mine, theirs, centre))
        centre = betting.learn(centre, theirs)
        kept, known = json.loads(stored)
        kept = grids.add(kept, betting.steps(FAIL, mine, theirs, Centre(*known)))
        stored = json.dumps([kept, betting.learn(Centre(*known), theirs)])

    assert stored == json.dumps([log_l, centre])
