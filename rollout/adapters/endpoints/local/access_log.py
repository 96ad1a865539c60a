"""Reads the access log from a cursor on: exact counts and answers, also over rotations."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from rollout.adapters.endpoints.local import rotation
from rollout.adapters.endpoints.local.cursor import Cursor, Place, begun
from rollout.adapters.endpoints.local.entries import Line, judge
from rollout.adapters.endpoints.local.pairing import Pair, Pairing
from rollout.domain.answers import Said
from rollout.domain.errors import EndpointAway
from rollout.domain.measure import NEVER, Arm, bucket_of

_BEGINNING = Place(0, 0)
_INSTANT_SECONDS = 5.0  # after a rotation's rename there is a new file within three


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reading shall hold besides counts.

    Args:
        histogram: Latencies, of all requests since the last reading with some.
        answers: What was answered to the requests that are counted.
        pairs: Answers of both arms to one request, where the candidate's are mirrored copies.
    """

    histogram: bool = False
    answers: bool = False
    pairs: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What a reading holds: by arm, and the pairs whose later half is in it.

    ``lost``: what followed the cursor has been removed, wholly or in part.
    """

    cursor: Cursor
    arms: Mapping[str, Arm]
    said: Mapping[str, tuple[Said, ...]] = field(default_factory=dict)
    pairs: tuple[Pair, ...] = ()
    lost: bool = False


def now(access_log: Path, moment: float) -> Cursor:
    """The cursor behind everything that is there at ``moment``."""
    with _opened(access_log) as segments:
        place = segments.end()
    return Cursor(place, place, place, moment, moment)


class Reader:
    """Reads one access log, again and again.

    It remembers halves of pairs, so that a reading that goes on from the last one need not look
    for them in the log. Nothing depends on that: any other reader finds the same. It also
    remembers since when the log is missing.
    """

    def __init__(self, access_log: Path) -> None:
        self._access_log = access_log
        self._missing_since: float | None = None
        self._known: tuple[Cursor, Mapping[str, str], Pairing] | None = None

    def read(
        self, cursor: Cursor, arms: Mapping[str, str], asked: Asked, *, moment: float
    ) -> Found:
        """The requests since ``cursor``, by arm.

        Args:
            cursor: From ``now`` or an earlier reading.
            arms: Cluster name -> arm.
            asked: What the reading shall hold.
            moment: The present, Unix seconds.

        Raises:
            EndpointAway: the log is missing for longer than a rotation takes.
        """
        pairing = self._recalled(cursor, arms)
        with _opened(self._access_log) as segments:
            self._see_it_there(segments, moment)
            known, lost = segments.fitted(cursor.counted), segments.lost(cursor.counted)
            if known is None:
                # What was counted already must not be counted again, wherever it stands.
                cursor = replace(cursor, since=cursor.until)
            counted = at = known or _BEGINNING
            timed = segments.fitted(cursor.timed) or _BEGINNING
            joined = segments.fitted(cursor.waiting) or _BEGINNING if pairing is None else counted
            tally = _Tally(tuple(arms.values()), asked, (counted, timed, joined), pairing)
            for place, end, line in segments.lines(tally.start):
                found = judge(line, arms, cursor.since)
                if found is not None:
                    tally.take(found, place)
                at = max(at, end)
        after = replace(
            cursor,
            counted=at,
            timed=at if asked.histogram else timed,
            waiting=tally.pairing.settle(at) if asked.pairs else at,
            until=moment,
        )
        self._known = (after, arms, tally.pairing) if asked.pairs else None
        return replace(tally.found(after), lost=lost)

    def _see_it_there(self, segments: _Segments, moment: float) -> None:
        """Without the log nobody knows what was asked: that is not the same as no requests."""
        if segments.growing is not None:
            self._missing_since = None
            return
        if self._missing_since is None:
            self._missing_since = moment
        if moment - self._missing_since > _INSTANT_SECONDS:
            raise EndpointAway(
                f"The access log {self._access_log} is gone, so no request can be counted.",
                do="The engine has it opened anew within seconds; if not: rollout local ps",
            )

    def _recalled(self, cursor: Cursor, arms: Mapping[str, str]) -> Pairing | None:
        """The halves before ``cursor``; None: they are not known and must be looked for."""
        # Taken away first: a reading that fails half-way has changed it.
        known, self._known = self._known, None
        return known[2] if known is not None and known[:2] == (cursor, arms) else None


class _Tally:
    """Adds up the lines of a reading, oldest first.

    Args:
        done: Lines before these places have been counted already, have given their latencies
            already, and are known to ``pairing`` already or of no use to it.
        pairing: With the halves that are known; None: none is.
    """

    def __init__(
        self,
        arms: tuple[str, ...],
        asked: Asked,
        done: tuple[Place, Place, Place],
        pairing: Pairing | None,
    ) -> None:
        self.pairing = pairing or Pairing()
        self._pairs: list[Pair] = []
        self._asked = asked
        self._counted_to, self._timed_to, self._joined_to = done
        self._counted: Counter[tuple[str, bool]] = Counter()
        self._latency: dict[str, Counter[int]] = {arm: Counter() for arm in arms}
        self._said: dict[str, list[Said]] = {arm: [] for arm in arms}

    @property
    def start(self) -> Place:
        """Where the first line is that must be taken."""
        timed = self._timed_to if self._asked.histogram else self._counted_to
        joined = self._joined_to if self._asked.pairs else self._counted_to
        return min(self._counted_to, timed, joined)

    def take(self, line: Line, place: Place) -> None:
        """One more line."""
        new = place >= self._counted_to
        if new:
            self._counted[line.arm, line.failed] += 1
        if new and self._asked.answers and (said := line.said()) is not None:
            self._said[line.arm].append(said)
        if self._asked.histogram and place >= self._timed_to:
            bucket = NEVER if line.failed else bucket_of(line.seconds)
            self._latency[line.arm][bucket] += 1
        if self._asked.pairs and place >= self._joined_to:
            self._join(line, place, new=new)

    def _join(self, line: Line, place: Place, *, new: bool) -> None:
        pair = self.pairing.take(line, place)
        if pair is not None and new:
            self._pairs.append(pair)

    def found(self, cursor: Cursor) -> Found:
        """All of it; the next reading starts at ``cursor``."""
        arms = {
            arm: Arm(
                requests=self._counted[arm, True] + self._counted[arm, False],
                errors=self._counted[arm, True],
                latency=dict(latency) if self._asked.histogram else None,
            )
            for arm, latency in self._latency.items()
        }
        said = {arm: tuple(answers) for arm, answers in self._said.items()}
        return Found(cursor, arms, said if self._asked.answers else {}, tuple(self._pairs))


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
        if self.growing is None:
            return Place(self.number, 0)
        return Place(self.number, os.fstat(self.growing.fileno()).st_size, _begun(self.growing))

    def fitted(self, place: Place) -> Place | None:
        """``place`` where it is now, or where to go on if what it was in has been removed.

        Returns:
            None: what was removed leaves no way to know.
        """
        if place.begun and (number := self._number_of(place)) is not None:
            return replace(place, segment=number)
        if place.begun and (place.segment in self.finished or self._is_growing(place)):
            return Place(place.segment, 0)  # another one has its number
        if place <= self.end() or self._is_renamed(place):
            return place
        growing = max(self.finished, default=0) + 1
        return Place(growing, 0) if place.segment == growing else None

    def lost(self, place: Place) -> bool:
        """Whether the segment of ``place`` has been removed, and with it what followed."""
        return bool(place.begun) and self._number_of(place) is None

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

    def _is_growing(self, place: Place) -> bool:
        return self.growing is not None and place.segment == self.number

    def _number_of(self, place: Place) -> int | None:
        """The number that the segment of ``place`` has now: it falls where others are removed."""
        likely = [place.segment, *sorted({self.number, *self.finished} - {place.segment})]
        return next((each for each in likely if self._begins(each) == place.begun), None)

    def _begins(self, number: int) -> int:
        if number == self.number and self.growing is not None:
            return _begun(self.growing)
        path = self.finished.get(number)
        if path is not None:
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                return _begun(file)
        return 0


def _begun(segment: BinaryIO) -> int:
    segment.seek(0)
    return begun(segment.readline())


def _lines_of(file: BinaryIO, number: int, start: Place) -> Iterator[tuple[Place, Place, bytes]]:
    mark = _begun(file)
    offset = start.offset if number == start.segment else 0
    file.seek(offset)
    for line in file:
        if not line.endswith(b"\n"):
            return
        place = Place(number, offset, mark)
        offset += len(line)
        yield place, Place(number, offset, mark), line


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
