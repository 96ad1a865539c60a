"""``rollout undo``: back to the split that a run found."""

from __future__ import annotations

from collections.abc import Callable

import click

from rollout import api
from rollout.cli.driving import Drive, drive
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.orders import go_back
from rollout.cli.output import Output
from rollout.cli.settings import settings
from rollout.ports.observer import Observer
from rollout.report.data import run_data, split_data
from rollout.report.rows import row


@verb(
    "rollout undo r-7f3a",
    "rollout undo                                     (the open or newest run)",
    "rollout undo r-7f3a --dry-run                    (what it would do)",
    shows=("output", "state"),
)
@click.argument("run", required=False)
@click.option("--dry-run", is_flag=True, help="Say what it would do, and do nothing.")
def undo(given: Given, run: str | None, dry_run: bool) -> int:
    """Take an endpoint back to the split that a run found; an open run is aborted.

    Later runs may have ended since: what had traffic when RUN began has it again, if it is all
    there still; else nothing is touched.
    """
    output, used = Output(given), settings(given)
    found = api.status(run, used)
    now, goal = api.undoing(found.id, used)
    line = f"{found.endpoint}: {now} -> {goal}, as {found.id} found it"
    data = {**run_data(found), "now": split_data(now), "goal": split_data(goal), "code": 0}
    if now == goal and not any(_unfinished(each, found) for each in api.history(used)):
        output.show(data, (row(f"Nothing to undo: {found.endpoint} has {now} already."),))
        return Exit.OK
    if dry_run:
        output.show(data, (row(line),))
        output.say(f"Nothing was changed. Do it: rollout undo {found.id}")
        return Exit.OK
    output.say(line)
    if not found.final:
        aborted = api.abort(found.id, settings=used)
        return go_back(aborted, "aborted", used, given, output)

    def begin(observer: Observer, stopping: Callable[[], bool]) -> api.Result:
        return api.undo(found.id, used, observer=observer, stopping=stopping)

    return drive(Drive(begin, f"rollout undo {found.id}", used), given, output)


def _unfinished(run: api.Run, found: api.Run) -> bool:
    """Whether a run of the same endpoint is not over, or late calls of it may still land."""
    return run.endpoint == found.endpoint and (not run.final or run.unaudited)
