"""``rollout events``: a run's journal, as sentences or as data."""

from __future__ import annotations

import click

from rollout import api
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output
from rollout.cli.settings import settings
from rollout.report import lines
from rollout.report.data import Data, entry_data
from rollout.report.plain import event_row
from rollout.report.rows import Row
from rollout.telemetry.names import name
from rollout.wiring import plugs

PACE = 1.0  # seconds between two looks at the journal


@verb(
    "rollout events",
    "rollout events r-7f3a -f                         (until it is over)",
    "rollout events r-7f3a -o json",
    shows=("output", "state"),
)
@click.argument("run", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run is over.")
def events(given: Given, run: str | None, follow: bool) -> int:
    """List a run's events, oldest first; with -f and -o json, one object a line."""
    output, used = Output(given), settings(given)
    story = api.events(run, used)
    if not follow:
        output.show([_data(each) for each in story], [_row(each) for each in story])
        return Exit.OK
    clock = plugs.clock()
    last = story[-1]  # a run begins with an event
    while True:
        for each in story:
            output.stream(_data(each), _row(each))
            last = each
        if last.state.final:
            return Exit.OK
        clock.sleep(PACE)
        story = api.events(last.state.id, used, after=last.seq)


def _data(entry: api.Entry) -> Data:
    return entry_data(entry, name(entry.event), lines.sentence(entry.event, entry.state))


def _row(entry: api.Entry) -> Row:
    text = lines.sentence(entry.event, entry.state)
    return event_row(entry.at, entry.state.id, text, lines.ink(entry.event))
