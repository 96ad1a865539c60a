"""Starts one scoring server on a socket handed to it; runs in any interpreter, without rollout."""

from __future__ import annotations

import importlib
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any, Callable  # noqa: UP035 -- the interpreter may be old

_LISTENING = "ROLLOUT_LISTENING"
_FAULTS = "ROLLOUT_FAULTS"
_GLANCE_SECONDS = 0.1


class Faults:
    """Wraps the application; shows the faults that a file orders, at the cost of one ``stat``."""

    def __init__(self, application: Callable[..., Any], path: Path) -> None:
        self._application = application
        self._path = path
        self._read_at = 0
        self._faults: dict[str, dict[str, float]] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Answer one request, badly if ordered so; health probes are spared."""
        if environ.get("PATH_INFO") != "/":
            self._refresh()
            if self._hit("crash"):
                os._exit(70)
            if self._hit("hang"):
                self._hang()
            if self._hit("delay"):
                time.sleep(self._faults["delay"]["seconds"])  # noqa: TID251 -- runs without rollout
            if self._hit("error"):
                return _internal_error(start_response)
        return self._application(environ, start_response)

    def _hit(self, kind: str) -> bool:
        percent = self._faults.get(kind, {}).get("percent", 0.0)
        return random.random() * 100 < percent  # noqa: S311 -- no secret

    def _hang(self) -> None:
        while "hang" in self._faults:
            time.sleep(_GLANCE_SECONDS)  # noqa: TID251 -- runs without rollout
            self._refresh()

    def _refresh(self) -> None:
        try:
            changed = self._path.stat().st_mtime_ns
        except OSError:
            self._faults = {}
            return
        if changed != self._read_at:
            self._faults = json.loads(self._path.read_text(encoding="utf-8"))
            self._read_at = changed


def main() -> None:
    """Run the inference server on the loopback with the arguments of the command line."""
    here = str(Path(__file__).resolve().parent)
    # This folder holds modules that a scoring script could import by mistake.
    sys.path[:] = [path for path in sys.path if str(Path(path).resolve()) != here]
    server = importlib.import_module("azureml_inference_server_http.amlserver")
    vars(server)["DEFAULT_HOST"] = "127.0.0.1"  # else it listens for the whole network
    _without_control_socket()
    _use_socket(int(os.environ.pop(_LISTENING)))
    _wrap(Path(os.environ.pop(_FAULTS)))
    server.run()


def _use_socket(handle: int) -> None:
    """Serve on an inherited socket: no other process can ever answer on its port."""
    vars(importlib.import_module("gunicorn.systemd"))["SD_LISTEN_FDS_START"] = handle
    os.environ["LISTEN_FDS"] = "1"
    os.environ["LISTEN_PID"] = str(os.getpid())


def _without_control_socket() -> None:
    """By default all servers of a user share one path; older ones do not know the option."""
    settings = importlib.import_module("gunicorn.config").KNOWN_SETTINGS
    if any("--no-control-socket" in (setting.cli or ()) for setting in settings):
        arguments = os.environ.get("GUNICORN_CMD_ARGS", "")
        os.environ["GUNICORN_CMD_ARGS"] = f"--no-control-socket {arguments}".strip()


def _wrap(faults: Path) -> None:
    application = importlib.import_module("gunicorn.app.wsgiapp").WSGIApplication
    load = application.load
    application.load = lambda self: Faults(load(self), faults)


def _internal_error(start_response: Callable[..., Any]) -> list[bytes]:
    body = b'{"message": "an error ordered by rollout local fault"}'
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("500 Internal Server Error", headers)
    return [body]


if __name__ == "__main__":
    main()
