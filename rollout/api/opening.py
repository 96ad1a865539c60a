"""Stores and endpoints, opened and closed again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rollout.api.settings import Settings
from rollout.domain.plan import Plan
from rollout.ports.endpoint import Endpoint
from rollout.ports.store import Store
from rollout.wiring import plugs


@contextmanager
def opened(plan: Plan, used: Settings, *, create: bool = True) -> Iterator[tuple[Endpoint, Store]]:
    """A plan's endpoint and the store, closed in the end; the endpoint itself lives on.

    With ``create=False`` nothing is made or started: whoever only looks changes nothing.
    """
    with reached(plan, used, create=create) as endpoint, stored(used, create=create) as store:
        yield endpoint, store


@contextmanager
def reached(plan: Plan, used: Settings, *, create: bool = True) -> Iterator[Endpoint]:
    """A plan's endpoint, closed in the end; it itself lives on."""
    endpoint = plugs.endpoint(plan, home=used.home, clock=plugs.clock(), start=create)
    try:
        yield endpoint
    finally:
        endpoint.close()


@contextmanager
def stored(used: Settings, *, create: bool = True) -> Iterator[Store]:
    """The store; with ``create=False`` one that is missing reads as empty."""
    store = plugs.store(used.state, create=create)
    try:
        yield store
    finally:
        store.close()
