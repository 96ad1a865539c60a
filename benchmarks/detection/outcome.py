"""How one simulated rollout ended under one method."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """Seconds from the start; None: never.

    Args:
        rolled_back: When the candidate was rolled back.
        promoted: When it was promoted. Both are set only where a method goes on looking after a
            promotion, to count false rollbacks over a full hour.
    """

    rolled_back: float | None = None
    promoted: float | None = None


def first(outcomes: list[Outcome]) -> Outcome:
    """One outcome of several metrics: the first rollback, or else the last promotion.

    >>> first([Outcome(120.0), Outcome(promoted=60.0)])
    Outcome(rolled_back=120.0, promoted=None)
    >>> first([Outcome(promoted=60.0), Outcome(promoted=90.0)])
    Outcome(rolled_back=None, promoted=90.0)
    """
    back = [each.rolled_back for each in outcomes if each.rolled_back is not None]
    if back:
        return Outcome(rolled_back=min(back))
    promoted = [each.promoted for each in outcomes if each.promoted is not None]
    return Outcome(promoted=max(promoted)) if len(promoted) == len(outcomes) else Outcome()
