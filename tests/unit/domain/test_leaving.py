"""When a runner may leave, what must be so before, what the next one does first; as tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.domain import events as e
from rollout.domain.advance import advance
from rollout.domain.decide import decide
from rollout.domain.decisions import Question, Rest
from rollout.domain.endpoint import Condition, DeleteDeployment, PutDeployment, SetSplit
from rollout.domain.leaving import leaves, left, stays
from rollout.domain.plan import Guard, OnFailure
from rollout.domain.roles import CANDIDATE
from rollout.domain.run import Phase, Run, Split, Why
from rollout.domain.verdict import Verdict
from tests.unit.domain.samples import (
    BLUE,
    BLUE_90,
    BLUE_100,
    NOW,
    because,
    condition,
    entering,
    holding,
    judged,
    observing,
    seen_of,
    told,
)

REFUSE, HOLD, FIVE = Guard(0), Guard(None), Guard(5)
BLUE_95, HALF = Split({"blue": 95, "green": 5}), Split({"blue": 50, "green": 50})
LOWER = SetSplit({"blue": 95, "green": 5})


def watched(**changes: object) -> Run:
    """A run at 10 %, its gate not done."""
    return replace(observing("shift-10", cursor="c", judgement=judged(Verdict.RUNNING)), **changes)


def then(run: Run, *events: e.Event, at: float = NOW) -> Run:
    for event in events:
        run = advance(run, event, at)
    return run


# --- may it leave? --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "guard", "word"),
    [
        (watched(), REFUSE, None),
        (watched(), FIVE, e.LeaveBegan(5)),
        (watched(), Guard(10), e.Left(NOW + 60.0, "samples")),
        (watched(), HOLD, e.Left(NOW + 60.0, "samples")),
        (observing("mirror-10", cursor="c"), REFUSE, e.Left(NOW + 60.0, "samples")),
        (watched(phase=Phase.PAUSED), REFUSE, None),
        (watched(phase=Phase.PAUSED), HOLD, e.Left(NOW + 60.0, "person")),
        (watched(phase=Phase.HELD, cause=because(Why.INCONCLUSIVE)), FIVE, e.LeaveBegan(5)),
        (watched(phase=Phase.HELD, cause=because(Why.DRIFT)), FIVE, None),
        (watched(phase=Phase.ROLLING_BACK), HOLD, None),
        (watched(phase=Phase.COMPLETED), HOLD, None),
        (watched(intent=SetSplit(HALF.traffic)), HOLD, None),
        (watched(deadline=NOW + 7.0), HOLD, e.Left(NOW + 7.0, "samples")),
    ],
)
def test_a_runner_leaves_only_what_the_plan_lets_it_leave(
    run: Run, guard: Guard, word: object
) -> None:
    assert leaves(run, holding(run), guard, NOW, 1.0) == word


def test_where_a_plan_only_holds_nobody_could_do_anything_and_anybody_may_leave() -> None:
    run = watched(
        phase=Phase.HELD, cause=because(Why.GATE_FAILED), on_failure=OnFailure(action="hold")
    )

    assert leaves(run, holding(run), REFUSE, NOW, 1.0) == e.Left(NOW + 3600.0, "person")


def test_a_slow_source_is_looked_at_as_seldom_as_it_says_something() -> None:
    assert leaves(watched(), holding(watched()), HOLD, NOW, 300.0) == e.Left(NOW + 300.0, "samples")


def test_an_endpoint_that_cannot_be_read_is_looked_at_soon_and_never_lowered() -> None:
    run = entering("create")

    assert left(run, None, NOW, 1.0) == e.Left(NOW + 30.0, "provisioning")
    assert leaves(watched(), None, FIVE, NOW, 1.0) is None


@pytest.mark.parametrize(("guard", "says"), [(REFUSE, True), (FIVE, False), (HOLD, False)])
def test_a_runner_that_stays_for_the_candidates_users_says_so(guard: Guard, says: bool) -> None:
    assert bool(stays(watched(), holding(watched()), guard)) is says


def test_a_runner_stays_and_says_so_where_the_baseline_can_take_nothing_over() -> None:
    dead = seen_of(BLUE_90, blue=condition(BLUE, Condition.FAILED))

    assert "blue can take none of them over" in (stays(watched(), dead, FIVE) or "")


# --- lowering ---------------------------------------------------------------------------


LEAVING = then(watched(), e.LeaveBegan(5))


@pytest.mark.parametrize(
    ("run", "seen", "due"),
    [
        (LEAVING, seen_of(BLUE_90), LOWER),
        (LEAVING, seen_of(BLUE_90, busy=True), Question.MEASURE),
        (then(LEAVING, e.Intended(LOWER, BLUE_90)), seen_of(BLUE_95), e.ShareLowered),
        (then(LEAVING, e.ShareLowered(BLUE_95)), seen_of(BLUE_95), Rest),
        (LEAVING, seen_of(BLUE_90, blue=condition(BLUE, Condition.UPDATING)), Question.MEASURE),
        (replace(LEAVING, judgement=judged(Verdict.FAIL)), seen_of(BLUE_90), ("back", Why.GATE_FAILED)),
        (replace(LEAVING, deadline=NOW), seen_of(BLUE_90), ("back", Why.DEADLINE)),
        (LEAVING, seen_of(HALF), ("held", Why.DRIFT)),
        (replace(LEAVING, phase=Phase.PAUSED), seen_of(BLUE_90), LOWER),
        (replace(LEAVING, phase=Phase.PAUSED), seen_of(HALF), Question.MEASURE),
        (replace(LEAVING, phase=Phase.HELD, cause=because(Why.SOURCE)), seen_of(BLUE_90), LOWER),
    ],
)  # fmt: skip
def test_the_share_is_lowered_in_one_write_unless_something_is_worse(
    run: Run, seen: object, due: object
) -> None:
    assert told(decide(run, seen, NOW)) == due


def test_a_share_that_cannot_be_lowered_is_rolled_back() -> None:
    run = replace(then(LEAVING, e.Intended(LOWER, BLUE_90)), attempts=6)

    assert told(decide(run, seen_of(BLUE_90), NOW + 60.0)) == ("back", Why.ATTEMPTS)


def test_a_share_that_nobody_could_take_over_holds_nothing_up() -> None:
    run = replace(entering("delete-blue"), ceiling=5)
    dead = seen_of(Split({"green": 100}), blue=condition(BLUE, Condition.FAILED))

    assert told(decide(run, dead, NOW + 86_400.0)) == DeleteDeployment("blue")


def test_an_adopted_split_that_no_runner_has_read_is_not_left_without_a_guard() -> None:
    run = replace(LEAVING, phase=Phase.PAUSED, adopt=True, expected=None)

    assert told(decide(run, seen_of(BLUE_90), NOW)) == Question.MEASURE
    assert told(decide(run, seen_of(BLUE_95), NOW)) == Rest


def test_what_is_restored_is_the_split_from_before_however_often_runners_leave() -> None:
    once = then(LEAVING, e.ShareLowered(BLUE_95), e.Left(NOW, "samples"), e.OwnerTook(2, "ada"))
    twice = then(once, e.LeaveBegan(2), e.ShareLowered(Split({"blue": 98, "green": 2})))

    assert (once.restores, once.expected, once.ceiling) == (BLUE_90, BLUE_95, None)
    assert twice.restores == BLUE_90


# --- the next one -----------------------------------------------------------------------


LOWERED = then(LEAVING, e.ShareLowered(BLUE_95), e.Left(NOW + 60.0, "samples"))
BACK = then(LOWERED, e.OwnerTook(2, "ada"))
READ = then(BACK, e.Measured((), "d", {}, judged(Verdict.RUNNING)))
RESTORE = SetSplit(BLUE_90.traffic)


@pytest.mark.parametrize(
    ("run", "split", "due"),
    [
        (BACK, BLUE_95, Question.MEASURE),  # what happened meanwhile comes first
        (READ, BLUE_95, RESTORE),
        (then(READ, e.Intended(RESTORE, BLUE_95)), BLUE_90, e.ShareRestored),
        (READ, HALF, ("held", Why.DRIFT)),
        # One that died in between: what it wrote is the run's own, also where the stage has passed.
        (then(LEAVING, e.Intended(LOWER, BLUE_90), e.OwnerTook(2, "ada"), e.Measured((), "d", {}, judged(Verdict.PASS))), BLUE_95, e.ShareLowered),
        (then(READ, e.Measured((), "d", {}, judged(Verdict.FAIL))), BLUE_95, ("back", Why.GATE_FAILED)),
        (then(READ, e.Measured((), "d", {}, judged(Verdict.PASS))), BLUE_95, e.StagePassed),
        (then(LEAVING, e.OwnerTook(2, "ada"), e.Measured((), "d", {}, judged(Verdict.RUNNING))), BLUE_90, e.ShareRestored),
        (replace(READ, phase=Phase.PAUSED), BLUE_95, Question.MEASURE),
    ],
)  # fmt: skip
def test_the_next_runner_judges_what_happened_then_restores_the_share(
    run: Run, split: Split, due: object
) -> None:
    assert told(decide(run, seen_of(split), NOW)) == due


def test_a_restored_share_takes_nothing_from_the_stage() -> None:
    run = then(READ, e.Intended(RESTORE, BLUE_95), e.ShareRestored(BLUE_90), at=NOW + 9.0)

    assert (run.restores, run.expected, run.steady) == (None, BLUE_90, NOW + 9.0)
    assert (run.since, run.cursor, run.evidence) == (READ.since, READ.cursor, READ.evidence)
    assert (run.intent, run.attempts) == (None, 0)


def test_a_lagging_source_is_read_up_to_now_before_anything_goes_on() -> None:
    run = then(BACK, e.Measured((), "d", {}, judged(Verdict.PASS), lagging=True))

    assert told(decide(run, seen_of(BLUE_95), NOW)) == Question.MEASURE


def test_the_next_stages_own_share_needs_no_restoring() -> None:
    run = replace(entering("shift-100"), restores=BLUE_90, expected=BLUE_95)

    assert decide(run, seen_of(BLUE_95), NOW).effect == SetSplit({"green": 100})


def test_before_the_baseline_is_deleted_the_candidate_has_everything_again() -> None:
    whole = Split({"green": 100})
    run = replace(entering("delete-blue"), restores=whole, expected=BLUE_95)

    assert decide(run, seen_of(BLUE_95), NOW).effect == SetSplit({"green": 100})


def test_an_adopted_split_is_not_written_over() -> None:
    held = replace(READ, phase=Phase.HELD, cause=because(Why.DRIFT))

    run = then(held, e.ResumeOrdered("eve", adopt=True, reads=True), e.SplitCaptured(HALF))

    assert (run.expected, run.restores) == (HALF, None)


def test_a_rollback_forgets_what_was_to_be_restored() -> None:
    run = then(READ, e.RollbackBegan(because(Why.GATE_FAILED)))

    assert (run.restores, run.ceiling) == (None, None)
    assert decide(run, seen_of(BLUE_95), NOW).effect == SetSplit(BLUE_100.traffic)


def test_runners_that_read_nothing_are_counted_until_one_reads_something() -> None:
    missed = then(watched(), e.Measured((), "c", {}, judged(Verdict.RUNNING), source_errors=2))

    assert missed.misses == 2
    assert then(missed, e.ObservationBegan("c"), e.SetPointReached("shift-10", BLUE_90)).misses == 0


def test_time_without_a_runner_uses_up_no_stages_timeout() -> None:
    away = then(entering("create"), e.Left(NOW + 10.0, "timer"))

    back = then(away, e.OwnerTook(2, "eve"), at=NOW + 9000.0)

    assert back.since == NOW + 9000.0


def test_an_operation_that_was_under_way_meanwhile_keeps_its_timeout() -> None:
    order = PutDeployment(CANDIDATE, "green")
    away = then(entering("create"), e.Intended(order, BLUE_100), e.Left(NOW + 10.0, "provisioning"))

    back = then(away, e.OwnerTook(2, "eve"), at=NOW + 9000.0)

    assert back.since == away.since
