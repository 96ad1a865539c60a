"""A runner that leaves before its run is over: nothing is due, and the plan lets it go."""

from __future__ import annotations

from dataclasses import dataclass, field

from rollout.domain.decisions import Act, Ask, Decision, On, Question, Rest, Wait
from rollout.domain.endpoint import Seen, SetSplit
from rollout.domain.events import LeaveBegan, Left, Measured
from rollout.domain.leaving import leaves, left, stays
from rollout.domain.plan import Guard, Shift
from rollout.domain.run import Run, Split, Step
from rollout.runtime.meter import Meter

_TIMED = (On.TIMER, On.WINDOW)  # what comes at its time, and no sooner


@dataclass(slots=True)
class Patience:
    """How long a runner waits for something that is due.

    Args:
        seconds: In all; None: for as long as there is anything to wait for.
        guard: What the plan lets a runner leave behind.
        waited: What it has waited so far, seconds.
        unanswered: The world was asked last and did not answer: to ask again is to wait.
    """

    seconds: float | None = None
    guard: Guard = field(default_factory=Guard)
    waited: float = field(default=0.0, init=False)
    unanswered: bool = field(default=False, init=False)
    _told: bool = field(default=False, init=False)

    def parting(
        self, run: Run, seen: Seen | None, decision: Decision, now: float, meter: Meter, pace: float
    ) -> Measured | LeaveBegan | Left | None:
        """What to append on the way out; None: there is something to do, or to wait for, here.

        Args:
            run: The run.
            seen: The endpoint; None: it cannot be read.
            decision: What is due.
            now: Unix seconds.
            meter: Has what was read and is not in the journal.
            pace: Seconds between two readings of measurements that are worth their cost.
        """
        if self.seconds is None:
            return None
        if run.ceiling is not None:
            return left(run, seen, now, pace) if isinstance(decision, Rest) else None
        if not self._spent(run, decision, now, meter):
            return None
        going = leaves(run, seen, self.guard, now, pace)
        if going is None or decision != Ask(Question.MEASURE):
            return going
        mirrored = seen is not None and only_mirrored(run, seen)
        return meter.settle(run, mirrored=mirrored) or going

    def staying(self, run: Run, seen: Seen | None) -> str | None:
        """Why a runner that could leave stays; said once."""
        spent = self.seconds is not None and self.waited >= self.seconds
        text = stays(run, seen, self.guard) if spent and not self._told else None
        self._told = self._told or text is not None
        return text

    def count(self, decision: Decision, seconds: float) -> None:
        """Take note of a step that took so long; only waiting counts."""
        asks = isinstance(decision, Ask) and self.unanswered
        if asks or isinstance(decision, Wait) or decision == Ask(Question.MEASURE):
            self.waited += seconds

    def _spent(self, run: Run, decision: Decision, now: float, meter: Meter) -> bool:
        """Whether there is nothing to do, and nothing worth the time that is left to wait."""
        remaining = (self.seconds or 0.0) - self.waited
        match decision:
            case Rest():
                return True
            case Wait(on, until):
                beyond = on in _TIMED and until is not None and until > now + remaining
                return remaining <= 0 or beyond
            case Ask(Question.MEASURE):
                return remaining <= 0 and meter.read_all(run)
            case Ask():
                return remaining <= 0 and self.unanswered
            case Act(SetSplit(traffic, mirror)):
                # To restore a share only to lower it again helps nobody; a stage's own is due.
                own = run.step is Step.ENTERING and run.stage and isinstance(run.stage.work, Shift)
                return remaining <= 0 and not own and run.restores == Split(traffic, mirror)
            case _:
                return False


def only_mirrored(run: Run, seen: Seen) -> bool:
    """Whether the candidate shows itself in mirrored copies only; by hand it may be otherwise."""
    return bool(seen.mirror.get(run.candidate)) and not seen.traffic.get(run.candidate)
