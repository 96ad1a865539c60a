"""Runners that are frozen between their last look at the lease and the request, and thaw too late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rollout.domain import events as e
from rollout.domain.errors import UsageError
from rollout.domain.run import Phase
from rollout.runtime import orders
from tests.torture.ending import End, end
from tests.torture.place import Place, fresh, opened
from tests.torture.row import Row
from tests.torture.scenarios import SCENARIOS
from tests.torture.server import Pool, Told, Wish

BEFORE_CALL = "before call"
ABORT = e.AbortOrdered("eve")


@dataclass(frozen=True)
class Thawed:
    """What came of one frozen runner.

    Args:
        at: The number of the mark at which it stood still.
        call: What it was about to send.
        first: What the frozen one told in the end.
        second: What the one told that took over.
        left: The endpoint and the journal after both.
        wrong: What is not as it must be; empty: nothing.
    """

    at: int
    call: str
    first: Told
    second: Told
    left: End
    wrong: str


def frozen(
    pool: Pool,
    root: Path,
    scenario: str,
    *,
    aborted: bool = False,
    state: str = "",
    calls: tuple[str, ...] = (),
) -> Iterator[Thawed]:
    """Freeze a runner before each of its calls; another ends the run; the first goes on.

    Args:
        pool: Who forks the runners.
        root: Where.
        scenario: One of ``SCENARIOS``.
        aborted: A person aborts the run while its runner stands still.
        state: The journal's URL; empty: a file.
        calls: Before which calls; empty: all.
    """
    calm = fresh(root / "calm", SCENARIOS[scenario], state)
    with pool.taken() as server:
        labels = server.run(Wish(str(calm), scenario, state))["labels"]
    undisturbed = end(calm, state)
    for at, label in enumerate(labels, start=1):
        call = label.removeprefix(BEFORE_CALL).strip()
        if label.startswith(BEFORE_CALL) and (not calls or call in calls):
            folder = fresh(root / str(at), SCENARIOS[scenario], state)
            wish = Wish(str(folder), scenario, state, stop_at=at)
            first, second = _passed_over(pool, wish, folder, aborted=aborted)
            left = end(folder, state)
            over = any(each.event == ABORT for each in left.story)
            wrong = "; ".join(_wrongs(left, undisturbed, first, aborted=over))
            yield Thawed(at, call, first, second, left, wrong)


def _passed_over(pool: Pool, wish: Wish, folder: Path, *, aborted: bool) -> tuple[Told, Told]:
    with pool.taken() as server:
        stopped = server.run(wish)
        if aborted:
            # Behind the point of no return an abort is refused: then it ends as it would have.
            with opened(folder, wish.state) as made, suppress(UsageError):
                orders.give(made.store, orders.find_run(made.store, _run_of(made)), ABORT, "eve")
        second = server.run(replace(wish, stop_at=0))
        first = server.go_on(stopped["stopped"])
    return first, second


def _run_of(place: Place) -> str:
    newest = place.store.last(place.stream)
    assert newest is not None
    return newest.run


def _wrongs(left: End, undisturbed: End, first: Told, *, aborted: bool) -> Iterator[str]:
    yield from left.wrongs()
    if first.get("code") != 30:
        yield f"the frozen runner ended with {first}"
    if aborted:
        phase, split, there = Phase.ROLLED_BACK, "blue 100", {"blue"}
        if (left.run.phase, left.splits[-1], set(left.deployments)) != (phase, split, there):
            yield f"{left.run.phase}: {left.splits[-1]}, {left.deployments}"
    elif left.place != undisturbed.place:
        yield f"{left.place} instead of {undisturbed.place}"
    if left.run.unaudited:
        yield f"late calls are still loose: {left.run.loose} {left.run.landed}"


def zombies(pool: Pool, root: Path, state: str = "") -> Row:
    """Every call of every scenario, with and without an abort meanwhile."""
    found = [
        (f"{scenario}{', aborted' * aborted}", each)
        for scenario in SCENARIOS
        for aborted in (False, True)
        for each in frozen(
            pool, root / f"{scenario}{aborted}", scenario, aborted=aborted, state=state
        )
    ]
    bad = [(name, each) for name, each in found if each.wrong]
    note = f"{bad[0][0]}, {bad[0][1].call}: {bad[0][1].wrong}" if bad else ""
    return Row("SIGSTOP before each call", len(found), wrong=len(bad), note=note)
