"""Adapters by name.

Built-in adapters come in through the same entry points as plug-ins; a module is imported only when
its kind is named.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from rollout.adapters.clock import SystemClock
from rollout.domain.errors import UsageError

if TYPE_CHECKING:  # a short command must not pay for what it only names
    from rollout.domain.plan import Plan
    from rollout.ports.clock import Clock
    from rollout.ports.endpoint import Endpoint
    from rollout.ports.store import Store
    from rollout.runtime.lease import Owner


class _EndpointFactory(Protocol):
    def __call__(self, plan: Plan, *, home: Path, clock: Clock) -> Endpoint: ...


class _StoreFactory(Protocol):
    def __call__(self, url: str, *, create: bool = True) -> Store: ...


def clock() -> Clock:
    """The machine's clock."""
    return SystemClock()


def endpoint(plan: Plan, *, home: Path, clock: Clock) -> Endpoint:
    """The endpoint that a plan names, bound to the plan.

    Raises:
        UsageError: no installed package brings the provider.
    """
    build = cast("_EndpointFactory", _loaded("rollout.endpoints", plan.endpoint.provider))
    return build(plan, home=home, clock=clock)


def store(url: str, *, create: bool = True) -> Store:
    """The store behind ``--state``.

    Args:
        url: ``sqlite:///relative/path`` or ``sqlite:////absolute/path``.
        create: Make it where it is missing; without, a missing store reads as empty.
    """
    kind = url.split(":", 1)[0]
    build = cast("_StoreFactory", _loaded("rollout.stores", kind))
    return build(url, create=create)


def owner() -> Owner:
    """Who this process is, for the lease."""
    from rollout.adapters.owner import myself, surely_dead  # noqa: PLC0415 - psutil, on apply only
    from rollout.runtime.lease import Owner  # noqa: PLC0415

    return Owner(myself(), surely_dead)


def _loaded(group: str, name: str) -> object:
    known = {found.name: found for found in entry_points(group=group)}
    if name not in known:
        what = "endpoint provider" if group.endswith("endpoints") else "store"
        raise UsageError(
            f"No {what} is called {name!r} (installed: {', '.join(sorted(known)) or 'none'}).",
            do="Correct the name, or install the package that brings it.",
        )
    return known[name].load()
