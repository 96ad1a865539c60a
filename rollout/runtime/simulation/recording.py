"""Recorded intervals: read from JSON lines, replayed, and written in the same form.

A line is one deployment in one interval::

    {"start": s, "seconds": s, "deployment": "blue", "requests": n, "errors": x,
     "latency_ms": [[upper_edge, count], ...]}

``latency_ms`` may be absent; an upper edge of ``null`` (or ``"+Inf"``) stands for requests that
failed or were never answered. Edges are mapped onto our own buckets, unless all of their finite
ones are named: ``"edges_ms": [5, 10, 25, ...]``; then the gates judge by these, and the requests
above the last of them have the edge ``null``. Intervals of both deployments coincide or do not touch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import pairwise

from rollout.domain.diagnostics import Diagnostic, Place
from rollout.domain.errors import EndpointAway, PlanInvalid
from rollout.domain.measure import NEVER, Arm, Interval, bucket_of, edge
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.run import Exposure
from rollout.runtime.meter import OUTAGE_STEP
from rollout.runtime.simulation.traffic import Shares

MOST = 20  # findings that are told; a file of another form has one in every line
_KEYS = ("start", "seconds", "deployment", "requests", "errors", "latency_ms", "edges_ms")
_NEEDED = _KEYS[:-2]
_SLACK = 1e-6  # seconds
_SHORTEST = 1.0  # seconds between two looks
_EXACT = 15  # digits of an edge that is not ours
_DIGITS = 6  # of an edge, cut down so that it is still in its own bucket


# --- writing ------------------------------------------------------------------


def recorded(intervals: Iterable[Interval], baseline: str, candidate: str) -> Iterator[str]:
    """The JSON lines of measured intervals, without line ends.

    Args:
        intervals: In order, as a run's journal has them.
        baseline: Its deployment's name.
        candidate: Its deployment's name.
    """
    names = {BASELINE: baseline, CANDIDATE: candidate}
    for interval in intervals:
        for role, name in names.items():
            arm = interval.arms.get(role)
            if arm is not None:
                yield json.dumps(_spelled(interval, name, arm))


def _spelled(interval: Interval, name: str, arm: Arm) -> dict[str, object]:
    made: dict[str, object] = {
        "start": interval.start,
        "seconds": round(interval.end - interval.start, 6),
        "deployment": name,
        "requests": arm.requests,
        "errors": arm.errors,
    }
    if arm.latency is not None:
        found = sorted(arm.latency.items())
        made["latency_ms"] = [[_edge_ms(at, arm.edges), count] for at, count in found]
    if arm.edges:
        made["edges_ms"] = list(map(_exact_ms, arm.edges))
    return made


def _edge_ms(bucket: int, edges: Sequence[float]) -> float | None:
    if bucket >= NEVER:
        return None
    if edges:
        return _exact_ms(edges[bucket])
    exact = edge(bucket) * 1000.0
    unit = 10.0 ** (math.floor(math.log10(exact)) + 1 - _DIGITS)
    return float(f"{math.floor(exact / unit) * unit:.{_DIGITS}g}")


def _exact_ms(seconds: float) -> float:
    """Milliseconds that divide back into the seconds: 70, not 70.00000000000001."""
    return float(f"{seconds * 1000.0:.{_EXACT}g}")


# --- reading ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recording:
    """Intervals of both deployments, in order; ``file`` as it was named."""

    file: str
    intervals: tuple[Interval, ...]

    @property
    def seconds(self) -> float:
        """How long it lasts, gaps left out."""
        return math.fsum(each.end - each.start for each in self.intervals)


@dataclass(slots=True)
class _Reader:
    """What was read so far, and what is wrong with it."""

    file: str
    names: Mapping[str, str]
    arms: dict[tuple[float, float], dict[str, Arm]] = field(default_factory=dict)
    lines: dict[tuple[float, float], int] = field(default_factory=dict)
    findings: list[Diagnostic] = field(default_factory=list)

    def wrong(self, line: int, path: str, what: str, do: str, *, column: int = 1) -> None:
        self.findings.append(Diagnostic(Place(self.file, line, column), path, what, do))


def read_recording(lines: Iterable[str], file: str, *, baseline: str, candidate: str) -> Recording:
    """The recording in the lines of a file.

    Args:
        lines: With or without their line ends; empty ones are left out.
        file: Its name, for the findings.
        baseline: Name of the plan's baseline, by which lines are told apart.
        candidate: Name of the plan's candidate.

    Raises:
        PlanInvalid: with every finding, at most `MOST` of them.
    """
    reader = _Reader(file, {baseline: BASELINE, candidate: CANDIDATE})
    for number, text in enumerate(lines, 1):
        if text.strip():
            _line(reader, number, text)
        if len(reader.findings) >= MOST:
            break
    if not reader.findings:
        _whole(reader)
    if reader.findings:
        raise _invalid(reader)
    found = sorted(reader.arms.items())
    return Recording(file, tuple(Interval(start, end, arms) for (start, end), arms in found))


def _invalid(reader: _Reader) -> PlanInvalid:
    error = PlanInvalid(tuple(reader.findings))
    count = len(reader.findings)
    more = " or more" if count >= MOST else ""
    error.what = f"The recording {reader.file} has {count}{more} finding{'s'[: count != 1]}."
    error.do = "Correct it, then: rollout simulate PLAN --scenario FILE"
    return error


def _line(reader: _Reader, number: int, text: str) -> None:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        do = "Write one JSON object a line."
        reader.wrong(number, "line", f"It is not JSON: {error.msg}.", do, column=error.colno)
        return
    except RecursionError:
        reader.wrong(number, "line", "It is nested too deeply.", "Write one JSON object a line.")
        return
    before = len(reader.findings)
    if not isinstance(data, dict):
        reader.wrong(number, "line", "It is no JSON object.", "Write one JSON object a line.")
        return
    for name in data.keys() - set(_KEYS):
        reader.wrong(number, name, "There is no such key.", f"The keys are {', '.join(_KEYS)}.")
    for name in (each for each in _NEEDED if each not in data):
        reader.wrong(number, name, "It is missing.", f"Every line has {', '.join(_NEEDED)}.")
    if len(reader.findings) == before:
        _values(reader, number, data)


def _values(reader: _Reader, number: int, data: Mapping[str, object]) -> None:
    before = len(reader.findings)
    start, seconds = _number(data["start"]), _number(data["seconds"])
    if start is None:
        reader.wrong(number, "start", "It is no number.", "Write Unix seconds.")
    if seconds is None or seconds <= 0:
        reader.wrong(number, "seconds", "It is no number above 0.", "Write how long it lasts.")
    name = data["deployment"]
    if not isinstance(name, str) or name not in reader.names:
        do = f"The plan has {' and '.join(reader.names)}."
        reader.wrong(number, "deployment", f"{name!r} is none of the plan's.", do)
    requests, errors = _count(data["requests"]), _count(data["errors"])
    if requests is None:
        reader.wrong(number, "requests", "It is no whole number from 0 on.", "Write a count.")
    if errors is None or (requests is not None and errors > requests):
        do = "Write how many of the requests failed."
        reader.wrong(number, "errors", "It is no whole number from 0 to requests.", do)
    edges = _edges(reader, number, data.get("edges_ms"))
    latency = _latency(reader, number, data.get("latency_ms"), edges)
    if len(reader.findings) > before or start is None or seconds is None:
        return
    assert requests is not None and errors is not None  # noqa: S101, PT018 - else there are findings
    role = reader.names[str(name)]
    arm = Arm(requests, errors, latency, edges=tuple(each / 1000.0 for each in edges))
    _keep(reader, number, (start, start + seconds), role, arm)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _count(value: object) -> int | None:
    number = _number(value)
    return None if number is None or number < 0 or number != int(number) else int(number)


def _edges(reader: _Reader, number: int, value: object) -> tuple[float, ...]:
    """Upper edges in milliseconds of buckets that are not ours; empty: they are."""
    if value is None:
        return ()
    found = [_number(each) for each in value] if isinstance(value, list) else [None]
    known = tuple(each for each in found if each is not None)
    if len(known) < len(found) or any(high <= low for low, high in pairwise(known)):
        do = "Write the finite upper edges in milliseconds: [5, 10, 25]."
        reader.wrong(number, "edges_ms", "It is no list of ascending numbers.", do)
        return ()
    return known


def _latency(
    reader: _Reader, number: int, value: object, edges: Sequence[float]
) -> Mapping[int, int] | None:
    if value is None:
        return None
    do = "Write pairs such as [120.5, 17]: an upper edge in milliseconds, and a count."
    if not isinstance(value, list):
        reader.wrong(number, "latency_ms", "It is no list.", do)
        return None
    found: dict[int, int] = {}
    for at, pair in enumerate(value):
        made = _bucket(pair, edges)
        if made is None:
            reader.wrong(number, f"latency_ms[{at}]", f"{_short(pair)} is no such pair.", do)
            return None
        bucket, count = made
        found[bucket] = found.get(bucket, 0) + count
    return {bucket: count for bucket, count in found.items() if count}


def _bucket(pair: object, edges: Sequence[float]) -> tuple[int, int] | None:
    match pair:
        case [None | "+Inf", counted]:
            bucket = NEVER
        case [upper, _] if edges and _number(upper) not in edges:
            return None
        case [upper, counted] if edges:
            bucket = edges.index(upper)
        case [upper, counted] if (number := _number(upper)) is not None and number > 0:
            bucket = bucket_of(number / 1000.0)
        case _:
            return None
    count = _count(counted)
    return None if count is None else (bucket, count)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."  # noqa: PLR2004 - of a line of a terminal


def _keep(reader: _Reader, number: int, time: tuple[float, float], role: str, arm: Arm) -> None:
    arms = reader.arms.setdefault(time, {})
    reader.lines.setdefault(time, number)
    if role in arms:
        what = f"Another line has the same deployment and time, as line {reader.lines[time]}."
        reader.wrong(number, "start", what, "Keep one of them.")
    arms[role] = arm


def _whole(reader: _Reader) -> None:
    """What is wrong with the lines as a whole."""
    for name, role in reader.names.items():
        if not any(role in arms for arms in reader.arms.values()):
            do = f"Record both {' and '.join(reader.names)}."
            reader.wrong(1, "deployment", f"There is no line of {name}.", do)
    last: tuple[float, float] | None = None
    for time in sorted(reader.arms):
        if last is not None and time[0] < last[1] - _SLACK:
            line = reader.lines[time]
            what = f"It overlaps the interval of line {reader.lines[last]}."
            reader.wrong(line, "start", what, "Give both deployments the same intervals.")
        last = time
    del reader.findings[MOST:]


# --- replaying ----------------------------------------------------------------


@dataclass(slots=True)
class Replay:
    """A ``Source`` of recorded traffic: interval after interval, for as long as stages observe.

    The recording stands still while nothing is observed, and its shares are its own, whatever the
    plan's stages say.

    Args:
        recording: Both deployments' intervals.
        exposure: See ``traffic.Source``.
        over: Whether more was to be measured than there is.
    """

    recording: Recording
    exposure: Exposure = field(default_factory=Exposure)
    over: bool = False
    _at: int = 0
    _passed: float = 0.0
    _live: bool = False

    def trouble(self, at: float) -> None:
        """Whatever is wrong is in the recording."""

    def flow(self, start: float, end: float, shares: Shares) -> None:
        """Time passes."""
        self._passed += end - start
        self._live = shares.live > 0.0

    def restart(self) -> None:
        """The next interval begins now."""
        self._passed = 0.0

    def taken(self, start: float, end: float, *, histogram: bool) -> Interval | None:  # noqa: ARG002
        """The intervals that were closed meanwhile, as one; with latencies where they have any."""
        if self._left() is None:
            self.over = True
            raise EndpointAway(
                f"The recording {self.recording.file} is over.", do="Record for longer."
            )
        closed: list[Interval] = []
        while (left := self._left()) is not None and left <= self._passed + _SLACK:
            self._passed -= left
            closed.append(self.recording.intervals[self._at])
            self._at += 1
        if not closed or end <= start:
            return None
        found = replace(reduce(Interval.plus, closed), start=start, end=end)
        candidate = found.arms.get(CANDIDATE)
        if self._live and candidate is not None:
            done = self.exposure
            self.exposure = Exposure(
                done.requests + candidate.requests, done.errors + candidate.errors
            )
        return found

    def _left(self) -> float | None:
        """Seconds that the next interval lasts; None: there is none."""
        if self._at >= len(self.recording.intervals):
            return None
        interval = self.recording.intervals[self._at]
        return interval.end - interval.start

    def wait(self, observed: float, *, guard: bool) -> float:  # noqa: ARG002 - its own pace
        """As long as the next interval lasts."""
        left = self._left()
        return OUTAGE_STEP if left is None else max(_SHORTEST, left - self._passed)
