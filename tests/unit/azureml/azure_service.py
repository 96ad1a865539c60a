"""An HTTPS server on loopback that answers as Azure's metrics and logs services do."""

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
from urllib.parse import parse_qsl, urlsplit

import trustme

from rollout.adapters.endpoints.azureml.place import Cloud, Place

PLACE = Place("00000000-0000-0000-0000-000000000001", "rg", "Ws", "churn")


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


Answer = tuple[int, Any]
"""Status and JSON body."""


@dataclass
class Service:
    """Answers by ``answer``; ``asked`` has every request."""

    answer: Callable[[Asked], Answer] = lambda _: (404, {})
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def cloud(self) -> Cloud:
        """A cloud whose metrics and logs are here."""
        other = "https://elsewhere.test"
        return Cloud(
            name="test",
            resource_manager=other,
            active_directory=other,
            ml=other,
            storage="elsewhere.test",
            portal=other,
            registries=other,
            metrics=self.address,
            metrics_audience="https://metrics.monitor.azure.com",
            logs=self.address,
            known=False,
        )


@contextmanager
def served(folder: Path) -> Iterator[tuple[Service, Path]]:
    """A service and the file of the authority that vouches for it."""
    authority = trustme.CA()
    pem = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    service = Service()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(service))
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    service.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield service, pem
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            parts = urlsplit(self.path)
            body = json.loads(self.rfile.read(length) or b"null")
            asked = Asked(parts.path, dict(parse_qsl(parts.query)), dict(self.headers), body)
            service.asked.append(asked)
            status, told = service.answer(asked)
            data = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    return Handler


class Token:
    """A credential that anybody gets."""

    def __init__(self) -> None:
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **_: object) -> Any:
        from azure.core.credentials import AccessToken  # noqa: PLC0415 - heavy

        self.scopes += scopes
        return AccessToken("secret", 2**33)


def refusal(code: str, message: str, inner: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An error as Azure writes it."""
    error: dict[str, Any] = {"code": code, "message": message}
    return {"error": {**error, "innererror": inner} if inner else error}
