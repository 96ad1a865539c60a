"""``rollout apply``: start a plan's run, or resume it, and drive it to its end."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import click

from rollout import __version__, api
from rollout.cli.driving import Drive, drive
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output
from rollout.cli.settings import settings
from rollout.cli.spans import Span
from rollout.domain.errors import UsageError
from rollout.domain.run import Phase, Run
from rollout.ports.observer import Observer
from rollout.report.onward import next_command
from rollout.report.preview import plan_table


@verb(
    "rollout apply plans/safe-rollout.yaml",
    "rollout apply plan.yaml --auto-approve          (in a pipeline)",
    "rollout apply plan.yaml --lock-timeout 10m      (wait for another runner)",
    "rollout apply plan.yaml --auto-approve -o json  (one object at the end)",
    "rollout apply plan.yaml --on-hold leave         (end with 12, 13 or 31 at once)",
    "rollout apply edited.yaml --supersede -m 'fix'  (in the place of the run that is open)",
    shows=("output", "var", "var_file", "state", "log_format", "ci"),
)
@click.argument("plan")
@click.option("--auto-approve", is_flag=True, help="Do not ask before starting.")
@click.option(
    "--lock-timeout", type=Span(), default=0.0, metavar="D", help="Wait for a living runner. [0s]"
)
@click.option(
    "--on-hold",
    type=click.Choice(api.ON_HOLD),
    default="guard",
    help="A held run whose candidate has users: go on guarding it, or leave it. [guard]",
)
@click.option("--again", is_flag=True, help="Begin anew although the same work has ended.")
@click.option(
    "--supersede", is_flag=True, help="Take the place of an open run of another or edited plan."
)
@click.option("-m", "--message", default="", metavar="TEXT", help="Why it takes that place.")
@click.option(
    "--max-wait", type=Span(), metavar="D", help="Leave when it waited so long. [until it is over]"
)
@click.option(
    "--on-interrupt",
    type=click.Choice(["hold", "rollback"]),
    default="hold",
    help="On Ctrl-C or SIGTERM: leave the run as it is, or roll it back. [hold]",
)
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit with 20 to 23 where the run only waits."
)
def apply(  # noqa: PLR0913 - one for each option
    given: Given,
    *,
    plan: str,
    auto_approve: bool,
    lock_timeout: float,
    on_hold: str,
    again: bool,
    supersede: bool,
    message: str,
    max_wait: float | None,
    on_interrupt: str,
    detailed_exitcode: bool,
) -> int:
    """Start a plan's run, or resume it from wherever it stands; idempotent.

    The first Ctrl-C leaves after the present step, the second at once. Either way the state is
    saved and the same command goes on. A run that is held stops for a person; while its candidate
    has users, this command stays and guards them.
    """
    output, used = Output(given), settings(given)
    if message and not supersede:
        raise UsageError("-m says why another run's place is taken.", do="Add --supersede.")
    standing = api.standing(plan, used, again=again, supersede=supersede)
    agreed: str | None = None
    stay = api.Stay(max_wait, on_interrupt)
    command = f"rollout apply {shlex.quote(plan)}"
    words = {api.Course.START: " --again" * again, api.Course.SUPERSEDE: " --supersede"}
    fresh = f"{command}{words.get(standing.course, '')}"
    if standing.course in (api.Course.START, api.Course.SUPERSEDE):
        asking = {"auto_approve": auto_approve, "again": again, "supersede": supersede}
        if not _agreed(plan, used, output, **asking):
            output.say(f"Nothing was applied. Apply it: {fresh}")
            output.show({"outcome": "declined", "code": int(Exit.ABORTED)}, ())
            return Exit.ABORTED
        agreed = standing.identity
    elif standing.course is api.Course.RESUME and standing.run is not None:
        output.say(_resuming(standing.run, command))
    if lock_timeout and standing.run is not None:
        _tell_whom_it_waits_for(standing.run.id, used, output)

    def begin(observer: Observer, stopping: Callable[[], bool]) -> api.Result:
        return api.apply(
            plan,
            used,
            observer=observer,
            lock_timeout=lock_timeout,
            again=again,
            identity=agreed,
            stopping=stopping,
            on_hold=on_hold,
            supersede=message if supersede else None,
            stay=stay,
        )

    what = Drive(
        begin,
        command,
        used,
        first=fresh,
        stay=stay,
        detailed=detailed_exitcode,
        anew=f"{command} --again",
    )
    return drive(what, given, output)


def _resuming(run: Run, command: str) -> str:
    if run.phase is Phase.HELD:
        onward = next_command(run, going=command)
        return f"{run.id} is held; to apply it again does not move it. {onward}"
    return f"Resuming {run.id}. To end it instead: rollout abort {run.id}"


def _tell_whom_it_waits_for(run_id: str, used: api.Settings, output: Output) -> None:
    holder = api.driven_by(run_id, used)
    if holder is not None:
        output.say(
            f"{holder.name} holds this endpoint's lease; waiting. Watch: rollout status -w {run_id}"
        )


def _agreed(
    plan: str,
    used: api.Settings,
    output: Output,
    *,
    auto_approve: bool,
    again: bool,
    supersede: bool,
) -> bool:
    """Show what would happen, and ask."""
    try:
        preview = api.preview(plan, used, again=again, supersede=supersede)
    except api.EndpointError:
        if not auto_approve:
            raise
        return True  # the runner itself outlasts an endpoint that is out of reach for a while
    for each in plan_table(preview, __version__, plan)[:-1]:
        output.tell(each)
    return auto_approve or output.ask("Apply?", "--auto-approve")
