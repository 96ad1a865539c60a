"""``rollout status``: how a run stands; watch it, or wait for it."""

from __future__ import annotations

from collections.abc import Callable

import click

from rollout import api
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output, redrawable
from rollout.cli.settings import settings
from rollout.cli.spans import Span
from rollout.domain.outcome import exit_code, outcome, waiting_code
from rollout.domain.run import Phase, Run
from rollout.domain.unguarded import unguarded
from rollout.report.again import Again
from rollout.report.data import holder_data, whole_run_data
from rollout.report.drifting import drift_of, drift_rows
from rollout.report.ending import Ending, explain
from rollout.report.onward import going_on, next_command, perhaps_driven
from rollout.report.rows import Ink, Piece, Row, row
from rollout.report.tree import View, tree
from rollout.report.unattended import unattended
from rollout.runtime.lease import Holder
from rollout.wiring import plugs

PACE = 1.0  # seconds between two looks at the journal
_LEFT = (Phase.HELD, Phase.UNVERIFIED)
_APPROVAL = 21


@verb(
    "rollout status                                   (the open or newest run)",
    "rollout status r-7f3a -o json",
    "rollout status -w                                (watch until it is over)",
    "rollout status --wait-for done --timeout 2h      (ends with the run's exit code)",
    shows=("output", "state"),
)
@click.argument("run", required=False)
@click.option("-w", "--watch", is_flag=True, help="Go on showing it until it is over.")
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit with how it stands: 20 to 23, 10, ..."
)
@click.option("--wait-for", type=click.Choice(["done", "approval"]), help="Show it only then.")
@click.option("--timeout", type=Span(), metavar="D", help="Give up waiting, with exit 1.")
def status(
    given: Given,
    run: str | None,
    watch: bool,
    detailed_exitcode: bool,
    wait_for: str | None,
    timeout: float | None,
) -> int:
    """Show how a run stands; RUN is an id or its beginning."""
    output, used = Output(given), settings(given)
    found = api.status(run, used)
    if wait_for is not None:
        found, came = _awaited(found, used, _WAITS[wait_for], timeout)
        code = _show(output, found, used, _code(detailed_exitcode, exit_code if came else _error))
        if not came:
            output.say(f"{found.id} is not there yet. Go on waiting: rollout status -w {found.id}")
        return code
    if watch:
        return _watched(output, found, used, _code(detailed_exitcode, exit_code))
    return _show(output, found, used, _code(detailed_exitcode, _fine))


Code = Callable[[Run], int]
"""The exit code of this command, of the run as it was shown."""


def _code(detailed: bool, otherwise: Code) -> Code:
    return _waiting if detailed else otherwise


def _waiting(run: Run) -> int:
    return waiting_code(run, plugs.clock().now())


def _fine(_: Run) -> int:
    return Exit.OK


def _error(_: Run) -> int:
    return Exit.ERROR


def _done(run: Run) -> bool:
    return run.final or run.phase in _LEFT


def _at_approval(run: Run) -> bool:
    return _done(run) or waiting_code(run) == _APPROVAL


_WAITS: dict[str, Callable[[Run], bool]] = {"done": _done, "approval": _at_approval}


def _awaited(
    run: Run, used: api.Settings, enough: Callable[[Run], bool], timeout: float | None
) -> tuple[Run, bool]:
    clock = plugs.clock()
    began = clock.monotonic()
    while not enough(run):
        if timeout is not None and clock.monotonic() - began >= timeout:
            return run, False
        clock.sleep(PACE)
        run = api.status(run.id, used)
    return run, True


def _watched(output: Output, run: Run, used: api.Settings, code: Code) -> int:
    if output.form == "text" and redrawable(output.progress) and not output.quiet:
        return code(_redrawn(output, run, used))
    clock = plugs.clock()
    shown = None
    while True:
        at = clock.now()
        now = outcome(run, at), run.at, run.split
        if now != shown:
            shown = now
            data = {**whole_run_data(run, at), "code": int(code(run))}
            output.stream(data, tree(View(run, at))[0])
        if _done(run):
            if output.form == "text":
                output.show(None, explain(Ending(run, api.events(run.id, used))))
            return code(run)
        clock.sleep(PACE)
        run = api.status(run.id, used)


def _redrawn(output: Output, run: Run, used: api.Settings) -> Run:
    from rollout.ports.observer import Alert  # noqa: PLC0415
    from rollout.report.live import LiveTree  # noqa: PLC0415 - rich, on terminals only

    clock = plugs.clock()
    stream = output.progress
    again = output.again
    orders = again.completed(f"rollout pause {run.id}, rollout abort {run.id}")
    footer = f"Ctrl-C stops watching, not the run. Orders: {orders}"
    colors = output.colors(stream)
    with LiveTree(stream, clock.monotonic, footer, color=colors, again=again) as live:
        while True:
            run, holder = _looked(run, used)
            live.show(run, clock.now())
            if holder is None and not _done(run):
                live.saw(Alert(run, again.completed(_undriven(run)), clock.now()))
            if _done(run):
                return run
            clock.sleep(PACE)
            run = api.status(run.id, used)


def _undriven(run: Run) -> str:
    return f"nobody drives {run.id}; go on: {going_on(run)}"


def _looked(run: Run, used: api.Settings) -> tuple[Run, Holder | None]:
    """Who holds the lease; where nobody does, the run may have ended since it was read."""
    holder = None if run.final else api.driven_by(run.id, used)
    return (run if run.final or holder else api.status(run.id, used)), holder


def _show(output: Output, run: Run, used: api.Settings, code: Code) -> int:
    run, holder = _looked(run, used)
    alone = unguarded(run)
    alone = alone if alone is not None and run.id in api.left_alone(used) else None
    data = {
        **whole_run_data(run, plugs.clock().now()),
        **holder_data(holder),
        "unguarded": alone is not None,
        "code": int(code(run)),
    }
    output.show(data, _rows(run, holder, alone, output.again))
    return code(run)


def _rows(run: Run, holder: Holder | None, alone: api.Unguarded | None, again: Again) -> list[Row]:
    now = plugs.clock().now()
    rows = [*tree(View(run, now, again=again)), *drift_rows(drift_of(run))]
    if alone is not None:
        return [*rows, row(Piece(alone.what, Ink.BAD)), row(again.completed(alone.do))]
    if not run.final:
        rows.append(row(_driven(run, holder, again)))
    return [*rows, row(next_command(run, again, driven=holder is not None, now=now))]


def _driven(run: Run, holder: Holder | None, again: Again) -> str:
    if holder is None:
        return unattended(run)
    if holder.lives:
        return f"Driven by {holder.name}."
    return again.completed(perhaps_driven(holder.name, run))
