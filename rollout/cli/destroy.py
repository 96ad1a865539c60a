"""``rollout destroy``: remove a plan's endpoint."""

from __future__ import annotations

import shlex

import click

from rollout import api
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output
from rollout.cli.settings import settings
from rollout.report.onward import watching


@verb(
    "rollout destroy plans/safe-rollout.yaml",
    "rollout destroy plan.yaml --auto-approve         (in a pipeline)",
    shows=("output", "var", "var_file", "state"),
)
@click.argument("plan")
@click.option("--auto-approve", is_flag=True, help="Do not ask.")
def destroy(given: Given, plan: str, auto_approve: bool) -> int:
    """Remove a plan's endpoint with everything on it; the journal is kept."""
    output, used = Output(given), settings(given)
    name = api.read_plan(plan, used).endpoint.name
    question = f"Destroy the endpoint {name} with every deployment on it?"
    if not auto_approve and not output.ask(question, "--auto-approve"):
        declined = {"outcome": "declined", "code": int(Exit.ABORTED), "endpoint": name}
        output.show(declined, ())
        output.say(f"Nothing was destroyed. Look at it: rollout plan {shlex.quote(plan)}")
        return Exit.ABORTED
    api.destroy(plan, used, watching=lambda who: output.say(watching(who)))
    output.show({"outcome": "destroyed", "code": int(Exit.OK), "endpoint": name}, ())
    output.say(f"The endpoint {name} is gone. Create it anew: rollout apply {shlex.quote(plan)}")
    return Exit.OK
