"""How stages are entered, as tables: a run, the endpoint as seen and the time give one decision."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rollout.domain import events as e
from rollout.domain.decide import decide
from rollout.domain.decisions import ATTEMPTS, Act, Ask, On, Question, Record, Wait
from rollout.domain.endpoint import (
    Condition,
    CreateEndpoint,
    DeleteDeployment,
    DeploymentSeen,
    PutDeployment,
    ScaleDeployment,
    Seen,
    SetSplit,
)
from rollout.domain.plan import Delete, Mirror, Scale, Stage
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.run import Split, Why
from rollout.domain.verdict import Verdict
from tests.unit.domain.samples import (
    BLUE,
    BLUE_90,
    BLUE_100,
    ENTERED,
    GREEN,
    GREEN_100,
    MIRRORED,
    NOW,
    STAGES,
    because,
    condition,
    entering,
    fresh,
    judged,
    seen_at,
    seen_of,
    split_before,
    told,
)

ABSENT = Seen(exists=False)
PUT_GREEN = PutDeployment(CANDIDATE, "green")
PUT_BLUE = PutDeployment(BASELINE, "blue")


# --- bootstrap: an endpoint where nothing serves --------------------------------------

OURS = DeploymentSeen(Condition.READY, ready=1, run="r-0", digest="blue-spec")


def without_traffic(blue: DeploymentSeen | None) -> Seen:
    return seen_of(Split(), blue=blue, green=None)


@pytest.mark.parametrize(
    ("seen", "changes", "due"),
    [
        (ABSENT, {}, CreateEndpoint()),
        (without_traffic(None), {}, PUT_BLUE),
        (without_traffic(condition(OURS, Condition.CREATING)), {}, On.PROVISIONING),
        (without_traffic(condition(OURS, Condition.DELETING)), {}, On.PROVISIONING),
        (without_traffic(OURS), {}, SetSplit({"blue": 100})),
        (without_traffic(replace(OURS, ready=0)), {}, On.PROVISIONING),
        (without_traffic(replace(OURS, digest="older")), {}, PUT_BLUE),
        (without_traffic(condition(OURS, Condition.FAILED)), {}, PUT_BLUE),
        (without_traffic(condition(OURS, Condition.FAILED, run="r-1")), {}, PUT_BLUE),
        (
            without_traffic(condition(OURS, Condition.FAILED, run="r-1")),
            {"intent": PUT_BLUE},
            ("held", Why.BOOTSTRAP_FAILED),
        ),
        (without_traffic(BLUE), {}, e.StagePassed),
        (without_traffic(condition(BLUE, Condition.FAILED)), {}, ("held", Why.BASELINE_FAILED)),
        (seen_of(BLUE_100), {}, e.StagePassed),
        (seen_of(Split({"other": 100})), {}, e.StagePassed),
        (Seen(exists=True, busy=True), {}, On.PROVISIONING),
    ],
)
def test_bootstrap_makes_one_thing_after_the_other_and_leaves_what_serves_alone(
    seen: Seen, changes: dict[str, Any], due: object
) -> None:
    assert told(decide(fresh(**changes), seen, NOW)) == due


def test_a_bootstrap_in_trouble_is_held_and_never_rolled_back_to_nothing() -> None:
    refused = fresh(trouble=because(Why.EFFECT_REFUSED))
    tired = fresh(intent=PUT_BLUE, attempts=ATTEMPTS)
    slow = fresh(intent=PUT_BLUE, attempts=1)

    assert told(decide(refused, without_traffic(None), NOW)) == ("held", Why.EFFECT_REFUSED)
    assert told(decide(tired, without_traffic(None), NOW)) == ("held", Why.ATTEMPTS)
    assert told(decide(slow, without_traffic(None), NOW + 3600)) == ("held", Why.TIMEOUT)


# --- before the first write -----------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "adopt", "due"),
    [
        (seen_of(BLUE_100), False, e.SplitCaptured),
        (seen_of(Split({"blue": 50, "green": 50})), False, ("held", Why.DRIFT)),
        (seen_of(Split({"blue": 50, "green": 50})), True, e.SplitCaptured),
        (seen_of(MIRRORED), False, ("held", Why.DRIFT)),
        (seen_of(MIRRORED), True, e.SplitCaptured),
        (seen_of(Split()), False, ("held", Why.DRIFT)),
        (seen_of(Split()), True, ("held", Why.DRIFT)),
        (ABSENT, False, ("held", Why.DRIFT)),
        (ABSENT, True, ("held", Why.DRIFT)),
        (seen_of(BLUE_100, busy=True), False, On.PROVISIONING),
    ],
)
def test_a_plan_starts_from_all_on_the_baseline_or_from_what_a_person_adopted(
    seen: Seen, adopt: bool, due: object
) -> None:
    run = entering("scale-blue", captured=None, expected=None, adopt=adopt)

    assert told(decide(run, seen, NOW)) == due


def test_a_failed_preflight_ends_the_run_with_nothing_touched() -> None:
    run = entering("preflight", trouble=because(Why.PREFLIGHT_FAILED))

    assert told(decide(entering("preflight"), seen_of(BLUE_100), NOW)) == Question.PREFLIGHT
    assert told(decide(run, seen_of(BLUE_100), NOW)) == ("ended", Why.PREFLIGHT_FAILED)


# --- entering a stage -----------------------------------------------------------------

SCALE_BLUE = ScaleDeployment("blue", 2)


@pytest.mark.parametrize(
    ("blue", "intent", "due"),
    [
        (BLUE, None, e.StagePassed),
        (replace(BLUE, ready=1), None, On.PROVISIONING),
        (replace(BLUE, instances=1, ready=1), None, SCALE_BLUE),
        (condition(BLUE, Condition.UPDATING, instances=1), None, On.PROVISIONING),
        (condition(BLUE, Condition.FAILED), SCALE_BLUE, ("held", Why.BASELINE_FAILED)),
        (condition(BLUE, Condition.FAILED), None, SCALE_BLUE),
        (None, None, ("held", Why.DRIFT)),
    ],
)
def test_a_scaled_baseline_has_all_its_instances_and_a_failed_scaling_may_be_retried(
    blue: DeploymentSeen | None, intent: ScaleDeployment | None, due: object
) -> None:
    run = entering("scale-blue", intent=intent)

    assert told(decide(run, seen_of(BLUE_100, blue=blue, green=None), NOW)) == due


EARLIER = replace(GREEN, run="r-0")


@pytest.mark.parametrize(
    ("green", "intent", "due"),
    [
        (None, None, PUT_GREEN),
        (None, PUT_GREEN, PUT_GREEN),
        (condition(GREEN, Condition.CREATING), PUT_GREEN, On.PROVISIONING),
        (condition(GREEN, Condition.DELETING), None, On.PROVISIONING),
        (GREEN, PUT_GREEN, e.StagePassed),
        (replace(GREEN, ready=0), PUT_GREEN, On.PROVISIONING),
        (condition(GREEN, Condition.FAILED), PUT_GREEN, ("back", Why.CREATE_FAILED)),
        (condition(GREEN, Condition.FAILED), None, PUT_GREEN),
        (EARLIER, None, e.StagePassed),
        (replace(EARLIER, digest="older"), None, PUT_GREEN),
        (condition(EARLIER, Condition.FAILED), None, PUT_GREEN),
        (condition(EARLIER, Condition.FAILED), PUT_GREEN, PUT_GREEN),
        (replace(GREEN, run=None, digest=None), None, ("held", Why.DRIFT)),
        (condition(GREEN, Condition.FAILED, run=None), None, ("held", Why.DRIFT)),
    ],
)
def test_a_candidate_is_created_reused_or_replaced_but_never_taken_from_a_person(
    green: DeploymentSeen | None, intent: PutDeployment | None, due: object
) -> None:
    run = entering("create", intent=intent)

    assert told(decide(run, seen_of(BLUE_100, green=green), NOW)) == due


def test_a_candidate_in_use_is_not_replaced() -> None:
    adopted = Split({"blue": 50, "green": 50})
    run = entering("create", captured=adopted, expected=adopted)
    seen = seen_of(adopted, green=replace(EARLIER, digest="older"))

    assert told(decide(run, seen, NOW)) == ("held", Why.DRIFT)


@pytest.mark.parametrize(
    ("stage_id", "green", "due"),
    [
        ("smoke", GREEN, Question.SMOKE),
        ("smoke", condition(GREEN, Condition.UPDATING), On.PROVISIONING),
        ("smoke", condition(GREEN, Condition.FAILED), ("back", Why.CANDIDATE_FAILED)),
        ("smoke", None, ("held", Why.DRIFT)),
        ("mirror-10", GREEN, SetSplit({"blue": 100}, {"green": 10})),
        ("mirror-10", condition(GREEN, Condition.UPDATING), On.PROVISIONING),
        ("shift-10", GREEN, SetSplit({"blue": 90, "green": 10})),
        ("shift-10", condition(GREEN, Condition.UPDATING), On.PROVISIONING),
        ("shift-10", replace(GREEN, digest="another"), ("held", Why.DRIFT)),
        ("shift-10", replace(GREEN, run=None, digest=None), ("held", Why.DRIFT)),
        ("shift-100", GREEN, SetSplit({"green": 100})),
    ],
)
def test_only_the_tested_candidate_gets_requests_and_only_while_it_is_ready(
    stage_id: str, green: DeploymentSeen | None, due: object
) -> None:
    run = entering(stage_id)

    assert told(decide(run, seen_at(stage_id, green=green), NOW)) == due


def test_a_set_point_that_reads_back_is_recorded_even_if_the_reply_was_lost() -> None:
    wanted = SetSplit({"blue": 90, "green": 10})
    run = entering("shift-10", intent=wanted, intended=ENTERED, attempts=1)

    assert decide(run, seen_of(BLUE_90), NOW) == Record(e.SetPointReached("shift-10", BLUE_90))


@pytest.mark.parametrize("stage_id", ["approve", "wait"])
def test_a_stage_that_writes_nothing_holds_the_split_as_it_is(stage_id: str) -> None:
    run = entering(stage_id)

    due = decide(run, seen_at(stage_id), NOW)

    assert due == Record(e.SetPointReached(stage_id, split_before(stage_id)))


def test_a_candidate_that_the_plan_did_not_create_may_still_be_missing() -> None:
    run = entering("mirror-10", created=False)

    assert told(decide(run, seen_at("mirror-10", green=None), NOW)) == ("held", Why.DRIFT)


def test_a_write_waits_for_a_baseline_that_is_being_changed() -> None:
    seen = seen_at("mirror-10", blue=condition(BLUE, Condition.UPDATING))

    assert told(decide(entering("mirror-10"), seen, NOW)) == On.PROVISIONING


def test_nothing_is_mirrored_to_a_deployment_that_has_live_traffic() -> None:
    adopted = Split({"blue": 50, "green": 50})
    run = entering("mirror-10", expected=adopted)

    assert told(decide(run, seen_of(adopted), NOW)) == ("held", Why.DRIFT)


def test_an_effect_is_repeated_with_growing_pauses_and_then_counts_as_poison() -> None:
    wanted, seen = SetSplit({"blue": 100}, {"green": 10}), seen_at("mirror-10")
    twice = entering("mirror-10", intent=wanted, intended=NOW, attempts=2)
    often = replace(twice, attempts=ATTEMPTS)

    assert decide(twice, seen, NOW + 1) == Wait(On.BACKOFF, NOW + 2)
    assert decide(twice, seen, NOW + 2) == Act(wanted)
    assert told(decide(often, seen, NOW + 31)) == ("back", Why.ATTEMPTS)


def test_attempts_of_another_effect_do_not_count() -> None:
    wanted = SetSplit({"blue": 100}, {"green": 10})
    run = entering("mirror-10", intent=PUT_GREEN, intended=NOW, attempts=ATTEMPTS)

    assert decide(run, seen_at("mirror-10"), NOW) == Act(wanted)


@pytest.mark.parametrize(
    ("changes", "green", "later", "due"),
    [
        ({}, None, 2699, PUT_GREEN),
        ({}, None, 2700, PUT_GREEN),  # nobody has tried yet: the runner was away
        ({"attempts": 1, "intent": PUT_GREEN}, None, 2700, ("back", Why.TIMEOUT)),
        ({}, condition(GREEN, Condition.CREATING), 2699, On.PROVISIONING),
        ({}, condition(GREEN, Condition.CREATING), 2700, ("back", Why.TIMEOUT)),
        ({"captured": None}, condition(GREEN, Condition.CREATING), 2700, ("held", Why.TIMEOUT)),
        ({}, GREEN, 9999, e.StagePassed),
    ],
)
def test_a_stage_has_its_time_to_reach_its_set_point(
    changes: dict[str, Any], green: DeploymentSeen | None, later: float, due: object
) -> None:
    run = entering("create", **changes)

    assert told(decide(run, seen_of(BLUE_100, green=green), ENTERED + later)) == due


def test_a_busy_endpoint_is_waited_for_but_not_for_ever() -> None:
    run, seen = entering("mirror-10"), seen_at("mirror-10", busy=True)

    assert told(decide(run, seen, NOW)) == On.PROVISIONING
    assert told(decide(run, seen, ENTERED + 3600)) == ("back", Why.TIMEOUT)


def test_after_counts_from_the_stage_before_also_when_the_stage_is_entered_again() -> None:
    run = entering("delete-blue")
    again = replace(run, since=ENTERED + 90_000)

    assert decide(run, seen_at("delete-blue"), NOW) == Ask(Question.OBSERVE)
    assert decide(again, seen_at("delete-blue"), ENTERED + 90_001) == Act(DeleteDeployment("blue"))


# --- the end of the baseline ----------------------------------------------------------

DUE = ENTERED + 86400
DELETE_BLUE = DeleteDeployment("blue")


@pytest.mark.parametrize(
    ("seen", "intent", "due"),
    [
        (seen_of(GREEN_100), None, DELETE_BLUE),
        (seen_of(GREEN_100, green=replace(GREEN, ready=0)), None, Question.OBSERVE),
        (seen_of(GREEN_100, green=condition(GREEN, Condition.UPDATING)), None, Question.OBSERVE),
        (
            seen_of(GREEN_100, green=condition(GREEN, Condition.FAILED)),
            None,
            ("back", Why.CANDIDATE_FAILED),
        ),
        (seen_of(Split({"green": 100}, {"blue": 5})), None, ("held", Why.DRIFT)),
        (seen_of(Split({"blue": 1, "green": 99})), None, ("held", Why.DRIFT)),
        (seen_of(GREEN_100, blue=None), None, e.StagePassed),
        (seen_of(GREEN_100, blue=None), DELETE_BLUE, e.StagePassed),
        (seen_of(GREEN_100, blue=condition(BLUE, Condition.FAILED)), None, DELETE_BLUE),
        (
            seen_of(GREEN_100, blue=condition(BLUE, Condition.DELETING)),
            DELETE_BLUE,
            On.PROVISIONING,
        ),
        (
            seen_of(GREEN_100, green=condition(GREEN, Condition.FAILED)),
            DELETE_BLUE,
            ("held", Why.CANDIDATE_FAILED),
        ),
    ],
)
def test_the_baseline_goes_only_while_everything_speaks_for_it(
    seen: Seen, intent: DeleteDeployment | None, due: object
) -> None:
    run = entering("delete-blue", since=DUE, intent=intent)

    assert told(decide(run, seen, DUE + 60)) == due


@pytest.mark.parametrize(
    "adopted",
    [Split({"blue": 1, "green": 99}), Split({"other": 100}), Split({"green": 100}, {"blue": 5})],
)
def test_an_adopted_split_does_not_open_the_way_to_the_deletion(adopted: Split) -> None:
    run = entering("delete-blue", since=DUE, expected=adopted)

    assert told(decide(run, seen_of(adopted), DUE + 60)) == ("held", Why.DRIFT)


def test_a_deletion_that_was_begun_is_held_in_trouble_and_never_rolled_back() -> None:
    begun = entering("delete-blue", since=DUE, intent=DELETE_BLUE, intended=DUE, attempts=1)
    seen = seen_of(GREEN_100)
    deleting = seen_of(GREEN_100, blue=condition(BLUE, Condition.DELETING))

    refused = replace(begun, trouble=because(Why.EFFECT_REFUSED))
    assert told(decide(refused, seen, DUE + 60)) == ("held", Why.EFFECT_REFUSED)
    assert told(decide(replace(begun, attempts=ATTEMPTS), seen, DUE + 60)) == ("held", Why.ATTEMPTS)
    assert told(decide(begun, deleting, DUE + 3600)) == ("held", Why.TIMEOUT)
    assert told(decide(replace(begun, deadline=DUE), seen, DUE + 60)) == DELETE_BLUE
    failing = replace(begun, judgement=judged(Verdict.FAIL))
    assert told(decide(failing, seen, DUE + 60)) == DELETE_BLUE


def test_a_stage_may_delete_the_candidate_without_taking_that_for_a_persons_change() -> None:
    stages = (*STAGES[:5], Stage("delete-green", Delete(CANDIDATE)))
    run = entering("mirror-10", stages=stages)

    assert told(decide(run, seen_of(BLUE_100), NOW)) == DeleteDeployment("green")
    assert told(decide(run, seen_of(BLUE_100, green=None), NOW)) == e.StagePassed


@pytest.mark.parametrize(
    ("expected", "seen", "due"),
    [
        (GREEN_100, seen_of(GREEN_100, blue=None), ("ended", None)),
        (BLUE_100, seen_of(BLUE_100), ("held", Why.DRIFT)),
    ],
)
def test_a_run_completes_only_with_the_split_its_plan_ends_with(
    expected: Split, seen: Seen, due: object
) -> None:
    run = entering("delete-blue", at=len(STAGES), expected=expected, deleted=True)

    assert told(decide(run, seen, NOW)) == due


def test_a_candidate_that_was_there_before_may_be_scaled_and_is_missed_when_it_is_not() -> None:
    stages = (Stage("scale-green", Scale(CANDIDATE, 2)), Stage("mirror", Mirror(10)))
    run = fresh(stages=stages, captured=BLUE_100, expected=BLUE_100)

    assert told(decide(run, seen_of(BLUE_100), NOW)) == ScaleDeployment("green", 2)
    assert told(decide(run, seen_of(BLUE_100, green=None), NOW)) == ("held", Why.DRIFT)
    failed = seen_of(BLUE_100, green=condition(GREEN, Condition.FAILED))
    tried = replace(run, intent=ScaleDeployment("green", 2))
    assert told(decide(tried, failed, NOW)) == ("back", Why.CANDIDATE_FAILED)
