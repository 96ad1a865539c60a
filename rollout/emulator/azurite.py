"""Azurite, Microsoft's own emulator of blob storage: started when something is to be uploaded."""

from __future__ import annotations

import secrets
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from rollout.adapters.endpoints.local.folder import read_json, replace_json
from rollout.adapters.endpoints.local.processes import Identity, Process
from rollout.emulator.certificates import Certificates
from rollout.emulator.wire import Refusal, mapping
from rollout.ports.clock import Clock

ACCOUNT = "rolloutemulated"
INSTALL = "Install it: make .venv/.node, or npm install -g azurite@3.35.0."

_PROGRAM = "azurite-blob"
_BESIDE_PYTHON = "node/node_modules/.bin"
_START_SECONDS = 30.0
_PAUSE_SECONDS = 0.05
_CONNECT_SECONDS = 0.5
_GRACE_SECONDS = 3.0


def find(given: str | None) -> str | None:
    """The program: as given, beside the running Python's environment, or on the PATH."""
    if given is not None:
        return shutil.which(given)
    beside = Path(sys.prefix) / _BESIDE_PYTHON / _PROGRAM
    return str(beside) if beside.exists() else shutil.which(_PROGRAM)


class Azurite:
    """The blob storage of one emulator; it outlives a kill of it and is found again.

    Args:
        folder: Of its blobs and its log.
        program: Path given for it; None: look for it.
        certificates: What it shows its clients.
        key: Of the storage account, in base64.
        clock: Time.
    """

    def __init__(
        self,
        folder: Path,
        program: str | None,
        certificates: Certificates,
        key: str,
        clock: Clock,
    ) -> None:
        self._folder = folder
        self._program = program
        self._certificates = certificates
        self.key = key
        self._clock = clock
        self._record = folder / "process.json"
        self._process: Process | None = None
        self.port: int | None = None
        self._adopt()

    def start(self) -> int:
        """Its port; it is started if need be.

        Raises:
            Refusal: it is not installed, or does not start.
        """
        if self._process is None or self.port is None or not self._process.alive():
            self._start()
        if self.port is None:
            raise _unavailable("Azurite does not start.")
        return self.port

    def stop(self) -> bool:
        """End it; whether it ran."""
        process, self._process = self._process, None
        if process is None:
            return False
        ran = process.alive()
        process.terminate()
        self._wait(lambda: not process.alive(), _GRACE_SECONDS)
        process.kill_group()
        self._record.unlink(missing_ok=True)
        return ran

    def _adopt(self) -> None:
        found = read_json(self._record)
        if found is None:
            return
        self._process = Process.adopt(Identity.from_json(mapping(found["process"])))
        self.port = int(str(found["port"]))

    def _start(self) -> None:
        program = find(self._program)
        if program is None:
            raise _unavailable(self._missing())
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The port before, if there was one: addresses of uploaded code have it in them.
        port = self.port if self.port is not None and not _answers(self.port) else _free_port()
        process = Process.start(
            self._command(program, port),
            tag=f"azurite:{secrets.token_hex(8)}",
            log=self._folder / "azurite.log",
            environment={"AZURITE_ACCOUNTS": f"{ACCOUNT}:{self.key}"},
            cwd=self._folder,
        )
        if not self._wait(lambda: _answers(port) or not process.alive(), _START_SECONDS):
            process.kill_group()
        if not process.alive():
            log = self._folder / "azurite.log"
            raise _unavailable(f"Azurite does not start; read {log}.")
        self._process, self.port = process, port
        replace_json(self._record, {"process": process.identity.to_json(), "port": port})

    def _missing(self) -> str:
        if self._program is not None:
            return (
                f"Uploads need Azurite, and {self._program}, which --azurite names, is not there. "
                "Start the emulator with the path of azurite-blob."
            )
        return (
            "Uploads need Azurite, and azurite-blob was found neither beside Python nor on the "
            f"PATH. {INSTALL}"
        )

    def _command(self, program: str, port: int) -> list[str]:
        return [
            program,
            "--blobHost", "127.0.0.1",
            "--blobPort", str(port),
            "--location", str(self._folder),
            "--cert", str(self._certificates.chain),
            "--key", str(self._certificates.key),
            "--loose",
            "--skipApiVersionCheck",
            "--silent",
            "--disableTelemetry",  # else it calls out
        ]  # fmt: skip

    def _wait(self, done: Callable[[], bool], seconds: float) -> bool:
        until = self._clock.monotonic() + seconds
        while self._clock.monotonic() < until:
            if done():
                return True
            self._clock.sleep(_PAUSE_SECONDS)
        return False


def _unavailable(message: str) -> Refusal:
    # No 5xx: clients would try again, and it will not be there.
    return Refusal(400, "EmulatorStorageUnavailable", message)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(_CONNECT_SECONDS)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
