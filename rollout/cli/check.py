"""``rollout check``: what a gate says of the endpoint as it is now."""

from __future__ import annotations

import shlex

import click

from rollout import api
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output
from rollout.cli.settings import settings
from rollout.cli.spans import Span
from rollout.domain.units import spell_duration
from rollout.domain.verdict import Judgement, Verdict
from rollout.report import lines
from rollout.report.data import judgement_data
from rollout.report.rows import Ink, Piece, row

_CODES = {
    Verdict.PASS: Exit.OK,
    Verdict.FAIL: Exit.HELD,
    Verdict.INCONCLUSIVE: Exit.INCONCLUSIVE,
    Verdict.RUNNING: Exit.INCONCLUSIVE,
    Verdict.ERROR: Exit.ERROR,
}
_INKS = {Verdict.PASS: Ink.GOOD, Verdict.FAIL: Ink.BAD}


@verb(
    "rollout check canary plan.yaml",
    "rollout check canary plan.yaml --for 5m -o json",
    shows=("output", "var", "var_file"),
)
@click.argument("gate")
@click.argument("plan")
@click.option(
    "--for",
    "seconds",
    type=Span(),
    default=60.0,
    metavar="D",
    help="Look at most so long; a verdict ends it sooner. [60s]",
)
def check(given: Given, gate: str, plan: str, seconds: float) -> int:
    """Judge one gate of a plan now, on the traffic as it is; nothing is changed or written.

    Ends with 0 for a pass, 13 for a failure, 12 where it could not tell in that time, 1 where there
    are no measurements.
    """
    output = Output(given)
    output.say(f"Looking at gate {gate} for at most {spell_duration(seconds)} ...")
    said = api.check(gate, plan, settings(given), seconds=seconds)
    code = _CODES[said.verdict]
    output.show(
        {"outcome": said.verdict.value, "code": int(code), **judgement_data(said)}, _rows(said)
    )
    if said.verdict is Verdict.RUNNING:
        longer = f"rollout check {shlex.quote(gate)} {shlex.quote(plan)} --for {2 * seconds:g}s"
        output.say(f"That was too short for a verdict. Look longer: {longer}")
    return code


def _rows(said: Judgement) -> list[tuple[Piece, ...]]:
    rows = [row(Piece(lines.judged(said), _INKS.get(said.verdict, Ink.WARN)))]
    return [*rows, *(row(f"  {each.check}  {each.reason}") for each in said.checks)]
