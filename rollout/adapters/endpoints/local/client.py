"""The way to an endpoint's engine: one call a connection, and the engine is started on demand."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import rollout
from rollout.adapters.endpoints.local import shutdown
from rollout.adapters.endpoints.local.folder import Folder, locked, read_json
from rollout.adapters.endpoints.local.processes import inherited
from rollout.adapters.endpoints.local.replica import tail
from rollout.adapters.endpoints.local.unix_http import AWAY, OK, UnixConnection
from rollout.domain.errors import EndpointAway, EndpointRefused
from rollout.ports.clock import Clock

Json = dict[str, object]

CALL_SECONDS = 10.0
_START_SECONDS = 10.0
_PAUSE_SECONDS = 0.02
# There is no engine, or it ended while it was asked.
_NOBODY = (FileNotFoundError, ConnectionRefusedError, ConnectionResetError, BrokenPipeError)
_MODULE = "rollout.adapters.endpoints.local.engine"


class Client:
    """Calls the engine of one endpoint. Every call may raise ``EndpointAway``: try again."""

    def __init__(self, folder: Folder, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Json:
        """Ask the engine, after starting it if there is none.

        Raises:
            EndpointRefused: it said no.
        """
        try:
            return self._ask(self._socket(), method, path, body)
        except _NOBODY:
            self._start()  # every order is absolute: giving it twice is giving it once
        except (OSError, http.client.HTTPException) as error:
            raise self._away(f"does not answer: {error}") from error
        try:
            return self._ask(self._socket(), method, path, body)
        except (OSError, http.client.HTTPException) as error:
            raise self._away(f"does not answer: {error}") from error

    def call_if_up(self, method: str, path: str) -> Json | None:
        """Ask the engine if there is one; None: there is none, and none is started."""
        try:
            return self._ask(self._socket(), method, path, None)
        except _NOBODY:
            return None
        except (OSError, http.client.HTTPException) as error:
            raise self._away(f"does not answer: {error}") from error

    def stop(self, how: str) -> None:
        """End the engine, if there is one: ``down`` with all that serves, ``release`` alone."""
        try:
            self._ask(self._socket(), "POST", f"/v1/{how}", None)
        except _NOBODY:
            pass
        except (OSError, http.client.HTTPException) as error:
            raise self._away(f"does not answer: {error}") from error
        deadline = self._clock.monotonic() + _START_SECONDS
        while self._clock.monotonic() < deadline:
            with locked(self._folder.lock) as lock:
                if lock is not None:
                    if how == "down":
                        shutdown.stop_recorded(self._folder, self._clock)
                    return
            self._clock.sleep(_PAUSE_SECONDS)
        raise self._away("does not end")

    def _socket(self) -> Path:
        """Where the engine listens; one of another version is asked to make room."""
        engine = read_json(self._folder.engine)
        if engine is None:
            raise FileNotFoundError(self._folder.engine)
        path = Path(str(engine["socket"]))
        if engine["version"] != rollout.__version__:
            with contextlib.suppress(http.client.HTTPException):
                self._ask(path, "POST", "/v1/release", None)
            raise ConnectionRefusedError
        return path

    def _ask(self, socket: Path, method: str, path: str, body: Mapping[str, object] | None) -> Json:
        connection = UnixConnection(socket, timeout=CALL_SECONDS)
        try:
            connection.request(method, path, json.dumps(body or {}))
            answer = connection.getresponse()
            found = cast(Json, json.loads(answer.read()))
        finally:
            connection.close()
        if answer.status == OK:
            return found
        what, do = str(found["what"]), str(found["do"])
        if answer.status == AWAY:
            raise EndpointAway(what, do=do)
        raise EndpointRefused(what, do=do)

    def _start(self) -> None:
        self._folder.make()
        root = Path(rollout.__file__).parents[1]
        with self._folder.engine_log.open("ab") as log:
            # It leaves this child behind at once, so that it is nobody's zombie later.
            subprocess.run(
                [sys.executable, "-m", _MODULE, str(self._folder.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**inherited(), "PYTHONPATH": str(root)},
                cwd=self._folder.path,
                start_new_session=True,
                check=False,
            )
        deadline = self._clock.monotonic() + _START_SECONDS
        while self._clock.monotonic() < deadline:
            if self._answers():
                return
            self._clock.sleep(_PAUSE_SECONDS)
        said = tail(self._folder.engine_log, most=1000).strip().splitlines()
        raise self._away(f"does not start: {said[-1] if said else 'it says nothing'}")

    def _answers(self) -> bool:
        engine = read_json(self._folder.engine)
        if engine is None or engine["version"] != rollout.__version__:
            return False
        connection = UnixConnection(Path(str(engine["socket"])), CALL_SECONDS)
        try:
            connection.connect()
        except OSError:
            return False
        finally:
            connection.close()
        return True

    def _away(self, how: str) -> EndpointAway:
        return EndpointAway(
            f"The engine of {self._folder.path} {how}",
            do=f"Try again; if it stays so, read {self._folder.engine_log}.",
        )
