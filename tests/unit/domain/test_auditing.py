"""What an earlier runner sent too late: told from a person's change, and undone; nothing else is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rollout.domain import decisions, events as e
from rollout.domain.advance import advance
from rollout.domain.auditing import SETTLE, spelled
from rollout.domain.decide import decide
from rollout.domain.decisions import Act, On, Record, Rest, Wait
from rollout.domain.endpoint import (
    Condition,
    CreateEndpoint,
    DeleteDeployment,
    DeploymentSeen,
    PutDeployment,
    ScaleDeployment,
    SetSplit,
)
from rollout.domain.outcome import exit_code
from rollout.domain.plan import Delete, OnFailure, Scale, Stage
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.run import Phase, Run, Split, Step, Why
from rollout.domain.verdict import Verdict
from tests.unit.domain.samples import (
    BLUE,
    BLUE_90,
    BLUE_100,
    GREEN,
    GREEN_100,
    MIRRORED,
    NOW,
    STAGES,
    because,
    entering,
    fresh,
    judged,
    observing,
    seen_of,
    told,
)

SHIFT = SetSplit({"blue": 90, "green": 10})
MIRROR = SetSplit({"blue": 100}, {"green": 10})
PUT = PutDeployment(CANDIDATE, "green")
ENDED = NOW
LATER = ENDED + SETTLE
DELETES = OnFailure(candidate="delete")


def folded(run: Run, *events: e.Event, at: float = NOW) -> Run:
    for event in events:
        run = advance(run, event, at)
    return run


def rolled_back(**changes: Any) -> Run:
    made = {
        "loose": (MIRROR,),
        "phase": Phase.ROLLED_BACK,
        "ended": ENDED,
        "cause": because(Why.ABORTED),
    }
    return entering("shift-50", expected=BLUE_100, **{**made, **changes})


def completed(**changes: Any) -> Run:
    made = {"loose": (SHIFT,), "phase": Phase.COMPLETED, "ended": ENDED, "at": len(STAGES)}
    return entering("delete-blue", **{"expected": GREEN_100, **made, **changes})


# --- what is known of a call ---------------------------------------------------------


def test_what_a_runner_that_may_live_had_begun_is_known_to_the_next() -> None:
    run = folded(entering("shift-10"), e.Intended(SHIFT, BLUE_100))

    taken = folded(run, e.OwnerTook(2, "bob", crashed=True, contested=True))

    assert taken.loose == (SHIFT,)


@pytest.mark.parametrize("crashed", [False, True])
def test_nothing_is_loose_of_a_runner_that_left_or_is_dead(crashed: bool) -> None:
    run = folded(entering("shift-10"), e.Intended(SHIFT, BLUE_100))

    assert folded(run, e.OwnerTook(2, "bob", crashed=crashed)).loose == ()


def test_a_call_is_loose_once_however_often_it_is_found() -> None:
    run = folded(entering("shift-10"), e.LooseCallFound(SHIFT), e.LooseCallFound(SHIFT))

    assert run.loose == (SHIFT,)


# --- while the run is open --------------------------------------------------------------


def test_a_late_split_is_no_persons_change() -> None:
    run = observing("shift-10", expected=BLUE_90, loose=(MIRROR,))

    decision = decide(run, seen_of(MIRRORED), NOW)

    assert decision == Record(e.LateCallLanded(MIRROR, MIRRORED))


def test_the_same_split_without_a_loose_call_is_a_persons_change() -> None:
    run = observing("shift-10", expected=BLUE_90)

    assert told(decide(run, seen_of(MIRRORED), NOW)) == ("held", Why.DRIFT)


def test_another_split_than_the_loose_calls_is_a_persons_change() -> None:
    run = observing("shift-10", expected=BLUE_90, loose=(MIRROR,))

    assert told(decide(run, seen_of(BLUE_100), NOW)) == ("held", Why.DRIFT)


def test_the_runs_own_split_is_written_again_and_its_stage_entered_anew() -> None:
    run = observing("shift-10", expected=BLUE_90, loose=(MIRROR,), cursor="c")

    landed = folded(run, e.LateCallLanded(MIRROR, MIRRORED))
    written = decide(landed, seen_of(MIRRORED), NOW)
    begun = folded(landed, e.Intended(SHIFT, MIRRORED))

    assert (landed.step, landed.cursor, landed.loose) == (Step.ENTERING, None, ())
    assert written == Act(SHIFT)
    assert decide(begun, seen_of(BLUE_90), NOW) == Record(e.SetPointReached("shift-10", BLUE_90))


def test_a_late_split_that_cannot_be_undone_is_trouble() -> None:
    run = entering(
        "shift-10",
        landed=(MIRROR,),
        expected=BLUE_90,
        intent=SHIFT,
        attempts=decisions.ATTEMPTS,
    )

    assert told(decide(run, seen_of(MIRRORED), NOW)) == ("back", Why.ATTEMPTS)


def test_a_late_call_that_does_what_is_due_is_welcome() -> None:
    run = entering("shift-10", loose=(SHIFT,), intent=SHIFT)

    assert decide(run, seen_of(BLUE_90), NOW) == Record(e.SetPointReached("shift-10", BLUE_90))


def test_a_failing_gate_outranks_a_late_call() -> None:
    run = observing("shift-10", loose=(MIRROR,), judgement=judged(Verdict.FAIL))

    assert told(decide(run, seen_of(MIRRORED), NOW)) == ("back", Why.GATE_FAILED)


def test_behind_the_point_of_no_return_a_person_looks() -> None:
    run = entering("delete-blue", loose=(SHIFT,), intent=DeleteDeployment("blue"))

    assert told(decide(run, seen_of(BLUE_90), NOW)) == ("held", Why.DRIFT)


# --- when the run is over ---------------------------------------------------------------


def test_a_run_without_loose_calls_is_not_audited() -> None:
    assert decide(rolled_back(loose=()), seen_of(MIRRORED), LATER) == Rest()


def test_an_audit_waits_until_a_late_call_must_have_landed() -> None:
    assert decide(rolled_back(), seen_of(BLUE_100), NOW) == Wait(On.LATE_CALL, LATER)


def test_a_call_that_was_sent_after_the_end_is_looked_for_as_long() -> None:
    sent = LATER + 500.0
    run = folded(rolled_back(loose=()), e.LooseCallFound(MIRROR), at=sent)

    assert decide(run, seen_of(BLUE_100), sent + 1.0) == Wait(On.LATE_CALL, sent + SETTLE)
    assert isinstance(decide(run, seen_of(BLUE_100), sent + SETTLE), Record)


def test_where_nothing_landed_the_audit_ends() -> None:
    decision = decide(rolled_back(), seen_of(BLUE_100), LATER)

    assert isinstance(decision, Record)
    assert isinstance(decision.event, e.Audited)
    assert decision.event.ok
    after = folded(rolled_back(), decision.event)
    assert (after.loose, after.phase, exit_code(after)) == ((), Phase.ROLLED_BACK, 14)


@pytest.mark.parametrize("phase", [Phase.ABORTED, Phase.REFUSED])
def test_an_end_that_says_nothing_of_the_endpoint_changes_nothing(phase: Phase) -> None:
    decision = decide(rolled_back(phase=phase), seen_of(MIRRORED), LATER)

    assert isinstance(decision, Record)
    assert isinstance(decision.event, e.Audited)


TWO_SCALES = (
    Stage("scale-2", Scale(BASELINE, 2)),
    Stage("scale-1", Scale(BASELINE, 1)),
)
ORPHAN = replace(GREEN, run="r-1")
UNDONE = [
    ("a mirror left on", rolled_back(), seen_of(MIRRORED), MIRROR, SetSplit({"blue": 100})),
    (
        "a live share behind a rollback",
        rolled_back(loose=(SHIFT,)),
        seen_of(BLUE_90),
        SHIFT,
        SetSplit({"blue": 100}),
    ),
    (
        "a share of the baseline behind a promotion",
        completed(),
        seen_of(BLUE_90),
        SHIFT,
        SetSplit({"green": 100}),
    ),
    (
        "a candidate that was deleted",
        rolled_back(loose=(PUT,), on_failure=DELETES),
        seen_of(BLUE_100, green=ORPHAN),
        PUT,
        DeleteDeployment("green"),
    ),
    (
        "a candidate that had never been there",
        rolled_back(loose=(PUT,), gone=True),
        seen_of(BLUE_100, green=ORPHAN),
        PUT,
        DeleteDeployment("green"),
    ),
    (
        "a baseline that was deleted",
        completed(loose=(PutDeployment(BASELINE, "blue"),), deleted=True),
        seen_of(GREEN_100, blue=replace(BLUE, run="r-1")),
        PutDeployment(BASELINE, "blue"),
        DeleteDeployment("blue"),
    ),
    (
        "an older scale",
        rolled_back(stages=TWO_SCALES, at=2, loose=(ScaleDeployment("blue", 2),)),
        seen_of(BLUE_100, blue=replace(BLUE, run="r-1")),
        ScaleDeployment("blue", 2),
        ScaleDeployment("blue", 1),
    ),
]


@pytest.mark.parametrize(
    ("run", "seen", "late", "repair"),
    [each[1:] for each in UNDONE],
    ids=[each[0] for each in UNDONE],
)
def test_what_a_late_call_left_is_told_and_then_undone(run, seen, late, repair) -> None:
    split = Split.of(seen)

    landed = decide(run, seen, NOW)

    assert landed == Record(e.LateCallLanded(late, split))
    assert decide(folded(run, landed.event), seen, NOW) == Act(repair)


KEPT = [
    ("another split", rolled_back(), seen_of(GREEN_100)),
    (
        "the split that was restored",
        rolled_back(loose=(SetSplit({"blue": 100}),)),
        seen_of(BLUE_100),
    ),
    ("a candidate that the plan keeps", rolled_back(loose=(PUT,)), seen_of(BLUE_100, green=ORPHAN)),
    (
        "a candidate of another run",
        rolled_back(loose=(PUT,), gone=True),
        seen_of(BLUE_100, green=replace(GREEN, run="r-2")),
    ),
    (
        "a candidate with users",
        rolled_back(loose=(PUT,), on_failure=DELETES),
        seen_of(BLUE_90, green=ORPHAN),
    ),
    (
        "the promoted candidate",
        completed(loose=(PUT,)),
        seen_of(GREEN_100, green=ORPHAN),
    ),
    ("a deletion", rolled_back(loose=(DeleteDeployment("green"),)), seen_of(BLUE_100)),
    (
        "a split that needs who is gone",
        rolled_back(),
        seen_of(MIRRORED, blue=None),
    ),
]


@pytest.mark.parametrize(
    ("run", "seen"), [each[1:] for each in KEPT], ids=[each[0] for each in KEPT]
)
def test_nothing_else_is_touched(run, seen) -> None:
    decision = decide(run, seen, LATER)

    assert isinstance(decision, Record)
    assert isinstance(decision.event, e.Audited)


def test_an_orphan_is_deleted_when_it_has_come_to_rest() -> None:
    creating = DeploymentSeen(Condition.CREATING, run="r-1")
    run = folded(rolled_back(loose=(PUT,), gone=True), e.LateCallLanded(PUT, BLUE_100))

    assert decide(run, seen_of(BLUE_100, green=creating), NOW) == Wait(On.PROVISIONING)
    removable = replace(creating, removable=True)
    assert decide(run, seen_of(BLUE_100, green=removable), NOW) == Act(DeleteDeployment("green"))


def test_a_busy_endpoint_is_waited_for() -> None:
    assert decide(rolled_back(), seen_of(MIRRORED, busy=True), LATER) == Wait(On.PROVISIONING)


def test_a_repair_is_tried_again_but_not_for_ever() -> None:
    repair = SetSplit({"blue": 100})
    run = folded(rolled_back(), e.LateCallLanded(MIRROR, MIRRORED), e.Intended(repair, MIRRORED))

    assert told(decide(run, seen_of(MIRRORED), NOW)) is On.BACKOFF
    assert decide(run, seen_of(MIRRORED), NOW + 5) == Act(repair)
    given_up = decide(replace(run, attempts=decisions.ATTEMPTS), seen_of(MIRRORED), LATER)
    assert isinstance(given_up, Record)
    after = folded(run, given_up.event)
    assert exit_code(after) == 11
    assert decide(after, seen_of(MIRRORED), LATER) == Rest()
    again = folded(after, e.OwnerTook(3, "carl"))
    assert decide(again, seen_of(MIRRORED), LATER) == Act(repair)


def test_an_orphan_that_cannot_be_deleted_concerns_no_users() -> None:
    delete = DeleteDeployment("green")
    run = rolled_back(
        loose=(), landed=(PUT,), gone=True, intent=delete, attempts=decisions.ATTEMPTS
    )

    given_up = decide(run, seen_of(BLUE_100, green=ORPHAN), LATER)

    assert isinstance(given_up, Record)
    after = folded(run, given_up.event)
    assert (exit_code(after), after.unaudited) == (14, False)


def test_a_rollback_without_a_candidate_says_so() -> None:
    run = fresh(phase=Phase.ROLLING_BACK, captured=BLUE_100, expected=BLUE_100, checked=True)

    decision = decide(run, seen_of(BLUE_100, green=None), NOW)

    assert decision == Record(e.RolledBack(gone=True))
    assert folded(run, decision.event).gone


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (MIRROR, "split blue 100, mirror green 10"),
        (PUT, "creation of green"),
        (ScaleDeployment("blue", 2), "scaling of blue to 2"),
        (DeleteDeployment("blue"), "deletion of blue"),
        (CreateEndpoint(), "creation of the endpoint"),
    ],
)
def test_an_effect_has_a_few_words(effect, words) -> None:
    assert spelled(effect) == words


def test_the_stages_of_a_plan_may_delete_the_candidate() -> None:
    stages = (Stage("delete", Delete(CANDIDATE)),)
    run = completed(stages=stages, at=1, loose=(PUT,), expected=BLUE_100)

    landed = decide(run, seen_of(BLUE_100, green=ORPHAN), NOW)

    assert landed == Record(e.LateCallLanded(PUT, BLUE_100))


def test_a_split_is_not_written_again_for_a_candidate_that_has_failed():
    run = observing("shift-100", landed=(SHIFT,), created=True)
    failed = replace(GREEN, condition=Condition.FAILED)

    decision = decide(run, seen_of(BLUE_90, green=failed), NOW)

    assert isinstance(decision, Record)
    assert isinstance(decision.event, e.RollbackBegan)
    assert decision.event.cause.why is Why.CANDIDATE_FAILED
