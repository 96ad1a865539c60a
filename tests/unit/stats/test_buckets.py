"""Histograms of other systems become slow requests, or a word that says why not."""

import json
import math
import random
from bisect import bisect_right
from statistics import median

import pytest
from hypothesis import given, settings, strategies as st

from rollout.stats import buckets, counts, grid as grids, histogram as histograms, slow
from rollout.stats.buckets import Dropped, Pair, Reading
from rollout.stats.grid import FAIL, PASS

HUGE = 10**12
QUICK = settings(max_examples=100)
INF, NAN = math.inf, math.nan
# The default edges of Prometheus' client libraries.
EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
FINE = tuple(0.01 * 1.2**at for at in range(30))
edges = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12, unique=True).map(sorted)
durations = st.lists(st.floats(1e-4, 1e4), min_size=1, max_size=60)


def cumulative(known, seconds):
    ordered = sorted(seconds)
    return {edge: bisect_right(ordered, edge) for edge in (*known, INF)}


@QUICK
@given(edges, durations, durations, st.randoms(use_true_random=False))
def test_two_readings_in_any_order_give_the_requests_between_them(known, old, new, rng):
    shuffled = list(cumulative(known, old + new).items())
    rng.shuffle(shuffled)
    before, after = buckets.reading(cumulative(known, old)), buckets.reading(dict(shuffled))

    found = buckets.increase(before, after)

    assert after.edges == tuple(known)
    for number, edge in enumerate(known):
        slow_ones = sum(value > edge for value in new)
        assert buckets.above(found, number) == counts.Counts(slow_ones, len(new))


@pytest.mark.parametrize(
    ("cumulative", "word"),
    [
        ({}, "total"),
        ({0.1: 1, 0.5: 2}, "total"),
        ({0.1: 1, NAN: 2, INF: 3}, "number"),
        ({0.1: NAN, INF: 3}, "number"),
        ({0.1: -1, INF: 3}, "number"),
        ({0.1: 1, INF: INF}, "number"),
        ({-INF: 0, INF: 3}, "number"),
        ({0.1: 4, INF: 3}, "order"),
    ],
)
def test_what_cannot_be_read_is_dropped_with_a_word(cumulative, word):
    assert buckets.reading(cumulative) == Dropped(word)


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        (Reading((0.1,), (5, 9)), Reading((0.1,), (0, 1)), "reset"),
        (Reading((0.1,), (5, 9)), Reading((0.1,), (6, 8)), "reset"),
        (Reading((0.1,), (5, 9)), Reading((0.2,), (6, 10)), "edges"),
        (Reading((0.1, 0.5), (5, 7, 9)), Reading((0.1,), (6, 10)), "edges"),
        (Reading((0.1, 0.5), (5, 7, 9)), Reading((0.1, 0.5), (8, 8, 10)), "order"),
    ],
)
def test_readings_that_cannot_be_subtracted_are_dropped_with_a_word(before, after, word):
    assert buckets.increase(before, after) == Dropped(word)


def test_silence_is_no_requests_and_not_dropped():
    same = Reading((0.1, 0.5), (5, 7, 9))

    assert buckets.increase(same, same) == {}
    assert buckets.log_increase({}, {}) == {}


def test_fractions_of_requests_are_rounded_without_losing_one():
    """Federated counters are floats; what lies below an edge is rounded, so the total stays."""
    found = buckets.increase(Reading((1.0, 2.0), (0, 0, 0)), Reading((1.0, 2.0), (1.4, 2.6, 4.0)))

    assert found == {0: 1, 1: 2, 2: 1}


def test_counts_of_a_trillion_are_exact():
    before = Reading((0.1,), (HUGE, 2 * HUGE))
    after = Reading((0.1,), (2 * HUGE + 1, 4 * HUGE))

    assert buckets.increase(before, after) == {0: HUGE + 1, 1: HUGE - 1}
    assert buckets.above({0: HUGE, 1: HUGE}, 0) == counts.Counts(HUGE, 2 * HUGE)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({3: 5, 4: 1}, {3: 9, 4: 1, 7: 2}, {3: 4, 7: 2}),
        ({3: 5}, {3: 4}, Dropped.RESET),
        ({3: 5}, {4: 9}, Dropped.RESET),
        ({3: NAN}, {3: 4}, Dropped.NUMBER),
        ({3: 1}, {3: INF}, Dropped.NUMBER),
    ],
)
def test_log_histograms_are_subtracted_or_dropped(before, after, expected):
    assert buckets.log_increase(before, after) == expected


def test_a_restart_hides_in_a_sum_of_series_but_not_in_their_increases():
    one = Reading((0.1,), (50, 60)), Reading((0.1,), (2, 3))
    other = Reading((0.1,), (10, 20)), Reading((0.1,), (100, 110))

    parts = [buckets.increase(*pair) for pair in (one, other)]

    assert parts == [Dropped.RESET, {0: 90}]
    assert buckets.summed([{0: 90}, {0: 1, 1: 2}]) == {0: 91, 1: 2}


@QUICK
@given(edges, edges, st.floats(1.0, 3.0), st.data())
def test_pairs_err_on_the_careful_side_and_are_the_nearest(known, others, factor, data):
    number = data.draw(st.integers(0, len(known) - 1))
    limit = known[number] * factor

    fails = buckets.pair_to_fail(known, others, number, factor)
    passes = buckets.pair_to_pass(known, others, number, factor)

    beyond = [edge for edge in others if edge >= limit * (1 - 1e-9)]
    within = [edge for edge in others if edge <= limit * (1 + 1e-9)]
    assert (fails and others[fails.candidate]) == (min(beyond) if beyond else None)
    assert (passes and others[passes.candidate]) == (max(within) if within else None)
    for pair in filter(None, (fails, passes)):
        assert pair.factor == pytest.approx(others[pair.candidate] / known[number])


def test_an_edge_just_at_the_factor_is_taken_on_both_sides():
    known = (0.1, 0.1 * 1.1, 0.2)

    assert buckets.pair_to_fail(known, known, 0, 1.1) == Pair(0, 1, pytest.approx(1.1))
    assert buckets.pair_to_pass(known, known, 0, 1.1) == Pair(0, 1, pytest.approx(1.1))


@pytest.mark.parametrize("number", [-1, 3, 99])
def test_no_edge_makes_no_pair(number):
    known = (0.1, 0.2, 0.3)

    assert buckets.pair_to_fail(known, known, number, 1.1) is None
    assert buckets.pair_to_pass(known, known, number, 1.1) is None


def test_nothing_is_compared_beyond_the_last_edge_or_around_zero():
    assert buckets.pair_to_fail((0.1, 0.2), (0.1, 0.2), 1, 1.1) is None
    assert buckets.pair_to_pass((0.1, 0.2), (0.5,), 1, 1.1) is None
    assert buckets.pair_to_fail((0.0, 0.2), (0.0, 0.2), 0, 1.1) is None


def test_a_quantile_is_interpolated_where_it_can_be():
    assert buckets.quantile((0.1, 0.2, 0.4), {0: 10, 2: 10}, 0.75) == pytest.approx(0.3)
    assert buckets.quantile((0.1, 0.2), {0: 90, 2: 10}, 0.95) is None
    assert buckets.quantile((0.1, 0.2), {}, 0.95) is None
    assert buckets.quantile((0.1,), {0: HUGE}, 0.5) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("seconds", "found"), [(0.25, False), (0.33, False), (0.19, True), (0.36, True), (None, True)]
)
def test_edges_far_from_the_quantile_are_a_finding(seconds, found):
    text = buckets.far((0.1, 0.25, 0.5), seconds)

    assert (text is not None) == found
    assert buckets.far((), seconds) is not None


def test_single_requests_are_counted_with_those_never_answered():
    found = buckets.from_records([0.1, 0.25, None, 0.0], lambda seconds: round(seconds * 100), 999)

    assert found == {10: 1, 25: 1, 999: 1, 0: 1}
    assert buckets.from_records([], lambda _: 0, 999) == {}


@pytest.mark.parametrize("seconds", [NAN, INF, -0.001])
def test_a_record_without_a_duration_in_seconds_is_refused(seconds):
    with pytest.raises(ValueError, match="is not a duration"):
        buckets.from_records([seconds], lambda _: 0, 999)


@QUICK
@given(st.lists(st.floats(1e-5, 1e3), min_size=1, max_size=30), st.integers(0, 5))
def test_native_buckets_keep_their_bounds_when_made_coarser(seconds, levels):
    def index(value, schema):
        return math.ceil(math.log2(value) * 2**schema - 1e-9)

    fine = buckets.from_records(seconds, lambda value: index(value, 5), 10**6)
    coarse = buckets.from_records(seconds, lambda value: index(value, 5 - levels), 10**6)

    assert buckets.coarser(fine, levels) == coarse


def test_opentelemetry_and_prometheus_number_the_same_bucket_one_apart():
    """(1, 2] seconds at scale 0 is OpenTelemetry's bucket 0 and Prometheus' 1."""
    assert buckets.from_offset(0, (7,)) == {1: 7} == buckets.from_spans([(1, 1)], [7])


@pytest.mark.parametrize("deltas", [[1], [1, 2, 3], [1, -2], [1, NAN]])
def test_spans_that_do_not_fit_their_counts_are_dropped(deltas):
    assert buckets.from_spans([(0, 2)], deltas) is Dropped.NUMBER


@pytest.mark.parametrize("growth", [buckets.native_growth(5), buckets.sketch_growth(0.01), 2.0])
def test_bucket_numbers_start_at_a_microsecond_and_keep_distances(growth):
    tenth = math.ceil(math.log(0.1) / math.log(growth))

    found = buckets.numbered({tenth: 5, tenth + 3: 1, -HUGE: 2}, growth, zero=4)

    first, low, high = sorted(found)
    assert (first, high - low) == (0, 3)
    assert found[0] == 6
    assert growth**low == pytest.approx(0.1 / 1e-6, rel=1.5 * growth)
    # What `histogram` keeps of it is the same.
    merged = histograms.merged(histograms.EMPTY, {at: int(n) for at, n in found.items()}, 1 << 20)
    assert merged.counts[low] == 5


def test_buckets_too_fine_to_number_are_refused():
    with pytest.raises(ValueError, match="is below"):
        buckets.numbered({1: 1}, buckets.native_growth(8))
    with pytest.raises(ValueError, match="is below"):
        buckets.numbered({1: 1}, NAN)


def latencies(rng, number, slower):
    return [slower * rng.lognormvariate(math.log(0.08), 0.5) for _ in range(number)]


def found_after(known, seed, *, grid, bound, slower, factor, most=120):
    """Intervals of 10 s at 50 requests/s and 10 % share until p95 is decided; None: never."""
    rng, reference, log_l = random.Random(seed), None, grids.start(grid)  # noqa: S311
    never, choose = len(known), buckets.pair_to_fail if grid is FAIL else buckets.pair_to_pass
    zero = buckets.reading(cumulative(known, []))
    for at in range(most):
        arms = latencies(rng, 50, slower), latencies(rng, 450, 1.0)
        readings = [buckets.reading(cumulative(known, arm)) for arm in arms]
        mine, theirs = (buckets.increase(zero, found) for found in readings)
        for number in slow.edges(reference, (0.95,)) or ():
            pair = choose(known, known, number, factor)
            events = buckets.above(mine, pair.candidate), buckets.above(theirs, pair.baseline)
            log_l = counts.update(log_l, grid, *events)
        reference = slow.learn(reference, theirs, never, at * 10.0)
        log_l = tuple(json.loads(json.dumps(log_l)))
        if grids.log_e(grid, log_l) >= math.log(bound):
            return at + 1
    return None


def test_half_as_slow_again_is_found_by_fine_edges_within_three_minutes():
    found = [
        found_after(FINE, seed, grid=FAIL, bound=100, slower=1.5, factor=1.1) for seed in range(5)
    ]

    assert None not in found
    assert median(found) <= 18


def test_a_healthy_candidate_passes_by_fine_edges():
    found = [
        found_after(FINE, seed, grid=PASS, bound=20, slower=1.0, factor=1.25) for seed in range(5)
    ]

    assert None not in found


def test_a_candidate_at_the_tolerance_is_rarely_failed():
    found = [
        found_after(FINE, seed, grid=FAIL, bound=20, slower=1.2, factor=1.2, most=20)
        for seed in range(20)
    ]

    # 5 % of 20: more than 4 has a chance of 0.3 %.
    assert sum(at is not None for at in found) <= 4


def test_usual_edges_are_too_coarse_for_half_as_slow_again_and_say_so():
    """p95 is 0.18 s: the next edges are 0.1, 0.25 and 0.5 s."""
    found = found_after(EDGES, 1, grid=FAIL, bound=100, slower=1.5, factor=1.1, most=60)

    assert found is None
    assert buckets.far(EDGES, 0.18) is not None
