"""Measuring: every request once, few appends, and a broken source that does not stay unnoticed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from rollout.domain.advance import advance
from rollout.domain.events import SetPointReached, Unwatched
from rollout.domain.measure import Interval
from rollout.domain.run import Split, Step
from rollout.domain.verdict import Verdict
from rollout.gates.judge import SOURCE_ERRORS
from rollout.gates.rules import compile_rules
from rollout.runtime.hearing import Hearing, Interest
from rollout.runtime.meter import HISTOGRAM_EVERY, OUTAGE_STEP, SILENCE, UNREACHED, Meter
from tests.fakes.clock import FakeClock
from tests.fakes.endpoint import FakeEndpoint, World
from tests.unit.runtime.values import PLAN, at, run

LIVE, MIRRORED = Split({"blue": 90, "green": 10}), Split({"blue": 100}, {"green": 10})


class Scale:
    """A meter with its run; ``split`` is what the endpoint has."""

    def __init__(self, split=LIVE, stage="canary", rps=50.0):
        self.clock = FakeClock()
        self.world = World(self.clock, rps=rps)
        self.world.serve("blue")
        self.world.by_hand(split.traffic, split.mirror)
        self.meter = self.another()
        self.run = run(at=at(stage), step=Step.OBSERVING, expected=split)
        self.appends = []

    def another(self):
        endpoint = FakeEndpoint(PLAN, self.world)
        return Meter(endpoint, compile_rules(PLAN), self.clock)

    def keep(self, event):
        self.run = advance(self.run, event, self.clock.now())
        return event

    def begin(self):
        return self.keep(self.meter.begin(self.run))

    def pass_time(self, seconds, every=0.5):
        """Measure as a runner does; what was appended."""
        end, made = self.clock.now() + seconds, []
        while self.clock.now() < end:
            measured = self.meter.measure(self.run, mirrored=bool(self.run.expected.mirror))
            if measured is not None:
                made.append(self.keep(measured))
            self.clock.sleep(every)
        return made


@pytest.fixture
def scale():
    made = Scale()
    made.begin()
    return made


def test_appends_are_few_and_nothing_is_left_out(scale):
    made = scale.pass_time(60.0)

    assert 10 < len(made) < 31
    intervals = [each for one in made for each in one.intervals]
    assert all(a.end == b.start for a, b in pairwise(intervals))
    requests = sum(each.requests for each in made)
    assert requests == sum(each.arms["candidate"].requests for each in intervals)
    assert requests == scale.run.exposure.requests > 200


def test_a_long_bake_is_appended_once_a_minute(scale):
    scale.pass_time(1300.0)

    made = scale.pass_time(300.0)

    assert 4 <= len(made) <= 6


def test_copies_expose_nobody():
    scale = Scale(MIRRORED, "mirror")
    scale.begin()

    made = scale.pass_time(20.0)

    assert sum(each.arms["candidate"].requests for one in made for each in one.intervals) > 50
    assert scale.run.exposure.requests == 0


def test_latencies_come_now_and_then_and_cover_everything(scale):
    intervals = [each for one in scale.pass_time(31.0) for each in one.intervals]

    bearing = [each for each in intervals if each.arms["candidate"].latency is not None]
    assert 31 / HISTOGRAM_EVERY - 1 <= len(bearing) <= 31 / HISTOGRAM_EVERY + 1
    until = intervals.index(bearing[-1]) + 1
    counted = sum(each.arms["candidate"].requests for each in intervals[:until])
    assert sum(sum(each.arms["candidate"].latency.values()) for each in bearing) == counted


def test_what_was_not_journaled_is_read_again(scale):
    scale.clock.sleep(10.0)
    while (
        lost := scale.meter.measure(scale.run, mirrored=bool(scale.run.expected.mirror))
    ) is None:
        scale.clock.sleep(1.0)

    again = (
        scale.meter.measure(scale.run, mirrored=bool(scale.run.expected.mirror))
        or scale.pass_time(10.0)[0]
    )

    assert again.intervals[0].start == lost.intervals[0].start


def test_another_process_goes_on_where_the_journal_ends(scale):
    before = scale.pass_time(20.0)[-1]
    scale.meter = scale.another()

    after = scale.pass_time(20.0)[0]

    assert after.intervals[0].start == before.intervals[-1].end


def test_a_verdict_is_told_at_once_and_once(scale):
    scale.world.behave("green", error_rate=1.0)
    scale.clock.sleep(2.0)

    made = scale.pass_time(20.0)

    verdicts = [each.judgement.verdict for each in made]
    first = verdicts.index(Verdict.FAIL)
    assert set(verdicts[first:]) == {Verdict.FAIL}
    assert len(made) < 12


def test_a_pass_is_told_once_and_a_later_failure_again(scale):
    made = scale.pass_time(300.0)
    assert scale.run.judgement.verdict is Verdict.PASS
    passed = [each for each in made if each.judgement.verdict is Verdict.PASS]
    assert len(passed) < 40

    scale.world.behave("green", error_rate=1.0)
    scale.pass_time(30.0, every=1.0)

    assert scale.run.judgement.verdict is Verdict.FAIL


def test_doubts_behind_a_pass_are_no_news(scale):
    judged = scale.pass_time(5.0)[-1].judgement
    assert judged.verdict is Verdict.RUNNING
    scale.run = replace(scale.run, judgement=replace(judged, verdict=Verdict.PASS))

    made = scale.pass_time(20.0)

    assert len(made) <= 10


def test_a_source_that_stays_broken_is_an_error_of_its_own(scale):
    scale.pass_time(10.0)
    scale.world.break_metrics(1e6)

    scale.pass_time(4 * OUTAGE_STEP - 3)
    assert scale.run.judgement.verdict is Verdict.RUNNING
    made = scale.pass_time(20.0)

    assert [each.judgement.verdict for each in made] == [Verdict.ERROR]
    assert made[0].intervals == ()


def test_a_source_that_comes_back_is_believed_again(scale):
    scale.world.break_metrics(60.0)
    scale.pass_time(55.0)
    assert scale.run.judgement.verdict is Verdict.ERROR

    scale.pass_time(10.0)

    assert scale.run.judgement.verdict is Verdict.RUNNING


def test_a_source_that_says_nothing_is_broken_too(scale):
    scale.world.mute_metrics(1e6)

    scale.pass_time(SILENCE - 2)
    assert scale.run.judgement is None
    scale.pass_time(5.0)

    assert scale.run.judgement.verdict is Verdict.ERROR


def test_a_source_that_is_not_reached_at_first_begins_once_it_is():
    scale = Scale()
    scale.world.break_metrics(20.0)
    assert scale.begin().cursor == UNREACHED

    made = scale.pass_time(40.0)

    assert scale.run.judgement.verdict is Verdict.RUNNING
    assert made[0].intervals[0].start >= scale.world.clock.now() - 21.0
    assert made[0].cursor != UNREACHED


def test_a_second_attempt_at_a_stage_starts_its_counts_anew(scale):
    scale.pass_time(20.0)
    before = scale.run.evidence["stage"]["requests"]

    began = scale.begin()

    assert before[1] > 0
    assert began.evidence["stage"]["requests"] == [0, 0]
    assert scale.run.exposure.requests > 0


def test_behind_the_last_stage_its_guard_goes_on():
    scale = Scale(Split({"green": 100}), "delete")
    scale.run = replace(scale.run, at=len(PLAN.stages))
    scale.begin()

    scale.pass_time(10.0)

    assert scale.run.judgement.verdict is Verdict.RUNNING


# --- between runners ------------------------------------------------------------------


def test_the_time_without_a_runner_is_read_in_one_go(scale):
    scale.pass_time(10.0)
    scale.clock.sleep(600.0)
    scale.meter = scale.another()

    (measured, *_) = scale.pass_time(5.0)

    assert measured.intervals[0].end - measured.intervals[0].start > 590.0
    assert measured.requests > 2000
    assert not measured.lagging


def test_an_interval_with_a_lowered_share_is_marked_as_one(scale):
    scale.pass_time(10.0)
    scale.run = replace(scale.run, restores=LIVE)

    lowered = [each for one in scale.pass_time(10.0)[1:] for each in one.intervals]

    assert lowered
    assert not any(each.steady for each in lowered)
    scale.run = replace(scale.run, restores=None, steady=scale.clock.now())
    later = [each for one in scale.pass_time(10.0)[1:] for each in one.intervals]
    assert all(each.steady for each in later)


def test_an_interval_that_counts_what_was_sent_before_it_is_judged_by_when_that_was(scale):
    """A source that sees only sums, scrape by scrape, reaches back behind its interval's start."""
    scale.pass_time(10.0)
    scale.run = replace(scale.run, steady=scale.clock.now() - 5.0)
    read = scale.meter._endpoint.read

    def reaching_back(*args, **asked):
        found = read(*args, **asked)
        before = None if found.interval is None else found.interval.start - 8.0
        return replace(found, since=before)

    scale.meter._endpoint.read, begun = reaching_back, scale.clock.now()

    made = [each for one in scale.pass_time(20.0) for each in one.intervals]

    found = [each for each in made if each.start >= begun]
    assert len(found) > 10
    assert [each.steady for each in found] == [
        each.start - 8.0 >= scale.run.steady for each in found
    ]
    assert {each.steady for each in found} == {False, True}


def test_a_runner_that_leaves_puts_what_it_has_read_into_the_journal(scale):
    scale.meter.measure(scale.run, mirrored=False)
    scale.clock.sleep(1.0)
    assert scale.meter.measure(scale.run, mirrored=False) is None

    settled = scale.keep(scale.meter.settle(scale.run, mirrored=False))

    assert settled.intervals
    assert scale.meter.settle(scale.run, mirrored=False) is None


def test_a_step_that_begins_while_the_source_is_away_is_not_judged_by_the_one_before():
    scale = Scale()
    scale.world.break_metrics(20.0)
    scale.run = replace(scale.run, step=Step.ENTERING)
    scale.begin()
    scale.pass_time(5.0)
    scale.keep(SetPointReached("canary", LIVE))
    scale.begin()

    made = scale.pass_time(30.0)

    assert {each.judgement.gate for each in made} == {"canary"}
    assert not made[-1].evidence["stage"].get("guard")


def test_a_runner_that_read_nothing_says_so_once_and_four_are_a_broken_source(scale):
    scale.world.break_metrics(1e6)
    verdicts = []
    for _ in range(SOURCE_ERRORS):
        scale.meter = scale.another()
        scale.meter.measure(scale.run, mirrored=False)
        verdicts.append(scale.keep(scale.meter.settle(scale.run, mirrored=False)))
        assert scale.meter.settle(scale.run, mirrored=False) is None

    assert [each.source_errors for each in verdicts] == [1, 2, 3, 4]
    assert verdicts[-1].judgement.verdict is Verdict.ERROR


def test_what_is_lost_is_told_once(scale):
    interval = Interval(0.0, 60.0)

    scale.meter._note(scale.meter._wound(scale.run, 0.0), interval, "the log was removed")

    assert scale.meter.fresh_gaps() == (Unwatched(0.0, 60.0, "the log was removed"),)
    assert scale.meter.fresh_gaps() == ()


def test_answers_that_nobody_listened_to_are_a_gap(scale):
    scale.pass_time(10.0)
    scale.clock.sleep(600.0)
    interest = replace(Interest({}, (), ()), predictions=("$[0]",))
    endpoint = FakeEndpoint(PLAN, scale.world)
    scale.meter = Meter(endpoint, compile_rules(PLAN), scale.clock, Hearing(interest))

    scale.pass_time(5.0)

    (gap,) = scale.meter.fresh_gaps()
    assert gap.end - gap.start > 590.0
    assert "while a runner is here" in gap.what
