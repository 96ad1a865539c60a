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
from rollout.report.data import whole_run_data


@verb(
    "rollout undo r-7f3a",
    "rollout undo           (the open or newest run)",
    shows=("output", "state"),
)
@click.argument("run", required=False)
def undo(given: Given, run: str | None) -> int:
    """Take an endpoint back to the split that a run found; an open run is aborted."""
    output, used = Output(given), settings(given)
    found = api.status(run, used)
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
