"""What a plan would do, as a table for people."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Sequence

from rollout.domain.endpoint import DeploymentSeen, Seen
from rollout.domain.plan import Delete, Plan, Scale, Shift
from rollout.domain.units import spell_duration, spell_share
from rollout.gates.criteria import spell_seconds
from rollout.gates.power.baseline import SPREAD, Baseline, Basis, Figure
from rollout.gates.power.forecast import Catch, Chance, CheckForecast, StageForecast
from rollout.gates.power.words import chance, lasting
from rollout.ports.endpoint import Finding
from rollout.report import words
from rollout.report.rows import Ink, Part, Piece, Row, columns, row
from rollout.runtime.begin import Course
from rollout.runtime.outlook import Outlook
from rollout.runtime.preview import Preview, Step

_INKS = {"+": Ink.GOOD, "~": Ink.WARN, "-": Ink.BAD}
_WIDTH, _LEAD = 100, 9
_BETWEEN = (300.0, 3600.0)  # seconds between two ticks, as examples
_POWER = (
    *("check", "rolls back", "chance", "80 % in", "x2, +50 %", "finds", "crash"),
    *("passes", "80 % in"),
)


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
    if preview.outlook is not None and preview.outlook.stages:
        rows += [*_power(preview.outlook), (), *_exposure(preview.outlook), ()]
    if preview.steps and preview.unattended:
        rows += [*_wrapped(Piece("Guard", Ink.STRONG), _unattended(preview)), ()]
    if preview.checks:
        rows += [*_checks(preview.checks), ()]
    for text in preview.warnings:
        rows += _wrapped(Piece("Warning", Ink.WARN), text)
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


def _checks(checks: Sequence[Finding]) -> Iterator[Row]:
    """What the pre-checks say now; those that would stop the rollout come first."""
    lead = Piece("Checks", Ink.STRONG)
    for each in sorted(checks, key=lambda each: each.ok):
        yield from _wrapped(lead, f"{'✔' if each.ok else '✖'} {each.name}: {each.text}")
        lead = Piece("")


def _wrapped(lead: Piece, text: str) -> Iterator[Row]:
    """A text of several lines beside its first word."""
    kept = text.replace(" %", "\N{NO-BREAK SPACE}%")
    for line in textwrap.wrap(kept, _WIDTH - _LEAD, break_long_words=False, break_on_hyphens=False):
        spaced = line.replace("\N{NO-BREAK SPACE}", " ")
        yield row(lead, " " * (_LEAD - len(lead.text)), spaced)
        lead = Piece("")


def _sum(preview: Preview, file: str) -> tuple[Row, ...]:
    standing, run = preview.standing, preview.standing.run
    if standing.course is Course.NOTHING and run is not None:
        onward = f"Do it again: rollout apply {shlex.quote(file)} --again"
        return (row(words.nothing_to_do(run)), row(onward))
    if standing.course is Course.BLOCKED and run is not None:
        other = f"Or put this plan in its place: rollout apply {shlex.quote(file)} --supersede"
        return (row(f"Another run is open. Look: rollout status {run.id}. {other}"),)
    count = preview.changes
    text = f"{count['add']} to add, {count['change']} to change, {count['delete']} to delete."
    resumes = standing.course is Course.RESUME
    verb = "Resume it" if resumes else "Apply it"
    lead = f"{run.id if run else 'It'} is open: " if resumes else "Plan: "
    more = " --supersede" if standing.course is Course.SUPERSEDE else ""
    command = f"   {verb}: rollout apply {shlex.quote(file)}{more}"
    return (row(Piece(f"{lead}{text}", Ink.STRONG), command),)


# --- power ----------------------------------------------------------------------


def _power(outlook: Outlook) -> Iterator[Row]:
    """What the gates will tell: a line a stage, and one for each of its checks."""
    checks = [each for stage in outlook.stages for each in stage.checks]
    assumed = dict.fromkeys(each.assumed for each in checks if each.assumed)
    basis = ", ".join([_basis(outlook.baseline), *assumed])
    yield from _wrapped(Piece("Power", Ink.STRONG), basis)
    known = [each for each in checks if not each.unknown]
    head: list[Part] = [Piece(each, Ink.DIM) for each in _POWER]
    aligned = iter(columns([head, *map(_cells, known)], indent=4))
    yield next(aligned)
    for stage in outlook.stages:
        yield _stage_row(stage)
        for check in stage.checks:
            why = f"    {check.name}: not estimated, for {check.unknown}"
            yield row(why) if check.unknown else next(aligned)
            if check.no_pass:
                yield row(f"      its pass is not estimated, for {check.no_pass}")


def _basis(baseline: Baseline) -> str:
    """What the numbers rest on."""
    rate = spell_share(float(f"{baseline.error_rate.value:.2g}"))
    parts = [f"{baseline.rps.value:.3g} req/s ({_source(baseline.rps)})"] if baseline.rps else []
    parts.append(f"{rate} errors ({_source(baseline.error_rate)})")
    if baseline.latency_from is Basis.ASSUMED:
        parts.append(f"latency spread {SPREAD} (assumed)")
    else:
        parts.append(f"p95 {spell_seconds(baseline.latency_at(0.95))} (observed)")
    if baseline.dispersion > 1.0:
        parts.append(f"errors in clusters of {baseline.dispersion:.2g}")
    return f"at {', '.join(parts)}"


def _source(figure: Figure) -> str:
    return figure.where or figure.basis.value


def _stage_row(stage: StageForecast) -> Row:
    what = "req/s" if stage.live else "copies/s"
    where = f", gate {stage.gate}, {stage.served:.3g} {what}: P(pass | healthy) "
    told = "not estimated"
    if stage.passing is not None:
        found, needed = _chance(stage.passing)
        told = f"{found} within {spell_duration(stage.limit)}, 80 % in {needed}"
    return row("  ", Piece(stage.title, Ink.STRONG), where, told)


def _cells(check: CheckForecast) -> list[Part]:
    caught, crash = check.catch, check.crash
    return [
        check.name,
        caught.effect if caught else "-",
        *_chance(caught.chance if caught else None),
        chance(check.doubled.chance.probability) if check.doubled else "-",
        check.smallest or "-",
        lasting(crash.seconds) if crash else "-",
        *_chance(check.passing),
    ]


def _chance(found: Chance | None) -> tuple[str, str]:
    return (chance(found.probability), lasting(found.seconds)) if found else ("-", "-")


def _exposure(outlook: Outlook) -> Iterator[Row]:
    """Whose requests a bad candidate answers until it is rolled back."""
    lead = Piece("Exposure", Ink.STRONG)
    for stage in outlook.stages:
        yield from _wrapped(lead, f"{stage.title}: {_exposed(stage)}")
        lead = Piece("")


def _unattended(preview: Preview) -> str:
    """Whose requests a bad candidate answers while nobody is there to see it."""
    share, name = preview.unattended, preview.plan.candidate.name
    known = preview.outlook.baseline.rps if preview.outlook else None
    asks = "The rate of requests is not known."
    if known is not None:
        spans = ((each, known.value * share / 100 * each) for each in _BETWEEN)
        counts = ", ".join(f"{_about(count)} in {spell_duration(each)}" for each, count in spans)
        asks = f"Between ticks a bad one answers users' requests: {counts}."
    kept = f"{name} keeps up to {share} % while no runner is there: nobody guards it then."
    return f"{kept} {asks}"


def _exposed(stage: StageForecast) -> str:
    if not stage.live:
        return "no user's request, only copies"
    crash = stage.crash
    told = [f"a crash {_about(crash.exposed)} requests, all answered badly"] if crash else []
    caught = [(each.rule.check.name, each.catch) for each in stage.checks if each.catch]
    if caught:
        # Of errors it is known what a user gets; of the others only how many are asked.
        name, worst = next((each for each in caught if each[1].bad is not None), caught[0])
        told.append(f"{name} {worst.effect} {_about(worst.exposed)}{_badly(worst)}")
    return "; ".join(told) or "not estimated"


def _badly(caught: Catch) -> str:
    return "" if caught.bad is None else f", {_about(caught.bad)} badly"


def _about(count: float) -> str:
    """A number to two digits.

    >>> _about(572.3), _about(17663.8), _about(0.4)
    ('~570', '~18,000', '~1')
    """
    return f"~{max(1, round(float(f'{count:.2g}'))):,}"
