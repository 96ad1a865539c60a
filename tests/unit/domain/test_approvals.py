"""Whose yes counts, how often, until when."""

from __future__ import annotations

import pytest

from rollout.domain import approvals, events as e
from rollout.domain.advance import advance
from rollout.domain.plan import Approve, Stage
from rollout.domain.run import Approval, Phase, Step
from tests.unit.domain.samples import ENTERED, NOW, fresh

TWO = Approve(by=("eve", "Kim", "ada"), count=2, expires=600.0)
STAGE = Stage("approve", TWO)


def waiting(*said: Approval, work: Approve = TWO, **changes):
    stage = Stage("approve", work)
    base = {"stages": (stage,), "step": Step.OBSERVING, "since": ENTERED, "approvals": said}
    return fresh(**base | changes)


def yes(by: str, at: float = NOW, stage: str = "approve") -> Approval:
    return Approval(stage, by, at)


@pytest.mark.parametrize(
    ("said", "counted"),
    [
        ((), []),
        ((yes("eve"), yes("kim")), ["eve", "kim"]),
        ((yes("eve"), yes("EVE"), yes("eve ")), ["eve"]),
        ((yes("ada"), yes("eve")), ["eve"]),
        ((yes("mallory"), yes("eve", stage="other")), []),
        ((yes("eve", ENTERED + 600), yes("kim", ENTERED + 601)), ["eve"]),
    ],
    ids=["nobody", "two", "one twice", "author", "strangers", "too late"],
)
def test_only_different_people_who_may_and_in_time_count(said, counted):
    run = waiting(*said)

    assert [each.by for each in approvals.given(run, STAGE, TWO)] == counted


@pytest.mark.parametrize(
    ("work", "who", "may"),
    [
        (Approve(), "ada", False),
        (Approve(), "Ada", False),
        (Approve(), "eve", True),
        (Approve(author=True), "ada", True),
        (Approve(by=("ada",), author=True), "eve", False),
        (Approve(by=("ada",)), "ada", False),
    ],
)
def test_whoever_started_it_does_not_count_unless_the_plan_says_so(work, who, may):
    assert approvals.may(waiting(work=work), work, who) is may


@pytest.mark.parametrize(
    ("work", "told"),
    [
        (TWO, "eve or Kim"),
        (Approve(), "anybody but ada"),
        (Approve(author=True), "anybody"),
        (Approve(by=("ada",)), "nobody"),
    ],
)
def test_who_may_approve_is_said(work, told):
    assert approvals.who_may(waiting(work=work), work) == told


def test_how_far_it_is_is_said():
    assert approvals.standing(waiting(yes("eve")), STAGE, TWO) == "1 of 2 approvals: eve"
    assert approvals.standing(waiting(), STAGE, TWO) == "0 of 2 approvals"


def test_an_approval_of_another_plan_is_ignored():
    run = waiting()

    assert advance(run, e.Approved("approve", "another-digest", "eve", NOW), NOW) == run


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({}, True),
        ({"phase": Phase.PAUSED}, True),
        ({"phase": Phase.HELD}, False),
        ({"step": Step.ENTERING}, False),
        ({"at": 1}, False),
    ],
)
def test_a_run_asks_only_while_it_waits_there(changes, asked):
    assert (approvals.asked(waiting(**changes)) is TWO) is asked
