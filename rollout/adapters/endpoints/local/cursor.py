"""Where measurements stand in the access log, as a string that outlives its reader."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from rollout.domain.errors import EndpointRefused

_VERSION = "3"
_PLACES = {
    ("3", 12): (3, 3),
    ("2", 9): (3, 2),  # without ``begun``
    ("1", 7): (2, 2),  # without ``waiting``, too
}
"""How many places of how many parts a version has, by it and the number of all parts."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A byte of a segment.

    Args:
        segment: Its number.
        offset: Bytes before it.
        begun: How the segment begins, from ``begun``; somebody may remove one, and another then
            has its number. 0: it is not known, or there is nothing in it yet.
    """

    segment: int
    offset: int
    begun: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.segment}:{self.offset}:{self.begun}"


def begun(first_line: bytes) -> int:
    """What tells segments apart: a checksum of their first line, which has a request's own id."""
    return zlib.crc32(first_line) if first_line.endswith(b"\n") else 0


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where measurements stand.

    Args:
        counted: Up to here requests are counted.
        timed: Up to here their latencies have been given as well.
        waiting: From here on there may be half a pair whose other half is still to come.
        since: Requests that began earlier do not count, Unix seconds.
        until: End of the last interval, Unix seconds.
    """

    counted: Place
    timed: Place
    waiting: Place
    since: float
    until: float

    def __str__(self) -> str:
        places = f"{self.counted}:{self.timed}:{self.waiting}"
        return f"{_VERSION}:{places}:{self.since:.6f}:{self.until:.6f}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """The inverse of ``str``; it knows what earlier versions wrote, too.

        Raises:
            EndpointRefused: this is no cursor of ours.
        """
        version, *parts = text.split(":")
        try:
            if (version, len(parts) + 1) not in _PLACES:
                raise ValueError(text)
            places, size = _PLACES[version, len(parts) + 1]
            numbers = [int(part) for part in parts[:-2]]
            found = [Place(*numbers[at * size : (at + 1) * size]) for at in range(places)]
            counted, timed, waiting = (*found, found[0])[:3]
            return cls(counted, timed, waiting, float(parts[-2]), float(parts[-1]))
        except ValueError as error:
            raise EndpointRefused(
                f"{text!r} is no cursor of the local endpoint's access log.",
                do="Begin a new measurement.",
            ) from error
