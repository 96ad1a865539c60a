"""Stores and endpoints, opened and closed again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rollout.api.settings import HOME, Settings
from rollout.domain.errors import UsageError
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
def regained(plan: Plan, stream: str, used: Settings, *, create: bool = True) -> Iterator[Endpoint]:
    """The endpoint whose journal a plan was found in, closed in the end.

    Args:
        plan: From the journal.
        stream: The journal's, and so the endpoint's key.
        used: Where things are. A local endpoint of this machine is found without its home.
        create: See ``opened``.

    Raises:
        UsageError: the plan leads to another endpoint from here.
    """
    with reached(plan, _at_home(plan, stream, used), create=create) as endpoint:
        if endpoint.key != stream:
            raise _elsewhere(plan, stream, endpoint.key)
        yield endpoint


def see_here(plan: Plan, stream: str, used: Settings) -> None:
    """See that an endpoint whose journal is known can be reached from here; nothing is looked at.

    Raises:
        UsageError: the plan leads to another endpoint from here.
    """
    with regained(plan, stream, used, create=False):
        pass


def _at_home(plan: Plan, stream: str, used: Settings) -> Settings:
    """The settings with the home of a local endpoint, unless somebody said another."""
    if plan.endpoint.provider != "local" or used.home != Path(HOME):
        return used
    from rollout.wiring import localhost  # noqa: PLC0415 - psutil, only for this provider

    return replace(used, home=localhost.home_of(stream, plan.endpoint.name) or used.home)


def _elsewhere(plan: Plan, stream: str, here: str) -> UsageError:
    if plan.endpoint.provider != "local":
        return UsageError(
            f"This run's endpoint is {stream}; from here its plan leads to {here}.",
            do="Go on where the run was begun.",
        )
    home = stream.removeprefix("local/").rpartition("/")[0]
    return UsageError(
        f"This run's endpoint is in {home}, here it would be {here.removeprefix('local/')}.",
        do=f"On the machine that has it, say --home {shlex.quote(home)}, in the folder's own capitals.",
    )


@contextmanager
def kept(used: Settings) -> Iterator[Store]:
    """The store to be written, and so with its own time; one that has nothing in it is not made."""
    with stored(used, create=False) as store:
        if not store.streams():
            yield store
            return
    with stored(used) as store:
        yield store


@contextmanager
def stored(used: Settings, *, create: bool = True) -> Iterator[Store]:
    """The store; with ``create=False`` one that is missing reads as empty."""
    store = plugs.store(used.state, create=create)
    try:
        yield store
    finally:
        store.close()
