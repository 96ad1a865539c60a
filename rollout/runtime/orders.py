"""Finding runs in a store, and giving them a person's orders from any process."""

from __future__ import annotations

import json
import shlex
from contextlib import suppress
from dataclasses import dataclass

from rollout.domain import events as e
from rollout.domain.codec import decode
from rollout.domain.errors import UsageError
from rollout.domain.plan import Approve, Plan
from rollout.domain.run import Phase, Run, Step
from rollout.ports.store import Store
from rollout.runtime.journal import Entry, Journal, entries, read_entry


@dataclass(frozen=True, slots=True)
class Found:
    """A run with the stream it is in; ``at`` is the time of its last event, Unix seconds."""

    stream: str
    run: Run
    at: float


def all_runs(store: Store) -> tuple[Found, ...]:
    """Every run of the store, newest first."""
    found = []
    for stream, record in store.tails():
        entry = read_entry(record)
        found.append(Found(stream, entry.state, entry.at))
    return tuple(sorted(found, key=lambda each: (each.run.started, each.at), reverse=True))


def find_run(store: Store, run_id: str | None) -> Found:
    """The run called ``run_id`` (a prefix will do), or without one the open or newest.

    Raises:
        UsageError: there is none, several begin like that, or the name is empty.
    """
    if run_id is not None and not run_id.strip():
        # A shell makes this of a variable that is not set; it must not mean the newest run.
        raise UsageError("RUN is empty.", do="Give a run's id. List them: rollout history")
    runs = all_runs(store)
    if run_id is None:
        if not runs:
            raise UsageError(
                "No rollout has run with this state yet.", do="Begin one: rollout apply PLAN"
            )
        return next((each for each in runs if not each.run.final), runs[0])
    fitting = [each for each in runs if each.run.id.startswith(run_id)]
    if len(fitting) != 1:
        what = f"are {len(fitting)} runs" if fitting else "is no run"
        raise UsageError(
            f"There {what} whose id begins with {run_id!r}.", do="List them: rollout history"
        )
    return fitting[0]


def plan_of(store: Store, found: Found) -> Plan:
    """The plan that a run was started with, from the journal alone."""
    for entry in entries(store, found.stream, found.run.id):
        if isinstance(entry.event, e.RunStarted):
            return decode(Plan, json.loads(entry.event.source))
    raise UsageError(f"{found.run.id} has no beginning.", do="List the runs: rollout history")


def story(store: Store, found: Found) -> tuple[Entry, ...]:
    """Every event of one run, oldest first."""
    return tuple(entries(store, found.stream, found.run.id))


def approve(store: Store, found: Found, by: str, message: str) -> Run:
    """Say yes to the approval stage that the run waits at."""
    stage = found.run.stage
    waiting = (
        stage is not None
        and isinstance(stage.work, Approve)
        and found.run.step is Step.OBSERVING
        and found.run.phase in (Phase.RUNNING, Phase.PAUSED)
    )
    if stage is None or not isinstance(stage.work, Approve) or not waiting:
        raise UsageError(
            f"{found.run.id} waits for no approval.", do=f"Look: rollout status {found.run.id}"
        )
    if stage.work.by and by not in stage.work.by:
        raise UsageError(
            f"{stage.id} is approved by {' or '.join(stage.work.by)}; you are {by}.",
            do="Ask one of them.",
        )
    at = store.now()
    return give(store, found, e.Approved(stage.id, found.run.digest, by, at, message), by)


def give(store: Store, found: Found, order: e.Order, by: str) -> Run:
    """Append an order; refuse one that could not do anything.

    Raises:
        UsageError: the run is over, or past its point of no return.
    """

    def fits(newest: Run) -> None:
        if newest.id != found.run.id:
            raise _over(found.run)
        _check(newest, order)

    return Journal(store, found.stream, by).order(order, fits)


def close(store: Store, found: Run, stream: str, by: str, message: str) -> None:
    """End a run whose endpoint is gone, past its point of no return too; one that is over stays."""

    def fits(newest: Run) -> None:
        if newest.id != found.id or newest.final:
            raise _over(found)

    with suppress(UsageError):
        order = e.AbortOrdered(by, keep_traffic=True, message=message)
        Journal(store, stream, by).order(order, fits)


def _over(run: Run) -> UsageError:
    return UsageError(f"{run.id} is over.", do=f"Look: rollout show {run.id}")


def _check(run: Run, order: e.Order) -> None:
    if run.final:
        raise _over(run)
    stopping = isinstance(order, e.AbortOrdered | e.Rejected)
    if stopping and run.committed:
        raise UsageError(
            f"{run.id} has begun to delete {run.baseline}; there is no way back in this run.",
            do="Return later with a plan whose candidate is the old one. "
            f"First let it end: rollout apply {shlex.quote(run.file or 'PLAN')}",
        )
    wanted = {
        e.PauseOrdered: (Phase.RUNNING,),
        e.ResumeOrdered: (Phase.PAUSED, Phase.HELD),
        e.RetryOrdered: (Phase.HELD, Phase.UNVERIFIED),
    }.get(type(order))
    if wanted is not None and run.phase not in wanted:
        raise UsageError(
            f"{run.id} is {run.phase.value}, not {' or '.join(each.value for each in wanted)}.",
            do=f"Look: rollout status {run.id}",
        )
