"""``rollout verify``: a run's journal replayed, every verdict recomputed from its evidence."""

from __future__ import annotations

import click

from rollout import api
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output
from rollout.cli.settings import settings
from rollout.report import words
from rollout.report.rows import Ink, Piece, row


@verb("rollout verify r-7f3a", "rollout verify r-7f3a -o json", shows=("output", "state"))
@click.argument("run", required=False)
def verify(given: Given, run: str | None) -> int:
    """Replay a run: hash chain, states, and every verdict recomputed from its stored evidence.

    Ends with 1 where something does not follow, with the place in the journal.
    """
    output, used = Output(given), settings(given)
    found = api.status(run, used)
    replay = api.verify(found.id, used)
    good = not replay.mismatches
    data = {
        "run": found.id,
        "outcome": "verified" if good else "mismatch",
        "code": int(Exit.OK if good else Exit.ERROR),
        "entries": replay.entries,
        "verdicts": replay.verdicts,
        "intervals": replay.intervals,
        "head": replay.head,
        "mismatches": [{"seq": each.seq, "what": each.what} for each in replay.mismatches],
    }
    looked = (
        f"{found.id}: {words.plural(replay.entries, 'event')} in one hash chain, "
        f"{words.plural(replay.verdicts, 'verdict')} recomputed "
        f"from {words.plural(replay.intervals, 'interval')}"
    )
    rows = [row(Piece("✔ " if good else "✖ ", Ink.GOOD if good else Ink.BAD), looked)]
    rows += [
        row("  ", Piece(f"entry {each.seq}: {each.what}", Ink.BAD)) for each in replay.mismatches
    ]
    output.show(data, [*rows, row(f"  head {replay.head}")])
    if not good:
        output.say(f"Look at what the journal says: rollout events {found.id} -o json")
    return Exit.OK if good else Exit.ERROR
