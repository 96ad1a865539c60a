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
from rollout.report.again import Again
from rollout.report.data import whole_run_data
from rollout.report.drifting import drift_of, drift_rows
from rollout.report.onward import going_on, next_command
from rollout.report.rows import Row, row
from rollout.report.tree import View, tree
from rollout.report.unattended import unattended
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
        _show(output, found, used)
        if not came:
            output.say(f"{found.id} is not there yet. Go on waiting: rollout status -w {found.id}")
            return _waiting(found) if detailed_exitcode else Exit.ERROR
        return _waiting(found) if detailed_exitcode else exit_code(found)
    if watch:
        found = _watched(output, found, used)
        return _waiting(found) if detailed_exitcode else exit_code(found)
    _show(output, found, used)
    return _waiting(found) if detailed_exitcode else Exit.OK


def _waiting(run: Run) -> int:
    return waiting_code(run, plugs.clock().now())


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


def _watched(output: Output, run: Run, used: api.Settings) -> Run:
    if output.form == "text" and redrawable(output.progress) and not output.quiet:
        return _redrawn(output, run, used)
    clock = plugs.clock()
    shown = None
    while True:
        at = clock.now()
        now = outcome(run, at), run.at, run.expected
        if now != shown:
            shown = now
            output.stream(whole_run_data(run, at), tree(View(run, at))[0])
        if _done(run):
            return run
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
            live.show(run, clock.now())
            driver = api.driven_by(run.id, used)
            if driver is None and not _done(run):
                live.saw(Alert(run, again.completed(_undriven(run)), clock.now()))
            if _done(run):
                return run
            clock.sleep(PACE)
            run = api.status(run.id, used)


def _undriven(run: Run) -> str:
    return f"nobody drives {run.id}; go on: {going_on(run)}"


def _show(output: Output, run: Run, used: api.Settings) -> None:
    driver = None if run.final else api.driven_by(run.id, used)
    data = {**whole_run_data(run, plugs.clock().now()), "driven_by": driver}
    output.show(data, _rows(run, driver, output.again))


def _rows(run: Run, driver: str | None, again: Again) -> list[Row]:
    rows = [*tree(View(run, plugs.clock().now(), again=again)), *drift_rows(drift_of(run))]
    if not run.final:
        rows.append(row(f"Driven by {driver}." if driver else unattended(run)))
    return [*rows, row(next_command(run, again, driven=driver is not None))]
