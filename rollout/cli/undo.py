"""``rollout undo``: back to the split that a run found."""

from __future__ import annotations

from collections.abc import Callable

import click

from rollout import api
from rollout.cli.driving import Drive, drive
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output
from rollout.cli.settings import settings
from rollout.ports.observer import Observer
from rollout.report.data import run_data, split_data, whole_run_data
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
    if dry_run:
        data = {**run_data(found), "now": split_data(now), "goal": split_data(goal)}
        output.show(data, (row(line),))
        output.say(f"Nothing was changed. Do it: rollout undo {found.id}")
        return Exit.OK
    output.say(line)
    driver = None if found.final else api.driven_by(found.id, used)
    if driver is not None:
        aborted = api.abort(found.id, settings=used)
        output.show({**whole_run_data(aborted), "order": "aborted", "driven_by": driver}, ())
        output.say(f"{driver} drives it and will go back. Watch: rollout status -w {found.id}")
        return Exit.OK

    def begin(observer: Observer, stopping: Callable[[], bool]) -> api.Result:
        return api.undo(found.id, used, observer=observer, stopping=stopping)

    again = "rollout undo" if found.final else f"rollout abort {found.id}"
    return drive(Drive(begin, again, used), given, output)
