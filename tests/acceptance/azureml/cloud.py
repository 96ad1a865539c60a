"""An Azure for tests: ``rollout emulate azureml`` as a process of its own, and what its clients need."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROLLOUT = str(Path(sys.executable).with_name("rollout"))
_START_SECONDS = 180


@dataclass
class Cloud:
    """One emulator with its state; ``options`` are those of the command.

    Args:
        folder: Its own, empty at first.
    """

    folder: Path
    options: tuple[str, ...] = ()
    process: subprocess.Popen | None = None
    environment: dict[str, str] = field(default_factory=dict)
    _plain: httpx.Client | None = None
    _records: list[dict[str, Any]] = field(default_factory=list)
    _records_end: int = 0  # bytes
    _reading: threading.Lock = field(default_factory=threading.Lock)

    @property
    def state_folder(self) -> Path:
        return self.folder / "state"

    @property
    def record(self) -> Path:
        """Where each request is recorded with its reply."""
        return self.folder / "record.jsonl"

    @property
    def base(self) -> str:
        """The emulator's address."""
        return self.environment["AZURE_AUTHORITY_HOST"]

    @property
    def subscription(self) -> str:
        return self.environment["AZURE_SUBSCRIPTION_ID"]

    @property
    def workspace_id(self) -> str:
        """The workspace's resource id."""
        found = self.environment
        group = f"/subscriptions/{self.subscription}/resourceGroups/{found['AZURE_RESOURCE_GROUP']}"
        provider = "providers/Microsoft.MachineLearningServices"
        return f"{group}/{provider}/workspaces/{found['AZUREML_WORKSPACE']}"

    # --- the process ----------------------------------------------------------

    def start(self) -> Cloud:
        """Start it and wait until it answers; the port stays the same from start to start."""
        said = self.folder / "emulator.json"
        command = ["emulate", "azureml", "--state", str(self.state_folder), "-o", "json"]
        command += ["--record", str(self.record), *self.options]
        plain = {k: v for k, v in os.environ.items() if k not in self.environment}
        with said.open("w") as out, (self.folder / "emulator.err").open("a") as err:
            self.process = subprocess.Popen(
                [ROLLOUT, *command], cwd=self.folder, stdout=out, stderr=err, env=plain
            )
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            with suppress(ValueError):
                self.environment = json.loads(said.read_text())
                return self
            time.sleep(0.05)
        raise AssertionError((self.folder / "emulator.err").read_text()[-3000:])

    def warm(self) -> None:
        """Let it start its storage, for which no client of it has as much patience as we do."""
        upload = {"pendingUploadType": "TemporaryBlobReference"}
        self.arm("POST", "/codes/warm/versions/1/startPendingUpload", upload).raise_for_status()

    def kill(self) -> None:
        """``kill -9``: what serves behind it goes on."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """An orderly end, of all that serves behind it as well; the exit code."""
        return self._end(signal.SIGTERM)

    def restart(self) -> Cloud:
        """Killed and started again."""
        self.kill()
        return self.start()

    def close(self) -> None:
        """Leave nothing running."""
        if self._plain is not None:
            self._plain.close()
            self._plain = None
        if self.process is not None and self.process.poll() is None:
            self.stop()
        command = [ROLLOUT, "emulate", "azureml", "--down", "--state", str(self.state_folder)]
        subprocess.run(command, cwd=self.folder, capture_output=True, timeout=120, check=False)

    def _end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=120)

    # --- its own calls --------------------------------------------------------

    def admin(self, method: str, what: str, body: object = None) -> Any:
        """A call of the emulator's own: ``state``, ``faults``."""
        answer = self.plain().request(method, f"{self.base}/_emulator/{what}", json=body)
        answer.raise_for_status()
        return answer.json()

    def fault(self, *faults: str | dict[str, object]) -> None:
        """Let calls go wrong, see docs/emulator.md."""
        self.admin("POST", "faults", list(faults))

    def clear(self) -> None:
        """No faults any more; stuck operations go on."""
        self.admin("DELETE", "faults")

    def state(self) -> Any:
        """Endpoints, operations and faults, as the emulator knows them."""
        return self.admin("GET", "state")

    def wait(self, holds: Callable[[Any], object], seconds: float = 180) -> Any:
        """The state once it ``holds``."""
        until = time.monotonic() + seconds
        while not holds(found := self.state()):
            assert time.monotonic() < until, found
            time.sleep(0.05)
        return found

    # --- clients --------------------------------------------------------------

    def plain(self) -> httpx.Client:
        """The client of all plain calls; it trusts the emulator and uses no proxy."""
        if self._plain is None:
            self._plain = self.another()
        return self._plain

    def another(self) -> httpx.Client:
        """One more such client, to be closed by whoever asked for it."""
        trust = ssl.create_default_context(cafile=self.environment["REQUESTS_CA_BUNDLE"])
        return httpx.Client(verify=trust, trust_env=False, timeout=120)

    def token(self, audience: str | None = None) -> str:
        """A token as Entra ID would give it."""
        environment = self.environment
        form = {
            "client_id": environment["AZURE_CLIENT_ID"],
            "client_secret": environment["AZURE_CLIENT_SECRET"],
            "scope": f"{audience or self.base}/.default",
            "grant_type": "client_credentials",
        }
        address = f"{self.base}/{environment['AZURE_TENANT_ID']}/oauth2/v2.0/token"
        return self.plain().post(address, data=form).json()["access_token"]

    def arm(self, method: str, path: str, body: object = None) -> httpx.Response:
        """A management call on something in the workspace: ``/onlineEndpoints/diabetes``."""
        headers = {"Authorization": f"Bearer {self.token()}"}
        address = f"{self.base}{self.workspace_id}{path}?api-version=2023-04-01-preview"
        return self.plain().request(method, address, json=body, headers=headers)

    def records(self) -> list[dict[str, Any]]:
        """The requests so far with their replies; they are thousands, so each is read once."""
        with self._reading, self.record.open("rb") as file:
            file.seek(self._records_end)
            lines = [line for line in file if line.endswith(b"\n")]
            self._records += map(json.loads, lines)
            self._records_end += sum(map(len, lines))
            return list(self._records)

    def calls(self, operation: str) -> int:
        """How often that was asked for."""
        return sum(each["operation"] == operation for each in self.records())
