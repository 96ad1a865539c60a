"""``rollout diff``: how the deployments' answers to the same requests differed."""

from __future__ import annotations

import click

from rollout import api
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output
from rollout.cli.settings import settings
from rollout.report.data import diff_data
from rollout.report.differing import diff_rows


@verb("rollout diff r-7f3a", "rollout diff r-7f3a -o json", shows=("output", "state"))
@click.argument("run", required=False)
def diff(given: Given, run: str | None) -> int:
    """Show answers to the same requests that differ, grouped by kind, with an example each."""
    output, used = Output(given), settings(given)
    found = api.status(run, used)
    differed = api.diff(found.id, used)
    output.show(diff_data(found, differed), diff_rows(found, differed))
    return Exit.OK
