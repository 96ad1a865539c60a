"""Ports that nobody else gets: for endpoints that keep theirs while nothing listens there."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

from rollout.adapters.endpoints.local.ports import is_taken

_FIRST = 20_000  # above what endpoints choose for themselves, below what the kernel gives away
_EACH = 500


def _own() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _FIRST + worker * _EACH
    yield from (port for port in itertools.cycle(range(first, first + _EACH)) if not is_taken(port))


_PORTS = _own()


def own_port() -> int:
    """A free port that neither another test, nor an endpoint, nor the kernel will choose."""
    return next(_PORTS)
