"""Endpoints on this machine, for the commands that steer them without a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rollout.adapters.endpoints.local import administer
from rollout.adapters.endpoints.local.administer import Running, Summary
from rollout.adapters.endpoints.local.endpoint import build
from rollout.adapters.endpoints.local.folder import Folder, homes_of, key_of
from rollout.adapters.load.openloop import OpenLoopLoad
from rollout.domain.endpoint import CreateEndpoint, Effect, PutDeployment, SetSplit
from rollout.domain.errors import Locked, UsageError
from rollout.domain.plan import Plan
from rollout.domain.run import Split
from rollout.runtime.bootstrap import bootstrap
from rollout.runtime.journal import Journal
from rollout.runtime.lease import watched_holder
from rollout.wiring import plugs


def up(plan: Plan, *, home: Path, told: Callable[[str], None]) -> str:
    """Bring up a plan's endpoint with its baseline; its scoring URI."""
    clock = plugs.clock()
    made = build(plan, home=home, clock=clock)
    try:
        bootstrap(plan, made, clock, lambda effect: told(_spelled(effect)))
        return made.scoring_uri or ""
    finally:
        made.close()


def endpoints(*, home: Path) -> tuple[Summary, ...]:
    """The local endpoints of a home."""
    return administer.list_endpoints(home)


def processes(name: str, *, home: Path) -> tuple[Running, ...]:
    """What runs for a local endpoint."""
    return administer.processes(home, name, plugs.clock())


def see_undriven(
    name: str, *, home: Path, state: str, watching: Callable[[str], None] = lambda _: None
) -> None:
    """See that nobody drives a run on a local endpoint.

    Args:
        name: The endpoint's.
        home: The folder of local endpoints.
        state: URL of the store with the leases; one that is missing has none.
        watching: Called with whoever held its lease last, before it is watched for seconds.

    Raises:
        Locked: a living runner holds its lease.
    """
    stream, owner = key_of(home, name), plugs.owner()
    store = plugs.store(state, create=False)
    try:
        who = watched_holder(store, stream, owner, plugs.clock(), watching)
        run = Journal(store, stream, owner.name).refresh() if who is not None else None
    finally:
        store.close()
    if who is not None:
        left = "" if run is None or run.final else run.id
        raise Locked(
            f"{who} is driving a run{f', {left},' if left else ''} on {name}.",
            do=f"Let it end: rollout status {left} -w. Or end it: rollout abort {left}"
            if left
            else "Try again in a moment.",
        )


def home_of(key: str, name: str) -> Path | None:
    """The folder on this machine that holds the local endpoint with such a key; None: no single one.

    Args:
        key: The endpoint's, from a journal.
        name: The endpoint's.
    """
    found = homes_of(key, name)
    used = [each for each in found if Folder(each / name).is_used]
    return used[0] if len(used) == 1 else found[0] if len(found) == 1 else None


def down(name: str, *, home: Path) -> None:
    """Stop a local endpoint and keep its files."""
    administer.down(home, name, plugs.clock())


def fault(
    name: str,
    *,
    home: Path,
    kind: str,
    deployment: str | None,
    percent: float,
    seconds: float,
) -> None:
    """Disturb a local endpoint on purpose."""
    administer.fault(
        home,
        name,
        plugs.clock(),
        kind=kind,
        deployment=deployment,
        percent=percent,
        seconds=seconds,
    )


def key(name: str, *, home: Path) -> str:
    """The key that clients of a local endpoint send."""
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


def clients(plan: Plan, home: Path, rps: float) -> Clients:
    """Clients that send the plan's requests to its endpoint, ``rps`` a second."""
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
