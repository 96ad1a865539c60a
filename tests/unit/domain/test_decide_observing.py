"""What happens while a stage holds, as tables: drift, gates, approvals, pauses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rollout.domain import events as e
from rollout.domain.decide import decide
from rollout.domain.decisions import Ask, On, Question, Wait
from rollout.domain.endpoint import Condition, Seen, SetSplit
from rollout.domain.plan import Approve, OnFailure, Stage
from rollout.domain.run import Approval, Phase, Split, Why
from rollout.domain.verdict import Verdict
from tests.unit.domain.samples import (
    BLUE,
    BLUE_90,
    BLUE_100,
    ENTERED,
    GREEN,
    MIRRORED,
    NOW,
    STAGES,
    because,
    condition,
    entering,
    holding,
    judged,
    observing,
    seen_at,
    seen_of,
    told,
)

# --- drift ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "due"),
    [
        (seen_of(Split({"blue": 50, "green": 50})), ("held", Why.DRIFT)),
        (seen_of(BLUE_100), ("held", Why.DRIFT)),
        (seen_of(Split({"blue": 90, "green": 10}, {"green": 5})), ("held", Why.DRIFT)),
        (seen_of(BLUE_90, green=None), ("held", Why.DRIFT)),
        (seen_of(BLUE_90, blue=None), ("held", Why.DRIFT)),
        (seen_of(BLUE_90, blue=condition(BLUE, Condition.FAILED)), ("held", Why.BASELINE_FAILED)),
        (seen_of(BLUE_90, green=replace(GREEN, digest="another")), ("held", Why.DRIFT)),
        (seen_of(BLUE_90, busy=True), Question.OBSERVE),
        (seen_of(BLUE_90), Question.OBSERVE),
    ],
)
def test_a_change_by_hand_is_noticed_in_the_middle_of_a_gate(seen: Seen, due: object) -> None:
    assert told(decide(observing("shift-10"), seen, NOW)) == due


def test_a_refusal_that_a_persons_change_explains_is_drift() -> None:
    run = entering("shift-10", trouble=because(Why.EFFECT_REFUSED))

    assert told(decide(run, seen_at("shift-10"), NOW)) == ("back", Why.EFFECT_REFUSED)
    assert told(decide(run, seen_at("shift-10", green=None), NOW)) == ("held", Why.DRIFT)


# --- observing ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, Question.OBSERVE),
        ({"cursor": "c"}, Question.MEASURE),
        ({"cursor": "c", "judgement": judged(Verdict.RUNNING)}, Question.MEASURE),
        ({"cursor": "c", "judgement": judged(Verdict.PASS)}, e.StagePassed),
        ({"cursor": "c", "judgement": judged(Verdict.PASS, "guard")}, Question.MEASURE),
        ({"cursor": "c", "judgement": judged(Verdict.FAIL)}, ("back", Why.GATE_FAILED)),
        ({"cursor": "c", "judgement": judged(Verdict.FAIL, "guard")}, ("back", Why.GATE_FAILED)),
        ({"cursor": "c", "judgement": judged(Verdict.INCONCLUSIVE)}, ("held", Why.INCONCLUSIVE)),
        ({"cursor": "c", "judgement": judged(Verdict.ERROR)}, ("held", Why.SOURCE)),
    ],
)
def test_a_gate_passes_on_its_own_evidence_only(changes: dict[str, Any], due: object) -> None:
    run = observing("shift-10", **changes)

    assert told(decide(run, holding(run), NOW)) == due


def test_an_inconclusive_gate_rolls_back_where_the_plan_says_so() -> None:
    run = observing("shift-100", judgement=judged(Verdict.INCONCLUSIVE, "bake"))

    assert told(decide(run, holding(run), NOW)) == ("back", Why.INCONCLUSIVE)


def test_a_failing_gate_is_held_where_the_plan_says_so_but_a_deadline_is_not() -> None:
    hold = OnFailure(action="hold")
    failing = observing("shift-10", on_failure=hold, judgement=judged(Verdict.FAIL))
    late = observing("shift-10", on_failure=hold, deadline=NOW)

    assert told(decide(failing, holding(failing), NOW)) == ("held", Why.GATE_FAILED)
    assert told(decide(late, holding(late), NOW)) == ("back", Why.DEADLINE)


@pytest.mark.parametrize(
    "seen",
    [seen_of(BLUE_100), seen_of(BLUE_90, busy=True), seen_of(BLUE_90, green=None)],
)
def test_a_failing_verdict_outranks_a_busy_or_changed_endpoint(seen: Seen) -> None:
    run = observing("shift-10", judgement=judged(Verdict.FAIL))

    assert told(decide(run, seen, NOW)) == ("back", Why.GATE_FAILED)


@pytest.mark.parametrize(
    ("later", "verdict", "due"),
    [
        (60, None, Question.OBSERVE),
        (1800, None, Question.OBSERVE),
        (60, Verdict.PASS, Question.OBSERVE),
        (1800, Verdict.PASS, e.StagePassed),
        (60, Verdict.FAIL, ("back", Why.GATE_FAILED)),
    ],
)
def test_a_wait_needs_its_time_and_its_gate(
    later: float, verdict: Verdict | None, due: object
) -> None:
    run = observing("wait", judgement=judged(verdict) if verdict else None)

    assert told(decide(run, holding(run), ENTERED + later)) == due


YES = Approval("approve", "ada", NOW)
STRANGER = Approval("approve", "bob", NOW)
OTHER_STAGE = Approval("another", "ada", NOW)


@pytest.mark.parametrize(
    ("approvals", "later", "due"),
    [
        ((), 60, Question.MEASURE),
        ((STRANGER, OTHER_STAGE), 60, Question.MEASURE),
        ((STRANGER, YES), 60, e.StagePassed),
        ((YES,), 86400, e.StagePassed),
        ((), 86400, ("back", Why.EXPIRED)),
        ((STRANGER,), 86400, ("back", Why.EXPIRED)),
    ],
)
def test_an_approval_is_for_its_stage_by_who_may_and_in_time(
    approvals: tuple[Approval, ...], later: float, due: object
) -> None:
    run = observing("approve", approvals=approvals, cursor="c")

    assert told(decide(run, holding(run), ENTERED + later)) == due


def test_an_approval_does_not_replace_the_gate_of_its_stage() -> None:
    stages = (*STAGES[:7], Stage("approve", Approve(author=True), gate="canary"), *STAGES[8:])
    run = observing("approve", stages=stages, approvals=(YES,))
    passed = replace(run, judgement=judged(Verdict.PASS))

    assert told(decide(run, holding(run), NOW)) == Question.OBSERVE
    assert told(decide(passed, holding(run), NOW)) == e.StagePassed
    waiting = replace(passed, approvals=(), expected=BLUE_100)
    assert decide(waiting, seen_of(BLUE_100), NOW) == Wait(On.APPROVAL)


def test_a_wait_tells_on_what_unless_the_guard_has_to_look() -> None:
    idle = observing("approve", expected=BLUE_100)
    later = entering("shift-50", expected=BLUE_100)

    assert decide(idle, holding(idle), NOW) == Wait(On.APPROVAL, ENTERED + 86400)
    assert decide(later, holding(later), NOW) == Wait(On.TIMER, ENTERED + 600)
    live = entering("shift-50", cursor="c")
    assert decide(live, holding(live), NOW) == Ask(Question.MEASURE)


# --- paused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "seen", "due"),
    [
        ({}, seen_of(BLUE_90), Question.OBSERVE),
        ({"cursor": "c"}, seen_of(BLUE_90), Question.MEASURE),
        ({"judgement": judged(Verdict.FAIL)}, seen_of(BLUE_90), ("back", Why.GATE_FAILED)),
        ({"judgement": judged(Verdict.INCONCLUSIVE)}, seen_of(BLUE_100), On.PERSON),
        ({"deadline": NOW}, seen_of(BLUE_90), ("back", Why.DEADLINE)),
        (
            {},
            seen_of(BLUE_90, green=condition(GREEN, Condition.FAILED)),
            ("back", Why.CANDIDATE_FAILED),
        ),
        ({}, seen_of(BLUE_100), On.PERSON),
        ({}, seen_of(Split({"blue": 50, "green": 50})), Question.OBSERVE),
    ],
)
def test_a_pause_stops_the_plan_but_neither_guard_nor_deadline(
    changes: dict[str, Any], seen: Seen, due: object
) -> None:
    run = observing("shift-10", phase=Phase.PAUSED, **changes)

    assert told(decide(run, seen, NOW)) == due


def test_a_pause_between_two_writes_just_waits() -> None:
    run = entering("smoke", phase=Phase.PAUSED)

    assert told(decide(run, seen_at("smoke"), NOW)) == On.PERSON


def test_a_write_that_lands_in_a_pause_is_recorded_so_that_its_guard_begins() -> None:
    wanted = SetSplit({"blue": 90, "green": 10})
    run = entering("shift-10", phase=Phase.PAUSED, intent=wanted, attempts=1)

    assert told(decide(run, seen_of(MIRRORED), NOW)) == On.PERSON
    assert told(decide(run, seen_of(BLUE_90), NOW)) == e.SetPointReached
