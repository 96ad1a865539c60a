"""``approve``, ``reject``, ``pause``, ``resume``, ``abort``, ``retry``: a person's orders to a run."""

from __future__ import annotations

from collections.abc import Callable

import click

from rollout import api
from rollout.cli.driving import Drive, drive
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output
from rollout.cli.settings import settings
from rollout.domain.errors import Locked, UsageError
from rollout.domain.outcome import exit_code
from rollout.domain.run import Run
from rollout.domain.units import spell_duration
from rollout.ports.observer import Observer
from rollout.report.data import holder_data, whole_run_data
from rollout.report.onward import going_on, perhaps_driven
from rollout.runtime.lease import TTL, Holder

_SHOWS = ("output", "state")
_message = click.option("-m", "--message", default="", metavar="TEXT", help="Why; kept with it.")
_run = click.argument("run", required=False)
Give = Callable[[str | None, api.Settings], Run]


@verb("rollout approve r-7f3a -m 'looks good'", "rollout approve", shows=_SHOWS)
@_run
@_message
def approve(given: Given, run: str | None, message: str) -> int:
    """Say yes to the approval that a run waits for.

    It is signed with ROLLOUT_USER, or else with the name of the user. Whoever started the run does not
    count, unless the plan says so.
    """
    return _order(given, run, "approved", lambda name, used: api.approve(name, message, used))


@verb("rollout reject r-7f3a -m 'wrong model'", shows=_SHOWS)
@_run
@_message
def reject(given: Given, run: str | None, message: str) -> int:
    """Say no: the run rolls back."""
    return _end(given, run, "rejected", lambda name, used: api.reject(name, message, used))


@verb("rollout pause r-7f3a", shows=_SHOWS)
@_run
@_message
def pause(given: Given, run: str | None, message: str) -> int:
    """Stop a run where it is; its guard goes on."""
    return _order(given, run, "paused", lambda name, used: api.pause(name, message, used))


@verb(
    "rollout resume r-7f3a",
    "rollout resume r-7f3a --adopt                    (with the split as somebody changed it)",
    shows=_SHOWS,
)
@_run
@_message
@click.option("--adopt", is_flag=True, help="Take the endpoint as it is now, after a drift.")
def resume(given: Given, run: str | None, message: str, adopt: bool) -> int:
    """Let a paused or held run go on."""
    return _order(
        given, run, "resumed", lambda name, used: api.resume(name, message, used, adopt=adopt)
    )


@verb(
    "rollout abort r-7f3a -m 'found a bug'",
    "rollout abort r-7f3a --keep-traffic              (end it, change nothing)",
    shows=_SHOWS,
)
@_run
@_message
@click.option("--keep-traffic", is_flag=True, help="Leave the split as it is.")
def abort(given: Given, run: str | None, message: str, keep_traffic: bool) -> int:
    """End a run and go back to the split that it found."""

    def give(name: str | None, used: api.Settings) -> Run:
        return api.abort(name, message, used, keep_traffic=keep_traffic)

    return _end(given, run, "aborted", give, here=not keep_traffic)


@verb("rollout retry r-7f3a", shows=_SHOWS)
@_run
@_message
def retry(given: Given, run: str | None, message: str) -> int:
    """Let a held run try its stage again, or an unverified rollback its verification."""
    return _order(given, run, "retried", lambda name, used: api.retry(name, message, used))


def _order(given: Given, name: str | None, word: str, give: Give) -> int:
    """Write the order down; whoever drives the run follows it."""
    output, used = Output(given), settings(given)
    run = give(name, used)
    holder = api.driven_by(run.id, used)
    _tell(output, run, word, holder)
    if holder is None:
        output.say(f"Nobody drives {run.id}; go on: {going_on(run)}")
    else:
        _watch(output, run, holder)
    return Exit.OK


def _end(given: Given, name: str | None, word: str, give: Give, *, here: bool = True) -> int:
    """Write the order down, and follow it here if nobody else does.

    Where this cannot be followed (``here``: it has to be) and nobody drives, none is written.
    """
    output, used = Output(given), settings(given)
    found = api.status(name, used)
    if here and not found.final and api.driven_by(found.id, used) is None:
        api.see_reachable(found.id, used)
    run = give(found.id, used)
    if run.final:
        _tell(output, run, word, None)
        output.say(f"All of it: rollout show {run.id}")
        return exit_code(run)
    return go_back(run, word, used, given, output)


def go_back(run: Run, word: str, used: api.Settings, given: Given, output: Output) -> int:
    """Follow an order that ends a run here, unless a runner that lives drives the run.

    Args:
        run: As the order left it.
        word: What it did to it.
        used: Where things are.
        given: The options.
        output: For what is told.
    """
    holder = api.driven_by(run.id, used)
    if holder is not None and (holder.lives or not _reachable(run, used)):
        _tell(output, run, word, holder)
        _watch(output, run, holder, "go back")
        return Exit.OK
    if holder is None:
        output.say(f"{run.id} is {word}. Nobody drives it, so this command does.")
    else:
        output.say(
            f"{run.id} is {word}. {holder.name} held the lease last; watching whether it lives. "
            f"If it is silent for {spell_duration(TTL)}, this command goes back itself."
        )

    def begin(observer: Observer, stopping: Callable[[], bool]) -> api.Result:
        return api.carry_on(run.id, used, observer=observer, stopping=stopping)

    try:
        return drive(Drive(begin, f"rollout abort {run.id}", used), given, output)
    except Locked:
        holder = api.driven_by(run.id, used)
        who = holder.name if holder is not None else "Another runner"
        _tell(output, run, word, Holder(who, lives=True))
        output.say(f"{who} drives it and will go back. Watch: rollout status -w {run.id}")
        return Exit.OK


def _reachable(run: Run, used: api.Settings) -> bool:
    try:
        api.see_reachable(run.id, used)
    except UsageError:
        return False
    return True


def _watch(output: Output, run: Run, holder: Holder, does: str = "follow") -> None:
    if holder.lives:
        output.say(f"{holder.name} drives it and will {does}. Watch: rollout status -w {run.id}")
        output.say(f"If nothing moves, it may be frozen: rollout tick {run.id} takes over then.")
    else:
        output.say(f"Watch: rollout status -w {run.id}. {perhaps_driven(holder.name, run)}")


def _tell(output: Output, run: Run, word: str, holder: Holder | None) -> None:
    output.show({**whole_run_data(run), "order": word, **holder_data(holder)}, ())
    if output.form == "text":
        output.say(f"{run.id} of {run.plan}: {word}.")
