"""An edited plan in the place of an open run: what the new run takes over from the old one.

Two appends: ``Superseded`` ends the old run and lets the split stay; ``RunStarted`` begins the new one.
Between the two nobody owns the candidate's traffic, so whatever begins next, after a crash too, takes
over the split that a rollback restores: nobody starts from a wrong baseline. If nothing begins, whoever
looks at the runs of the store is told (``rollout.domain.unguarded``).
"""

from __future__ import annotations

import shlex
from dataclasses import replace

from rollout.domain import decisions
from rollout.domain.endpoint import Seen, SetSplit
from rollout.domain.errors import Locked, UsageError
from rollout.domain.events import Superseded
from rollout.domain.run import OPEN, Phase, Run, Split
from rollout.domain.unguarded import abandoned
from rollout.ports.endpoint import Endpoint
from rollout.runtime.journal import Journal


def end(journal: Journal, old: Run, fresh: Run, message: str = "") -> Run:
    """End the open run as its owner, for ``fresh`` to take its place.

    Returns:
        The old run: over, with its split as it is, where ``fresh`` goes on with its candidate or
        nothing was changed yet; else on its way back.

    Raises:
        UsageError: it cannot be superseded any more.
        Locked: another run has begun meanwhile.
    """

    def fits(newest: Run) -> None:
        if newest.id != old.id:
            raise Locked(
                f"{newest.id} of {newest.plan} has begun meanwhile on {newest.endpoint}.",
                do=f"Look: rollout status {newest.id}",
            )
        check(newest)
        if newest.phase not in OPEN:
            raise Locked(
                f"{newest.id} goes back and cannot be superseded before it is there.",
                do=f"Let it end: rollout apply {shlex.quote(newest.file or 'PLAN')}",
            )

    order = Superseded(fresh.author, fresh.identity, message, keep_traffic=continues(fresh, old))
    return journal.order(order, fits)


def check(old: Run) -> None:
    """See that a run can be superseded.

    Raises:
        UsageError: it is past its point of no return.
    """
    if old.committed:
        raise UsageError(
            f"{old.id} has begun to delete {old.baseline}: no plan can take its place any more.",
            do=f"Let it end first: rollout apply {shlex.quote(old.file or 'PLAN')}",
        )


def continues(fresh: Run, old: Run) -> bool:
    """Whether the new run's candidate is the very one that the old one has brought so far."""
    ours = (old.baseline, old.candidate, old.candidate_digest)
    return ours == (fresh.baseline, fresh.candidate, fresh.candidate_digest)


def must_go_back(fresh: Run, last: Run | None) -> bool:
    """Whether the split that the run before found must be restored before the new one may begin."""
    if last is None or last.captured is None:
        return False
    if last.phase in (Phase.ROLLING_BACK, Phase.UNVERIFIED):
        return True
    return not continues(fresh, last) and (abandoned(last) or last.phase in OPEN)


def inherited(fresh: Run, last: Run | None, endpoint: Endpoint) -> Run:
    """The new run with what the superseded one leaves to it; any other run leaves nothing.

    Raises:
        EndpointError: the endpoint cannot be read.
    """
    if last is None or not abandoned(last):
        return fresh
    if last.captured is None:
        return replace(fresh, supersedes=last.id)
    seen = endpoint.observe()
    late = _late(last, seen)
    return replace(
        fresh,
        supersedes=last.id,
        captured=last.captured,
        expected=_left(last, seen),
        created=last.created and continues(fresh, last),
        loose=last.loose if late is None or late in last.loose else (*last.loose, late),
        landed=last.landed,
    )


def _late(last: Run, seen: Seen) -> SetSplit | None:
    """A split that the old run has begun to write and that may yet land."""
    return last.intent if seen.busy and isinstance(last.intent, SetSplit) else None


def _left(last: Run, seen: Seen) -> Split | None:
    """The split that the old run left behind; what it wrote last may be in place already."""
    split = Split.of(seen)
    landed = isinstance(last.intent, SetSplit) and split == decisions.goal(last.intent)
    return split if landed and not seen.busy else last.expected
