"""Where measurements stand in the access log, as a string that outlives its reader."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.domain.errors import EndpointRefused

_VERSION = "2"
_PARTS = 9
_OLD_VERSION = "1"  # without ``waiting``
_OLD_PARTS = 7


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A byte of a segment."""

    segment: int
    offset: int

    def __str__(self) -> str:
        return f"{self.segment}:{self.offset}"


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
        parts = text.split(":")
        try:
            if (parts[0], len(parts)) not in ((_VERSION, _PARTS), (_OLD_VERSION, _OLD_PARTS)):
                raise ValueError(text)
            numbers = [int(part) for part in parts[1:-2]]
            counted, timed = Place(*numbers[:2]), Place(*numbers[2:4])
            waiting = Place(*numbers[4:]) if numbers[4:] else counted
            return cls(counted, timed, waiting, float(parts[-2]), float(parts[-1]))
        except ValueError as error:
            raise EndpointRefused(
                f"{text!r} is no cursor of the local endpoint's access log.",
                do="Begin a new measurement.",
            ) from error
