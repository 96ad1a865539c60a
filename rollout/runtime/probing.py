"""Probes in the background: a slow or dead candidate must not hold up the guard."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from rollout.domain.answers import Said
from rollout.domain.criteria import Probing
from rollout.domain.errors import EndpointError
from rollout.domain.plan import Plan
from rollout.ports.clock import Clock
from rollout.ports.endpoint import Endpoint
from rollout.ports.probes import Asked
from rollout.runtime.hearing import Hearing, Interest

TIMEOUT = 10.0  # seconds for one answer
AT_ONCE = 8  # requests under way
MOST_BYTES = 64 * 1024  # of an answer that are read
MOST = 2000  # pairs that wait to be taken; a reader that is late loses the oldest


def hearing_of(plan: Plan, endpoint: Endpoint, clock: Clock) -> Hearing:
    """Whoever listens to the answers of a plan's deployments, and asks where the plan says so."""
    interest, how = Interest.of(plan), plan.compare
    if not how.rps or not interest.comparisons:
        return Hearing(interest, examples=how.examples)
    names = plan.baseline.name, plan.candidate.name
    probes = BackgroundProbes(endpoint, names, plan.requests, how, clock)
    return Hearing(interest, probes, how.examples, noise=how.noise)


@dataclass(slots=True)
class BackgroundProbes:
    """Sends a plan's request bodies in turn to both deployments, by header.

    Args:
        endpoint: Whom to ask; its ``probe`` is called from several threads.
        names: The baseline's and the candidate's name.
        bodies: At least one.
        how: At what rate, and whether the baseline is asked twice.
        clock: For the rate.
    """

    endpoint: Endpoint
    names: tuple[str, str]
    bodies: Sequence[bytes]
    how: Probing
    clock: Clock
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _answered: deque[Asked] = field(default_factory=lambda: deque(maxlen=MOST), init=False)

    def start(self) -> None:
        """See ``Probes.start``."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="probes", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """See ``Probes.stop``; what is under way is waited for, as long as one answer may take."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(TIMEOUT)
            self._thread = None

    def take(self) -> tuple[Asked, ...]:
        """See ``Probes.take``."""
        found = []
        while self._answered:
            found.append(self._answered.popleft())
        return tuple(found)

    def _run(self) -> None:
        began, sent = self.clock.monotonic(), 0
        free = threading.Semaphore(AT_ONCE)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while not self._stop.is_set():
                due = began + sent / self.how.rps - self.clock.monotonic()
                if due > 0:
                    self._stop.wait(min(due, 1.0))
                    continue
                sent += 1
                if free.acquire(blocking=False):  # else this one is left out: never a backlog
                    pool.submit(self._ask, self.bodies[sent % len(self.bodies)], free)

    def _ask(self, body: bytes, free: threading.Semaphore) -> None:
        try:
            baseline, candidate = (self._said(body, name) for name in self.names)
            second = self._said(body, self.names[0]) if self.how.noise else None
            self._answered.append(Asked(baseline, candidate, second))
        except EndpointError:
            return  # an endpoint out of reach says nothing about its answers
        finally:
            free.release()

    def _said(self, body: bytes, name: str) -> Said:
        answer = self.endpoint.probe(body, deployment=name, timeout=TIMEOUT)
        kind = answer.content_type.partition(";")[0].strip().lower()
        return Said(answer.status, answer.body, kind, len(answer.body) < MOST_BYTES)
