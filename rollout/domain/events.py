"""What happened to a run, in the past tense; the journal is a list of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rollout.domain.answers import Example
from rollout.domain.endpoint import Effect
from rollout.domain.measure import Interval
from rollout.domain.run import Cause, Run, Split
from rollout.domain.verdict import Judgement


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run began; ``source`` is the plan's canonical JSON, ``file`` where it was read."""

    run: Run
    source: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class OwnerTook:
    """A runner took the endpoint over; from here on only its ``epoch`` may append.

    Args:
        epoch: The fencing epoch, one more than the one before.
        owner: Who it is, for people.
        crashed: The owner before did not leave in good order.
        contested: The owner before may still live.
        call: What it had begun then, and may still land; None: nothing, or the run's own intent.
        unlocked: A person, the ``owner``, took it away for whoever comes next, and drives nothing.
    """

    epoch: int
    owner: str
    crashed: bool = False
    contested: bool = False
    call: Effect | None = None
    unlocked: bool = False


@dataclass(frozen=True, slots=True)
class SplitCaptured:
    """The split that a rollback would restore was read."""

    split: Split


@dataclass(frozen=True, slots=True)
class Intended:
    """An effect is about to be begun. ``found`` is the split just before."""

    effect: Effect
    found: Split


@dataclass(frozen=True, slots=True)
class EffectFailed:
    """The endpoint refused an effect or could not be reached."""

    effect: Effect
    error: str
    refused: bool


@dataclass(frozen=True, slots=True)
class SetPointReached:
    """What the present stage wants was read back from the endpoint."""

    stage: str
    split: Split


@dataclass(frozen=True, slots=True)
class PreflightChecked:
    """The pre-checks were made; ``text`` has a line each, ``name: what was found``."""

    ok: bool
    text: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SmokeTested:
    """Requests were sent to one deployment."""

    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class ObservationBegan:
    """From ``cursor`` on, measurements belong to the present stage."""

    cursor: str
    evidence: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """Closed intervals, the evidence with them, and what the gate says now; all in one append.

    Args:
        requests, errors: Live answers of the candidate in these intervals.
        source_errors: What the judgement was told of a source that does not answer.
        lagging: What was measured while nobody was here has not all been read yet.
    """

    intervals: tuple[Interval, ...]
    cursor: str
    evidence: Mapping[str, object]
    judgement: Judgement
    requests: int = 0
    errors: int = 0
    source_errors: int = 0
    lagging: bool = False


@dataclass(frozen=True, slots=True)
class ExposureCounted:
    """Live answers of the candidate that no measurement has, counted when the split was back.

    Args:
        cursor: From where on answers are still not counted; None: all of them are.
    """

    requests: int
    errors: int
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class AnswersDiffered:
    """Answers of both deployments to the same requests differed in ways not seen before."""

    stage: str
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class StagePassed:
    """The present stage is done."""

    stage: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """The run stops where it is, until a person orders something."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class RollbackBegan:
    """The captured split is being restored."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class RollbackProbed:
    """The restored split was tested by traffic."""

    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class RollbackUnverified:
    """The captured split could not be shown to be back in time; a person must look."""

    text: str


@dataclass(frozen=True, slots=True)
class LogsCollected:
    """The candidate's own last words, kept with the run."""

    deployment: str
    text: str


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The captured split is back, and verified; ``gone``: without a candidate beside it."""

    text: str = ""
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """The run ended without a rollback: completed, refused, or aborted before any change."""

    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class LooseCallFound:
    """A call that an earlier runner had begun may have been sent late, or may still be."""

    effect: Effect


@dataclass(frozen=True, slots=True)
class LateCallLanded:
    """What an earlier runner had begun is in place, and not wanted; ``split``: as it was found."""

    effect: Effect
    split: Split


@dataclass(frozen=True, slots=True)
class Audited:
    """The endpoint of a run that is over was looked at for late calls, and put right.

    Args:
        ok: Nothing of them is left.
        text: What was found, or why it could not be put right.
        exposed: What is left has to do with the split.
    """

    ok: bool
    text: str = ""
    exposed: bool = False


@dataclass(frozen=True, slots=True)
class LeaveBegan:
    """A runner is about to leave; meanwhile the candidate keeps at most ``share`` percent live."""

    share: int


@dataclass(frozen=True, slots=True)
class ShareLowered:
    """The split with which the run is left alone was read back."""

    split: Split


@dataclass(frozen=True, slots=True)
class ShareRestored:
    """A runner is here again, and the split from before the last one left was read back."""

    split: Split


@dataclass(frozen=True, slots=True)
class Unwatched:
    """Of the time from ``start`` to ``end`` (Unix seconds) ``what`` is not known and never will be."""

    start: float
    end: float
    what: str


@dataclass(frozen=True, slots=True)
class Left:
    """A runner left in good order; nothing is due before ``next_check`` (Unix seconds).

    Args:
        next_check: When the next one should look.
        on: What the run waits for, a word of ``rollout.domain.decisions.On``; empty: the runner was
            interrupted.
    """

    next_check: float
    on: str


@dataclass(frozen=True, slots=True)
class Pruned:
    """A person had the oldest runs of this stream forgotten.

    Args:
        below: What is left begins with this place in the stream.
        digest: What the entry there names as the one before it.
    """

    below: int
    digest: str


@dataclass(frozen=True, slots=True)
class Approved:
    """A person approved a stage of the plan with this digest."""

    stage: str
    digest: str
    by: str
    at: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A person said no."""

    by: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class PauseOrdered:
    """A person stops the run where it is; its guard goes on."""

    by: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class ResumeOrdered:
    """A person lets a paused or held run go on; ``adopt``: with the split as it is now."""

    by: str
    adopt: bool = False
    message: str = ""
    reads: bool = False


@dataclass(frozen=True, slots=True)
class AbortOrdered:
    """A person ends the run; with ``keep_traffic`` the split stays as it is."""

    by: str
    keep_traffic: bool = False
    message: str = ""


@dataclass(frozen=True, slots=True)
class Superseded:
    """A person puts an edited plan in this run's place.

    Args:
        by: Who.
        identity: Of the work that takes its place.
        message: Why.
        keep_traffic: The split stays for the next run; else it goes back first, for the next run
            has another candidate.
    """

    by: str
    identity: str
    message: str = ""
    keep_traffic: bool = True


@dataclass(frozen=True, slots=True)
class RetryOrdered:
    """A held run tries its stage again; ``reads``: what is unread is judged first (once it was not)."""

    by: str
    message: str = ""
    reads: bool = False


Order = (
    Approved | Rejected | PauseOrdered | ResumeOrdered | AbortOrdered | RetryOrdered | Superseded
)
Event = (
    RunStarted
    | OwnerTook
    | SplitCaptured
    | Intended
    | EffectFailed
    | SetPointReached
    | PreflightChecked
    | SmokeTested
    | ObservationBegan
    | Measured
    | ExposureCounted
    | AnswersDiffered
    | StagePassed
    | Held
    | RollbackBegan
    | RollbackProbed
    | RollbackUnverified
    | LogsCollected
    | RolledBack
    | Ended
    | LooseCallFound
    | LateCallLanded
    | Audited
    | LeaveBegan
    | ShareLowered
    | ShareRestored
    | Unwatched
    | Left
    | Pruned
    | Order
)
