"""What can be decided, and the few answers that several rules share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from rollout.domain.endpoint import Condition, DeploymentSeen, Effect, SetSplit
from rollout.domain.events import Ended, Event, Held, RollbackBegan
from rollout.domain.run import Cause, Run, Split, Why

ATTEMPTS = 6  # times that an effect is begun in a row before it counts as poisoned
CRASHES = 20  # runners that may die in a row without getting on
WHOLE = 100  # percent
MOVING = (Condition.CREATING, Condition.UPDATING, Condition.DELETING)


class On(Enum):
    """On whom or what a run waits."""

    PROVISIONING = "provisioning"
    BACKOFF = "retry"
    TIMER = "timer"
    APPROVAL = "approval"
    WINDOW = "window"
    SAMPLES = "samples"
    ANSWER = "answer"
    PERSON = "person"
    LATE_CALL = "late_call"


class Question(Enum):
    """What only the world can answer; the answer becomes an event."""

    PREFLIGHT = "preflight"
    SMOKE = "smoke"
    OBSERVE = "observe"
    MEASURE = "measure"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class Act:
    """Write the intent, then begin this effect."""

    effect: Effect


@dataclass(frozen=True, slots=True)
class Ask:
    """Find the answer and append it."""

    question: Question


@dataclass(frozen=True, slots=True)
class Record:
    """Append this event; it follows from what is known."""

    event: Event


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again a little later, at ``until`` (Unix seconds) at the latest."""

    on: On
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing is due for a runner: the run is final, or only a person can move it."""


Decision = Act | Ask | Record | Wait | Rest


def backoff(attempts: int) -> float:
    """Seconds between one attempt and the next.

    >>> [backoff(n) for n in (1, 2, 6)]
    [1.0, 2.0, 30.0]
    """
    return min(2.0 ** (attempts - 1), 30.0)


def stop(run: Run, cause: Cause) -> Decision:
    """Answer trouble: roll back where something can be restored, else end or hold."""
    if run.captured is None:
        held = (Why.BOOTSTRAP_FAILED, Why.ATTEMPTS, Why.EFFECT_REFUSED, Why.TIMEOUT, Why.POISON)
        return Record(Held(cause) if cause.why in held else Ended(cause))
    if run.committed or (run.on_failure.action == "hold" and cause.why is not Why.DEADLINE):
        return Record(Held(cause))
    return Record(RollbackBegan(cause))


def attempt(run: Run, effect: Effect, now: float, trouble: str = "") -> Decision:
    """Begin this effect, again when its pause is over; too often in a row is trouble.

    Args:
        run: The run.
        effect: What is due.
        now: Unix seconds.
        trouble: What the provider says of the attempt before.
    """
    if run.intent != effect:
        return Act(effect)
    if now < run.intended + backoff(run.attempts):
        return Wait(On.BACKOFF, run.intended + backoff(run.attempts))
    if run.attempts >= ATTEMPTS:
        text = f"{_spell(effect)} was tried {run.attempts} times and does not read back."
        text = f"{text} {trouble or run.failure}".rstrip()
        return stop(run, Cause(Why.ATTEMPTS, text))
    return Act(effect)


def _spell(effect: Effect) -> str:
    return type(effect).__name__


def failed(run: Run, name: str, found: DeploymentSeen) -> Decision | None:
    """A failed candidate is rolled back; no rollback helps a failed baseline."""
    if found.condition is not Condition.FAILED:
        return None
    reason = found.error or "no reason given"
    if name == run.baseline:
        cause = Cause(Why.BASELINE_FAILED, f"{name}, the baseline, failed: {reason}")
        return Record(Held(cause))
    return stop(run, Cause(Why.CANDIDATE_FAILED, f"{name} failed: {reason}"))


def whole(found: DeploymentSeen) -> bool:
    """Whether all instances that it should have are ready."""
    return found.condition is Condition.READY and found.ready >= found.instances


def goal(effect: SetSplit) -> Split:
    """The split that reads back when this effect has worked."""
    return Split(effect.traffic, effect.mirror)
