"""One run of a plan on an endpoint: the whole state, as a value that makes a new value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from rollout.domain.endpoint import DeleteDeployment, Effect, Seen
from rollout.domain.plan import OnFailure, Stage, Window
from rollout.domain.roles import BASELINE
from rollout.domain.verdict import Judgement


class Phase(Enum):
    """Where a run stands. The last five are final."""

    RUNNING = "running"
    PAUSED = "paused"
    HELD = "held"
    ROLLING_BACK = "rolling_back"
    UNVERIFIED = "rollback_unverified"
    COMPLETED = "completed"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    UNDONE = "undone"
    REFUSED = "refused"


OPEN = (Phase.RUNNING, Phase.PAUSED, Phase.HELD)
FINAL = frozenset({Phase.COMPLETED, Phase.ROLLED_BACK, Phase.ABORTED, Phase.UNDONE, Phase.REFUSED})


class Step(Enum):
    """Where a stage stands: its set-point is being written, or it holds and is observed."""

    ENTERING = "entering"
    OBSERVING = "observing"


class Why(Enum):
    """Why a run is held, rolls back or ended."""

    GATE_FAILED = "gate_failed"
    INCONCLUSIVE = "inconclusive"
    SOURCE = "no_measurements"
    SMOKE_FAILED = "smoke_failed"
    CREATE_FAILED = "create_failed"
    CANDIDATE_FAILED = "candidate_failed"
    BASELINE_FAILED = "baseline_failed"
    BASELINE_GONE = "baseline_gone"
    BOOTSTRAP_FAILED = "bootstrap_failed"
    PREFLIGHT_FAILED = "preflight_failed"
    TIMEOUT = "timeout"
    ATTEMPTS = "too_many_attempts"
    EFFECT_REFUSED = "effect_refused"
    DRIFT = "drift"
    DEADLINE = "deadline"
    EXPIRED = "approval_expired"
    POISON = "runners_keep_dying"
    SUPERSEDED = "superseded"
    ABORTED = "aborted"
    REJECTED = "rejected"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason with its sentence; ``drift``: what a person changed by hand, where that is it."""

    why: Why
    text: str
    drift: Drift | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Live percents and mirrored percents by deployment; zeros left out."""

    traffic: Mapping[str, int] = field(default_factory=dict)
    mirror: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, seen: Seen) -> Split:
        """The split of an endpoint as seen."""
        return cls(dict(seen.traffic), dict(seen.mirror))

    def __str__(self) -> str:
        live = " ".join(f"{name} {share}" for name, share in sorted(self.traffic.items()))
        copy = " ".join(f"{name} {share}" for name, share in sorted(self.mirror.items()))
        return f"{live or 'nobody'}" + (f", mirror {copy}" if copy else "")


@dataclass(frozen=True, slots=True)
class Drift:
    """How an endpoint differs from what a run left behind.

    Args:
        expected, found: The split as it was left and as it is; None: the same.
        missing: Deployments that are gone.
        changed: Deployments that are there with another specification.
    """

    expected: Split | None = None
    found: Split | None = None
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def lost(self) -> tuple[str, ...]:
        """Deployments that are not as they were: a split can be adopted, these cannot."""
        return (*self.missing, *self.changed)


@dataclass(frozen=True, slots=True)
class StageDone:
    """A stage behind us: how it ended, when, and a sentence."""

    id: str
    began: float
    ended: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's yes to one stage."""

    stage: str
    by: str
    at: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class Exposure:
    """Live requests that the candidate answered in this run, and how many of them badly."""

    requests: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt to take a candidate through every stage of a plan.

    Args:
        id: ``r-`` and hexadecimal digits.
        plan, endpoint: Names for people.
        file: The plan's file, as its author named it.
        labels: The plan's labels.
        identity: SHA-256 over plan, candidate's inputs and endpoint: same identity, same work.
        digest: SHA-256 of the plan after substitution; approvals are bound to it.
        baseline, candidate: Deployment names.
        baseline_digest, candidate_digest: SHA-256 over specification and inputs; empty: no file.
        stages: What is to be done, in order.
        on_inconclusive: Gate name -> ``hold`` or ``rollback``.
        author: Who started it.
        started, ended: Unix seconds.
        deadline: Absolute Unix seconds after which it is rolled back; None: never.
        at, step: The present stage and where it stands.
        since: When the present step began (a rollback: its first effort), Unix seconds.
        captured: The split when the run began; what a rollback restores. None: not yet known.
        expected: The split as last read back after a write of ours. None: take the next one seen.
        intent, intended: The effect begun last and when; None once it was read back.
        attempts: How often the intent was begun in a row, in the present step.
        created: Whether this run put the candidate there (so that its absence is drift).
        deleted: Whether this run deleted the baseline: no rollback any more.
        cause: Why it is held, rolls back or ended.
        trouble: What just went wrong and is not yet answered by a rollback or a hold.
        failure: Why the provider did not carry out what is intended, when it was tried last.
        adopt: The next split seen is taken as it is, by a person's order.
        cursor: Up to where measurements are in ``evidence``; None: not observing.
        evidence, judgement: The gates' state and last word.
        checked: For a rollback: the split was verified by traffic since it was written last.
        tried: When the last verification failed, Unix seconds.
        crashes: Owners that died or fell silent since the run last got on.
        loose: Effects that owners who may still live had begun when they were taken over.
        landed: Those of them that were found in place, unwanted, and are being undone.
        leftover: What late calls left of a run that is over, and could not be put right.
        gone: A rollback ended without a candidate beside the captured split.
        ceiling: The candidate's live percent while nobody guards; None: a runner is here.
        next_check: When the next runner should look, Unix seconds; None: now, or one is here.
        waits: What it waited for when the last runner left; empty: it did not leave waiting.
        supersedes: The run whose place this one took by a person's order; empty: none.
        undoes: Identities of what this run took back by a person's order; empty: nothing.
        first: Where in its journal the run begins; -1: not known.
        windows: When which kinds of stages may begin; empty: always.
        values: What was given for the plan's variables, for commands that go on with it.
        restores: The split before a runner that left lowered the candidate's share; None: as it was.
        steady: Since when the split is again as it was before that, Unix seconds.
        unread: What was measured while nobody was here is not all in ``evidence``.
        misses: Runners in a row that left without having read a single measurement.
        uncounted: From which cursor on live answers are not in ``exposure`` although the run goes
            back; empty: it had none. None: all of them are.
        collected: The candidate's logs were kept since the run began to go back.
        sought: Since when a call is looked for that was sent after the end, Unix seconds; 0: none.
    """

    id: str
    plan: str
    endpoint: str
    identity: str
    digest: str
    baseline: str
    candidate: str
    baseline_digest: str
    candidate_digest: str
    stages: tuple[Stage, ...]
    on_failure: OnFailure
    on_inconclusive: Mapping[str, str]
    author: str
    started: float
    since: float
    deadline: float | None = None
    ended: float | None = None
    phase: Phase = Phase.RUNNING
    at: int = 0
    step: Step = Step.ENTERING
    captured: Split | None = None
    expected: Split | None = None
    intent: Effect | None = None
    intended: float = 0.0
    attempts: int = 0
    created: bool = False
    cause: Cause | None = None
    trouble: Cause | None = None
    failure: str = ""
    adopt: bool = False
    deleted: bool = False
    file: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    approvals: tuple[Approval, ...] = ()
    done: tuple[StageDone, ...] = ()
    cursor: str | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)
    judgement: Judgement | None = None
    exposure: Exposure = field(default_factory=Exposure)
    checked: bool = False
    tried: float = 0.0
    crashes: int = 0
    loose: tuple[Effect, ...] = ()
    landed: tuple[Effect, ...] = ()
    leftover: str = ""
    gone: bool = False
    ceiling: int | None = None
    next_check: float | None = None
    waits: str = ""
    supersedes: str = ""
    undoes: tuple[str, ...] = ()
    first: int = -1
    windows: tuple[Window, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    restores: Split | None = None
    steady: float = 0.0
    unread: bool = False
    misses: int = 0
    uncounted: str | None = None
    collected: bool = False
    sought: float = 0.0

    @property
    def final(self) -> bool:
        """Whether nothing more will happen."""
        return self.phase in FINAL

    @property
    def unaudited(self) -> bool:
        """Whether late calls may have changed the endpoint of a run that is over."""
        return self.final and bool(self.loose or self.landed)

    @property
    def stage(self) -> Stage | None:
        """The present stage; None behind the last one."""
        return self.stages[self.at] if self.at < len(self.stages) else None

    @property
    def began(self) -> float:
        """When the stage before ended, or the run started: what ``after`` counts from."""
        return self.done[-1].ended if self.done else self.started

    @property
    def committed(self) -> bool:
        """Whether the baseline is gone or on its way out: the point of no return is behind us."""
        return self.deleted or self.intent == DeleteDeployment(self.baseline)

    @property
    def share(self) -> int:
        """The candidate's live percent as last read back."""
        return self.expected.traffic.get(self.candidate, 0) if self.expected else 0

    @property
    def split(self) -> Split | None:
        """The split as last read back, for people: a rollback that is being verified has its own."""
        shown = self.checked or self.tried >= self.intended > 0.0
        if self.phase in (Phase.ROLLING_BACK, Phase.UNVERIFIED) and self.captured and shown:
            return Split(self.captured.traffic)
        return self.expected

    def name(self, role: str) -> str:
        """The deployment that plays ``baseline`` or ``candidate``."""
        return self.baseline if role == BASELINE else self.candidate
