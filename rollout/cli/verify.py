"""``rollout verify``: a run's journal replayed, every verdict recomputed from its evidence."""

from __future__ import annotations

import click

from rollout import api
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output
from rollout.cli.settings import settings
from rollout.report import words
from rollout.report.rows import Ink, Piece, Row, row


@verb(
    "rollout verify r-7f3a",
    "rollout verify r-7f3a -o json",
    "rollout verify r-7f3a --endpoint                 (is the journal's end there?)",
    shows=("output", "state"),
)
@click.argument("run", required=False)
@click.option(
    "--endpoint", is_flag=True, help="Look at the endpoint, too: it names its last entry."
)
def verify(given: Given, run: str | None, endpoint: bool) -> int:
    """Replay a run: hash chain, states, and every verdict recomputed from its stored evidence.

    Ends with 1 where something does not follow, with the place in the journal. A chain cannot show
    that its end was cut off; the endpoint can, by the entry that last changed it. One that was
    destroyed cannot, on purpose or not: with --endpoint that is a mismatch.
    """
    output, used = Output(given), settings(given)
    found = api.status(run, used)
    replay = api.verify(found.id, used)
    placed = api.placed(found.id, used) if endpoint else None
    good = not replay.mismatches and not (placed and placed.missing)
    data: dict[str, object] = {
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
    rows.append(row(f"  head {replay.head}"))
    if placed is not None:
        data["endpoint"] = {
            "exists": placed.exists,
            "head": placed.head or None,
            "seq": placed.seq,
        }
        rows.append(_placed(placed))
    output.show(data, rows)
    if not good:
        output.say(f"Look at what the journal says: rollout events {found.id} -o json")
    return Exit.OK if good else Exit.ERROR


def _placed(found: api.Placed) -> Row:
    if found.exists and found.seq is not None:
        return row(f"  the endpoint was last changed by entry {found.seq}")
    what = (
        "the endpoint names no entry of a journal" if found.exists else "the endpoint is not there"
    )
    if found.exists and found.head:
        what = (
            f"the endpoint was last changed by entry {found.head}, which is not in this journal: its "
            "end is missing, or another journal drives the endpoint"
        )
    elif found.missing:
        what += f", but entry {found.wrote} changed its split: it was removed or made anew since"
    return row("  ", Piece(what, Ink.BAD) if found.missing else what)
