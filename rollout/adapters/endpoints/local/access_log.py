"""Reads the access log from a cursor on: exact counts, also over rotations."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

from rollout.adapters.endpoints.local import rotation
from rollout.adapters.endpoints.local.xds import LIVE, SHADOW, cluster_name
from rollout.domain.errors import EndpointRefused
from rollout.domain.measure import NEVER, Arm, bucket_of

_VERSION = "1"
_PARTS = 7
_SERVER_ERRORS = 500
_CLIENT_ERRORS_OF_MODELS = (408, 424, 429)
_UNAUTHORIZED = 401
_NOT_THE_MODELS = frozenset({"DC", "UO"})  # the client left; a shadow was dropped on purpose
_BY_THE_SERVER = "via_upstream"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A byte of a segment."""

    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where measurements stand.

    Args:
        counted: Up to here requests are counted.
        timed: Up to here their latencies have been given as well.
        since: Requests that began earlier do not count, Unix seconds.
        until: End of the last interval, Unix seconds.
    """

    counted: Place
    timed: Place
    since: float
    until: float

    def __str__(self) -> str:
        counted, timed = self.counted, self.timed
        return (
            f"{_VERSION}:{counted.segment}:{counted.offset}:{timed.segment}:{timed.offset}"
            f":{self.since:.6f}:{self.until:.6f}"
        )

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """The inverse of ``str``.

        Raises:
            EndpointRefused: this is no cursor of ours.
        """
        parts = text.split(":")
        try:
            if parts[0] != _VERSION or len(parts) != _PARTS:
                raise ValueError(text)
            numbers = [int(part) for part in parts[1:5]]
            return cls(Place(*numbers[:2]), Place(*numbers[2:]), float(parts[5]), float(parts[6]))
        except ValueError as error:
            raise EndpointRefused(
                f"{text!r} is no cursor of the local endpoint's access log.",
                do="Begin a new measurement.",
            ) from error


@dataclass(frozen=True, slots=True)
class Line:
    """One request that counts for an arm. ``seconds``: infinite for a failed one."""

    arm: str
    failed: bool
    seconds: float


def now(access_log: Path, moment: float) -> Cursor:
    """The cursor behind everything that is there at ``moment``."""
    with _opened(access_log) as segments:
        place = segments.end()
    return Cursor(place, place, moment, moment)


def read(
    access_log: Path, cursor: Cursor, arms: Mapping[str, str], *, moment: float, histogram: bool
) -> tuple[Cursor, dict[str, Arm]]:
    """The requests since ``cursor``, by arm.

    Args:
        access_log: The growing segment.
        cursor: From ``now`` or an earlier reading.
        arms: Cluster name -> arm.
        moment: The present, Unix seconds.
        histogram: Latencies are wanted, of all requests since the last reading with some.
    """
    counted: Counter[tuple[str, bool]] = Counter()
    latency: dict[str, Counter[int]] = {arm: Counter() for arm in arms.values()}
    with _opened(access_log) as segments:
        first = at = segments.fitted(cursor.counted)
        timed = segments.fitted(cursor.timed)
        for place, end, line in segments.lines(min(timed, first) if histogram else first):
            found = _judge(line, arms, cursor.since)
            if found is not None:
                if place >= first:
                    counted[found.arm, found.failed] += 1
                if histogram:
                    bucket = NEVER if found.failed else bucket_of(found.seconds)
                    latency[found.arm][bucket] += 1
            at = max(at, end)
    after = replace(cursor, counted=at, timed=at if histogram else timed, until=moment)
    return after, {
        arm: Arm(
            requests=counted[arm, True] + counted[arm, False],
            errors=counted[arm, True],
            latency=dict(latency[arm]) if histogram else None,
        )
        for arm in arms.values()
    }


def arms_of(baseline: str, candidate: str, *, mirrored: bool) -> dict[str, str]:
    """Cluster name -> arm."""
    return {
        cluster_name(baseline, LIVE): "baseline",
        cluster_name(candidate, SHADOW if mirrored else LIVE): "candidate",
    }


@dataclass(frozen=True, slots=True)
class _Segments:
    """The log at one moment.

    Args:
        finished: Segments by number, oldest first.
        number: Of the growing segment.
        growing: None: there is none, see ``_opened``.
    """

    finished: Mapping[int, Path]
    number: int
    growing: BinaryIO | None

    def end(self) -> Place:
        """Behind the newest line."""
        size = 0 if self.growing is None else os.fstat(self.growing.fileno()).st_size
        return Place(self.number, size)

    def fitted(self, place: Place) -> Place:
        """``place``, or the log's beginning where it was removed and made anew meanwhile."""
        return place if place <= self.end() or self._is_renamed(place) else Place(0, 0)

    def lines(self, start: Place) -> Iterator[tuple[Place, Place, bytes]]:
        """Complete lines from ``start`` on, each with where it begins and ends."""
        for number, path in self.finished.items():
            if number >= start.segment:
                with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                    yield from _lines_of(file, number, start)
        if self.growing is not None:
            # Even where it is empty still, nothing will be added to those before it.
            yield Place(self.number, 0), Place(self.number, 0), b""
            yield from _lines_of(self.growing, self.number, start)

    def _is_renamed(self, place: Place) -> bool:
        return self.growing is None and place.segment in self.finished


def _lines_of(file: BinaryIO, number: int, start: Place) -> Iterator[tuple[Place, Place, bytes]]:
    offset = start.offset if number == start.segment else 0
    file.seek(offset)
    for line in file:
        if not line.endswith(b"\n"):
            return
        place = Place(number, offset)
        offset += len(line)
        yield place, Place(number, offset), line


@contextlib.contextmanager
def _opened(access_log: Path) -> Iterator[_Segments]:
    """The log as it is.

    Between a rotation's rename and Envoy's new file there is no growing segment, and the newest of
    the finished ones may still get lines.
    """
    with contextlib.ExitStack() as stack:
        while True:
            finished = rotation.segments(access_log)
            growing: BinaryIO | None = None
            with contextlib.suppress(FileNotFoundError):
                growing = stack.enter_context(access_log.open("rb"))
            if rotation.segments(access_log) == finished:
                break  # else it may be a newer one that we have opened
        newest = max(finished, default=0)
        yield _Segments(finished, newest + (growing is not None or not finished), growing)


def _judge(line: bytes, arms: Mapping[str, str], since: float) -> Line | None:
    entry = _parse(line)
    if entry is None or float(cast(str, entry["ts"])) < since:
        return None
    arm = arms.get(str(entry["cluster"]))
    counts = entry["route"] == "split" or entry["shadow"]
    flags = str(entry["flags"] or "").split(",")
    if arm is None or not counts or _NOT_THE_MODELS & set(flags):
        return None
    status = cast(int, entry["status"] or 0)
    if status == _UNAUTHORIZED and entry["details"] != _BY_THE_SERVER:
        return None
    failed = status == 0 or status >= _SERVER_ERRORS or status in _CLIENT_ERRORS_OF_MODELS
    took = entry["upstream_us"] if entry["attempts"] == 1 else None
    microseconds = took if took is not None else entry["us"]
    return Line(arm, failed, cast(float, microseconds or 0) / 1e6)


def _parse(line: bytes) -> Mapping[str, object] | None:
    # After a kill of Envoy a torn line may stand before the first new one.
    whole = line[line.rfind(b'{"') :]
    try:
        found = json.loads(whole)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "cluster" in found else None
