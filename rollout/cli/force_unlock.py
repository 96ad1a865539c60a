"""``rollout force-unlock``: take the lease of an endpoint away from whoever holds it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click

from rollout import api
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output
from rollout.cli.settings import settings
from rollout.domain.units import spell_duration
from rollout.report import words
from rollout.report.rows import Ink, Piece, Row, row
from rollout.runtime.lease import TTL

_LIFE = {
    "lives": "That process lives, on this machine.",
    "dead": "That process is dead; the next apply takes over at once, without this command.",
    "unknown": "Whether that process lives cannot be seen from here.",
}


@verb(
    "rollout force-unlock diabetes",
    "rollout force-unlock diabetes --yes              (in a pipeline)",
    shows=("output", "state"),
)
@click.argument("endpoint")
@click.option("--yes", is_flag=True, help="Do not ask.")
def force_unlock(given: Given, endpoint: str, yes: bool) -> int:
    """Take the lease of an endpoint away from whoever holds it, by the endpoint's name or key.

    Hardly ever needed: a process that died is not waited for, or for its lease's 20 s at most.
    """
    output, used = Output(given), settings(given)
    found = api.lock(endpoint, used)
    if found is None:
        output.show({"outcome": "not_locked", "code": int(Exit.OK), "endpoint": endpoint}, ())
        output.say(f"Nobody holds the lease of {endpoint}.")
        return Exit.OK
    data = _data(found)
    for each in _told(found):
        output.tell(each)
    if not yes and not output.ask(f"Take it away from {found.holder}?", "--yes"):
        output.show({"outcome": "declined", "code": int(Exit.ABORTED), **data}, ())
        output.say("Nothing was changed.")
        return Exit.ABORTED
    api.force_unlock(found, used)
    output.show({"outcome": "unlocked", "code": int(Exit.OK), **data}, ())
    file = shlex.quote(found.run.file or "PLAN") if found.run else ""
    onward = f"Go on: rollout apply {file}" if found.run else "It is free."
    output.say(f"{found.stream} is unlocked. {onward}")
    return Exit.OK


def _told(found: api.Lock) -> Iterator[Row]:
    since = "" if found.since is None else f" since {words.moment(found.since)}"
    yield row(Piece(found.holder, Ink.STRONG), f" holds the lease of {found.stream}{since}.")
    yield row("  ", _LIFE[found.life.value])
    run = found.run
    if run is None:
        yield row("  No run is open there.")
    else:
        stage = f", stage {run.stage.id}" if run.stage else ""
        yield row(f"  It drives {run.id} of {run.plan}: {run.phase.value}{stage}.")
    if found.life.value == "dead":
        return
    stops = (
        "it stops at its next step: it can append nothing any more"
        if found.since is not None
        else f"it stops when it next renews the lease, within {spell_duration(TTL / 3)}"
    )
    yield row(f"  Taken away, {stops}.")
    late = words.order(run.intent) if run and run.intent else "A change that it has under way"
    yield row(
        f"  {late[0].upper()}{late[1:]} may still land after that; whoever drives next waits for "
        "it, and looks for it once more in the end."
    )


def _data(found: api.Lock) -> dict[str, object]:
    run = found.run
    return {
        "endpoint": found.stream,
        "holder": found.holder,
        "life": found.life.value,
        "since": None if found.since is None else words.instant(found.since),
        "run": run.id if run else None,
        "stage": run.stage.id if run and run.stage else None,
    }
