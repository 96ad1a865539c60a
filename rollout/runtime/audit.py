"""After late calls: the audit of a run that is over, and what a runner does that sent one.

The rules are in ``rollout.domain.auditing``; the driver follows them as it follows the others.
"""

from __future__ import annotations

from collections.abc import Callable

from rollout.domain.auditing import spelled
from rollout.domain.endpoint import Effect
from rollout.domain.errors import Fenced, Locked
from rollout.domain.events import LooseCallFound
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


def owned_up(late: LateCall, again: Callable[[], Driver]) -> Fenced:
    """The end of a runner that sent a call too late, after it has looked for it where it may.

    Args:
        late: What was sent, and how it learned that another runner had taken over.
        again: Takes the lease anew and gives a driver with it; raises ``Locked`` while another
            drives.

    Returns:
        What to raise.
    """
    what = (
        f"{late.what} Its last call, the {spelled(late.effect)}, was perhaps sent only after that."
    )
    try:
        driver = again()
    except Locked:
        return Fenced(what, do=f"The other runner undoes what came of it. {late.do}")
    try:
        told = _looked_for(driver, late.effect)
    finally:
        driver.let_go()
    return Fenced(f"{what} {told}", do="Look: rollout status")


def _looked_for(driver: Driver, effect: Effect) -> str:
    run = driver.journal.refresh()
    if run is None:
        return "The journal has no run."
    if run.final or effect not in run.loose:
        begin.resume(driver.journal, driver.lease.before)
        run = _noted(driver, effect)
    if not run.final:
        return f"Whoever drives {run.id} next undoes what came of it."
    run = driver.drive() or run
    if run.leftover:
        return run.leftover
    return f"{run.id} is over; it was looked for, and nothing of it is left."


def _noted(driver: Driver, effect: Effect) -> Run:
    while True:
        try:
            return driver.journal.append(LooseCallFound(effect))
        except Conflict:  # a person's order came first
            continue
