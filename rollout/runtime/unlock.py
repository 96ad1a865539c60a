"""Taking a lease away from whoever holds it, by a person's order."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rollout.domain.errors import Locked, StoreError
from rollout.domain.events import OwnerTook, RunStarted
from rollout.domain.run import Run
from rollout.ports.store import Conflict, LeaseRecord, Store
from rollout.runtime.journal import Journal, entries, read_entry
from rollout.runtime.lease import Life, Owner, life_of

TRIES = 20  # against an owner who renews the lease


@dataclass(frozen=True, slots=True)
class Lock:
    """A lease that somebody holds.

    Args:
        stream: The endpoint's key.
        identity: Of the process that holds it.
        holder: The same, as people read it.
        life: Whether that process lives.
        since: When it began to drive, Unix seconds; None: it has not begun.
        run: The open run of the endpoint; None: there is none.
    """

    stream: str
    identity: Mapping[str, object]
    holder: str
    life: Life
    since: float | None
    run: Run | None


def lock_of(store: Store, stream: str, me: Owner) -> Lock | None:
    """Who holds the lease of an endpoint; None: nobody.

    Args:
        store: Where it is kept.
        stream: The endpoint's key.
        me: This process, which knows of others on its machine whether they live.

    Raises:
        NewerJournal: a newer version wrote the endpoint's journal.
    """
    found = store.lease(stream)
    if found is None or _body(found)["released"]:
        return None
    identity = _body(found)["owner"]
    holder = Owner(identity, me.surely_dead).name
    last = store.last(stream)
    run = read_entry(last).state if last else None
    since = _since(store, stream, run, holder) if run else None
    open_run = None if run is None or run.final else run
    return Lock(stream, identity, holder, life_of(identity, me), since, open_run)


def unlock(store: Store, lock: Lock, by: str) -> None:
    """Take the lease away, and let its owner append nothing any more.

    One that holds the lease, but has not begun to drive, learns it with its next renewal.

    Args:
        store: Where it is kept.
        lock: From ``lock_of``.
        by: Who wants it.

    Raises:
        Locked: meanwhile another process has the lease.
        StoreError: its owner renewed it each time.
    """
    journal = Journal(store, lock.stream, by)
    for _ in range(TRIES):
        journal.refresh()
        epoch = journal.last.epoch if journal.last else 0
        found = store.lease(lock.stream)
        if found is None or _body(found)["released"]:
            return
        body = _body(found)
        if body["owner"] != lock.identity:
            who = Owner(body["owner"], lambda _: False).name
            raise Locked(
                f"Meanwhile {who} holds the lease, no longer {lock.holder}.", do="Look again."
            )
        # "forced" tells the next owner that this one may still live.
        forced = {**body, "released": True, "forced": by, "id": uuid.uuid4().hex}
        try:
            store.put_lease(lock.stream, json.dumps(forced).encode(), version=found.version)
        except Conflict:
            continue
        # Only now: an owner who is told before lets the lease go itself, as if nobody had come.
        if lock.life is not Life.DEAD:
            journal.unseat(epoch)
        return
    raise StoreError(f"{lock.holder} renews the lease all the time.", do="End that process first.")


def _body(found: LeaseRecord) -> dict[str, Any]:
    return dict(json.loads(found.body))


def _since(store: Store, stream: str, run: Run, holder: str) -> float | None:
    began = [
        each.at
        for each in entries(store, stream, run.id)
        if isinstance(each.event, OwnerTook | RunStarted) and each.by == holder
    ]
    return began[-1] if began else None
