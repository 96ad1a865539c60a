"""Whole rollouts driven by ticks: a runner does what is due, says when the next one should look, leaves."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest

from rollout.domain import events as e
from rollout.domain.criteria import Check, Gate
from rollout.domain.outcome import exit_code, waiting_code
from rollout.domain.plan import Approve, Guard, Mirror, Shift, Wait
from rollout.domain.run import Phase, Run, Step, Why
from rollout.runtime import begin
from rollout.runtime.begin import Course
from rollout.runtime.runner import Runner
from tests.fakes.endpoint import FakeEndpoint
from tests.simulation.test_drive import (
    ALL,
    BAKE,
    CREATE,
    DELETE,
    ERRORS,
    PREFLIGHT,
    SMOKE,
    Scene,
    make,
    owner,
    stage,
)

REFUSE, HOLD, SHRINK = Guard(0), Guard(None), Guard(5)
HALF = stage(Shift(50), "canary")
SHARES = Check("requests")
CANARY = Gate("canary", (ERRORS, SHARES), 10.0, 3600.0, 50, 0.0)
APPROVE = stage(Approve(by=("eve",), expires=7200.0))
STAGES = (PREFLIGHT, CREATE, SMOKE, HALF, ALL, DELETE)


class Ticks(Scene):
    """A scene whose runners leave as soon as nothing is due."""

    killer: Random | None = None

    def tick(self, max_wait: float = 0.0, stopping=lambda _: False, ordering=lambda _: None) -> Run:
        plan = self.plan

        def own(journal, before) -> Course:
            standing = begin.stand(plan, endpoint, journal.refresh())
            if standing.course is not Course.NOTHING:
                begin.own(plan, endpoint, journal, standing, "ada", before)
            return standing.course

        self.store_ = store = self.store()
        endpoint = FakeEndpoint(plan, self.world, who="ada", call_seconds=self.call_seconds)
        runner = Runner(
            plan,
            endpoint,
            store,
            self.clock,
            owner("ada", lambda _: True),
            self.observer,
            stopping,
            self._mark,
            max_wait=max_wait,
            ordering=ordering,
        )
        return runner.run(own)[0]

    def _mark(self, _: str) -> None:
        if self.killer is not None and self.killer.random() < 0.02:
            self.store_.fail(10**9)  # whoever is dead writes nothing more, also not that it leaves
            raise KilledError

    def ticks(self, max_wait: float = 0.0, *, every: float = 0.0, most: int = 400) -> Run:
        """One tick after the other, each when the last one said that something would be due."""
        for _ in range(most):
            run = None
            with suppress(KilledError):
                run = self.tick(max_wait)
            if run is not None and (run.final or run.phase is Phase.HELD):
                return run
            due = run.next_check if run is not None else None
            self.clock.sleep(max(every, (due or 0.0) - self.clock.now()))
        raise AssertionError("it does not come to its end")

    def observing(self, stage_id: str) -> bool:
        """Whether the run is watched in that stage."""
        run = self.story[-1].state if self.shelf.events else None
        at = run is not None and run.stage is not None and run.stage.id == stage_id
        return at and run.step is Step.OBSERVING and run.cursor is not None


class KilledError(BaseException):
    """The runner is dead."""


@pytest.fixture
def ticks():
    made = []

    def build(*stages, rps: float = 100.0, seed: int = 1, guard: Guard = HOLD, **changes) -> Ticks:
        gates = changes.pop("gates", {"canary": CANARY, "bake": BAKE})
        plan = make(*(stages or STAGES), gates=gates, guard=guard, **changes)
        made.append(Ticks(plan, rps=rps, seed=seed))
        return made[-1]

    yield build
    for each in made:
        each.check()


@pytest.mark.parametrize(
    ("guard", "max_wait"),
    [(REFUSE, 0.0), (REFUSE, 15.0), (HOLD, 0.0), (HOLD, 15.0), (SHRINK, 15.0), (SHRINK, 30.0)],
    ids=["refuse", "refuse-wait", "hold", "hold-wait", "share", "share-more"],
)
def test_a_rollout_driven_by_ticks_ends_as_one_whose_runner_stayed(ticks, guard, max_wait):
    play = ticks(guard=guard)

    run = play.ticks(max_wait)

    assert (run.phase, exit_code(run)) == (Phase.COMPLETED, 0)
    assert [each.id for each in run.done] == [each.id for each in STAGES]
    steps = [each for each in play.world.splits if each != "blue 95 green 5"]
    steps = [each for at, each in enumerate(steps) if each != steps[at - 1] or not at]
    assert steps == ["blue 100", "blue 50 green 50", "green 100"]
    assert play.events(e.Left)


LONG = Gate("canary", (ERRORS, SHARES), 600.0, 7200.0, 50, 0.0)


@pytest.mark.parametrize("guard", [HOLD, SHRINK], ids=["hold", "share"])
def test_evidence_from_between_the_ticks_counts_and_no_split_is_taken_for_wrong(ticks, guard):
    play = ticks(guard=guard, gates={"canary": LONG, "bake": BAKE}, rps=20.0)

    run = play.ticks(20.0)

    assert run.phase is Phase.COMPLETED
    took = [each.event for each in play.story if isinstance(each.event, e.OwnerTook)]
    assert len(took) > 5
    read = [each for event in play.events(e.Measured) for each in event.intervals]
    gaps = [each for each in read if each.end - each.start > 30.0]
    assert gaps
    assert all(each.arms["candidate"].requests > 0 for each in gaps)
    assert {each.steady for each in gaps} == {guard is HOLD}


@pytest.mark.parametrize("guard", [HOLD, SHRINK], ids=["hold", "share"])
def test_what_goes_wrong_while_nobody_is_there_is_rolled_back_by_the_next_tick(ticks, guard):
    play = ticks(guard=guard, gates={"canary": LONG, "bake": BAKE}, rps=10.0)
    while not play.observing("shift 50"):
        play.tick()
        play.clock.sleep(30.0)
    before = len(play.world.splits)
    play.world.behave("green", error_rate=0.2)
    play.clock.sleep(3600.0)

    run = play.tick()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.ROLLED_BACK, Why.GATE_FAILED, 10)
    assert play.world.splits[before:] == ["blue 100"]  # nobody raised the share first
    assert run.exposure.errors > (1000 if guard is HOLD else 100)
    assert run.exposure.errors >= 0.9 * play.world.answers("green")[1]


@pytest.mark.parametrize(
    "order",
    [e.RetryOrdered("eve", reads=True), e.ResumeOrdered("eve", reads=True)],
    ids=["retry", "resume"],
)
def test_what_goes_wrong_while_a_held_run_is_left_alone_is_judged_before_it_goes_on(ticks, order):
    play = ticks(rps=2.0, gates={"canary": replace(CANARY, max_duration=60.0), "bake": BAKE})
    held = play.ticks(30.0)
    assert (held.phase, held.cause.why) == (Phase.HELD, Why.INCONCLUSIVE)
    play.tick()
    play.world.send(10.0)
    play.world.behave("green", error_rate=0.2)
    play.clock.sleep(3600.0)
    play.order(order)

    run = play.tick()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.ROLLED_BACK, Why.GATE_FAILED, 10)
    assert run.exposure.errors >= 0.9 * play.world.answers("green")[1]


def test_a_held_run_whose_candidate_did_well_alone_is_tried_anew(ticks):
    play = ticks(rps=2.0, gates={"canary": replace(CANARY, max_duration=60.0), "bake": BAKE})
    assert play.ticks(30.0).phase is Phase.HELD
    play.tick()
    play.world.send(100.0)
    play.clock.sleep(3600.0)
    play.order(e.RetryOrdered("eve", reads=True))

    run = play.ticks(30.0)

    assert run.phase is Phase.COMPLETED
    assert run.exposure.requests > 100_000
    assert len(play.events(e.ObservationBegan)) > 2


def test_what_was_measured_at_a_lowered_share_makes_no_stage_pass(ticks):
    play = ticks(guard=SHRINK)

    run = play.ticks(0.0, every=300.0)

    assert (run.phase, run.cause.why) == (Phase.HELD, Why.INCONCLUSIVE)
    assert play.world.splits == ["blue 100", "blue 50 green 50", "blue 95 green 5"]


def test_a_bad_verdict_while_leaving_comes_first(ticks):
    play = ticks(guard=SHRINK)
    play.once_left = lambda: play.world.behave("green", error_rate=1.0)
    play.observer.waiting.append(
        (lambda notice: isinstance(getattr(notice, "event", None), e.LeaveBegan), play.once_left)
    )
    play.world.split_seconds = 30.0

    run = play.ticks()

    assert (run.phase, run.cause.why) == (Phase.ROLLED_BACK, Why.GATE_FAILED)
    assert run.restores is None


def test_a_runner_that_may_not_leave_stays_and_says_why_once(ticks):
    play = ticks(guard=REFUSE)
    play.tick()
    play.clock.sleep(30.0)

    run = play.tick()

    assert run.at == len(STAGES) - 1  # from the first share on until the point of no return
    (said,) = [each for each in play.observer.alerts if "stays" in each]
    assert "green has 50 % of the requests" in said
    assert "guard.unattended" in said


def test_without_a_share_even_the_strictest_plan_lets_a_runner_leave(ticks):
    mirror = stage(Mirror(10), "canary")
    play = ticks(PREFLIGHT, CREATE, SMOKE, mirror, ALL, guard=REFUSE)
    play.tick()
    play.clock.sleep(30.0)

    run = play.tick()

    assert (run.stage.id, run.step, run.waits) == (mirror.id, Step.OBSERVING, "samples")
    assert run.next_check == play.clock.now() + 60.0


# --- waits -------------------------------------------------------------------------


def test_the_next_check_is_the_moment_at_which_a_timer_ends(ticks):
    play = ticks(PREFLIGHT, CREATE, stage(Wait(3000.0)), HALF, ALL, rps=20.0)
    run = play.tick()
    while run.waits != "timer":
        play.clock.sleep(30.0)
        run = play.tick()

    assert (run.next_check, waiting_code(run)) == (run.since + 3000.0, 20)
    reads = len(play.story)
    play.clock.sleep(run.next_check - play.clock.now())
    assert play.tick().at > run.at
    assert len(play.story) > reads


@pytest.mark.parametrize("guard", [HOLD, SHRINK, REFUSE], ids=["hold", "share", "refuse"])
def test_an_approval_that_was_given_while_everything_was_down_counts(ticks, guard):
    play = ticks(PREFLIGHT, CREATE, SMOKE, APPROVE, HALF, ALL, guard=guard)
    run = play.tick()
    while run.waits != "approval":
        play.clock.sleep(30.0)
        run = play.tick()
    assert (run.next_check, waiting_code(run)) == (run.since + 7200.0, 21)
    play.clock.sleep(1000.0)
    assert play.approve("eve").next_check is None

    assert play.ticks(15.0).phase is Phase.COMPLETED


def test_an_approval_of_a_candidate_with_users_is_guarded_by_ticks_and_then_goes_on(ticks):
    play = ticks(PREFLIGHT, CREATE, SMOKE, HALF, APPROVE, ALL, DELETE, guard=SHRINK)
    run = play.tick(15.0)
    while run.waits != "approval":
        play.clock.sleep(60.0)
        run = play.tick(15.0)
    assert run.next_check == play.clock.now() + 60.0
    assert play.split == "blue 95 green 5"
    play.clock.sleep(600.0)
    play.approve("eve")

    assert play.ticks(15.0).phase is Phase.COMPLETED


def test_what_was_measured_before_an_approval_is_judged_before_it_counts(ticks):
    play = ticks(PREFLIGHT, CREATE, SMOKE, HALF, APPROVE, ALL, guard=HOLD)
    run = play.tick()
    while run.waits != "approval":
        play.clock.sleep(60.0)
        run = play.tick()
    play.world.behave("green", error_rate=0.2)
    play.clock.sleep(600.0)
    play.approve("eve")

    run = play.tick()

    assert (run.phase, run.cause.why) == (Phase.ROLLED_BACK, Why.GATE_FAILED)
    assert "green 100" not in play.world.splits


def test_nobody_approves_while_everything_is_down(ticks):
    play = ticks(PREFLIGHT, CREATE, SMOKE, APPROVE, HALF, ALL, rps=1.0)
    run = play.tick()
    while run.waits != "approval":
        play.clock.sleep(30.0)
        run = play.tick()
    play.clock.sleep(10_000.0)

    run = play.tick()

    assert (run.cause.why, exit_code(run)) == (Why.EXPIRED, 15)


@pytest.mark.parametrize("guard", [HOLD, SHRINK], ids=["hold", "share"])
def test_a_deadline_that_passed_while_everything_was_down_fires_at_the_next_tick(ticks, guard):
    play = ticks(guard=guard, deadline=5000.0, gates={"canary": LONG, "bake": BAKE}, rps=10.0)
    while not play.observing("shift 50"):
        run = play.tick()
        play.clock.sleep(30.0)
    assert run.next_check <= run.deadline
    play.clock.sleep(5000.0)

    run = play.tick()

    assert (run.phase, exit_code(run)) == (Phase.ROLLED_BACK, 15)
    assert play.split == "blue 100"


@pytest.mark.parametrize("guard", [HOLD, SHRINK], ids=["hold", "share"])
def test_a_paused_run_is_guarded_by_ticks_and_moves_by_a_persons_order_only(ticks, guard):
    play = ticks(guard=guard, gates={"canary": LONG, "bake": BAKE}, rps=20.0)
    while not play.observing("shift 50"):
        play.tick()
        play.clock.sleep(30.0)
    play.order(e.PauseOrdered("eve"))

    paused = play.tick()
    again = play.tick()

    assert (paused.phase, again.waits, waiting_code(again)) == (Phase.PAUSED, "person", 23)
    assert again.next_check == play.clock.now() + 60.0
    play.order(e.ResumeOrdered("eve", reads=True))
    assert play.ticks(15.0).phase is Phase.COMPLETED


def test_a_held_run_without_users_is_looked_at_once_an_hour(ticks):
    play = ticks(PREFLIGHT, CREATE, SMOKE, stage(Mirror(10), "canary"), ALL, rps=0.0)

    run = play.ticks()
    left = play.tick()

    assert (run.phase, left.waits) == (Phase.HELD, "person")
    assert left.next_check == play.clock.now() + 3600.0


def test_a_persons_split_is_not_written_over_by_a_runner_that_leaves(ticks):
    play = ticks(guard=SHRINK, gates={"canary": LONG, "bake": BAKE}, rps=20.0)
    while not play.observing("shift 50"):
        play.tick()
        play.clock.sleep(30.0)
    play.clock.sleep(60.0)
    play.world.by_hand({"blue": 70, "green": 30})
    writes = len(play.world.writes)
    end = play.clock.now() + 600.0

    run = play.tick(stopping=lambda _: play.clock.now() > end)

    assert (run.phase, run.cause.why) == (Phase.HELD, Why.DRIFT)
    assert len(play.world.writes) == writes


# --- measurements ------------------------------------------------------------------


@pytest.mark.parametrize("trouble", ["break_metrics", "mute_metrics"])
def test_ticks_that_never_read_a_measurement_do_not_go_on_for_ever(ticks, trouble):
    play = ticks(guard=HOLD, gates={"canary": LONG, "bake": BAKE}, rps=20.0)
    while not play.observing("shift 50"):
        play.tick()
        play.clock.sleep(30.0)
    getattr(play.world, trouble)(1e6)

    run = play.ticks()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.HELD, Why.SOURCE, 12)


def test_one_tick_without_measurements_is_no_broken_source(ticks):
    play = ticks(guard=HOLD, gates={"canary": LONG, "bake": BAKE}, rps=20.0)
    while not play.observing("shift 50"):
        play.tick()
        play.clock.sleep(30.0)
    play.world.break_metrics(90.0)

    assert play.ticks().phase is Phase.COMPLETED


# --- questions without an answer -----------------------------------------------------


ASKED = pytest.mark.parametrize(
    ("op", "stage_id"),
    [("preflight", "preflight"), ("probe", "smoke candidate")],
    ids=["preflight", "smoke"],
)


@ASKED
def test_a_tick_asks_once_and_leaves_where_there_is_no_answer(ticks, op, stage_id):
    play = ticks()
    play.world.fault(op, times=30)

    run = play.tick()
    while run.stage.id != stage_id:
        play.clock.sleep(30.0)
        run = play.tick()

    assert (run.phase, run.waits) == (Phase.RUNNING, "answer")
    assert 0.0 < run.next_check - play.clock.now() <= 30.0
    began = play.clock.now()
    assert play.tick(15.0).waits == "answer"
    assert 15.0 <= play.clock.now() - began < 20.0
    assert play.ticks(15.0).phase is Phase.COMPLETED


def test_an_answer_counts_however_late_it_comes(ticks):
    play = ticks(replace(PREFLIGHT, timeout=0.0), CREATE, replace(SMOKE, timeout=0.0), HALF, ALL)

    assert play.ticks(15.0).phase is Phase.COMPLETED


@pytest.mark.parametrize("stays", [False, True], ids=["ticks", "stays"])
@ASKED
def test_a_question_without_an_answer_ends_with_its_stages_time(ticks, op, stage_id, stays):
    quick = [replace(each, timeout=60.0) for each in (PREFLIGHT, CREATE, SMOKE)]
    play = ticks(*quick, HALF, ALL)
    play.world.fault(op, times=90)

    run = play.apply() if stays else play.ticks()

    ended = Phase.HELD if op == "preflight" else Phase.ROLLED_BACK
    assert (run.phase, run.cause.why) == (ended, Why.TIMEOUT)
    assert f"Stage {stage_id} got no answer within 1m: " in run.cause.text


# --- interrupted, killed -------------------------------------------------------------


def test_an_interrupted_runner_says_that_it_left(ticks):
    play = ticks(guard=HOLD, gates={"canary": LONG, "bake": BAKE}, rps=20.0)

    run = play.tick(600.0, stopping=lambda run: run.share > 0)

    assert (run.next_check, run.waits, run.crashes) == (play.clock.now(), "", 0)
    assert play.ticks().phase is Phase.COMPLETED


def test_an_interrupted_runner_may_roll_back_instead(ticks):
    play = ticks(guard=HOLD)
    order = e.AbortOrdered("ada@here pid 1", message="Its runner was interrupted.")

    def ordering(run: Run) -> e.AbortOrdered | None:
        return order if run.share > 0 and run.phase is Phase.RUNNING else None

    run = play.tick(ordering=ordering, max_wait=60.0)

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.ROLLED_BACK, Why.ABORTED, 14)
    assert play.split == "blue 100"


@pytest.mark.parametrize("guard", [REFUSE, HOLD, SHRINK], ids=["refuse", "hold", "share"])
@pytest.mark.parametrize("seed", range(4))
def test_killed_between_and_inside_ticks_it_ends_as_an_undisturbed_one(ticks, guard, seed):
    play = ticks(PREFLIGHT, CREATE, SMOKE, HALF, stage(Wait(120.0)), ALL, DELETE, guard=guard)
    play.killer = Random(seed)  # noqa: S311 - one seed, one story

    run = play.ticks(15.0, every=5.0)

    assert run.phase is Phase.COMPLETED
    assert len(play.events(e.OwnerTook)) > len(play.events(e.Left))
    assert play.world.writes.count("PutDeployment green") == 1


@pytest.mark.parametrize("guard", [HOLD, SHRINK], ids=["hold", "share"])
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_random_a_bad_candidate_is_rolled_back_all_the_same(ticks, guard, seed):
    play = ticks(guard=guard, gates={"canary": LONG, "bake": BAKE}, rps=20.0)
    play.spoil("shift 50", error_rate=0.2)
    play.killer = Random(seed)  # noqa: S311 - one seed, one story

    run = play.ticks(10.0, every=5.0)

    assert (run.phase, run.cause.why) == (Phase.ROLLED_BACK, Why.GATE_FAILED)
    assert play.split == "blue 100"


@pytest.mark.parametrize("away", [0.0, 600.0], ids=["there", "away"])
def test_what_was_answered_before_an_abort_is_counted_once_the_split_is_back(ticks, away):
    play = ticks(guard=HOLD, gates={"canary": LONG, "bake": BAKE}, rps=10.0)
    while not play.observing("shift 50"):
        play.tick()
        play.clock.sleep(30.0)
    play.world.behave("green", error_rate=0.2)
    play.clock.sleep(3600.0)
    play.world.break_metrics(away)
    play.order(e.AbortOrdered("eve"))

    run = play.tick()

    assert (run.phase, run.cause.why) == (Phase.ROLLED_BACK, Why.ABORTED)
    told = [type(each.event) for each in play.story]
    if away:
        assert e.ExposureCounted not in told
        assert run.uncounted
    else:
        assert told.index(e.RollbackProbed) < told.index(e.ExposureCounted)
        assert (run.exposure.requests, run.exposure.errors) == play.world.answers("green")
        assert run.uncounted is None
