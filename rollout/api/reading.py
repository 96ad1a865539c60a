"""What the journal tells of runs."""

from __future__ import annotations

from rollout.api.opening import stored
from rollout.api.settings import Settings
from rollout.domain.run import Run
from rollout.runtime import due, orders
from rollout.runtime.chain import digest_of
from rollout.runtime.journal import Entry, read_entry
from rollout.runtime.lease import Holder, holder_of
from rollout.wiring import plugs


def status(run_id: str | None = None, settings: Settings | None = None) -> Run:
    """A run as the journal has it: by id or prefix, or else the open or newest one."""
    with stored(settings or Settings(), create=False) as store:
        return orders.find_run(store, run_id).run


def history(settings: Settings | None = None) -> tuple[Run, ...]:
    """Every run of the store, newest first."""
    with stored(settings or Settings(), create=False) as store:
        return tuple(found.run for found in orders.all_runs(store))


def events(
    run_id: str | None = None, settings: Settings | None = None, *, after: int = -1
) -> tuple[Entry, ...]:
    """The events of a run with a ``seq`` above ``after``, oldest first."""
    with stored(settings or Settings(), create=False) as store:
        found = orders.find_run(store, run_id)
        if after < 0:
            return orders.story(store, found)
        records = store.read(found.stream, after=after)
        return tuple(read_entry(each) for each in records if each.run == found.run.id)


def head(run_id: str | None = None, settings: Settings | None = None) -> str:
    """SHA-256 of the newest entry of the journal that a run is in.

    Kept elsewhere, it shows later that nothing was taken off the journal's end.
    """
    with stored(settings or Settings(), create=False) as store:
        last = store.last(orders.find_run(store, run_id).stream)
        return digest_of(last) if last is not None else ""


def left_alone(settings: Settings | None = None) -> frozenset[str]:
    """Superseded runs whose successor never began, so that nobody guards their candidate."""
    with stored(settings or Settings(), create=False) as store:
        return due.left_alone(store, plugs.owner)


def driven_by(run_id: str | None = None, settings: Settings | None = None) -> Holder | None:
    """Who holds the lease of a run's endpoint, so that it drives the run if it lives; None: nobody.

    It is told at once, without watching the lease: see ``Holder.lives``.
    """
    with stored(settings or Settings(), create=False) as store:
        found = orders.find_run(store, run_id)
        return holder_of(store, found.stream, plugs.owner)
