"""The engine's door: HTTP and JSON on a private unix socket."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, cast

from rollout.adapters.endpoints.local import faults
from rollout.adapters.endpoints.local.plane import DOWN, RELEASE, ControlPlane
from rollout.adapters.endpoints.local.specification import Specification
from rollout.adapters.endpoints.local.unix_http import AWAY, BAD, OK, REFUSED
from rollout.domain.errors import EndpointAway, EndpointRefused

Json = dict[str, object]


class Door:
    """Takes orders for a control plane until closed."""

    def __init__(self, path: Path, plane: ControlPlane) -> None:
        self.path = path
        path.unlink(missing_ok=True)  # of an engine that was killed; the lock says there is none
        self._server = _Server(str(path), _Handler)
        path.chmod(0o600)
        self._server.plane = plane
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Take no more orders."""
        self._server.shutdown()
        self._server.server_close()
        self.path.unlink(missing_ok=True)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    plane: ControlPlane


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout: ClassVar[float | None] = 30.0  # seconds

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- as inherited
        """Say nothing; the engine's log tells of what was done."""

    def do_GET(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        plane = cast(_Server, self.server).plane
        try:
            body = cast(Json, json.loads(self.rfile.read(length) or b"{}"))
            status, answer = OK, _handle(plane, self.command, self.path, body)
        except EndpointRefused as error:
            status, answer = REFUSED, {"what": error.what, "do": error.do}
        except EndpointAway as error:
            status, answer = AWAY, {"what": error.what, "do": error.do}
        except OSError as error:
            what = f"The engine could not do {self.command} {self.path}: {error}."
            status, answer = (
                AWAY,
                {"what": what, "do": "Free disk space, or the way to its folder."},
            )
        except (KeyError, TypeError, ValueError) as error:
            what = f"The engine does not understand {self.command} {self.path}: {error!r}"
            status, answer = BAD, {"what": what, "do": "Use one version of rollout."}
        self._send(status, answer)

    def _send(self, status: int, answer: Json) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _handle(plane: ControlPlane, method: str, path: str, body: Json) -> Json:
    """One order or question.

    Raises:
        ValueError: there is no such order.
    """
    action = _ACTIONS.get((method, path))
    if action is not None:
        return action(plane, body) or {}
    prefix, _, name = path.rpartition("/")
    named = _OF_DEPLOYMENTS.get(method)
    if prefix != "/v1/deployments" or not name or named is None:
        raise ValueError("no such order")
    named(plane, name, body)
    return {}


def _create(plane: ControlPlane, body: Json) -> None:
    port = cast("int | None", body["port"])
    plane.create(str(body["name"]), port, str(body["auth_mode"]), _head(body))


def _split(plane: ControlPlane, body: Json) -> None:
    traffic, mirror = (cast("Mapping[str, int]", body[each]) for each in ("traffic", "mirror"))
    plane.split(traffic, mirror, _head(body))


def _capture(plane: ControlPlane, body: Json) -> None:
    plane.capture(float(cast(float, body["seconds"])))


def _put(plane: ControlPlane, name: str, body: Json) -> None:
    specification = Specification.from_json(cast("Mapping[str, object]", body["specification"]))
    plane.put(name, specification, str(body["digest"]), str(body["run"]), _head(body))


def _scale(plane: ControlPlane, name: str, body: Json) -> None:
    plane.scale(name, cast(int, body["instances"]), str(body["run"]), _head(body))


def _delete(plane: ControlPlane, name: str, body: Json) -> None:
    plane.delete(name, _head(body))


def _head(body: Json) -> str:
    """The entry of the orderer's journal; the emulator has none."""
    return str(body.get("head", ""))


_ACTIONS: Mapping[tuple[str, str], Callable[[ControlPlane, Json], Json | None]] = {
    ("GET", "/v1/endpoint"): lambda plane, _: plane.view(),
    ("GET", "/v1/processes"): lambda plane, _: {"processes": plane.processes()},
    ("PUT", "/v1/endpoint"): _create,
    ("PUT", "/v1/endpoint/split"): _split,
    ("PUT", "/v1/endpoint/capture"): _capture,
    ("POST", "/v1/fault"): faults.order,
    ("POST", "/v1/rotate"): lambda plane, _: plane.rotate(),
    ("POST", "/v1/down"): lambda plane, _: plane.end(DOWN),
    ("POST", "/v1/release"): lambda plane, _: plane.end(RELEASE),
}
_OF_DEPLOYMENTS: Mapping[str, Callable[[ControlPlane, str, Json], None]] = {
    "PUT": _put,
    "PATCH": _scale,
    "DELETE": _delete,
}
