"""Open-loop traffic: requests leave on time, however slow the answers are."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rollout.adapters.load.wire import Wire
from rollout.domain.errors import EndpointError
from rollout.domain.measure import bucket_of, edge

Target = Callable[[], tuple[str, str]]

DEPLOYMENT_HEADER = "azureml-model-deployment"  # of an answer: who gave it

_TIMEOUT_SECONDS = 30.0
_MOST_IN_FLIGHT = 256
_LAST_ANSWERS_SECONDS = 5.0
_CLIENT_ERRORS = 400
_RENEW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Stats:
    """What has come of the traffic so far.

    Args:
        sent: Requests that left.
        ok: Answers below 400.
        failed: Status, or the name of the error -> how many.
        dropped: Not sent, as too many were still in flight.
        by_deployment: Who says it answered -> answers.
        latency: Quantile -> seconds from when a request was due to its last byte.
    """

    sent: int = 0
    ok: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    dropped: int = 0
    by_deployment: Mapping[str, int] = field(default_factory=dict)
    latency: Mapping[float, float] = field(default_factory=dict)


class OpenLoopLoad:
    """Traffic from a thread of its own.

    Args:
        target: The scoring URI and the key, asked for at the start and now and then: keys are made
            anew, and tokens end.
        rps: Requests a second.
        bodies: Request bodies, in turn.
        poisson: Random gaps, as of many independent clients; False: even ones.
        seed: Of the gaps.
        tls: Whose certificates are believed; for https:// alone.
    """

    def __init__(
        self,
        target: Target,
        *,
        rps: float,
        bodies: Sequence[bytes],
        poisson: bool = True,
        seed: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if rps <= 0 or not bodies:
            raise ValueError("load needs a rate above 0 and at least one request body")
        self._target = target
        self._rps = rps
        self._bodies = tuple(bodies)
        self._poisson = poisson
        self._tls = tls
        self._random = random.Random(seed)  # noqa: S311 -- gaps between requests, no secret
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._deployments: Counter[str] = Counter()
        self._latency: Counter[int] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """See ``Load.start``."""
        if self._thread is not None:
            return
        uri, key = self._target()
        running = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._send_all(uri, key, running)), name="load", daemon=True
        )
        self._thread.start()
        running.wait()

    def stop(self) -> None:
        """See ``Load.stop``; waits a little for answers that are under way."""
        if self._thread is None or self._loop is None or self._stopped is None:
            return
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()
        self._thread = None

    def stats(self) -> Stats:
        """What has come of it so far."""
        with self._lock:
            return Stats(
                sent=self._counts["sent"],
                ok=self._counts["ok"],
                failed=dict(self._failed),
                dropped=self._counts["dropped"],
                by_deployment=dict(self._deployments),
                latency={q: _quantile(self._latency, q) for q in (0.5, 0.95, 0.99)},
            )

    async def _send_all(self, uri: str, key: str, running: threading.Event) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        running.set()
        wire = Wire(uri, _headers(key), self._tls)
        renewing = self._loop.create_task(self._renew(wire))
        tasks = await self._send_on_time(wire, self._loop, self._stopped)
        renewing.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_LAST_ANSWERS_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await wire.close()

    async def _renew(self, wire: Wire) -> None:
        """Send with whatever opens the endpoint now; where nobody tells, with what did before."""
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            with contextlib.suppress(EndpointError):
                _, key = await asyncio.to_thread(self._target)
                wire.carry(_headers(key))

    async def _send_on_time(
        self,
        wire: Wire,
        loop: asyncio.AbstractEventLoop,
        stopped: asyncio.Event,
    ) -> set[asyncio.Task[None]]:
        tasks: set[asyncio.Task[None]] = set()
        due, number = loop.time(), 0
        while not stopped.is_set():
            due += self._random.expovariate(self._rps) if self._poisson else 1 / self._rps
            try:
                await asyncio.wait_for(stopped.wait(), due - loop.time())
            except TimeoutError:
                body = self._bodies[number % len(self._bodies)]
                number += 1
                if len(tasks) >= _MOST_IN_FLIGHT:
                    self._count("dropped")
                    continue
                task = loop.create_task(self._send(wire, body, due, loop))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        return set(tasks)

    async def _send(
        self,
        wire: Wire,
        body: bytes,
        due: float,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._count("sent")
        try:
            status, headers = await asyncio.wait_for(wire.post(body), _TIMEOUT_SECONDS)
        except (OSError, EOFError, ValueError) as error:
            with self._lock:
                self._failed[type(error).__name__] += 1
            return
        with self._lock:
            # From when it was due: else a slow endpoint would hide its own queue.
            self._latency[bucket_of(loop.time() - due)] += 1
            self._deployments[headers.get(DEPLOYMENT_HEADER, "")] += 1
            if status < _CLIENT_ERRORS:
                self._counts["ok"] += 1
            else:
                self._failed[str(status)] += 1

    def _count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}


def _quantile(buckets: Mapping[int, int], quantile: float) -> float:
    """Upper edge of the bucket that holds the quantile; 0: nothing measured.

    >>> _quantile({}, 0.5)
    0.0
    """
    left = quantile * sum(buckets.values())
    for bucket in sorted(buckets):
        left -= buckets[bucket]
        if left <= 0:
            return edge(bucket)
    return 0.0
