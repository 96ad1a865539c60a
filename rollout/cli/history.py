"""``rollout history``: the runs of a store."""

from __future__ import annotations

import click

from rollout import api
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output
from rollout.cli.settings import settings
from rollout.domain.unguarded import unguarded
from rollout.report.data import run_data
from rollout.report.history import history_table
from rollout.report.rows import Ink, Piece, row
from rollout.wiring import plugs


@verb(
    "rollout history",
    "rollout history --endpoint diabetes --limit 5",
    "rollout history -o json",
    shows=("output", "state"),
)
@click.option("--endpoint", metavar="NAME", help="Only runs on this endpoint.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest.")
def history(given: Given, endpoint: str | None, limit: int | None) -> int:
    """List the runs, newest first."""
    output = Output(given)
    used = settings(given)
    every = api.history(used)
    runs = [run for run in every if endpoint in (None, run.endpoint)][:limit]
    rows = history_table(runs, plugs.clock().now()) if runs else ()
    alone = {run.id: found for run in runs if (found := unguarded(run)) is not None}
    left = api.left_alone(used) if alone else frozenset()
    said = (output.again.completed(str(alone[each])) for each in alone if each in left)
    told = [row(Piece(each, Ink.BAD)) for each in said]
    output.show([{**run_data(run), "unguarded": run.id in left} for run in runs], (*rows, *told))
    if runs:
        output.say(f"More on one: rollout show {runs[0].id}")
    else:
        output.say("No rollout has run with this state yet. Begin one: rollout apply PLAN")
    return Exit.OK
