"""A few published percentiles a minute decide, and bound what they decide wrongly."""

import json
import math
import random
from statistics import NormalDist, median

import pytest
from hypothesis import given, settings, strategies as st

from rollout.stats import counts, grid as grids, percentiles
from rollout.stats.counts import Counts
from rollout.stats.grid import FAIL, PASS
from rollout.stats.percentiles import Comparison, Minute, State

HUGE = 10**12
SHARES = (0.5, 0.9, 0.95, 0.99)
QUICK = settings(max_examples=60)
FAILING = Comparison(FAIL, SHARES, 1.1)
PASSING = Comparison(PASS, (0.95,), 1.2)
times = st.lists(st.integers(1, 1000), min_size=1, max_size=60)


def chance(seed):
    return random.Random(seed)  # noqa: S311


def minute(rng, requests, shift):
    """Percentiles of lognormal latencies (sigma 0.5), drawn as order statistics."""
    grown, last, masses = 0.0, 0, []
    for share in SHARES:
        rank = max(1, math.ceil(share * requests - 1e-9))
        grown += rng.gammavariate(rank - last, 1.0) if rank > last else 0.0
        last = rank
        masses.append(grown)
    whole = grown + rng.gammavariate(requests + 1 - last, 1.0)
    normal = NormalDist(shift, 0.5)
    values = [math.exp(normal.inv_cdf(mass / whole)) for mass in masses]
    return Minute(dict(zip(SHARES, values, strict=True)), requests)


def minutes_until(comparison, bound, *, seed, rps, slower, share=0.1, minutes=60):
    """The minute in which the evidence reaches the bound, under drift of both arms; None: never."""
    rng, state = chance(seed), percentiles.start(comparison)
    for at in range(1, minutes + 1):
        drift, total = rng.gauss(0.0, 0.1), rps * 60 * rng.uniform(0.8, 1.2)
        candidate = minute(rng, round(total * share), drift + math.log(slower))
        baseline = minute(rng, round(total * (1 - share)), drift)
        state = percentiles.update(comparison, state, candidate, baseline)
        if percentiles.log_e(comparison, state) >= math.log(bound):
            return at
    return None


def interpolated(values, share):
    place = (len(values) - 1) * share
    low, high = values[math.floor(place)], values[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def nearest_rank(values, share):
    return values[max(0, math.ceil(share * len(values) - 1e-9) - 1)]


@QUICK
@given(times, times, st.sampled_from([interpolated, nearest_rank]), st.sampled_from(SHARES))
def test_rank_counts_bound_the_true_ones_under_each_definition_of_a_percentile(
    mine, theirs, percentile, share
):
    # Distinct durations: ties are the proof's business, which orders them at random.
    mine = sorted(value + at / 128 for at, value in enumerate(mine))
    theirs = sorted(value + at / 128 for at, value in enumerate(theirs))
    candidate = Minute({at: percentile(mine, at) for at in SHARES}, len(mine))
    baseline = Minute({at: percentile(theirs, at) for at in SHARES}, len(theirs))
    edge = baseline.values[share]
    slow = sum(value > edge for value in mine)

    least, most_base = percentiles.rank_counts(FAIL, candidate, baseline, share, 1.0)
    most, least_base = percentiles.rank_counts(PASS, candidate, baseline, share, 1.0)

    assert least.events <= slow <= most.events
    assert sum(value >= edge for value in theirs) <= most_base.events
    # Interpolation ends below the next order statistic, which is the edge of the proof.
    assert least_base.events <= sum(value >= edge - 1e-9 for value in theirs)


@pytest.mark.parametrize(("served", "base"), [(30, 270), (100, 100), (270, 30), (7, 3)])
@pytest.mark.parametrize("share", SHARES)
def test_an_edge_from_the_same_minute_keeps_the_expectation_at_most_one(served, base, share):
    """The proof's bound, computed: equal arms, exact law of the candidate's requests above."""
    baseline, candidate = Minute({share: 1.0}, base), Minute({}, served)
    k = base - max(1, math.ceil(share * base - 1e-9)) + 1
    ways = math.comb(served + base, served)
    law = [
        math.comb(x + k - 1, x) * math.comb(served - x + base - k, served - x) / ways
        for x in range(served + 1)
    ]

    for grid in (FAIL, PASS):
        _, known = percentiles.rank_counts(grid, candidate, baseline, share, 1.0)
        factors = [counts.steps(grid, Counts(x, served), known) for x in range(served + 1)]
        for alternative in zip(*factors, strict=True):
            mean = math.fsum(
                chance * math.exp(step) for chance, step in zip(law, alternative, strict=True)
            )
            assert mean <= 1 + 1e-9


def test_rank_counts_are_the_ones_worked_by_hand():
    """p95 of 2700 is 0.2 s. The candidate's p90, 0.23 s, is slower than 0.22 s: at least 30."""
    candidate = Minute({0.5: 0.1, 0.9: 0.23, 0.95: 0.3}, 300)
    baseline = Minute({0.95: 0.2}, 2700)

    assert percentiles.rank_counts(FAIL, candidate, baseline, 0.95, 1.1) == (
        Counts(30, 300),
        Counts(136, 2700),
    )
    # Half are known to be within 1.1 times the edge, so at most half are beyond it.
    assert percentiles.rank_counts(PASS, candidate, baseline, 0.95, 1.1) == (
        Counts(150, 300),
        Counts(135, 2701),
    )


def test_rank_counts_of_a_trillion_are_exact():
    baseline = Minute({0.9: 1.0, 0.999999: 2.0}, HUGE)

    found = percentiles.rank_counts(FAIL, Minute({0.999999: 9.0}, HUGE), baseline, 0.9, 1.1)

    assert found == (Counts(HUGE // 10**6, HUGE), Counts(HUGE // 10 + 1, HUGE))


def test_ranks_need_counts_and_an_edge():
    full, uncounted = Minute({0.95: 1.0}, 10), Minute({0.95: 1.0})

    for pair in (
        (full, uncounted),
        (uncounted, full),
        (Minute({}, 0), full),
        (full, Minute({}, 9)),
    ):
        assert percentiles.rank_counts(FAIL, *pair, 0.95, 1.0) is None


@pytest.mark.parametrize("value", [None, math.nan, math.inf, 0.0, -1.0])
def test_what_is_no_duration_says_nothing(value):
    values = {} if value is None else {0.95: value}
    good = Minute({0.95: 1.0}, 1000)

    assert percentiles.log_excess(Minute(values, 1000), good, 0.95, 1.1) is None
    assert percentiles.log_excess(good, Minute(values, 1000), 0.95, 1.1) is None


def test_a_percentile_of_a_handful_of_requests_says_nothing():
    many, few = Minute({0.95: 1.0}, 40), Minute({0.95: 1.0}, 39)

    assert percentiles.log_excess(many, many, 0.95, 1.0) == 0.0
    assert percentiles.log_excess(many, few, 0.95, 1.0) is None
    assert percentiles.log_excess(few, many, 0.95, 1.0) is None


@pytest.mark.parametrize("comparison", [FAILING, PASSING])
def test_a_minute_at_the_factor_argues_for_nothing(comparison):
    baseline = Minute(dict.fromkeys(SHARES, 0.1))
    candidate = Minute(dict.fromkeys(SHARES, 0.1 * comparison.factor))

    state = percentiles.start(comparison)
    for _ in range(20):
        state = percentiles.update(comparison, state, candidate, baseline)

    assert percentiles.log_e(comparison, state) < math.log(1.3)


@pytest.mark.parametrize(
    ("comparison", "slower"), [(FAILING, 9.0), (PASSING, 0.1), (FAILING, 1.0), (PASSING, 1.0)]
)
def test_a_sign_never_more_than_doubles_the_evidence(comparison, slower):
    excess = percentiles.log_excess(
        Minute({0.95: slower}), Minute({0.95: 1.0}), 0.95, comparison.factor
    )
    state = percentiles.update(
        comparison, percentiles.start(comparison), Minute({0.95: slower}), Minute({0.95: 1.0})
    )

    assert excess is not None
    at = comparison.quantiles.index(0.95)
    assert grids.log_e(comparison.grid, state.sign[at]) <= math.log(2)


def test_a_source_without_counts_is_judged_by_signs_and_shifts():
    comparison = Comparison(FAIL, (0.95,), 1.1, counted=False)
    state = percentiles.start(comparison)

    state = percentiles.update(comparison, state, Minute({0.95: 0.3}), Minute({0.95: 0.1}))

    assert state.rank == ()
    parts = grids.log_e(FAIL, state.sign[0]), percentiles.shift_log_e(state.shift[0])
    assert percentiles.log_e(comparison, state) == pytest.approx(
        math.log(sum(map(math.exp, parts)) / 2)
    )


def test_the_shift_is_the_likelihood_ratio_worked_by_hand():
    """Values 1 and 3: under the null the best is mean 0 and variance 5."""
    values = (1.0, 3.0)

    def normal(value, mean, deviation):
        return NormalDist(mean, deviation).pdf(value)

    top = [
        math.prod(normal(value, mean, scale) for value in values)
        for mean in percentiles._MEANS
        for scale in percentiles._SCALES
    ]
    below = math.prod(normal(value, 0.0, math.sqrt(5.0)) for value in values)

    found = percentiles.shift_log_e((2.0, 4.0, 10.0))

    assert found == pytest.approx(math.log(math.fsum(top) / len(top) / below))


@QUICK
@given(st.lists(st.floats(-3, 0), min_size=1, max_size=30))
def test_a_mean_within_the_null_is_never_evidence(values):
    sums = (0.0, 0.0, 0.0)
    for value in values:
        sums = percentiles.shift_update(sums, value)

    assert percentiles.shift_log_e(sums) <= 0.0


@QUICK
@given(
    st.sampled_from([0, 1, 39, 1000, HUGE]),
    st.sampled_from([0, 1, 39, 1000, HUGE]),
    st.floats(1e-9, 1e9),
    st.floats(1e-9, 1e9),
    st.sampled_from([FAILING, PASSING]),
)
def test_any_minute_leaves_the_evidence_finite(served, base, mine, theirs, comparison):
    state = percentiles.start(comparison)
    for _ in range(3):
        state = percentiles.update(
            comparison,
            state,
            Minute(dict.fromkeys(SHARES, mine), served),
            Minute(dict.fromkeys(SHARES, theirs), base),
        )

    assert math.isfinite(percentiles.log_e(comparison, state))


def test_a_constant_for_a_trillion_minutes_stays_finite():
    for value in (-0.5, 0.0, 0.5):
        assert math.isfinite(
            percentiles.shift_log_e((float(HUGE), HUGE * value, HUGE * value * value))
        )


@QUICK
@given(st.floats(1.0, 3.0), st.floats(1.0, 3.0), st.sampled_from([FAILING, PASSING]))
def test_a_slower_candidate_never_has_better_ranks_or_signs(slower, more, comparison):
    baseline = minute(chance(1), 900, 0.0)
    candidate = minute(chance(2), 100, math.log(slower))
    worse = candidate._replace(values={at: t * more for at, t in candidate.values.items()})
    side = 1 if comparison.grid is FAIL else -1

    before, after = (
        percentiles.update(comparison, percentiles.start(comparison), arm, baseline)
        for arm in (candidate, worse)
    )

    for old, new in zip((*before.rank, *before.sign), (*after.rank, *after.sign), strict=True):
        grid = comparison.grid
        assert side * (grids.log_e(grid, new) - grids.log_e(grid, old)) >= -1e-9


@pytest.mark.parametrize("comparison", [FAILING, PASSING])
def test_evidence_resumes_bit_by_bit(comparison):
    rng, state = chance(3), percentiles.start(comparison)
    stored = state
    for _ in range(10):
        pair = minute(rng, 300, 0.1), minute(rng, 2700, 0.0)
        state = percentiles.update(comparison, state, *pair)
        stored = percentiles.update(comparison, State(*json.loads(json.dumps(stored))), *pair)

    assert json.dumps(stored) == json.dumps(state)
    assert percentiles.log_e(comparison, stored) == percentiles.log_e(comparison, state)


@pytest.mark.parametrize(
    ("rps", "slower", "within"), [(50, 1.5, 4), (50, 2.0, 3), (50, 1.2, 14), (5, 1.5, 15)]
)
def test_a_slower_candidate_is_found_within_minutes(rps, slower, within):
    """gates.md T4, 10 % share: 3, 2, 14 and 12 minutes."""
    found = [minutes_until(FAILING, 100, seed=at, rps=rps, slower=slower) for at in range(7)]

    assert None not in found
    assert median(found) <= within


def test_a_healthy_candidate_passes_within_ten_minutes_but_not_at_once():
    found = [minutes_until(PASSING, 20, seed=at, rps=50, slower=1.0) for at in range(7)]

    assert None not in found
    assert 4 <= median(found) <= 10


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_a_candidate_at_the_tolerance_is_rarely_failed(share):
    found = [
        minutes_until(FAILING, 20, seed=at, rps=20, slower=1.1, share=share, minutes=20)
        for at in range(20)
    ]

    # 5 % of 20: more than 4 has a chance of 0.3 %.
    assert sum(at is not None for at in found) <= 4


def test_a_candidate_at_the_margin_rarely_passes():
    found = [minutes_until(PASSING, 20, seed=at, rps=20, slower=1.2) for at in range(40)]

    # 5 % of 40: more than 6 has a chance of 0.3 %.
    assert sum(at is not None for at in found) <= 6
