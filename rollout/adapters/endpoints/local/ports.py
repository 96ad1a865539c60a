"""Which port of the loopback an endpoint may have."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from rollout.adapters.endpoints.local.folder import read_json
from rollout.domain.errors import EndpointRefused

FIRST = 8700
LAST = 65535
_CONNECT_SECONDS = 0.5


class PortTaken(EndpointRefused):
    """Another program has the port that a proxy was started for."""


def is_taken(port: int) -> bool:
    """Whether a program listens there already, on the loopback or on all addresses.

    Looking takes the port from nobody: a socket that does not listen is in no proxy's way.
    """
    with socket.socket() as found:
        found.settimeout(_CONNECT_SECONDS)
        if found.connect_ex(("127.0.0.1", port)) == 0:
            return True
    with socket.socket() as found:
        # As Envoy does: connections of an endpoint before it may still be in TIME_WAIT.
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def candidates(port: int | None, home: Path) -> Iterator[int]:
    """The ports to try: just ``port``, or free ones that no endpoint of ``home`` calls its own."""
    if port is not None:
        yield port
        return
    others = set(_of_others(home))
    yield from (one for one in range(FIRST, LAST) if one not in others and not is_taken(one))


def _of_others(home: Path) -> Iterator[int]:
    for path in home.glob("*/spec.json"):
        with contextlib.suppress(EndpointRefused, OSError, KeyError):
            yield cast(int, (read_json(path) or {})["port"])
