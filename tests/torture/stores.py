"""The stores that are shared by machines, for whoever tortures on all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.servers import azurite, environment, port_of, postgres_server

KINDS = ("postgresql", "azurite")


@dataclass(frozen=True)
class Shared:
    """A store on a server: its address, the environment that leads to it, and its port."""

    kind: str
    state: str
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return port_of(self.more) if self.more else int(urlsplit(self.state).port or 0)

    def by(self, port: int) -> Shared:
        """The same store by another port: a proxy's."""
        here = f"127.0.0.1:{self.port}"
        more = {name: text.replace(here, f"127.0.0.1:{port}") for name, text in self.more.items()}
        return Shared(self.kind, re.sub(re.escape(here), f"127.0.0.1:{port}", self.state), more)


@contextmanager
def shared(kind: str) -> Iterator[Shared]:
    """A server of its own; its environment is this process's too."""
    if kind == "postgresql":
        with postgres_server() as state:
            yield Shared(kind, state)
    else:
        with azurite() as (state, more), environment(more):
            yield Shared(kind, state, more)
