"""Joins what the baseline told the client with what the candidate made of the mirrored copy."""

from __future__ import annotations

from rollout.adapters.endpoints.local.cursor import Place
from rollout.adapters.endpoints.local.entries import Line
from rollout.domain.answers import Said

PATIENCE_SECONDS = 15.0
_ORDER_SECONDS = 1.0  # how far two lines may stand in the wrong order

Pair = tuple[Said, Said]


class Pairing:
    """Takes lines in the order of the log and remembers halves for a while.

    A pair belongs to the place of its later half, and whether it is one can be seen from its two
    lines. So all readers find the same pairs, and none has to know which ones there were before.
    """

    def __init__(self) -> None:
        self._halves: dict[str, Line] = {}
        self._seen: list[tuple[float, Place]] = []

    def take(self, line: Line, place: Place) -> Pair | None:
        """One more line; the pair of which it is the later half."""
        if not line.has_answer or not line.id:
            return None
        self._seen.append((line.ended, place))
        other = self._halves.pop(line.id, None)
        if other is None:
            self._halves[line.id] = line
            return None
        if other.arm == line.arm or abs(other.ended - line.ended) > PATIENCE_SECONDS:
            return None
        return _pair({other.arm: other.said(), line.arm: line.said()})

    def settle(self, end: Place) -> Place:
        """Forget what is not waited for any more: where the rest begins; ``end``: there is none."""
        newest = max((ended for ended, _ in self._seen), default=0.0)
        horizon = newest - PATIENCE_SECONDS - _ORDER_SECONDS
        keep = next((n for n, (ended, _) in enumerate(self._seen) if ended >= horizon), None)
        self._seen = [] if keep is None else self._seen[keep:]
        self._halves = {key: one for key, one in self._halves.items() if one.ended >= horizon}
        return self._seen[0][1] if self._seen else end


def _pair(said: dict[str, Said | None]) -> Pair | None:
    baseline, candidate = said["baseline"], said["candidate"]
    return None if baseline is None or candidate is None else (baseline, candidate)
