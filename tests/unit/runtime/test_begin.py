"""Which run a plan means on its endpoint."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rollout.domain import events as e
from rollout.domain.codec import decode
from rollout.domain.endpoint import SetSplit
from rollout.domain.errors import Locked, UsageError
from rollout.domain.plan import EndpointRef, Plan
from rollout.domain.run import FINAL, Cause, Phase, Split, Why
from rollout.runtime.begin import KEPT_REQUESTS, Course, Standing, kept, own, resume, stand, undo
from rollout.runtime.journal import Journal, entries
from rollout.runtime.lease import Before
from tests.fakes.clock import FakeClock
from tests.fakes.endpoint import FakeEndpoint, World
from tests.fakes.store import FakeStore, Shelf
from tests.unit.runtime.values import PLAN, run

STREAM = "fake/diabetes"


@pytest.fixture
def endpoint():
    return FakeEndpoint(PLAN, World(FakeClock()))


@pytest.fixture
def identity(endpoint):
    return stand(PLAN, endpoint, None).identity


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture
def journal(shelf):
    return Journal(FakeStore(now=lambda: 1000.0, shelf=shelf), STREAM, "ada")


def begun(journal, **changes):
    return journal.start(run(**changes), kept(PLAN), "")


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(
    ("phase", "same", "course"),
    [
        *[(phase, True, Course.RESUME) for phase in Phase if phase not in FINAL],
        *[(phase, False, Course.BLOCKED) for phase in Phase if phase not in FINAL],
        *[(phase, False, Course.START) for phase in Phase if phase in FINAL],
        (Phase.COMPLETED, True, Course.NOTHING),
        (Phase.ROLLED_BACK, True, Course.NOTHING),
        (Phase.ABORTED, True, Course.START),
        (Phase.UNDONE, True, Course.NOTHING),
        (Phase.REFUSED, True, Course.START),
    ],
)
def test_the_newest_run_says_what_applying_means(endpoint, identity, phase, same, course, again):
    newest = run(
        phase=phase,
        identity=identity if same else "another",
        captured=Split({"blue": 100}),
        expected=Split(),
    )

    found = stand(PLAN, endpoint, newest, again=again)

    expected = Course.START if again and course is Course.NOTHING else course
    assert found == Standing(expected, identity, newest)


@pytest.mark.parametrize("phase", [Phase.COMPLETED, Phase.ROLLED_BACK])
def test_work_that_the_endpoint_no_longer_shows_begins_anew(endpoint, identity, phase):
    newest = run(phase=phase, identity=identity, expected=Split({"green": 100}))

    assert stand(PLAN, endpoint, newest).course is Course.START


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("phase", sorted(FINAL, key=lambda each: each.value))
def test_no_schedule_begins_work_anew_that_has_ended(endpoint, identity, phase, again):
    by_hand = Split({"green": 100})  # the endpoint shows something else by now
    newest = run(phase=phase, identity=identity, expected=by_hand)

    same = stand(PLAN, endpoint, newest, again=again, scheduled=True)
    other = stand(PLAN, endpoint, replace(newest, identity="another"), scheduled=True)

    assert same.course is (Course.START if again else Course.NOTHING)
    assert other.course is Course.START


def test_an_undo_keeps_what_it_took_back(endpoint, identity, journal):
    first = begun(journal, id="r-0", phase=Phase.COMPLETED, captured=Split({"blue": 100}))
    begun(journal, phase=Phase.COMPLETED, captured=Split({"red": 100}), identity=identity)
    made = undo(journal, first, PLAN, "eve")
    over = replace(made, phase=Phase.UNDONE, expected=Split())
    elsewhere = replace(over, expected=Split({"green": 100}))

    assert made.undoes == (identity, first.identity)
    assert stand(PLAN, endpoint, over).course is Course.NOTHING
    assert stand(PLAN, endpoint, elsewhere).course is Course.START
    assert stand(PLAN, endpoint, elsewhere, scheduled=True).course is Course.NOTHING


def test_an_undo_that_an_older_version_wrote_takes_nothing_back_by_name(endpoint):
    older = run(phase=Phase.UNDONE, identity="undo-r-0-r-1", expected=Split())

    assert stand(PLAN, endpoint, older).course is Course.START


def test_without_a_story_a_run_is_started(endpoint):
    assert stand(PLAN, endpoint, None).course is Course.START


def test_plan_inputs_and_endpoint_make_the_identity(endpoint, identity):
    world = World(FakeClock())
    elsewhere = replace(PLAN, endpoint=EndpointRef("fake", "other"))
    others = [
        stand(replace(PLAN, digest="e" * 64), endpoint, None),
        stand(PLAN, FakeEndpoint(PLAN, world, inputs={"candidate": "new"}), None),
        stand(elsewhere, FakeEndpoint(elsewhere, world), None),
    ]

    assert len({identity, *(each.identity for each in others)}) == 4
    changed = FakeEndpoint(PLAN, world, inputs={"baseline": "new"})
    assert stand(PLAN, changed, None).identity == identity


def test_a_new_run_has_all_it_needs_to_go_on_without_its_file(endpoint, journal):
    plan = replace(PLAN, deadline=60.0)

    made = own(plan, endpoint, journal, stand(plan, endpoint, None), "ada")

    assert made.id.startswith("r-")
    assert (made.author, made.started, made.since, made.deadline) == ("ada", 1000.0, 1000.0, 1060.0)
    assert made.stages == plan.stages
    assert made.on_inconclusive == {"canary": "hold"}
    assert made.candidate_digest == endpoint.digest("candidate")
    assert journal.append(e.SplitCaptured(Split({"blue": 100}))).captured == Split({"blue": 100})


def test_an_open_run_of_another_plan_blocks(endpoint, journal):
    newest = begun(journal, plan="another", identity="another")

    with pytest.raises(Locked, match=r"r-1 of another is open \(running\) on diabetes") as told:
        own(PLAN, endpoint, journal, stand(PLAN, endpoint, newest), "ada")

    assert "rollout abort r-1" in told.value.do


def test_an_edited_plan_does_not_slip_into_its_own_open_run(endpoint, journal):
    newest = begun(journal, identity="of the file as it was")

    with pytest.raises(Locked, match="an edited form of this plan"):
        own(PLAN, endpoint, journal, stand(PLAN, endpoint, newest), "ada")


def test_an_edited_plan_takes_the_place_of_a_run_that_was_held_before_it_changed_anything(
    endpoint, identity, journal
):
    newest = begun(journal, identity="of the file as it was")
    newest = journal.append(e.Held(Cause(Why.EFFECT_REFUSED, "the port is taken")))

    made = own(PLAN, endpoint, journal, stand(PLAN, endpoint, newest), "ada")

    assert made.identity == identity
    assert made.id != newest.id
    story = list(entries(FakeStore(shelf=journal._store.shelf), STREAM))
    assert [type(each.event) for each in story[-2:]] == [e.AbortOrdered, e.RunStarted]
    assert story[-2].state.phase is Phase.ABORTED


def test_resuming_takes_the_journal_over(endpoint, identity, journal, shelf):
    begun(journal, identity=identity)
    heir = Journal(FakeStore(shelf=shelf), STREAM, "bob")

    own(PLAN, endpoint, heir, stand(PLAN, endpoint, heir.refresh()), "bob")

    assert heir.last.epoch == 2
    assert isinstance(heir.last.event, e.OwnerTook)


class Late(FakeStore):
    """A store where a person's order arrives right before the next append."""

    order: e.Order | None = None

    def append(self, stream, record):
        order, self.order = self.order, None
        if order is not None:
            Journal(FakeStore(shelf=self.shelf), stream, "eve").order(order)
        super().append(stream, record)


@pytest.fixture
def late(shelf):
    return Late(now=lambda: 1000.0, shelf=shelf)


def test_resuming_waits_for_no_late_order(endpoint, identity, journal, late):
    begun(journal, identity=identity)
    late.order = e.PauseOrdered("eve")

    found = resume(Journal(late, STREAM, "bob"))

    assert found.phase is Phase.PAUSED


def test_a_late_order_to_a_finished_run_keeps_no_other_from_starting(endpoint, journal, late):
    begun(journal, phase=Phase.COMPLETED)
    heir = Journal(late, STREAM, "bob")
    standing = stand(PLAN, endpoint, heir.refresh())
    late.order = e.AbortOrdered("eve")

    made = own(PLAN, endpoint, heir, standing, "bob")

    assert (made.phase, made.author) == (Phase.RUNNING, "bob")
    assert len(list(entries(late, STREAM))) == 3


def test_there_is_nothing_to_resume_at_first(journal):
    with pytest.raises(UsageError):
        resume(journal)


def test_an_undo_goes_back_to_where_the_run_began(journal):
    last = begun(journal, phase=Phase.COMPLETED, captured=Split({"blue": 100}))

    made = undo(journal, last, PLAN, "eve")

    assert made.id != last.id
    assert (made.phase, made.captured) == (Phase.ROLLING_BACK, Split({"blue": 100}))


def test_what_changed_nothing_cannot_be_undone(journal):
    last = begun(journal, phase=Phase.ABORTED)

    with pytest.raises(UsageError, match="r-1 changed nothing"):
        undo(journal, last, PLAN, "eve")


def test_no_run_is_undone_under_an_open_one(journal):
    last = begun(journal, id="r-0", phase=Phase.COMPLETED, captured=Split({"blue": 100}))
    begun(journal)

    with pytest.raises(Locked, match="r-1"):
        undo(journal, last, PLAN, "eve")


def test_the_journal_keeps_the_plan_as_it_was():
    assert decode(Plan, json.loads(kept(PLAN))) == PLAN


def test_the_journal_keeps_a_few_requests_and_always_one():
    half = b"x" * (KEPT_REQUESTS // 2)
    for bodies, count in (((half,) * 3, 2), ((half * 4, b"y"), 1), ((), 0)):
        back = decode(Plan, json.loads(kept(replace(PLAN, requests=bodies))))

        assert back.requests == bodies[:count]


def test_whoever_takes_a_contested_run_over_notes_what_may_still_be_sent(shelf, journal):
    begun(journal, captured=Split({"blue": 100}))
    effect = SetSplit({"blue": 90, "green": 10})
    journal.append(e.Intended(effect, Split({"blue": 100})))
    Journal(FakeStore(shelf=shelf), STREAM, "eve").order(e.AbortOrdered("eve"))
    heir = Journal(FakeStore(now=lambda: 2000.0, shelf=shelf), STREAM, "bob")

    after = resume(heir, Before.SILENT)

    assert after.loose == (effect,)
    assert heir.last.event == e.OwnerTook(2, "bob", crashed=True, contested=True, call=effect)


@pytest.mark.parametrize("before", [Before.RELEASED, Before.DEAD])
def test_nothing_is_noted_of_an_owner_that_is_gone(shelf, journal, before):
    begun(journal)
    journal.append(e.Intended(SetSplit({"blue": 90, "green": 10}), Split({"blue": 100})))
    heir = Journal(FakeStore(now=lambda: 2000.0, shelf=shelf), STREAM, "bob")

    after = resume(heir, before)

    assert after.loose == ()
    assert heir.last.event == e.OwnerTook(2, "bob", crashed=before.crashed)
