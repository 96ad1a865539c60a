"""What a simulation draws and reads: counts, latencies, scenarios, recorded intervals."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from rollout.domain.errors import EndpointAway, PlanInvalid, UsageError
from rollout.domain.measure import NEVER, Arm, Interval, bucket_of, edge
from rollout.domain.plan import Approve, Mirror, Shift, Smoke, Stage
from rollout.runtime.simulation import draws
from rollout.runtime.simulation.recording import MOST, Replay, read_recording, recorded
from rollout.runtime.simulation.scenarios import SCENARIOS, Onset, begins, sized
from rollout.runtime.simulation.traffic import Climate, Drawn, Shares, latencies, steady
from tests.unit.runtime.values import PLAN

# --- draws ------------------------------------------------------------------------


@pytest.mark.parametrize("mean", [0.0, 0.3, 5.0, 15.9, 16.1, 40.0, 900.0])
def test_a_poisson_number_has_the_mean_and_the_variance_of_one(mean):
    random = Random(f"poisson {mean}")  # noqa: S311

    found = [draws.poisson(random, mean) for _ in range(3000)]

    average = sum(found) / len(found)
    spread = sum((each - average) ** 2 for each in found) / len(found)
    assert abs(average - mean) <= 4 * math.sqrt(mean / len(found))
    assert abs(spread - mean) <= 0.12 * mean + 1e-9


@pytest.mark.parametrize(
    ("trials", "chance"),
    [(0, 0.5), (7, 0.0), (7, 1.0), (1, 0.3), (10, 0.1), (500, 0.01), (500, 0.6), (100_000, 0.1)],
)
def test_a_binomial_number_has_the_mean_and_the_variance_of_one(trials, chance):
    random = Random(f"binomial {trials} {chance}")  # noqa: S311

    found = [draws.binomial(random, trials, chance) for _ in range(3000)]

    average, wanted = sum(found) / len(found), trials * chance * (1 - chance)
    spread = sum((each - average) ** 2 for each in found) / len(found)
    assert all(0 <= each <= trials for each in found)
    assert abs(average - trials * chance) <= 4 * math.sqrt(wanted / len(found)) + 1e-9
    assert abs(spread - wanted) <= 0.12 * wanted + 1e-9


def test_a_small_binomial_number_has_each_value_as_often_as_it_should():
    random, trials, chance, many = Random(3), 40, 0.45, 20_000  # noqa: S311

    found = Counter(draws.binomial(random, trials, chance) for _ in range(many))

    for hits in range(10, 27):
        share = math.comb(trials, hits) * chance**hits * (1 - chance) ** (trials - hits)
        assert abs(found[hits] - many * share) <= 4.5 * math.sqrt(many * share)


@pytest.mark.parametrize("count", [0, 1, 90, 5000, 200_000])
def test_requests_are_spread_over_the_buckets_by_their_weights(count):
    weights = [1.0, 0.0, 5.0, 2.0, 0.5, 8.0, 0.01]
    among = draws.table(10, weights)

    found = draws.spread(Random(count), among, count)  # noqa: S311

    assert sum(found.values()) == count
    for at, weight in enumerate(weights):
        share = weight / sum(weights)
        reach = 4.5 * math.sqrt(count * share * (1 - share)) + 1e-9
        assert abs(found.get(10 + at, 0) - count * share) <= reach


# --- traffic ------------------------------------------------------------------------


def test_latencies_have_the_quantiles_of_their_lognormal():
    among = latencies(0.08, 0.5, 0.0, 1.0)

    for share, z in ((0.5, 0.0), (0.95, 1.644854), (0.99, 2.326348)):
        at = next(i for i, upto in enumerate(among.upto) if upto >= share)
        assert edge(among.first + at) == pytest.approx(0.08 * math.exp(0.5 * z), rel=0.02)


def test_a_slower_part_is_beyond_the_rest():
    usual, tailed = latencies(0.08, 0.1, 0.0, 1.0), latencies(0.08, 0.1, 0.03, 5.0)

    below = tailed.upto[bucket_of(0.2) - tailed.first]

    assert below == pytest.approx(0.97, abs=1e-3)
    assert usual.first + len(usual.upto) < bucket_of(0.2)


def drawn(name, climate=None, seed=1):
    used = climate or steady(Climate(rps=1000.0))
    return Drawn(used, SCENARIOS[name], Random(seed), 10.0)  # noqa: S311


def taken(source, seconds=60.0, at=0.0, shares=None):
    source.flow(at, at + seconds, shares or Shares(live=0.1))
    return source.taken(at, at + seconds, histogram=True)


def rates(interval):
    return {role: arm.errors / arm.requests for role, arm in interval.arms.items()}


@pytest.mark.parametrize(
    ("name", "baseline", "candidate"),
    [
        ("healthy", 0.005, 0.005),
        ("errors", 0.005, 0.05),
        ("late", 0.005, 0.05),
        ("crash", 0.005, 1.0),
        ("shared-outage", 0.205, 0.205),
    ],
)
def test_a_scenario_fails_what_it_says(name, baseline, candidate):
    source = drawn(name)
    source.trouble(0.0)

    found = rates(taken(source))

    assert found["baseline"] == pytest.approx(baseline, rel=0.2)
    assert found["candidate"] == pytest.approx(candidate, rel=0.3)


@pytest.mark.parametrize(
    ("name", "median", "p99"),
    [("healthy", 1.0, 1.0), ("slow", 1.5, 1.5), ("cold-start", 3.0, 3.0), ("tail", 1.0, 1.9)],
)
def test_a_scenario_is_as_slow_as_it_says(name, median, p99):
    source = drawn(name)
    source.trouble(0.0)

    found = taken(source, 50.0)

    for share, factor in ((0.5, median), (0.99, p99)):
        base, green = (quantile(found.arms[role], share) for role in ("baseline", "candidate"))
        assert green / base == pytest.approx(factor, rel=0.12)


def quantile(arm, share):
    count, wanted = 0, share * (arm.requests - arm.errors)
    for bucket, held in sorted(arm.latency.items()):
        count += held
        if count >= wanted:
            return edge(bucket)
    raise AssertionError


def test_a_scenario_is_over_when_its_time_is():
    source = drawn("shared-outage")
    source.trouble(100.0)

    found = [rates(taken(source, 50.0, at))["baseline"] for at in (0.0, 200.0, 401.0)]

    assert [round(each, 1) for each in found] == [0.0, 0.2, 0.0]


def test_a_stretch_that_holds_the_beginning_is_cut_there():
    source = drawn("crash")
    source.trouble(50.0)

    found = rates(taken(source, 100.0))

    assert found["candidate"] == pytest.approx(0.5, abs=0.03)


def test_nothing_can_be_measured_during_an_outage_of_the_metrics_and_all_of_it_later():
    source = drawn("metrics-outage")
    source.trouble(0.0)

    with pytest.raises(EndpointAway):
        taken(source, 599.0)
    found = taken(source, 1.0, 600.0)

    assert found.arms["baseline"].requests > 500_000


def test_drifting_traffic_keeps_its_mean_and_moves_both_arms():
    climate = Climate(rps=2000.0, error_rate=0.02)
    every = [taken(drawn("healthy", climate, seed), 10.0) for seed in range(150)]

    found = [rates(each) for each in every]

    mean = sum(each["baseline"] for each in found) / len(found)
    assert mean == pytest.approx(0.02, rel=0.25)
    assert max(each["baseline"] for each in found) > 0.04
    assert all(
        each["candidate"] == pytest.approx(each["baseline"], rel=0.6, abs=0.01) for each in found
    )


def test_mirrored_copies_are_nobody_s_answers():
    source = drawn("crash")
    source.trouble(0.0)

    found = taken(source, shares=Shares(mirrored=0.5))

    assert found.arms["candidate"].errors > 20_000
    assert source.exposure.requests == 0


def test_every_request_has_one_latency_and_failed_ones_none():
    source = drawn("errors")
    source.trouble(0.0)
    source.flow(0.0, 30.0, Shares(live=0.5))
    first = source.taken(0.0, 30.0, histogram=False)
    source.flow(30.0, 60.0, Shares(live=0.5))

    second = source.taken(30.0, 60.0, histogram=True)

    assert first.arms["candidate"].latency is None
    for role in ("baseline", "candidate"):
        requests = first.arms[role].requests + second.arms[role].requests
        errors = first.arms[role].errors + second.arms[role].errors
        assert sum(second.arms[role].latency.values()) == requests
        assert second.arms[role].latency[NEVER] == errors


# --- scenarios ----------------------------------------------------------------------


def test_every_scenario_has_a_name_and_a_sentence():
    assert list(SCENARIOS) == [
        "healthy", "errors", "slow", "tail", "differing", "drift", "crash", "crash-at-load",
        "cold-start", "late", "quiet", "metrics-outage", "shared-outage",
    ]  # fmt: skip
    assert all("{" not in each.sentence for each in SCENARIOS.values())


@pytest.mark.parametrize(
    ("name", "effect", "field", "value"),
    [
        ("errors", "1pp", "points", 0.01),
        ("late", "0.5pp", "points", 0.005),
        ("slow", "20%", "factor", 1.2),
        ("cold-start", "100%", "factor", 2.0),
        ("tail", "1%", "tail", 0.01),
        ("shared-outage", "5pp", "shared", 0.05),
        ("differing", "5%", "differing", 0.05),
        ("drift", "5pp", "drifted", 0.05),
    ],
)
def test_a_scenario_can_have_another_size(name, effect, field, value):
    made = sized(SCENARIOS[name], effect)

    assert getattr(made, field) == pytest.approx(value)
    assert effect in made.sentence


@pytest.mark.parametrize(
    ("name", "effect", "told"),
    [
        ("healthy", "1pp", "errors, slow, tail"),
        ("errors", "20%", "such as 1pp"),
        ("slow", "1pp", "such as 20%"),
        ("tail", "much", "such as 1%"),
        ("differing", "150%", "more than all of them"),
        ("drift", "500pp", "more than all of them"),
    ],
)
def test_a_size_that_means_nothing_is_refused_with_what_would(name, effect, told):
    with pytest.raises(UsageError) as error:
        sized(SCENARIOS[name], effect)

    assert told in str(error.value)


STAGES = (
    Stage("smoke", Smoke("candidate")),
    Stage("mirror", Mirror(10)),
    Stage("ten", Shift(10)),
    Stage("ask", Approve()),
    Stage("all", Shift(100)),
)


@pytest.mark.parametrize(
    ("stages", "onset", "at"),
    [
        (STAGES, Onset.TRAFFIC, 1),
        (STAGES, Onset.LIVE, 2),
        (STAGES, Onset.SECOND, 4),
        (STAGES, "ask", 3),
        (STAGES[:3], Onset.SECOND, 2),
        (STAGES[:1], Onset.TRAFFIC, 1),
        (STAGES[:2], Onset.LIVE, 2),
    ],
)
def test_a_scenario_begins_with_a_stage(stages, onset, at):
    assert begins(replace(PLAN, stages=stages), onset) == at


@pytest.mark.parametrize("name", ["smoke", "nowhere"])
def test_a_scenario_begins_only_where_a_stage_holds(name):
    with pytest.raises(UsageError, match=r"mirror, ten, ask, all"):
        begins(replace(PLAN, stages=STAGES), name)


# --- recorded intervals -----------------------------------------------------------------


def line(**changes):
    usual = {"start": 0, "seconds": 1, "deployment": "blue", "requests": 9, "errors": 0}
    return json.dumps(
        {key: value for key, value in {**usual, **changes}.items() if value is not ...}
    )


GREEN = line(deployment="green")


def read(*lines):
    return read_recording(lines, "r.jsonl", baseline="blue", candidate="green")


def interval(start, latency=None, requests=20):
    arms = {"baseline": Arm(90, 1, latency), "candidate": Arm(requests, 2, latency)}
    return Interval(start, start + 1.5, arms)


def test_what_is_written_reads_back_bucket_by_bucket():
    every = {bucket: bucket for bucket in range(1, 1200)} | {NEVER: 7}
    story = [interval(1e9), interval(1e9 + 1.5, every), interval(1e9 + 4.0, {})]

    found = read(*recorded(story, "blue", "green"))

    assert found.intervals == tuple(story)
    assert found.seconds == 4.5


def test_a_line_is_what_other_tools_can_read():
    made = [json.loads(each) for each in recorded([interval(60.0, {581: 3, NEVER: 1})], "a", "b")]

    assert made[0] == {
        "start": 60.0,
        "seconds": 1.5,
        "deployment": "a",
        "requests": 90,
        "errors": 1,
        "latency_ms": [[pytest.approx(edge(581) * 1000, rel=1e-5), 3], [None, 1]],
    }
    assert made[1]["deployment"] == "b"


def test_coarse_buckets_and_infinity_are_understood():
    found = read(line(latency_ms=[[100, 5], [250.0, 2.0], ["+Inf", 1], [500, 0]]), "", GREEN)

    assert found.intervals[0].arms["baseline"].latency == {
        bucket_of(0.1): 5, bucket_of(0.25): 2, NEVER: 1
    }  # fmt: skip


def test_buckets_that_are_not_ours_are_written_with_their_edges_and_read_back():
    """Judged by our buckets, all of a wide one would lie at its upper edge."""
    edges = (0.005, 0.07, 0.1 * 3, 1.0 / 3.0, 2.5)
    arms = {
        "baseline": Arm(90, 1, {1: 5, 3: 80, NEVER: 5}, edges=edges),
        "candidate": Arm(9, 0, {0: 9}, edges=(0.0, 0.5)),
    }
    story = [interval(1e9), Interval(1e9 + 2, 1e9 + 3, arms)]

    lines = list(recorded(story, "blue", "green"))

    assert json.loads(lines[2])["latency_ms"] == [
        [70.0, 5],
        [pytest.approx(1000 / 3), 80],
        [None, 5],
    ]
    assert json.loads(lines[2])["edges_ms"][:3] == [5.0, 70.0, 300.0]
    again = list(recorded(read(*lines).intervals, "blue", "green"))
    assert again == lines
    found = read(*lines).intervals[1].arms
    assert found["candidate"] == arms["candidate"]
    assert found["baseline"].latency == arms["baseline"].latency
    assert found["baseline"].edges == pytest.approx(edges, rel=1e-14)


def test_lines_may_come_in_any_order():
    late = [line(start=5), line(start=5, deployment="green")]

    found = read(*late, line(), GREEN)

    assert [each.start for each in found.intervals] == [0.0, 5.0]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["{"], "r.jsonl:1:2: line: It is not JSON"),
        ([line(), "nonsense"], "r.jsonl:2:1: line: It is not JSON"),
        (["[1]"], "r.jsonl:1:1: line: It is no JSON object."),
        (["[" * 100_000], "r.jsonl:1:1: line: It is nested too deeply."),
        ([line(colour="red")], "r.jsonl:1:1: colour: There is no such key."),
        ([line(errors=...)], "r.jsonl:1:1: errors: It is missing."),
        ([line(start="noon")], "r.jsonl:1:1: start: It is no number."),
        ([line(start=True)], "r.jsonl:1:1: start: It is no number."),
        ([line(start=float("nan"))], "r.jsonl:1:1: start: It is no number."),
        ([line(seconds=0)], "r.jsonl:1:1: seconds: It is no number above 0."),
        ([line(seconds=float("inf"))], "r.jsonl:1:1: seconds: It is no number above 0."),
        ([line(deployment="red")], "deployment: 'red' is none of the plan's. The plan has blue"),
        ([line(deployment=["blue"])], "deployment: ['blue'] is none of the plan's."),
        ([line(requests=-1)], "r.jsonl:1:1: requests: It is no whole number from 0 on."),
        ([line(requests=1.5)], "r.jsonl:1:1: requests: It is no whole number from 0 on."),
        ([line(errors=10)], "errors: It is no whole number from 0 to requests."),
        ([line(errors=None)], "errors: It is no whole number from 0 to requests."),
        ([line(latency_ms=5)], "r.jsonl:1:1: latency_ms: It is no list."),
        ([line(latency_ms=[[1, 2], [3]])], "latency_ms[1]: [3] is no such pair."),
        ([line(latency_ms=[[0, 2]])], "latency_ms[0]: [0, 2] is no such pair."),
        ([line(latency_ms=[[5, -2]])], "latency_ms[0]: [5, -2] is no such pair."),
        ([line(latency_ms=[["x" * 99, 2]])], '...'),
        ([line(edges_ms=5)], "r.jsonl:1:1: edges_ms: It is no list of ascending numbers."),
        ([line(edges_ms=[5, 5])], "r.jsonl:1:1: edges_ms: It is no list of ascending numbers."),
        ([line(edges_ms=[5, None])], "r.jsonl:1:1: edges_ms: It is no list of ascending numbers."),
        ([line(edges_ms=[5, 9], latency_ms=[[7, 1]])], "latency_ms[0]: [7, 1] is no such pair."),
        ([line(), GREEN, line()], "r.jsonl:3:1: start: Another line has the same deployment"),
        ([line(), line(start=0.5, deployment="green")], "r.jsonl:2:1: start: It overlaps"),
        ([line()], "There is no line of green. Record both blue and green."),
        ([], "There is no line of blue."),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_recording_is_told_with_its_place(lines, told):
    with pytest.raises(PlanInvalid) as error:
        read(*lines)

    assert any(told in str(each) for each in error.value.findings)
    assert error.value.code == 65
    assert str(error.value).startswith("The recording r.jsonl has ")


def test_of_a_file_of_another_form_only_the_first_findings_are_told():
    with pytest.raises(PlanInvalid) as error:
        read(*(["nonsense"] * 1000))

    assert len(error.value.findings) == MOST
    assert "20 or more findings" in error.value.what


def replay(*seconds):
    names = {"baseline": "blue", "candidate": "green"}
    lines, start = [], 0.0
    for each in seconds:
        lines += [line(start=start, seconds=each, deployment=name) for name in names.values()]
        start += each
    return Replay(read(*lines))


def test_a_recording_is_replayed_interval_by_interval():
    source = replay(1.0, 2.0, 1.0)
    source.restart()

    found = []
    for at in range(4):
        source.flow(float(at), at + 1.0, Shares(live=0.1))
        found.append(source.taken(float(at), at + 1.0, histogram=True))

    assert [each and each.arms["candidate"].requests for each in found] == [9, None, 9, 9]
    assert source.exposure.requests == 27
    assert not source.over


def test_intervals_that_closed_together_are_told_together():
    source = replay(0.25, 0.25, 0.25, 0.25)
    source.flow(0.0, 1.0, Shares(mirrored=0.1))

    found = source.taken(0.0, 1.0, histogram=False)

    assert found == Interval(0.0, 1.0, {"baseline": Arm(36, 0), "candidate": Arm(36, 0)})
    assert source.exposure.requests == 0


def test_behind_the_end_of_a_recording_nothing_can_be_measured():
    source = replay(1.0)
    source.flow(0.0, 1.0, Shares())
    source.taken(0.0, 1.0, histogram=True)

    with pytest.raises(EndpointAway):
        source.taken(1.0, 2.0, histogram=True)

    assert source.over


def test_a_recording_stands_still_while_nobody_observes():
    source = replay(1.0, 1.0)
    source.flow(0.0, 500.0, Shares())
    source.restart()
    source.flow(500.0, 501.0, Shares())

    found = source.taken(500.0, 501.0, histogram=True)

    assert found.arms["baseline"].requests == 9
