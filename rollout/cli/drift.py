"""``rollout drift``: what was changed by hand since the last run."""

from __future__ import annotations

import click

from rollout import api
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output
from rollout.cli.settings import settings
from rollout.cli.target import names_plan
from rollout.domain.outcome import outcome
from rollout.report.data import run_data
from rollout.report.drifting import drift_data, drift_rows
from rollout.report.rows import Ink, Piece, row


@verb(
    "rollout drift plans/safe-rollout.yaml",
    "rollout drift r-7f3a",
    "rollout drift plan.yaml --detailed-exitcode     (2: changed by hand)",
    shows=("output", "var", "var_file", "state"),
)
@click.argument("target", metavar="[PLAN|RUN]", required=False)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes.")
def drift(given: Given, target: str | None, detailed_exitcode: bool) -> int:
    """Compare an endpoint with what its last run left; nothing is written."""
    output, used = Output(given), settings(given)
    if target is not None and names_plan(target):
        found = api.drift(settings=used, plan=target)
    else:
        found = api.drift(target, used)
    run, changed = found.run, found.drift is not None
    code = Exit.CHANGES if changed and detailed_exitcode else Exit.OK
    word = "changed by hand" if changed else "as it was left"
    left = f" by {run.id} of {run.plan} ({outcome(run).replace('_', ' ')})"
    head = row(
        f"{run.endpoint} is ",
        Piece(word, Ink.BAD if changed else Ink.GOOD),
        f" since it was left{left}:" if changed else f"{left}: {found.split}.",
    )
    data = {
        **run_data(run),
        "outcome": "changes" if changed else "no_changes",
        "drift": drift_data(found.drift),
        "code": int(code),
    }
    output.show(data, (head, *drift_rows(found.drift)))
    return code
