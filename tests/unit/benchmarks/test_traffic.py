"""The simulated traffic is what the benchmark says it is, and the same on every machine."""

import math

import numpy as np
import pytest

from benchmarks.detection import cells, kept, kinds, rules as gates
from benchmarks.detection.cells import ERRORS, LATENCY, Cell
from benchmarks.detection.conditions import conditions
from benchmarks.detection.engine import engine, intervals
from benchmarks.detection.outage import silence
from benchmarks.detection.outcome import Outcome
from benchmarks.detection.summary import results, row
from benchmarks.detection.table import lines
from benchmarks.detection.traffic import FIRST, bad_until, counted, longer, timed
from benchmarks.detection.trials import Ending, run, simulate
from rollout.domain.measure import NEVER, edge
from rollout.domain.verdict import Verdict

SEED = 7


def rng(seed=SEED):
    return np.random.default_rng(seed)


def hours(make, kind, candidate, count=40, rps=50.0):
    return [make(rng(seed), kind, rps, candidate) for seed in range(count)]


def rate(served):
    return sum(each.errors.sum() for each in served) / sum(each.requests.sum() for each in served)


def index(counts):
    """Variance over mean of the counts of 10 s: 1 for a Poisson process."""
    tens = np.concatenate([each.reshape(-1, 10).sum(axis=1) for each in counts])
    return tens.var() / tens.mean()


@pytest.mark.parametrize("kind", kinds.KINDS, ids=lambda kind: kind.name)
def test_means_are_what_the_kind_says(kind):
    found = hours(counted, kind, kinds.TO_2)

    sent = [each.candidate.requests.sum() + each.baseline.requests.sum() for each in found]
    failing = kinds.TO_2.base + kind.incidents * 30 / 3600 * 0.05
    assert np.mean(sent) == pytest.approx(50 * 3600, rel=0.06)
    assert sum(each.candidate.requests.sum() for each in found) == pytest.approx(
        0.1 * sum(sent), rel=0.02
    )
    assert rate([each.baseline for each in found]) == pytest.approx(failing, rel=0.12)
    assert rate([each.candidate for each in found]) == pytest.approx(failing + 0.015, rel=0.12)


def test_only_bursts_and_the_time_of_day_spread_the_arrivals():
    spread = {
        kind.name: index([each.baseline.requests for each in hours(counted, kind, kinds.HEALTHY)])
        for kind in kinds.KINDS
    }

    assert spread["clean"] == pytest.approx(1.0, abs=0.05)
    assert spread["drifting"] == pytest.approx(1.0, abs=0.05)
    assert spread["cold start"] == pytest.approx(1.0, abs=0.05)
    # 450 requests in 10 s: 1 + 450 times the variance of the arrival rate's factor.
    assert spread["diurnal"] == pytest.approx(1 + 450 * 0.3**2 / 2, rel=0.1)
    assert spread["bursty"] == pytest.approx(1 + 450 * math.expm1(0.5**2), rel=0.25)


def test_drift_is_shared_and_lasts():
    found = [np.log(conditions(rng(seed), kinds.DRIFTING).errors) for seed in range(100)]

    assert np.std(found) == pytest.approx(0.7, abs=0.03)
    ahead = [np.corrcoef(each[:-1], each[1:])[0, 1] for each in found]
    assert np.mean(ahead) == pytest.approx(0.9, abs=0.02)
    assert np.mean(np.exp(found)) == pytest.approx(1.0, abs=0.06)


def test_an_incident_lasts_thirty_seconds_and_comes_three_times_an_hour():
    failing = [conditions(rng(seed), kinds.BURSTY).failing > 0 for seed in range(200)]

    begun = [(np.diff(each.astype(int), prepend=0) == 1).sum() for each in failing]
    assert np.mean(begun) == pytest.approx(3.0, abs=0.4)
    assert np.sum(failing) / np.sum(begun) == pytest.approx(3.0, abs=0.15)


def test_latencies_are_lognormal_and_slow_where_the_candidate_is():
    def quantile(served, share):
        below = np.cumsum(sum(each.latency.sum(axis=0) for each in served))
        return edge(FIRST + int(np.searchsorted(below, share * below[-1])))

    found = hours(timed, kinds.CLEAN, kinds.SLOW_50, 3)
    tail = hours(timed, kinds.CLEAN, kinds.TAIL, 3)

    theirs, ours = [each.baseline for each in found], [each.candidate for each in found]
    assert quantile(theirs, 0.5) == pytest.approx(0.080, rel=0.02)
    assert quantile(theirs, 0.95) == pytest.approx(0.182, rel=0.02)
    assert quantile(ours, 0.95) == pytest.approx(0.273, rel=0.03)
    long = [each.candidate.latency[:, 1:] for each in tail]
    beyond = sum(each[:, 250:].sum() for each in long) / sum(each.sum() for each in long)
    assert 0.01 < beyond < 0.03


def test_a_cold_start_slows_the_candidates_first_minute_only():
    met = conditions(rng(), kinds.COLD)

    assert met.cold[:7] == pytest.approx(math.log(3) * np.array([11, 9, 7, 5, 3, 1, 0]) / 12)
    assert not met.cold[6:].any()
    assert not met.slower.any()


def test_a_shared_outage_fails_three_of_ten_of_both():
    found = hours(counted, kinds.OUTAGE, kinds.HEALTHY, 5)

    for each in found:
        for served in (each.candidate, each.baseline):
            assert served.errors[60:360].sum() / served.requests[60:360].sum() == pytest.approx(
                0.305, abs=0.04
            )
            assert served.errors[360:].sum() / served.requests[360:].sum() < 0.02


def test_a_trial_has_its_own_stream_whatever_runs_before_it():
    cell, other = cells.full()[0], cells.full()[1]

    alone = simulate(cell, SEED, 3)
    simulate(other, SEED, 0)
    again = simulate(cell, SEED, 3)

    assert np.array_equal(alone.candidate.requests, again.candidate.requests)
    assert np.array_equal(alone.baseline.errors, again.baseline.errors)
    for changed in (simulate(cell, SEED, 4), simulate(cell, 8, 3), simulate(other, SEED, 3)):
        assert not np.array_equal(alone.candidate.requests, changed.candidate.requests)


def test_every_cell_has_another_name():
    names = [cell.name for cell in cells.full()]

    assert len(set(names)) == len(names)
    assert {cell.name for cell in cells.quick()} < set(names)


def test_intervals_hold_what_was_served():
    traffic = timed(rng(), kinds.ALL, 50.0, kinds.TAIL)
    arms = [one.arms for one in intervals(traffic)]

    mine = [each["candidate"] for each in arms]
    assert [each.requests for each in mine] == traffic.candidate.requests.tolist()
    assert all(sum(each.latency.values()) == each.requests for each in mine)
    assert [each.latency.get(NEVER, 0) for each in mine] == traffic.candidate.errors.tolist()
    assert bad_until(traffic)[-1] > traffic.candidate.errors.sum()


def test_longer_intervals_hold_the_same_requests():
    fine = counted(rng(), kinds.ALL, 50.0, kinds.TO_2)
    rough = longer(fine, 5)

    assert len(rough.candidate.requests) * 5 == len(fine.candidate.requests)
    assert rough.seconds == 5
    for one, other in ((rough.candidate, fine.candidate), (rough.baseline, fine.baseline)):
        assert one.requests.sum() == other.requests.sum()
        assert one.errors[1] == other.errors[5:10].sum()
    assert rough.worse.sum() == pytest.approx(fine.worse.sum())
    assert rough.relative.sum() == pytest.approx(fine.relative.sum())


def test_a_crash_is_over_within_seconds_and_a_slow_candidate_within_minutes():
    crash = engine(gates.rules(gates.ERRORS), counted(rng(), kinds.ALL, 50.0, kinds.CRASH))
    slow = engine(gates.rules(gates.SLOW), timed(rng(), kinds.ALL, 50.0, kinds.SLOW_100))

    assert crash.rolled_back <= 10
    assert 60 < slow.rolled_back <= 120


def test_without_metrics_the_product_says_error_and_holds():
    found = silence(SEED, 0)

    assert found.held
    assert found.error_after == 40
    assert set(found.verdicts) == {Verdict.RUNNING, Verdict.ERROR}
    assert found.others["Flagger"] == Outcome(rolled_back=420)
    assert found.others["Argo, limit 0"] == Outcome(rolled_back=160)


def test_a_row_counts_ends_and_takes_medians_of_rollbacks_alone():
    endings = [
        Ending(Outcome(rolled_back=60.0), 300, 4),
        Ending(Outcome(rolled_back=120.0, promoted=30.0), 600, 8),
        Ending(Outcome(promoted=90.0)),
        Ending(Outcome()),
    ]

    found = row(endings)

    assert (found.rolled_back, found.promoted, found.undecided) == (2, 2, 1)
    assert (found.seconds, found.requests, found.bad) == (90.0, 450, 6)
    assert (found.seconds_to_promote, found.caught) == (60.0, 0.5)


def test_a_finished_cell_is_kept_for_the_next_run(tmp_path):
    cell = Cell(ERRORS, kinds.CLEAN, 5.0, kinds.CRASH)
    (found,) = results(run([cell], 2, SEED, 1))
    path = tmp_path / "cells"

    kept.append(path, found, 2, SEED)

    assert kept.read(path, [cell], 2, SEED) == {cell.name: found}
    assert kept.read(path, [cell], 3, SEED) == kept.read(path, [], 2, SEED) == {}
    assert kept.read(path, [cell], 2, SEED + 1) == kept.read(None, [cell], 2, SEED) == {}


def test_the_whole_is_the_same_on_one_process_and_on_two():
    chosen = [
        Cell(ERRORS, kinds.CLEAN, 50.0, kinds.CRASH),
        Cell(LATENCY, kinds.ALL, 5.0, kinds.SLOW_100),
    ]

    one, two = (list(lines(list(results(run(chosen, 4, SEED, jobs))))) for jobs in (1, 2))

    assert one == two
    assert any(line.startswith("  rollout  ") and "100.0 %" in line for line in one)
