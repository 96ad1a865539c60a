"""When tests reach their bounds, in the time of the stage that they run in."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from rollout.stats.passage import Curve, Walk, curve, meeting
from rollout.stats.power import LONGEST

_ROOM = 1.5  # times as long as the mean takes; most have arrived by then
_AMPLE = 3.0  # times as long; nearly all have
_LEFT = 0.005  # chance to miss, all tests together, for which no longer curve is worth it
_JUMP = 0.3  # between two looks; a line between them would say little


@dataclass(frozen=True, slots=True)
class Race:
    """A test on its way to its bound. Times are seconds since the stage began.

    Args:
        walk: The test.
        bound: Log evidence to be reached.
        late: When the test begins.
        since: Before it, reaching the bound does not count.
    """

    walk: Walk
    bound: float
    late: float = 0.0
    since: float = 0.0

    @property
    def expected(self) -> float:
        """When the test's mean reaches the bound; infinity: never."""
        seconds = meeting(self.walk, self.bound, LONGEST)
        return math.inf if seconds >= LONGEST else max(self.since, self.late + seconds)


class Reach:
    """Reads the curves of tests, and works each of them out once only."""

    def __init__(self) -> None:
        self._curve: Callable[[Walk, float, float, float], Curve] = cache(curve)

    def curve(self, race: Race, seconds: float, races: int = 1) -> Curve:
        """Seconds since the stage began, and the probability that the bound was reached.

        It ends early where hardly anything is left to happen: a long curve takes long.

        Args:
            race: The test.
            seconds: Up to when.
            races: How many tests there are whose chances to miss add up.
        """
        ample = _AMPLE * race.expected
        if ample < seconds:
            found = self._whole(race, ample)
            if _last(found) >= 1.0 - _LEFT / races:
                return found
        return self._whole(race, seconds)

    def _whole(self, race: Race, seconds: float) -> Curve:
        since = max(0.0, race.since - race.late)
        found = self._curve(race.walk, race.bound, seconds - race.late, since)
        return tuple((at + race.late, reached) for at, reached in found)

    def by(self, races: Sequence[Race], seconds: float) -> float:
        """The least probability that all bounds are reached by a time.

        Nothing is known of how the tests depend on one another: the chances to miss add up.
        """
        curves = (self.curve(race, seconds, len(races)) for race in races)
        return max(0.0, 1.0 - math.fsum(1.0 - _last(found) for found in curves))

    def surely(self, races: Sequence[Race], seconds: float, wanted: float) -> bool:
        """Whether `by` gives a wanted probability above one half; a plain no costs little."""
        if any(race.expected > _ROOM * seconds for race in races):
            return False
        return self.by(races, seconds) >= wanted

    def seconds(self, races: Sequence[Race], wanted: float, within: float) -> float:
        """Seconds until all bounds are reached with a probability; infinity: more than 30 days.

        Args:
            races: At least one.
            wanted: The probability, above one half.
            within: A time by which they probably are.
        """
        horizon = within
        if self.by(races, horizon) < wanted:
            horizon = max(horizon, _ROOM * max(race.expected for race in races))
            while horizon <= LONGEST and self.by(races, horizon) < wanted:
                horizon *= 2.0
        if horizon > LONGEST:
            return math.inf
        early, late = self._between(races, wanted, horizon)
        if late.reached - early.reached > _JUMP and late.seconds < horizon:
            early, late = self._between(races, wanted, late.seconds)  # looks lie closer there
        rise = late.reached - early.reached
        part = (wanted - early.reached) / rise if rise > 0 else 1.0
        return early.seconds + part * (late.seconds - early.seconds)

    def _between(self, races: Sequence[Race], wanted: float, horizon: float) -> tuple[_At, _At]:
        """The looks before and at which a probability is what is wanted; one, if it is the first."""
        curves = [self.curve(race, horizon, len(races)) for race in races]

        def reached(at: float) -> float:
            return 1.0 - math.fsum(1.0 - _value(found, at) for found in curves)

        looks = sorted({at for found in curves for at, _ in found})
        at = min(bisect_left(looks, wanted, key=reached), len(looks) - 1)
        # Between nothing and the first look lie only looks that do not count.
        before = looks[max(0, at - 1)]
        return _At(before, reached(before)), _At(looks[at], reached(looks[at]))


class _At(NamedTuple):
    """A look, and the probability that the bounds were reached by then."""

    seconds: float
    reached: float


def _last(found: Curve) -> float:
    return found[-1][1] if found else 0.0


def _value(found: Curve, seconds: float) -> float:
    """The probability at a time between two looks; 0 before the first."""
    at = bisect_left(found, (seconds, -1.0))
    if at == len(found):
        return _last(found)
    later, reached = found[at]
    if at == 0:
        return reached if seconds >= later else 0.0
    earlier, before = found[at - 1]
    return before + (reached - before) * (seconds - earlier) / (later - earlier)
