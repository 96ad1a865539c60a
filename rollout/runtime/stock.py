"""What a store holds, as far as it can be told without understanding every entry."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from rollout.domain.errors import NewerJournal, UsageError
from rollout.domain.run import Run
from rollout.ports.store import Store
from rollout.runtime.journal import read_entry
from rollout.runtime.lease import Dead, living_holder


@dataclass(frozen=True, slots=True)
class Stream:
    """The journal of one endpoint.

    Args:
        key: The endpoint's key.
        runs: How many runs it tells of.
        entries: How many entries were ever appended.
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


def stock(store: Store, dead: Dead) -> tuple[Stream, ...]:
    """Every stream of a store, by key.

    Args:
        store: The store.
        dead: Whether a lease's owner certainly died.
    """
    found = []
    for key, pairs in groupby(store.tails(), key=lambda each: each[0]):
        tails = [record for _, record in pairs]
        last = tails[-1]
        holder = living_holder(store, key, dead)
        try:
            entry = read_entry(last)
        except NewerJournal:
            run, at = None, None
        else:
            run, at = entry.state, entry.at
        found.append(Stream(key, len(tails), last.seq + 1, last.run, run, at, holder))
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
