"""The local endpoints behind the emulated ones: what really serves, splits and mirrors.

Every method may take a while and belongs into a thread.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from rollout.adapters.endpoints.local import snapshot
from rollout.adapters.endpoints.local.client import Client
from rollout.adapters.endpoints.local.folder import Folder, locked, read_json, sockets_of
from rollout.adapters.endpoints.local.processes import tagged
from rollout.adapters.endpoints.local.replica import tail
from rollout.adapters.endpoints.local.specification import Specification
from rollout.domain.endpoint import Condition
from rollout.domain.errors import EndpointRefused
from rollout.ports.clock import Clock

Json = dict[str, object]

_LOG_BYTES_A_LINE = 4096
_START_SECONDS = 30.0
_PAUSE_SECONDS = 0.05


class Engines:
    """All local endpoints of one emulator.

    Args:
        home: Their folder.
        clock: Time.
    """

    def __init__(self, home: Path, clock: Clock) -> None:
        self._home = home
        self._clock = clock

    def folder(self, endpoint: str) -> Folder:
        """The files of an endpoint."""
        return Folder(self._home.resolve() / endpoint)

    def create(self, endpoint: str, auth_mode: str) -> None:
        """Create an endpoint; one that is there is started if need be."""
        body: Json = {"name": endpoint, "port": None, "auth_mode": auth_mode}
        self._call(endpoint, "PUT", "/v1/endpoint", body)

    def put(self, endpoint: str, name: str, wanted: Specification, *, run: str) -> None:
        """Begin to create a deployment or to bring it to ``wanted``.

        Raises:
            EndpointRefused: there is no such endpoint.
        """
        if not self.folder(endpoint).is_used:
            raise EndpointRefused(f"Endpoint {endpoint} is gone.", do="Create it first.")
        body: Json = {
            "specification": wanted.to_json(),
            "digest": snapshot.digest_of(wanted),
            "run": run,
        }
        self._call(endpoint, "PUT", f"/v1/deployments/{name}", body)

    def split(self, endpoint: str, traffic: Mapping[str, int], mirror: Mapping[str, int]) -> None:
        """Set live shares and mirror; they are in force when this returns."""
        body: Json = {"traffic": dict(traffic), "mirror": dict(mirror)}
        self._call(endpoint, "PUT", "/v1/endpoint/split", body)

    def delete(self, endpoint: str, name: str) -> None:
        """Begin to delete a deployment; absent already is success."""
        if self.folder(endpoint).is_used:
            self._call(endpoint, "DELETE", f"/v1/deployments/{name}", {})

    def conditions(self, endpoint: str) -> dict[str, tuple[Condition, str]]:
        """Where each deployment stands, and why one has failed."""
        if not self.folder(endpoint).is_used:
            return {}
        view = self._call(endpoint, "GET", "/v1/endpoint", {})
        found = cast("Mapping[str, Json]", view["deployments"])
        return {
            name: (Condition(one["condition"]), str(one["error"])) for name, one in found.items()
        }

    def destroy(self, endpoint: str) -> None:
        """Remove an endpoint with everything of it."""
        folder = self.folder(endpoint)
        if folder.path.exists():
            Client(folder, self._clock).stop("down")
            shutil.rmtree(sockets_of(folder.path), ignore_errors=True)
            shutil.rmtree(folder.path, ignore_errors=True)

    def start(self, endpoint: str) -> None:
        """See that a created endpoint serves; what does not start again within a time may follow."""
        if not self.folder(endpoint).is_used:
            return
        until = self._clock.monotonic() + _START_SECONDS
        while self._clock.monotonic() < until:
            view = self._call(endpoint, "GET", "/v1/endpoint", {})
            found = cast("Mapping[str, Json]", view["deployments"])
            if all(_is_up(one) for one in found.values()):
                return
            self._clock.sleep(_PAUSE_SECONDS)

    def stop(self, endpoints: Iterable[str]) -> list[str]:
        """Stop what serves; the files stay.

        Returns:
            The names of those that served.
        """
        stopped = []
        for each in endpoints:
            folder = self.folder(each)
            if folder.is_used:
                if _serves(folder):
                    stopped.append(each)
                Client(folder, self._clock).stop("down")
        return stopped

    def port(self, endpoint: str) -> int | None:
        """Where an endpoint listens on the loopback; None: it does not exist."""
        found = read_json(self.folder(endpoint).desired)
        return None if found is None else cast(int, found["port"])

    def key(self, endpoint: str) -> str:
        """What the local endpoint lets in; its clients never see it."""
        return str((read_json(self.folder(endpoint).keys) or {}).get("primary", ""))

    def logs(self, endpoint: str, name: str, *, lines: int) -> str:
        """The newest lines that the scoring servers of a deployment printed."""
        path = self.folder(endpoint).log(name)
        most = lines * _LOG_BYTES_A_LINE
        said = [*tail(path.with_name(f"{path.name}.1"), most=most).splitlines()]
        said += tail(path, most=most).splitlines()
        return "\n".join(said[-lines:]) if lines > 0 else ""

    def _call(self, endpoint: str, method: str, path: str, body: Json) -> Json:
        return Client(self.folder(endpoint), self._clock).call(method, path, body)


def _serves(folder: Folder) -> bool:
    """Whether there is an engine, or anything that one has left running."""
    with locked(folder.lock) as lock:
        if lock is None:
            return True
    desired = read_json(folder.desired) or {}
    return "identity" in desired and bool(tagged(f"{desired['identity']}/"))


def _is_up(deployment: Json) -> bool:
    """Whether a deployment has all its servers, or is none that should have them by now."""
    if Condition(deployment["condition"]) is not Condition.READY:
        return True
    return cast(int, deployment["ready"]) >= cast(int, deployment["instances"])
