"""What people do to a rollout, in virtual time: windows, approvals, changes by hand, edited plans."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from rollout.domain import events as e
from rollout.domain.criteria import Check, Gate
from rollout.domain.endpoint import DeleteDeployment, SetSplit
from rollout.domain.errors import PreflightFailed, UsageError
from rollout.domain.outcome import exit_code, outcome, waiting_code
from rollout.domain.plan import Approve, DeploymentRef, OnFailure, Plan, Shift, Window
from rollout.domain.run import Drift, Phase, Run, Split, Step, Why
from rollout.runtime import begin, orders, superseding
from rollout.runtime.begin import Course
from rollout.runtime.journal import Entry, Journal
from tests.fakes.endpoint import FakeEndpoint
from tests.simulation.test_drive import (
    ALL,
    BAKE,
    CREATE,
    DELETE,
    ERRORS,
    MIRROR,
    PREFLIGHT,
    SHIFT,
    SMOKE,
    UNMIRRORED,
    Scene,
    make,
    stage,
)

STREAM = "fake/diabetes"
HALF = stage(Shift(50), "canary")
BOTH = stage(Approve(by=("ada", "eve", "kim"), count=2, expires=120.0))
ANYBODY = stage(Approve(expires=120.0))
BLUE = Split({"blue": 100})
EDITED = (PREFLIGHT, CREATE, SMOKE, MIRROR, SHIFT, ALL)


class People(Scene):
    """A scene in which plans are edited while a run is open."""

    def supersede(self, plan: Plan, message: str = "", **more: object) -> Run:
        """As ``rollout apply PLAN --supersede`` does it where the candidate stays the same."""

        def own(endpoint: FakeEndpoint, journal: Journal) -> Course:
            standing = begin.stand(plan, endpoint, journal.refresh(), supersede=True)
            begin.own(plan, endpoint, journal, standing, "eve", message=message)
            return standing.course

        return self._driven(plan, own, "eve", **more)

    def leave_at(self, stage_id: str, step: Step = Step.OBSERVING) -> Run:
        """Begin the plan and leave it there."""
        seen: list[bool] = []
        self.once(stage_id, lambda: seen.append(True), step)
        return self.apply(stopping=lambda _: bool(seen))

    def _the_end_agrees_with_the_endpoint(self, story: list[Entry]) -> None:
        run = story[-1].state
        if run.phase is not Phase.COMPLETED or run.candidate == "green":
            super()._the_end_agrees_with_the_endpoint(story)

    def journal(self) -> Journal:
        found = Journal(self.store(), STREAM, "eve")
        found.refresh()
        return found


@pytest.fixture
def people():
    made: list[People] = []

    def build(*stages, **changes) -> People:
        made.append(People(make(*stages, **changes)))
        return made[-1]

    yield build
    for each in made:
        each.check()


# --- windows ----------------------------------------------------------------------------

# The clock begins on Friday, 2027-01-15, at 08:00 UTC.
LATER = (Window("Fri 08:20-09:00", applies_to=("shift",)),)
OPENS = 1_800_000_000.0 + 1200


def test_a_stage_begins_when_its_window_opens(people):
    play = people(*UNMIRRORED, windows=LATER)

    run = play.apply()

    assert run.phase is Phase.COMPLETED
    first = next(each for each in play.story if isinstance(each.event, e.Intended) and each.event.effect == SetSplit({"blue": 90, "green": 10}))  # fmt: skip
    assert OPENS <= first.at < OPENS + 5
    assert run.windows == LATER


def test_a_run_that_waits_for_a_window_says_so(people):
    play = people(*UNMIRRORED, windows=LATER)

    run = play.leave_at(SHIFT.id, Step.ENTERING)

    now = play.clock.now()
    assert (waiting_code(run, now), outcome(run, now)) == (22, "waiting_window")
    assert play.world.splits == ["blue 100"]


def test_the_guard_fires_while_a_window_is_waited_for(people):
    late = replace(HALF, after=60.0)
    shut = (Window("Fri 08:00-08:01", applies_to=("shift",)),)
    play = people(*UNMIRRORED[:4], late, windows=shut)
    play.once(HALF.id, lambda: play.world.behave("green", error_rate=0.5), Step.ENTERING)

    run = play.apply()

    assert (run.phase, run.cause.why) == (Phase.ROLLED_BACK, Why.GATE_FAILED)
    assert play.split == "blue 100"
    assert "blue 50 green 50" not in play.world.splits


# --- approvals -----------------------------------------------------------------------------


def test_so_many_different_people_must_approve(people):
    play = people(*UNMIRRORED[:4], BOTH, ALL)
    refused: list[str] = []

    def refuse(who: str) -> None:
        with pytest.raises(UsageError) as told:
            play.approve(who)
        refused.append(str(told.value))

    def speak() -> None:
        play.approve("eve")
        for who in ("eve", "EVE", "ada", "mallory"):
            refuse(who)
        play.clock.after(5.0, lambda: play.approve("kim"))

    play.once(BOTH.id, speak)

    run = play.apply()

    assert run.phase is Phase.COMPLETED
    assert run.done[4].note == "approved by eve and kim"
    again, other, author, stranger = refused
    assert "eve has approved" in again
    assert "1 of 2 approvals missing. Ask kim." in again
    assert "EVE has approved" in other
    assert "approved by kim; you are ada, who started it" in author
    assert "you are mallory; 1 of 2 approvals missing" in stranger


def test_too_few_approvals_are_told_by_name_when_it_is_too_late(people):
    play = people(*UNMIRRORED[:4], BOTH, ALL)
    play.once(BOTH.id, lambda: play.approve("kim"))

    run = play.apply()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.ROLLED_BACK, Why.EXPIRED, 15)
    assert "Only 1 of 2 approvals: kim of approve" in run.cause.text


def test_whoever_started_a_run_does_not_approve_it(people):
    play = people(*UNMIRRORED[:4], ANYBODY, ALL)

    def speak() -> None:
        with pytest.raises(UsageError, match="anybody but ada; you are ada, who started it"):
            play.approve("ada")
        play.approve("kim")

    play.once(ANYBODY.id, speak)

    assert play.apply().phase is Phase.COMPLETED


def test_an_approval_that_comes_after_its_time_is_refused(people):
    play = people(*UNMIRRORED[:4], ANYBODY, ALL)
    run = play.leave_at(ANYBODY.id)
    play.clock.sleep(500)  # nobody was there to roll it back in time
    with pytest.raises(UsageError, match=r"expired at .*; the next look rolls back"):
        play.approve("kim")

    run = play.apply()

    assert (run.phase, run.cause.why) == (Phase.ROLLED_BACK, Why.EXPIRED)


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"deadline": 400.0}, Why.DEADLINE), ({}, Why.EXPIRED)],
    ids=["deadline", "approval"],
)
def test_what_was_due_while_nobody_lived_is_decided_at_the_first_look(people, changes, why):
    play = people(*UNMIRRORED[:4], ANYBODY, ALL, **changes)
    play.leave_at(ANYBODY.id)
    before = len(play.world.writes)
    play.clock.sleep(900)

    run = play.apply()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.ROLLED_BACK, why, 15)
    assert play.world.writes[before:] == ["SetSplit blue 100"]
    assert run.ended - run.since < 60


# --- changes by hand ---------------------------------------------------------------------------


def test_a_split_that_is_changed_by_hand_in_the_middle_of_a_shift_is_adopted(people):
    play = people(*UNMIRRORED)
    play.once(SHIFT.id, lambda: play.world.by_hand({"blue": 80, "green": 20}))

    held = play.apply()

    assert (held.phase, exit_code(held)) == (Phase.HELD, 31)
    assert held.cause.drift == Drift(
        Split({"blue": 90, "green": 10}), Split({"blue": 80, "green": 20})
    )
    play.order(e.ResumeOrdered("eve", adopt=True, reads=True))
    run = play.apply()
    assert run.phase is Phase.COMPLETED
    assert run.captured == BLUE


def test_a_deployment_that_was_deleted_by_hand_cannot_be_adopted(people):
    play = people(PREFLIGHT, CREATE, SMOKE, ANYBODY, SHIFT)
    play.once(ANYBODY.id, lambda: play.world.remove("green"))

    held = play.apply()

    assert held.cause.drift == Drift(missing=("green",))
    with pytest.raises(UsageError, match="A split can be adopted, green cannot"):
        play.order(e.ResumeOrdered("eve", adopt=True, reads=True))
    play.order(e.AbortOrdered("eve"))
    assert play.apply().phase is Phase.ROLLED_BACK


# --- edited plans ---------------------------------------------------------------------------------


def test_an_edited_plan_takes_over_what_a_rollback_restores(people):
    play = people(PREFLIGHT, CREATE, SMOKE, HALF, ALL)
    old = play.leave_at(HALF.id)
    edited = make(*EDITED, name="edited")

    run = play.supersede(edited, "too bold")

    ended = next(each.state for each in play.story if isinstance(each.event, e.Superseded))
    assert (outcome(ended), exit_code(ended)) == ("superseded", 14)
    assert ended.cause.text == "eve put an edited plan in its place. too bold"
    assert (run.phase, run.supersedes, run.captured) == (Phase.COMPLETED, old.id, BLUE)
    # Live traffic of the candidate and the mirror change places in one write.
    assert play.world.splits == [
        "blue 100",
        "blue 50 green 50",
        "blue 100 | green 10",
        "blue 90 green 10",
        "green 100",
    ]
    assert play.world.writes.count("PutDeployment green") == 1


def test_a_lower_shift_of_an_edited_plan_simply_lowers(people):
    play = people(PREFLIGHT, CREATE, SMOKE, HALF, ALL)
    play.leave_at(HALF.id)

    assert play.supersede(make(*UNMIRRORED, name="edited")).phase is Phase.COMPLETED

    assert play.world.splits[1:3] == ["blue 50 green 50", "blue 90 green 10"]


def test_the_rollback_of_an_edited_plan_goes_back_to_where_the_first_one_began(people):
    play = people(PREFLIGHT, CREATE, SMOKE, HALF, ALL)
    play.leave_at(HALF.id)
    play.spoil(SHIFT.id, error_rate=0.5)

    run = play.supersede(make(*UNMIRRORED, name="edited"))

    assert run.phase is Phase.ROLLED_BACK
    assert play.split == "blue 100"


def test_a_candidate_that_was_taken_over_is_deleted_where_the_plan_says_so(people):
    play = people(PREFLIGHT, CREATE, SMOKE, HALF, ALL)
    play.leave_at(HALF.id)
    play.spoil(SHIFT.id, error_rate=0.5)
    failing = OnFailure(candidate="delete")

    run = play.supersede(make(*UNMIRRORED, name="edited", on_failure=failing))

    assert run.phase is Phase.ROLLED_BACK
    assert play.world.writes[-2:] == ["SetSplit blue 100", "DeleteDeployment green"]


def test_the_guard_is_there_from_the_first_stage_of_an_edited_plan_on(people):
    play = people(PREFLIGHT, CREATE, SMOKE, HALF, ALL)
    play.leave_at(HALF.id)
    play.world.behave("green", error_rate=0.5)
    first = replace(PREFLIGHT, after=60.0)

    run = play.supersede(make(first, *UNMIRRORED[1:], name="edited"))

    assert (run.phase, run.cause.why, run.at) == (Phase.ROLLED_BACK, Why.GATE_FAILED, 0)


def test_a_split_of_the_old_plan_is_not_held_against_the_new_one(people):
    split = Gate("canary", (ERRORS, Check("requests")), 10.0, 90.0, 50, 0.0)
    gates = {"canary": split, "bake": BAKE}
    play = people(PREFLIGHT, CREATE, SMOKE, HALF, ALL, gates=gates)
    play.leave_at(HALF.id)
    first = replace(PREFLIGHT, after=60.0)

    run = play.supersede(make(first, *UNMIRRORED[1:], name="edited", gates=gates))

    assert run.phase is Phase.COMPLETED


def test_an_edited_plan_is_undone_to_where_the_first_one_began(people):
    play = people(PREFLIGHT, CREATE, SMOKE, HALF, ALL)
    play.leave_at(HALF.id)
    play.supersede(make(*UNMIRRORED, name="edited"))

    assert play.undo().phase is Phase.UNDONE

    assert play.split == "blue 100"


@pytest.mark.parametrize("name", ["edited", "safe"])
def test_a_crash_between_the_two_appends_loses_nothing(people, name):
    play = people(PREFLIGHT, CREATE, SMOKE, HALF, ALL)
    old = play.leave_at(HALF.id)
    journal = play.journal()
    begin.resume(journal)
    fresh = replace(old, identity="edited", author="eve")
    assert superseding.end(journal, old, fresh).phase is Phase.ABORTED

    stages = EDITED if name == "edited" else play.plan.stages
    run = play.apply(make(*stages, name=name))

    assert (run.phase, run.supersedes, run.captured) == (Phase.COMPLETED, old.id, BLUE)


def test_a_write_of_the_old_plan_that_has_landed_is_no_change_by_hand(people):
    play = people(PREFLIGHT, CREATE, SMOKE, SHIFT, HALF, ALL)
    play.once(HALF.id, lambda: None, Step.ENTERING)
    marks: list[str] = []

    def die(label: str) -> None:
        marks.append(label)
        if label == "after effect" and play.world.splits[-1] == "blue 50 green 50":
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        play.apply(mark=die)
    old = play.journal().run
    assert old.expected == Split({"blue": 90, "green": 10})

    run = play.supersede(make(*EDITED, name="edited"))

    assert run.phase is Phase.COMPLETED


def test_what_deletes_the_baseline_already_cannot_be_superseded(people):
    play = people(*UNMIRRORED, DELETE)
    play.leave_at(ALL.id)
    journal = play.journal()
    begin.resume(journal)
    journal.append(e.Intended(DeleteDeployment("blue"), Split({"green": 100})))

    with pytest.raises(UsageError, match="no plan can take its place"):
        play.supersede(make(*EDITED, name="edited"))


def test_orders_to_a_run_whose_plan_changed_say_so(people):
    play = people(PREFLIGHT, CREATE, SMOKE, HALF, ANYBODY, ALL)
    play.leave_at(ANYBODY.id)
    known = orders.find_run(play.store(), None)
    seen: list[bool] = []
    play.once(MIRROR.id, lambda: seen.append(True))
    play.supersede(make(*EDITED, name="edited"), stopping=lambda _: bool(seen))

    with pytest.raises(UsageError, match="The plan changed"):
        orders.approve(play.store(), known, "kim", "")

    assert play.apply(make(*EDITED, name="edited")).phase is Phase.COMPLETED


# --- runners that die ----------------------------------------------------------------------------


def crash(play: People, times: int) -> None:
    for _ in range(times):
        journal = play.journal()
        journal.take(crashed=True)


@pytest.mark.parametrize("times", [19, 20])
def test_a_plan_that_kills_whoever_runs_it_is_given_up(people, times):
    play = people(*UNMIRRORED)
    play.leave_at(SHIFT.id)
    crash(play, times)

    run = play.apply()

    if times < 20:
        assert run.phase is Phase.COMPLETED
        return
    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.ROLLED_BACK, Why.POISON, 10)
    assert "20 runners in a row died in stage shift 10" in run.cause.text
    assert play.split == "blue 100"


def test_a_plan_that_kills_whoever_runs_it_may_be_tried_again(people):
    play = people(*UNMIRRORED, on_failure=OnFailure(action="hold"))
    play.leave_at(SHIFT.id)
    crash(play, 20)

    held = play.apply()

    assert (held.phase, held.cause.why, exit_code(held)) == (Phase.HELD, Why.POISON, 13)
    play.order(e.RetryOrdered("eve", reads=True))
    assert play.apply().phase is Phase.COMPLETED


# --- back to an earlier run ------------------------------------------------------------------------


def next_plan(*stages, candidate: str = "red") -> Plan:
    return make(
        *(stages or UNMIRRORED),
        name="next",
        baseline=DeploymentRef("green"),
        candidate=DeploymentRef(candidate, f"/plans/{candidate}.yml"),
    )


def test_an_earlier_run_is_undone_although_later_ones_have_ended(people):
    play = people(*UNMIRRORED)
    first = play.apply()
    assert play.apply(next_plan()).phase is Phase.COMPLETED
    assert play.split == "red 100"

    run = play.undo(first.id)

    assert (run.phase, exit_code(run)) == (Phase.UNDONE, 0)
    assert play.split == "blue 100"


@pytest.mark.parametrize("how", ["gone", "failed"])
def test_what_is_not_there_to_go_back_to_is_refused_before_anything_is_touched(people, how):
    play = people(*UNMIRRORED)
    first = play.apply()
    play.apply(next_plan())
    if how == "gone":
        play.world.remove("blue")
    else:
        play.world.fail("blue", "OOMKilled")
    before, entries = len(play.world.writes), len(play.story)

    with pytest.raises(PreflightFailed, match=r"blue is not there|blue has failed"):
        play.undo(first.id)

    assert (len(play.world.writes), len(play.story)) == (before, entries)
