"""Late calls in virtual time: what an earlier runner still sends is found by whoever drives, or comes next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rollout.domain import events as e
from rollout.domain.auditing import SETTLE
from rollout.domain.endpoint import SetSplit
from rollout.domain.errors import Fenced, Locked, StoreError
from rollout.domain.outcome import exit_code
from rollout.domain.plan import Plan
from rollout.domain.run import Phase, Run
from rollout.ports.observer import Alert, Appended, Notice
from rollout.report.data import run_data
from rollout.report.ending import Ending, explain
from rollout.report.onward import next_command
from rollout.runtime import begin, orders
from rollout.runtime.audit import owned_up
from rollout.runtime.begin import Course
from rollout.runtime.drive import LateCall
from rollout.runtime.journal import Journal, entries
from rollout.runtime.lease import TTL, Before, Owner
from rollout.runtime.outage import LONGEST
from rollout.runtime.runner import Runner
from tests.fakes.clock import FakeClock
from tests.fakes.endpoint import FakeEndpoint, World
from tests.fakes.observer import FakeObserver
from tests.fakes.store import FakeStore, Shelf
from tests.torture.scenarios import SCENARIOS

MIRROR = {"blue": 100}, {"green": 50}


class Died(Exception):
    """The process is no more."""


class Play(FakeObserver):
    """An endpoint, its journal, and runners one after the other; each on a machine of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.world = World(self.clock, rps=20.0)
        self.world.create_seconds = self.world.update_seconds = self.world.delete_seconds = 1.5
        self.world.serve("blue")
        self.shelf = Shelf()
        self.running = FakeStore(now=self.clock.now, shelf=self.shelf)
        self.plan: Plan = SCENARIOS["keep"].plan("diabetes")
        self.once: list[tuple[Callable[[Notice], bool], Callable[[], object]]] = []

    def saw(self, notice: Notice) -> None:
        super().saw(notice)
        for each in list(self.once):
            if each[0](notice):
                self.once.remove(each)
                each[1]()

    def when(self, kind: type, deed: Callable[[], object], stage: str = "") -> None:
        """Do something once, after an event of that kind, in that stage."""

        def fits(notice: Notice) -> bool:
            here = isinstance(notice, Appended) and isinstance(notice.event, kind)
            at = notice.run.stage.id if notice.run.stage else ""
            return here and stage in ("", at)

        self.once.append((fits, deed))

    def store(self) -> FakeStore:
        return FakeStore(now=self.clock.now, shelf=self.shelf)

    def apply(
        self,
        mark: Callable[[str], None] = lambda _: None,
        stopping: Callable[[Run], bool] = lambda _: False,
        endpoint: FakeEndpoint | None = None,
    ) -> Run:
        self.running = self.store()
        endpoint = endpoint or FakeEndpoint(self.plan, self.world)

        def own(journal: Journal, before: Before) -> Course:
            standing = begin.stand(self.plan, endpoint, journal.refresh())
            if standing.course is not Course.NOTHING:
                begin.own(self.plan, endpoint, journal, standing, "ada", before)
            return standing.course

        owner = Owner({"user": "ada", "host": "somewhere", "pid": 1}, lambda _: False)
        runner = Runner(self.plan, endpoint, self.running, self.clock, owner, self, stopping, mark)
        return runner.run(own)[0]

    def freeze_before(self, call: int) -> None:
        """A runner stands still before its so manieth call, for ever."""
        seen = []

        def mark(label: str) -> None:
            seen.append(label)
            if seen.count("after intent") == call:
                raise Died

        with pytest.raises(Died):
            # Its last words are not heard: a frozen process releases nothing.
            self._silenced(mark)

    def _silenced(self, mark: Callable[[str], None]) -> None:
        def dying(label: str) -> None:
            try:
                mark(label)
            except Died:
                self.running.fail(1000)
                raise

        self.apply(dying)

    def thaws(
        self,
        call: int,
        meanwhile: Callable[[], object],
        stopping: Callable[[Run], bool] = lambda _: False,
    ) -> Fenced:
        """A runner that stands still with its so manieth call on its lips, while others go on."""
        endpoint = Thawing(self.plan, self.world)
        endpoint.at, endpoint.meanwhile = call, meanwhile
        with pytest.raises(Fenced) as told:
            self.apply(stopping=stopping, endpoint=endpoint)
        return told.value

    def order(self, order: e.Order) -> None:
        store = self.store()
        orders.give(store, orders.find_run(store, None), order, "eve")

    @property
    def story(self) -> list[e.Event]:
        found = entries(self.store(), "fake/diabetes")
        return [each.event for each in found]

    def deployments(self) -> set[str]:
        with self.world.change() as real:
            return set(real.deployments)


class Thawing(FakeEndpoint):
    """Stands still once, behind the last look at the lease."""

    at = 0
    meanwhile: Callable[[], object]
    calls = 0

    def _called(self, op, deed):
        if op == "perform":
            self.calls += 1
            if self.calls == self.at:
                self.meanwhile()
        return super()._called(op, deed)


@pytest.fixture
def play() -> Play:
    return Play()


def test_a_late_split_during_the_run_is_undone_and_holds_nothing(play):
    play.freeze_before(3)  # the mirror
    play.when(e.SetPointReached, lambda: play.world.by_hand(*MIRROR), stage="half")

    run = play.apply()

    assert run.phase is Phase.COMPLETED
    assert play.world.splits[-4:] == [
        "blue 50 green 50", "blue 100 | green 50", "blue 50 green 50", "green 100"
    ]  # fmt: skip
    assert sum(isinstance(each, e.LateCallLanded) for each in play.story) == 1
    assert [each for each in play.alerts if "late call" in each]
    assert not any(isinstance(each, e.Held) for each in play.story)


def test_without_a_take_over_the_same_split_holds_the_run(play):
    play.when(e.SetPointReached, lambda: play.world.by_hand(*MIRROR), stage="half")

    run = play.apply()

    assert (run.phase, exit_code(run)) == (Phase.HELD, 31)


def test_whoever_ends_the_run_waits_for_the_late_call_and_undoes_it(play):
    play.freeze_before(3)
    play.order(e.AbortOrdered("eve"))
    play.when(e.RolledBack, lambda: play.clock.after(SETTLE / 2, lambda: _land(play)))

    run = play.apply()

    assert (run.phase, exit_code(run), run.unaudited) == (Phase.ROLLED_BACK, 14, False)
    assert play.world.splits[-2:] == ["blue 100 | green 50", "blue 100"]
    assert isinstance(play.story[-1], e.Audited)


def _land(play):
    if "green" not in play.deployments():
        play.world.stand_by("green")
    play.world.by_hand(*MIRROR)


def test_an_orphan_is_deleted_by_whoever_ends_the_run(play):
    play.freeze_before(2)  # the creation
    play.order(e.AbortOrdered("eve"))

    def create():
        (run,) = {each.run.id for each in play.notices if isinstance(each, Appended)}
        play.world.stand_by("green", run=run)

    play.when(e.RolledBack, lambda: play.clock.after(SETTLE / 2, create))

    run = play.apply()

    assert (run.phase, run.unaudited) == (Phase.ROLLED_BACK, False)
    assert play.deployments() == {"blue"}


def test_the_next_apply_looks_first_for_what_the_last_runner_did_not_wait_for(play):
    play.freeze_before(3)
    left = play.apply(stopping=lambda run: run.final)
    assert (left.phase, left.unaudited) == (Phase.COMPLETED, True)
    play.clock.sleep(3600.0)
    play.world.by_hand(*MIRROR)

    run = play.apply()

    assert (run.id, run.phase, run.unaudited) == (left.id, Phase.COMPLETED, False)
    assert play.world.splits[-2:] == ["blue 100 | green 50", "green 100"]


def test_what_cannot_be_undone_needs_a_person_and_is_tried_again_by_the_next(play):
    play.freeze_before(3)
    play.order(e.AbortOrdered("eve"))
    play.when(e.RolledBack, lambda: (_land(play), play.world.refuse("perform", 6)))

    run = play.apply()

    assert (run.phase, exit_code(run)) == (Phase.ROLLED_BACK, 11)
    assert play.world.splits[-1] == "blue 100 | green 50"
    assert any("attempts to undo it failed" in each for each in play.alerts)
    again = play.apply()

    assert (again.id, exit_code(again), again.unaudited) == (run.id, 14, False)
    assert play.world.splits[-1] == "blue 100"


def test_a_call_is_remembered_although_a_person_aborted_in_between(play):
    play.freeze_before(4)
    play.order(e.AbortOrdered("eve"))  # the run has no intent any more
    assert play.story[-1] == e.AbortOrdered("eve")

    play.apply()

    found = [each.call for each in play.story if isinstance(each, e.OwnerTook) and each.call]
    assert [each.traffic for each in found] == [{"blue": 50, "green": 50}]


def test_a_run_that_nobody_took_over_is_not_audited(play):
    play.apply()

    assert not any(isinstance(each, e.Audited) for each in play.story)


# --- the late runner itself ------------------------------------------------------------------


def _rolled_back_meanwhile(play):
    """Another one takes over, a person aborts, all is over and audited; then the mirror comes."""

    def others():
        play.order(e.AbortOrdered("eve"))
        assert play.apply().phase is Phase.ROLLED_BACK
        play.world.stand_by("green")  # else the service would refuse the mirror

    return others


def test_the_late_runner_undoes_its_own_call(play):
    told = play.thaws(3, _rolled_back_meanwhile(play))

    assert "nothing of it is left" in told.what
    assert play.world.splits[-2:] == ["blue 100 | green 50", "blue 100"]


def test_a_late_runner_that_is_told_to_leave_says_that_it_did_not_look(play):
    def landed(run):
        return run.final and play.world.splits[-1] == "blue 100 | green 50"

    told = play.thaws(3, _rolled_back_meanwhile(play), landed)

    run = orders.find_run(play.store(), None).run
    assert landed(run)
    assert run.unaudited
    assert "could not be looked for" in told.what
    assert told.do == f"Let it be looked for again: rollout tick {run.id}"
    assert not play.apply().unaudited
    assert play.world.splits[-1] == "blue 100"


def test_a_late_runner_whose_first_look_fails_looks_again(play):
    others = _rolled_back_meanwhile(play)

    told = play.thaws(3, lambda: (others(), play.clock.after(0.0, lambda: play.world.away(20.0))))

    assert "nothing of it is left" in told.what
    assert play.world.splits[-1] == "blue 100"


def test_an_audit_of_an_endpoint_that_stays_away_is_left_to_the_next_and_says_so(play):
    play.freeze_before(3)
    play.order(e.AbortOrdered("eve"))
    play.when(e.RolledBack, lambda: play.world.away(3600.0))

    run = play.apply()

    assert (run.phase, exit_code(run), run.unaudited) == (Phase.ROLLED_BACK, 14, True)
    assert "It was not looked for to the end." in str(explain(Ending(run)))
    assert next_command(run) == f"Let late calls be looked for: rollout tick {run.id}"
    assert run_data(run)["late_calls"] == "not_looked_for"
    play.clock.sleep(3600.0)
    _land(play)
    assert not play.apply().unaudited
    assert play.world.splits[-1] == "blue 100"


def test_what_a_late_call_did_to_a_run_that_kept_its_traffic_is_told(play):
    play.freeze_before(5)  # all of it
    play.order(e.AbortOrdered("eve", keep_traffic=True))
    play.world.by_hand({"green": 100})

    run = play.apply(stopping=lambda run: False)

    (audited,) = [each for each in play.story if isinstance(each, e.Audited)]
    assert not audited.ok
    assert "made the split green 100; it was blue 50 green 50" in audited.text
    assert audited.text in play.alerts
    assert (run.unaudited, play.world.splits[-1]) == (False, "green 100")


def test_a_late_call_into_the_time_of_a_later_run_promises_no_repair(play):
    play.apply()
    old = orders.find_run(play.store(), None).run
    later = replace(old, id="r-later", phase=Phase.RUNNING)
    late = LateCall(Fenced("Taken over.", do="Stop."), SetSplit(*MIRROR), old)

    def again():
        raise Locked("Driven.", do="Wait.")

    assert "undoes what came of it" in (owned_up(late, again, lambda: old).do or "")
    assert "may be held for a change by hand. Look: rollout drift r-later" in (
        owned_up(late, again, lambda: later).do or ""
    )


def test_a_late_runner_whose_journal_is_away_says_what_it_could_not_do(play):
    play.apply()
    run = orders.find_run(play.store(), None).run
    late = LateCall(Fenced("Taken over.", do="Stop."), SetSplit(*MIRROR), run)

    def again():
        raise StoreError("The journal did not answer.", do="Wait.")

    told = owned_up(late, again, lambda: run)

    assert "could not be looked for: The journal did not answer." in told.what
    assert told.do == f"Let it be looked for again: rollout tick {run.id}"


# --- a store that is out of reach ----------------------------------------------------------


def test_a_store_that_is_away_for_a_minute_changes_nothing(play):
    calm = Play()
    calm.apply()
    play.when(e.ObservationBegan, lambda: play.running.fail(60), stage="half")

    run = play.apply()

    assert run.phase is Phase.COMPLETED
    assert play.world.writes == calm.world.writes
    told = [each for each in play.notices if isinstance(each, Alert)]
    assert 5 <= len(told) <= 8
    assert "it is tried again" in told[0].text


def test_a_store_that_stays_away_ends_the_runner_and_nothing_else(play):
    play.when(e.ObservationBegan, lambda: play.running.fail(10_000), stage="half")
    began = play.clock.monotonic()

    with pytest.raises(StoreError) as told:
        play.apply()

    assert told.value.code == 1
    assert LONGEST <= play.clock.monotonic() - began < LONGEST + 60
    assert play.world.splits[-1] == "blue 50 green 50"
    assert play.apply().phase is Phase.COMPLETED


@pytest.mark.parametrize("stage", ["scale", "create", "mirror", "half", "all"])
def test_an_acknowledgement_that_got_lost_doubles_nothing(play, stage):
    play.when(e.Intended, lambda: play.running.swallow(3), stage=stage)

    run = play.apply()

    assert run.phase is Phase.COMPLETED
    assert all(each.changed for each in play.world.accepted)


def test_a_take_over_takes_a_lease_and_a_call(play):
    play.freeze_before(2)
    began = play.clock.monotonic()

    play.apply(stopping=lambda run: True)

    assert TTL + 5.0 <= play.clock.monotonic() - began < TTL + 5.0 + 1.0
