"""Persons' orders: to the right run, and only those that can do something."""

from __future__ import annotations

import json

import pytest

from rollout.domain import events as e
from rollout.domain.endpoint import DeleteDeployment
from rollout.domain.errors import NewerJournal, UsageError
from rollout.domain.run import Phase, Step
from rollout.ports.store import Record
from rollout.runtime import orders
from rollout.runtime.begin import kept
from rollout.runtime.journal import Journal
from rollout.runtime.upcast import VERSION
from tests.fakes.store import FakeStore, Shelf
from tests.unit.runtime.values import PLAN, at, run

STREAM = "fake/diabetes"


@pytest.fixture
def store():
    return FakeStore(now=lambda: 500.0, shelf=Shelf())


@pytest.fixture
def begin(store):
    def begin(stream=STREAM, **changes):
        journal = Journal(store, stream, "ada")
        journal.refresh()
        journal.start(run(**changes), kept(PLAN), "")
        return orders.find_run(store, changes.get("id", "r-1"))

    return begin


WAITING = {"at": at("approve"), "step": Step.OBSERVING}


def test_a_run_is_found_by_the_beginning_of_its_id(store, begin):
    begin(id="r-abc", started=1.0, phase=Phase.COMPLETED)
    begin(id="r-abd", started=2.0)
    begin("fake/other", id="r-b", started=3.0, phase=Phase.COMPLETED)

    assert orders.find_run(store, "r-abc").run.id == "r-abc"
    assert orders.find_run(store, "r-b").stream == "fake/other"
    assert orders.find_run(store, None).run.id == "r-abd"  # the open one, though not the newest
    assert [each.run.id for each in orders.all_runs(store)] == ["r-b", "r-abd", "r-abc"]
    for wrong, count in (
        *(("r-ab", "There are 2 runs"), ("r-x", "There is no run")),
        *(("", "RUN is empty"), (" ", "RUN is empty")),
    ):
        with pytest.raises(UsageError, match=count):
            orders.find_run(store, wrong)


def test_a_run_is_found_beside_what_a_newer_version_wrote(store, begin):
    begin("fake/newer", id="r-new")
    begin(id="r-abc")
    record = store.shelf.events["fake/newer"][0]
    body = json.dumps({**json.loads(record.body), "v": VERSION + 1}).encode()
    store.shelf.events["fake/newer"][0] = Record(0, record.run, body)

    assert orders.find_run(store, "r-abc").run.id == "r-abc"
    for unclear in ("r-n", None):
        with pytest.raises(NewerJournal):
            orders.find_run(store, unclear)


def test_a_run_whose_endpoint_is_gone_is_over_past_its_point_of_no_return_too(store, begin):
    found = begin(at=len(PLAN.stages) - 1, deleted=True).run

    for _ in range(2):  # of one that is over nothing is said twice
        orders.close(store, found, STREAM, "eve", "gone")

    after = orders.find_run(store, found.id)
    assert (after.run.phase, after.run.cause.text) == (Phase.ABORTED, "eve aborted it. gone")
    assert len(orders.story(store, after)) == 2


def test_without_a_run_there_is_none_to_find(store):
    with pytest.raises(UsageError, match="No rollout has run"):
        orders.find_run(store, None)


def test_the_plan_is_read_without_the_story_before_and_after_it(store, begin):
    begin(id="r-0", phase=Phase.COMPLETED)
    found = begin()
    asked = []
    store.read = lambda stream, **how: asked.append(how) or FakeStore.read(store, stream, **how)

    assert orders.plan_of(store, found) == PLAN
    assert asked == [{"after": 0, "limit": 1}]


def test_the_plan_is_in_the_journal(store, begin):
    begin(id="r-0", phase=Phase.COMPLETED)
    found = begin()

    assert orders.plan_of(store, found) == PLAN
    assert [each.seq for each in orders.story(store, found)] == [1]


def test_an_approval_is_signed(store, begin):
    after = orders.approve(store, begin(**WAITING), "eve", "fine")

    (said,) = after.approvals
    assert (said.stage, said.by, said.at, said.message) == ("approve", "eve", 500.0, "fine")


@pytest.mark.parametrize(
    ("changes", "by", "said"),
    [
        ({**WAITING, "step": Step.ENTERING}, "eve", "waits for no approval"),
        ({**WAITING, "at": at("all")}, "eve", "waits for no approval"),
        ({**WAITING, "phase": Phase.HELD}, "eve", "waits for no approval"),
        ({**WAITING, "at": len(PLAN.stages)}, "eve", "waits for no approval"),
        (WAITING, "mallory", "approved by eve; you are mallory; 1 of 1 approval missing"),
    ],
)
def test_an_approval_that_would_mean_nothing_is_refused(store, begin, changes, by, said):
    with pytest.raises(UsageError, match=said):
        orders.approve(store, begin(**changes), by, "")


OPEN = (Phase.RUNNING, Phase.PAUSED, Phase.HELD, Phase.ROLLING_BACK, Phase.UNVERIFIED)


@pytest.mark.parametrize(
    ("order", "phases"),
    [
        (e.PauseOrdered("eve"), (Phase.RUNNING,)),
        (e.ResumeOrdered("eve", reads=True), (Phase.PAUSED, Phase.HELD)),
        (e.RetryOrdered("eve", reads=True), (Phase.HELD, Phase.UNVERIFIED)),
        (e.AbortOrdered("eve"), OPEN),
        (e.Rejected("eve"), OPEN),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("phase", Phase)
def test_an_order_is_taken_only_where_it_does_something(store, begin, order, phases, phase):
    found = begin(phase=phase)

    if phase in phases:
        orders.give(store, found, order, "eve")
    else:
        with pytest.raises(UsageError):
            orders.give(store, found, order, "eve")

    assert len(store.read(STREAM)) == (2 if phase in phases else 1)


@pytest.mark.parametrize("order", [e.AbortOrdered("eve"), e.Rejected("eve")])
@pytest.mark.parametrize("gone", [{"deleted": True}, {"intent": DeleteDeployment("blue")}])
def test_there_is_no_way_back_from_the_point_of_no_return(store, begin, order, gone):
    with pytest.raises(UsageError, match="no way back"):
        orders.give(store, begin(**gone), order, "eve")


def test_a_run_can_be_left_as_it_stands_also_behind_the_point_of_no_return(store, begin):
    found = begin(intent=DeleteDeployment("blue"), phase=Phase.HELD)

    left = orders.give(store, found, e.AbortOrdered("eve", keep_traffic=True), "eve")

    assert left.phase is Phase.ABORTED


def test_an_order_meant_for_one_run_never_hits_the_next(store, begin):
    found = begin()
    Journal(store, STREAM, "ada").order(e.AbortOrdered("ada"))
    begin(id="r-2")

    with pytest.raises(UsageError, match="r-1 is over"):
        orders.give(store, found, e.AbortOrdered("eve"), "eve")

    assert orders.find_run(store, "r-2").run.phase is Phase.RUNNING


def test_an_order_is_checked_against_the_run_as_it_is_now(store, begin):
    found = begin()
    Journal(store, STREAM, "ada").order(e.PauseOrdered("ada"))

    with pytest.raises(UsageError, match="r-1 is paused"):
        orders.give(store, found, e.PauseOrdered("eve"), "eve")
