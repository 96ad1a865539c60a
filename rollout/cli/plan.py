"""``rollout plan``: what applying a plan would do."""

from __future__ import annotations

import click

from rollout import __version__, api
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output
from rollout.cli.settings import settings
from rollout.domain.units import parse_percent
from rollout.report.data import preview_data
from rollout.report.preview import plan_table
from rollout.report.rows import Piece


def _share(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """The value of an option as a fraction; ``None`` stays."""
    del ctx
    if value is None:
        return None
    try:
        found = parse_percent(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r}: {error}.", param=param) from error
    if found > 1:
        raise click.BadParameter(f"{value!r} is more than 100 %.", param=param)
    return found


@verb(
    "rollout plan plans/safe-rollout.yaml",
    "rollout plan plan.yaml --rps 50 --error-rate 0.2%",
    "rollout plan plan.yaml --detailed-exitcode",
    "rollout plan plan.yaml --var instances=3 -o json",
    shows=("output", "var", "var_file", "state"),
)
@click.argument("plan")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes.")
@click.option("--again", is_flag=True, help="As if the same work had not ended already.")
@click.option(
    "--rps",
    type=click.FloatRange(min=0, min_open=True),
    metavar="R",
    help="Requests a second that the gates will see. [the endpoint's last hour]",
)
@click.option(
    "--error-rate",
    metavar="SHARE",
    callback=_share,
    help="Errors among the baseline's answers, such as 0.2%. [the endpoint's last hour]",
)
def plan(
    given: Given,
    plan: str,
    detailed_exitcode: bool,
    again: bool,
    rps: float | None,
    error_rate: float | None,
) -> int:
    """Show what applying a plan would write now, and what its gates would tell; nothing is written."""
    preview = api.preview(plan, settings(given), again=again, rps=rps, error_rate=error_rate)
    output = Output(given)
    rows = [
        tuple(Piece(output.again.completed(piece.text), piece.ink) for piece in each)
        for each in plan_table(preview, __version__, plan)
    ]
    output.show(preview_data(preview), rows)
    changes = any(preview.changes.values())
    return Exit.CHANGES if detailed_exitcode and changes else Exit.OK
