"""The fold, as tables: a run and one more event make the next run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from rollout.domain import events as e
from rollout.domain.advance import advance, undone
from rollout.domain.decide import decide
from rollout.domain.decisions import Record
from rollout.domain.endpoint import (
    CreateEndpoint,
    DeleteDeployment,
    Effect,
    PutDeployment,
    ScaleDeployment,
    SetSplit,
)
from rollout.domain.plan import Delete, OnFailure, Stage, Window
from rollout.domain.roles import CANDIDATE
from rollout.domain.run import Approval, Cause, Exposure, Phase, Run, Split, Step, Why
from rollout.domain.verdict import Verdict
from tests.unit.domain.samples import (
    BLUE_90,
    BLUE_100,
    ENTERED,
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

OPEN = (Phase.RUNNING, Phase.PAUSED, Phase.HELD)
BACK = (Phase.ROLLING_BACK, Phase.UNVERIFIED)
SHIFT = SetSplit({"blue": 90, "green": 10})
PUT = PutDeployment(CANDIDATE, "green")
DELETE_BLUE = DeleteDeployment("blue")
ABORT = e.AbortOrdered("ada", message="enough")
KEEP = e.AbortOrdered("ada", keep_traffic=True)
REJECT = e.Rejected("ada")
PAUSE = e.PauseOrdered("ada")
RESUME = e.ResumeOrdered("ada", reads=True)
ADOPT = e.ResumeOrdered("ada", adopt=True, reads=True)
RETRY = e.RetryOrdered("ada", reads=True)
YES = e.Approved("approve", "plan-digest", "ada", NOW)
SUPERSEDE = e.Superseded("ada", "other")
MEASURED = e.Measured((), "d", {"n": 2}, judged(Verdict.RUNNING), requests=7, errors=2)

HAPPENED: dict[type, e.Event] = {
    type(event): event
    for event in (
        e.OwnerTook(2, "ada"),
        e.SplitCaptured(GREEN_100),
        e.Intended(SHIFT, BLUE_100),
        e.EffectFailed(SHIFT, "no", refused=True),
        e.SetPointReached("shift-10", BLUE_90),
        e.PreflightChecked(ok=False, text=()),
        e.SmokeTested(ok=False, text=""),
        e.ObservationBegan("c"),
        MEASURED,
        e.ExposureCounted(7, 1),
        e.StagePassed("shift-10"),
        e.Held(because(Why.DRIFT)),
        e.RollbackBegan(because(Why.GATE_FAILED)),
        e.RollbackProbed(ok=True, text=""),
        e.RollbackUnverified(""),
        e.LogsCollected("green", ""),
        e.AnswersDiffered("mirror-10", ()),
        e.RolledBack(),
        e.Ended(),
        e.LooseCallFound(SHIFT),
        e.LateCallLanded(SHIFT, BLUE_90),
        e.Audited(ok=True),
        e.LeaveBegan(5),
        e.ShareLowered(Split({"blue": 95, "green": 5})),
        e.ShareRestored(BLUE_90),
        e.Unwatched(NOW - 60.0, NOW, "the log was removed"),
        e.Left(NOW + 60.0, "timer"),
        e.Pruned(3, "digest"),
    )
}
# Of a run that is over, late calls may still be learned.
ENDING = {
    kind: event
    for kind, event in HAPPENED.items()
    if kind not in (e.LooseCallFound, e.LateCallLanded)
}


def folded(run: Run, *events: e.Event, at: float = NOW) -> Run:
    for event in events:
        run = advance(run, event, at)
    return run


def test_the_samples_here_are_every_event_there_is() -> None:
    orders = {type(each) for each in (ABORT, REJECT, PAUSE, RESUME, RETRY, YES, SUPERSEDE)}

    assert {*HAPPENED, *orders, e.RunStarted} == set(get_args(e.Event))


def test_a_new_run_replaces_whatever_was_there() -> None:
    last = observing("shift-10", phase=Phase.COMPLETED)

    assert advance(last, e.RunStarted(fresh(id="r-2"), "{}"), NOW) == fresh(id="r-2")


@pytest.mark.parametrize("phase", [each for each in Phase if each not in (*OPEN, *BACK)])
@pytest.mark.parametrize(
    "event", [*ENDING.values(), ABORT, KEEP, REJECT, PAUSE, ADOPT, RETRY, YES, SUPERSEDE]
)
def test_nothing_changes_a_run_that_is_over(phase: Phase, event: e.Event) -> None:
    run = observing("shift-10", phase=phase, cursor="c")

    assert advance(run, event, NOW) == run


@pytest.mark.parametrize(
    ("kind", "phases"),
    [
        (e.SplitCaptured, {Phase.RUNNING}),
        (e.Intended, {*OPEN, *BACK}),
        (e.SetPointReached, {Phase.RUNNING, Phase.PAUSED}),
        (e.StagePassed, {Phase.RUNNING}),
        (e.ObservationBegan, set(OPEN)),
        (e.Measured, set(OPEN)),
        (e.ExposureCounted, set(BACK)),
        (e.Held, {Phase.RUNNING, Phase.PAUSED}),
        (e.RollbackBegan, set(OPEN)),
        (e.RollbackProbed, set(BACK)),
        (e.RollbackUnverified, {Phase.ROLLING_BACK}),
        (e.RolledBack, set(BACK)),
        (e.Ended, {*OPEN, *BACK}),
        (e.OwnerTook, {*OPEN, *BACK}),
        (e.LeaveBegan, {*OPEN, *BACK}),
        (e.ShareLowered, set(OPEN)),
        (e.ShareRestored, {Phase.RUNNING}),
        (e.Unwatched, set()),
        (e.Left, {*OPEN, *BACK}),
        (e.LogsCollected, set(BACK)),
        (e.AnswersDiffered, set()),
    ],
)
def test_an_event_counts_only_in_the_phases_it_belongs_to(kind: type, phases: set[Phase]) -> None:
    runs = {phase: observing("shift-10", phase=phase, cursor="b", ceiling=9) for phase in Phase}

    changed = {phase for phase, run in runs.items() if advance(run, HAPPENED[kind], NOW) != run}

    assert changed == phases


# --- effects --------------------------------------------------------------------------


def test_attempts_count_one_effect_in_a_row() -> None:
    run = entering("shift-10")

    once = folded(run, e.Intended(SHIFT, BLUE_100))
    twice = folded(once, e.Intended(SHIFT, BLUE_100), at=NOW + 1)
    other = folded(twice, e.Intended(PUT, BLUE_100))

    assert (once.intent, once.intended, once.attempts) == (SHIFT, NOW, 1)
    assert (twice.intended, twice.attempts, other.attempts) == (NOW + 1, 2, 1)


@pytest.mark.parametrize(
    ("changes", "effect", "refused", "trouble"),
    [
        ({"intent": SHIFT}, SHIFT, True, Why.EFFECT_REFUSED),
        ({"intent": SHIFT}, SHIFT, False, None),
        ({"intent": PUT}, SHIFT, True, None),
        ({"intent": SHIFT, "phase": Phase.PAUSED}, SHIFT, True, None),
        ({"intent": SHIFT, "phase": Phase.ROLLING_BACK}, SHIFT, True, None),
        (
            {"intent": SHIFT, "trouble": because(Why.SMOKE_FAILED)},
            SHIFT,
            False,
            Why.SMOKE_FAILED,
        ),
    ],
)
def test_only_a_refusal_of_what_is_due_is_trouble(
    changes: dict[str, Any], effect: Effect, refused: bool, trouble: Why | None
) -> None:
    run = advance(entering("shift-10", **changes), e.EffectFailed(effect, "no", refused), NOW)

    assert (run.trouble.why if run.trouble else None) is trouble


# --- stages ---------------------------------------------------------------------------


def test_a_set_point_begins_the_observation_with_nothing_in_hand() -> None:
    run = entering("shift-10", intent=SHIFT, attempts=3, cursor="c", judgement=judged(Verdict.PASS))

    after = advance(run, e.SetPointReached("shift-10", BLUE_90), NOW)

    assert (after.step, after.since, after.expected) == (Step.OBSERVING, NOW, BLUE_90)
    assert (after.intent, after.attempts, after.cursor, after.judgement) == (None, 0, None, None)


@pytest.mark.parametrize("event", [e.SetPointReached("smoke", BLUE_90), e.StagePassed("smoke")])
def test_news_of_another_stage_changes_nothing(event: e.Event) -> None:
    run = observing("shift-10")

    assert advance(run, event, NOW) == run


def test_a_passed_stage_is_behind_the_run_with_its_times_and_its_note() -> None:
    run = observing("shift-10", judgement=judged(Verdict.PASS), cursor="c")

    after = advance(run, e.StagePassed("shift-10", "good"), NOW)

    done = after.done[-1]
    assert (done.id, done.began, done.ended, done.note) == ("shift-10", ENTERED, NOW, "good")
    assert (after.stage, after.step, after.began) == (STAGES[run.at + 1], Step.ENTERING, NOW)
    assert (after.cursor, after.judgement, after.expected) == (None, None, BLUE_90)


@pytest.mark.parametrize(
    ("stage_id", "created", "deleted"),
    [("scale-blue", False, False), ("create", True, False), ("delete-blue", True, True)],
)
def test_the_run_knows_what_it_made_and_what_it_deleted(
    stage_id: str, created: bool, deleted: bool
) -> None:
    after = advance(entering(stage_id), e.StagePassed(stage_id), NOW)

    assert (after.created, after.deleted, after.committed) == (created, deleted, deleted)


def test_a_candidate_that_a_stage_deleted_is_not_missed() -> None:
    run = entering("shift-10", stages=(*STAGES[:6], Stage("gone", Delete(CANDIDATE))))

    assert advance(run, e.StagePassed("gone"), NOW).created is False


@pytest.mark.parametrize(
    ("stage_id", "event", "passed", "trouble"),
    [
        ("preflight", e.PreflightChecked(ok=True, text=("fine",)), True, None),
        ("preflight", e.PreflightChecked(ok=False, text=("a", "b")), False, Why.PREFLIGHT_FAILED),
        ("smoke", e.SmokeTested(ok=True, text="fine"), True, None),
        ("smoke", e.SmokeTested(ok=False, text="bad"), False, Why.SMOKE_FAILED),
        ("smoke", e.PreflightChecked(ok=True, text=()), False, None),
        ("shift-10", e.SmokeTested(ok=True, text="late"), False, None),
        ("shift-10", e.SmokeTested(ok=False, text="late"), False, None),
    ],
)
def test_an_answer_counts_in_the_stage_that_asked(
    stage_id: str, event: e.Event, passed: bool, trouble: Why | None
) -> None:
    run = entering(stage_id)

    after = advance(run, event, NOW)

    assert (after.at == run.at + 1) is passed
    assert (after.trouble.why if after.trouble else None) is trouble


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (("login: You.",), "1 check passed"),
        (("login: You.", "cores: Needs 4."), "2 checks passed"),
        (
            ("login: You.", "cores: Not checked: 403.", "metrics: Not checked: none."),
            "1 check passed, 2 not checked: cores, metrics",
        ),
    ],
    ids=["one", "two", "not-checked"],
)
def test_pre_checks_that_passed_are_counted_in_the_stages_note(
    text: tuple[str, ...], note: str
) -> None:
    after = advance(entering("preflight"), e.PreflightChecked(ok=True, text=text), NOW)

    assert after.done[-1].note == note


# --- measuring ------------------------------------------------------------------------


def test_measurements_enter_with_their_cursor_their_evidence_and_their_verdict() -> None:
    begun = advance(observing("shift-10"), e.ObservationBegan("c", {"n": 1}), NOW)

    after = folded(begun, MEASURED, MEASURED)

    assert (begun.cursor, begun.evidence, begun.judgement) == ("c", {"n": 1}, None)
    assert (after.cursor, after.evidence) == ("d", {"n": 2})
    assert (after.judgement, after.exposure) == (judged(Verdict.RUNNING), Exposure(14, 4))


def test_measurements_of_a_step_that_is_over_are_not_counted() -> None:
    run = observing("shift-10", cursor=None)

    assert advance(run, MEASURED, NOW) == run


@pytest.mark.parametrize(
    ("first", "then", "stands"),
    [
        (Verdict.RUNNING, Verdict.PASS, Verdict.PASS),
        (Verdict.PASS, Verdict.RUNNING, Verdict.PASS),
        (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.PASS),
        (Verdict.PASS, Verdict.ERROR, Verdict.PASS),
        (Verdict.PASS, Verdict.FAIL, Verdict.FAIL),
    ],
)
def test_a_pass_is_not_decided_twice_but_a_failure_still_counts(
    first: Verdict, then: Verdict, stands: Verdict
) -> None:
    run = observing("wait", cursor="c", judgement=judged(first))

    after = advance(run, replace(MEASURED, judgement=judged(then)), NOW)

    assert after.judgement is not None
    assert after.judgement.verdict is stands


# --- the captured split and the way back ----------------------------------------------


def test_the_first_split_is_what_a_rollback_restores_whatever_is_adopted_later() -> None:
    run = entering("scale-blue", captured=None, expected=None)

    first = advance(run, e.SplitCaptured(BLUE_100), NOW)
    later = folded(replace(first, phase=Phase.HELD), ADOPT, e.SplitCaptured(GREEN_100))

    assert (first.captured, first.expected) == (BLUE_100, BLUE_100)
    assert (later.captured, later.expected, later.adopt) == (BLUE_100, GREEN_100, False)


def test_a_rollback_begins_with_a_clean_sheet_and_keeps_the_verdict_that_caused_it() -> None:
    run = observing(
        "shift-10", judgement=judged(Verdict.FAIL), trouble=because(Why.SMOKE_FAILED), adopt=True
    )

    after = advance(replace(run, attempts=3), e.RollbackBegan(because(Why.GATE_FAILED)), NOW)

    assert (after.phase, after.cause, after.since) == (
        Phase.ROLLING_BACK,
        because(Why.GATE_FAILED),
        NOW,
    )
    assert (after.intent, after.attempts, after.trouble, after.adopt) == (None, 0, None, False)
    assert after.judgement == judged(Verdict.FAIL)


def test_a_split_that_is_written_anew_must_be_verified_anew() -> None:
    run = observing("shift-10", phase=Phase.ROLLING_BACK)

    shown = advance(run, e.RollbackProbed(ok=True, text=""), NOW)

    assert (shown.checked, shown.tried) == (True, NOW)
    assert advance(shown, e.Intended(DeleteDeployment("green"), BLUE_100), NOW).checked is True
    assert advance(shown, e.Intended(SetSplit({"blue": 100}), BLUE_90), NOW).checked is False
    assert advance(shown, e.RollbackProbed(ok=False, text=""), NOW).checked is False


@pytest.mark.parametrize(
    "effort", [e.Intended(SetSplit({"blue": 100}), BLUE_90), e.RollbackProbed(ok=False, text="")]
)
def test_the_time_to_verify_counts_from_the_first_effort(effort: e.Event) -> None:
    run = observing("shift-10", phase=Phase.ROLLING_BACK)

    first = advance(run, effort, NOW)
    second = advance(first, effort, NOW + 5)

    assert (first.since, second.since) == (NOW, NOW)


def test_a_verified_rollback_ends_with_the_captured_split_and_an_empty_mirror() -> None:
    run = observing("shift-10", phase=Phase.UNVERIFIED, captured=MIRRORED)

    after = advance(run, e.RolledBack(), NOW)

    assert (after.phase, after.ended, after.expected) == (Phase.ROLLED_BACK, NOW, BLUE_100)


@pytest.mark.parametrize(
    ("cause", "phase"),
    [
        (None, Phase.COMPLETED),
        (because(Why.PREFLIGHT_FAILED), Phase.REFUSED),
        (because(Why.DEADLINE), Phase.ABORTED),
    ],
)
def test_an_end_without_a_rollback(cause: Cause | None, phase: Phase) -> None:
    after = advance(fresh(trouble=because(Why.PREFLIGHT_FAILED)), e.Ended(cause), NOW)

    assert (after.phase, after.ended) == (phase, NOW)


# --- a person's orders ----------------------------------------------------------------


@pytest.mark.parametrize("order", [ABORT, REJECT])
@pytest.mark.parametrize(
    ("changes", "phase"),
    [
        ({}, Phase.ROLLING_BACK),
        ({"phase": Phase.PAUSED}, Phase.ROLLING_BACK),
        ({"phase": Phase.HELD}, Phase.ROLLING_BACK),
        ({"intent": PUT}, Phase.ROLLING_BACK),
        ({"captured": None}, Phase.ABORTED),
        ({"intent": DELETE_BLUE}, Phase.RUNNING),
        ({"deleted": True}, Phase.RUNNING),
        ({"phase": Phase.ROLLING_BACK}, Phase.ROLLING_BACK),
        ({"phase": Phase.UNVERIFIED}, Phase.UNVERIFIED),
    ],
)
def test_a_person_may_give_up_until_the_point_of_no_return(
    order: e.Order, changes: dict[str, Any], phase: Phase
) -> None:
    assert advance(entering("create", **changes), order, NOW).phase is phase


def test_an_abort_says_who_and_why() -> None:
    after = advance(entering("create"), ABORT, NOW)

    assert after.cause == Cause(Why.ABORTED, "ada aborted it. enough")


@pytest.mark.parametrize("phase", [*OPEN, *BACK])
def test_keeping_the_traffic_ends_any_open_run_as_it_is(phase: Phase) -> None:
    after = advance(observing("shift-10", phase=phase), KEEP, NOW)

    assert (after.phase, after.expected, after.ended) == (Phase.ABORTED, BLUE_90, NOW)


@pytest.mark.parametrize(
    ("order", "phase", "after"),
    [
        (PAUSE, Phase.RUNNING, Phase.PAUSED),
        (PAUSE, Phase.HELD, Phase.HELD),
        (PAUSE, Phase.ROLLING_BACK, Phase.ROLLING_BACK),
        (RESUME, Phase.PAUSED, Phase.RUNNING),
        (RESUME, Phase.HELD, Phase.RUNNING),
        (RESUME, Phase.UNVERIFIED, Phase.UNVERIFIED),
        (RETRY, Phase.HELD, Phase.RUNNING),
        (RETRY, Phase.PAUSED, Phase.PAUSED),
        (RETRY, Phase.UNVERIFIED, Phase.ROLLING_BACK),
        (ADOPT, Phase.RUNNING, Phase.RUNNING),
        (ADOPT, Phase.ROLLING_BACK, Phase.ROLLING_BACK),
    ],
)
def test_pause_resume_and_retry(order: e.Order, phase: Phase, after: Phase) -> None:
    assert advance(observing("shift-10", phase=phase), order, NOW).phase is after


def test_a_pause_leaves_a_gate_where_it_was_and_uses_up_no_timeout() -> None:
    gated = observing("shift-10", phase=Phase.PAUSED, cursor="c", judgement=judged(Verdict.RUNNING))
    writing = entering("shift-10", phase=Phase.PAUSED, intent=SHIFT, attempts=1)

    assert advance(gated, RESUME, NOW) == replace(gated, phase=Phase.RUNNING)
    assert advance(writing, RESUME, NOW) == replace(writing, phase=Phase.RUNNING, since=NOW)


@pytest.mark.parametrize("phase", [Phase.PAUSED, Phase.HELD])
def test_an_adopted_split_enters_its_stage_anew(phase: Phase) -> None:
    run = observing("shift-10", phase=phase, cursor="c", judgement=judged(Verdict.PASS))

    after = advance(run, ADOPT, NOW)

    assert (after.phase, after.step, after.since) == (Phase.RUNNING, Step.ENTERING, NOW)
    assert (after.adopt, after.expected, after.judgement) == (True, None, None)
    assert after.captured == BLUE_100


@pytest.mark.parametrize(
    ("intent", "kept"),
    [
        (SHIFT, SHIFT),
        (DELETE_BLUE, DELETE_BLUE),
        (CreateEndpoint(), CreateEndpoint()),
        (PUT, None),
        (ScaleDeployment("blue", 2), None),
        (None, None),
    ],
)
def test_a_retry_forgets_what_failed_but_not_what_may_still_land(
    intent: Effect | None, kept: Effect | None
) -> None:
    run = entering(
        "shift-10", phase=Phase.HELD, cause=because(Why.ATTEMPTS), intent=intent, attempts=6
    )

    after = advance(run, RETRY, NOW)

    assert (after.intent, after.attempts, after.cause, after.since) == (kept, 0, None, NOW)


def test_a_retry_behind_the_point_of_no_return_stays_behind_it() -> None:
    held = entering("delete-blue", phase=Phase.HELD, intent=DELETE_BLUE, since=ENTERED + 90_000)

    after = advance(held, RETRY, ENTERED + 90_000)

    assert after.committed
    gone = seen_of(GREEN_100, blue=None)
    assert told(decide(after, gone, ENTERED + 90_001)) == e.StagePassed


def test_a_split_that_lands_while_the_run_is_held_is_still_ours_after_a_retry() -> None:
    held = entering("shift-10", phase=Phase.HELD, intent=SHIFT, attempts=6)

    after = advance(held, RETRY, NOW)

    assert told(decide(after, seen_of(BLUE_90), NOW)) == e.SetPointReached


@pytest.mark.parametrize(
    ("order", "phase", "said"),
    [
        (YES, Phase.RUNNING, True),
        (YES, Phase.PAUSED, True),
        (YES, Phase.HELD, True),
        (YES, Phase.ROLLING_BACK, False),
        (replace(YES, digest="another plan"), Phase.RUNNING, False),
    ],
)
def test_an_approval_is_bound_to_the_plan(order: e.Approved, phase: Phase, said: bool) -> None:
    after = advance(observing("approve", phase=phase), order, NOW)

    assert after.approvals == ((Approval("approve", "ada", NOW),) if said else ())


# --- undo -----------------------------------------------------------------------------


def test_an_undo_is_a_run_of_its_own_that_only_goes_back() -> None:
    last = observing("shift-100", phase=Phase.COMPLETED, ended=NOW, deadline=NOW, deleted=True)

    back = undone(last, "r-2", "bob", NOW + 10)

    assert (back.id, back.author, back.started, back.ended) == ("r-2", "bob", NOW + 10, None)
    assert (back.phase, back.captured, back.stage) == (Phase.ROLLING_BACK, BLUE_100, None)
    assert (back.deadline, back.done, back.committed) == (None, (), False)
    assert told(decide(back, seen_of(GREEN_100), NOW + 10)) == SetSplit({"blue": 100})
    assert advance(back, e.RolledBack(), NOW + 20).phase is Phase.UNDONE


def test_an_undo_inherits_nothing_of_what_befell_the_run() -> None:
    last = observing(
        "shift-100",
        phase=Phase.COMPLETED,
        ended=NOW,
        captured=BLUE_100,
        created=True,
        supersedes="r-0",
        landed=(SHIFT,),
        leftover="a split that nobody could put right",
        loose=(PUT,),
        restores=GREEN_100,
        ceiling=5,
        next_check=NOW,
        waits="timer",
        crashes=3,
        unread=True,
        steady=NOW,
        misses=2,
        gone=True,
        trouble=because(Why.TIMEOUT),
        windows=(Window("Fri 08:00-09:00"),),
        values={"model": "7"},
    )

    back = undone(last, "r-2", "bob", NOW + 10)

    plain = undone(fresh(captured=BLUE_100), "r-2", "bob", NOW + 10)
    kept = {"expected": last.expected, "created": True, "loose": (PUT,), "values": last.values}
    assert back == replace(plain, **kept)
    assert advance(back, e.RolledBack(), NOW + 20).leftover == ""


def test_an_undo_of_an_older_run_knows_the_late_calls_and_the_split_of_the_newest() -> None:
    last = observing("shift-100", phase=Phase.COMPLETED, ended=NOW, loose=(PUT,))
    newest = replace(last, id="r-9", loose=(SHIFT,), expected=BLUE_90)

    back = undone(last, "r-2", "bob", NOW + 10, newest)

    assert (back.loose, back.expected, back.captured) == ((SHIFT,), BLUE_90, last.captured)


def test_an_undo_never_deletes_the_candidate_of_a_later_run() -> None:
    deletes = OnFailure(candidate="delete")
    last = observing(
        "shift-100", phase=Phase.COMPLETED, supersedes="r-0", created=True, on_failure=deletes
    )
    back = replace(undone(last, "r-2", "bob", NOW), checked=True)

    later = replace(GREEN, run="r-9")

    assert decide(back, seen_of(BLUE_100, green=later), NOW) == Record(e.RolledBack())


def test_an_undo_of_a_run_that_changed_nothing_takes_no_traffic_away() -> None:
    last = fresh(phase=Phase.REFUSED)

    back = undone(last, "r-2", "bob", NOW)

    assert told(decide(back, seen_of(BLUE_100), NOW)) == ("ended", Why.UNDO)
    assert told(decide(back, seen_of(Split()), NOW)) == ("ended", Why.UNDO)


def test_catching_up_is_nothing_that_a_runner_has_not_died_for() -> None:
    behind = observing("shift-10", cursor="b", crashes=3, unread=True)
    measured = e.Measured((), "c", {}, judged(Verdict.RUNNING))

    caught_up = advance(behind, measured, NOW)

    assert (caught_up.crashes, caught_up.unread) == (3, False)
    assert advance(caught_up, measured, NOW).crashes == 0
