"""Starting or resuming: which run a plan means on its endpoint, and owning it."""

from __future__ import annotations

import hashlib
import json
import secrets
import shlex
from dataclasses import dataclass, replace
from enum import Enum

from rollout.domain.advance import undone
from rollout.domain.codec import encode
from rollout.domain.errors import Locked, UsageError
from rollout.domain.events import AbortOrdered
from rollout.domain.plan import Plan
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.run import Phase, Run, Split
from rollout.ports.endpoint import Endpoint
from rollout.ports.store import Conflict
from rollout.runtime import superseding
from rollout.runtime.journal import Journal
from rollout.runtime.lease import Before

KEPT_REQUESTS = 65536  # bytes of request bodies that are kept with the run, one at least


class Course(Enum):
    """What applying a plan means now."""

    START = "start"
    RESUME = "resume"
    NOTHING = "nothing"
    BLOCKED = "blocked"
    SUPERSEDE = "supersede"


@dataclass(frozen=True, slots=True)
class Standing:
    """A plan against the journal of its endpoint.

    Args:
        course: What applying it would do.
        identity: SHA-256 over plan, candidate's inputs and endpoint.
        run: The endpoint's newest run, or None.
    """

    course: Course
    identity: str
    run: Run | None


def stand(
    plan: Plan,
    endpoint: Endpoint,
    run: Run | None,
    *,
    again: bool = False,
    supersede: bool = False,
    scheduled: bool = False,
) -> Standing:
    """Compare a plan with the endpoint's newest run.

    Work that was completed, rolled back or undone counts as done only while the endpoint still
    shows it: after a ``rollout destroy`` or a change by hand the same plan begins anew. So it does
    after an abort that left nothing to take back, and after pre-checks that failed. A schedule asks
    for the same work again and again, so there nothing begins anew that has ended in any way.

    Args:
        plan: The plan at hand.
        endpoint: Its endpoint.
        run: The newest run of the endpoint's journal.
        again: Begin anew although the same work has ended already.
        supersede: Take the place of another plan's open run.
        scheduled: It is no person who asks.

    Raises:
        UsageError: that run is past its point of no return.
    """
    parts = (plan.digest, endpoint.digest(CANDIDATE), endpoint.key)
    identity = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    if run is None:
        return Standing(Course.START, identity, None)
    if not run.final and run.identity != identity and untouched(run):
        return Standing(Course.START, identity, run)
    if not run.final:
        other = Course.SUPERSEDE if supersede else Course.BLOCKED
        course = Course.RESUME if run.identity == identity else other
        if course is Course.SUPERSEDE:
            superseding.check(run)
        return Standing(course, identity, run)
    same = identity in (run.identity, *run.undoes) and not again
    if same and (scheduled or (_settled(run) and Split.of(endpoint.observe()) == run.expected)):
        return Standing(Course.NOTHING, identity, run)
    return Standing(Course.START, identity, run)


def _settled(run: Run) -> bool:
    """Whether a run has ended with its endpoint as it was meant to be."""
    return run.phase in (Phase.COMPLETED, Phase.ROLLED_BACK, Phase.UNDONE)


def untouched(run: Run) -> bool:
    """Whether a run was held before it changed the traffic: another plan may take its place."""
    return run.phase is Phase.HELD and run.captured is None


def own(
    plan: Plan,
    endpoint: Endpoint,
    journal: Journal,
    standing: Standing,
    by: str,
    before: Before = Before.RELEASED,
    message: str = "",
) -> Run:
    """Start, resume, or take another run's place, as the owner of the journal from here on.

    Args:
        plan: What is to be done.
        endpoint: Where.
        journal: As just read.
        standing: The plan against it.
        by: Who wants it.
        before: How the owner before left the lease.
        message: Why another run's place is taken.

    Raises:
        Locked: another plan's run is open on this endpoint.
        UsageError: the other run is past its point of no return.
    """
    run = standing.run
    if standing.course is Course.BLOCKED and run is not None:
        raise _locked(run, _form(run, plan), plan)
    if standing.course is Course.RESUME and run is not None:
        return resume(journal, before)
    fresh = fresh_run(plan, endpoint, standing.identity, by, journal.now())
    if standing.course is Course.SUPERSEDE:
        superseding.end(journal, resume(journal, before), fresh, message)
    return _started(journal, superseding.inherited(fresh, journal.run, endpoint), plan)


def _started(journal: Journal, fresh: Run, plan: Plan) -> Run:
    """Begin ``fresh`` behind whatever the journal ends with, unless that is open."""
    while True:
        newest = journal.run
        if newest is not None and untouched(newest) and newest.identity != fresh.identity:
            journal.order(AbortOrdered(fresh.author, message="Another plan takes its place."))
            continue
        if newest is not None and not newest.final:
            raise _locked(newest, newest.plan, plan)
        try:
            return journal.start(fresh, kept(plan), plan.file)
        except Conflict:  # a late order, to a run that is over
            journal.refresh()


def _form(run: Run, plan: Plan) -> str:
    """What an open run is of, seen from the plan that meets it."""
    if run.plan != plan.name:
        return run.plan
    if run.values != plan.values:
        given = " ".join(f"--var {shlex.quote('='.join(pair))}" for pair in run.values.items())
        return f"this plan with other variables ({given or 'none given'})"
    return "an edited form of this plan"


def _locked(run: Run, what: str, plan: Plan) -> Locked:
    file = shlex.quote(plan.file or "PLAN")
    return Locked(
        f"{run.id} of {what} is open ({run.phase.value}) on {run.endpoint}.",
        do=f"Finish it with its own file as it was and its own variables "
        f"(rollout tick {run.id} does), end it (rollout abort {run.id}), "
        f"or put this plan in its place: rollout apply {file} --supersede",
    )


def resume(journal: Journal, before: Before = Before.RELEASED) -> Run:
    """Take over the newest run of the journal, whose owner left the lease like this."""
    while True:
        run = journal.refresh()
        if run is None:
            raise UsageError("There is nothing to resume.", do="Begin: rollout apply PLAN")
        call = journal.open_call() if before.contested else None
        try:
            journal.take(crashed=before.crashed, contested=before.contested, call=call)
        except Conflict:
            continue
        return journal.run or run


def undo(journal: Journal, last: Run, plan: Plan, by: str) -> Run:
    """Begin a run that takes the endpoint back to where ``last`` found it.

    Whether everything is there for that, ``rollout.runtime.undoing`` says.

    Raises:
        Locked: another run is open on this endpoint.
    """
    if last.captured is None:
        raise UsageError(f"{last.id} changed nothing.", do="List the runs: rollout history")
    return _started(journal, undone(last, new_id(), by, journal.now(), journal.run), plan)


def new_id() -> str:
    """A run's name: short enough to type, random enough for a team's journals."""
    return f"r-{secrets.token_hex(4)}"


def kept(plan: Plan) -> str:
    """The plan as the journal keeps it: enough to go on without its file."""
    size = 0
    few: list[bytes] = []
    for body in plan.requests:
        size += len(body)
        if few and size > KEPT_REQUESTS:
            break
        few.append(body)
    return json.dumps(encode(replace(plan, requests=tuple(few))), separators=(",", ":"))


def fresh_run(plan: Plan, endpoint: Endpoint, identity: str, by: str, now: float) -> Run:
    """A run of this plan at its very beginning, not yet in any journal."""
    return Run(
        id=new_id(),
        plan=plan.name,
        endpoint=plan.endpoint.name,
        identity=identity,
        digest=plan.digest,
        baseline=plan.baseline.name,
        candidate=plan.candidate.name,
        baseline_digest=endpoint.digest(BASELINE),
        candidate_digest=endpoint.digest(CANDIDATE),
        stages=plan.stages,
        on_failure=plan.on_failure,
        on_inconclusive={name: gate.on_inconclusive.then for name, gate in plan.gates.items()},
        author=by,
        started=now,
        since=now,
        file=plan.file,
        labels=plan.labels,
        deadline=None if plan.deadline is None else now + plan.deadline,
        windows=plan.windows,
        values=plan.values,
    )
