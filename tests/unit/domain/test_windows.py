"""Execution windows: the grammar, wall clocks that change, and what a run waits for."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from rollout.domain import events as e, windows
from rollout.domain.advance import advance
from rollout.domain.decide import decide
from rollout.domain.decisions import Act, On, Question, Wait as Waits
from rollout.domain.endpoint import SetSplit
from rollout.domain.outcome import outcome, waiting_code
from rollout.domain.plan import Approve, Create, Delete, Mirror, Scale, Shift, Smoke, Stage, Window
from rollout.domain.run import Split, Why
from tests.unit.domain.samples import BLUE_100, entering, seen_at, seen_of, told

VIENNA = ZoneInfo("Europe/Vienna")
SHIFT = Stage("shift-10", Shift(10))
WORKING = Window("Mon-Thu 09:00-16:00", "Europe/Vienna")


def at(text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=VIENNA, fold=fold).timestamp()


def next_of(allow: str, now: float) -> str | None:
    found = windows.opening((Window(allow, "Europe/Vienna"),), SHIFT, now)
    return None if found is None else datetime.fromtimestamp(found, VIENNA).isoformat()[:16]


@pytest.mark.parametrize(
    ("allow", "days", "ranges"),
    [
        ("Mon-Thu 09:00-16:00", "0123", ((540, 960),)),
        ("mon,WED 9:00-12:00", "02", ((540, 720),)),
        ("Mon , Wed  09:00 - 12:00 , 13:00-16:00", "02", ((540, 720), (780, 960))),
        ("Mon-Fri", "01234", ((0, 1440),)),
        ("Sat-Mon", "056", ((0, 1440),)),
        ("Mon-Tue,Sun", "016", ((0, 1440),)),
        ("09:00-16:00", "0123456", ((540, 960),)),
        ("22:00-04:00", "0123456", ((1320, 1680),)),
        ("00:00-24:00", "0123456", ((0, 1440),)),
    ],
)
def test_a_window_is_read_as_people_write_it(allow, days, ranges):
    found = windows.parse(allow)

    assert (sorted(found.days), found.ranges) == ([int(day) for day in days], ranges)


@pytest.mark.parametrize(
    ("allow", "said"),
    [
        ("", "empty"),
        ("Monday", "'Monday' is no day"),
        ("Mon-", "'Mon-' is no day"),
        ("Mon;Tue", "no day"),
        ("09:00", "no range of times"),
        ("9-16", "no range of times"),
        ("09:00-16:60", "no time of a day"),
        ("24:00-02:00", "no day begins at 24:00"),
        ("09:00-24:01", "no time of a day"),
        ("09:00-09:00", "begins when it ends"),
        ("09:00-10:00 Mon", "before the times"),
    ],
)
def test_what_is_no_window_says_why(allow, said):
    with pytest.raises(ValueError, match=said):
        windows.parse(allow)


@pytest.mark.parametrize("name", ["Europe/Viena", "", "../etc/passwd", "Europe", "/etc/localtime"])
def test_what_is_no_time_zone_is_refused(name):
    with pytest.raises(ValueError, match="no time zone"):
        windows.zone(name)


@pytest.mark.parametrize(
    ("allow", "now", "opens"),
    [
        ("Mon-Thu 09:00-16:00", "2026-11-26T15:59", None),
        ("Mon-Thu 09:00-16:00", "2026-11-26T16:00", "2026-11-30T09:00"),
        ("Mon-Thu 09:00-16:00", "2026-11-30T08:59", "2026-11-30T09:00"),
        ("Fri 22:00-04:00", "2026-11-28T03:59", None),
        ("Fri 22:00-04:00", "2026-11-28T04:00", "2026-12-04T22:00"),
        ("Mon 09:00-10:00,14:00-15:00", "2026-11-30T10:00", "2026-11-30T14:00"),
        ("Sun", "2026-11-28T12:00", "2026-11-29T00:00"),
        ("00:00-24:00", "2026-11-28T23:59", None),
        # The clock goes from 02:00 to 03:00: what would begin in between begins at once.
        ("02:30-05:00", "2027-03-28T01:00", "2027-03-28T03:00"),
        ("Sun 02:15-02:45", "2027-03-27T01:00", "2027-04-04T02:15"),
        # The clock goes from 03:00 to 02:00: the same hour comes twice, and so does its window.
        ("02:00-02:30", "2026-10-25T02:31", "2026-10-25T02:00"),
        ("09:00-10:00", "2026-10-24T11:00", "2026-10-25T09:00"),
    ],
)
def test_a_window_goes_by_the_wall_clock_of_its_zone(allow, now, opens):
    assert next_of(allow, at(now)) == opens


def test_the_hour_that_comes_twice_is_open_both_times():
    window = Window("02:00-02:30", "Europe/Vienna")

    assert [windows.is_open(window, at("2026-10-25T02:10", fold)) for fold in (0, 1)] == [
        True,
        True,
    ]
    assert not windows.is_open(window, at("2026-10-25T02:40", 1))
    second = windows.opening((window,), SHIFT, at("2026-10-25T02:31"))
    assert second == at("2026-10-25T02:00", 1)


def test_every_opening_is_the_first_moment_that_is_open():
    """Against a plain search, minute by minute, over both changes of the clock."""
    for allow in ("Sat-Sun 01:30-03:30", "02:30-02:45", "Fri-Sat 23:00-02:15", "02:00-01:00"):
        window = Window(allow, "Europe/Vienna")
        for start in (at("2026-10-24T12:00"), at("2027-03-27T12:00")):
            for step in range(0, 30 * 3600, 7260):
                now = start + step
                if windows.is_open(window, now):
                    continue
                minute = now - now % 60
                while not windows.is_open(window, minute):
                    minute += 60
                assert windows.opening((window,), SHIFT, now) == minute


@pytest.mark.parametrize(
    ("place", "day"),
    [
        ("America/Sao_Paulo", "2018-11-03"),  # 00:00 is followed by 01:00
        ("America/Sao_Paulo", "2018-02-17"),  # 24:00 by 23:00
        ("America/Havana", "2026-10-31"),  # 01:00 by 00:00
    ],
)
def test_a_clock_that_changes_at_midnight_is_followed_as_well(place, day):
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(place)).timestamp()
    for allow in ("23:15-00:30", "00:15-00:45", "Sun", "Sat 22:30-23:30", "Sun 00:10-00:50"):
        window = Window(allow, place)
        for now in range(int(noon), int(noon) + 24 * 3600, 4260):
            if windows.is_open(window, now):
                continue
            minute = now - now % 60
            while not windows.is_open(window, minute):
                minute += 60
            assert windows.opening((window,), SHIFT, now) == minute


def test_one_open_window_is_enough_and_kinds_that_none_names_are_always_open():
    nights = Window("22:00-23:00", applies_to=("create",))
    days = Window("08:00-09:00", applies_to=("create", "shift"))
    noon = at("2026-11-27T13:00")  # 12:00 UTC

    assert windows.opening((nights, days), Stage("c", Create("candidate")), noon) == noon + 36000
    assert windows.opening((nights, days), SHIFT, noon) == noon + 72000
    assert windows.opening((nights, days), Stage("m", Mirror(10)), noon) is None
    assert windows.opening((nights, days), Stage("c", Create("candidate")), noon + 36000) is None
    assert windows.opening((), SHIFT, noon) is None


@pytest.mark.parametrize(
    ("work", "held"),
    [
        (Create("candidate"), True),
        (Scale("baseline", 2), True),
        (Mirror(10), True),
        (Shift(10), True),
        (Delete("baseline"), True),
        (Smoke("candidate"), False),
        (Approve(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_window_without_kinds_is_about_all_that_write(work, held):
    assert windows.applies(Window("Mon"), Stage("x", work)) is held


# --- a run ------------------------------------------------------------------------

CLOSED, OPENS = at("2026-11-27T12:00"), at("2026-11-30T09:00")  # a Friday; the Monday after


def waiting(stage: str = "shift-10", **changes):
    return entering(stage, windows=(WORKING,), since=CLOSED - 60, **changes)


def test_no_stage_begins_to_write_outside_its_window():
    assert decide(waiting(), seen_at("shift-10"), CLOSED) == Waits(On.WINDOW, OPENS)
    assert isinstance(decide(waiting(), seen_at("shift-10"), OPENS), Act)


def test_a_stage_that_has_nothing_to_write_needs_no_window():
    there = seen_of(Split({"blue": 90, "green": 10}))
    adopted = waiting(expected=Split({"blue": 90, "green": 10}))

    assert told(decide(adopted, there, CLOSED)) == e.SetPointReached


def test_a_write_that_is_in_flight_goes_on_outside():
    run = waiting(intent=SetSplit({"blue": 90, "green": 10}), intended=CLOSED - 30, attempts=1)

    assert isinstance(decide(run, seen_at("shift-10"), CLOSED), Act)


def test_a_split_that_was_read_back_is_not_in_flight():
    lowered = SetSplit(BLUE_100.traffic)
    run = waiting(intent=lowered, intended=CLOSED - 30, attempts=1, expected=BLUE_100)

    assert decide(run, seen_of(BLUE_100), CLOSED) == Waits(On.WINDOW, OPENS)


def test_a_stages_timeout_does_not_run_while_it_waits_for_a_window():
    run = waiting("create")
    late = OPENS + 60

    assert told(decide(run, seen_at("create", green=None), late - 120)) is On.WINDOW
    begun = advance(run, e.Intended(_effect(run, late), BLUE_100), late)

    assert begun.since == late
    busy = seen_at("create", green=None, busy=True)
    assert decide(begun, busy, late + 2600) == Waits(On.PROVISIONING)
    assert told(decide(begun, busy, late + 2800)) == ("back", Why.TIMEOUT)


def _effect(run, now):
    decision = decide(run, seen_at("create", green=None), now)
    assert isinstance(decision, Act)
    return decision.effect


def test_a_stage_that_waits_for_the_endpoint_has_its_time_from_the_opening_on():
    run = waiting("create")
    busy = seen_at("create", green=None, busy=True)

    assert decide(run, busy, OPENS - 60) == Waits(On.PROVISIONING)
    assert decide(run, busy, OPENS + 2600) == Waits(On.PROVISIONING)
    assert told(decide(run, busy, OPENS + 2800)) == ("back", Why.TIMEOUT)


def test_the_guard_goes_on_while_a_run_waits_for_a_window():
    run = waiting("shift-50", at=8)
    later = seen_at("shift-50")

    assert told(decide(run, later, CLOSED + 900)) is Question.OBSERVE


def test_a_rollback_waits_for_no_window():
    run = advance(waiting("shift-50"), e.RollbackBegan(e.Cause(Why.GATE_FAILED, "")), CLOSED)

    assert decide(run, seen_at("shift-50"), CLOSED) == Act(SetSplit({"blue": 100}))


def test_who_waits_for_a_window_is_told_so():
    run = waiting()

    assert (waiting_code(run, CLOSED), outcome(run, CLOSED)) == (22, "waiting_window")
    assert (waiting_code(run, OPENS), outcome(run, OPENS)) == (20, "running")
    assert waiting_code(run) == 20
    left = advance(run, e.Left(OPENS, On.WINDOW.value), CLOSED)
    assert (waiting_code(left), outcome(left)) == (22, "waiting_window")
