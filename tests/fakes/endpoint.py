"""A serving platform in memory or in a file: deployments, a split, clients, faults on demand.

``World`` is what goes on even if every runner dies: long operations end, clients send requests.
What the clients see is a pure function of the seed and of what the endpoint was like when, so that
any process can compute any interval. ``FakeEndpoint`` is one plan's door to it.
"""

from __future__ import annotations

import hashlib
import json
import math
import pickle
import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeVar, assert_never

from rollout.domain.answers import Said
from rollout.domain.codec import encode
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
from rollout.domain.errors import EndpointAway, EndpointRefused
from rollout.domain.measure import GROWTH, NEVER, Arm, Interval
from rollout.domain.plan import Plan
from rollout.ports.clock import Clock
from rollout.ports.endpoint import Answer, Finding, Hold, Reading, unfenced

MIRROR_LIMIT = 50  # percent, as at Azure
WHOLE = 100  # percent
ANSWER = b"[1.5]"
FAILURE = b"KeyError: 'tenure'"
KEPT_BYTES = 16 * 1024  # of an answer
BAD_BODY = b"not what the model expects"  # a request that every deployment answers with an error
_LOG_GROWTH, _LOG_BASE = math.log(GROWTH), math.log(1e-6)


# --- what is the case -----------------------------------------------------------


@dataclass(frozen=True)
class Deployment:
    """A deployment, perhaps with an operation under way.

    Args:
        ready: Instances that answer.
        doing: What is under way; it ends at ``until`` and after ``looks`` more observations.
        fate: The error in which it will end; empty: it will succeed.
        error: Not empty: it failed.
    """

    instances: int = 1
    run: str | None = None
    digest: str | None = None
    ready: int = 0
    doing: Condition | None = None
    until: float = 0.0
    looks: int = 0
    fate: str = ""
    error: str = ""

    @property
    def condition(self) -> Condition:
        return self.doing or (Condition.FAILED if self.error else Condition.READY)

    @property
    def serves(self) -> bool:
        return self.ready > 0 and self.condition in (Condition.READY, Condition.UPDATING)

    def at(self, now: float) -> Deployment | None:
        """The deployment with what has ended by ``now``; None: it is gone."""
        if self.doing is None or now < self.until or self.looks > 0:
            return self
        if self.doing is Condition.DELETING:
            return None
        ended = replace(self, doing=None, fate="", error=self.fate)
        return ended if ended.error else replace(ended, ready=self.instances)


@dataclass(frozen=True)
class Shared:
    """The split from a moment on, and the run that wrote it; empty: a person by hand."""

    at: float = 0.0
    traffic: Mapping[str, int] = field(default_factory=dict)
    mirror: Mapping[str, int] = field(default_factory=dict)
    run: str = ""


@dataclass(frozen=True)
class Manner:
    """How a deployment answers; its latency is lognormal around ``seconds``.

    Args:
        body: What it says to everything.
        answer: What it says to a request, in place of ``body``; drawn with the request's own
            chance, which is the same for every deployment. In a world that is kept in a file it
            must be a function of a module.
    """

    error_rate: float = 0.0
    seconds: float = 0.05
    spread: float = 0.3
    body: bytes = ANSWER
    answer: Callable[[Random], bytes] | None = None
    content_type: str = "application/json"


class Copy(NamedTuple):
    """What one deployment made of a request."""

    name: str
    bucket: int
    failed: bool


class Request(NamedTuple):
    """A client's request: who answered it, and what the mirror's copy came to.

    ``number`` tells apart the requests of runners, of which there may be several at one moment.
    """

    at: float
    live: Copy
    copy: Copy | None
    number: int = 0


class Accepted(NamedTuple):
    """A write that the platform accepted; ``changed``: it was not so already."""

    at: float
    op: str
    arg: str
    run: str
    who: str
    changed: bool


@dataclass
class Reality:
    """Everything there is to know about an endpoint; lists of moments are in order.

    Args:
        manners: From when on which deployment answers how.
        paces: From when on which source sends how many requests/s.
        probed: Requests of runners that went through the split.
        sent: How many requests runners sent in all.
        dooms: Deployments whose next creation will fail, with the error.
        faults: Calls that will fail, each with whether it takes effect.
        refusals: Calls that will be refused.
        logs: What a deployment said last.
        head: The journal's entry that ordered the last change.
    """

    exists: bool = False
    deployments: dict[str, Deployment] = field(default_factory=dict)
    splits: list[Shared] = field(default_factory=list)
    manners: list[tuple[float, str, Manner]] = field(default_factory=list)
    paces: list[tuple[float, str, float]] = field(default_factory=list)
    probed: list[Request] = field(default_factory=list)
    sent: int = 0
    accepted: list[Accepted] = field(default_factory=list)
    dooms: list[tuple[str, str]] = field(default_factory=list)
    faults: list[tuple[str, bool]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    head: str = ""
    away_until: float = 0.0
    broken_until: float = 0.0
    mute_until: float = 0.0

    def split(self, at: float) -> Shared:
        """The split in force at a moment."""
        place = bisect_right(self.splits, at, key=lambda each: each.at)
        return self.splits[place - 1] if place else Shared()

    @property
    def goal(self) -> Shared:
        """The split accepted last, in force or not yet."""
        return self.splits[-1] if self.splits else Shared()

    def manner(self, name: str, at: float) -> Manner:
        """How a deployment answers at a moment."""
        found = [manner for since, who, manner in self.manners if who == name and since <= at]
        return found[-1] if found else Manner()

    def rps(self, at: float) -> float:
        """Requests/s of all sources together."""
        return sum({source: rps for since, source, rps in self.paces if since <= at}.values())


class _Memory:
    def __init__(self) -> None:
        self._reality = Reality()

    @contextmanager
    def hold(self) -> Iterator[Reality]:
        yield self._reality

    def close(self) -> None:
        pass


class _File:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: sqlite3.Connection | None = None
        with closing(sqlite3.connect(path, isolation_level=None)) as made:
            made.execute("pragma journal_mode = wal")
            made.execute("create table if not exists world (reality blob)")
            made.execute(
                "insert into world select ? where not exists (select 1 from world)",
                (pickle.dumps(Reality()),),
            )

    @contextmanager
    def hold(self) -> Iterator[Reality]:
        made = self._connection()
        made.execute("begin immediate")
        (before,) = made.execute("select reality from world").fetchone()
        reality = pickle.loads(before)  # noqa: S301 - written by ourselves
        try:
            yield reality
        finally:
            after = pickle.dumps(reality)
            if after != before:
                made.execute("update world set reality = ?", (after,))
            made.execute("commit")

    def close(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def _connection(self) -> sqlite3.Connection:
        # Opened late: a connection must not cross a fork.
        if self._held is None:
            self._held = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            self._held.execute("pragma synchronous = off")
        return self._held


class World:
    """The platform and its clients.

    Every change checks before it writes, so an error half-way leaves everything as it was.

    Args:
        clock: The time by which operations end and clients send.
        path: Where it is kept for several processes; None: in memory.
        rps: Requests/s of the clients.
        seed: Of everything that is left to chance.
    """

    create_seconds = 30.0
    update_seconds = 20.0
    delete_seconds = 10.0
    split_seconds = 2.0
    looks = 0  # observations that a long operation takes at least
    lag = 0.0  # seconds until a request can be seen in the measurements

    def __init__(
        self, clock: Clock, *, path: Path | None = None, rps: float = 50.0, seed: int = 1
    ) -> None:
        self.clock = clock
        self.findings: tuple[Finding, ...] = (Finding("quota", True, "enough"),)
        self._kept = _File(path) if path else _Memory()
        self._seed = seed
        self._seconds: dict[int, list[Request]] = {}
        with self._kept.hold() as real:
            if not real.paces:
                real.paces.append((0.0, "clients", rps))

    def close(self) -> None:
        """Let go of the file; another call opens it again."""
        self._kept.close()

    @contextmanager
    def change(self) -> Iterator[Reality]:
        """The present reality, for looking and for changing."""
        now = self.clock.now()
        with self._kept.hold() as real:
            for name, found in tuple(real.deployments.items()):
                ended = found.at(now)
                if ended is None:
                    del real.deployments[name]
                elif ended is not found:
                    real.deployments[name] = ended
            yield real

    # --- what a test arranges ----------------------------------------------------

    def serve(self, name: str, *, instances: int = 1, run: str | None = None) -> None:
        """The endpoint is there, and one deployment has all traffic."""
        with self.change() as real:
            real.exists = True
            real.deployments[name] = Deployment(instances, run, ready=instances)
            real.splits.append(Shared(self.clock.now(), {name: WHOLE}))

    def stand_by(
        self, name: str, *, run: str | None = None, digest: str | None = None, error: str = ""
    ) -> None:
        """A deployment without traffic is left over from earlier."""
        with self.change() as real:
            real.deployments[name] = Deployment(1, run, digest, ready=not error, error=error)

    def behave(self, name: str, *, after: float = 0.0, **manner: object) -> None:
        """A deployment answers like this (see ``Manner``), from so many seconds on."""
        with self.change() as real:
            real.manners.append((self.clock.now() + after, name, Manner(**manner)))  # type: ignore[arg-type]

    def doom(self, name: str, error: str, times: int = 1) -> None:
        """The next creations of a deployment end in failure."""
        with self.change() as real:
            real.dooms.extend([(name, error)] * times)

    def fail(self, name: str, error: str) -> None:
        """A deployment breaks down now."""
        self.behave(name, error_rate=1.0)
        with self.change() as real:
            real.deployments[name] = replace(real.deployments[name], ready=0, error=error)

    def remove(self, name: str) -> None:
        """A person deletes a deployment."""
        with self.change() as real:
            del real.deployments[name]

    def by_hand(self, traffic: Mapping[str, int], mirror: Mapping[str, int] | None = None) -> None:
        """A person writes a split, which is in force at once."""
        now = self.clock.now()
        with self.change() as real:
            real.splits = [each for each in real.splits if each.at <= now]
            real.splits.append(Shared(now, traffic, mirror or {}))

    def fault(self, op: str, *, applied: bool = False, times: int = 1) -> None:
        """The next calls of ``op`` end in ``EndpointAway``, before or after they took effect."""
        with self.change() as real:
            real.faults.extend([(op, applied)] * times)

    def refuse(self, op: str, times: int = 1) -> None:
        """The next calls of ``op`` end in ``EndpointRefused``."""
        with self.change() as real:
            real.refusals.extend([op] * times)

    def away(self, seconds: float) -> None:
        """Nothing of the endpoint can be reached for a while; its clients notice nothing."""
        with self.change() as real:
            real.away_until = self.clock.now() + seconds

    def break_metrics(self, seconds: float) -> None:
        """The measurements cannot be read for a while."""
        with self.change() as real:
            real.broken_until = self.clock.now() + seconds

    def mute_metrics(self, seconds: float) -> None:
        """The measurements can be read, but no interval is closed for a while."""
        with self.change() as real:
            real.mute_until = self.clock.now() + seconds

    def send(self, rps: float, source: str = "clients") -> None:
        """A source of traffic sends so many requests/s from now on."""
        with self.change() as real:
            real.paces.append((self.clock.now(), source, rps))

    # --- what a test looks at ------------------------------------------------------

    @property
    def accepted(self) -> list[Accepted]:
        """Every accepted write, oldest first."""
        with self.change() as real:
            return list(real.accepted)

    @property
    def writes(self) -> list[str]:
        """Every accepted write as ``op arg``."""
        return [f"{each.op} {each.arg}" for each in self.accepted]

    @property
    def splits(self) -> list[str]:
        """Every split there was: ``blue 90 green 10``, ``blue 100 | green 10``."""
        with self.change() as real:
            return [_spell(each.traffic, each.mirror) for each in real.splits]

    def answers(self, name: str) -> tuple[int, int]:
        """How many live requests a deployment answered, and how many of them badly."""
        with self.change() as real:
            since = real.splits[0].at if real.splits else self.clock.now()
            found = list(self.requests(real, since, self.clock.now()))
        mine = [each.live for each in (*found, *real.probed) if each.live.name == name]
        return len(mine), sum(each.failed for each in mine)

    # --- the clients ---------------------------------------------------------------

    def requests(self, real: Reality, start: float, end: float) -> Iterator[Request]:
        """What the clients sent from ``start`` on and before ``end``."""
        for second in range(math.floor(start), math.ceil(end)):
            for each in self._second(real, second):
                if start <= each.at < end:
                    yield each

    def _second(self, real: Reality, second: int) -> list[Request]:
        if second in self._seconds:
            return self._seconds[second]
        made = self._made(real, second)
        if second + 1 <= self.clock.now():
            self._seconds[second] = made
        return made

    def _made(self, real: Reality, second: int) -> list[Request]:
        rps = real.rps(second)
        sent = math.floor((second + 1) * rps) - math.floor(second * rps)
        chance = Random(f"{self._seed} {second}")  # noqa: S311
        moments = {second, *(each.at for each in real.splits), *(at for at, *_ in real.manners)}
        starts = sorted(each for each in moments if second <= each < second + 1)
        rules = [_Rule(real, each) for each in starts]
        made = []
        for number in range(sent):
            at = second + (number + 0.5) / sent
            rule = rules[bisect_right(starts, at) - 1]
            if (request := rule.request(at, chance)) is not None:
                made.append(request)
        return made

    def probe(self, real: Reality, body: bytes, deployment: str | None) -> Request | None:
        """One request of a runner; None: nobody is there to answer."""
        real.sent += 1
        now = self.clock.now()
        chance = Random(f"{self._seed} probe {real.sent}")  # noqa: S311
        if deployment is None:
            request = _Rule(real, now).request(now, chance, bad=body == BAD_BODY)
            if request is not None:
                request = request._replace(number=real.sent)
                real.probed.append(request)
            return request
        found = real.deployments.get(deployment)
        if found is None or not found.serves:
            return None
        manner = real.manner(deployment, now)
        live = _answer(deployment, manner, chance, bad=body == BAD_BODY)
        return Request(now, live, None, real.sent)

    def said(self, real: Reality, request: Request, copy: Copy) -> Said:
        """What a deployment answered to a request."""
        if copy.failed:
            return Said(500, FAILURE, "text/plain")
        manner = real.manner(copy.name, request.at)
        chance = Random(f"{self._seed} said {request.at!r} {request.number}")  # noqa: S311
        body = manner.answer(chance) if manner.answer else manner.body
        whole = len(body) <= KEPT_BYTES
        return Said(200, body[:KEPT_BYTES], manner.content_type, whole)


class _Rule:
    """What becomes of requests as long as neither split nor manners change."""

    def __init__(self, real: Reality, at: float) -> None:
        split = real.split(at)
        self._live = [(name, real.manner(name, at)) for name in split.traffic]
        self._edges = [sum(list(split.traffic.values())[: n + 1]) for n in range(len(self._live))]
        self._copied = [(name, real.manner(name, at)) for name in split.mirror]
        self._share = sum(split.mirror.values())

    def request(self, at: float, chance: Random, *, bad: bool = False) -> Request | None:
        """One request; chance is asked equally often whatever becomes of it."""
        drawn, copied = chance.random() * WHOLE, chance.random() * WHOLE
        name, manner = (
            self._live[bisect_right(self._edges, drawn)] if self._live else ("", Manner())
        )
        live = _answer(name, manner, chance, bad=bad)
        shadow, its = self._copied[0] if self._copied else ("", Manner())
        copy = _answer(shadow, its, chance, bad=bad)
        if not name:
            return None
        return Request(at, live, copy if copied < self._share else None)


def _answer(name: str, manner: Manner, chance: Random, *, bad: bool) -> Copy:
    failed = chance.random() < manner.error_rate or bad
    log_seconds = math.log(manner.seconds) + manner.spread * chance.gauss(0.0, 1.0)
    bucket = math.ceil((log_seconds - _LOG_BASE) / _LOG_GROWTH)
    return Copy(name, NEVER if failed else max(bucket, 0), failed)


def _spell(traffic: Mapping[str, int], mirror: Mapping[str, int]) -> str:
    live, copy = (
        " ".join(f"{name} {share}" for name, share in sorted(each.items()))
        for each in (traffic, mirror)
    )
    return f"{live or 'nobody'} | {copy}" if copy else live or "nobody"


# --- the door -------------------------------------------------------------------

T = TypeVar("T")


class FakeEndpoint:
    """An ``Endpoint`` of the world, bound to a plan.

    Args:
        plan: Its two deployments.
        world: Where it is.
        who: The process, for the world's log of accepted writes.
        inputs: What else goes into a deployment's digest, by role: code, a model.
    """

    def __init__(
        self,
        plan: Plan,
        world: World,
        *,
        who: str = "",
        inputs: Mapping[str, str] | None = None,
        call_seconds: float = 5.0,
        pace: float = 1.0,
        measure_pace: float = 1.0,
        lag: float = 0.0,
    ) -> None:
        self.call_seconds = call_seconds
        self.pace = pace
        self.measure_pace = measure_pace
        self.lag = lag
        self._plan = plan
        self._world = world
        self._who = who
        self._inputs = inputs or {}
        self.past: tuple[Arm, ...] = ()

    @property
    def key(self) -> str:
        return f"fake/{self._plan.endpoint.name}".lower()

    def digest(self, role: str) -> str:
        spec = json.dumps([encode(self._plan.deployment(role)), self._inputs.get(role)])
        return hashlib.sha256(spec.encode()).hexdigest()

    def observe(self) -> Seen:
        return self._called("observe", self._seen)

    def perform(self, effect: Effect, *, run: str, hold: Hold = unfenced, head: str = "") -> None:
        hold(self.call_seconds)
        self._called("perform", lambda real: self._perform(real, effect, run, head))

    def preflight(self) -> tuple[Finding, ...]:
        return self._called("preflight", lambda _: self._world.findings)

    def probe(self, body: bytes, *, deployment: str | None, timeout: float) -> Answer:
        return self._called("probe", lambda real: self._probe(real, body, deployment, timeout))

    def logs(self, deployment: str, *, tail: int) -> str:
        return self._called("logs", lambda real: self._logs(real, deployment, tail))

    def cursor(self) -> str:
        def stand(real: Reality) -> str:
            self._readable(real)
            now = self._world.clock.now()
            return _Cursor(now, now, len(real.probed), len(real.probed)).text

        return self._called("cursor", stand)

    def read(
        self, cursor: str, *, mirrored: bool, histogram: bool, answers: bool = False
    ) -> Reading:
        def read(real: Reality) -> Reading:
            reading = self._read(real, cursor, mirrored, histogram)
            return self._with_answers(real, cursor, reading, mirrored) if answers else reading

        return self._called("read", read)

    def history(self, *, seconds: float, batch: float) -> tuple[Arm, ...]:
        return self.past

    def load(self, rps: float, bodies: tuple[bytes, ...]) -> FakeLoad:
        return FakeLoad(self._world, rps, f"load of {self._who or id(self)}")

    def destroy(self) -> None:
        def vanish(real: Reality) -> None:
            real.exists = False
            real.deployments.clear()
            real.splits.append(Shared(self._world.clock.now()))

        self._called("destroy", vanish)

    def close(self) -> None:
        pass

    # --- every call ---

    def _called(self, op: str, deed: Callable[[Reality], T]) -> T:
        with self._world.change() as real:
            if self._world.clock.now() < real.away_until:
                raise _away("The endpoint does not answer.")
            fault = next((each for each in real.faults if each[0] == op), None)
            if fault is not None:
                real.faults.remove(fault)
                if not fault[1]:
                    raise _away("The call did not get through.")
            if op in real.refusals:
                real.refusals.remove(op)
                raise _refused(f"No {op} for you.")
            done = deed(real)
        if fault is not None:
            raise _away("The reply got lost.")
        return done

    # --- looking ---

    def _seen(self, real: Reality) -> Seen:
        now = self._world.clock.now()
        split = real.split(now)
        for name, found in real.deployments.items():
            if found.looks:
                real.deployments[name] = replace(found, looks=found.looks - 1)
        return Seen(
            exists=real.exists,
            busy=real.goal.at > now,
            deployments={
                name: DeploymentSeen(
                    each.condition, each.instances, each.ready, each.run, each.digest, each.error
                )
                for name, each in real.deployments.items()
            },
            traffic=dict(split.traffic),
            mirror=dict(split.mirror),
            head=real.head,
        )

    def _probe(self, real: Reality, body: bytes, deployment: str | None, timeout: float) -> Answer:
        found = self._world.probe(real, body, deployment)
        if found is None:
            return Answer(404, 0.001, body=b"nobody answers here")
        name, bucket, failed = found.live
        said = self._world.said(real, found, found.live)
        if failed:
            return Answer(said.status, 0.001, name, said.body)
        seconds = 1e-6 * GROWTH**bucket
        if seconds > timeout:
            return Answer(0, timeout, error=f"no answer within {timeout:g} s")
        return Answer(said.status, seconds, name, said.body)

    def _logs(self, real: Reality, deployment: str, tail: int) -> str:
        if deployment not in real.deployments:
            raise _refused(f"There is no deployment {deployment}.")
        lines = real.logs.get(deployment, f"{deployment} said nothing").splitlines()
        return "\n".join(lines[-tail:])

    def _readable(self, real: Reality) -> None:
        if self._world.clock.now() < real.broken_until:
            raise _away("The measurements cannot be read.")

    def _read(self, real: Reality, cursor: str, mirrored: bool, histogram: bool) -> Reading:
        self._readable(real)
        at, now = _Cursor.of(cursor), self._world.clock.now()
        end = now - self._world.lag
        if end <= at.seen or now < real.mute_until:
            return Reading(cursor, None)
        closed = [each for each in real.probed if each.at < end]
        new = self._new(real, at, end)
        bear = [*self._world.requests(real, at.covered, end), *closed[at.told :]]
        arms = {
            role: _arm(
                self._plan.deployment(role).name,
                new,
                bear if histogram else None,
                copies=mirrored and role == "candidate",
            )
            for role in ("baseline", "candidate")
        }
        told = (end, len(closed)) if histogram else (at.covered, at.told)
        after = _Cursor(end, told[0], len(closed), told[1])
        return Reading(after.text, Interval(at.seen, end, arms))

    def _new(self, real: Reality, at: _Cursor, end: float) -> list[Request]:
        closed = [each for each in real.probed if each.at < end]
        return [*self._world.requests(real, at.seen, end), *closed[at.probed :]]

    def _with_answers(
        self, real: Reality, cursor: str, reading: Reading, mirrored: bool
    ) -> Reading:
        """The reading with what was said to the requests that it counts."""
        if reading.interval is None:
            return reading
        new = self._new(real, _Cursor.of(cursor), reading.interval.end)
        baseline, candidate = self._plan.baseline.name, self._plan.candidate.name

        def told(name: str, *, copies: bool) -> tuple[Said, ...]:
            found = [(each, each.copy if copies else each.live) for each in new]
            return tuple(
                self._world.said(real, each, one) for each, one in found if one and one.name == name
            )

        pairs = tuple(
            (self._world.said(real, each, each.live), self._world.said(real, each, each.copy))
            for each in new
            if mirrored and each.live.name == baseline
            if each.copy is not None and each.copy.name == candidate
        )
        said = {
            "baseline": told(baseline, copies=False),
            "candidate": told(candidate, copies=mirrored),
        }
        return replace(reading, said=said, pairs=pairs)

    # --- changing ---

    def _perform(self, real: Reality, effect: Effect, run: str, head: str) -> None:
        match effect:
            case CreateEndpoint():
                changed, arg = not real.exists, self._plan.endpoint.name
                real.exists = True
            case PutDeployment(role, name):
                changed, arg = self._put(real, role, name, run), name
            case ScaleDeployment(name, instances):
                changed, arg = self._scale(real, name, instances, run), f"{name} {instances}"
            case SetSplit(traffic, mirror):
                live, copy = (
                    {name: share for name, share in each.items() if share}
                    for each in (traffic, mirror)
                )
                changed, arg = self._share(real, live, copy, run), _spell(live, copy)
            case DeleteDeployment(name):
                changed, arg = self._delete(real, name), name
            case _:
                assert_never(effect)
        if changed and head:
            real.head = head
        op = type(effect).__name__
        now = self._world.clock.now()
        real.accepted.append(Accepted(now, op, arg, run, self._who, changed))

    def _put(self, real: Reality, role: str, name: str, run: str) -> bool:
        if not real.exists:
            raise _refused("There is no endpoint to put a deployment on.")
        digest, found = self.digest(role), real.deployments.get(name)
        sound = found is not None and not found.error and found.doing is not Condition.DELETING
        if found is not None and sound and found.digest == digest:
            return False
        self._idle(found)
        fate = next((doom for doom in real.dooms if doom[0] == name), None)
        if fate is not None:
            real.dooms.remove(fate)
            real.logs[name] = f"starting {name}\nTraceback\n{fate[1]}"
        serves = found is not None and found.serves
        real.deployments[name] = Deployment(
            run=run,
            digest=digest,
            ready=found.ready if found is not None and serves else 0,
            doing=Condition.UPDATING if serves else Condition.CREATING,
            until=self._world.clock.now() + self._world.create_seconds,
            looks=self._world.looks,
            fate=fate[1] if fate else "",
        )
        return True

    def _scale(self, real: Reality, name: str, instances: int, run: str) -> bool:
        found = real.deployments.get(name)
        if found is None or found.error:
            raise _refused(f"There is no sound deployment {name} to scale.")
        if found.instances == instances:
            return False
        self._idle(found)
        real.deployments[name] = replace(
            found,
            instances=instances,
            ready=min(found.ready, instances),
            run=run,
            doing=Condition.UPDATING,
            until=self._world.clock.now() + self._world.update_seconds,
            looks=self._world.looks,
        )
        return True

    def _share(
        self, real: Reality, traffic: Mapping[str, int], mirror: Mapping[str, int], run: str
    ) -> bool:
        now = self._world.clock.now()
        if not real.exists:
            raise _refused("There is no endpoint to split.")
        if (real.goal.traffic, real.goal.mirror) == (traffic, mirror):
            return False
        if real.goal.at > now:
            raise _away("The endpoint is being updated.")
        if sum(traffic.values()) not in (0, WHOLE) or any(each < 0 for each in traffic.values()):
            raise _refused(f"Live shares must sum to 100 or 0: {_spell(traffic, mirror)}.")
        if len(mirror) > 1 or any(not 0 < each <= MIRROR_LIMIT for each in mirror.values()):
            raise _refused(f"One deployment can have 1 to {MIRROR_LIMIT} % mirrored.")
        if set(mirror) & set(traffic):
            raise _refused("A deployment has either live or mirrored traffic.")
        for name in (*traffic, *mirror):
            found = real.deployments.get(name)
            if found is None or not found.serves:
                raise _refused(f"{name} is not there or not ready.")
        real.splits.append(Shared(now + self._world.split_seconds, traffic, mirror, run))
        return True

    def _delete(self, real: Reality, name: str) -> bool:
        found = real.deployments.get(name)
        if found is None:
            return False
        used = (real.split(self._world.clock.now()), real.goal)
        if any(name in each.traffic or name in each.mirror for each in used):
            raise _refused(f"{name} still has traffic.")
        if found.doing is Condition.DELETING:
            return False
        self._idle(found)
        until = self._world.clock.now() + self._world.delete_seconds
        real.deployments[name] = replace(
            found, doing=Condition.DELETING, until=until, looks=self._world.looks
        )
        return True

    @staticmethod
    def _idle(found: Deployment | None) -> None:
        if found is not None and found.doing is not None:
            raise _away("Another operation on this deployment is in progress.")


class FakeLoad:
    """Traffic that a runner sends."""

    def __init__(self, world: World, rps: float, source: str) -> None:
        self._world = world
        self._rps = rps
        self._source = source
        self.on = False

    def start(self) -> None:
        if not self.on:
            self._world.send(self._rps, self._source)
        self.on = True

    def stop(self) -> None:
        if self.on:
            self._world.send(0.0, self._source)
        self.on = False


class _Cursor(NamedTuple):
    """Up to when requests were read, up to when with latencies; the same for probes by number."""

    seen: float
    covered: float
    probed: int
    told: int

    @property
    def text(self) -> str:
        return json.dumps(self)

    @classmethod
    def of(cls, text: str) -> _Cursor:
        return cls(*json.loads(text))


def _arm(name: str, new: list[Request], bear: list[Request] | None, *, copies: bool) -> Arm:
    def mine(found: list[Request]) -> list[Copy]:
        all_of_it = [each.copy if copies else each.live for each in found]
        return [each for each in all_of_it if each is not None and each.name == name]

    answers = mine(new)
    latency: dict[int, int] | None = None
    if bear is not None:
        latency = {}
        for each in mine(bear):
            latency[each.bucket] = latency.get(each.bucket, 0) + 1
    return Arm(len(answers), sum(each.failed for each in answers), latency)


def _away(what: str) -> EndpointAway:
    return EndpointAway(what, do="Try again.")


def _refused(what: str) -> EndpointRefused:
    return EndpointRefused(what, do="Change the plan.")
