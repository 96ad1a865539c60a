"""The scoring servers of one deployment: started, watched, replaced, and told about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from rollout.adapters.endpoints.local import chapters, orders, replica
from rollout.adapters.endpoints.local.desired import Wanted
from rollout.adapters.endpoints.local.folder import Folder
from rollout.adapters.endpoints.local.journal import Journal
from rollout.adapters.endpoints.local.processes import Process
from rollout.adapters.endpoints.local.reached import Reached, condition, ending, reason
from rollout.adapters.endpoints.local.replica import Replica, State
from rollout.adapters.endpoints.local.restarts import QUICK_SECONDS, Restarts
from rollout.adapters.endpoints.local.taking import Taking
from rollout.adapters.endpoints.local.xds import Host, Upstream
from rollout.domain.endpoint import Condition

_MEGABYTE = 10**6
_LEAST_DRAIN_SECONDS = 0.3  # connections that Envoy had begun to open when it was told
_GRACE_SECONDS = 10.0
_STEADY_SECONDS = 10.0


@dataclass(slots=True)
class Fleet:
    """One deployment's servers; every method is called under the engine's lock.

    Args:
        wanted: What the deployment shall be.
        replicas: Every server that has been started and has not ended.
        leftover: Servers whose master died while workers may still answer, and until when.
    """

    name: str
    wanted: Wanted
    folder: Folder
    journal: Journal
    tag: str
    wake: Callable[[], None]
    reached: Reached = field(default_factory=Reached)
    replicas: list[Replica] = field(default_factory=list)
    restarts: Restarts = field(default_factory=Restarts)
    leftover: list[tuple[Process, float]] = field(default_factory=list)
    taking: Taking | None = None

    def adopt(self, records: Iterable[Mapping[str, object]], now: float) -> None:
        """Take over the servers that an earlier engine wrote down and that still live."""
        for record in records:
            found = Replica.adopt(record, now)
            if found is None:
                continue
            self.replicas.append(found)
            if found.state is State.STARTING:
                found.probe = replica.Probe(found.port, self.wake)
            elif found.state is State.STOPPING:
                found.process.terminate()  # the engine may have died just before it did

    def change(self, wanted: Wanted) -> None:
        """From now on ``wanted`` shall be; a failure before does not count any more."""
        if wanted.revision != self.wanted.revision or self.reached.failure:
            self.reached.failure = ""
            self.restarts = Restarts(total=self.restarts.total)
            self.taking = None
        self.wanted = wanted

    def begin_chapter(self) -> None:
        """Say in the log which run and revision the lines from here on are about."""
        line = chapters.heading(self.journal.stamp(), self.wanted.revision, self.wanted.run)
        self._log(line)

    @property
    def condition(self) -> Condition:
        """Where its provisioning stands."""
        return condition(self.wanted, self.reached)

    @property
    def may_serve(self) -> bool:
        """Whether it may be given requests that it does not have yet."""
        return self.reached.revision > 0 and not self.reached.failure and not self.wanted.deleting

    @property
    def ready(self) -> list[Replica]:
        """Servers that get requests."""
        return [one for one in self.replicas if one.state is State.READY]

    @property
    def gone(self) -> bool:
        """It shall go, and nothing of it runs."""
        return self.wanted.deleting and not self.replicas

    def upstream(self) -> Upstream:
        """What the proxy is to know of it."""
        hosts = [
            Host(one.port, one.state is State.DRAINING)
            for one in self.replicas
            if one.state in (State.READY, State.DRAINING)
        ]
        ordered = sorted(hosts, key=lambda host: host.port)
        limit = self.wanted.specification.timeout_ms
        return Upstream(limit, tuple(ordered), leaving=self.wanted.deleting)

    def seen(self) -> dict[str, object]:
        """The deployment as the endpoint reports it."""
        return {
            "condition": self.condition.value,
            "instances": self.wanted.instances,
            "ready": len(self.ready),
            "run": self.wanted.run,
            "digest": self.wanted.digest,
            "error": self.reached.failure,
            "restarts": self.restarts.total,
        }

    def listing(self) -> list[dict[str, object]]:
        """The servers, for people."""
        return [
            {
                "role": "server",
                "deployment": self.name,
                "pid": one.process.identity.pid,
                "port": one.port,
                "state": one.state.value,
                "revision": one.revision,
                "restarts": self.restarts.total,
                "memory": one.process.memory(),
            }
            for one in self.replicas
        ]

    @property
    def draining(self) -> bool:
        """Whether any server is being drained."""
        return any(one.state is State.DRAINING for one in self.replicas)

    def step(self, now: float, idle: frozenset[int]) -> None:
        """See what has happened and do what is due next. ``idle``: drained ports."""
        for one in list(self.replicas):
            self._look_at(one, now)
        servers = [self._as_server(one, now, idle) for one in self.replicas]
        for order in orders.due(self._goal(now), servers):
            self._obey(order, now)
        self._settle(now)
        for process, until in list(self.leftover):
            if now > until:
                process.kill_group()
                self.leftover.remove((process, until))

    def check_memory(self, now: float) -> None:
        """End every server that holds more than its limit."""
        limit = self.wanted.specification.memory
        if limit is None:
            return
        for one in [one for one in self.replicas if one.state in (State.STARTING, State.READY)]:
            used = one.process.memory()
            if used > limit:
                said = f"out of memory: {used / _MEGABYTE:.0f} MB of {limit / _MEGABYTE:.0f} MB"
                self._say(one, said)
                one.process.kill_group()
                self._died(one, said, now, again=self._ever)

    def kill_one(self) -> bool:
        """End a ready server at once, as a fault; False: there is none."""
        for one in self.ready[:1]:
            self._say(one, "killed by rollout local fault")
            one.process.kill_group()
            return True
        return False

    def _goal(self, now: float) -> orders.Goal:
        if self.wanted.deleting:
            return orders.Goal(self.wanted.revision, 0, may_start=False)
        hopeless = bool(self.reached.failure) and not self._ever
        may_start = not hopeless and now >= self.restarts.not_before and self._taken(now)
        return orders.Goal(self.wanted.revision, self.wanted.instances, may_start)

    @property
    def _ever(self) -> bool:
        """Whether what is wanted has been ready before: then a death may be bad luck."""
        return self.reached.revision == self.wanted.revision

    def _taken(self, now: float) -> bool:
        """Whether the files are copied; begins to copy them."""
        if (self.folder.snapshots / self.wanted.digest).is_dir():
            return True
        if self.taking is None:
            self.taking = Taking(self.wanted, self.folder.snapshots, self.wake)
        elif self.taking.error:
            self._fail(self.taking.error, now)
        return False

    def _as_server(self, one: Replica, now: float, idle: frozenset[int]) -> orders.Server:
        waited = now - one.since
        longest = self.wanted.specification.timeout_ms / 1000 + _GRACE_SECONDS
        drained = (one.port in idle and waited >= _LEAST_DRAIN_SECONDS) or waited > longest
        return orders.Server(one.number, one.revision, one.state, drained)

    def _obey(self, order: orders.Order, now: float) -> None:
        match order:
            case orders.Start():
                self._start(now)
            case orders.Drain(number):
                self._numbered(number).enter(State.DRAINING, now)
            case orders.Stop(number):
                self._stop(self._numbered(number), now)

    def _stop(self, one: Replica, now: float) -> None:
        one.enter(State.STOPPING, now)
        one.process.terminate()

    def _numbered(self, number: int) -> Replica:
        return next(one for one in self.replicas if one.number == number)

    def _start(self, now: float) -> None:
        number = max((one.number for one in self.replicas), default=0) + 1
        wanted = self.wanted
        try:
            process, port, log_from = replica.launch(
                self.folder, self.name, wanted.specification, digest=wanted.digest, tag=self.tag
            )
        except OSError as error:
            self._fail(f"Its interpreter cannot be started: {error}.", now)
            return
        one = Replica(number, wanted.revision, port, process, State.STARTING, now, log_from)
        self.replicas.append(one)
        self._say(one, "started")
        one.probe = replica.Probe(port, self.wake)

    def _look_at(self, one: Replica, now: float) -> None:
        if not one.process.alive():
            self._ended(one, now)
            return
        waited = now - one.since
        if one.state is State.STARTING:
            longest = self.wanted.specification.start_seconds
            if one.probe is not None and one.probe.ready():
                one.enter(State.READY, now)
                self._say(one, "ready")
            elif waited > longest:
                one.process.kill_group()
                said = f"it was not ready within {longest:.0f} s"
                self._died(one, said, now, again=self._ever)
        elif one.state is State.STOPPING:
            if waited > self.wanted.specification.timeout_ms / 1000 + _GRACE_SECONDS:
                one.process.kill_group()
        elif one.state is State.READY and waited > QUICK_SECONDS:
            self.restarts = self.restarts.steady()

    def _ended(self, one: Replica, now: float) -> None:
        if one.state in (State.DRAINING, State.STOPPING):
            self._remove(one)
            self._say(one, "stopped")
            return
        code = one.process.exit_code()
        # Its workers finish what they have; the port is theirs until then.
        patience = self.wanted.specification.timeout_ms / 1000 + 1
        self.leftover.append((one.process, now + patience))
        # An exit code before the first readiness is the script's own doing; a signal is not.
        own_doing = code is not None and code >= 0
        log = replica.tail(self.folder.log(self.name), start=one.log_from)
        how = ending(code) + (reason(log) if own_doing else "")
        hopeless = own_doing and one.state is State.STARTING and not self._ever
        self._died(one, how, now, again=not hopeless)

    def _died(self, one: Replica, how: str, now: float, *, again: bool) -> None:
        """Note a death; ``again``: starting another one may help."""
        self._remove(one)
        self._say(one, how)
        if one.revision != self.wanted.revision or self.wanted.deleting:
            return
        sentence = f"A scoring server of '{self.name}' failed: {how}."
        lived = now - one.since if one.state is State.READY else 0.0
        self.restarts = self.restarts.after_death(now, lived=lived)
        if not again:
            self._fail(sentence, now)
        elif self.restarts.looping:
            self._fail(f"{sentence[:-1]} (again and again).", now)

    def _fail(self, sentence: str, now: float) -> None:
        if not self.reached.failure:
            self.journal.write("deployment.failed", deployment=self.name, error=sentence)
        self.reached.failure = sentence
        for one in self.replicas:
            if one.state is State.STARTING and one.revision == self.wanted.revision:
                self._stop(one, now)

    def _settle(self, now: float) -> None:
        ready = [one for one in self.ready if one.revision == self.wanted.revision]
        whole = len(ready) == len(self.replicas) == self.wanted.instances
        if not whole or self.wanted.deleting:
            return
        if self.reached.failure and any(now - one.since < _STEADY_SECONDS for one in ready):
            return
        self.reached = Reached(self.wanted.revision, self.wanted.instances)

    def _remove(self, one: Replica) -> None:
        if one.probe is not None:
            one.probe.stop()
        self.replicas.remove(one)

    def _say(self, one: Replica, what: str) -> None:
        pid = one.process.identity.pid
        self.journal.write("server", deployment=self.name, pid=pid, port=one.port, what=what)
        self._log(f"{self.journal.stamp()} rollout: server {pid} {what}")

    def _log(self, line: str) -> None:
        with self.folder.log(self.name).open("a", encoding="utf-8") as log:
            log.write(line + "\n")
