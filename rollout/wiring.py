"""The one module that knows which adapter stands behind which port.

Built-in adapters come in through the same entry points as plug-ins; a module is imported only when
its kind is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast

from rollout.adapters.clock import SystemClock
from rollout.domain.errors import UsageError
from rollout.domain.plan import Plan
from rollout.ports.clock import Clock
from rollout.ports.endpoint import Endpoint
from rollout.ports.store import Store
from rollout.runtime.lease import Owner

Findings = list[tuple[tuple[str | int, ...], str, str]]


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
    build = cast(_EndpointFactory, _loaded("rollout.endpoints", plan.endpoint.provider))
    return build(plan, home=home, clock=clock)


def store(url: str, *, create: bool = True) -> Store:
    """The store behind ``--state``.

    Args:
        url: ``sqlite:///relative/path`` or ``sqlite:////absolute/path``.
        create: Make it where it is missing; without, a missing store reads as empty.
    """
    kind = url.split(":", 1)[0]
    build = cast(_StoreFactory, _loaded("rollout.stores", kind))
    return build(url, create=create)


def owner() -> Owner:
    """Who this process is, for the lease."""
    from rollout.adapters.owner import myself, surely_dead  # noqa: PLC0415 - psutil, on apply only

    return Owner(myself(), surely_dead)


class LocalFiles:
    """What the local provider can say of a plan without a network: the planfile's provider check."""

    def endpoint(self, options: Mapping[str, object]) -> Findings:
        """Findings on the endpoint's own options."""
        from rollout.adapters.endpoints.local.specification import (  # noqa: PLC0415
            options_findings,
        )

        return options_findings(options)

    def deployment(self, file: str, overrides: Mapping[str, object]) -> list[tuple[str, str]]:
        """Findings on a deployment file."""
        from rollout.adapters.endpoints.local.specification import file_findings  # noqa: PLC0415

        return file_findings(file, overrides)


def _loaded(group: str, name: str) -> object:
    from importlib.metadata import entry_points  # noqa: PLC0415 - not needed for --help

    known = {found.name: found for found in entry_points(group=group)}
    if name not in known:
        what = "endpoint provider" if group.endswith("endpoints") else "store"
        raise UsageError(
            f"No {what} is called {name!r} (installed: {', '.join(sorted(known)) or 'none'}).",
            do="Correct the name, or install the package that brings it.",
        )
    return known[name].load()
