"""The way to an endpoint's engine: one call a connection, and the engine is started on demand."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, cast

import rollout
from rollout.adapters.endpoints.local import presence, shutdown
from rollout.adapters.endpoints.local.folder import Folder, locked, unusable
from rollout.adapters.endpoints.local.processes import inherited
from rollout.adapters.endpoints.local.replica import tail
from rollout.adapters.endpoints.local.unix_http import AWAY, OK, UnixConnection
from rollout.domain.errors import EndpointAway, EndpointRefused
from rollout.ports.clock import Clock

Json = dict[str, object]

CALL_SECONDS = 10.0  # all of a call: an engine's start, if need be, and its answer
_START_SECONDS = 7.0
_LEAST_SECONDS = 1.0
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
        until = self._clock.monotonic() + CALL_SECONDS
        try:
            return self._ask(method, path, body, until)
        except _NOBODY:
            self._make_room(until)
            self._start()  # every order is absolute: giving it twice is giving it once
        try:
            return self._ask(method, path, body, until)
        except _NOBODY as error:
            raise self._away(f"ended while it was asked: {error}") from error

    def call_if_up(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> Json | None:
        """Ask the engine if there is one of our version; None: there is none, none is started."""
        try:
            return self._ask(method, path, body, self._clock.monotonic() + CALL_SECONDS)
        except _NOBODY:
            return None

    def stop(self, how: str) -> None:
        """End the engine, if there is one: ``down`` with all that serves, ``release`` alone."""
        until = self._clock.monotonic() + CALL_SECONDS
        self._make_room(until)
        with contextlib.suppress(*_NOBODY):
            self._ask("POST", f"/v1/{how}", None, until)
        while self._clock.monotonic() < until:
            with locked(self._folder.lock) as lock:
                if lock is not None:
                    if how == "down":
                        shutdown.stop_recorded(self._folder, self._clock)
                    return
            self._clock.sleep(_PAUSE_SECONDS)
        raise self._away("does not end")

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None, until: float) -> Json:
        """One question to a living engine of our version."""
        engine = presence.find(self._folder)
        if engine is None or not engine.is_ours:
            raise FileNotFoundError(self._folder.engine)
        status, found = self._talk(engine.socket, method, path, body, until)
        if status == OK:
            return found
        what, do = str(found["what"]), str(found["do"])
        if status == AWAY:
            raise EndpointAway(what, do=do)
        raise EndpointRefused(what, do=do)

    def _make_room(self, until: float) -> None:
        """Ask an engine of another version to leave; what serves goes on."""
        engine = presence.find(self._folder)
        if engine is not None and not engine.is_ours:
            with contextlib.suppress(*_NOBODY):
                self._talk(engine.socket, "POST", "/v1/release", None, until)

    def _talk(
        self,
        socket: Path,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        until: float,
    ) -> tuple[int, Json]:
        left = max(_LEAST_SECONDS, until - self._clock.monotonic())
        connection = UnixConnection(socket, left)
        try:
            connection.request(method, path, json.dumps(body or {}))
            answer = connection.getresponse()
            return answer.status, cast(Json, json.loads(answer.read()))
        except _NOBODY:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._away(f"does not answer: {error}") from error
        finally:
            connection.close()

    def _start(self) -> None:
        self._folder.make()
        root = Path(rollout.__file__).parents[1]
        with self._opened_log() as log:
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
            if presence.answers(self._folder):
                return
            self._clock.sleep(_PAUSE_SECONDS)
        said = tail(self._folder.engine_log, most=1000).strip().splitlines()
        raise self._away(f"does not start: {said[-1] if said else 'it says nothing'}")

    def _opened_log(self) -> BinaryIO:
        try:
            return self._folder.engine_log.open("ab")
        except OSError as error:
            raise unusable(self._folder.engine_log, error) from error

    def _away(self, how: str) -> EndpointAway:
        return EndpointAway(
            f"The engine of {self._folder.path} {how}",
            do=f"Try again; if it stays so, read {self._folder.engine_log}.",
        )
