"""A real Prometheus for tests: it scrapes what it is told, and can be stopped and started again."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.acceptance.ports import own_port
from tests.servers import await_ready, end

JOB = "tests"


@dataclass
class Prometheus:
    """One server, with its settings and data in a folder of its own."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, with the data it had; it answers queries at once, and scrapes 5 s later."""
        command = [
            _program(), f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn",
        ]  # fmt: skip
        log = self.folder / "log"
        with log.open("ab") as said:
            self.process = subprocess.Popen(command, stdout=said, stderr=said, cwd=self.folder)
        await_ready(self._is_ready, self.process, log)

    def stop(self) -> None:
        """End it in good order; what it has scraped is kept."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def query(self, promql: str) -> list[dict[str, object]]:
        """What an instant query finds."""
        got = httpx.get(f"{self.address}/api/v1/query", params={"query": promql})
        got.raise_for_status()
        return got.json()["data"]["result"]

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/-/ready").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            end(self.process, how)
            self.process = None


@contextmanager
def prometheus_server(
    targets: Sequence[str], *, interval: str = "1s", key: str = ""
) -> Iterator[Prometheus]:
    """A server that scrapes; ended and removed afterwards.

    Args:
        targets: ``host:port`` of whoever has a page at ``/metrics``.
        interval: Between two scrapes, and the longest that one may take.
        key: Sent as ``Authorization: Bearer KEY``.
    """
    job: dict[str, object] = {"job_name": JOB, "static_configs": [{"targets": list(targets)}]}
    if key:
        job["authorization"] = {"credentials": key}
    times = {"scrape_interval": interval, "scrape_timeout": interval}
    folder = Path(tempfile.mkdtemp(prefix="prometheus-"))
    server = Prometheus(folder, own_port())
    try:
        settings = {"global": times, "scrape_configs": [job]}
        (folder / "prometheus.yml").write_text(json.dumps(settings))  # JSON is YAML
        server.start()
        yield server
    finally:
        server.kill()  # nobody reads its data any more
        shutil.rmtree(folder, ignore_errors=True)


def _program() -> str:
    """What ``make test`` has put into ``.venv``, or one on the PATH."""
    installed = Path(sys.prefix) / "prometheus/bin/prometheus"
    found = str(installed) if installed.exists() else shutil.which("prometheus")
    if found is None:
        pytest.fail("There is no Prometheus here; it is installed by: make test")
    return found
