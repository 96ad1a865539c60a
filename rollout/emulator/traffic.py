"""Who asked for what, and what came of it: the engine's access log, with what only the front knows.

The engine's log has every request that was handed on and every mirrored copy, timed by one and the
same clock, so that both arms of a comparison are measured alike. But it knows neither whose key a
request had nor what its client called itself. That is written down where requests are answered, and
the two are joined by deployment, status and time.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

from rollout.adapters.endpoints.local import rotation
from rollout.emulator.engines import Engines
from rollout.ports.clock import Clock

MOST = 200_000  # requests an endpoint that are remembered
_MOST_BYTES = 50 * 2**20
_MOST_WAITING = 2_000
_BY_THE_SERVER = "via_upstream"
_TIMEOUTS = (408, 504)
_ERRORS = 400
_MODEL_ERROR = 424
_TIMED_OUT = 408
_CLIENT_LEFT = 499
_CLOCKS_SECONDS = 0.05  # that two processes may see one moment apart
_PATIENCE_SECONDS = 3.0  # Envoy writes its log five times a second


@dataclass(frozen=True, slots=True)
class Request:
    """A request, or its mirrored copy.

    Args:
        began: Unix seconds.
        seconds: Until the last byte of the answer; of what was handed on, by the engine's log.
        deployment: Who answered; empty: nobody did.
        status: What the client got; of a copy, what it would have got.
        model_status: What the scoring server answered; 0: nothing.
        shadow: Whether it is a copy.
        passed: Whether it was handed on to the local endpoint.
    """

    began: float
    seconds: float
    deployment: str
    status: int
    model_status: int
    shadow: bool = False
    passed: bool = False
    method: str = "POST"
    auth: str = ""
    agent: str = ""
    id: str = ""
    client_id: str = ""
    sent: int = 0
    received: int = 0

    @property
    def ended(self) -> float:
        """Unix seconds."""
        return self.began + self.seconds

    @property
    def kind(self) -> tuple[str, int]:
        """What the front and the engine say alike of one request."""
        return self.deployment, self.status

    def holds(self, inner: Request) -> bool:
        """Whether the engine's ``inner`` lies within this one's time."""
        after = inner.began >= self.began - _CLOCKS_SECONDS
        return after and inner.ended <= self.ended + _CLOCKS_SECONDS


def public_status(status: int, *, by_model: bool) -> int:
    """What a client sees: a model's error is 424, its slowness 408.

    >>> public_status(500, by_model=True), public_status(504, by_model=False)
    (424, 408)
    """
    if status in _TIMEOUTS:
        return _TIMED_OUT
    if not status:
        return _CLIENT_LEFT
    return status if status < _ERRORS or not by_model else _MODEL_ERROR


class Traffic:
    """The requests of one endpoint; may be used by several threads.

    Args:
        path: Where the front's part is kept.
        access_log: The engine's.
        clock: Time.
    """

    def __init__(self, path: Path, access_log: Path, clock: Clock) -> None:
        self._path = path
        self._log = _AccessLog(access_log)
        self._clock = clock
        self._lock = threading.Lock()
        self._known: deque[Request] = deque(maxlen=MOST)
        self._fronts: defaultdict[tuple[str, int], deque[Request]] = defaultdict(deque)
        self._inners: list[Request] = []
        for each in _read(path):
            self._take(each)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def add(self, request: Request) -> None:
        """One more, as the front saw it."""
        with self._lock:
            self._take(request)
            if len(self._fronts[request.kind]) > _MOST_WAITING:
                self._join()
            self._file.write(json.dumps(asdict(request)) + "\n")
            if self._file.tell() > _MOST_BYTES:
                self._file.close()
                self._path.replace(_older(self._path))
                self._file = self._path.open("a", encoding="utf-8", buffering=1)

    def between(self, start: float, end: float) -> list[Request]:
        """The requests that ended in ``[start, end)``, Unix seconds; oldest first."""
        with self._lock:
            self._join()
            found = [one for one in self._known if start <= one.ended < end]
        return sorted(found, key=lambda one: one.ended)

    def close(self, *, forget: bool = False) -> None:
        """Write no more; ``forget``: the endpoint is gone."""
        with self._lock:
            self._file.close()
            if forget:
                self._path.unlink(missing_ok=True)
                _older(self._path).unlink(missing_ok=True)

    def _take(self, request: Request) -> None:
        if request.passed:
            self._fronts[request.kind].append(request)
        else:
            self._known.append(request)

    def _join(self) -> None:
        """Join what is new; what stays alone for long is known as it is."""
        late = self._clock.now() - _PATIENCE_SECONDS
        waiting: list[Request] = []
        for inner in [*self._inners, *self._log.read()]:
            front = None if inner.shadow else self._front_of(inner)
            if front is not None:
                self._known.append(replace(front, began=inner.began, seconds=inner.seconds))
            elif inner.shadow or inner.ended < late:
                self._known.append(inner)
            else:
                waiting.append(inner)
        self._inners = waiting
        for fronts in self._fronts.values():
            while fronts and fronts[0].ended < late:
                self._known.append(fronts.popleft())

    def _front_of(self, inner: Request) -> Request | None:
        fronts = self._fronts[inner.kind]
        while fronts and fronts[0].ended < inner.began - _CLOCKS_SECONDS:
            self._known.append(fronts.popleft())  # its line is lost
        found = next((one for one in fronts if one.holds(inner)), None)
        if found is not None:
            fronts.remove(found)
        return found


class TrafficLogs:
    """The requests of all endpoints.

    Args:
        folder: Where the front's part is kept.
        engines: Have the logs of the local endpoints.
        clock: Time.
    """

    def __init__(self, folder: Path, engines: Engines, clock: Clock) -> None:
        self._folder = folder
        self._engines = engines
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, Traffic] = {}

    def of(self, endpoint: str) -> Traffic:
        """The requests of an endpoint."""
        with self._lock:
            if endpoint not in self._known:
                log = self._engines.folder(endpoint).access_log
                path = self._folder / f"{endpoint}.jsonl"
                self._known[endpoint] = Traffic(path, log, self._clock)
            return self._known[endpoint]

    def forget(self, endpoint: str) -> None:
        """An endpoint is gone; one of the same name begins anew."""
        self.of(endpoint).close(forget=True)
        with self._lock:
            del self._known[endpoint]

    def close(self) -> None:
        """Write no more."""
        with self._lock:
            for each in self._known.values():
                each.close()
            self._known.clear()


class _AccessLog:
    """Reads an engine's access log, each line once, also over rotations."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._done: dict[int, int] = {}  # inode -> bytes that have been read

    def read(self) -> Iterator[Request]:
        """The requests since the last reading."""
        seen: dict[int, int] = {}
        for path in [*rotation.segments(self._path).values(), self._path]:
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue
            with file:
                inode = path.stat().st_ino
                at = self._done.get(inode, 0)
                file.seek(at)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    at += len(line)
                    found = _parsed(line)
                    if found is not None:
                        yield found
                seen[inode] = at
        self._done = seen


def _parsed(line: bytes) -> Request | None:
    # After a kill of Envoy a torn line may stand before the first new one.
    try:
        entry = json.loads(line[line.rfind(b'{"') :])
        status = cast(int, entry["status"] or 0)
        by_model = entry["details"] == _BY_THE_SERVER
        # As the local endpoint's own measurements: a copy's way through the gate does not count.
        took = entry["upstream_us"] if entry["attempts"] == 1 else None
        return Request(
            began=float(entry["ts"]),
            seconds=(took if took is not None else entry["us"] or 0) / 1e6,
            deployment=str(entry["cluster"] or "~~").split("~")[1],
            status=public_status(status, by_model=by_model),
            model_status=status if by_model else 0,
            shadow=bool(entry["shadow"]),
            passed=True,
            id=str(entry["id"] or ""),
        )
    except (ValueError, KeyError, TypeError, IndexError):
        return None


def _read(path: Path) -> Iterator[Request]:
    for each in (_older(path), path):
        try:
            with each.open(encoding="utf-8") as file:
                for line in file:
                    if line.endswith("\n"):
                        yield Request(**cast("Mapping[str, object]", json.loads(line)))  # type: ignore[arg-type]
        except FileNotFoundError:
            continue


def _older(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")
