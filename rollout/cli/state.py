"""``rollout state``: the store itself; what it holds, moving journals, forgetting old runs."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from rollout import api
from rollout.cli.exits import Exit
from rollout.cli.options import HELP, Given, Verb, verb, write_examples
from rollout.cli.output import Output, write
from rollout.cli.settings import settings
from rollout.cli.spans import Span
from rollout.domain.errors import StoreError, UsageError
from rollout.domain.units import spell_duration
from rollout.report import words
from rollout.report.stock import prunable_data, prunable_rows, stock_data, stock_table
from rollout.wiring import plugs

EXAMPLES = (
    "rollout state list",
    "rollout state export --out journal.jsonl",
    "rollout state import journal.jsonl --state postgresql://db/rollouts",
    "rollout state prune --older-than 90d --dry-run",
)
_SHOWS = ("output", "state")


class _State(click.Group):
    """The group; its help begins with examples, too."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples first."""
        write_examples(formatter, EXAMPLES)
        super().format_help(ctx, formatter)


@click.group(cls=_State, context_settings=HELP)
def state() -> None:
    """List, move and prune the journals of a store."""


def _add(name: str) -> Callable[[Verb], Verb]:
    def added(command: Verb) -> Verb:
        state.add_command(command, name)
        return command

    return added


@_add("list")
@verb("rollout state list", "rollout state list -o json", shows=_SHOWS)
def list_(given: Given) -> int:
    """List the endpoints that the store has a journal of."""
    output = Output(given)
    found = api.streams(settings(given))
    now = plugs.clock().now() if found else 0.0
    output.show([stock_data(each) for each in found], stock_table(found, now) if found else ())
    if not found:
        output.say("The store has no journals yet. Begin a rollout: rollout apply PLAN")
    elif any(each.run is None for each in found):
        output.say(
            "A newer rollout wrote some of them; this one neither reads nor changes those. "
            "Upgrade it: pip install --upgrade rollout"
        )
    return Exit.OK


@_add("export")
@verb(
    "rollout state export --out journal.jsonl",
    "rollout state export r-7f3a > journal.jsonl      (the whole journal that this run is in)",
    "rollout state export --endpoint diabetes --out diabetes.jsonl",
    shows=("state",),
)
@click.argument("run", required=False)
@click.option("--endpoint", metavar="KEY", help="Only this endpoint's journal, by key or name.")
@click.option("--out", metavar="FILE", help="Write to a new file in place of standard output.")
def export(given: Given, run: str | None, endpoint: str | None, out: str | None) -> int:
    """Write journals as lines of JSON, every byte of their entries kept; leases stay behind."""
    if run is not None and endpoint is not None:
        raise UsageError("RUN and --endpoint exclude each other.", do="Give one of them.")
    output, used = Output(given), settings(given)
    for each in api.streams(used):
        if each.holder is not None:
            output.say(
                f"{each.holder} holds the lease of {each.key}; what it appends from now on is not in it."
            )
    lines = api.export_journals(run, used, endpoint=endpoint)
    if out is None:
        for line in lines:
            write(sys.stdout, line)
        return Exit.OK
    _write(Path(out), lines)
    output.say(f"Exported. Into another store: rollout state import {shlex.quote(out)} --state URL")
    return Exit.OK


@_add("import")
@verb(
    "rollout state import journal.jsonl --state postgresql://db/rollouts",
    "rollout state export | rollout state import - --state az://container/prefix",
    shows=_SHOWS,
)
@click.argument("file")
def import_(given: Given, file: str) -> int:
    """Add exported journals to the store; given again, it adds nothing.

    Only to endpoints of which the store has no journal, or this very one, however much of it. The
    hash chain is checked before anything is written.
    """
    output, used = Output(given), settings(given)
    with _opened(file) as lines:
        added = api.import_journals(lines, used)
    data = {"outcome": "imported", "code": int(Exit.OK), "added": added}
    output.show(data, ())
    for name, count in added.items():
        what = (
            f"{words.plural(count, 'event')} added" if count else "the store has all of it already"
        )
        output.say(f"{name}: {what}.")
    output.say("Look: rollout state list")
    return Exit.OK


@_add("prune")
@verb(
    "rollout state prune --older-than 90d --dry-run",
    "rollout state prune --older-than 90d --yes       (in a pipeline)",
    shows=_SHOWS,
)
@click.option(
    "--older-than", type=Span(), required=True, metavar="D", help="Only runs that ended before."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be forgotten.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def prune(given: Given, older_than: float, dry_run: bool, yes: bool) -> int:
    """Forget finished runs; the newest of each endpoint, and every open one, stay.

    What is left can be verified as before: the journal says where it begins.
    """
    output, used = Output(given), settings(given)
    found = api.prunable(older_than, used)
    runs = sum(len(each.runs) for each in found)
    what = f"{words.plural(runs, 'run')} that ended more than {spell_duration(older_than)} ago"
    question = f"Forget {what}? Nothing brings them back."
    outcome, code = "pruned", Exit.OK
    if not found or dry_run:
        outcome = "dry_run" if found else "nothing"
    elif not yes and not output.ask(question, "--yes"):
        outcome, code = "declined", Exit.ABORTED
    if outcome in ("pruned", "nothing") and not dry_run:
        api.prune(found, used)
    output.show(
        {"outcome": outcome, "code": int(code), "streams": [prunable_data(each) for each in found]},
        prunable_rows(found),
    )
    said = {
        "pruned": f"Forgotten: {what}.",
        "dry_run": f"Would be forgotten: {what}. Forget them: rollout state prune --older-than "
        f"{spell_duration(older_than)}",
        "nothing": "There is nothing that old to forget.",
        "declined": "Nothing was forgotten.",
    }
    output.say(said[outcome])
    return code


def _write(path: Path, lines: Iterable[str]) -> None:
    """All lines to a new file that only this user may read."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.writelines(f"{each}\n" for each in lines)
    except FileExistsError as error:
        raise UsageError(f"{path} is there already.", do="Name a new file with --out.") from error
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror}.", do="Name another file with --out."
        ) from error


@contextmanager
def _opened(name: str) -> Iterator[TextIO]:
    if name == "-":
        yield sys.stdin
        return
    try:
        # What is no UTF-8 becomes what no journal has, so that its line is told: a file is decoded
        # in pieces of many lines.
        file = Path(name).open(encoding="utf-8", errors="surrogateescape", newline="\n")  # noqa: SIM115 - closed below
    except OSError as error:
        raise UsageError(
            f"{name} cannot be read: {error.strerror}.", do="Name a file of rollout state export."
        ) from error
    with file:
        yield file
