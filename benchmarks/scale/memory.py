"""Objects in the process's own memory: what the journal itself costs where a service costs nothing.

Emulators of services are slow, and slower with each object they hold; with this one the growth of a
pass is the journal's alone, also at numbers that would take an emulator hours. It is obstore's own
store, with the same conditional writes; only its client is another.
"""

from __future__ import annotations

from obstore.store import MemoryStore

from rollout.adapters.stores.objects import place, store

_NAME = "in-memory"
_KEPT: dict[str, MemoryStore] = {}


def url(number: int) -> str:
    """The address of one such place."""
    return f"s3://{_NAME}/{number}"


def install(address: str) -> None:
    """Let stores of this process be there, if that is what the address says."""
    if address.startswith(f"s3://{_NAME}/"):
        place.connected = store.connected = _connected  # type: ignore[assignment]


def _connected(kind: str, name: str) -> MemoryStore:
    assert kind == "s3"
    return _KEPT.setdefault(name, MemoryStore())
