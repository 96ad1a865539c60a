"""``rollout logs``: a deployment's own newest log lines."""

from __future__ import annotations

import click

from rollout import api
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output, text_rows
from rollout.cli.settings import settings


@verb(
    "rollout logs green plans/safe-rollout.yaml",
    "rollout logs candidate plan.yaml --tail 500",
    shows=("output", "var", "var_file"),
)
@click.argument("deployment")
@click.argument("plan")
@click.option(
    "--tail", type=click.IntRange(min=1), default=100, metavar="N", help="How many lines. [100]"
)
def logs(given: Given, deployment: str, plan: str, tail: int) -> int:
    """Show a deployment's newest log lines; DEPLOYMENT may be baseline or candidate."""
    text = api.logs(plan, deployment, tail, settings(given))
    output = Output(given)
    data = {"outcome": "done", "deployment": deployment, "lines": text.splitlines()}
    output.show(data, text_rows(text))
    if not text:
        output.say("No lines yet.")
    return Exit.OK
