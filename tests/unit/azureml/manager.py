"""A Resource Manager on loopback over HTTPS, for the real SDK: it says what a test wants."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trustme
from azure.core.credentials import AccessToken

from rollout.adapters.endpoints.azureml.place import Cloud, Place

PLACE = Place("00000000-0000-0000-0000-000000000001", "rg", "mlw-1", "diabetes")
Reply = tuple[int, Any] | tuple[int, Any, Mapping[str, str]] | None
"""Status, JSON body, perhaps headers; None: the connection ends without a word."""


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    method: str
    path: str
    body: Any
    headers: Mapping[str, str]


def endpoint(**changes: object) -> dict[str, Any]:
    """An endpoint as Azure describes it; ``properties__traffic={...}`` changes a part."""
    made: dict[str, Any] = {
        "id": PLACE.endpoint_id,
        "name": PLACE.endpoint,
        "type": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
        "location": "eastus2",
        "kind": "Managed",
        "tags": {"owner": "ada"},
        "identity": {
            "type": "UserAssigned",
            "userAssignedIdentities": {"/subscriptions/s/ids/x": {"principalId": "p", "clientId": "c"}},
        },
        "systemData": {
            "createdAt": "2026-01-01T00:00:00+00:00",
            "createdBy": "ada",
            "lastModifiedAt": "2026-01-02T00:00:00+00:00",
            "lastModifiedBy": "ada",
        },
        "properties": {
            "authMode": "Key",
            "description": "A model.",
            "properties": {
                "azureml.onlineendpointid": "x",
                "AzureAsyncOperationUri": "https://other.test/old",
            },
            "provisioningState": "Succeeded",
            "scoringUri": "https://localhost/score",
            "traffic": {"blue": 100},
            "mirrorTraffic": {"green": 10},
            "publicNetworkAccess": "Disabled",
        },
    }  # fmt: skip
    return _changed(made, changes)


def deployment(name: str, **changes: object) -> dict[str, Any]:
    """A managed deployment as Azure describes it."""
    made: dict[str, Any] = {
        "id": PLACE.deployment_id(name),
        "name": name,
        "type": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments",
        "location": "eastus2",
        "kind": "Managed",
        "tags": {"rollout.id": "r-1", "rollout.digest": "abc"},
        "sku": {"name": "Default", "tier": "Standard", "capacity": 1},
        "systemData": endpoint()["systemData"],
        "properties": {
            "endpointComputeType": "Managed",
            "model": f"{PLACE.workspace_id}/models/m/versions/1",
            "environmentId": f"{PLACE.workspace_id}/environments/e/versions/1",
            "environmentVariables": {"A": "1"},
            "instanceType": "Standard_DS3_v2",
            "provisioningState": "Succeeded",
            "scaleSettings": {"scaleType": "Default"},
            "requestSettings": {
                "requestTimeout": "PT5S",
                "maxQueueWait": "PT0.5S",
                "maxConcurrentRequestsPerInstance": 1,
            },
            "properties": {"AzureAsyncOperationUri": "https://other.test/old"},
        },
    }
    return _changed(made, changes)


def _changed(made: dict[str, Any], changes: Mapping[str, object]) -> dict[str, Any]:
    for path, value in changes.items():
        *way, last = path.split("__")
        at = made
        for key in way:
            at = at[key]
        at[last] = value
    return made


@dataclass
class Manager:
    """What is there, by path in lower case, and what went wrong on purpose.

    Args:
        there: Path -> body.
        says: Asked first; None: as usual.
    """

    there: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    says: Callable[[Asked], Reply | None] = lambda _: None
    port: int = 0

    @property
    def address(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def cloud(self) -> Cloud:
        at = self.address
        return Cloud(
            f"cloud-{self.port}", at, at, at, "core.windows.test", at, at, at, at, at, known=False
        )

    def put(self, *bodies: dict[str, Any]) -> None:
        for body in bodies:
            self.there[body["id"].lower()] = body

    def writes(self) -> list[Asked]:
        return [each for each in self.asked if each.method in ("PUT", "PATCH", "DELETE")]

    def reply(self, asked: Asked) -> Reply:
        path = asked.path.lower()
        if path == PLACE.workspace_id.lower():
            return 200, {"id": PLACE.workspace_id, "name": PLACE.workspace, "location": "eastus2",
                         "properties": {}}  # fmt: skip
        if asked.method in ("PUT", "DELETE"):
            status = 201 if asked.method == "PUT" else 202
            operation = f"{self.address}/operations/1"
            return status, self.there.get(path), {"Azure-AsyncOperation": operation}
        if path.endswith("/deployments"):
            inside = [body for key, body in self.there.items() if key.startswith(f"{path}/")]
            return 200, {"value": inside}
        if path in self.there:
            return 200, self.there[path]
        return 404, {"error": {"code": "UserError", "message": f"{path} was not found."}}


class Token:
    """A credential that anybody gets."""

    def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken("token", 4102444800)  # of the year 2100


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Manager, Path]]:
    """A manager, and the file of the authority that vouches for it."""
    authority = trustme.CA()
    pem = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    manager = Manager()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(manager))
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    manager.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield manager, pem
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(manager: Manager) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(length)
            body = json.loads(content) if content else None
            path = urlsplit(self.path).path
            asked = Asked(self.command, path, body, dict(self.headers))
            manager.asked.append(asked)
            said = manager.says(asked)
            said = manager.reply(asked) if said is None else said
            if said == (0, None):
                self.close_connection = True
                return
            status, told, *headers = said
            data = b"" if status == 204 else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            for name, value in (headers[0] if headers else {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_DELETE = do_POST = do_PATCH = _answer  # noqa: N815 - as http.server asks

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    return Handler
