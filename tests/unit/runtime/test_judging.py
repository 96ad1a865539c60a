"""One gate judged now: on the split as it is, for as long as it takes, and nothing is written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.domain.criteria import Gate
from rollout.domain.errors import UsageError
from rollout.domain.verdict import Judgement, Verdict
from rollout.runtime.hearing import Hearing, Interest
from rollout.runtime.judging import judge_now
from tests.fakes.clock import FakeClock
from tests.fakes.endpoint import FakeEndpoint, World
from tests.unit.runtime.values import ERRORS, PLAN

QUICK = Gate("canary", (ERRORS,), min_duration=5.0, max_duration=3600.0, min_requests=50)


class Stand:
    def __init__(self, traffic: dict[str, int], mirror: dict[str, int] | None = None) -> None:
        self.clock = FakeClock()
        self.world = World(self.clock, rps=200.0)
        self.world.serve("blue")
        self.world.serve("green")
        self.world.by_hand(traffic, mirror)
        self.told: list[Judgement] = []

    def judge(self, gate: str = "canary", seconds: float = 120.0) -> Judgement:
        plan = replace(PLAN, gates={"canary": QUICK})
        endpoint = FakeEndpoint(plan, self.world)
        return judge_now(
            plan,
            gate,
            endpoint,
            Hearing(Interest.of(plan)),
            self.clock,
            seconds=seconds,
            told=self.told.append,
        )


def test_a_healthy_candidate_passes() -> None:
    stand = Stand({"blue": 80, "green": 20})

    assert stand.judge().verdict is Verdict.PASS
    assert stand.world.writes == []


def test_a_bad_one_fails_also_on_mirrored_copies() -> None:
    stand = Stand({"blue": 100}, {"green": 50})
    stand.world.behave("green", error_rate=0.2)

    assert stand.judge().verdict is Verdict.FAIL


def test_time_that_is_too_short_is_no_verdict() -> None:
    stand = Stand({"blue": 80, "green": 20})

    assert stand.judge(seconds=3.0).verdict is Verdict.RUNNING
    assert stand.told


def test_a_source_that_does_not_answer_is_an_error() -> None:
    stand = Stand({"blue": 80, "green": 20})
    stand.world.break_metrics(1e6)

    with pytest.raises(Exception, match="measure"):
        stand.judge()


@pytest.mark.parametrize(
    ("gate", "traffic", "what"),
    [
        ("cannary", {"blue": 50, "green": 50}, "no gate 'cannary'"),
        ("canary", {"blue": 100}, "green gets no requests"),
    ],
)
def test_a_question_without_sense_is_refused(gate: str, traffic: dict[str, int], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        Stand(traffic).judge(gate)
