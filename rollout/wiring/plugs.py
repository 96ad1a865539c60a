"""Adapters by name; a module is imported only when its kind is named.

Built-in adapters have a table of their own beside the entry points of plug-ins, because a search
through everything that is installed costs a short command a tenth of its time.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from rollout.adapters.clock import SystemClock
from rollout.domain.addresses import refuse_secrets
from rollout.domain.errors import UsageError
from rollout.domain.plan import PROMETHEUS

if TYPE_CHECKING:  # a short command must not pay for what it only names
    from types import ModuleType

    from rollout.domain.plan import Plan
    from rollout.ports.clock import Clock
    from rollout.ports.endpoint import Endpoint
    from rollout.ports.store import Store
    from rollout.runtime.lease import Owner


BUILT_IN = {
    "rollout.endpoints": {
        "local": "rollout.adapters.endpoints.local.endpoint:build",
        "azureml": "rollout.adapters.endpoints.azureml.endpoint:build",
    },
    "rollout.stores": {
        "sqlite": "rollout.adapters.stores.sqlite:build",
        "postgresql": "rollout.adapters.stores.postgres.store:build",
        "postgres": "rollout.adapters.stores.postgres.store:build",
        "az": "rollout.adapters.stores.objects.store:build",
        "s3": "rollout.adapters.stores.objects.store:build",
        "gs": "rollout.adapters.stores.objects.store:build",
    },
}


# Packages that a built-in adapter needs from its first line on -> the extra that brings them.
_EXTRAS = {"psycopg": "postgres", "obstore": "objects"}


class _EndpointFactory(Protocol):
    def __call__(self, plan: Plan, *, home: Path, clock: Clock, start: bool) -> Endpoint: ...


class _StoreFactory(Protocol):
    def __call__(self, url: str, *, create: bool, clock: Clock) -> Store: ...


def clock() -> Clock:
    """The machine's clock."""
    return SystemClock()


def endpoint(plan: Plan, *, home: Path, clock: Clock, start: bool = True) -> Endpoint:
    """The endpoint that a plan names, bound to the plan.

    Args:
        plan: The plan.
        home: The folder of local endpoints.
        clock: Time.
        start: Start what must run for a look at it; without, a look changes nothing.

    Raises:
        UsageError: no installed package brings the provider.
    """
    build = cast("_EndpointFactory", _loaded("rollout.endpoints", plan.endpoint.provider))
    if plan.metrics.provider != PROMETHEUS:
        return build(plan, home=home, clock=clock, start=start)
    from rollout.adapters.metrics.prometheus.endpoint import (  # noqa: PLC0415 - where it is named
        Measured,
        unmeasured,
    )

    inner = build(unmeasured(plan), home=home, clock=clock, start=start)
    return Measured(plan, inner, clock)


def store(url: str, *, create: bool = True) -> Store:
    """The store behind ``--state``.

    Args:
        url: ``sqlite:///path``, ``postgresql://host/database``, ``az://container/prefix``,
            ``s3://bucket/prefix``, ``gs://bucket/prefix``, or what a plug-in brings.
        create: Make it where it is missing; without, a missing store reads as empty.

    Raises:
        UsageError: nothing installed knows such a URL, or it has a secret in it.
        StoreError: it cannot be used.
    """
    refuse_secrets(url)
    kind = url.split(":", 1)[0]
    build = cast("_StoreFactory", _loaded("rollout.stores", kind))
    return build(url, create=create, clock=clock())


def owner() -> Owner:
    """Who this process is, for the lease."""
    from rollout.adapters.owner import myself, surely_dead  # noqa: PLC0415 - psutil, on apply only
    from rollout.runtime.lease import Owner  # noqa: PLC0415

    return Owner(myself(), surely_dead)


def _loaded(group: str, name: str) -> object:
    if name in BUILT_IN[group]:
        module, attribute = BUILT_IN[group][name].split(":")
        return getattr(_imported(module), attribute)
    from importlib.metadata import entry_points  # noqa: PLC0415 - for plug-ins only

    known = {found.name: found for found in entry_points(group=group)}
    if name not in known:
        what = "endpoint provider" if group.endswith("endpoints") else "store"
        names = ", ".join(sorted({*known, *BUILT_IN[group]}))
        raise UsageError(
            f"No {what} is called {name!r} (installed: {names}).",
            do="Correct the name, or install the package that brings it.",
        )
    return known[name].load()


def _imported(module: str) -> ModuleType:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(error.name or "")
        if extra is None:
            raise
        raise UsageError(
            f"This needs the package {error.name}, which is not installed.",
            do=f"Install it: pip install 'rollout[{extra}]'",
        ) from error
