"""What a plan would do, as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from rollout.domain.endpoint import DeploymentSeen, Seen
from rollout.domain.outcome import outcome
from rollout.domain.plan import Delete, Plan, Scale, Shift
from rollout.domain.run import Run
from rollout.domain.units import spell_duration
from rollout.report import words
from rollout.report.rows import Ink, Part, Piece, Row, columns, row
from rollout.runtime.begin import Course
from rollout.runtime.preview import Preview, Step

_INKS = {"+": Ink.GOOD, "~": Ink.WARN, "-": Ink.BAD}


# --- plan ---------------------------------------------------------------------


def plan_table(preview: Preview, version: str, file: str) -> tuple[Row, ...]:
    """Now, after, every stage with its write, and the sum.

    Args:
        preview: What would happen.
        version: Of this program.
        file: The plan's path, for the next command.
    """
    plan = preview.plan
    rows: list[Row] = [_title(plan, version), (), *_split_rows(preview), ()]
    if preview.steps:
        rows += [*_step_rows(preview.steps), ()]
    rows += [row(Piece("Warning  ", Ink.WARN), text) for text in preview.warnings]
    return (*rows, *_sum(preview, file))


def _title(plan: Plan, version: str) -> Row:
    where = f" · {plan.endpoint.provider} · {plan.endpoint.name}"
    return row(f"rollout {version} · plan ", Piece(plan.name, Ink.STRONG), where)


def _split_rows(preview: Preview) -> tuple[Row, ...]:
    seen, plan = preview.seen, preview.plan
    table: list[list[Part]] = []
    for name in _ordered(plan, seen):
        lead = Piece("" if table else "Now", Ink.STRONG)
        table.append([lead, name, *_deployment(seen.deployments[name]), *_share(seen, name)])
    if not table:
        what = "no deployment" if seen.exists else f"{plan.endpoint.name} does not exist yet"
        table.append([Piece("Now", Ink.STRONG), what])
    if preview.standing.course is not Course.NOTHING:
        table += [[Piece(lead, Ink.STRONG), *cells] for lead, *cells in _after(plan, seen)]
    return columns(table, gap=3)


def _ordered(plan: Plan, seen: Seen) -> list[str]:
    first = (plan.baseline.name, plan.candidate.name)
    return sorted(seen.deployments, key=lambda name: (name not in first, name))


def _deployment(found: DeploymentSeen) -> tuple[str, str]:
    return f"{found.ready} of {words.plural(found.instances, 'instance')}", found.condition.value


def _share(seen: Seen, name: str) -> tuple[str, str]:
    live, copied = seen.traffic.get(name, 0), seen.mirror.get(name, 0)
    return f"live {live} %", f"mirror {copied} %" if copied else "mirror -"


def _after(plan: Plan, seen: Seen) -> list[tuple[str, str, str, str, str]]:
    """The deployments as the last stage leaves them."""
    share, gone = seen.traffic.get(plan.candidate.name, 0), set()
    instances: dict[str, int] = {}
    for stage in plan.stages:
        match stage.work:
            case Shift(percent):
                share = percent
            case Scale(role, count):
                instances[plan.deployment(role).name] = count
            case Delete(role):
                gone.add(plan.deployment(role).name)
            case _:
                pass
    made: list[tuple[str, str, str, str, str]] = []
    for name, live in ((plan.baseline.name, 100 - share), (plan.candidate.name, share)):
        found = seen.deployments.get(name)
        count = instances.get(name) or (found.instances if found else 0)
        size = words.plural(count, "instance") if count else "as in its file"
        lead = "" if made else "After"
        cells = ("deleted", "", "") if name in gone else (size, "ready", f"live {live} %")
        made.append((lead, name, *cells))
    return made


def _step_rows(steps: Sequence[Step]) -> tuple[Row, ...]:
    head = [Piece(word, Ink.DIM) for word in ("#", "stage", "", "change", "takes", "may wait for")]
    table: list[list[Part]] = [list(head)]
    for at, step in enumerate(steps, 1):
        takes = f"<= {spell_duration(step.takes)}" if step.takes is not None else ""
        kind = Piece(step.kind.strip(), _INKS.get(step.kind, Ink.PLAIN))
        table.append([str(at), step.title, kind, step.change or "-", takes, step.waits])
    return columns(table, indent=2)


def _sum(preview: Preview, file: str) -> tuple[Row, ...]:
    standing, run = preview.standing, preview.standing.run
    if standing.course is Course.NOTHING and run is not None:
        when = f" at {words.moment(run.ended)}" if run.ended else ""
        text = f"Nothing to do: {run.id} did this very work and was {_was(run)}{when}."
        return (row(text), row(f"Do it again: rollout apply {file} --again"))
    if standing.course is Course.BLOCKED and run is not None:
        return (row(f"Another run is open. Look: rollout status {run.id}"),)
    count = preview.changes
    text = f"{count['add']} to add, {count['change']} to change, {count['delete']} to delete."
    verb = "Resume it" if standing.course is Course.RESUME else "Apply it"
    lead = "Plan: " if standing.course is Course.START else f"{run.id if run else 'It'} is open: "
    return (row(Piece(f"{lead}{text}", Ink.STRONG), f"   {verb}: rollout apply {file}"),)


def _was(run: Run) -> str:
    return outcome(run).replace("_", " ")
