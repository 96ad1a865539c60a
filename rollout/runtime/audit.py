"""After late calls: the audit of a run that is over, and what a runner does that sent one.

The rules are in ``rollout.domain.auditing``; the driver follows them as it follows the others.
"""

from __future__ import annotations

from collections.abc import Callable

from rollout.domain.auditing import spelled
from rollout.domain.endpoint import Effect, SetSplit
from rollout.domain.errors import Fenced, Locked, StoreError
from rollout.domain.events import Audited, LooseCallFound
from rollout.domain.run import Run
from rollout.ports.store import Conflict
from rollout.runtime import begin
from rollout.runtime.drive import Driver, LateCall


def audit(driver: Driver) -> None:
    """Look for late calls in the newest run, if it is over and nobody has done so since.

    For whoever has just taken the lease, before it begins or resumes a run.

    Args:
        driver: With the lease, and a journal that is not owned yet.

    Raises:
        Fenced: another runner took over.
    """
    run, before = driver.journal.refresh(), driver.lease.before
    if run is None or not run.final:
        return
    if run.unaudited or (before.contested and driver.journal.open_call() is not None):
        begin.resume(driver.journal, before)
        driver.drive()


def owned_up(
    late: LateCall, again: Callable[[], Driver], newest: Callable[[], Run | None]
) -> Fenced:
    """The end of a runner that sent a call too late, after it has looked for it where it may.

    Args:
        late: What was sent, and how it learned that another runner had taken over.
        again: Takes the lease anew and gives a driver with it; raises ``Locked`` while another
            drives.
        newest: Reads the newest run of the endpoint.

    Returns:
        What to raise.
    """
    what = (
        f"{late.what} Its last call, the {spelled(late.effect)}, was perhaps sent only after that."
    )
    try:
        try:
            driver = again()
        except Locked:
            return Fenced(what, do=_left_to_another(late, newest()))
        try:
            told, do = _looked_for(driver, late)
        finally:
            driver.let_go()
    except StoreError as error:
        told = f"It could not be looked for: {error.what}"
        return Fenced(f"{what} {told}", do=_look_again(late.run))
    return Fenced(f"{what} {told}", do=do)


def _left_to_another(late: LateCall, run: Run | None) -> str:
    if run is None or run.id == late.run.id:
        return f"The other runner undoes what came of it. {late.do}"
    return (
        f"{run.id}, which is driven now, knows nothing of it and may be held for a change by hand. "
        f"Look: rollout drift {run.id}"
    )


def _look_again(run: Run) -> str:
    return f"Let it be looked for again: rollout tick {run.id}"


def _looked_for(driver: Driver, late: LateCall) -> tuple[str, str]:
    """What came of the call, and what to do."""
    look, run = "Look: rollout status", driver.journal.refresh()
    if run is None:
        return "The journal has no run.", look
    if run.final or late.effect not in run.loose:
        begin.resume(driver.journal, driver.lease.before)
        run = _noted(driver, late.effect)
    if not run.final:
        text = f"Whoever drives {run.id} next undoes what came of it."
        return text, f"Go on: rollout tick {run.id}"
    run = driver.drive() or run
    if run.leftover:
        return run.leftover, _look_again(run)
    if run.unaudited:
        return f"{run.id} is over; the call could not be looked for.", _look_again(run)
    entry = driver.journal.last
    if entry is not None and isinstance(entry.event, Audited) and not entry.event.ok:
        return entry.event.text, f"Look: rollout drift {run.id}"
    if run.id != late.run.id and not isinstance(late.effect, SetSplit):
        text = f"{run.id}, a later run, is over; what is tagged with {late.run.id} was left alone."
        return text, f"Look whether the call has landed: rollout drift {run.id}"
    return f"{run.id} is over; it was looked for, and nothing of it is left.", look


def _noted(driver: Driver, effect: Effect) -> Run:
    while True:
        try:
            return driver.journal.append(LooseCallFound(effect))
        except Conflict:  # a person's order came first
            continue
