"""The proof by exhaustion: the real ``decide`` and ``advance`` in a small model of the world.

The world is one run, one endpoint service that refuses what such a service refuses, one runner that
may die between any two steps, at most one late call of an earlier runner, and a budget of trouble:
changes by hand, failing calls and operations, take-overs, people's orders, deadlines. Every order
of these is explored, breadth first, so that a violation comes with its shortest story.

*Safety* is checked on every state, and on every decision against what the runner had just read.
*Liveness*: from every state, once trouble stops, every schedule ends, or rests on a person who was
told. Not modelled: statistics, durations (what waits, waits until it may go on), two endpoints,
two late calls. Where ``Grace.AUDIT`` is explored a late call lands whenever it likes, but for one
thing: the audit of a run that is over waits until it has.

``python -m tests.simulation.model`` prints the table for the design and for its mutants, with
``--large`` also for what is too large for each test run.
"""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import NamedTuple

from rollout.domain import (
    advance as advancing,
    decide as deciding,
    decisions,
    events as e,
    leaving,
    windows,
)
from rollout.domain.decisions import Act, Ask, Decision, On, Question, Record, Rest, Wait
from rollout.domain.endpoint import (
    Condition,
    CreateEndpoint,
    DeleteDeployment,
    DeploymentSeen,
    Effect,
    PutDeployment,
    ScaleDeployment,
    Seen,
    SetSplit,
)
from rollout.domain.plan import (
    Approve,
    Bootstrap,
    Create,
    Delete,
    Guard,
    Mirror,
    OnFailure,
    Preflight,
    Scale,
    Shift,
    Smoke,
    Stage,
    Window,
)
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.run import FINAL, Phase, Run, Split, Step, Why
from rollout.domain.verdict import Judgement, Verdict

# --- the endpoint service -------------------------------------------------------------

MOVING = (Condition.CREATING, Condition.UPDATING, Condition.DELETING)
SERVING = (Condition.READY, Condition.UPDATING, Condition.FAILED)  # a live one may fail by itself
NAMES = ("blue", "green")
Shares = tuple[int, int]  # of blue and green
NOBODY: Shares = (0, 0)
MINE = "r-1"


class Deployment(NamedTuple):
    """A deployment as the service has it."""

    condition: Condition
    instances: int = 1
    run: str | None = None
    digest: str = ""


class Service(NamedTuple):
    """The endpoint. ``endpoint``: absent, creating or there; ``landing``: a split on its way."""

    endpoint: str = "there"
    blue: Deployment | None = None
    green: Deployment | None = None
    traffic: Shares = NOBODY
    mirror: Shares = NOBODY
    landing: tuple[Shares, Shares] | None = None

    def named(self, name: str) -> Deployment | None:
        return self.blue if name == "blue" else self.green

    def put(self, name: str, found: Deployment | None) -> Service:
        return self._replace(blue=found) if name == "blue" else self._replace(green=found)


class Reply(Enum):
    """What a caller hears at once; that it worked is only to be read back."""

    TAKEN = "taken"
    REFUSED = "refused"
    AWAY = "away"


def seen_of(service: Service) -> Seen:
    """What ``observe`` answers."""
    return Seen(
        exists=service.endpoint != "absent",
        busy=service.endpoint == "creating" or service.landing is not None,
        deployments={
            name: DeploymentSeen(
                condition=found.condition,
                instances=found.instances,
                ready=found.instances if found.condition is Condition.READY else 0,
                run=found.run,
                digest=found.digest or None,
            )
            for name in NAMES
            if (found := service.named(name)) is not None
        },
        traffic=_named(service.traffic),
        mirror=_named(service.mirror),
    )


def _named(shares: Shares) -> dict[str, int]:
    return {name: share for name, share in zip(NAMES, shares, strict=True) if share}


def _shares(named: Mapping[str, int]) -> Shares:
    return named.get("blue", 0), named.get("green", 0)


def perform(service: Service, effect: Effect) -> tuple[Reply, Service]:
    """A call reaches the service."""
    match effect:
        case CreateEndpoint():
            if service.endpoint == "absent":
                return Reply.TAKEN, service._replace(endpoint="creating")
            return Reply.TAKEN, service
        case SetSplit(traffic, mirror):
            return _set_split(service, _shares(traffic), _shares(mirror))
        case PutDeployment(role, name):
            return _put(service, name, f"{role}-spec")
        case ScaleDeployment(name, instances):
            return _scale(service, name, instances)
        case DeleteDeployment(name):
            return _delete(service, name)


def _set_split(service: Service, traffic: Shares, mirror: Shares) -> tuple[Reply, Service]:
    if service.endpoint != "there" or service.landing is not None:
        return Reply.AWAY, service
    used = {name for name in NAMES if _named(traffic).get(name) or _named(mirror).get(name)}
    found = [service.named(name) for name in sorted(used)]
    if any(each is not None and each.condition is Condition.UPDATING for each in found):
        return Reply.AWAY, service
    ready = all(each is not None and each.condition is Condition.READY for each in found)
    both = any(live and copied for live, copied in zip(traffic, mirror, strict=True))
    whole = sum(traffic) == 100 or (sum(traffic) == 0 and not any(mirror))
    if not ready or both or not whole:
        return Reply.REFUSED, service
    if (traffic, mirror) == (service.traffic, service.mirror):
        return Reply.TAKEN, service
    return Reply.TAKEN, service._replace(landing=(traffic, mirror))


def _put(service: Service, name: str, digest: str) -> tuple[Reply, Service]:
    found = service.named(name)
    if service.endpoint != "there":
        return Reply.REFUSED, service
    if found is not None and found.condition in MOVING:
        return Reply.AWAY, service
    condition = Condition.CREATING if found is None else Condition.UPDATING
    return Reply.TAKEN, service.put(name, Deployment(condition, 1, MINE, digest))


def _scale(service: Service, name: str, instances: int) -> tuple[Reply, Service]:
    found = service.named(name)
    if found is None:
        return Reply.REFUSED, service
    if found.condition in MOVING:
        return Reply.AWAY, service
    moved = found._replace(condition=Condition.UPDATING, instances=instances)
    return Reply.TAKEN, service.put(name, moved)


def _delete(service: Service, name: str) -> tuple[Reply, Service]:
    found, at = service.named(name), NAMES.index(name)
    if found is None or found.condition is Condition.DELETING:
        return Reply.TAKEN, service
    landing = service.landing or (NOBODY, NOBODY)
    if service.traffic[at] or service.mirror[at] or landing[0][at] or landing[1][at]:
        return Reply.REFUSED, service
    if found.condition in MOVING:
        return Reply.REFUSED, service
    return Reply.TAKEN, service.put(name, found._replace(condition=Condition.DELETING))


def completions(service: Service) -> list[tuple[str, Service]]:
    """Long operations that end well."""
    ends = []
    if service.endpoint == "creating":
        ends.append(("endpoint is there", service._replace(endpoint="there")))
    if service.landing is not None:
        traffic, mirror = service.landing
        landed = service._replace(traffic=traffic, mirror=mirror, landing=None)
        ends.append(("split lands", landed))
    for name in NAMES:
        found = service.named(name)
        if found is None or found.condition not in MOVING:
            continue
        gone = found.condition is Condition.DELETING
        end = None if gone else found._replace(condition=Condition.READY)
        ends.append((f"{name} is {'gone' if gone else 'ready'}", service.put(name, end)))
    return ends


def failures(service: Service) -> list[tuple[str, Service]]:
    """Long operations that fail, and deployments that die by themselves."""
    ends = []
    if service.endpoint == "creating":
        ends.append(("endpoint creation fails", service._replace(endpoint="absent")))
    if service.landing is not None:
        ends.append(("split operation fails", service._replace(landing=None)))
    for name in NAMES:
        found = service.named(name)
        if found is not None and found.condition is not Condition.FAILED:
            failed = found._replace(condition=Condition.FAILED)
            ends.append((f"{name} fails ({found.condition.value})", service.put(name, failed)))
    return ends


def by_hand(service: Service) -> list[tuple[str, Service]]:
    """What a person may do to an endpoint that is not busy."""
    if service.endpoint != "there" or service.landing is not None:
        return []
    blue, green = service.blue, service.green
    blue_ready = blue is not None and blue.condition is Condition.READY
    green_ready = green is not None and green.condition is Condition.READY
    changes = []
    if blue_ready:
        changes.append(("all on blue", service._replace(traffic=(100, 0), mirror=NOBODY)))
    if blue_ready and green_ready:
        changes.append(("50/50", service._replace(traffic=(50, 50), mirror=NOBODY)))
    if green_ready and service.traffic == (100, 0):
        changes.append(("mirror 20", service._replace(mirror=(0, 20))))
    for at, name in enumerate(NAMES):
        found = service.named(name)
        if found is None or found.condition in MOVING:
            continue
        if not service.traffic[at] and not service.mirror[at]:
            changes.append((f"delete {name}", service.put(name, None)))
        if name == "green" and green_ready:
            touched = found._replace(condition=Condition.UPDATING)
            swapped = touched._replace(run=None, digest="another")
            changes.append((f"restart {name}", service.put(name, touched)))
            changes.append((f"update {name}", service.put(name, swapped)))
    return [(f"hand: {label}", after) for label, after in changes if after != service]


# --- what is explored -----------------------------------------------------------------

APPENDED_AT = 1.0  # the time of every event; durations are over or not by choice of `now`
NOW = 1e6  # every backoff is over
DEADLINE, LATE = 1e7, 2e7  # the plan's deadline; a moment behind it
NEVER = 1 << 30  # more runners than can die
SHUT = NOW - 1  # a moment at which no window is open
LIMIT, OVERDUE = 1e8, 2e8  # stage timeouts, approvals, verify_within; a moment behind them

STAGES = (
    Stage("bootstrap", Bootstrap(), timeout=LIMIT),
    Stage("preflight", Preflight(), timeout=LIMIT),
    Stage("scale-blue", Scale(BASELINE, 2), timeout=LIMIT),
    Stage("create", Create(CANDIDATE), timeout=LIMIT),
    Stage("smoke", Smoke(CANDIDATE), timeout=LIMIT),
    Stage("mirror-10", Mirror(10), gate="shadow", timeout=LIMIT),
    Stage("shift-10", Shift(10), gate="canary", timeout=LIMIT),
    Stage("approve", Approve(by=("ada",), expires=LIMIT, author=True), timeout=LIMIT),
    Stage("shift-100", Shift(100), gate="bake", timeout=LIMIT),
    Stage("delete-blue", Delete(BASELINE), timeout=LIMIT),
)
BLUE = Deployment(Condition.READY, 1, None, "by hand")
OLD_GREEN = Deployment(Condition.READY, 1, "r-0", "older-spec")


def begun(
    stages: Sequence[Stage] = STAGES,
    on_failure: OnFailure | None = None,
    windows: tuple[Window, ...] = (),
) -> Run:
    """A run that was just started."""
    return Run(
        id=MINE,
        plan="plan",
        endpoint="endpoint",
        identity="identity",
        digest="digest",
        baseline="blue",
        candidate="green",
        baseline_digest="baseline-spec",
        candidate_digest="candidate-spec",
        stages=tuple(stages),
        on_failure=replace(on_failure or OnFailure(), verify_within=LIMIT),
        on_inconclusive={"canary": "rollback"},
        author="eve",
        windows=windows,
        started=0.0,
        since=0.0,
        deadline=DEADLINE,
    )


class Budget(NamedTuple):
    """How much trouble there may be; ``resumes`` are orders that let a run go on."""

    hands: int = 1
    faults: int = 1
    takeovers: int = 1
    orders: int = 1
    resumes: int = 1
    times: int = 1


NO_TROUBLE = Budget(0, 0, 0, 0, 0, 0)


class Grace(Enum):
    """What a new owner leaves until the old one's last call must have landed."""

    FOR_ALL = "everything"
    FOR_EFFECTS = "effects"
    NONE = "nothing"
    AUDIT = "nothing, but it is known that there may be a call, and looked for"


@dataclass(frozen=True, slots=True)
class Setup:
    """Where an exploration begins."""

    service: Service
    run: Run = field(default_factory=begun)
    budget: Budget = field(default_factory=Budget)
    attempts: int = 2  # stands for decisions.ATTEMPTS, so that the limit is within reach
    grace: Grace = Grace.FOR_ALL
    unattended: int | None = None  # runners leave, and leave the candidate at most this share
    crashes: int | None = None  # stands for decisions.CRASHES; None: deaths are not counted
    stopping: tuple[e.Order, ...] | None = None  # what ``budget.orders`` is spent on; None: all


# Marks: what an onlooker remembers besides the run and the endpoint.
BY_HAND, ADOPTED, PROBED, GIVEN_UP, OVER = 1, 2, 4, 8, 16


class World(NamedTuple):
    """One state, all small numbers: indices of run, service and runner, the late call, marks.

    ``proof`` has bit n when stage n has earned what its end needs: a gate's pass, an approval ...
    """

    run: int
    service: int
    runner: int
    late_call: int
    budget: Budget
    marks: int
    proof: int


class Pending(NamedTuple):
    """What a runner is about to do: append an event, or make a call it has announced."""

    event: e.Event | None
    call: Effect | None
    proves: bool = False


IDLE = 0  # index of "nothing pending" and of "no late call"
AWAY = 1  # index of "no runner is here"


class Choice(NamedTuple):
    """A decision of the real ``decide`` with one of the world's possible answers to it."""

    label: str
    pending: int
    wrong: str | None = None
    trouble: bool = False


def frozen(value: object) -> Hashable:
    """A hashable stand-in for an effect, a split or an event."""
    match value:
        case SetSplit(traffic, mirror) | Split(traffic, mirror):
            return type(value).__name__, _shares(traffic), _shares(mirror)
        case None:
            return None
        case _:
            return repr(value)


def key_of(run: Run, attempts: int) -> Hashable:
    """All of a run that ``decide`` and ``advance`` still look at in its phase.

    Sentences and times are left out. A run on its way back never goes forward again, and one that
    is held enters its stage anew.
    """
    undoing = run.cause is not None and run.cause.why is Why.UNDO
    late = tuple(map(frozen, run.loose)), tuple(map(frozen, run.landed)), bool(run.leftover)
    always = run.phase, run.at, frozen(run.captured), undoing, late, run.gone
    effort = frozen(run.intent), min(run.attempts, attempts)
    standing = (
        frozen(run.expected),
        run.created,
        run.deleted,
        run.adopt,
        frozenset((each.stage, each.by) for each in run.approvals),
        (run.ceiling, frozen(run.restores), run.unread, run.crashes),
    )
    if run.phase in FINAL:
        return always if not run.unaudited else (*always, *effort, frozen(run.expected))
    if run.phase in BACK:
        return *always, *effort, run.checked, bool(run.tried)
    said = (run.judgement.gate, run.judgement.verdict) if run.judgement else None
    if run.phase is Phase.HELD:
        drifted = run.cause is not None and run.cause.why is Why.DRIFT  # `leaves` looks at it
        return *always, *standing, frozen(run.intent), run.cursor is None, said, drifted
    trouble = run.trouble.why if run.trouble else None
    return *always, *standing, *effort, run.step, trouble, run.cursor is None, said


class Numbers:
    """Equal values get the same number, so that states are compared as numbers."""

    def __init__(self) -> None:
        self.values: list[object] = []
        self._known: dict[Hashable, int] = {}

    def of(self, key: Hashable, value: object) -> int:
        number = self._known.setdefault(key, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number


ABORT = e.AbortOrdered("ada")
KEEP = e.AbortOrdered("ada", keep_traffic=True)
REJECT = e.Rejected("ada")
PAUSE = e.PauseOrdered("ada")
RESUME = e.ResumeOrdered("ada", reads=True)
ADOPT = e.ResumeOrdered("ada", adopt=True, reads=True)
RETRY = e.RetryOrdered("ada", reads=True)
APPROVE = e.Approved("approve", "digest", "ada", APPENDED_AT)
WRONG_PLAN = e.Approved("approve", "another", "ada", APPENDED_AT)
WRONG_PERSON = e.Approved("approve", "digest", "bob", APPENDED_AT)
AUTHOR = e.Approved("approve", "digest", "eve", APPENDED_AT)
SECOND = e.Approved("approve", "digest", "mia", APPENDED_AT)
SUPERSEDE = e.Superseded("ada", "another")
STOPPING: tuple[e.Order, ...] = (ABORT, KEEP, REJECT, PAUSE, SUPERSEDE)
GOING_ON: tuple[e.Order, ...] = (RESUME, ADOPT, RETRY)
APPROVING: tuple[e.Order, ...] = (APPROVE, SECOND, WRONG_PLAN, WRONG_PERSON, AUTHOR)
ORDERS = STOPPING + GOING_ON + APPROVING
OPEN = (Phase.RUNNING, Phase.PAUSED, Phase.HELD)
WATCHED = (Phase.PAUSED, Phase.HELD)  # a person was told; only a guard goes on
BACK = (Phase.ROLLING_BACK, Phase.UNVERIFIED)


class Explorer:
    """The transitions of the world, with everything that is pure remembered."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._runs, self._services, self._pendings = Numbers(), Numbers(), Numbers()
        self._pendings.of(IDLE, Pending(None, None))
        self._pendings.of("away", Pending(None, None))
        self._advanced: dict[tuple[int, int], int] = {}
        self._decisions: dict[tuple[int, int, float], Decision] = {}
        self._chosen: dict[tuple[int, int, float], tuple[Choice, ...]] = {}
        self._broken: dict[tuple[int, int], str | None] = {}
        self._facts: dict[int, Facts] = {}
        self._comes = self._append(e.OwnerTook(1, "ada"))
        self._after_a_death = self._append(e.OwnerTook(1, "ada", crashed=True))
        self._contested = self._append(e.OwnerTook(1, "ada", contested=True))
        self._orders_of = {id(each): self._append(each) for each in ORDERS}
        self._performed: dict[tuple[int, int], tuple[Reply, int]] = {}
        self._operations: dict[tuple[Callable[[Service], object], int], list[tuple[str, int]]] = {}

    # --- numbers and values ---

    def run(self, number: int) -> Run:
        value = self._runs.values[number]
        assert isinstance(value, Run)
        return value

    def service(self, number: int) -> Service:
        value = self._services.values[number]
        assert isinstance(value, Service)
        return value

    def pending(self, number: int) -> Pending:
        value = self._pendings.values[number]
        assert isinstance(value, Pending)
        return value

    def start(self) -> World:
        run = self._runs.of(key_of(self.setup.run, self.setup.attempts), self.setup.run)
        service = self._services.of(self.setup.service, self.setup.service)
        marks = BY_HAND if self.setup.service.traffic[1] else 0
        return World(run, service, IDLE, IDLE, self.setup.budget, marks, 0)

    def _append(self, event: e.Event, *, proves: bool = False) -> int:
        return self._pendings.of((frozen(event), proves), Pending(event, None, proves))

    def _call(self, effect: Effect) -> int:
        return self._pendings.of(("call", frozen(effect)), Pending(None, effect))

    def _folded(self, run: int, pending: int) -> int:
        known = self._advanced.get((run, pending))
        if known is None:
            event = self.pending(pending).event
            assert event is not None
            after = advancing.advance(self.run(run), event, APPENDED_AT)
            counted = min(after.crashes, self.setup.crashes or 0)
            known_attempts = min(after.attempts, self.setup.attempts)
            after = replace(after, attempts=known_attempts, crashes=counted)
            known = self._runs.of(key_of(after, self.setup.attempts), after)
            self._advanced[run, pending] = known
        return known

    def _reached(self, service: int, pending: int) -> tuple[Reply, int]:
        known = self._performed.get((service, pending))
        if known is None:
            effect = self.pending(pending).call
            assert effect is not None
            reply, after = perform(self.service(service), effect)
            known = reply, self._services.of(after, after)
            self._performed[service, pending] = known
        return known

    def _listed(
        self, moves: Callable[[Service], list[tuple[str, Service]]], service: int
    ) -> list[tuple[str, int]]:
        known = self._operations.get((moves, service))
        if known is None:
            found = moves(self.service(service))
            known = [(label, self._services.of(after, after)) for label, after in found]
            self._operations[moves, service] = known
        return known

    # --- deciding ---

    def choices(self, run: int, service: int, now: float) -> tuple[Choice, ...]:
        """What the real ``decide`` wants done, and the answers that the world may give."""
        known = self._chosen.get((run, service, now))
        if known is None:
            value, seen = self.run(run), seen_of(self.service(service))
            decision = self.decision(run, service, now)
            wrong = wrong_decision(value, seen, decision, now)
            known = tuple(self._answers(value, self.service(service), decision, wrong))
            self._chosen[run, service, now] = known
        return known

    def decision(self, run: int, service: int, now: float) -> Decision:
        """What the real ``decide`` says."""
        known = self._decisions.get((run, service, now))
        if known is None:
            known = deciding.decide(self.run(run), seen_of(self.service(service)), now)
            self._decisions[run, service, now] = known
        return known

    def _answers(
        self, run: Run, service: Service, decision: Decision, wrong: str | None
    ) -> Iterator[Choice]:
        match decision:
            case Act(effect):
                found = Split.of(seen_of(service))
                pending = self._append(e.Intended(effect, found))
                yield Choice(f"decides {_spelled(effect)}", pending, wrong)
            case Record(event):
                yield Choice(f"decides {_spelled(event)}", self._append(event), wrong)
            case Ask(question):
                for label, event, proves, trouble in answers(run, service, question):
                    pending = self._append(event, proves=proves)
                    yield Choice(f"{question.value}: {label}", pending, wrong, trouble)
            case _:
                if wrong is not None:
                    yield Choice(f"decides {type(decision).__name__}", IDLE, wrong)

    # --- moving ---

    def moves(self, world: World) -> Iterator[tuple[str, World, str | None]]:
        """Everything that may happen next: a label, the world after, what is wrong with it."""
        yield from self._service_moves(world)
        run = self.run(world.run)
        if run.phase not in FINAL:
            yield from self._runner_moves(world)
            yield from self._troubles(world)
            yield from self._orders(world, run)
        elif run.unaudited:
            yield from self._runner_moves(world)
        elif self.pending(world.runner).call is not None:
            yield from self._called(world)  # announced before a person ended the run

    def _service_moves(self, world: World) -> Iterator[tuple[str, World, str | None]]:
        for label, service in self._listed(completions, world.service):
            yield label, self._settled(world, service), None
        if world.late_call != IDLE:
            reply, service = self._reached(world.service, world.late_call)
            after = world._replace(service=service, late_call=IDLE)
            yield f"late call lands, {reply.value}", after, None

    def _settled(self, world: World, service: int) -> World:
        """A split of ours that lands is no longer a person's, and not verified yet.

        But what is left of an adopted share, which was lowered, still is.
        """
        before, after = self.service(world.service), self.service(service)
        if before.landing is None or after.landing is not None:
            return world._replace(service=service)
        lowered = world.marks & ADOPTED and 0 < after.traffic[1] < before.traffic[1]
        marks = PROBED if lowered else BY_HAND | PROBED
        return world._replace(service=service, marks=world.marks & ~marks)

    def _runner_moves(self, world: World) -> Iterator[tuple[str, World, str | None]]:
        pending = self.pending(world.runner)
        if pending.event is not None:
            yield self._appended(world, pending.event, pending.proves)
            yield "crash before the append", self._dies(world), None
        elif world.runner == AWAY:
            yield "a runner comes", self._taken(world, self._comes), None
        elif pending.call is not None:
            yield from self._called(world)
        elif not self._waiting(world):
            yield from self._decided(world)
            yield from self._leaving(world)

    def _dies(self, world: World) -> World:
        """The runner is gone and the next one is here, which may have been told how."""
        if self.setup.crashes is None:
            return world._replace(runner=IDLE)
        return self._taken(world, self._after_a_death)

    def _taken(self, world: World, how: int) -> World:
        return world._replace(run=self._folded(world.run, how), runner=IDLE)

    def _leaving(self, world: World) -> Iterator[tuple[str, World, str | None]]:
        """A runner that leaves where nothing is due, as the plan lets it."""
        run = self.run(world.run)
        if self.setup.unattended is None or run.phase in FINAL:
            return
        seen = seen_of(self.service(world.service))
        decision = self.decision(world.run, world.service, NOW)
        event: e.Event | None = None
        if run.ceiling is not None:
            if isinstance(decision, Rest):
                event = leaving.left(run, seen, NOW, 1.0)
        elif isinstance(decision, Rest | Wait) or decision == Ask(Question.MEASURE):
            event = leaving.leaves(run, seen, Guard(self.setup.unattended), NOW, 1.0)
        if isinstance(event, e.Left):
            gone = world._replace(run=self._folded(world.run, self._append(event)), runner=AWAY)
            yield "leaves", gone, None
        elif event is not None:
            yield "is about to leave", world._replace(runner=self._append(event)), None

    def _waiting(self, world: World) -> bool:
        """Whether the new owner still leaves the old one's call time to land."""
        if world.late_call == IDLE or self.setup.grace is Grace.NONE:
            return False
        if self.setup.grace is Grace.AUDIT:
            return self.run(world.run).phase in FINAL and self._audited(world)
        acts = isinstance(self.decision(world.run, world.service, NOW), Act)
        return acts or self.setup.grace is Grace.FOR_ALL

    def _audited(self, world: World) -> bool:
        """Whether the end of an audit is what is due."""
        decision = self.decision(world.run, world.service, NOW)
        return isinstance(decision, Record) and isinstance(decision.event, e.Audited)

    def _decided(self, world: World) -> Iterator[tuple[str, World, str | None]]:
        times = [("", LATE if world.marks & OVER else NOW, 0)]
        if world.budget.times:
            times.append(("overdue: ", OVERDUE, 1))
        if self.setup.run.windows:
            times.append(("outside: ", SHUT, 0))
        for label, now, cost in times:
            usual = times[0][1]
            choices = self.choices(world.run, world.service, now)
            if label and choices == self.choices(world.run, world.service, usual):
                continue
            for choice in choices:
                budget = world.budget
                if choice.trouble:
                    if not budget.faults:
                        continue
                    budget = budget._replace(faults=budget.faults - 1)
                budget = budget._replace(times=budget.times - cost)
                wrong = choice.wrong or self._unproved(world, choice)
                after = world._replace(runner=choice.pending, budget=budget)
                yield label + choice.label, after, wrong

    def _unproved(self, world: World, choice: Choice) -> str | None:
        """A rollback is over only after traffic has shown it."""
        over = isinstance(self.pending(choice.pending).event, e.RolledBack)
        return "4 rolled back but not verified" if over and not world.marks & PROBED else None

    def _appended(
        self, world: World, event: e.Event, proves: bool
    ) -> tuple[str, World, str | None]:
        run = self._folded(world.run, world.runner)
        after = world._replace(run=run, runner=IDLE)
        if isinstance(event, e.Intended):
            after = after._replace(runner=self._call(event.effect))
        if proves and isinstance(event, e.RollbackProbed):
            after = after._replace(marks=world.marks | PROBED)
        elif proves:
            after = after._replace(proof=world.proof | 1 << self.run(world.run).at)
        return f"append {type(event).__name__}", after, None

    def _called(self, world: World) -> Iterator[tuple[str, World, str | None]]:
        effect = self.pending(world.runner).call
        assert effect is not None
        reply, service = self._reached(world.service, world.runner)
        heard = IDLE
        if reply is not Reply.TAKEN:
            refused = reply is Reply.REFUSED
            heard = self._append(e.EffectFailed(effect, reply.value, refused))
        after = world._replace(service=service, runner=heard)
        yield f"call {_spelled(effect)}: {reply.value}", after, None
        yield "crash before the call", self._dies(world), None
        if world.budget.faults:
            budget = world.budget._replace(faults=world.budget.faults - 1)
            lost = self._append(e.EffectFailed(effect, "no reply", refused=False))
            after = world._replace(runner=lost, budget=budget)
            yield "call lost on its way", after, None
            if reply is Reply.TAKEN:
                yield "call arrives, reply lost", after._replace(service=service), None
        if world.budget.takeovers and world.late_call == IDLE:
            budget = world.budget._replace(takeovers=world.budget.takeovers - 1)
            after = world._replace(runner=IDLE, late_call=world.runner, budget=budget)
            if self.setup.grace is Grace.AUDIT:
                after = self._taken(after, self._contested)
                found = self._append(e.LooseCallFound(effect))
                after = after._replace(run=self._folded(after.run, found))
            yield "taken over, the old call still on its way", after, None

    def _troubles(self, world: World) -> Iterator[tuple[str, World, str | None]]:
        budget = world.budget
        if budget.faults:
            less = budget._replace(faults=budget.faults - 1)
            for label, service in self._listed(failures, world.service):
                yield label, world._replace(service=service, budget=less), None
        if budget.hands:
            less = budget._replace(hands=budget.hands - 1)
            for label, service in self._listed(by_hand, world.service):
                marks = world.marks
                if _split_of(self.service(service)) != _split_of(self.service(world.service)):
                    marks |= BY_HAND
                yield label, world._replace(service=service, budget=less, marks=marks), None
        if budget.times and not world.marks & OVER:
            less = budget._replace(times=budget.times - 1)
            after = world._replace(marks=world.marks | OVER, budget=less)
            yield "the deadline passes", after, None

    # --- people's orders ---

    def _orders(self, world: World, run: Run) -> Iterator[tuple[str, World, str | None]]:
        budget = world.budget
        if budget.orders:
            less = budget._replace(orders=budget.orders - 1)
            for order in self.setup.stopping or STOPPING:
                yield from self._ordered(world, run, order, less)
        if budget.resumes and run.phase in (Phase.PAUSED, Phase.HELD, Phase.UNVERIFIED):
            less = budget._replace(resumes=budget.resumes - 1)
            for order in GOING_ON:
                yield from self._ordered(world, run, order, less)
        if _approving(run) and run.step is Step.OBSERVING:
            for order in APPROVING:
                yield from self._ordered(world, run, order, budget)

    def _ordered(
        self, world: World, run: Run, order: e.Order, budget: Budget
    ) -> Iterator[tuple[str, World, str | None]]:
        """An order wins against a pending append, but not against a call that was announced."""
        number = self._folded(world.run, self._orders_of[id(order)])
        given_up = order in (ABORT, REJECT, SUPERSEDE) and run.phase in OPEN and not run.committed
        if number == world.run and not given_up:
            return
        runner = IDLE if self.pending(world.runner).event is not None else world.runner
        marks, proof = world.marks, world.proof
        if given_up:
            marks |= GIVEN_UP
        if order is ADOPT:
            marks |= ADOPTED
        if order in (APPROVE, SECOND) and self._approved(number):
            proof |= 1 << run.at
        elif order in GOING_ON and self.run(number).step is Step.ENTERING and not _approving(run):
            proof &= ~(1 << run.at)  # an approval stays one; everything else is to be shown anew
        after = World(number, world.service, runner, world.late_call, budget, marks, proof)
        late = order is SUPERSEDE and run.committed
        wrong = "6 a run behind its point of no return is superseded" if late else None
        yield f"order {_spelled(order)}", after, wrong

    def _approved(self, run: int) -> bool:
        """Whether as many people said yes to this plan as its stage asks for, the author not counted."""
        value = self.run(run)
        work = value.stage.work if value.stage else None
        said = {each.by for each in value.approvals if each.stage == "approve"}
        return isinstance(work, Approve) and len(said & {"ada", "mia"} & set(work.by)) >= work.count

    # --- what must hold in every state ---

    def wrong_state(self, world: World) -> str | None:
        """The name of a broken invariant, or None."""
        at = world.run, world.service
        if at not in self._broken:
            self._broken[at] = wrong_pair(self.run(world.run), self.service(world.service))
        return self._broken[at] or self._wrong_history(world)

    def _wrong_history(self, world: World) -> str | None:
        facts = self._facts.get(world.run)
        if facts is None:
            facts = self._facts[world.run] = facts_of(self.run(world.run))
        if facts.needed & ~world.proof:
            return "3 a stage passed without its evidence"
        share = self.service(world.service).traffic[1]
        if share > facts.allowed and not world.marks & BY_HAND:
            return "2 the candidate has more than its stage allows"
        alone = world.runner == AWAY and world.late_call == IDLE and not world.marks & BY_HAND
        if alone and facts.guarded and share > (self.setup.unattended or 0):
            return "5 a candidate with more users than may be left without a guard"
        if world.marks & GIVEN_UP and facts.going:
            return "5 an abort was forgotten"
        if facts.ended and self._looming(world):
            return "8 a late call can still change a finished endpoint"
        if facts.ended and self._spoiled(world):
            return "8 what a late call did to a finished endpoint stays"
        if facts.odd and not world.marks & ADOPTED:
            return "4 the captured split is not the one that was there"
        return None

    def _looming(self, world: World) -> bool:
        calls = [world.late_call] if world.late_call != IDLE else []
        if self.pending(world.runner).call is not None:
            calls.append(world.runner)
        return any(self._reached(world.service, call)[1] != world.service for call in calls)

    def _spoiled(self, world: World) -> bool:
        """Whether an ended run's endpoint is not as it ended, and no person is the reason."""
        run, service = self.run(world.run), self.service(world.service)
        if world.marks & (BY_HAND | ADOPTED) or service.landing is not None or run.leftover:
            return False
        return run.expected is not None and Split.of(seen_of(service)) != run.expected

    # --- once trouble stops ---

    def calm(self, world: World) -> list[World]:
        """Every next state without trouble; empty: nothing moves."""
        after = [state for _, state, _ in self._service_moves(world)]
        run = self.run(world.run)
        pending = self.pending(world.runner)
        if run.phase in FINAL and not run.unaudited and pending.call is None:
            return after
        if world.runner == AWAY:
            return [*after, self._taken(world, self._comes)]
        if pending.event is not None:
            after.append(self._appended(world, pending.event, proves=False)[1])
        elif pending.call is not None:
            # A call that is turned away is made again until what is in its way has ended.
            if self._reached(world.service, world.runner)[0] is not Reply.AWAY:
                after.append(next(self._called(world))[1])
        elif not self._waiting(world):
            after += [
                world._replace(runner=choice.pending)
                for choice in self.choices(world.run, world.service, self._calm_now(world))
                if not choice.trouble and choice.pending != IDLE and not self._idle(run, choice)
            ]
        return after

    def _calm_now(self, world: World) -> float:
        hopeless = self._hopeless(world) and self.run(world.run).phase is Phase.ROLLING_BACK
        return OVERDUE if hopeless else NOW

    def _idle(self, run: Run, choice: Choice) -> bool:
        """A guard goes on measuring for as long as a run waits: that moves nothing."""
        gated = run.stage is not None and run.stage.gate and run.step is Step.OBSERVING
        measured = isinstance(self.pending(choice.pending).event, e.Measured)
        if run.unread:
            return False
        waits = not gated or run.phase in WATCHED or run.ceiling is not None
        return measured and waits

    def _hopeless(self, world: World) -> bool:
        """A rollback to a dead baseline cannot succeed by itself."""
        captured, service = self.run(world.run).captured, self.service(world.service)
        names = captured.traffic if captured else {}
        found = [service.named(name) for name in names]
        return any(each is not None and each.condition is Condition.FAILED for each in found)

    def resting(self, world: World) -> bool:
        """Whether the run has ended, or a person was told that it waits for one."""
        run = self.run(world.run)
        awaited = world.late_call != IDLE and self.setup.grace is not Grace.AUDIT
        if world.runner != IDLE or awaited:
            over = run.phase in FINAL and not run.unaudited
            return over and self.pending(world.runner).call is None
        if run.phase in FINAL:
            return not run.unaudited or bool(run.leftover)
        decision = self.decision(world.run, world.service, NOW)
        if isinstance(decision, Rest):
            return True
        if isinstance(decision, Wait):
            return decision.on in (On.APPROVAL, On.PERSON)
        if run.phase is Phase.UNVERIFIED:
            return self._hopeless(world)
        watching = isinstance(decision, Ask) and decision.question is Question.MEASURE
        return watching and (run.phase in WATCHED or _approving(run))


def _approving(run: Run) -> bool:
    return run.stage is not None and isinstance(run.stage.work, Approve)


def _split_of(service: Service) -> tuple[Shares, Shares]:
    return service.traffic, service.mirror


def _spelled(value: object) -> str:
    match value:
        case SetSplit(traffic, mirror):
            return f"SetSplit {Split(traffic, mirror)}"
        case e.Held(cause) | e.RollbackBegan(cause):
            return f"{type(value).__name__} {cause.why.value}"
        case PutDeployment(_, name) | DeleteDeployment(name) | ScaleDeployment(name, _):
            return f"{type(value).__name__} {name}"
        case e.ResumeOrdered(_, adopt):
            return "resume --adopt" if adopt else "resume"
        case e.AbortOrdered(_, keep):
            return "abort --keep-traffic" if keep else "abort"
        case _:
            return type(value).__name__


Answer = tuple[str, e.Event, bool, bool]  # label, event, is true evidence, costs a fault


def answers(run: Run, service: Service, question: Question) -> Iterator[Answer]:
    """What the world may answer; a candidate may be bad at any time without being trouble."""
    match question:
        case Question.PREFLIGHT:
            yield "ok", e.PreflightChecked(ok=True, text=()), True, False
            yield "bad", e.PreflightChecked(ok=False, text=()), False, False
        case Question.SMOKE:
            if service.green is not None and service.green.condition is Condition.READY:
                yield "ok", e.SmokeTested(ok=True, text=""), True, False
            yield "bad", e.SmokeTested(ok=False, text=""), False, False
        case Question.OBSERVE:
            yield "begins", e.ObservationBegan("cursor"), False, False
        case Question.MEASURE:
            yield from _measured(run, service)
        case Question.VERIFY:
            captured = _shares(run.captured.traffic) if run.captured else NOBODY
            if service.traffic == captured:
                shown = not any(service.mirror) and service.landing is None
                yield "ok", e.RollbackProbed(ok=True, text=""), shown, False
            yield "bad", e.RollbackProbed(ok=False, text=""), False, True


def _measured(run: Run, service: Service) -> Iterator[Answer]:
    gate = run.stage.gate if run.stage else None
    for verdict in (Verdict.FAIL, Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.ERROR):
        if gate is None and verdict is not Verdict.FAIL:
            continue  # a guard has only its failing side
        if run.restores is not None and verdict is Verdict.PASS:
            continue  # what was measured with a lower share speaks against a candidate only
        judgement = Judgement(gate or "guard", verdict, "")
        event = e.Measured((), "cursor", {}, judgement)
        proves = verdict is Verdict.PASS and run.step is Step.OBSERVING and _holds(run, service)
        yield verdict.value, event, proves, False


def _holds(run: Run, service: Service) -> bool:
    """Whether the endpoint really has what the present stage is about."""
    match run.stage.work if run.stage else None:
        case Shift(percent):
            return service.traffic == (100 - percent, percent) and not any(service.mirror)
        case Mirror(percent):
            return service.traffic[1] == 0 and service.mirror == (0, percent)
        case _:
            return True


# --- the invariants; the numbers are those of design/machine.md ------------------------


class Facts(NamedTuple):
    """What a run alone says for the invariants.

    ``needed``: bit n for each stage n behind it that ends only with evidence or a person's word.
    ``allowed``: the candidate's highest live percent so far, as captured or by a stage. ``going``: it is, or
    was carried, forward. ``ended``: nothing of it may still happen. ``odd``: it captured another
    split than a plan begins with. ``guarded``: its candidate's users must be.
    """

    needed: int
    allowed: int
    going: bool
    ended: bool
    odd: bool
    guarded: bool


def facts_of(run: Run) -> Facts:
    """A run's facts; one that a person ended may have left a call on its way."""
    begun_stages = run.stages[: run.at + 1]
    shares = [each.work.percent for each in begun_stages if isinstance(each.work, Shift)]
    shares.append(run.captured.traffic.get("green", 0) if run.captured else 0)
    return Facts(
        needed=sum(1 << at for at, each in enumerate(run.stages[: run.at]) if needs_proof(each)),
        allowed=max(shares),
        going=run.phase in (*OPEN, Phase.COMPLETED),
        ended=run.phase in FINAL and run.phase is not Phase.ABORTED and not run.unaudited,
        odd=run.captured not in (None, Split({"blue": 100})),
        guarded=run.phase in OPEN
        and run.captured is not None
        and not run.committed
        and not (run.phase is Phase.HELD and run.on_failure.action == "hold"),
    )


def needs_proof(stage: Stage) -> bool:
    """Whether a stage ends only with evidence or a person's word."""
    return stage.gate is not None or isinstance(stage.work, Preflight | Smoke | Approve)


def wrong_pair(run: Run, service: Service) -> str | None:
    """An invariant that a run and its endpoint break together."""
    if run.captured is not None or any(service.traffic):
        live = [service.named(name) for name in _named(service.traffic)]
        serves: bool = all(each is not None and each.condition in SERVING for each in live)
        if sum(service.traffic) != 100 or not serves:
            return "1 nobody serves a part of the traffic"
    if any(live and copied for live, copied in zip(service.traffic, service.mirror, strict=True)):
        return "2 live and mirror on one deployment"
    blue = service.blue
    if run.phase in BACK and blue is not None and blue.condition is Condition.DELETING:
        return "6 the baseline is deleted in a rollback"
    return None


def wrong_decision(run: Run, seen: Seen, decision: Decision, now: float) -> str | None:
    """An invariant that a decision breaks, given what was read just before it."""
    if isinstance(decision, Act):
        wrong = _wrong_effect(run, seen, decision.effect) or _tramples(run, seen)
        return wrong or _too_often(run) or _untimely(run, now)
    if isinstance(decision, Record):
        return _wrong_record(run, seen, decision.event, now)
    return _too_late(run, now) or _unguarded(run, seen, decision)


def _wrong_effect(run: Run, seen: Seen, effect: Effect) -> str | None:
    match effect:
        case SetSplit(traffic, mirror):
            return _wrong_split(run, seen, traffic, mirror)
        case DeleteDeployment("blue"):
            return _wrong_end(run, seen)
        case DeleteDeployment(name):
            return _wrong_cleanup(run, seen, name)
        case PutDeployment(_, name):
            found = seen.deployments.get(name)
            strange = found is not None and (found.run is None or _used(seen, name))
            return "9 a deployment that is not ours, or in use, is overwritten" if strange else None
        case CreateEndpoint() | ScaleDeployment():
            return None


def _used(seen: Seen, name: str) -> bool:
    return bool(seen.traffic.get(name) or seen.mirror.get(name))


def _wrong_split(
    run: Run, seen: Seen, traffic: Mapping[str, int], mirror: Mapping[str, int]
) -> str | None:
    if run.phase in FINAL:
        restored = run.expected == Split(traffic, mirror)
        return None if restored else "8 an audit makes another split than the run ended with"
    if run.phase in BACK:
        exact = run.captured is not None and traffic == run.captured.traffic and not mirror
        return None if exact else "4 a rollback to another split than the captured one"
    if set(traffic) & set(mirror):
        return "2 live and mirror on one deployment"
    for name in (*traffic, *mirror):
        found = seen.deployments.get(name)
        share, more = traffic.get(name, 0), name in mirror
        if name == "green" and not more and share <= seen.traffic.get(name, 0):
            continue  # it gets less, which may be because it is not what it should be
        if found is None or found.condition is not Condition.READY or found.ready < found.instances:
            return "2 traffic for a deployment that is not ready"
        if name == "green" and found.digest != run.candidate_digest:
            return "2 traffic for another candidate than the plan's"
    smoked = [each for each in run.stages[: run.at] if isinstance(each.work, Smoke)]
    more = traffic.get("green", 0) > seen.traffic.get("green", 0) or "green" in mirror
    # What a superseded run had brought is put back as it was; what a person gave may be lowered.
    taken_over = bool(run.supersedes) and Split(traffic, mirror) in (run.expected, run.restores)
    if more and not smoked and not taken_over:
        return "2 traffic before the smoke stage"
    return None


def _wrong_end(run: Run, seen: Seen) -> str | None:
    """The baseline goes last, in forward mode, and only while the candidate carries all."""
    other = seen.deployments.get("green")
    whole = other is not None and other.condition is Condition.READY
    if run.phase is not Phase.RUNNING or run.at != len(run.stages) - 1:
        return "6 the baseline is not deleted last"
    if seen.traffic != {"green": 100} or seen.mirror or not whole:
        return "6 the baseline is deleted while it may be needed"
    return None


def _wrong_cleanup(run: Run, seen: Seen, name: str) -> str | None:
    found = seen.deployments.get(name)
    if run.phase in FINAL:
        ours = found is not None and found.run == run.id and not _used(seen, name)
        return None if ours else "8 an audit deletes what is not the run's own, or in use"
    if run.phase is Phase.RUNNING and run.stage and run.stage.work == Delete(CANDIDATE):
        return "6 a deployment with traffic is deleted" if _used(seen, name) else None
    restored = run.captured is not None and seen.traffic == run.captured.traffic
    if run.phase not in BACK or not restored or seen.mirror or not run.checked:
        return "6 the candidate is deleted before the rollback is shown to be back"
    taken_over = bool(run.supersedes) and run.created  # it carries the name of an earlier run
    same = found is not None and bool(found.run) and found.digest == run.candidate_digest
    ours = found is not None and (found.run == run.id or (taken_over and same))
    if not ours or run.on_failure.candidate != "delete":
        return "6 a deployment is deleted that this run did not make"
    return None


def _tramples(run: Run, seen: Seen) -> str | None:
    """Forward mode writes only over what it had read back itself, or had ordered."""
    if run.phase is not Phase.RUNNING or run.expected is None:
        return None
    found = Split.of(seen)
    ours = (run.intent, *run.loose, *run.landed)
    splits = [Split(each.traffic, each.mirror) for each in ours if isinstance(each, SetSplit)]
    known = [run.expected, run.restores, *splits]
    return None if found in known else "9 goes on over a person's change"


def _wrong_record(run: Run, seen: Seen, event: e.Event, now: float) -> str | None:
    match event:
        case e.SetPointReached(_, split) | e.SplitCaptured(split):
            if split != Split.of(seen):
                return "7 a split is recorded that was not read"
            captures = isinstance(event, e.SplitCaptured)
            return None if captures else _tramples(run, seen) or _too_late(run, now)
        case e.StagePassed():
            return _tramples(run, seen) or _too_late(run, now)
        case e.RolledBack():
            return _wrong_rollback(run, seen)
        case e.Ended(None):
            return _wrong_completion(run, seen)
        case e.Ended() if run.captured is not None:
            return "4 ended although something is to be restored"
        case e.RollbackBegan() if run.committed:
            return "6 a rollback behind the point of no return"
    return None


def _wrong_rollback(run: Run, seen: Seen) -> str | None:
    if run.captured is None or seen.traffic != run.captured.traffic or seen.mirror or seen.busy:
        return "4 rolled back, but the endpoint is not as it was"
    green = seen.deployments.get("green")
    if green is not None and green.condition in MOVING:
        return "4 rolled back while the candidate is still moving"
    return None


def _wrong_completion(run: Run, seen: Seen) -> str | None:
    shares = [each.work.percent for each in run.stages if isinstance(each.work, Shift)]
    green = seen.deployments.get("green")
    ready = green is not None and green.condition in (Condition.READY, Condition.UPDATING)
    deletes = any(each.work == Delete(BASELINE) for each in run.stages)
    left = deletes and "blue" in seen.deployments
    carries = seen.traffic == {"green": 100} and ready if shares else Split.of(seen) == run.expected
    if run.at != len(run.stages) or not carries or seen.mirror or left:
        return "4 completed, but the endpoint is not as the plan ends"
    return None


def _too_often(run: Run) -> str | None:
    """A plan that kills its runners is not tried for ever."""
    deadly = run.phase is Phase.RUNNING and run.crashes >= decisions.CRASHES
    return "10 a plan that kills whoever runs it goes on" if deadly else None


def _untimely(run: Run, now: float) -> str | None:
    """A stage begins inside its window; one that has begun goes on, and so does the way back."""
    stage = run.stage
    if now != SHUT or run.phase is not Phase.RUNNING or stage is None or run.intent is not None:
        return None
    held = any(windows.applies(each, stage) for each in run.windows)
    return "3 a stage begins outside its window" if held else None


def _too_late(run: Run, now: float) -> str | None:
    """Behind the deadline nothing goes on, whoever holds it up."""
    late = run.deadline is not None and now >= run.deadline and not run.committed
    return "5 a deadline that does not fire" if late and run.phase in OPEN else None


def _unguarded(run: Run, seen: Seen, decision: Decision) -> str | None:
    if run.committed or not seen.traffic.get("green"):
        return None
    waits = isinstance(decision, Wait) and run.phase in OPEN[:2] and not seen.busy
    able = run.captured is not None and run.on_failure.action == "rollback"
    leaving = run.ceiling is not None and seen.traffic.get("green", 0) <= run.ceiling
    left = isinstance(decision, Rest) and run.phase is Phase.HELD and able and not leaving
    return "5 a candidate with users and without a guard" if waits or left else None


# --- exploring --------------------------------------------------------------------------

Story = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What an exploration found.

    Args:
        states, transitions: How much was looked at.
        ends: Phase -> states in it with nothing pending.
        violations: Broken invariant -> the shortest story that breaks it.
        stuck: How many states never come to rest without trouble.
        trap: The story of one of them.
    """

    states: int
    transitions: int
    ends: Mapping[str, int]
    violations: Mapping[str, Story]
    stuck: int
    trap: Story

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.violations and not self.stuck


Patch = Mapping[tuple[object, str], object]
"""(module, name) -> what stands there instead."""


@contextmanager
def patched(patch: Patch) -> Iterator[None]:
    """The modules with these names replaced."""
    before = {(module, name): getattr(module, name) for module, name in patch}
    try:
        for (module, name), value in patch.items():
            setattr(module, name, value)
        yield
    finally:
        for (module, name), value in before.items():
            setattr(module, name, value)


def explore(setup: Setup, patch: Patch | None = None, *, until: str | None = None) -> Report:
    """Look at everything that can happen.

    Args:
        setup: Where it begins.
        patch: A mutant.
        until: Stop once this invariant is seen broken, without a look at liveness.
    """
    limits: Patch = {
        (decisions, "ATTEMPTS"): setup.attempts,
        (decisions, "CRASHES"): setup.crashes or NEVER,
        (windows, "opening"): _opening,
        (windows, "opened"): lambda *_: None,
    }
    with patched({**limits, **(patch or {})}):
        return _explore(Explorer(setup), until)


def _opening(held: tuple[Window, ...], stage: Stage, at: float) -> float | None:
    """Windows as the model has them: they are open or not, whatever a calendar says."""
    shut = at == SHUT and any(windows.applies(each, stage) for each in held)
    return LIMIT if shut else None


def _explore(world: Explorer, until: str | None) -> Report:
    first = world.start()
    parents: dict[World, tuple[World, str] | None] = {first: None}
    queue = deque([first])
    broken: dict[str, Story] = {}
    transitions = 0
    while queue and until not in broken:
        here = queue.popleft()
        for label, there, wrong in world.moves(here):
            transitions += 1
            if wrong is not None:
                broken.setdefault(wrong, (*_story(parents, here), label))
            if there in parents:
                continue
            parents[there] = here, label
            queue.append(there)
            if (name := world.wrong_state(there)) is not None:
                broken.setdefault(name, _story(parents, there))
    traps = [] if until in broken else _traps(world, parents)
    idle = (each for each in parents if each.runner == IDLE)
    return Report(
        states=len(parents),
        transitions=transitions,
        ends=Counter(world.run(each.run).phase.value for each in idle),
        violations=broken,
        stuck=len(traps),
        trap=_story(parents, traps[0]) if traps else (),
    )


def _story(parents: Mapping[World, tuple[World, str] | None], world: World) -> Story:
    labels = []
    step = parents[world]
    while step is not None:
        world, label = step
        labels.append(label)
        step = parents[world]
    return tuple(reversed(labels))


def _bare(world: World) -> World:
    """A state without budgets and memories: all that matters once trouble stops."""
    return World(world.run, world.service, world.runner, world.late_call, NO_TROUBLE, 0, 0)


def _traps(world: Explorer, parents: Mapping[World, tuple[World, str] | None]) -> list[World]:
    """States from which some schedule without trouble neither ends nor rests on a person."""
    after: dict[World, list[World]] = {}
    unseen = list({_bare(each) for each in parents})
    while unseen:
        here = unseen.pop()
        if here in after:
            continue
        after[here] = [] if world.resting(here) else [_bare(each) for each in world.calm(here)]
        unseen += [each for each in after[here] if each not in after]
    before: dict[World, list[World]] = {}
    left = {}
    for here, states in after.items():
        left[here] = len(states)
        for there in states:
            before.setdefault(there, []).append(here)
    good = {here for here, states in after.items() if not states and world.resting(here)}
    queue = deque(good)
    while queue:
        for here in before.get(queue.popleft(), ()):
            left[here] -= 1
            if not left[here] and here not in good:
                good.add(here)
                queue.append(here)
    return [each for each in parents if _bare(each) not in good]


def main() -> None:
    """Print what was explored, for the design and for every mutant."""
    from tests.simulation.test_model import table  # noqa: PLC0415 - the tests import this module

    sys.stdout.writelines(f"{line}\n" for line in table(large="--large" in sys.argv))


if __name__ == "__main__":
    main()
