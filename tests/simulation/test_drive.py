"""Whole rollouts in virtual time: the real runtime and gates against the fake endpoint.

Every scene ends with the promises that hold whatever happened; see ``Scene.check``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import pytest

from rollout.api.attending import Going
from rollout.domain import events as e
from rollout.domain.advance import advance
from rollout.domain.criteria import Check, Gate, OnInconclusive
from rollout.domain.errors import (
    EndpointRefused,
    Fenced,
    Locked,
    PreflightFailed,
    StoreError,
    UsageError,
)
from rollout.domain.outcome import exit_code
from rollout.domain.plan import (
    Approve,
    Bootstrap,
    Create,
    Delete,
    DeploymentRef,
    EndpointRef,
    Expect,
    Mirror,
    OnFailure,
    Plan,
    Preflight,
    Scale,
    Shift,
    Smoke,
    Stage,
    Wait,
    Work,
)
from rollout.domain.run import Phase, Run, Split, Step, Why
from rollout.domain.units import Allowance
from rollout.domain.verdict import Verdict
from rollout.gates.rules import compile_rules
from rollout.ports.endpoint import Finding
from rollout.ports.observer import Appended, Notice, Waiting, Watched
from rollout.runtime import begin, orders
from rollout.runtime.begin import Course
from rollout.runtime.drive import Driver
from rollout.runtime.journal import Entry, Journal, entries
from rollout.runtime.lease import TTL, Owner, acquire
from rollout.runtime.meter import Meter
from rollout.runtime.replay import replay
from rollout.runtime.undoing import checked_goal
from tests.fakes.clock import FakeClock
from tests.fakes.endpoint import FakeEndpoint, World
from tests.fakes.observer import FakeObserver
from tests.fakes.store import FakeStore, Shelf

ERRORS = Check("error_rate", tolerance=Allowance(points=0.005), margin=Allowance(points=0.03))
SLOWNESS = Check("latency", quantile=0.95, tolerance=Allowance(1.5), margin=Allowance(2.5))
CANARY = Gate("canary", (ERRORS,), 10.0, 90.0, 50, 0.0)
TIMED = Gate("canary", (ERRORS, SLOWNESS), 10.0, 90.0, 50, 3.0)
BAKE = Gate("bake", (Check("error_rate", maximum=0.05),), 10.0, 90.0, 50, 0.0)


HELD = Going(lambda: False, held=True).leaves  # most stories end where a person is to look


def never(_: Run) -> bool:
    """A runner that stays for as long as anything is due."""
    return False


def stage(work: Work, gate: str | None = None, **more: float) -> Stage:
    value = next(
        (getattr(work, each) for each in ("percent", "deployment") if hasattr(work, each)), ""
    )
    return Stage(f"{type(work).__name__.lower()} {value}".strip(), work, gate, **more)


PREFLIGHT, CREATE, SMOKE = (
    stage(Preflight()),
    stage(Create("candidate")),
    stage(Smoke("candidate", 5)),
)
MIRROR, SHIFT = stage(Mirror(10), "canary"), stage(Shift(10), "canary")
ALL, DELETE = stage(Shift(100), "bake"), stage(Delete("baseline"))
APPROVE = stage(Approve(by=("ada",), expires=120.0, author=True))
STAGES = (PREFLIGHT, CREATE, SMOKE, MIRROR, SHIFT, ALL, DELETE)
UNMIRRORED = (PREFLIGHT, CREATE, SMOKE, SHIFT, ALL)


def make(*stages: Stage, **changes: object) -> Plan:
    made = Plan(
        name="safe",
        endpoint=EndpointRef("fake", "diabetes"),
        baseline=DeploymentRef("blue", "/plans/blue.yml"),
        candidate=DeploymentRef("green", "/plans/green.yml"),
        stages=stages or STAGES,
        gates={"canary": CANARY, "bake": BAKE},
        requests=(b"{}",),
    )
    made = replace(made, **changes)
    return replace(made, digest=hashlib.sha256(repr(made).encode()).hexdigest())


def owner(name: str, dead: Callable[[object], bool] = lambda _: False) -> Owner:
    return Owner({"user": name, "host": "here", "pid": 1}, dead)


class Watcher(FakeObserver):
    """Does something once, as soon as a notice says that the time has come."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[tuple[Callable[[Notice], bool], Callable[[], object]]] = []

    def saw(self, notice: Notice) -> None:
        super().saw(notice)
        for each in list(self.waiting):
            if each[0](notice):
                self.waiting.remove(each)
                each[1]()


class FastWorld(World):
    create_seconds = 6.0
    update_seconds = 4.0
    delete_seconds = 3.0


class Scene:
    """An endpoint, a journal, and runners that come and go."""

    def __init__(self, plan: Plan | None = None, *, rps: float = 100.0, seed: int = 1) -> None:
        self.plan = plan or make()
        self.clock = FakeClock()
        self.world = FastWorld(self.clock, rps=rps, seed=seed)
        self.world.serve("blue")
        self.shelf = Shelf()
        self.observer = Watcher()
        self.course: Course | None = None
        self.running: FakeStore | None = None
        self.call_seconds = 5.0
        self.overruled = False

    # --- runners ---

    def store(self) -> FakeStore:
        return FakeStore(now=self.clock.now, shelf=self.shelf)

    def apply(
        self,
        plan: Plan | None = None,
        *,
        again: bool = False,
        who: str = "ada",
        mark: Callable[[str], None] = lambda _: None,
        inputs: dict[str, str] | None = None,
        stopping: Callable[[Run], bool] = HELD,
        dead: Callable[[object], bool] = lambda _: False,
    ) -> Run:
        """As ``rollout.api.apply`` does it."""
        used = plan or self.plan

        def own(endpoint: FakeEndpoint, journal: Journal) -> Course:
            standing = begin.stand(used, endpoint, journal.refresh(), again=again)
            if standing.course is not Course.NOTHING:
                begin.own(used, endpoint, journal, standing, who)
            return standing.course

        return self._driven(used, own, who, mark, inputs, stopping, dead)

    def carry_on(self, **more: object) -> Run:
        """As ``rollout.api.carry_on`` does it: from the journal alone."""
        found = orders.find_run(self.store(), None)

        def own(_: FakeEndpoint, journal: Journal) -> Course:
            begin.resume(journal)
            return Course.RESUME

        plan = orders.plan_of(self.store(), found)
        return self._driven(plan, own, "carl", **more)

    def undo(self, run_id: str | None = None) -> Run:
        found = orders.find_run(self.store(), run_id)
        plan = orders.plan_of(self.store(), found)

        def own(endpoint: FakeEndpoint, journal: Journal) -> Course:
            journal.refresh()
            checked_goal(found.run, endpoint.observe())
            begin.undo(journal, found.run, plan, "ada")
            return Course.START

        return self._driven(plan, own, "ada")

    def _driven(
        self,
        plan: Plan,
        own: Callable[[FakeEndpoint, Journal], Course],
        who: str,
        mark: Callable[[str], None] = lambda _: None,
        inputs: dict[str, str] | None = None,
        stopping: Callable[[Run], bool] = HELD,
        dead: Callable[[object], bool] = lambda _: False,
    ) -> Run:
        store, clock = self.store(), self.clock
        self.running = store
        endpoint = FakeEndpoint(
            plan, self.world, who=who, inputs=inputs, call_seconds=self.call_seconds
        )
        lease = acquire(store, endpoint.key, owner(who, dead), clock, patience=0)
        try:
            journal = Journal(store, endpoint.key, who)
            self.course = own(endpoint, journal)
            if self.course is not Course.NOTHING:
                load = endpoint.load(plan.load_rps, plan.requests) if plan.load_rps else None
                meter = Meter(endpoint, compile_rules(plan), clock)
                Driver(
                    plan,
                    endpoint,
                    journal,
                    lease,
                    meter,
                    clock,
                    self.observer,
                    load,
                    stopping,
                    mark,
                ).drive()
            return journal.refresh()
        finally:
            lease.release()

    # --- persons ---

    def order(self, order: e.Order, by: str = "eve") -> Run:
        store = self.store()
        return orders.give(store, orders.find_run(store, None), order, by)

    def approve(self, by: str = "ada") -> Run:
        store = self.store()
        return orders.approve(store, orders.find_run(store, None), by, "looks good")

    def spoil(self, stage_id: str, **manner: object) -> None:
        """From that stage on the candidate answers like this."""
        self.once(stage_id, lambda: self.world.behave("green", **manner), Step.ENTERING)

    def once(self, stage_id: str, deed: Callable[[], object], step: Step = Step.OBSERVING) -> None:
        """Do ``deed`` while the run is in that stage and step."""
        self.observer.waiting.append(
            (lambda notice: _in(notice, stage_id, step) and not isinstance(notice, Appended), deed)
        )

    # --- what came of it ---

    @property
    def story(self) -> list[Entry]:
        stream = FakeEndpoint(self.plan, self.world).key
        return list(entries(self.store(), stream))

    def events(self, kind: type) -> list:
        return [each.event for each in self.story if isinstance(each.event, kind)]

    @property
    def split(self) -> str:
        return self.world.splits[-1]

    def check(self) -> None:
        """What holds whatever happened."""
        story = self.story
        self._every_state_is_the_fold(story)
        self._no_interval_is_journaled_twice(story)
        self._every_judgement_can_be_recomputed(story)
        self._the_end_agrees_with_the_endpoint(story)
        for each in self.world.splits:
            live = each.split(" | ")[0].split()
            assert self.overruled or sum(map(int, live[1::2])) == 100, each
        assert all(each.changed for each in self.world.accepted)

    def _every_state_is_the_fold(self, story: list[Entry]) -> None:
        for before, entry in pairwise(story):
            if not isinstance(entry.event, e.RunStarted):
                assert entry.state == advance(before.state, entry.event, entry.at)

    def _no_interval_is_journaled_twice(self, story: list[Entry]) -> None:
        until, taken = 0.0, 0
        for entry in story:
            if isinstance(entry.event, e.Measured):
                for interval in entry.event.intervals:
                    assert until <= interval.start < interval.end
                    until = interval.end
                taken += entry.event.requests
        assert taken <= self.world.answers("green")[0]

    def _every_judgement_can_be_recomputed(self, story: list[Entry]) -> None:
        for begin_ in [each for each in story if isinstance(each.event, e.RunStarted)]:
            own = [each for each in story if each.state.id == begin_.state.id]
            plan = orders.plan_of(self.store(), _found(begin_, story))
            found = replay(own, plan)
            assert found.mismatches == ()
            assert found.verdicts == sum(isinstance(each.event, e.Measured) for each in own)

    def _the_end_agrees_with_the_endpoint(self, story: list[Entry]) -> None:
        run = story[-1].state
        with self.world.change() as real:
            live, mirror = real.goal.traffic, real.goal.mirror
            there = set(real.deployments)
        if run.phase is Phase.COMPLETED:
            assert live == {"green": 100}
        elif run.phase in (Phase.ROLLED_BACK, Phase.UNDONE):
            assert (live, mirror) == (run.captured.traffic, {})
            assert set(live) <= there


def _found(entry: Entry, story: list[Entry]) -> orders.Found:
    stream = "fake/diabetes"
    return orders.Found(stream, entry.state, entry.at)


def _in(notice: Notice, stage_id: str, step: Step) -> bool:
    run = notice.run
    return run.stage is not None and run.stage.id == stage_id and run.step is step


@pytest.fixture
def scene():
    made = []

    def build(*stages: Stage, rps: float = 100.0, seed: int = 1, **changes: object) -> Scene:
        made.append(Scene(make(*stages, **changes), rps=rps, seed=seed))
        return made[-1]

    yield build
    for each in made:
        each.check()


def gone(world: World) -> bool:
    with world.change() as real:
        return "blue" not in real.deployments


# --- the good way ----------------------------------------------------------------


def test_a_healthy_candidate_gets_everything_step_by_step(scene):
    play = scene(stage(Scale("baseline", 2)), *STAGES, gates={"canary": TIMED, "bake": BAKE})

    run = play.apply()

    assert (run.phase, exit_code(run)) == (Phase.COMPLETED, 0)
    assert play.world.splits == [
        "blue 100", "blue 100 | green 10", "blue 90 green 10", "green 100"
    ]  # fmt: skip
    assert play.world.writes == [
        "ScaleDeployment blue 2",
        "PutDeployment green",
        "SetSplit blue 100 | green 10",
        "SetSplit blue 90 green 10",
        "SetSplit green 100",
        "DeleteDeployment blue",
    ]
    assert gone(play.world)
    assert [each.id for each in run.done] == [each.id for each in play.plan.stages]
    passed = [each.judgement for each in play.events(e.Measured)]
    assert [each.gate for each in passed if each.verdict is Verdict.PASS] == [
        "canary", "canary", "bake"
    ]  # fmt: skip
    assert play.observer.alerts == []


def test_set_points_hold_for_as_long_as_their_gates_say(scene):
    play = scene()

    play.apply()

    with play.world.change() as real:
        moments = [each.at for each in real.splits]
    mirrored, shifted = moments[2] - moments[1], moments[3] - moments[2]
    assert CANARY.min_duration <= mirrored <= 60
    assert CANARY.min_duration <= shifted <= 60


def test_an_empty_endpoint_gets_its_baseline_first(scene):
    play = scene(PREFLIGHT, stage(Bootstrap()), *STAGES[1:])
    play.world = FastWorld(play.clock, rps=100.0)

    run = play.apply()

    assert run.phase is Phase.COMPLETED
    assert play.world.writes[:3] == [
        "CreateEndpoint diabetes", "PutDeployment blue", "SetSplit blue 100"
    ]  # fmt: skip


def test_without_an_endpoint_and_without_a_bootstrap_nothing_is_touched(scene):
    play = scene()
    play.world = FastWorld(play.clock)

    run = play.apply()

    assert (run.phase, exit_code(run)) == (Phase.HELD, 31)
    assert play.world.writes == []


def test_the_runner_sends_the_load_that_the_plan_asks_for(scene):
    play = scene(load_rps=100.0, rps=0.0)

    run = play.apply()

    assert run.phase is Phase.COMPLETED
    before = play.world.answers("green")[0]
    play.clock.sleep(10.0)
    assert play.world.answers("green")[0] == before


def test_a_runner_that_takes_over_sends_the_load_again(scene):
    play = scene(load_rps=100.0, rps=0.0)
    seen = []
    play.once("shift 10", lambda: seen.append(True))
    assert play.apply(stopping=lambda _: bool(seen)).phase is Phase.RUNNING

    run = play.apply()

    assert run.phase is Phase.COMPLETED


def test_a_wait_holds_the_split_with_the_guard_on(scene):
    play = scene(*UNMIRRORED[:4], stage(Wait(60.0)), ALL)

    play.apply()

    with play.world.change() as real:
        moments = [each.at for each in real.splits]
    assert moments[2] - moments[1] >= 70


def test_a_stage_begins_only_after_its_time(scene):
    play = scene(PREFLIGHT, CREATE, SMOKE, stage(Shift(10), "canary", after=100.0), ALL)

    play.apply()

    smoked = next(each.at for each in play.story if isinstance(each.event, e.SmokeTested))
    with play.world.change() as real:
        assert real.splits[1].at - smoked >= 100


# --- bad candidates -----------------------------------------------------------------


def test_errors_show_in_the_mirror_and_no_client_sees_one(scene):
    play = scene()
    play.spoil("mirror 10", error_rate=0.2)

    run = play.apply()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.ROLLED_BACK, Why.GATE_FAILED, 10)
    assert play.world.splits == ["blue 100", "blue 100 | green 10", "blue 100"]
    assert play.world.answers("green") == (0, 0)
    assert run.exposure.requests == 0
    assert len(play.events(e.LogsCollected)) == 1
    assert play.events(e.RollbackProbed)[-1].ok


def test_the_next_runner_on_the_way_back_does_not_keep_the_logs_again(scene):
    play = scene()
    play.spoil("mirror 10", error_rate=0.2)

    def dies(label):
        if (
            label == "after append"
            and play.events(e.LogsCollected)
            and not play.events(e.RolledBack)
        ):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play.apply(mark=dies)
    assert not play.events(e.RollbackProbed)

    assert play.apply().phase is Phase.ROLLED_BACK
    assert len(play.events(e.LogsCollected)) == 1


def test_errors_without_a_mirror_reach_few_clients(scene):
    play = scene(*UNMIRRORED)
    play.spoil("shift 10", error_rate=0.2)

    run = play.apply()

    assert (run.phase, run.cause.why) == (Phase.ROLLED_BACK, Why.GATE_FAILED)
    requests, errors = play.world.answers("green")
    assert 0 < requests < 150
    assert errors < 40
    assert 0 < run.exposure.errors <= errors


def test_a_crash_is_noticed_within_seconds(scene):
    play = scene(*UNMIRRORED)
    play.spoil("shift 10", error_rate=1.0)

    run = play.apply()

    assert run.phase is Phase.ROLLED_BACK
    assert play.world.answers("green")[0] < 70


def test_a_slow_candidate_is_rolled_back(scene):
    play = scene(gates={"canary": TIMED, "bake": BAKE})
    play.world.behave("green", seconds=0.2)

    run = play.apply()

    assert (run.phase, run.cause.why) == (Phase.ROLLED_BACK, Why.GATE_FAILED)
    assert "latency" in run.cause.text


def test_an_outage_that_both_share_is_not_the_candidates_fault(scene):
    play = scene(*UNMIRRORED[:4])

    def break_both():
        for name in ("blue", "green"):
            play.world.behave(name, error_rate=0.3)

    play.once("shift 10", break_both)

    run = play.apply()

    assert run.cause is None or run.cause.why is Why.INCONCLUSIVE


def test_a_creation_that_fails_is_rolled_back_with_the_last_words(scene):
    play = scene()
    play.world.doom("green", "ImportError: no module named 'shape'")

    run = play.apply()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.ROLLED_BACK, Why.CREATE_FAILED, 10)
    assert "ImportError" in run.cause.text
    assert "ImportError" in play.events(e.LogsCollected)[0].text
    assert play.world.splits == ["blue 100"]


def test_what_an_earlier_run_left_failed_is_replaced(scene):
    play = scene()
    play.world.doom("green", "ImportError: no module named 'shape'")
    play.apply()

    run = play.apply(inputs={"candidate": "score.py of today"})

    assert run.phase is Phase.COMPLETED
    assert play.world.writes.count("PutDeployment green") == 2


def test_a_failed_candidate_goes_where_the_plan_says_so(scene):
    play = scene(on_failure=OnFailure(candidate="delete"))
    play.spoil("mirror 10", error_rate=0.2)

    run = play.apply()

    assert run.phase is Phase.ROLLED_BACK
    assert play.world.writes[-1] == "DeleteDeployment green"
    with play.world.change() as real:
        assert set(real.deployments) == {"blue"}


@pytest.mark.parametrize(
    ("manner", "said"),
    [
        ({"error_rate": 1.0}, "status 500"),
        ({"body": b"oops"}, "not JSON"),
        ({"body": b'["1.5"]'}, "no number"),
        ({"seconds": 3.0, "spread": 0.01}, "no answer within 2 s"),
    ],
)
def test_a_failed_smoke_test_keeps_the_candidate_from_all_traffic(scene, manner, said):
    expect = Expect(latency_max=2.0, json_path="$[0]", json_type="number")
    play = scene(PREFLIGHT, CREATE, stage(Smoke("candidate", 5, expect)), *STAGES[3:])
    play.world.behave("green", **manner)

    run = play.apply()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.ROLLED_BACK, Why.SMOKE_FAILED, 10)
    assert said in run.cause.text
    assert play.world.splits == ["blue 100"]


def test_a_candidate_that_breaks_down_is_rolled_back_even_while_a_person_is_asked(scene):
    play = scene(*UNMIRRORED[:4], APPROVE, ALL)
    play.once(APPROVE.id, lambda: play.world.fail("green", "OOMKilled"))

    run = play.apply()

    assert (run.phase, run.cause.why) == (Phase.ROLLED_BACK, Why.CANDIDATE_FAILED)
    assert play.split == "blue 100"


def test_the_guard_fires_in_a_stage_without_a_gate(scene):
    play = scene(*UNMIRRORED[:4], APPROVE, ALL)
    play.once(APPROVE.id, lambda: play.world.behave("green", error_rate=0.5))

    run = play.apply()

    assert (run.phase, run.cause.why) == (Phase.ROLLED_BACK, Why.GATE_FAILED)
    assert "guard" in run.cause.text


def test_while_the_next_stage_is_waited_for_the_last_ones_gate_guards(scene):
    late = stage(Shift(100), "bake", after=300.0)
    play = scene(*UNMIRRORED[:4], late)
    play.once(late.id, lambda: play.world.behave("green", error_rate=0.03), Step.ENTERING)

    run = play.apply()

    # 3 % is within bake's objective of 5 %, and beyond canary's tolerance of 0.5 points.
    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.ROLLED_BACK, Why.GATE_FAILED, 10)
    assert play.world.splits[-2:] == ["blue 90 green 10", "blue 100"]
    assert "guard" in run.cause.text


def test_a_stage_whose_gate_failed_may_be_tried_again_by_a_persons_order(scene):
    play = scene(on_failure=OnFailure(action="hold"))
    play.spoil("mirror 10", error_rate=0.2)
    assert play.apply().cause.why is Why.GATE_FAILED
    play.world.behave("green", error_rate=0.0)
    play.order(e.RetryOrdered("eve", reads=True))

    run = play.apply()

    assert run.phase is Phase.COMPLETED


def test_a_gate_that_fails_may_hold_instead(scene):
    play = scene(on_failure=OnFailure(action="hold"))
    play.spoil("mirror 10", error_rate=0.2)

    run = play.apply()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.HELD, Why.GATE_FAILED, 13)
    assert play.split == "blue 100 | green 10"
    play.order(e.AbortOrdered("eve"))
    assert exit_code(play.apply()) == 14


def test_a_failed_preflight_touches_nothing(scene):
    play = scene()
    play.world.findings = (Finding("quota", False, "16 more cores needed."),)

    run = play.apply()

    assert (run.phase, exit_code(run)) == (Phase.REFUSED, 32)
    assert play.world.writes == []


# --- no verdict ---------------------------------------------------------------------


def test_too_little_traffic_is_no_verdict(scene):
    play = scene(rps=2.0)

    run = play.apply()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.HELD, Why.INCONCLUSIVE, 12)
    assert play.split == "blue 100 | green 10"


def test_no_traffic_is_no_verdict_and_never_a_pass(scene):
    play = scene(rps=0.0)

    run = play.apply()

    assert (run.phase, exit_code(run)) == (Phase.HELD, 12)
    assert run.judgement.cause == "no_data"
    assert [each.id for each in run.done][-1] == SMOKE.id


def test_no_verdict_may_mean_rollback(scene):
    gate = replace(CANARY, on_inconclusive=OnInconclusive(then="rollback"))
    play = scene(rps=2.0, gates={"canary": gate, "bake": BAKE})

    run = play.apply()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.ROLLED_BACK, Why.INCONCLUSIVE, 10)


def test_a_broken_source_of_measurements_is_no_verdict(scene):
    play = scene()
    play.once("mirror 10", lambda: play.world.break_metrics(1e6))

    run = play.apply()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.HELD, Why.SOURCE, 12)


def test_a_source_that_is_broken_from_the_start_is_no_verdict(scene):
    play = scene()
    play.world.break_metrics(1e6)

    run = play.apply()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.HELD, Why.SOURCE, 12)


def test_a_source_that_closes_no_interval_is_no_verdict(scene):
    play = scene()
    play.world.mute_metrics(1e6)

    run = play.apply()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.HELD, Why.SOURCE, 12)


@pytest.mark.parametrize("trouble", ["break_metrics", "mute_metrics"])
def test_a_short_outage_of_the_measurements_changes_nothing(scene, trouble):
    play = scene()
    play.once("mirror 10", lambda: getattr(play.world, trouble)(15.0))

    run = play.apply()

    assert run.phase is Phase.COMPLETED


def test_a_held_run_is_tried_again_by_a_persons_order(scene):
    play = scene(rps=2.0)
    assert play.apply().phase is Phase.HELD
    assert play.apply().phase is Phase.HELD
    play.world.send(100.0)
    play.order(e.RetryOrdered("eve", reads=True))

    run = play.apply()

    assert run.phase is Phase.COMPLETED


def held_with_users(scene, **changes: object):
    """A run that is held at 10 % because too little was sent to judge."""
    play = scene(*UNMIRRORED, rps=2.0, **changes)
    held = play.apply()
    assert (held.phase, held.cause.why) == (Phase.HELD, Why.INCONCLUSIVE)
    assert play.split == "blue 90 green 10"
    return play


def test_the_guard_goes_on_while_a_run_is_held(scene):
    play = held_with_users(scene)
    play.world.send(100.0)
    play.once("shift 10", lambda: play.world.behave("green", error_rate=0.3))

    run = play.apply(stopping=never)

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.ROLLED_BACK, Why.GATE_FAILED, 10)
    assert play.split == "blue 100"


def test_a_held_run_whose_guard_is_content_stays_held_until_its_runner_is_asked_to_leave(scene):
    play = held_with_users(scene)
    play.world.send(100.0)
    leave_at = play.clock.now() + 3600.0

    run = play.apply(stopping=lambda _: play.clock.now() >= leave_at)

    assert (run.phase, exit_code(run)) == (Phase.HELD, 12)
    assert play.split == "blue 90 green 10"
    assert run.exposure.requests > 30_000


def test_an_order_moves_a_held_run_that_is_guarded(scene):
    play = held_with_users(scene)
    play.world.send(100.0)
    play.once("shift 10", lambda: play.order(e.RetryOrdered("eve", reads=True)))

    run = play.apply(stopping=never)

    assert run.phase is Phase.COMPLETED


def test_the_deadline_fires_while_a_run_is_held(scene):
    play = held_with_users(scene, deadline=7200.0)

    run = play.apply(stopping=never)

    assert (run.phase, exit_code(run)) == (Phase.ROLLED_BACK, 15)
    assert run.ended - run.started >= 7200.0


def test_a_candidate_that_breaks_down_while_held_is_rolled_back(scene):
    play = held_with_users(scene)
    play.once("shift 10", lambda: play.world.fail("green", "out of memory"))

    run = play.apply(stopping=never)

    assert (run.phase, run.cause.why) == (Phase.ROLLED_BACK, Why.CANDIDATE_FAILED)


def test_traffic_given_by_hand_to_a_mirrored_candidate_is_guarded_as_live(scene):
    play = scene()
    play.once("mirror 10", lambda: play.world.by_hand({"blue": 50, "green": 50}, {}))
    assert exit_code(play.apply()) == 31
    play.world.behave("green", error_rate=0.3)

    run = play.apply(stopping=never)

    assert (run.phase, run.cause.why) == (Phase.ROLLED_BACK, Why.GATE_FAILED)
    assert run.exposure.errors > 0


# --- persons ------------------------------------------------------------------------


def test_an_approval_from_another_process_lets_the_run_go_on(scene):
    play = scene(*UNMIRRORED[:4], APPROVE, ALL)
    play.once(APPROVE.id, play.approve)

    run = play.apply()

    assert run.phase is Phase.COMPLETED
    assert [(each.stage, each.by) for each in run.approvals] == [(APPROVE.id, "ada")]


def test_only_who_the_plan_names_may_approve(scene):
    play = scene(*UNMIRRORED[:4], APPROVE, ALL)
    refused = []

    def approve():
        with pytest.raises(UsageError) as told:
            play.approve("mallory")
        refused.append(str(told.value))

    play.once(APPROVE.id, approve)

    run = play.apply()

    assert "ada" in refused[0]
    assert run.phase is Phase.ROLLED_BACK


def test_nobody_approves_in_time(scene):
    play = scene(*UNMIRRORED[:4], APPROVE, ALL)

    run = play.apply()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.ROLLED_BACK, Why.EXPIRED, 15)
    assert play.split == "blue 100"


def test_a_rejection_rolls_back(scene):
    play = scene(*UNMIRRORED[:4], APPROVE, ALL)
    play.once(APPROVE.id, lambda: play.order(e.Rejected("eve", "not on a Friday")))

    run = play.apply()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.ROLLED_BACK, Why.REJECTED, 14)
    assert "not on a Friday" in run.cause.text


def test_a_pause_stops_the_plan_until_somebody_resumes_it(scene):
    play = scene()

    def pause():
        play.order(e.PauseOrdered("eve"))
        play.clock.after(200.0, lambda: play.order(e.ResumeOrdered("eve", reads=True)))

    play.once("shift 10", pause)

    run = play.apply()

    assert run.phase is Phase.COMPLETED
    with play.world.change() as real:
        assert real.splits[3].at - real.splits[2].at >= 200
    assert len(play.story) < 120  # a pause fills no journal


def test_the_guard_goes_on_while_a_run_is_paused(scene):
    play = scene()

    def pause():
        play.order(e.PauseOrdered("eve"))
        play.world.behave("green", error_rate=0.3, after=60.0)

    play.once("shift 10", pause)

    run = play.apply()

    assert (run.phase, run.cause.why) == (Phase.ROLLED_BACK, Why.GATE_FAILED)


def test_a_pause_behind_the_last_stage_waits_for_its_end(scene):
    play = scene(*UNMIRRORED)

    def late(notice: Notice) -> bool:
        return notice.run.stage is None and notice.run.phase is Phase.RUNNING

    def pause():
        play.order(e.PauseOrdered("eve"))
        play.clock.after(30.0, lambda: play.order(e.ResumeOrdered("eve", reads=True)))

    play.observer.waiting.append((late, pause))

    run = play.apply()

    assert run.phase is Phase.COMPLETED


OBSERVED = (MIRROR, SHIFT, APPROVE, ALL)


@pytest.mark.parametrize(
    ("at", "step"),
    [(each.id, Step.ENTERING) for each in (*STAGES[1:6], APPROVE)]
    + [(each.id, Step.OBSERVING) for each in OBSERVED],
)
def test_an_abort_ends_at_the_captured_split_from_every_stage(scene, at, step):
    play = scene(*STAGES[:5], APPROVE, *STAGES[5:])
    abort = lambda: play.order(e.AbortOrdered("eve", message="enough"))  # noqa: E731
    play.observer.waiting.append((lambda notice: _in(notice, at, step), abort))
    if at != APPROVE.id:
        play.once(APPROVE.id, play.approve)

    run = play.apply()

    assert run.phase is (Phase.ABORTED if run.captured is None else Phase.ROLLED_BACK)
    assert (run.cause.why, exit_code(run)) == (Why.ABORTED, 14)
    assert run.cause.text == "eve aborted it. enough"
    assert play.split == "blue 100"


def test_an_abort_is_refused_behind_the_point_of_no_return(scene):
    play = scene()
    refused = []

    def abort():
        with pytest.raises(UsageError):
            play.order(e.AbortOrdered("eve"))
        refused.append(True)

    play.observer.waiting.append((lambda notice: notice.run.committed, abort))

    run = play.apply()

    assert refused
    assert run.phase is Phase.COMPLETED


def test_an_abort_may_leave_the_traffic_as_it_is(scene):
    play = scene()
    play.once("shift 10", lambda: play.order(e.AbortOrdered("eve", keep_traffic=True)))

    run = play.apply()

    assert (run.phase, exit_code(run)) == (Phase.ABORTED, 14)
    assert play.split == "blue 90 green 10"


def test_an_aborted_run_goes_back_although_nobody_drove_it(scene):
    play = scene()
    seen = []
    play.once("shift 10", lambda: seen.append(True))
    play.apply(stopping=lambda _: bool(seen))
    play.clock.sleep(200.0)
    play.order(e.AbortOrdered("eve"))

    run = play.carry_on()

    assert (run.phase, exit_code(run)) == (Phase.ROLLED_BACK, 14)


def test_the_deadline_fires(scene):
    play = scene(*UNMIRRORED[:4], stage(Wait(3600.0)), ALL, deadline=100.0)

    run = play.apply()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.ROLLED_BACK, Why.DEADLINE, 15)
    assert 100 <= run.ended - run.started < 120


# --- a changed endpoint ----------------------------------------------------------------


def test_a_split_by_hand_is_noticed_and_kept(scene):
    play = scene()
    play.once("shift 10", lambda: play.world.by_hand({"blue": 70, "green": 30}))

    run = play.apply()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.HELD, Why.DRIFT, 31)
    assert play.split == "blue 70 green 30"


def test_a_split_by_hand_can_be_adopted(scene):
    play = scene()
    play.once("shift 10", lambda: play.world.by_hand({"blue": 70, "green": 30}))
    play.apply()
    play.order(e.ResumeOrdered("eve", adopt=True, reads=True))

    run = play.apply()

    assert run.phase is Phase.COMPLETED
    assert run.captured == Split({"blue": 100})


def test_a_split_by_hand_is_overruled_by_a_rollback(scene):
    play = scene()
    play.once("shift 10", lambda: play.world.by_hand({"blue": 70, "green": 30}))
    play.apply()
    play.order(e.AbortOrdered("eve"))

    run = play.apply()

    assert run.phase is Phase.ROLLED_BACK
    intended = next(each for each in reversed(play.events(e.Intended)))
    assert intended.found == Split({"blue": 70, "green": 30})


def test_a_candidate_deleted_by_hand_is_drift(scene):
    play = scene(PREFLIGHT, CREATE, SMOKE, APPROVE, SHIFT)
    play.once(APPROVE.id, lambda: play.world.remove("green"))

    run = play.apply()

    assert (run.phase, exit_code(run)) == (Phase.HELD, 31)


def test_another_split_than_the_plan_starts_from_stops_before_the_first_write(scene):
    play = scene()
    play.world.stand_by("red")
    play.world.by_hand({"blue": 50, "red": 50})

    run = play.apply()

    assert (run.phase, exit_code(run)) == (Phase.HELD, 31)
    assert play.world.writes == []


def test_a_strangers_deployment_of_the_same_name_is_not_replaced(scene):
    play = scene()
    play.world.stand_by("green", digest="of somebody else")

    run = play.apply()

    assert (run.phase, exit_code(run)) == (Phase.HELD, 31)
    assert play.world.writes == []


# --- an endpoint that cannot be reached -------------------------------------------------


@pytest.mark.parametrize("at", [each.id for each in STAGES[1:6]])
def test_an_endpoint_that_is_away_for_a_minute_delays_the_run_only(scene, at):
    play = scene()
    play.observer.waiting.append(
        (lambda notice: _in(notice, at, notice.run.step), lambda: play.world.away(60.0))
    )

    run = play.apply()

    assert run.phase is Phase.COMPLETED
    assert play.observer.alerts


@pytest.mark.parametrize("bad", [False, True], ids=["good", "bad"])
@pytest.mark.parametrize("applied", [False, True], ids=["lost call", "lost reply"])
@pytest.mark.parametrize("op", ["observe", "perform", "probe", "cursor", "read", "logs"])
def test_a_call_that_fails_now_and_then_changes_nothing(brief, op, applied, bad):
    play = brief()
    if bad:
        play.spoil("shift 100", error_rate=1.0)

    def fault_once() -> None:
        with play.world.change() as real:
            real.faults[:] = [(op, applied)]

    for seconds in range(0, 60, 7):
        play.clock.after(seconds, fault_once)

    run = play.apply()

    assert run.phase is (Phase.ROLLED_BACK if bad else Phase.COMPLETED)
    assert play.world.writes.count("PutDeployment green") == 1


def test_a_preflight_that_cannot_be_made_is_made_later(scene):
    play = scene(*UNMIRRORED)
    play.world.fault("preflight", times=5)

    run = play.apply()

    assert run.phase is Phase.COMPLETED
    assert "preflight" in play.observer.alerts[0]


@pytest.mark.parametrize(
    ("op", "phase", "why"),
    [
        ("preflight", Phase.REFUSED, Why.PREFLIGHT_FAILED),
        ("probe", Phase.ROLLED_BACK, Why.SMOKE_FAILED),
    ],
)
def test_a_question_that_is_refused_has_its_answer(scene, op, phase, why):
    play = scene(*UNMIRRORED)
    play.world.refuse(op)

    run = play.apply()

    assert (run.phase, run.cause.why) == (phase, why)
    assert f"No {op} for you" in run.cause.text


def test_a_rollback_that_may_not_be_verified_is_not_verified(scene):
    play = scene(on_failure=OnFailure(verify_within=30.0))
    play.once("shift 10", lambda: play.order(e.AbortOrdered("eve")))
    play.once("shift 10", lambda: play.world.refuse("probe", 100))

    run = play.apply()

    assert run.phase is Phase.UNVERIFIED
    assert not any(each.ok for each in play.events(e.RollbackProbed))


def test_a_refused_write_is_rolled_back(scene):
    play = scene(PREFLIGHT, CREATE, SMOKE, stage(Mirror(51), "canary"), *STAGES[4:])

    run = play.apply()

    assert (run.phase, run.cause.why, exit_code(run)) == (Phase.ROLLED_BACK, Why.EFFECT_REFUSED, 10)
    assert "50 %" in run.cause.text


def test_a_rollback_that_cannot_be_verified_pages_and_is_finished_later(scene):
    play = scene(on_failure=OnFailure(verify_within=60.0))
    play.once("shift 10", lambda: (play.order(e.AbortOrdered("eve")), play.world.away(600.0)))

    run = play.apply()

    assert (run.phase, exit_code(run)) == (Phase.UNVERIFIED, 11)
    assert play.split == "blue 90 green 10"
    assert play.apply().phase is Phase.UNVERIFIED
    play.clock.sleep(600.0)
    run = play.apply()
    assert (run.phase, exit_code(run)) == (Phase.ROLLED_BACK, 14)


def test_a_baseline_that_does_not_answer_is_no_verified_rollback(scene):
    play = scene(on_failure=OnFailure(verify_within=60.0))

    def break_everything():
        play.world.behave("blue", error_rate=1.0)
        play.order(e.AbortOrdered("eve"))

    play.once("shift 10", break_everything)

    run = play.apply()

    assert (run.phase, exit_code(run)) == (Phase.UNVERIFIED, 11)
    assert len(play.events(e.LogsCollected)) == 1
    play.world.behave("blue")
    assert play.apply().phase is Phase.ROLLED_BACK


# --- the same again, and others -----------------------------------------------------------


@pytest.mark.parametrize("error_rate", [0.0, 0.3])
def test_the_same_work_is_not_done_twice(scene, error_rate):
    play = scene()
    play.spoil("mirror 10", error_rate=error_rate)
    first = play.apply()
    writes = play.world.writes

    again = play.apply()

    assert play.course is Course.NOTHING
    assert again == first
    assert play.world.writes == writes


def test_the_same_work_is_done_again_when_asked_for(scene):
    play = scene()
    play.spoil("mirror 10", error_rate=0.3)
    play.apply()
    play.world.behave("green")

    run = play.apply(again=True)

    assert run.phase is Phase.COMPLETED
    assert play.world.writes.count("PutDeployment green") == 1  # it is there, as it should be


def test_another_plan_has_to_wait_for_the_end(scene):
    play = scene(rps=2.0)
    held = play.apply()

    for other in (make(name="other"), make(*UNMIRRORED)):
        with pytest.raises(Locked, match=held.id) as told:
            play.apply(other)
        assert told.value.code == 30


def test_other_inputs_of_the_candidate_are_another_plan(scene):
    play = scene(rps=2.0)
    play.apply()

    with pytest.raises(Locked, match="an edited form of this plan"):
        play.apply(inputs={"candidate": "score.py of today"})


def test_a_finished_run_is_undone(scene):
    play = scene(*UNMIRRORED)
    play.apply()
    assert play.split == "green 100"

    run = play.undo()

    assert (run.phase, exit_code(run)) == (Phase.UNDONE, 0)
    assert play.split == "blue 100"
    assert play.apply().phase is Phase.UNDONE
    assert play.apply(again=True).phase is Phase.COMPLETED


def test_an_undo_without_the_old_baseline_is_refused_before_anything_is_touched(scene):
    play = scene()
    play.apply()

    with pytest.raises(PreflightFailed, match="deleted blue"):
        play.undo()

    assert play.split == "green 100"


def test_an_old_run_is_not_undone_under_an_open_one(scene):
    play = scene(*UNMIRRORED)
    first = play.apply()
    play.world.serve("green")
    other = make(*UNMIRRORED, name="next", baseline=DeploymentRef("green"),
                 candidate=DeploymentRef("blue", "/plans/new.yml"))  # fmt: skip
    seen = []
    play.once("shift 10", lambda: seen.append(True))
    open_run = play.apply(other, stopping=lambda _: bool(seen))
    assert not open_run.final
    journal = Journal(play.store(), "fake/diabetes", "eve")
    journal.refresh()

    with pytest.raises(Locked, match=open_run.id):
        begin.undo(journal, first, play.plan, "eve")

    play.overruled = True
    assert play.apply(other).phase in (Phase.COMPLETED, Phase.HELD)


# --- several runners -----------------------------------------------------------------------


def test_a_run_goes_on_from_the_journal_alone(scene):
    play = scene()
    seen = []
    play.once("shift 10", lambda: seen.append(True))
    play.apply(stopping=lambda _: bool(seen))

    run = play.carry_on()

    assert run.phase is Phase.COMPLETED
    assert play.world.writes.count("SetSplit blue 90 green 10") == 1


def test_a_second_runner_is_locked_out_by_a_living_one(scene):
    play = scene()
    told = []

    def rival():
        # While this one waits for the lease the first cannot beat: give a sign of life.
        play.clock.after(3.0, beat)
        with pytest.raises(Locked) as error:
            Scene.apply(play, who="bob")
        told.append(error.value)

    def beat():
        store = play.store()
        held = store.lease("fake/diabetes")
        store.put_lease("fake/diabetes", held.body, version=held.version)

    play.once("shift 10", rival)
    with pytest.raises(Fenced):  # our beats on its behalf are none of its own
        play.apply()

    assert told[0].code == 30
    assert "ada@here pid 1" in told[0].what
    assert play.carry_on().phase is Phase.COMPLETED


def test_a_living_runner_never_looks_dead(scene):
    play = scene(*UNMIRRORED[:4], stage(Wait(60.0)), ALL)
    renewed: dict[str, float] = {}

    def look():
        renewed.setdefault(play.store().lease("fake/diabetes").version, play.clock.monotonic())
        play.clock.after(0.5, look)

    play.clock.after(0.5, look)

    play.apply()

    assert max(after - before for before, after in pairwise(renewed.values())) < TTL / 3 + 3


def test_every_call_has_a_whole_lease_before_it(scene):
    play = scene()
    play.call_seconds = TTL - 1.5

    play.apply()

    assert len(play.events(e.Intended)) == len(play.world.accepted)


class Frozen:
    """Freezes a runner at its n-th mark; another one finishes meanwhile; then it thaws."""

    def __init__(self, play: Scene, at: int, dead: bool) -> None:
        self.play, self.at, self.dead, self.count = play, at, dead, 0
        self.label = ""
        self.before = self.after = 0

    def mark(self, label: str) -> None:
        self.count += 1
        if self.count != self.at:
            return
        self.label = label
        self.play.clock.sleep(2 * TTL)
        self.play.apply(who="bob", dead=lambda _: self.dead)
        self.before = len(self.play.world.accepted)


def marks_of(make_scene: Callable[[], Scene]) -> int:
    labels: list[str] = []
    make_scene().apply(mark=labels.append)
    return len(labels)


SHORT = Gate("short", (Check("error_rate", maximum=0.4),), 2.0, 60.0, 5, 0.0)
BRIEF = (CREATE, SMOKE, stage(Mirror(50), "short"), stage(Shift(100), "short"), DELETE)


@pytest.fixture
def brief(scene):
    """The shortest rollout that has everything."""

    def build() -> Scene:
        made = scene(*BRIEF, gates={"short": SHORT}, rps=20.0)
        made.world.create_seconds = made.world.delete_seconds = 2.0
        return made

    return build


def test_a_runner_that_was_taken_over_does_nothing_more(brief):
    for at in range(1, marks_of(brief) + 1):
        play = brief()
        # The rival knows that the frozen one is dead, or has to wait for its lease to run out.
        frozen = Frozen(play, at, dead=at % 2 == 0)

        with suppress(Fenced):
            assert play.apply(mark=frozen.mark).final, (at, frozen.label)

        assert play.story[-1].state.phase is Phase.COMPLETED, (at, frozen.label)
        late = play.world.accepted[frozen.before :]
        assert [each for each in late if each.who == "ada"] == [], (at, frozen.label)


def test_a_runner_that_overslept_while_nobody_came_goes_on(brief):
    play, intents = brief(), []

    def doze(label: str) -> None:
        if label == "after intent":
            intents.append(label)
            play.clock.sleep(2 * TTL if len(intents) % 2 else 0.0)

    run = play.apply(mark=doze)

    assert run.phase is Phase.COMPLETED
    assert len(intents) > len(play.world.accepted)
    assert play.world.writes.count("PutDeployment green") == 1


@pytest.mark.parametrize("trouble", ["fail", "swallow"])
def test_a_journal_out_of_reach_stops_the_runner_and_the_next_one_finishes(brief, trouble):
    counting = Race(0, lambda: None)
    brief().apply(mark=counting.mark)
    for at in range(1, counting.count + 1):
        play = brief()

        with pytest.raises(StoreError):
            play.apply(mark=Race(at, lambda play=play: getattr(play.running, trouble)()).mark)
        run = play.apply()

        assert run.phase is Phase.COMPLETED
        assert play.world.writes.count("PutDeployment green") == 1


class Race:
    """Somebody else appends right before the runner's n-th append."""

    def __init__(self, at: int, deed: Callable[[], object]) -> None:
        self.at, self.deed, self.count = at, deed, 0

    def mark(self, label: str) -> None:
        if label == "before append":
            self.count += 1
            if self.count == self.at:
                self.deed()


def test_an_order_that_wins_the_race_for_a_slot_counts_and_nothing_is_lost(brief):
    counting = Race(0, lambda: None)
    brief().apply(mark=counting.mark)
    for at in range(1, counting.count + 1):
        play = brief()
        told: list[bool] = []

        def abort(play: Scene = play, told: list[bool] = told) -> None:
            try:
                play.order(e.AbortOrdered("eve"))
            except UsageError:
                return  # behind the point of no return
            told.append(True)

        run = play.apply(mark=Race(at, abort).mark)

        assert run.final
        assert (exit_code(run) == 14) is bool(told), at


def test_a_pause_that_wins_the_race_for_a_slot_loses_no_measurement(brief):
    counting = Race(0, lambda: None)
    brief().apply(mark=counting.mark)
    for at in range(1, counting.count + 1):
        play = brief()

        def pause(play: Scene = play) -> None:
            play.order(e.PauseOrdered("eve"))
            play.clock.after(5.0, lambda: play.order(e.ResumeOrdered("eve", reads=True)))

        run = play.apply(mark=Race(at, pause).mark)

        assert run.phase is Phase.COMPLETED
        assert play.world.writes.count("PutDeployment green") == 1


def test_observers_are_told_what_is_waited_for(scene):
    play = scene(PREFLIGHT, CREATE, SMOKE, APPROVE, SHIFT, stage(Wait(20.0)), ALL)
    play.once(APPROVE.id, lambda: play.clock.after(5.0, play.approve))

    play.apply()

    notices = play.observer.notices
    waits = [each for each in notices if isinstance(each, Waiting)]
    assert {each.on for each in waits} == {"provisioning", "approval"}
    asked = [each for each in waits if each.on == "approval"]
    assert {each.until for each in asked} == {asked[0].run.since + 120.0}
    assert {each.judgement.gate for each in notices if isinstance(each, Watched)} >= {
        "canary", "guard", "bake"
    }  # fmt: skip


def test_a_kept_cause_names_the_repair_and_no_command_that_does_not_move_the_run(
    scene, monkeypatch
):
    def refused(what: str) -> EndpointRefused:
        return EndpointRefused(what, do="Free it, then: rollout apply plan.yaml")

    monkeypatch.setattr("tests.fakes.endpoint._refused", refused)
    play = scene(PREFLIGHT, stage(Bootstrap()), *STAGES[1:])
    play.world = FastWorld(play.clock)
    play.world.refuse("perform")

    run = play.apply()

    assert run.phase is Phase.HELD
    assert "Free it." in run.cause.text
    assert "rollout apply" not in run.cause.text
