"""``rollout show``: everything that is known of a run."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from rollout import api
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output, as_yaml, write
from rollout.cli.settings import settings
from rollout.domain.events import RunStarted
from rollout.report.data import holder_data, judgement_data, plan_source, whole_run_data
from rollout.report.ending import Ending, bad_lines
from rollout.report.story import gates, show_rows, unwatched_data
from rollout.runtime.replay import intervals_of
from rollout.runtime.simulation.recording import recorded
from rollout.wiring import plugs


@verb(
    "rollout show r-7f3a",
    "rollout show r-7f3a -o json",
    "rollout show r-7f3a --evidence > recorded.jsonl   (for simulate --scenario)",
    shows=("output", "state"),
)
@click.argument("run", required=False)
@click.option("--evidence", is_flag=True, help="Print what its gates measured, as JSON lines.")
def show(given: Given, run: str | None, evidence: bool) -> int:
    """Show everything known of a run: stages, verdicts, orders, cause, plan."""
    used = settings(given)
    found = api.status(run, used)
    story = api.events(found.id, used)
    if evidence:
        return _evidence(given, found, story)
    source = next(
        (plan_source(each.event) for each in story if isinstance(each.event, RunStarted)), None
    )
    holder = None if found.final else api.driven_by(found.id, used)
    data = {
        **whole_run_data(found),
        **holder_data(holder),
        "gates": [
            {"stage": stage, **judgement_data(judgement)} for stage, judgement in gates(story)
        ],
        "unwatched": unwatched_data(story),
        "bad_log_lines": list(bad_lines(story)),
        "events": len(story),
        "plan_source": source,
    }
    text = as_yaml(source) if source is not None else ""
    output, now = Output(given), plugs.clock().now()
    ending = Ending(found, story)
    output.show(data, show_rows(ending, text, now, output.again, driven=holder is not None))
    return Exit.OK


def _evidence(given: Given, run: api.Run, story: Sequence[api.Entry]) -> int:
    """The measured intervals, in the form that ``simulate`` reads."""
    lines = [*recorded(intervals_of(story), run.baseline, run.candidate)]
    for each in lines:
        write(sys.stdout, each)
    if not lines:
        Output(given).say(f"{run.id} has measured nothing. Its events: rollout events {run.id}")
    return Exit.OK
