"""Finding runs in a store, and giving them a person's orders from any process."""

from __future__ import annotations

import json
import shlex
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from rollout.domain import approvals, events as e
from rollout.domain.codec import decode
from rollout.domain.errors import UsageError
from rollout.domain.plan import Plan
from rollout.domain.run import Phase, Run
from rollout.ports.store import Store
from rollout.runtime.journal import Entry, Journal, entries, read_entry


@dataclass(frozen=True, slots=True)
class Found:
    """A run with the stream it is in; ``at`` is the time of its last event, Unix seconds."""

    stream: str
    run: Run
    at: float


def all_runs(store: Store, beginning: str = "") -> tuple[Found, ...]:
    """Every run of the store whose id begins like that, newest first.

    Raises:
        NewerJournal: a newer version wrote one of them.
    """
    found = []
    for stream, record in store.tails():
        if record.run.startswith(beginning):  # others may be of a newer version
            entry = read_entry(record)
            found.append(Found(stream, entry.state, entry.at))
    return tuple(sorted(found, key=lambda each: (each.run.started, each.at), reverse=True))


def newest(store: Store, stream: str) -> Found:
    """The newest run of an endpoint.

    Raises:
        UsageError: it has none.
    """
    record = store.last(stream)
    if record is None:
        raise UsageError(f"{stream} has no run.", do="Begin one: rollout apply PLAN")
    entry = read_entry(record)
    return Found(stream, entry.state, entry.at)


def find_run(store: Store, run_id: str | None) -> Found:
    """The run called ``run_id`` (a prefix will do), or without one the open or newest.

    Raises:
        UsageError: there is none, several begin like that, or the name is empty.
    """
    if run_id is not None and not run_id.strip():
        # A shell makes this of a variable that is not set; it must not mean the newest run.
        raise UsageError("RUN is empty.", do="Give a run's id. List them: rollout history")
    runs = all_runs(store, run_id or "")
    if run_id is None:
        if not runs:
            raise UsageError(
                "No rollout has run with this state yet.", do="Begin one: rollout apply PLAN"
            )
        return next((each for each in runs if not each.run.final), runs[0])
    if len(runs) != 1:
        what = f"are {len(runs)} runs" if runs else "is no run"
        raise UsageError(
            f"There {what} whose id begins with {run_id!r}.", do="List them: rollout history"
        )
    return runs[0]


def plan_of(store: Store, found: Found) -> Plan:
    """The plan that a run was started with, from the journal alone."""
    first = found.run.first
    for record in store.read(found.stream, after=first - 1, limit=1) if first >= 0 else ():
        event = read_entry(record).event
        if record.run == found.run.id and isinstance(event, e.RunStarted):
            return decode(Plan, json.loads(event.source))
    for entry in entries(store, found.stream, found.run.id):
        if isinstance(entry.event, e.RunStarted):
            return decode(Plan, json.loads(entry.event.source))
    raise UsageError(f"{found.run.id} has no beginning.", do="List the runs: rollout history")


def story(store: Store, found: Found) -> tuple[Entry, ...]:
    """Every event of one run, oldest first."""
    return tuple(entries(store, found.stream, found.run.id))


def approve(store: Store, found: Found, by: str, message: str) -> Run:
    """Say yes to the approval stage that the run waits at.

    Raises:
        UsageError: it waits for none, it is too late, this person's word does not count here, or
            counts already.
    """

    def fits(newest: Run) -> None:
        _same(newest, found.run)
        _may_approve(newest, found.run, by)
        _in_time(newest, store.now())

    _may_approve(found.run, found.run, by)
    _in_time(found.run, store.now())
    stage = found.run.stage.id if found.run.stage else ""
    said = e.Approved(stage, found.run.digest, by, store.now(), message)
    # What was found may be old: the newest state is asked once more, before each try.
    return Journal(store, found.stream, by).order(said, fits)


def _may_approve(run: Run, known: Run, who: str) -> None:
    """See that this person's yes would count for the stage that was known to wait for it."""
    work, stage = approvals.asked(run), run.stage
    if work is None or stage is None or known.stage is None or stage.id != known.stage.id:
        raise UsageError(f"{run.id} waits for no approval.", do=f"Look: rollout status {run.id}")
    said = approvals.given(run, stage, work)
    missing = work.count - len(said)
    noun = "approval" if work.count == 1 else "approvals"
    far = f"{missing} of {work.count} {noun} missing"
    if any(approvals.same(each.by, who) for each in said):
        raise UsageError(
            f"{who} has approved {stage.id} already; {far}.",
            do=f"Ask {approvals.who_may(run, work)}."
            if missing > 0
            else f"Look: rollout status {run.id}",
        )
    if not approvals.may(run, work, who):
        own = not work.author and approvals.same(who, run.author)
        why = f"you are {who}, who started it" if own else f"you are {who}"
        raise UsageError(
            f"{stage.id} may be approved by {approvals.who_may(run, work)}; {why}; {far}.",
            do="Ask one of them, or let the plan say 'approve: {author: true}'."
            if own and not work.by
            else "Ask one of them.",
        )


def _in_time(run: Run, now: float) -> None:
    """See that a yes to the present stage still counts."""
    work, stage = approvals.asked(run), run.stage
    limit = approvals.until(run, work) if work is not None else None
    if work is None or stage is None or limit is None or not approvals.expired(run, work, now):
        return
    end = "holds the run" if run.on_failure.action == "hold" else "rolls back"
    at = datetime.fromtimestamp(int(limit), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    raise UsageError(
        f"The approval of {stage.id} expired at {at}; the next look {end}.",
        do=f"Let it look: rollout tick {run.id}",
    )


def give(store: Store, found: Found, order: e.Order, by: str) -> Run:
    """Append an order; refuse one that could not do anything.

    Raises:
        UsageError: the run is over, or past its point of no return.
    """

    def fits(newest: Run) -> None:
        _same(newest, found.run)
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


def _same(newest: Run, known: Run) -> None:
    """See that the endpoint's newest run is still the one that the order is for."""
    if newest.id == known.id:
        return
    if newest.supersedes == known.id:
        raise UsageError(
            f"The plan changed: {newest.id} of {newest.plan} has taken the place of {known.id}.",
            do=f"Look at it first: rollout show {newest.id}",
        )
    raise _over(known)


def _over(run: Run) -> UsageError:
    return UsageError(f"{run.id} is over.", do=f"Look: rollout show {run.id}")


def _check(run: Run, order: e.Order) -> None:
    if run.final:
        raise _over(run)
    ends_as_it_is = isinstance(order, e.AbortOrdered) and order.keep_traffic
    goes_back = isinstance(order, e.AbortOrdered | e.Rejected) and not ends_as_it_is
    if goes_back and run.committed:
        raise UsageError(
            f"{run.id} has begun to delete {run.baseline}; there is no way back in this run.",
            do="Return later with a plan whose candidate is the old one. "
            f"First let it end: rollout apply {shlex.quote(run.file or 'PLAN')}. "
            f"Or leave it as it stands: rollout abort {run.id} --keep-traffic",
        )
    drift = run.cause.drift if run.cause is not None and run.phase is Phase.HELD else None
    if isinstance(order, e.ResumeOrdered) and order.adopt and drift is not None and drift.lost:
        lost = " and ".join(drift.lost)
        raise UsageError(
            f"A split can be adopted, {lost} cannot: {run.cause.text if run.cause else ''}",
            do=f"Put {lost} back as it was, then: rollout retry {run.id}; "
            f"or give up: rollout abort {run.id}",
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
