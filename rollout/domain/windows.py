"""When a stage may begin: execution windows, read as people write them, correct where clocks change.

A window is wall-clock time in its own zone. A range whose end is not after its beginning runs past
midnight and belongs to the day that it begins on: ``Fri 22:00-04:00`` ends on Saturday.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache

from rollout.domain.endpoint import SetSplit
from rollout.domain.plan import Create, Delete, Mirror, Scale, Shift, Stage, Window
from rollout.domain.run import Phase, Run, Split, Step

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# The kinds of stages that write, so that a window can hold them up. A bootstrap is not among them:
# it writes only where nobody serves.
KINDS = ("scale", "create", "mirror", "shift", "delete")
_WRITING = (Scale, Create, Mirror, Shift, Delete)
_DAY = 24 * 60  # minutes
_TWO_DAYS = 2 * _DAY * 60  # seconds
# A weekly range may fall into the hour that a clock leaves out: then it is the week after.
_AHEAD = 15  # days
_RANGE = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")
_SPAN = re.compile(r"([a-z]+)(?:-([a-z]+))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Times:
    """What ``allow`` says.

    Args:
        days: Days on which a range begins, 0 is Monday.
        ranges: Minutes of the day, from and to; a ``to`` beyond a day's end is of the next day.
    """

    days: frozenset[int]
    ranges: tuple[tuple[int, int], ...]

    def hold(self, day: int, minute: float) -> bool:
        """Whether a moment of the week lies inside."""
        before = (day - 1) % len(DAYS)
        return any(
            (day in self.days and start <= minute < end)
            or (before in self.days and minute < end - _DAY)
            for start, end in self.ranges
        )


@cache
def parse(allow: str) -> Times:
    """The days and times of a window.

    Args:
        allow: Days, times, or both: ``Mon-Thu 09:00-16:00``, ``Sat,Sun``, ``22:00-04:00``,
            ``Mon-Fri 09:00-12:00,13:00-16:00``. Without days every day, without times all day.

    Raises:
        ValueError: it is not of that form; the message says what is wrong.

    >>> sorted(parse("Fri-Mon 22:00-04:00").days), parse("09:30-24:00").ranges
    ([0, 4, 5, 6], ((570, 1440),))
    """
    words = re.sub(r"\s*([,-])\s*", r"\1", allow.strip()).split()
    if not words:
        raise ValueError("it is empty")
    named = [each for each in words if not each[0].isdigit()]
    timed = [each for each in words if each[0].isdigit()]
    if words != named + timed:
        raise ValueError("the days stand before the times")
    days = frozenset(day for each in named for part in each.split(",") for day in _days(part))
    ranges = tuple(_range(part) for each in timed for part in each.split(","))
    return Times(days or frozenset(range(len(DAYS))), ranges or ((0, _DAY),))


def _days(text: str) -> Iterator[int]:
    """The days of ``Mon`` or ``Mon-Thu``, over the week's end too."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no day")
    first, last = _day(found[1]), _day(found[2] or found[1])
    for step in range((last - first) % len(DAYS) + 1):
        yield (first + step) % len(DAYS)


def _day(name: str) -> int:
    if name.lower() not in DAYS:
        raise ValueError(f"{name!r} is no day")
    return DAYS.index(name.lower())


def _range(text: str) -> tuple[int, int]:
    """Minutes of ``09:00-16:00``; past midnight where the end is not after the beginning."""
    found = _RANGE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no range of times")
    start, end = _minute(found[1], found[2]), _minute(found[3], found[4])
    if start == _DAY:
        raise ValueError("no day begins at 24:00")
    if start == end:
        raise ValueError(f"{text!r} begins when it ends")
    return start, end if end > start else end + _DAY


def _minute(hour: str, minute: str) -> int:
    found = int(hour) * 60 + int(minute)
    if int(minute) >= 60 or found > _DAY:  # noqa: PLR2004 - minutes of an hour
        raise ValueError(f"{hour}:{minute} is no time of a day")
    return found


@cache
def zone(name: str) -> tzinfo:
    """The time zone called so.

    Raises:
        ValueError: there is none.
    """
    if name == "UTC":  # also where a system has no time zones at all
        return UTC
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only where a plan has windows

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown, a path, a folder
        raise ValueError(f"there is no time zone {name!r}") from error


def is_open(window: Window, at: float) -> bool:
    """Whether a stage may begin at ``at`` (Unix seconds), by this window alone."""
    local = datetime.fromtimestamp(at, zone(window.timezone))
    minute = local.hour * 60 + local.minute + local.second / 60
    return parse(window.allow).hold(local.weekday(), minute)


def applies(window: Window, stage: Stage) -> bool:
    """Whether the window is about stages of this kind; one that names none is about all that write."""
    kind = type(stage.work).__name__.lower()
    return isinstance(stage.work, _WRITING) and kind in (window.applies_to or KINDS)


def opening(windows: tuple[Window, ...], stage: Stage, at: float) -> float | None:
    """When the stage may begin, Unix seconds; None: at once. One open window is enough."""
    ours = [each for each in windows if applies(each, stage)]
    if not ours or any(is_open(each, at) for each in ours):
        return None
    return min(_next(each, at) for each in ours)


def opened(windows: tuple[Window, ...], stage: Stage, at: float) -> float | None:
    """When a window of the stage opened last, Unix seconds; None: none holds it up at any time."""
    ours = [each for each in windows if applies(each, stage)]
    found = [
        moment
        for each in ours
        for moment in _turns(each, at, -1)
        if moment <= at and not any(is_open(other, moment - 1) for other in ours)
        if is_open(each, moment)
    ]
    return max(found, default=None)


def waited_for(run: Run, now: float) -> float | None:
    """When the window opens that the run's present stage waits for; None: it waits for none."""
    stage = run.stage
    if stage is None or not unbegun(run) or now < run.began + stage.after:
        return None
    return opening(run.windows, stage, now)


def unbegun(run: Run) -> bool:
    """Whether a window is asked before the present stage goes on: nothing of it was written yet."""
    stage, intent = run.stage, run.intent
    if stage is None or run.phase is not Phase.RUNNING or run.step is not Step.ENTERING:
        return False
    # A split that was read back is behind us: with it a run was left alone.
    behind = isinstance(intent, SetSplit) and run.expected == Split(intent.traffic, intent.mirror)
    return (intent is None or behind) and any(applies(each, stage) for each in run.windows)


def _next(window: Window, at: float) -> float:
    found = math.inf
    for moment in _turns(window, at, 1):
        # Days come in their order; what is written as of one of them may be of the next.
        if moment > found + _TWO_DAYS:
            break
        if at < moment < found and is_open(window, moment):
            found = moment
    return found


def _turns(window: Window, at: float, way: int) -> Iterator[float]:
    """Every moment at which the window may open, from a day around ``at`` on, in no order.

    That is where a range begins and where the zone's clock is changed: forward over the beginning
    of a range, or back into one.
    """
    place = zone(window.timezone)
    today = datetime.fromtimestamp(at, place).date()
    times = parse(window.allow)
    for offset in range(-1, _AHEAD):
        day = today + timedelta(days=way * offset)
        begins, ends = _moment(day, place), _moment(day + timedelta(days=1), place)
        changed = _offset(begins, place) != _offset(ends, place)
        if changed:
            yield _change(begins, ends, place)
        if day.weekday() in times.days:
            for start, _ in times.ranges:
                for fold in (0, 1) if changed else (0,):  # an hour may be there twice
                    yield _moment(day, place, start, fold)


def _moment(day: date, place: tzinfo, minute: int = 0, fold: int = 0) -> float:
    hour, rest = divmod(minute, 60)
    return datetime(day.year, day.month, day.day, hour, rest, tzinfo=place, fold=fold).timestamp()


def _offset(at: float, place: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(at, UTC).astimezone(place).utcoffset()


def _change(low: float, high: float, place: tzinfo) -> float:
    """When the zone's clock is changed between two moments, to the second."""
    before = _offset(low, place)
    first, last = int(low), int(high)
    while last - first > 1:
        middle = (first + last) // 2
        if _offset(middle, place) == before:
            first = middle
        else:
            last = middle
    return float(last)
