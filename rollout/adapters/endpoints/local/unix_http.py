"""HTTP over a unix socket, and what the engine's statuses mean."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path

OK = 200
BAD = 400
REFUSED = 409
AWAY = 503


class UnixConnection(http.client.HTTPConnection):
    """A connection to a socket instead of a host."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
