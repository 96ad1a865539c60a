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
from rollout.domain.outcome import exit_code
from rollout.domain.run import Run
from rollout.ports.observer import Observer
from rollout.report.data import whole_run_data
from rollout.report.onward import going_on

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

    return _end(given, run, "aborted", give)


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
    driver = api.driven_by(run.id, used)
    _tell(output, run, word, driver)
    if driver is not None:
        output.say(f"{driver} drives it and will follow. Watch: rollout status -w {run.id}")
    else:
        output.say(f"Nobody drives {run.id}; go on: {going_on(run)}")
    return Exit.OK


def _end(given: Given, name: str | None, word: str, give: Give) -> int:
    """Write the order down, and follow it here if nobody else does."""
    output, used = Output(given), settings(given)
    run = give(name, used)
    driver = None if run.final else api.driven_by(run.id, used)
    if run.final or driver is not None:
        _tell(output, run, word, driver)
        if driver is not None:
            output.say(f"{driver} drives it and will go back. Watch: rollout status -w {run.id}")
        else:
            output.say(f"All of it: rollout show {run.id}")
        return exit_code(run) if run.final else Exit.OK
    output.say(f"{run.id} is {word}. Nobody drives it, so this command does.")

    def begin(observer: Observer, stopping: Callable[[], bool]) -> api.Result:
        return api.carry_on(run.id, used, observer=observer, stopping=stopping)

    return drive(Drive(begin, f"rollout abort {run.id}", used), given, output)


def _tell(output: Output, run: Run, word: str, driver: str | None) -> None:
    data = {**whole_run_data(run), "order": word, "driven_by": driver}
    output.show(data, ())
    if output.form == "text":
        output.say(f"{run.id} of {run.plan}: {word}.")
