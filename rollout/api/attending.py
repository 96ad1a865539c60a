"""How long a runner stays with a run, and what it does when it is interrupted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollout.domain.errors import UsageError
from rollout.domain.events import AbortOrdered
from rollout.domain.run import OPEN, Phase, Run

HOLD, ROLLBACK = ON_INTERRUPT = ("hold", "rollback")


@dataclass(frozen=True, slots=True)
class Stay:
    """How long a runner stays, and what it does when it is interrupted.

    Args:
        max_wait: Seconds that it waits in all for something that is due, before it leaves; None:
            it stays for as long as there is anything to wait for.
        on_interrupt: ``hold``: it leaves the run as it is. ``rollback``: it aborts the run, and
            leaves once the captured split is back and verified.

    Raises:
        UsageError: there is no such word, or it should wait for less than no time.
    """

    max_wait: float | None = None
    on_interrupt: str = HOLD

    def __post_init__(self) -> None:
        if self.on_interrupt not in ON_INTERRUPT:
            raise UsageError(
                f"on_interrupt is {self.on_interrupt!r}.", do=f"Say {' or '.join(ON_INTERRUPT)}."
            )
        if self.max_wait is not None and self.max_wait < 0:
            raise UsageError(f"max_wait is {self.max_wait}.", do="Give seconds, 0 or more.")


FOR_GOOD = Stay()


@dataclass(frozen=True, slots=True)
class Going:
    """When a runner leaves before nothing is due any more, and what it orders then.

    Args:
        stopping: Whether somebody wants this process to leave.
        stay: What that means.
        held: A held run is left at once, whoever its candidate serves.
        at_once: Whether somebody wants it so much that ``stay`` is no matter.
    """

    stopping: Callable[[], bool]
    stay: Stay = FOR_GOOD
    held: bool = False
    at_once: Callable[[], bool] = lambda: False

    def leaves(self, run: Run) -> bool:
        """Whether to leave the run as it stands."""
        if self.at_once() or (self.held and run.phase is Phase.HELD):
            return True
        sees_through = self.stay.on_interrupt == ROLLBACK and not run.committed
        return self.stopping() and not sees_through

    def ordering(self, who: str) -> Callable[[Run], AbortOrdered | None]:
        """Says of a run what an interrupted runner orders, signed by ``who``; None: nothing."""
        order = AbortOrdered(who, message="Its runner was interrupted.")

        def ordered(run: Run) -> AbortOrdered | None:
            able = run.phase in OPEN and not run.committed
            rolls = self.stay.on_interrupt == ROLLBACK and able and self.stopping()
            return order if rolls and not self.at_once() else None

        return ordered
