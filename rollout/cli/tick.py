"""``rollout tick``: do what is due, say when to look again, leave; for a scheduled job."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import click

from rollout import api
from rollout.cli.driving import OVER, Drive, drive, leaving_words, mention
from rollout.cli.failures import detailed
from rollout.cli.leaving import Leaving
from rollout.cli.options import Given, verb
from rollout.cli.output import Output
from rollout.cli.settings import settings
from rollout.cli.spans import Span
from rollout.cli.target import names_plan
from rollout.domain.errors import UsageError
from rollout.domain.outcome import waiting_code
from rollout.ports.observer import Observer
from rollout.report.again import Again
from rollout.report.data import run_data
from rollout.report.rows import Row, row
from rollout.report.unattended import unattended
from rollout.report.words import instant

# What is worst of several runs: first a rollback that nobody verified, then what rolled back, then
# errors, what is held, what a person ended; what only waits comes last.
RANKS = (11, 10, 1, 33, 31, 13, 12, 15, 14, 32, 65, 64, 130, 143, 21, 22, 23, 20)


@dataclass(frozen=True, slots=True)
class _Wish:
    max_wait: float
    on_interrupt: str
    detailed: bool
    auto_approve: bool
    jobs: int
    again: bool = False
    supersede: str | None = None


@verb(
    "rollout tick plan.yaml --auto-approve            (start it, or go on with it)",
    "rollout tick r-7f3a                              (from the journal alone)",
    "rollout tick --all                               (every open run of the store)",
    "rollout tick --all --max-wait 10m --jobs 4",
    shows=("output", "var", "var_file", "state", "ci"),
)
@click.argument("targets", metavar="[PLAN|RUN]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every open run in which something is due.")
@click.option(
    "--max-wait", type=Span(), default=0.0, metavar="D", help="Wait so long for what is due. [0s]"
)
@click.option("--auto-approve", is_flag=True, help="A plan without a run may be started.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=8,
    metavar="N",
    help="Runs at a time, without those that only wait. [8]",
)
@click.option(
    "--on-interrupt",
    type=click.Choice(["hold", "rollback"]),
    default="hold",
    help="On Ctrl-C or SIGTERM: leave the run as it is, or roll it back. [hold]",
)
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit with 20 to 23 where a run only waits."
)
@click.option("--again", is_flag=True, help="A plan's work begins anew although it has ended.")
@click.option(
    "--supersede", is_flag=True, help="A plan takes the place of another or edited plan's open run."
)
def tick(  # noqa: PLR0913 - one for each option
    given: Given,
    *,
    targets: tuple[str, ...],
    every: bool,
    max_wait: float,
    auto_approve: bool,
    jobs: int,
    on_interrupt: str,
    detailed_exitcode: bool,
    again: bool,
    supersede: bool,
) -> int:
    """Do what is due in a run, write down when to look again, and leave.

    A plan's work that has ended in any way, a person's undo or abort among them, no tick begins anew.

    A runner stays while the candidate answers users, unless the plan's guard.unattended lets it go.
    A rollback is always seen through to its end.
    """
    if every == bool(targets):
        raise UsageError(
            "Say which runs are meant." if not every else "--all means every open run.",
            do="Name a plan or a run, or say --all alone.",
        )
    if supersede and not (len(targets) == 1 and names_plan(targets[0])):
        raise UsageError(
            "--supersede puts one plan in the place of an open run.",
            do="Name the plan alone: rollout tick PLAN --supersede --auto-approve",
        )
    if again and not (len(targets) == 1 and names_plan(targets[0])):
        raise UsageError(
            "--again begins a plan's work anew.",
            do="Name the plan alone: rollout tick PLAN --again --auto-approve",
        )
    place = "" if supersede else None
    wish = _Wish(max_wait, on_interrupt, detailed_exitcode, auto_approve, jobs, again, place)
    used = settings(given)
    if every or len(targets) > 1:
        return _several(targets, wish, given, used)
    (target,) = targets
    output = Output(given)
    if names_plan(target):
        return drive(_of_plan(target, wish, used), given, output)
    return drive(_of_run(target, wish, used), given, output)


def _of_plan(plan: str, wish: _Wish, used: api.Settings) -> Drive:
    found = api.standing(
        plan, used, again=wish.again, supersede=wish.supersede is not None, scheduled=True
    )
    quoted = shlex.quote(plan)
    starts = found.course in (api.Course.START, api.Course.SUPERSEDE)
    if starts and not wish.auto_approve:
        raise UsageError(
            f"{plan} has no open run, so a tick would start one.",
            do=f"Look: rollout plan {quoted}. Then: rollout tick {quoted} --auto-approve"
            f"{' --again' * wish.again}"
            f"{' --supersede' if found.course is api.Course.SUPERSEDE else ''}",
        )
    stay = api.Stay(wish.max_wait, wish.on_interrupt)

    def begin(observer: Observer, stopping: Callable[[], bool]) -> api.Result:
        return api.apply(
            plan,
            used,
            observer=observer,
            again=wish.again,
            identity=found.identity,
            stopping=stopping,
            supersede=wish.supersede,
            stay=stay,
            scheduled=True,
        )

    command = f"rollout tick {quoted}"
    anew = f"{command} --again --auto-approve"
    return Drive(begin, command, used, detailed=wish.detailed, stay=stay, anew=anew)


def _of_run(run: str, wish: _Wish, used: api.Settings) -> Drive:
    found = api.status(run, used)
    stay = api.Stay(wish.max_wait, wish.on_interrupt)

    def begin(observer: Observer, stopping: Callable[[], bool]) -> api.Result:
        return api.carry_on(found.id, used, observer=observer, stopping=stopping, stay=stay)

    return Drive(begin, f"rollout tick {found.id}", used, detailed=wish.detailed, stay=stay)


# --- several runs -----------------------------------------------------------------


def _several(targets: tuple[str, ...], wish: _Wish, given: Given, used: api.Settings) -> int:
    output = Output(given)
    plans = [each for each in targets if names_plan(each)]
    if plans:
        raise UsageError(
            f"{plans[0]} is a plan's file; several runs are named by their ids.",
            do=f"Tick the plan alone: rollout tick {shlex.quote(plans[0])}",
        )
    names = [api.status(each, used).id for each in targets]
    done: dict[str, api.Ticked] = {}

    def told(each: api.Ticked) -> None:
        done[each.standing.run] = each
        if _worth_a_line(each) and not output.quiet:  # a traceback that nobody hears of is not kept
            output.tell(_line(each, output.again, verbose=given.verbose))

    stay = api.Stay(wish.max_wait, wish.on_interrupt)
    leaving = Leaving(lambda: mention(leaving_words(stay)))
    leaving.driving = True
    try:
        with leaving:
            found = api.tick_all(
                used,
                only=names or None,
                max_wait=wish.max_wait,
                on_interrupt=wish.on_interrupt,
                jobs=wish.jobs,
                stopping=leaving.asked,
                told=told,
                crowded=lambda most: output.say(
                    f"{most} runs stay; the others wait. Tick them elsewhere: rollout tick --all"
                ),
            )
    except KeyboardInterrupt:
        output.show([_data(each) for each in done.values()], ())
        output.say(f"Left at once; the state is saved. Go on: {_command(names)}")
        return leaving.code
    waiting = sum(each.result is None and each.error is None for each in found)
    still = sum(not each.standing.left and not _is_over(each) for each in found)
    output.tell(row(f"{still} open, {waiting} not due yet."))
    output.show([_data(each) for each in found], ())
    codes = [_code(each, wish.detailed) for each in found]
    if leaving.asked() and not _seen_through(found):
        codes.append(leaving.code)
    return worst(codes)


def _command(names: list[str]) -> str:
    return " ".join(["rollout tick", *(names or ["--all"])])


def _is_over(each: api.Ticked) -> bool:
    return each.run is not None and each.run.final


def _seen_through(done: Iterable[api.Ticked]) -> bool:
    """Whether an interrupted pass has left no run where it had more to do."""
    driven = [each.run for each in done if each.run is not None]
    over = all(each.final or each.phase in OVER for each in driven)
    return bool(driven) and over and not any(each.dropped for each in done)


def worst(codes: Iterable[int]) -> int:
    """The exit code of several runs: the worst one's, by ``RANKS``; 0 where all is well.

    >>> worst([0, 13, 11, 20]), worst([0, 20, 21]), worst([])
    (11, 21, 0)
    """
    found = {int(each) for each in codes}
    known = [code for code in RANKS if code in found]
    return known[0] if known else max(found, default=0)


def _worth_a_line(each: api.Ticked) -> bool:
    return each.result is not None or each.error is not None or each.standing.code != 0


def _line(each: api.Ticked, again: Again, *, verbose: bool = False) -> Row:
    name = f"{each.standing.run} {each.standing.plan} on {each.standing.endpoint}"
    if each.error is not None:
        if each.elsewhere:
            return row(f"{name}: skipped. {each.error.what}")
        told = detailed(each.error, verbose=verbose)
        return row(f"{name}: not driven. {again.completed(str(told))}")
    if each.result is None:
        return row(f"{name}: {_stands(each)}. Look: rollout status {each.standing.run}")
    if each.run is None or each.run.final:
        return row(f"{name}: {each.result.outcome}")
    return row(f"{name}: {each.result.outcome}. {unattended(each.run)}")


def _stands(each: api.Ticked) -> str:
    """How a run that was not touched stands."""
    known = {0: "waiting", 11: "rollback_unverified", 12: "inconclusive", 31: "drift"}
    return known.get(each.standing.code, "held")


def _code(each: api.Ticked, detailed: bool) -> int:
    """The exit code; a run that a person must look at counts whoever drives it, due or not."""
    if each.error is not None and not each.elsewhere:
        return int(each.error.code)
    if each.result is None or each.run is None:
        return each.standing.code
    return waiting_code(each.run) if detailed else each.result.code


def _data(each: api.Ticked) -> dict[str, object]:
    """What a pass over all runs did with one of them."""
    found, result, error = each.standing, each.result, each.error
    shared = {"run": found.run, "plan": found.plan, "endpoint": found.endpoint}
    if result is not None:
        return {**run_data(result.run), "outcome": result.outcome, "code": int(result.code)}
    if error is not None:
        how = "unguarded" if isinstance(each.error, api.Unguarded) else "error"
        how = "locked" if each.elsewhere else how
        return {**shared, "outcome": how, "code": int(error.code), "error": error.what}
    return {
        **shared,
        "outcome": _stands(each),
        "code": each.standing.code,
        "next_check_at": None if found.next_check is None else instant(found.next_check),
        "waits_for": found.waits or None,
    }
