"""One scoring server of a deployment: how it is started, and when it counts as ready."""

from __future__ import annotations

import http.client
import math
import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import cast

from rollout.adapters.endpoints.local import snapshot
from rollout.adapters.endpoints.local.folder import Folder
from rollout.adapters.endpoints.local.processes import Identity, Process
from rollout.adapters.endpoints.local.specification import Specification

# The proxy's time limit strikes first: were both to strike at once, the client would get half an
# answer. The server's own frees its worker afterwards.
_AFTER_ENVOY_MS = 250
_SERVE = Path(__file__).with_name("serve.py")
_PROBE_SECONDS = 10.0
_PROBE_PAUSE_SECONDS = 0.05
_HEALTHY = 200
# gunicorn counts the start of a worker as silence, so its limit must not be below ours.
_WORKER_TIMEOUT_SECONDS = 300


class State(Enum):
    """Where a server stands; only a ready one gets new requests."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPING = "stopping"


@dataclass(slots=True)
class Replica:
    """One scoring server.

    Args:
        number: Counts the servers of a deployment.
        revision: The specification it runs.
        port: Where it listens, on the loopback.
        since: When it entered its state, monotonic seconds.
        log_from: Where its own lines begin in the deployment's log, bytes.
        probe: Waits for its first healthy answer while it starts.
    """

    number: int
    revision: int
    port: int
    process: Process
    state: State
    since: float
    log_from: int = 0
    probe: Probe | None = None

    def enter(self, state: State, now: float) -> None:
        """Go on to ``state``."""
        self.state, self.since = state, now
        if self.probe is not None and state is not State.STARTING:
            self.probe.stop()
            self.probe = None

    def to_json(self) -> dict[str, object]:
        """What the next engine needs to adopt it."""
        return {
            "number": self.number,
            "revision": self.revision,
            "port": self.port,
            "state": self.state.value,
            "log_from": self.log_from,
            **self.process.identity.to_json(),
        }

    @classmethod
    def adopt(cls, data: Mapping[str, object], now: float) -> Replica | None:
        """The server that an earlier engine wrote down, if it still is that very one."""
        process = Process.adopt(Identity.from_json(data))
        if process is None:
            return None
        number, revision, port = (cast(int, data[key]) for key in ("number", "revision", "port"))
        log_from = cast(int, data["log_from"])
        return cls(number, revision, port, process, State(data["state"]), now, log_from)


class Probe:
    """Asks a starting server until it is healthy.

    Its port takes connections before ``init()`` has run, so only an HTTP answer tells.
    """

    def __init__(self, port: int, wake: Callable[[], None]) -> None:
        self._port = port
        self._wake = wake
        self._stop = threading.Event()
        self._ready = threading.Event()
        threading.Thread(target=self._run, name=f"probe-{port}", daemon=True).start()

    def ready(self) -> bool:
        """Whether it has answered."""
        return self._ready.is_set()

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(_PROBE_PAUSE_SECONDS):
            if _healthy(self._port):
                self._ready.set()
                self._wake()
                return


def launch(
    folder: Folder, deployment: str, specification: Specification, *, digest: str, tag: str
) -> tuple[Process, int, int]:
    """Start a scoring server: its process, its port, and where its log lines begin.

    Raises:
        OSError: the interpreter cannot be started.
    """
    log = folder.log(deployment)
    log_from = log.stat().st_size if log.exists() else 0
    taken = folder.snapshots / digest
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    with listening:
        port = listening.getsockname()[1]
        environment = {
            **_environment(specification, taken),
            "ROLLOUT_LISTENING": str(listening.fileno()),
            "ROLLOUT_FAULTS": str(folder.fault(deployment)),
        }
        script = snapshot.code_folder(taken) / specification.scoring_script
        python = specification.python or sys.executable
        process = Process.start(
            [python, str(_SERVE), "--port", str(port), "--entry_script", str(script)],
            tag=f"{tag}/replica/{deployment}/{secrets.token_hex(6)}",
            log=log,
            environment=environment,
            cwd=snapshot.code_folder(taken),
            pass_fds=(listening.fileno(),),
        )
    return process, port, log_from


def _environment(specification: Specification, taken: Path) -> dict[str, str]:
    given = specification.environment
    grace = math.ceil(specification.timeout_ms / 1000) + 5
    gunicorn = f"--graceful-timeout {grace} {given.get('GUNICORN_CMD_ARGS', '')}".strip()
    worker_timeout = max(_WORKER_TIMEOUT_SECONDS, math.ceil(specification.start_seconds))
    return {
        "OMP_NUM_THREADS": "1",  # several servers on one machine would each take every core
        "PYTHONUNBUFFERED": "1",
        "SCORING_TIMEOUT_MS": str(specification.timeout_ms + _AFTER_ENVOY_MS),
        "WORKER_TIMEOUT": str(worker_timeout),
        **given,
        "GUNICORN_CMD_ARGS": gunicorn,
        "AZUREML_MODEL_DIR": str(snapshot.model_folder(taken)),
        "AML_APP_ROOT": str(snapshot.code_folder(taken)),
    }


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == _HEALTHY
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def tail(path: Path, *, start: int = 0, most: int = 1 << 20) -> str:
    """The text of ``path`` from byte ``start`` on, at most its last ``most`` bytes."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            begin = start if start <= size else 0  # it was rotated meanwhile
            file.seek(max(begin, size - most))
            return file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
