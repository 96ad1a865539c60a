"""``rollout plan``: what applying a plan would do."""

from __future__ import annotations

import click

from rollout import __version__, api
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output
from rollout.cli.settings import settings
from rollout.report.data import preview_data
from rollout.report.preview import plan_table


@verb(
    "rollout plan plans/safe-rollout.yaml",
    "rollout plan plan.yaml --detailed-exitcode",
    "rollout plan plan.yaml --var instances=3 -o json",
    shows=("output", "var", "var_file", "state"),
)
@click.argument("plan")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes.")
@click.option("--again", is_flag=True, help="As if the same work had not ended already.")
def plan(given: Given, plan: str, detailed_exitcode: bool, again: bool) -> int:
    """Show every write that applying a plan would do now; nothing is written."""
    preview = api.preview(plan, settings(given), again=again)
    Output(given).show(preview_data(preview), plan_table(preview, __version__, plan))
    changes = any(preview.changes.values())
    return Exit.CHANGES if detailed_exitcode and changes else Exit.OK
