"""Drift is found in every class and direction, and ruled out for each of them."""

import json
import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings, strategies as st

from rollout.stats import counts, drift, family as families, grid as grids
from rollout.stats.counts import Counts
from rollout.stats.drift import DIRECTIONS
from rollout.stats.family import Family, Member
from rollout.stats.grid import FAIL
from rollout.stats.histogram import Histogram
from rollout.stats.paired import Pairs

HUGE = 10**12
QUICK = settings(max_examples=60)
tallies = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 10**6), min_size=1)


def known():
    return families.of_known("abcd", DIRECTIONS)


def test_the_two_directions_are_one_test_with_the_arms_exchanged():
    candidate, baseline = Counts(30, 100), Counts(90, 900)

    more, less = drift.steps(FAIL, candidate, baseline, points=0.01)

    assert more == counts.steps(FAIL, candidate, baseline, points=0.01)
    assert (less, more) == drift.steps(FAIL, baseline, candidate, points=0.01)


def test_more_of_a_class_and_less_of_it_are_both_found():
    baseline = {"a": 4500, "b": 4500}

    for candidate in ({"a": 350, "b": 650}, {"a": 650, "b": 350}):
        assert families.log_e(drift.failing(known(), candidate, baseline)) > math.log(100)
    same = drift.failing(known(), {"a": 500, "b": 500}, baseline)
    assert families.log_e(same) < 0


def test_a_tolerance_is_forgiven():
    candidate, baseline = {"a": 620, "b": 380}, {"a": 4500, "b": 4500}

    strict = drift.failing(known(), candidate, baseline)
    lax = drift.failing(known(), candidate, baseline, points=0.12)

    assert families.log_e(lax) < 0 < families.log_e(strict)


@QUICK
@given(tallies, tallies, st.integers(1, 10**6))
def test_moving_further_away_never_lowers_the_evidence_of_that_direction(ours, theirs, more):
    served, base = 10**7, 10**7
    before = drift.steps(FAIL, Counts(ours.get("a", 0), served), Counts(theirs.get("a", 0), base))
    after = drift.steps(
        FAIL, Counts(ours.get("a", 0) + more, served), Counts(theirs.get("a", 0), base)
    )

    for direction, sign in ((0, 1), (1, -1)):
        one, two = (grids.log_e(FAIL, found[direction]) for found in (before, after))
        assert sign * (two - one) >= -1e-9 * (1 + abs(one))


def test_a_class_that_only_the_candidate_knows_is_found():
    baseline = {"a": 900}
    family = drift.failing(Family(), {"a": 100}, baseline)

    for _ in range(6):
        family = drift.failing(family, {"a": 90, "new": 10}, baseline)

    assert families.log_e(family) > math.log(100)


def test_a_pass_rules_out_every_class_and_direction():
    baseline = {"a": 9000, "b": 9000}

    good = drift.passing(families.empty_cover(DIRECTIONS), {"a": 5000, "b": 5000}, baseline, 0.1)
    bad = drift.passing(families.empty_cover(DIRECTIONS), {"a": 3900, "b": 6100}, baseline, 0.1)
    fresh = drift.passing(good, {"a": 5000, "b": 4000, "c": 1000}, baseline, 0.1)

    assert families.log_s(good) > math.log(20)
    assert families.log_s(bad) < 0
    assert families.log_s(fresh) < families.log_s(good)
    assert {"a", "b", "c"} == set(fresh.members)


def test_an_interval_without_one_of_the_arms_says_nothing():
    family = drift.failing(known(), {"a": 5}, {})
    cover = drift.passing(families.empty_cover(DIRECTIONS), {}, {"a": 5}, 0.1)

    assert family == known()
    assert families.log_s(cover) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("ours", [0, 1, HUGE])
@pytest.mark.parametrize("theirs", [0, 1, HUGE])
@pytest.mark.parametrize("points", [0.0, 0.01])
def test_counts_from_zero_to_a_trillion_stay_finite(ours, theirs, points):
    candidate, baseline = {"a": ours, "b": HUGE - ours}, {"a": theirs, "b": 1}

    family = drift.failing(known(), candidate, baseline, points=points)
    cover = drift.passing(families.empty_cover(DIRECTIONS), candidate, baseline, 0.01)

    assert math.isfinite(families.log_e(family))
    assert math.isfinite(families.log_s(cover))
    assert 0 <= drift.psi(candidate, baseline) < math.inf


@QUICK
@given(st.lists(st.tuples(tallies, tallies), min_size=3, max_size=5))
def test_a_resumed_test_goes_on_bit_by_bit(intervals):
    def fed(family, some):
        for ours, theirs in some:
            family = drift.failing(family, ours, theirs)
        return family

    first = fed(Family(), intervals[:2])
    members = json.loads(json.dumps(dict(first.members)))
    resumed = Family(
        json.loads(json.dumps(first.reserve)),
        first.waves,
        {name: Member(w, tuple(map(tuple, parts))) for name, (w, parts) in members.items()},
    )

    assert fed(resumed, intervals[2:]) == fed(Family(), intervals)


def test_a_common_class_that_moves_a_little_is_found_and_one_that_does_not_passes():
    """Nine tenths against 93 and 90 %: the nearest alternatives must be nearer than that."""
    baseline = {"a": 81_000, "b": 9_000}

    moved = drift.failing(known(), {"a": 9_300, "b": 700}, baseline)
    same = drift.passing(families.empty_cover(DIRECTIONS), {"a": 9_000, "b": 1_000}, baseline, 0.05)

    assert families.log_e(moved) > math.log(100)
    assert families.log_s(same) > math.log(20)


# The same requests in both arms


def test_pairs_count_what_moved_between_classes():
    moves = drift.moved([("a", "a")] * 5 + [("b", "a")] * 3 + [("a", "c")])

    assert moves == {"a": Pairs(1, 3, 9), "b": Pairs(3, 0, 9), "c": Pairs(0, 1, 9)}


def test_answers_that_change_places_are_no_drift_and_those_that_leave_are():
    swapping = drift.moved([("a", "b"), ("b", "a")] * 50 + [("a", "a")] * 900)
    leaving = drift.moved([("a", "b")] * 20 + [("a", "a")] * 980)

    assert families.log_e(drift.paired_failing(known(), swapping, 1000)) < 0
    assert families.log_e(drift.paired_failing(known(), leaving, 1000)) > math.log(100)


def test_agreeing_pairs_pass():
    cover = drift.paired_passing(families.empty_cover(DIRECTIONS), {}, 2000, 0.005)
    worse = drift.paired_passing(cover, {"a": Pairs(40, 2, 2000)}, 2000, 0.005)

    assert families.log_s(cover) > math.log(20)
    assert families.log_s(worse) < math.log(20)


def test_like_answers_are_blamed_no_more_often_than_allowed():
    rng, runs, blamed, passed = random.Random(3), 150, 0, 0  # noqa: S311
    for _ in range(runs):
        family, cover, reached, shown = Family(), families.empty_cover(DIRECTIONS), False, False
        for _ in range(30):
            shares = [rng.random() for _ in "abcd"]
            ours = Counter(rng.choices("abcd", shares, k=10))
            theirs = Counter(rng.choices("abcd", shares, k=30))
            family = drift.failing(family, ours, theirs)
            reached = reached or families.log_e(family) >= math.log(10)
            moved = Counter(rng.choices("ab", (0.3, 0.7), k=10)), Counter(rng.choices("ab", k=30))
            cover = drift.passing(cover, *moved, 0.2)
            shown = shown or families.log_s(cover) >= math.log(10)
        blamed, passed = blamed + reached, passed + shown

    most = 0.1 * runs + 3 * math.sqrt(0.1 * 0.9 * runs)
    assert blamed <= most
    assert passed <= most


# Effect size and bins


def test_the_index_is_the_papers_and_survives_an_empty_class():
    found = drift.psi({"a": 50_000, "b": 50_000}, {"a": 60_000, "b": 40_000})

    assert found == pytest.approx(0.1 * math.log(0.6 / 0.5) + 0.1 * math.log(0.5 / 0.4), rel=1e-3)
    assert drift.psi({}, {}) == 0
    assert 0 < drift.psi({"a": 10}, {"b": 10}) < math.inf


def test_bins_hold_about_as_many_of_the_baseline_each():
    rng = random.Random(1)  # noqa: S311
    numbers = [rng.gauss(0, 1) for _ in range(5000)]

    edges = drift.edges_of(numbers)

    filled = Counter(drift.bin_of(number, edges) for number in numbers)
    assert len(edges) == 9
    assert set(filled) <= set(drift.bins(edges))
    assert max(filled.values()) - min(filled.values()) <= 1


def test_no_edges_before_enough_is_known():
    assert drift.edges_of([1.0] * (drift.NEEDED - 1) + [math.nan] * 1000) is None
    assert drift.bucket_edges(Histogram(3, (drift.NEEDED - 1,), 0)) is None


@pytest.mark.parametrize("constant", [0.0, 1.5, -1e300])
def test_a_constant_has_a_bin_of_its_own(constant):
    edges = drift.edges_of([constant] * drift.NEEDED)

    lower, same, higher = (
        drift.bin_of(number, edges)
        for number in (math.nextafter(constant, -math.inf), constant, constant + 1.0)
    )

    assert len({lower, same}) == 2
    assert higher != same or constant + 1.0 == constant


def test_a_histogram_is_cut_between_buckets():
    spread = drift.bucket_edges(Histogram(100, (50,) * 100, 0))
    narrow = drift.bucket_edges(Histogram(100, (1, 998, 1), 0))

    assert spread == tuple(range(109, 199, 10))
    assert [drift.bin_of(bucket, narrow) for bucket in (100, 101, 102)] == ["0", "1", "2"]


@QUICK
@given(st.floats(), st.lists(st.floats(-1e9, 1e9), unique=True, max_size=9).map(sorted))
def test_every_number_has_a_bin_that_is_listed(number, edges):
    assert drift.bin_of(number, edges) in drift.bins(edges)
