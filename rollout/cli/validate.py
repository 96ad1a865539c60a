"""``rollout validate``: everything that can be refused without a network."""

from __future__ import annotations

import shlex
import sys

import click

from rollout import __version__, api
from rollout.cli.agents import present
from rollout.cli.exits import Exit
from rollout.cli.options import FORMS, Given, verb
from rollout.cli.output import Output, write
from rollout.cli.settings import settings
from rollout.planfile import findings as render
from rollout.report import sanitise
from rollout.report.rows import row

_OWN_FORMS = (*FORMS, "github", "sarif")


@verb(
    "rollout validate plans/safe-rollout.yaml",
    "rollout validate plans/*.yaml -o json",
    "rollout validate plan.yaml -o sarif > findings.sarif",
    shows=("var", "var_file"),
    own=("output",),
)
@click.argument("plan", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Choice(_OWN_FORMS),
    metavar="FORM",
    help="text, json, yaml, none; github: annotations; sarif.",
)
def validate(given: Given, plan: tuple[str, ...], output: str | None) -> int:
    """Find everything that is wrong with plans, at once and with its place."""
    given.output = {None: given.output, "table": "text"}.get(output, output or "text")
    used = settings(given)
    found = {name: api.validate(name, used) for name in plan}
    every = tuple(each for findings in found.values() for each in findings)
    match given.output:
        case "github":
            _annotate(every)
        case "sarif":
            write(sys.stdout, sanitise.pretty_json(render.as_sarif(every, version=__version__)))
        case _:
            _show(Output(given), found, every)
            if present(given.ci) == "github":
                _annotate(every)
    if every:
        count = "1 finding" if len(every) == 1 else f"{len(every)} findings"
        Output(given).say(f"{count}. Correct them, then: rollout validate {shlex.join(plan)}")
    return Exit.INVALID if every else Exit.OK


def _annotate(every: tuple[api.Diagnostic, ...]) -> None:
    for line in render.as_annotations(every):
        write(sys.stdout, line)


def _show(
    output: Output,
    found: dict[str, tuple[api.Diagnostic, ...]],
    every: tuple[api.Diagnostic, ...],
) -> None:
    data = {
        "outcome": "invalid" if every else "valid",
        "code": int(Exit.INVALID if every else Exit.OK),
        "plans": [{"plan": name, "valid": not findings} for name, findings in found.items()],
        "findings": render.as_data(every),
    }
    rows = [
        row(text)
        for name, findings in found.items()
        for text in render.as_lines(findings) or [f"{name}: valid"]
    ]
    output.show(data, rows)
