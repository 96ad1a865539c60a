"""Other tools' rules on cases worked out by hand, from their sources."""

import math

import numpy as np
import pytest

from benchmarks.detection import kinds
from benchmarks.detection.outcome import Outcome, first
from benchmarks.detection.peers.argo import argo
from benchmarks.detection.peers.flagger import duration, flagger, success
from benchmarks.detection.peers.kayenta import (
    CRITICAL,
    HIGH,
    NO_DATA,
    PASSES,
    classify,
    kayenta,
    total,
)
from benchmarks.detection.peers.mannwhitney import brent, score, shift_at
from benchmarks.detection.peers.oracle import open_ended, oracle
from benchmarks.detection.peers.ztest import Sums, means, peeking, proportions, running
from benchmarks.detection.traffic import Served, counted
from benchmarks.detection.windows import by_minute, metrics, minute_ends

NAN = math.nan


def back(seconds):
    return Outcome(rolled_back=seconds)


def promoted(seconds):
    return Outcome(promoted=seconds)


# --- Flagger --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ticks", "end"),
    [
        ("", promoted(600)),  # ten good checks, the first of them at 60 s
        ("x" * 5, back(360)),  # the fifth failure at 300 s is acted upon at the next tick
        ("x" * 4, promoted(840)),  # four failures delay the promotion by four minutes
        ("x.x.x.x.x", back(600)),  # never reset by a good check
        ("xx.......xx.x", back(840)),  # eight good checks are not enough
        ("x.x.x.x......", promoted(840)),  # four failures among ten good checks are
        ("." * 9 + "x" * 5, back(900)),  # and if it does not, the threshold is tested first
    ],
)
def test_flagger_adds_failures_up_and_tests_them_before_the_next_check(ticks, end):
    bad = {60 * at for at, mark in enumerate(ticks, 1) if mark == "x"}

    assert flagger(lambda until: until not in bad) == end


def test_flagger_counts_a_minute_without_values_as_a_failed_check():
    assert not success(NAN)
    assert not duration(NAN)
    assert flagger(lambda until: success(NAN)) == back(360)


def test_flagger_neither_promotes_nor_rolls_back_before_its_ticks_are_there():
    assert flagger(lambda until: True, iterations=60) == promoted(3600)
    assert flagger(lambda until: True, iterations=61) == Outcome()


# --- Argo Rollouts --------------------------------------------------------------------


def series(values, start=60):
    """A metric by second; later seconds are good."""
    return lambda until: dict(values).get(until, 0.0)


@pytest.mark.parametrize(
    ("values", "failures", "end"),
    [
        ({}, 0, promoted(600)),
        ({120: 0.02}, 0, back(120)),  # failed 1 > 0
        ({60: 0.01}, 0, promoted(600)),  # the limit itself succeeds
        ({60: 1.0, 120: 1.0, 180: 1.0}, 3, promoted(600)),  # failed 3 is not more than 3
        ({60: 1.0, 180: 1.0, 300: 1.0, 600: 1.0}, 3, back(600)),  # nor reset by a success
        (dict.fromkeys(range(60, 101, 10), NAN), 3, back(100)),  # the fifth error in a row
        (dict.fromkeys(range(60, 91, 10), NAN), 0, promoted(640)),  # four errors count nothing
        # Measured at 80 s (failed), at 160 s after two more retries, then every minute.
        ({60: NAN, 70: NAN, 80: 1.0, 140: NAN, 150: NAN}, 3, promoted(160 + 8 * 60)),
    ],
)
def test_argo_counts_failures_and_retries_errors(values, failures, end):
    assert argo(series(values), 0.01, failures=failures) == end


# --- Kayenta --------------------------------------------------------------------------


def array(*values):
    return np.array(values, dtype=float)


@pytest.mark.parametrize(
    ("experiment", "control", "found"),
    [
        # Ranks 3 and 4: U = 7 - 3 - 2 = 2, minus 1/2, over sqrt(4 / 12 * 5).
        (array(3, 4), array(1, 2), 1.5 / math.sqrt(5 / 3)),
        (array(1, 2), array(3, 4), -1.5 / math.sqrt(5 / 3)),
        # Ranks 1.5 and 3: U = -1/2, and the correction moves it to 0.
        (array(1, 2), array(1, 3), 0.0),
        # Two ties of two: sigma^2 = 4 / 12 * (5 - 12 / 12).
        (array(2, 2), array(1, 1), 1.5 / math.sqrt(4 / 3)),
    ],
)
def test_the_rank_score_is_the_one_worked_out_by_hand(experiment, control, found):
    assert score(0.0, experiment, control) == pytest.approx(found)
    assert score(5.0, experiment + 5, control) == pytest.approx(found)


# From MannWhitneySuite.scala, "Tie out with R Version"; 95 %.
CONTROL = array(
    *(1.5, 6.0, 5.0, 2.5, 2.5, 2.0, 2.0, 3.5, 3.0, 3.0, 3.0, 2.0, 3.0, 8.0, 4.0, 2.5, 3.0, 2.5),
    *(2.5, 2.0, 2.5, 2.0, 2.0, 2.5, 3.5, 3.0, 1.5, 5.0, 2.5, 5.5, 2.0, 2.5, 3.5, 2.0, 2.5, 4.0),
    *(2.0, 2.0, 2.0, 2.0, 5.5, 4.5, 4.0, 3.0, 3.0, 3.5, 2.5, 3.0, 2.5, 4.0, 6.0, 2.0, 5.0, 6.0),
    *(3.5, 3.0, 54.5, 3.0, 5.0, 6.0, 3.5, 4.5, 2.5, 2.0, 6.0, 5.0, 2.5, 3.5, 2.0, 3.0, 2.5, 3.5),
    *(3.5, 2.5, 3.0, 4.5, 3.0, 15.5, 5.0, 2.5, 3.0, 4.0, 3.5, 4.0, 4.0, 2.0, 4.5, 2.5, 4.0, 3.0),
)
EXPERIMENT = array(
    *(2.5, 2.5, 2.0, 2.5, 3.5, 2.0, 3.5, 1.5, 3.0, 3.0, 2.5, 3.5, 2.0, 2.5, 2.0, 2.0, 5.0, 3.0),
    *(2.0, 1.5, 2.0, 4.0, 3.0, 2.5, 3.0, 2.0, 2.0, 2.0, 2.5, 3.5, 1.5, 1.5, 3.5, 2.0, 2.5, 2.5),
    *(3.0, 3.5, 2.5, 6.5, 2.5, 4.0, 2.5, 3.0, 2.5, 6.5, 2.5, 3.0, 1.5, 2.0, 2.5, 3.0, 7.5, 1.5),
    *(2.0, 4.0, 2.5, 2.0, 2.5, 3.5, 4.0, 2.5, 3.0, 2.5, 2.0, 3.5, 3.0, 16.5, 3.0, 3.0, 7.0, 4.5),
    *(5.0, 2.0, 3.5, 6.0, 1.5, 3.0, 2.5, 4.0, 3.0, 1.5, 5.0, 3.0, 2.5, 5.5, 3.0, 1.5, 2.5, 6.0),
)


def test_the_interval_is_the_one_that_kayentas_own_tests_expect():
    low, high = (
        shift_at(at, EXPERIMENT, CONTROL) for at in (1.959963984540054, -1.959963984540054)
    )

    assert low == pytest.approx(-0.500002521696696, abs=1e-6)
    assert high == pytest.approx(-3.486287505871302e-05, abs=1e-6)
    assert shift_at(0.0, EXPERIMENT, CONTROL) == pytest.approx(-0.4999393907180323, abs=1e-4)


def test_a_shift_beyond_all_others_is_the_end_of_the_possible_ones():
    assert shift_at(9.0, array(3, 4), array(1, 2)) == 1.0
    assert shift_at(-9.0, array(3, 4), array(1, 2)) == 3.0


def test_the_root_is_found_within_the_absolute_tolerance():
    assert brent(0.0, 8.0, lambda at: 1.0 - at**3 / 27) == pytest.approx(3.0, abs=1e-4)


RAMP = np.arange(60.0)


@pytest.mark.parametrize(
    ("experiment", "control", "label"),
    [
        (array(NAN, NAN), array(1, 2), NO_DATA),
        (array(1, 2), array(NAN), NO_DATA),
        (array(2, 1), array(1, 2), PASSES),  # identical multisets
        (array(3, 3), array(3, 3, 3), PASSES),  # one distinct value
        (RAMP + 15, RAMP, HIGH),
        (RAMP, RAMP + 15, PASSES),  # only an increase fails
        (RAMP + 1, RAMP, PASSES),  # not significant
        (np.append(RAMP + 15, NAN), RAMP, HIGH),  # NaN is removed
    ],
)
def test_a_metric_is_labelled(experiment, control, label):
    assert classify(experiment, control) == label


def test_a_significant_shift_passes_if_a_quarter_of_it_may_be_chance():
    experiment = RAMP + 9

    assert score(0.0, experiment, RAMP) > CRITICAL
    assert 0 < shift_at(CRITICAL, experiment, RAMP) < 0.25 * shift_at(0.0, experiment, RAMP)
    assert classify(experiment, RAMP) == PASSES


@pytest.mark.parametrize(
    ("labels", "points"),
    [
        ([PASSES], 100.0),
        ([HIGH], 0.0),
        ([PASSES, HIGH], 50.0),
        ([PASSES, PASSES, HIGH], 66.67),
        ([PASSES, PASSES, NO_DATA], 100.0),
        ([PASSES, NO_DATA], 0.0),  # half of the metrics or more without data
    ],
)
def test_the_score_is_the_share_of_good_groups(labels, points):
    assert total(labels) == points


def test_kayenta_stops_at_the_first_bad_analysis_and_passes_at_the_last_only():
    calm = np.tile(RAMP[:10], 6)
    late = calm + np.repeat([NAN, 40.0, 40.0, 40.0, 40.0, 40.0], 10)

    assert kayenta([(calm, calm)]) == promoted(3600)
    assert kayenta([(calm + 40, calm)]) == back(600)
    # One of three without data counts as good; at 20 minutes it is high: 66.67 <= 75.
    assert kayenta([(calm, calm), (calm, calm), (late, calm)]) == back(1200)
    assert kayenta([(calm * NAN, calm)]) == back(600)


# --- z-test and oracle ----------------------------------------------------------------


def test_z_of_two_proportions_and_of_two_means():
    # 20 of 100 against 10 of 100: 0.1 / sqrt(0.15 * 0.85 * 0.02).
    assert proportions(Sums(100, 20, 20), Sums(100, 10, 10)) == pytest.approx(
        0.1 / math.sqrt(0.00255)
    )
    assert proportions(Sums(0, 0, 0), Sums(100, 10, 10)) == 0.0
    assert proportions(Sums(10, 0, 0), Sums(100, 0, 0)) == 0.0
    # Means 2 and 1, variances 1 and 1, four each: 1 / sqrt(1 / 4 + 1 / 4).
    assert means(Sums(4, 8, 20), Sums(4, 4, 8)) == pytest.approx(math.sqrt(2))
    assert means(Sums(1, 8, 64), Sums(4, 4, 8)) == 0.0


def test_the_z_test_is_looked_at_every_minute_on_all_data_so_far():
    sums = running([Sums(1, 2, 4), Sums(1, 3, 9)])

    assert sums[1] == Sums(2, 5, 13)
    assert peeking([0.0, 0.0, 2.33]) == back(180)
    assert peeking([2.32, 2.32]) == promoted(120)


@pytest.mark.parametrize(
    ("worse", "end"),
    [
        ([2.0, 2.0, 1.0], back(30)),  # 5 >= log 100
        ([-1.0, -1.0, -1.0], promoted(30)),  # -3 <= log 0.05
        ([1.0, -1.0], Outcome()),
        ([-3.0, 9.0], promoted(10)),
    ],
)
def test_the_oracle_stops_at_the_first_bound(worse, end):
    assert oracle(np.array(worse), 10) == end


def test_the_open_ended_oracle_never_accepts():
    assert open_ended(np.array([-3.0, 9.0]), 10) == back(20)
    assert open_ended(np.array([-3.0, 3.0]), 10) == Outcome()


def test_the_oracles_see_the_likelihoods_of_the_true_rates():
    traffic = counted(np.random.default_rng(1), kinds.CLEAN, 50.0, kinds.TO_2)
    ours, theirs = traffic.candidate, traffic.baseline
    at = int(np.argmax(ours.errors * (theirs.errors > 0)))
    bad, sent = int(ours.errors[at]), int(ours.requests[at])
    others, share = int(theirs.errors[at]), sent / (sent + int(theirs.requests[at]))

    known = bad * math.log(0.02 / 0.005) + (sent - bad) * math.log(0.98 / 0.995)
    found = 4 * share / (1 + 3 * share)
    ratio = bad * math.log(found / share) + others * math.log((1 - found) / (1 - share))

    assert bad > 0
    assert traffic.worse[at] == pytest.approx(known)
    assert traffic.relative[at] == pytest.approx(ratio)


# --- what all of them read ------------------------------------------------------------


def test_several_metrics_end_at_the_first_rollback_or_the_last_promotion():
    assert first([promoted(60.0), back(120.0), back(90.0)]) == back(90.0)
    assert first([promoted(60.0), promoted(120.0)]) == promoted(120.0)
    assert first([promoted(60.0), Outcome()]) == Outcome()


def served(requests, errors, latency=None):
    return Served(np.array(requests), np.array(errors), latency)


def test_a_window_holds_the_last_minute():
    found = metrics(served([10] * 180, [0] * 60 + [1] * 60 + [0] * 60), 1)

    assert [found.error_rate(at) for at in (60, 90, 120, 180)] == [0.0, 0.05, 0.1, 0.0]
    assert found.error_rate(120, minutes=2) == 0.05
    assert by_minute(np.arange(120), 1).tolist() == [1770, 5370]
    assert list(
        minute_ends(counted(np.random.default_rng(1), kinds.CLEAN, 1.0, kinds.HEALTHY))
    ) == [60 * minute for minute in range(1, 61)]


def test_a_window_without_requests_or_without_a_source_has_no_value():
    empty = metrics(served([0] * 60 + [1] * 60, [0] * 120), 1)
    blind = metrics(served([1] * 180, [0] * 180), 1, (60.0, 120.0))

    assert math.isnan(empty.error_rate(60))
    assert empty.error_rate(61) == 0.0
    assert [math.isnan(blind.error_rate(at)) for at in (60, 61, 120, 121)] == [0, 1, 1, 0]


def test_a_quantile_is_the_upper_edge_of_its_bucket():
    latency = np.zeros((6, 400), dtype=int)
    latency[:, 100], latency[5, 200] = 10, 3
    found = metrics(served([10] * 5 + [13], [0] * 6, latency), 10)

    middle, slow = found.quantile(60, 0.95), found.quantile(60, 0.96)

    assert slow / middle == pytest.approx(1.02**100)
    with pytest.raises(ValueError, match="no latencies"):
        metrics(served([1], [0]), 10).quantile(10, 0.5)
