"""Evidence is plain JSON, goes on bit by bit, and takes each interval once."""

import json
import math
from dataclasses import replace
from itertools import islice

import pytest
from hypothesis import given, settings, strategies as st

from rollout.domain.criteria import Check
from rollout.domain.errors import RolloutError
from rollout.domain.measure import NEVER, Arm, Interval
from rollout.domain.plan import Shift, Stage
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.units import Allowance
from rollout.domain.verdict import Verdict
from rollout.gates.judge import enter, fresh, ingest, judge
from tests.unit.gates.traffic import (
    ERRORS,
    ERRORS_MAX,
    SLOW,
    SLOW_MAX,
    errors,
    feed,
    interval,
    latencies,
    rules,
)

HUGE = 10**12
STAGES = (Stage("a", Shift(10), "canary"), Stage("b", Shift(20)), Stage("c", Shift(50), "canary"))
ALL = rules(ERRORS, SLOW, ERRORS_MAX, SLOW_MAX, stages=STAGES, warm_up=5.0)
THREE = rules(ERRORS, SLOW, ERRORS_MAX, warm_up=10.0)


def test_evidence_of_another_version_is_not_continued():
    other = {**enter(THREE, fresh(), 0), "grid": "24a"}

    for go_on in (
        lambda: enter(THREE, other, 0),
        lambda: ingest(THREE, other, interval(0, (0, 5), (0, 45))),
        lambda: judge(THREE, other),
    ):
        with pytest.raises(RolloutError, match="another version's") as told:
            go_on()
        assert "rollout abort" in told.value.do


def stored(evidence):
    return json.loads(json.dumps(evidence, allow_nan=False))


@st.composite
def arms(draw):
    requests = draw(st.sampled_from([0, 1, 5, 300, HUGE]))
    errors = draw(st.integers(0, requests))
    latency = None
    if draw(st.booleans()):
        latency = {draw(st.integers(500, 700)): requests - errors, NEVER: errors}
    return Arm(requests, errors, latency)


@st.composite
def histories(draw):
    """Steps of a run: the index of a stage to enter, or both arms of an interval."""
    steps = st.one_of(st.integers(0, 2), st.tuples(arms(), arms()), st.tuples(arms(), arms()))
    return [0, *draw(st.lists(steps, min_size=1, max_size=12))]


def replay(history, keep):
    evidence, judged = keep(fresh()), []
    for at, step in enumerate(history):
        if isinstance(step, int):
            evidence = keep(enter(ALL, evidence, step))
        else:
            both = dict(zip((BASELINE, CANDIDATE), step, strict=True))
            evidence = keep(ingest(ALL, evidence, Interval(at * 7.1, (at + 1) * 7.1, both)))
        judged.append(judge(ALL, evidence))
    return evidence, judged


@settings(max_examples=60)
@given(histories())
def test_a_run_resumed_after_every_step_ends_bit_by_bit_as_an_undisturbed_one(history):
    undisturbed, judged = replay(history, lambda evidence: evidence)
    resumed, again = replay(history, stored)

    assert stored(undisturbed) == resumed
    assert judged == again
    for one in judged:
        assert all(map(math.isfinite, (one.evidence, one.bound, one.observed_seconds)))
        for check in one.checks:
            assert 0.0 <= check.toward_rollback <= 1.0
            assert 0.0 <= check.toward_pass <= 1.0


def test_resuming_real_traffic_changes_nothing():
    batches = list(islice(latencies(4, lambda at: 1.2, seconds=5), 60))
    plain = feed(THREE, batches)
    resumed = stored(enter(THREE, fresh(), 0))
    for one in batches:
        resumed = stored(ingest(THREE, resumed, one))

    assert stored(plain) == resumed
    assert judge(THREE, plain) == judge(THREE, resumed)


def test_evidence_is_a_value():
    batches = list(islice(latencies(4, lambda at: 1.0, seconds=20), 3))
    before = feed(THREE, batches[:2])
    text = json.dumps(before)

    ingest(THREE, before, batches[2])
    enter(THREE, before, 0)
    judge(THREE, before)

    assert json.dumps(before) == text


def test_the_evidence_of_three_checks_stays_below_twelve_kilobytes():
    evidence = feed(THREE, islice(latencies(4, lambda at: 1.0, seconds=5), 200))

    assert len(json.dumps(evidence)) < 12_000


def test_an_interval_enters_once():
    one = interval(0, (2, 10), (1, 90))
    once = feed(THREE, [one])

    assert ingest(THREE, once, one) == once
    assert ingest(THREE, once, replace(one, start=-5.0, end=0.5)) == once


@pytest.mark.parametrize(
    "broken", [Arm(-1, 0), Arm(5, -1), Arm(5, 0, {600: -5}), Arm(-50, -50, {600: 5})]
)
def test_a_counter_that_was_reset_drops_the_interval_but_not_the_time(broken):
    begun = feed(THREE, [interval(0, (0, 5), (0, 45))])

    after = ingest(THREE, begun, Interval(1, 2, {CANDIDATE: broken, BASELINE: Arm(45, 0)}))

    assert after["tracks"] == begun["tracks"]
    assert judge(THREE, after).observed_seconds == 2.0
    assert judge(THREE, after).checks[0].candidate_requests == 5


def test_more_errors_than_requests_are_all_of_them():
    every = feed(THREE, [interval(0, (5, 5), (0, 45))])

    assert feed(THREE, [interval(0, (7, 5), (0, 45))]) == every


@settings(max_examples=60)
@given(
    st.lists(st.tuples(*[st.integers(0, 20)] * 2), min_size=2, max_size=8),
    st.integers(0, 7),
    st.integers(1, 20),
)
def test_evidence_is_monotone_in_the_errors_of_either_arm(batches, where, more):
    rule = rules()
    where = min(where, len(batches) - 1)

    def evidence(candidate, baseline):
        found = [
            interval(
                at,
                (min(20, x + candidate * (at == where)), 20),
                (min(180, y + baseline * (at == where)), 180),
            )
            for at, (x, y) in enumerate(batches)
        ]
        (track,) = feed(rule, found)["tracks"].values()
        return track["log_e"]

    plain = evidence(0, 0)
    assert evidence(more, 0) >= plain - 1e-9 * (1 + abs(plain))
    assert evidence(0, more) <= plain + 1e-9 * (1 + abs(plain))


@pytest.mark.parametrize("requests", [(1, HUGE), (HUGE, 1), (HUGE, HUGE)])
@pytest.mark.parametrize("failing", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_counts_of_a_trillion_overflow_nothing(requests, failing):
    mine, theirs = requests
    sides = ((BASELINE, theirs, failing[1]), (CANDIDATE, mine, failing[0]))
    arms = {
        role: Arm(count, bad * count, {NEVER if bad else 600: count}) for role, count, bad in sides
    }
    learn = Interval(0, 60, {BASELINE: Arm(HUGE, 0, {600: HUGE}), CANDIDATE: Arm()})

    evidence = feed(THREE, [learn, *(Interval(60.0 * at, 60.0 * at + 60, arms) for at in (1, 2))])
    judged = judge(THREE, stored(evidence))

    assert judged.verdict in {Verdict.RUNNING, Verdict.PASS, Verdict.FAIL}
    assert math.isfinite(judged.evidence)
    assert all(check.reason for check in judged.checks)


def test_new_criteria_start_a_process_of_their_own():
    old, new = (
        rules(),
        rules(
            Check("error_rate", tolerance=Allowance(points=0.002), margin=Allowance(points=0.01))
        ),
    )
    evidence = feed(old, islice(errors(1, base=0.005, bad=0.02), 20))

    changed = feed(new, [interval(20, (1, 5), (0, 45))], evidence)

    assert len(changed["tracks"]) == 2
    assert judge(new, changed).checks[0].candidate_requests == 5
    assert changed["tracks"].items() >= evidence["tracks"].items()
