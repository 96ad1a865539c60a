"""The store itself: what it holds, moving journals, forgetting old runs, taking a lease away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rollout.api.opening import kept, stored
from rollout.api.settings import Settings
from rollout.runtime import archive, orders, pruning
from rollout.runtime.pruning import Prunable
from rollout.runtime.stock import Stream, named, stock
from rollout.runtime.unlock import Lock, lock_of, unlock
from rollout.wiring import plugs


def streams(settings: Settings | None = None) -> tuple[Stream, ...]:
    """The journals in the store, one an endpoint."""
    with stored(settings or Settings(), create=False) as store:
        return stock(store, plugs.owner)


def export_journals(
    run_id: str | None = None,
    settings: Settings | None = None,
    *,
    endpoint: str | None = None,
) -> Iterator[str]:
    """Journals as lines of text, without line ends.

    Args:
        run_id: Only the journal that this run is in.
        settings: Where things are.
        endpoint: Only this endpoint's journal, by its key or name.

    Raises:
        StoreError: an entry was edited, taken out or put in since it was written.
    """
    with stored(settings or Settings(), create=False) as store:
        if run_id is not None:
            wanted: Iterable[str] = (orders.find_run(store, run_id).stream,)
        elif endpoint is not None:
            wanted = (named(store, endpoint),)
        else:
            wanted = store.streams()
        yield from archive.exported(store, wanted)


def import_journals(lines: Iterable[str], settings: Settings | None = None) -> dict[str, int]:
    """Add exported journals to the store; what it has already of them is left as it is.

    Returns:
        How many entries were added to each stream.

    Raises:
        StoreError: the lines are broken, or the store has other entries there.
        Locked: somebody drives one of the endpoints.
    """
    found = archive.parsed(lines)
    with stored(settings or Settings()) as store:
        return archive.absorb(store, found, plugs.owner(), plugs.clock())


def prunable(seconds: float, settings: Settings | None = None) -> tuple[Prunable, ...]:
    """What ``prune`` would forget, by the store's own time; no journal is changed.

    Args:
        seconds: Only runs that ended that long ago.
        settings: Where things are.
    """
    with kept(settings or Settings()) as store:
        before = store.now() - seconds
        found = (pruning.prunable(store, each, before) for each in store.streams())
        return tuple(each for each in found if each is not None)


def prune(found: Iterable[Prunable], settings: Settings | None = None) -> None:
    """Forget the runs that ``prunable`` found, and what an interrupted ``prune`` left."""
    used = settings or Settings()
    with stored(used) as store:
        for each in found:
            pruning.prune(store, each, used.who)
        for name in store.streams():
            pruning.finish(store, name)


def lock(endpoint: str, settings: Settings | None = None) -> Lock | None:
    """Who holds the lease of an endpoint; None: nobody.

    Args:
        endpoint: Its key or name.
        settings: Where things are.
    """
    with stored(settings or Settings(), create=False) as store:
        return lock_of(store, named(store, endpoint), plugs.owner())


def force_unlock(found: Lock, settings: Settings | None = None) -> None:
    """Take a lease away from whoever holds it; its owner may still have a call under way.

    Raises:
        Locked: meanwhile another process has it.
    """
    used = settings or Settings()
    with stored(used) as store:
        unlock(store, found, used.who)
