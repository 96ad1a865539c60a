"""A person's orders to a run, from any process."""

from __future__ import annotations

from rollout.api.opening import stored
from rollout.api.settings import Settings
from rollout.domain.events import (
    AbortOrdered,
    Order,
    PauseOrdered,
    Rejected,
    ResumeOrdered,
    RetryOrdered,
)
from rollout.domain.run import Run
from rollout.runtime import orders


def approve(run_id: str | None = None, message: str = "", settings: Settings | None = None) -> Run:
    """Say yes to the approval that a run waits for."""
    used = settings or Settings()
    with stored(used) as store:
        found = orders.find_run(store, run_id)
        return orders.approve(store, found, used.who, message)


def reject(run_id: str | None = None, message: str = "", settings: Settings | None = None) -> Run:
    """Say no: the run rolls back."""
    used = settings or Settings()
    return _give(run_id, Rejected(used.who, message), used)


def pause(run_id: str | None = None, message: str = "", settings: Settings | None = None) -> Run:
    """Stop a run where it is; its guard goes on."""
    used = settings or Settings()
    return _give(run_id, PauseOrdered(used.who, message), used)


def resume(
    run_id: str | None = None,
    message: str = "",
    settings: Settings | None = None,
    *,
    adopt: bool = False,
) -> Run:
    """Let a paused or held run go on; ``adopt`` takes the split as somebody changed it."""
    used = settings or Settings()
    return _give(run_id, ResumeOrdered(used.who, adopt, message, reads=True), used)


def abort(
    run_id: str | None = None,
    message: str = "",
    settings: Settings | None = None,
    *,
    keep_traffic: bool = False,
) -> Run:
    """End a run: back to the captured split, or with ``keep_traffic`` as it is."""
    used = settings or Settings()
    return _give(run_id, AbortOrdered(used.who, keep_traffic, message), used)


def retry(run_id: str | None = None, message: str = "", settings: Settings | None = None) -> Run:
    """Let a held run try its stage again."""
    used = settings or Settings()
    return _give(run_id, RetryOrdered(used.who, message, reads=True), used)


def _give(run_id: str | None, order: Order, used: Settings) -> Run:

    with stored(used) as store:
        return orders.give(store, orders.find_run(store, run_id), order, used.who)
