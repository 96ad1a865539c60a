"""How soon a server that died is started again; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

QUICK_SECONDS = 30.0
MOST_QUICK = 5
SLOW_PAUSE_SECONDS = 30.0

_FIRST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Restarts:
    """The deaths of a deployment's servers so far.

    Args:
        total: All of them.
        quick: In a row, each soon after its start.
        not_before: When the next start may be, monotonic seconds.
    """

    total: int = 0
    quick: int = 0
    not_before: float = 0.0

    def after_death(self, now: float, *, lived: float) -> Restarts:
        """After a death ``now`` of a server that had served for ``lived`` seconds.

        The first start again is at once, later ones wait longer and longer.

        >>> Restarts().after_death(100.0, lived=3600.0)
        Restarts(total=1, quick=0, not_before=100.0)
        """
        if lived >= QUICK_SECONDS:
            return Restarts(self.total + 1, 0, now)
        quick = self.quick + 1
        return Restarts(self.total + 1, quick, now + _pause(quick))

    def steady(self) -> Restarts:
        """After a server has lived for long: the row of quick deaths is over."""
        return replace(self, quick=0)

    @property
    def looping(self) -> bool:
        """So many quick deaths that the deployment counts as failed."""
        return self.quick >= MOST_QUICK


def _pause(quick: int) -> float:
    if quick >= MOST_QUICK:
        return SLOW_PAUSE_SECONDS
    return 0.0 if quick <= 1 else _FIRST_PAUSE_SECONDS * 2.0 ** (quick - 2)
