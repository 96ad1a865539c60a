"""The one module that knows which adapter stands behind which port.

Built-in adapters come in through the same entry points as plug-ins; a module is imported only when
its kind is named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from rollout.adapters.clock import SystemClock
from rollout.domain.endpoint import CreateEndpoint, Effect, PutDeployment, SetSplit
from rollout.domain.errors import UsageError
from rollout.domain.plan import Plan
from rollout.domain.run import Split
from rollout.ports.clock import Clock
from rollout.ports.endpoint import Endpoint
from rollout.ports.store import Store
from rollout.runtime.lease import Owner

if TYPE_CHECKING:  # what only some commands need is imported by them
    from rollout.adapters.endpoints.local.administer import Running, Summary
    from rollout.adapters.endpoints.local.load import OpenLoopLoad


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

    def endpoint(self, options: Mapping[str, object]) -> list[tuple[str, str, str]]:
        """Findings on the endpoint's own options: (dotted key, what, do)."""
        from rollout.adapters.endpoints.local.options import options_findings  # noqa: PLC0415

        return [
            (".".join(map(str, path)), what, do) for path, what, do in options_findings(options)
        ]

    def deployment(self, file: str, overrides: Mapping[str, object]) -> list[tuple[str, str]]:
        """Findings on a deployment file: (what, do)."""
        from rollout.adapters.endpoints.local.specification import file_findings  # noqa: PLC0415

        return file_findings(file, overrides)


# --- the local endpoint's own commands -----------------------------------------


def local_up(plan: Plan, *, home: Path, told: Callable[[str], None]) -> str:
    """Bring up a plan's endpoint with its baseline; its scoring URI."""
    from rollout.adapters.endpoints.local.endpoint import build  # noqa: PLC0415
    from rollout.runtime.bootstrap import bootstrap  # noqa: PLC0415

    time = clock()
    made = build(plan, home=home, clock=time)
    try:
        bootstrap(plan, made, time, lambda effect: told(_spelled(effect)))
        return made.scoring_uri or ""
    finally:
        made.close()


def local_list(*, home: Path) -> tuple[Summary, ...]:
    """The local endpoints of a home."""
    from rollout.adapters.endpoints.local import administer  # noqa: PLC0415

    return administer.list_endpoints(home)


def local_processes(name: str, *, home: Path) -> tuple[Running, ...]:
    """What runs for a local endpoint."""
    from rollout.adapters.endpoints.local import administer  # noqa: PLC0415

    return administer.processes(home, name, clock())


def local_down(name: str, *, home: Path) -> None:
    """Stop a local endpoint and keep its files."""
    from rollout.adapters.endpoints.local import administer  # noqa: PLC0415

    administer.down(home, name, clock())


def local_fault(
    name: str,
    *,
    home: Path,
    kind: str,
    deployment: str | None,
    percent: float,
    seconds: float,
) -> None:
    """Disturb a local endpoint on purpose."""
    from rollout.adapters.endpoints.local import administer  # noqa: PLC0415

    administer.fault(
        home,
        name,
        clock(),
        kind=kind,
        deployment=deployment,
        percent=percent,
        seconds=seconds,
    )


def local_key(name: str, *, home: Path) -> str:
    """The key that clients of a local endpoint send."""
    from rollout.adapters.endpoints.local import administer  # noqa: PLC0415

    return administer.key(home, name)


@dataclass(frozen=True, slots=True)
class Sent:
    """What clients have sent so far, and how much of it was not answered well."""

    sent: int
    failed: int


class Clients:
    """Clients of a local endpoint that send requests while the context is open."""

    def __init__(self, load: OpenLoopLoad) -> None:
        self._load = load

    def __enter__(self) -> Clients:
        self._load.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._load.stop()

    def stats(self) -> Sent:
        """Up to now."""
        stats = self._load.stats()
        return Sent(stats.sent, sum(stats.failed.values()) + stats.dropped)


def local_clients(plan: Plan, home: Path, rps: float) -> Clients:
    """Clients that send the plan's requests to its endpoint, ``rps`` a second."""
    from rollout.adapters.endpoints.local import administer  # noqa: PLC0415

    if not plan.requests:
        raise UsageError("The plan has no requests to send.", do="Add requests: FILE to it.")
    load = administer.load(home, plan.endpoint.name, rps=rps, bodies=plan.requests)
    return Clients(load)


def _spelled(effect: Effect) -> str:
    match effect:
        case CreateEndpoint():
            return "Creating the endpoint."
        case PutDeployment(_, name):
            return f"Starting {name}."
        case SetSplit(traffic):
            return f"Giving it the traffic: {Split(traffic)}."
        case _:
            return type(effect).__name__


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
