"""The way back, as tables: what a rollback does next, and when it tells a person."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rollout.domain import events as e
from rollout.domain.decide import decide
from rollout.domain.decisions import ATTEMPTS, On, Question, Rest
from rollout.domain.endpoint import Condition, DeleteDeployment, DeploymentSeen, Seen, SetSplit
from rollout.domain.plan import OnFailure
from rollout.domain.run import FINAL, Phase, Run, Split, Why
from rollout.domain.verdict import Judgement, Verdict
from tests.unit.domain.samples import (
    BLUE_90,
    BLUE_100,
    ENTERED,
    GREEN,
    GREEN_100,
    MIRRORED,
    NOW,
    because,
    condition,
    observing,
    seen_of,
    told,
)

EARLIER = replace(GREEN, run="r-0")


def going_back(**changes: Any) -> Run:
    run = observing("shift-10", phase=Phase.ROLLING_BACK, cause=because(Why.GATE_FAILED))
    return replace(run, **changes)


RESTORE = SetSplit({"blue": 100})


@pytest.mark.parametrize(
    ("changes", "seen", "due"),
    [
        ({}, seen_of(BLUE_90), RESTORE),
        ({}, seen_of(MIRRORED), RESTORE),
        ({}, seen_of(Split({"other": 100})), RESTORE),
        ({}, seen_of(BLUE_90, busy=True), On.PROVISIONING),
        ({}, seen_of(BLUE_90, green=condition(GREEN, Condition.FAILED)), RESTORE),
        ({"intent": RESTORE, "intended": NOW, "attempts": 1}, seen_of(BLUE_90), On.BACKOFF),
        ({"intent": RESTORE, "attempts": 99}, seen_of(BLUE_90), RESTORE),
        ({}, seen_of(BLUE_100), Question.VERIFY),
        ({}, seen_of(BLUE_100, green=condition(GREEN, Condition.CREATING)), Question.VERIFY),
        ({"tried": NOW - 1}, seen_of(BLUE_100), On.BACKOFF),
        ({"tried": NOW - 2}, seen_of(BLUE_100), Question.VERIFY),
        ({"checked": True}, seen_of(BLUE_90), RESTORE),
        ({"checked": True}, seen_of(BLUE_100), e.RolledBack),
        ({"checked": True}, seen_of(BLUE_100, green=None), e.RolledBack),
        (
            {"checked": True},
            seen_of(BLUE_100, green=condition(GREEN, Condition.CREATING)),
            On.PROVISIONING,
        ),
        ({}, seen_of(GREEN_100, blue=None), e.RollbackUnverified),
        ({"phase": Phase.UNVERIFIED}, seen_of(GREEN_100, blue=None), On.PERSON),
        ({"phase": Phase.UNVERIFIED}, seen_of(GREEN_100), RESTORE),
        ({"phase": Phase.UNVERIFIED, "checked": True}, seen_of(BLUE_100), e.RolledBack),
        ({"captured": None}, seen_of(BLUE_100), ("ended", Why.GATE_FAILED)),
        ({"captured": MIRRORED}, seen_of(MIRRORED), RESTORE),
    ],
)
def test_a_rollback_restores_shows_it_and_waits_for_the_candidate_to_come_to_rest(
    changes: dict[str, Any], seen: Seen, due: object
) -> None:
    assert told(decide(going_back(**changes), seen, NOW)) == due


DELETE_GREEN = DeleteDeployment("green")
TIDY = {"checked": True, "on_failure": OnFailure(candidate="delete")}


HANGING = replace(GREEN, condition=Condition.CREATING, removable=True)


@pytest.mark.parametrize(
    ("changes", "green", "due"),
    [
        ({}, GREEN, DELETE_GREEN),
        ({}, condition(GREEN, Condition.FAILED), DELETE_GREEN),
        ({}, condition(GREEN, Condition.DELETING), On.PROVISIONING),
        ({}, None, e.RolledBack),
        ({}, EARLIER, e.RolledBack),
        ({}, replace(GREEN, run=None), e.RolledBack),
        ({"intent": DELETE_GREEN, "attempts": ATTEMPTS - 1}, GREEN, DELETE_GREEN),
        ({"intent": DELETE_GREEN, "attempts": ATTEMPTS}, GREEN, e.RolledBack),
        ({"intent": RESTORE, "attempts": ATTEMPTS}, GREEN, DELETE_GREEN),
        ({"checked": False}, GREEN, Question.VERIFY),
        ({"on_failure": OnFailure(candidate="keep")}, GREEN, e.RolledBack),
        ({"on_failure": OnFailure(candidate="keep")}, HANGING, e.RolledBack),
        ({}, HANGING, DELETE_GREEN),
        ({}, replace(HANGING, removable=False), On.PROVISIONING),
    ],
)
def test_only_what_this_run_made_is_tidied_up_and_only_behind_a_verified_rollback(
    changes: dict[str, Any], green: DeploymentSeen | None, due: object
) -> None:
    run = going_back(**{**TIDY, **changes})

    assert told(decide(run, seen_of(BLUE_100, green=green), NOW)) == due


LATE = ENTERED + 600


@pytest.mark.parametrize(
    ("changes", "seen", "due"),
    [
        ({"attempts": 1, "intent": RESTORE}, seen_of(BLUE_90), e.RollbackUnverified),
        ({"tried": ENTERED}, seen_of(BLUE_100), e.RollbackUnverified),
        ({}, seen_of(BLUE_90, busy=True), e.RollbackUnverified),
        ({}, seen_of(BLUE_90), RESTORE),  # a runner that comes late tries it first
        ({}, seen_of(BLUE_100), Question.VERIFY),
        (
            {"checked": True},
            seen_of(BLUE_100, green=condition(GREEN, Condition.CREATING)),
            On.PROVISIONING,
        ),
        ({"phase": Phase.UNVERIFIED, "attempts": 9}, seen_of(BLUE_90), RESTORE),
    ],
)
def test_a_rollback_that_takes_too_long_tells_a_person_and_goes_on(
    changes: dict[str, Any], seen: Seen, due: object
) -> None:
    assert told(decide(going_back(**changes), seen, LATE)) == due


@pytest.mark.parametrize("phase", [each for each in Phase if each in FINAL])
def test_nothing_is_due_for_a_runner_in_a_final_run(phase: Phase) -> None:
    run = observing("shift-10", phase=phase, deadline=1.0)

    assert decide(run, seen_of(BLUE_90), NOW) == Rest()


FAILING = Judgement("canary", Verdict.FAIL, "20 % errors")
HOLD = OnFailure(action="hold")


@pytest.mark.parametrize(
    ("changes", "seen", "due"),
    [
        ({}, seen_of(BLUE_100), Rest),
        ({}, seen_of(MIRRORED), Rest),
        ({"cursor": None}, seen_of(BLUE_90), Question.OBSERVE),
        ({"cursor": "c"}, seen_of(BLUE_90), Question.MEASURE),
        ({"cursor": "c", "captured": None}, seen_of(BLUE_90), Rest),
        ({"cursor": "c", "deleted": True}, seen_of(GREEN_100), Rest),
        ({"cursor": "c", "on_failure": HOLD}, seen_of(BLUE_90), Rest),
        ({"cursor": "c", "judgement": FAILING}, seen_of(BLUE_90), ("back", Why.GATE_FAILED)),
        ({"judgement": FAILING}, seen_of(BLUE_100), Rest),
        (
            {},
            seen_of(BLUE_90, green=condition(GREEN, Condition.FAILED)),
            ("back", Why.CANDIDATE_FAILED),
        ),
        ({"deadline": NOW}, seen_of(BLUE_100), ("back", Why.DEADLINE)),
        ({"deadline": NOW, "on_failure": HOLD}, seen_of(BLUE_90), ("back", Why.DEADLINE)),
        ({"deadline": NOW, "captured": None}, seen_of(BLUE_100), ("ended", Why.DEADLINE)),
        ({"deadline": NOW, "deleted": True}, seen_of(GREEN_100), Rest),
    ],
)
def test_a_held_run_waits_for_a_person_with_its_guard_and_its_deadline_on(
    changes: dict[str, Any], seen: Seen, due: object
) -> None:
    run = replace(observing("shift-10"), phase=Phase.HELD, **changes)

    assert told(decide(run, seen, NOW)) == due
