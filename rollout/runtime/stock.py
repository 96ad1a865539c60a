"""What a store holds, as far as it can be told without understanding every entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from rollout.domain.errors import NewerJournal, UsageError
from rollout.domain.run import Run
from rollout.ports.store import Store
from rollout.runtime.journal import read_entry
from rollout.runtime.lease import Owner, holder_of


@dataclass(frozen=True, slots=True)
class Stream:
    """The journal of one endpoint.

    Args:
        key: The endpoint's key.
        runs: How many runs it tells of.
        entries: How many entries there are; forgotten ones are not.
        newest: The newest run's id.
        run: The newest run; None: a newer version of this program wrote it.
        at: When its last entry was appended, Unix seconds; None: likewise.
        holder: Who holds the lease, as people read it; None: nobody.
    """

    key: str
    runs: int
    entries: int
    newest: str
    run: Run | None
    at: float | None
    holder: str | None


def stock(store: Store, me: Callable[[], Owner]) -> tuple[Stream, ...]:
    """Every stream of a store, by key.

    Args:
        store: The store.
        me: This process; asked only where somebody holds a lease.
    """
    found = []
    for key, pairs in groupby(store.tails(), key=lambda each: each[0]):
        tails = [record for _, record in pairs]
        last = tails[-1]
        held = holder_of(store, key, me)
        try:
            entry = read_entry(last)
        except NewerJournal:
            run, at = None, None
        else:
            run, at = entry.state, entry.at
        first = next(iter(store.read(key, limit=1)), last).seq
        name = held.name if held else None
        found.append(Stream(key, len(tails), last.seq - first + 1, last.run, run, at, name))
    return tuple(found)


def named(store: Store, endpoint: str) -> str:
    """The stream that a person means by an endpoint's full key, or by its name where one has it.

    Raises:
        UsageError: there is none, or there are several.
    """
    if store.lease(endpoint) is not None:  # perhaps without a run: its owner died too soon
        return endpoint
    wanted, streams = endpoint.lower(), store.streams()
    if wanted in (lower := [each.lower() for each in streams]):
        return streams[lower.index(wanted)]
    fitting = [each for each in streams if each.lower().rpartition("/")[2] == wanted]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UsageError(
            f"Several endpoints are called {endpoint!r}: {', '.join(fitting)}.",
            do="Give the full key of one.",
        )
    raise UsageError(
        f"This store has no journal of an endpoint {endpoint!r}.",
        do="List those that it has: rollout state list",
    )
