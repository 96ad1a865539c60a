"""The next command for a person who looks at a run."""

from __future__ import annotations

import shlex

from rollout.domain import approvals
from rollout.domain.run import Phase, Run, Why
from rollout.report.again import PLAIN, Again


def next_command(
    run: Run,
    again: Again = PLAIN,
    *,
    going: str = "",
    driven: bool = False,
    now: float | None = None,
) -> str:
    """What a person would do now.

    Args:
        run: As it stands.
        again: What the commands repeat.
        going: The command that would go on; empty: the one that ``going_on`` knows.
        driven: Whether a living runner has it in hand.
        now: Unix seconds, to tell whether it is too late for an approval; None: it is not.
    """
    on = going or going_on(run)
    if run.leftover:
        return again.completed(f"Look at {run.endpoint} now; let it be put right: {on}")
    if run.unaudited and not driven:
        return again.completed(f"Let late calls be looked for: rollout tick {run.id}")
    return again.completed(_next(run, on, driven=driven, now=now))


def going_on(run: Run) -> str:
    """The command that drives an open run further."""
    if not run.stages:  # a run that takes another one back has no plan to apply
        return f"rollout undo {run.id}"
    given = [word for pair in run.values.items() for word in ("--var", "=".join(pair))]
    return " ".join(["rollout apply", shlex.join([run.file or "PLAN", *given])])


def watching(who: str) -> str:
    """What is said before an owner's lease is watched."""
    return f"{who} held the lease last; watching for up to 20s whether it lives."


def perhaps_driven(who: str, run: Run) -> str:
    """What is said of an owner elsewhere, whose lease nobody watched."""
    return (
        f"{who} held the lease last; whether it lives is not known. "
        f"If nothing moves, go on: {going_on(run)}"
    )


def _next(run: Run, going: str, *, driven: bool, now: float | None) -> str:
    then = "" if driven else f", then {going}"  # an order moves nothing while nobody is there
    match run.phase:
        case Phase.RUNNING if approvals.lacking(run, now):
            return f"Approve: rollout approve {run.id}. Refuse: rollout reject {run.id}"
        case Phase.RUNNING | Phase.ROLLING_BACK:
            return f"Watch: rollout status -w {run.id}" if driven else f"Go on: {going}"
        case Phase.PAUSED:
            return f"Go on: rollout resume {run.id}{then}"
        case Phase.HELD:
            return _from_held(run, then)
        case Phase.UNVERIFIED:
            text = f"Look at {run.endpoint} now; try the rollback again: rollout retry {run.id}"
            return f"{text}{then}"
        case Phase.COMPLETED if run.deleted:
            return f"Look back: rollout show {run.id}"
        case Phase.COMPLETED:
            return f"Look back: rollout show {run.id}. Take it back: rollout undo {run.id}"
        case _:
            return f"Every event: rollout events {run.id}. All of it: rollout show {run.id}"


def _from_held(run: Run, then: str) -> str:
    away = f"give up: rollout abort {run.id}"
    again = f"rollout retry {run.id}{then}"
    if run.cause is None or run.cause.why is not Why.DRIFT:
        return f"Try the stage again: {again}; or {away}"
    lost = run.cause.drift.lost if run.cause.drift is not None else ()
    if lost:
        return f"Put {' and '.join(lost)} back as it was, then: {again}; or {away}"
    return f"Take the endpoint as it is: rollout resume --adopt {run.id}{then}; or {away}"
