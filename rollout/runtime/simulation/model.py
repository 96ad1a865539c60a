"""An ideal endpoint in virtual time: every order works, and takes as long as stated here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from rollout.domain.decisions import WHOLE
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
from rollout.domain.measure import Arm
from rollout.domain.plan import Create, Delete, Expect, Plan, Scale, Smoke
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.run import Run, Split, Step
from rollout.ports.endpoint import Answer, Finding, Hold, Load, Reading, unfenced
from rollout.ports.observer import Appended, Notice, Waiting, Watched
from rollout.runtime.simulation.traffic import Shares, Source

CREATE, SCALE, DELETE, SPLIT = 60.0, 30.0, 30.0, 1.0  # seconds that an order takes
BAD = 500  # status of an answer that fails
_STEP = re.compile(r"\.([A-Za-z_][\w-]*)|\[(\d+)\]")  # as in rollout.runtime.probe
_SAMPLES: Mapping[str | None, object] = {
    "string": "simulated",
    "boolean": True,
    "array": [],
    "object": {},
    "null": None,
}


class VirtualClock:
    """Time that passes when somebody sleeps, and then at once to where something may be new."""

    def __init__(self) -> None:
        self._now = 0.0
        self.leap: Callable[[], float] = lambda: 0.0

    def now(self) -> float:
        """Seconds since the simulation began."""
        return self._now

    def monotonic(self) -> float:
        """The same."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Pass the time, at least ``seconds``."""
        self._now += max(seconds, self.leap())


class NoLoad:
    """The traffic of a simulation is there without anybody who sends it."""

    def start(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""


class ModelEndpoint:
    """An ``Endpoint`` that works, whose baseline serves, and whose traffic comes from a source.

    It is also told of what the runner does: so it knows where in the plan the scenario begins, and
    how far virtual time may leap.

    Args:
        plan: What is rolled out.
        source: What there is to measure.
        clock: Time passes by it.
        onset: Index of the stage with which the source's trouble begins.
        unsound: The candidate fails requests of ours.
        seconds: How long an answer to one of them takes.
    """

    call_seconds = 0.0
    pace = 1.0  # seconds
    measure_pace = 1.0
    lag = 0.0

    def __init__(
        self,
        plan: Plan,
        source: Source,
        clock: VirtualClock,
        *,
        onset: int,
        unsound: bool = False,
        seconds: float = 0.0,
    ) -> None:
        self._plan = plan
        self._source = source
        self._clock = clock
        self._onset = onset
        self._unsound = unsound
        self._seconds = seconds
        self._split = Split({plan.baseline.name: WHOLE})
        self._deployments = _standing(plan, self.digest)
        self._going: list[tuple[float, bool, Callable[[], None]]] = []
        self._flowed = self._read_at = self._watched_from = 0.0
        self._run: Run | None = None
        self._begun = self._measuring = False
        self._until: float | None = None
        clock.leap = self._leap

    # --- what a runner asks for ---------------------------------------------------

    @property
    def key(self) -> str:
        """The name of the simulation's only endpoint."""
        return f"simulated/{self._plan.endpoint.name}"

    def digest(self, role: str) -> str:
        """A word that tells the deployments apart."""
        return f"simulated {role}"

    def observe(self) -> Seen:
        """The endpoint as it is now."""
        self._settle()
        busy = any(split for _, split, _ in self._going)
        split = self._split
        return Seen(True, busy, dict(self._deployments), split.traffic, split.mirror)

    def perform(self, effect: Effect, *, run: str, hold: Hold = unfenced, head: str = "") -> None:
        """Begin what was ordered; it ends after its time."""
        del head
        hold(self.call_seconds)
        match effect:
            case CreateEndpoint():
                return
            case SetSplit(traffic, mirror):
                self._begin(SPLIT, lambda: self._share(Split(traffic, mirror)), split=True)
            case PutDeployment(role, name):
                made = DeploymentSeen(Condition.CREATING, 1, 0, run, self.digest(role))
                self._change(name, made, self._within(CREATE, Create))
            case ScaleDeployment(name, instances):
                found = self._deployments[name]
                made = replace(found, condition=Condition.UPDATING, instances=instances)
                self._change(name, made, self._within(SCALE, Scale))
            case DeleteDeployment(name):
                gone = replace(self._deployments[name], condition=Condition.DELETING)
                self._change(name, gone, self._within(DELETE, Delete))

    def preflight(self) -> tuple[Finding, ...]:
        """Nothing is ever wrong."""
        return (Finding("simulation", ok=True, text="nothing real was looked at"),)

    def probe(self, body: bytes, *, deployment: str | None, timeout: float) -> Answer:  # noqa: ARG002
        """The answer that the present stage expects, unless the scenario says otherwise."""
        name = deployment or max(self._split.traffic, key=lambda each: self._split.traffic[each])
        if self._unsound and name == self._plan.candidate.name:
            return Answer(BAD, self._seconds, name, b"simulated failure")
        work = self._run.stage.work if self._run and self._run.stage else None
        expect = work.expect if isinstance(work, Smoke) and deployment else Expect()
        return Answer(expect.status, self._seconds, name, _body(expect))

    def logs(self, deployment: str, *, tail: int) -> str:  # noqa: ARG002 - as the port has it
        """A model writes none."""
        return ""

    def cursor(self) -> str:
        """Measurements begin now."""
        self._settle()
        self._flow(self._clock.now())
        self._source.restart()
        self._read_at = self._watched_from = self._clock.now()
        return repr(self._read_at)

    def read(
        self,
        cursor: str,
        *,
        mirrored: bool,  # noqa: ARG002 - the candidate gets either live requests or copies
        histogram: bool,
        answers: bool = False,  # noqa: ARG002 - a model has none
    ) -> Reading:
        """What passed since the last reading; of a way back there is nothing to tell."""
        if self._run is not None and self._run.uncounted is not None:
            return Reading(cursor, None)
        self._settle()
        now = self._clock.now()
        self._flow(now)
        interval = self._source.taken(self._read_at, now, histogram=histogram)
        if interval is None:
            return Reading(cursor, None)
        self._read_at = now
        return Reading(repr(now), interval)

    def history(self, *, seconds: float, batch: float) -> tuple[Arm, ...]:  # noqa: ARG002
        """A model has no past."""
        return ()

    def load(self, *, rps: float, bodies: tuple[bytes, ...]) -> Load:  # noqa: ARG002
        """The traffic is the source's."""
        return NoLoad()

    def destroy(self) -> None:
        """There is nothing to remove."""

    def close(self) -> None:
        """There is nothing to let go of."""

    # --- what it is told ------------------------------------------------------------

    def saw(self, notice: Notice) -> None:
        """Follow the runner through the plan."""
        run = self._run = notice.run
        self._measuring = isinstance(notice, Watched)
        self._until = notice.until if isinstance(notice, Waiting) else None
        if not isinstance(notice, Appended) or self._begun:
            return
        holds = run.at == self._onset and run.step is Step.OBSERVING
        if holds or run.at > self._onset:
            self._begun = True
            self._source.trouble(notice.at)

    def finish(self) -> None:
        """Let the traffic pass up to now."""
        self._settle()
        self._flow(self._clock.now())

    # --- time -------------------------------------------------------------------------

    def _leap(self) -> float:
        """Seconds until something can be new: an order ends, a wait does, a measurement is due."""
        now = self._clock.now()
        due = [until for until, _, _ in self._going]
        if self._measuring:
            stage = self._run.stage if self._run else None
            guard = stage is None or stage.gate is None
            due.append(now + self._source.wait(now - self._watched_from, guard=guard))
        elif self._until is not None:
            due.append(self._until)
        if self._plan.deadline is not None and self._plan.deadline > now:
            due.append(self._plan.deadline)
        return min(due, default=now) - now

    def _begin(self, seconds: float, end: Callable[[], None], *, split: bool = False) -> None:
        self._going.append((self._clock.now() + seconds, split, end))

    def _settle(self) -> None:
        """Let everything end that has ended by now."""
        now = self._clock.now()
        for going in sorted(self._going, key=lambda each: each[0]):
            if going[0] <= now:
                self._flow(going[0])
                self._going.remove(going)
                going[2]()

    def _flow(self, until: float) -> None:
        if until <= self._flowed:
            return
        name = self._plan.candidate.name
        live, copied = self._split.traffic.get(name, 0), self._split.mirror.get(name, 0)
        self._source.flow(self._flowed, until, Shares(live / WHOLE, copied / WHOLE))
        self._flowed = until

    # --- change ------------------------------------------------------------------------

    def _share(self, split: Split) -> None:
        self._split = split

    def _change(self, name: str, meanwhile: DeploymentSeen, seconds: float) -> None:
        self._deployments[name] = meanwhile

        def end() -> None:
            if meanwhile.condition is Condition.DELETING:
                del self._deployments[name]
            else:
                self._deployments[name] = replace(
                    meanwhile, condition=Condition.READY, ready=meanwhile.instances
                )

        self._begin(seconds, end)

    def _within(self, seconds: float, kind: type) -> float:
        """A model is never late: half of what the plan's shortest such stage allows is enough."""
        allowed = [stage.timeout for stage in self._plan.stages if isinstance(stage.work, kind)]
        return min([seconds, *(each / 2.0 for each in allowed)])


def _standing(plan: Plan, digest: Callable[[str], str]) -> dict[str, DeploymentSeen]:
    """What is there at the start: the baseline, and a candidate that the plan does not create."""
    creates = any(stage.work == Create(CANDIDATE) for stage in plan.stages)
    roles = (BASELINE,) if creates else (BASELINE, CANDIDATE)
    return {
        plan.deployment(role).name: DeploymentSeen(Condition.READY, ready=1, digest=digest(role))
        for role in roles
    }


def _body(expect: Expect) -> bytes:
    """JSON with what is expected where it is expected.

    >>> _body(Expect(json_path="$.scores[1]", json_type="number"))
    b'{"scores": [1.5, 1.5]}'
    """
    value = _SAMPLES.get(expect.json_type, 1 if expect.json_type == "integer" else 1.5)
    for name, index in reversed(_STEP.findall(expect.json_path or "$")):
        value = {name: value} if name else [value] * (int(index) + 1)
    return json.dumps(value).encode()
