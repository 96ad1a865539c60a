"""A source that lies minutes behind: nothing is judged early, nothing too soon given up."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice, pairwise

import pytest

from rollout.domain.advance import advance
from rollout.domain.criteria import Check, Gate
from rollout.domain.endpoint import Seen
from rollout.domain.errors import EndpointAway
from rollout.domain.events import Measured
from rollout.domain.measure import Interval
from rollout.domain.roles import CANDIDATE
from rollout.domain.run import Split, Step
from rollout.domain.units import Allowance
from rollout.domain.verdict import Verdict
from rollout.gates.rules import compile_rules
from rollout.ports.endpoint import Reading
from rollout.runtime.hearing import Hearing, Interest
from rollout.runtime.judging import judge_now
from rollout.runtime.meter import SILENCE, Meter
from tests.fakes.clock import FakeClock
from tests.unit.gates.traffic import minutes
from tests.unit.runtime.values import ERRORS, PLAN, at, run

DELAY, MINUTE = 120.0, 60.0
SLOW = Check("latency", 0.95, tolerance=Allowance(1.1), margin=Allowance(1.2))
GATE = Gate("canary", (ERRORS, SLOW), min_duration=300.0, max_duration=1800.0)
GATED = replace(PLAN, gates={"canary": GATE})


class Minutely:
    """An endpoint whose minutes are told two minutes after they ended, as Azure Monitor's are.

    Args:
        clock: Time.
        turn: When the candidate's bad time ended: before it, it fails every request.
        dead: From when on no request comes.
    """

    lag = DELAY + MINUTE + 15.0
    measure_pace = 15.0

    def __init__(self, clock, *, turn=-math.inf, dead=math.inf):
        self.clock, self.turn, self.dead = clock, turn, dead
        self.reads = []
        self.away = self.mute = False
        self.first = math.floor(clock.now() / MINUTE) * MINUTE - 1800.0
        self.made = list(islice(minutes(1, errors=0.005), 240))

    def observe(self):
        return Seen(exists=True, traffic={"blue": 90, "green": 10})

    def history(self, *, seconds, batch):
        return ()

    def cursor(self):
        return f"{math.ceil(self.clock.now() / MINUTE) * MINUTE}"

    def read(self, cursor, *, mirrored, histogram, answers=False):
        self.reads.append(self.clock.now())
        if self.away:
            raise EndpointAway("No.", do="Wait.")
        start = float(cursor)
        end = math.floor((self.clock.now() - DELAY) / MINUTE) * MINUTE
        if end <= start or self.mute:
            return Reading(cursor, None)
        whole = Interval(start, end, {})
        for number in range(round((start - self.first) / 60), round((end - self.first) / 60)):
            whole = whole.plus(self._minute(number))
        return Reading(str(end), replace(whole, start=start, end=end))

    def _minute(self, number):
        begun = self.first + number * MINUTE
        made = self.made[number]
        if begun >= self.dead:
            return Interval(begun, begun + MINUTE, {})
        arms = {}
        for role, arm in made.arms.items():
            bad = arm.requests if role == CANDIDATE and begun < self.turn else arm.errors
            (one,) = arm.published
            arms[role] = replace(
                arm, errors=bad, published=(replace(one, start=begun, errors=bad),)
            )
        return Interval(begun, begun + MINUTE, arms)


class Watch:
    """A meter with its run."""

    def __init__(self, **source):
        self.clock = FakeClock()
        self.clock.sleep(17.0)  # not on a whole minute
        self.endpoint = Minutely(self.clock, **source)
        self.meter = Meter(self.endpoint, compile_rules(GATED), self.clock)
        split = Split({"blue": 90, "green": 10})
        self.run = run(at=at("canary"), step=Step.OBSERVING, expected=split)
        self.began = self.clock.now()
        self.keep(self.meter.begin(self.run))

    def keep(self, event):
        self.run = advance(self.run, event, self.clock.now())
        return event

    def until(self, seconds):
        """What is appended until a verdict, or for so long."""
        end, made = self.clock.now() + seconds, []
        while self.clock.now() < end and not self.decided:
            measured = self.meter.measure(self.run, mirrored=False)
            if isinstance(measured, Measured):
                made.append(self.keep(measured))
            self.clock.sleep(1.0)
        return made

    @property
    def decided(self):
        judged = self.run.judgement
        return judged is not None and judged.verdict is not Verdict.RUNNING

    @property
    def seconds(self):
        return self.clock.now() - self.began


def test_what_was_before_the_set_point_is_not_the_stages():
    """The candidate failed everything until the split was written; none of it is read."""
    watch = Watch()
    watch.endpoint.turn = watch.began

    made = watch.until(3600.0)

    intervals = [each for one in made for each in one.intervals]
    assert intervals[0].start >= watch.began
    assert watch.run.judgement.verdict is Verdict.PASS
    assert all(a.end == b.start for a, b in pairwise(intervals))


def test_a_pass_comes_as_much_later_as_the_source_lies_behind():
    watch = Watch()

    watch.until(3600.0)

    judged = watch.run.judgement
    assert judged.verdict is Verdict.PASS
    assert judged.observed_seconds >= GATE.min_duration
    late = watch.seconds - judged.observed_seconds
    assert DELAY <= late <= Minutely.lag + MINUTE  # the minute in which the stage began is no one's


def test_a_gate_is_inconclusive_once_its_time_is_measured_and_not_before():
    watch = Watch()
    watch.endpoint.dead = watch.began

    watch.until(7200.0)

    judged = watch.run.judgement
    assert (judged.verdict, judged.cause) == (Verdict.INCONCLUSIVE, "no_data")
    assert judged.observed_seconds == GATE.max_duration
    assert watch.seconds >= GATE.max_duration + DELAY


def test_the_lag_is_no_silence():
    watch = Watch()
    watch.endpoint.mute = True

    watch.until(SILENCE + Minutely.lag - 20.0)
    assert watch.run.judgement is None

    watch.until(60.0)
    assert watch.run.judgement.verdict is Verdict.ERROR


def test_the_source_is_asked_at_its_own_pace():
    watch = Watch()

    watch.until(150.0)

    reads = watch.endpoint.reads
    assert len(reads) == 10
    assert all(b - a >= Minutely.measure_pace for a, b in pairwise(reads))


def test_a_source_that_is_seldom_asked_is_longer_believed():
    watch = Watch()
    watch.endpoint.away = True

    watch.until(4 * Minutely.measure_pace - 2)
    assert watch.run.judgement is None

    watch.until(40.0)
    assert watch.run.judgement.verdict is Verdict.ERROR


@pytest.mark.parametrize("bad", [False, True], ids=["healthy", "bad"])
def test_a_gate_judged_now_waits_for_what_lies_behind(bad):
    clock = FakeClock()
    endpoint = Minutely(clock, turn=math.inf if bad else -math.inf)

    said = judge_now(
        GATED,
        "canary",
        endpoint,
        Hearing(Interest.of(GATED)),
        clock,
        seconds=1200.0,
        told=lambda _: None,
    )

    assert said.verdict is (Verdict.FAIL if bad else Verdict.PASS)


def test_a_gate_judged_now_has_all_the_time_it_was_given():
    clock = FakeClock()
    began = clock.now()

    said = judge_now(
        GATED,
        "canary",
        Minutely(clock),
        Hearing(Interest.of(GATED)),
        clock,
        seconds=120.0,
        told=lambda _: None,
    )

    assert said.verdict is Verdict.RUNNING
    assert said.observed_seconds >= 120.0
    assert clock.now() - began >= 120.0 + Minutely.lag
