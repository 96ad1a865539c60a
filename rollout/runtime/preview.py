"""What applying a plan would do: every write, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollout.domain import approvals, windows
from rollout.domain.endpoint import Seen
from rollout.domain.plan import (
    Approve,
    Bootstrap,
    Create,
    Delete,
    DeploymentRef,
    Mirror,
    Plan,
    Preflight,
    Scale,
    Shift,
    Smoke,
    Stage,
    Wait,
)
from rollout.domain.run import Run, Split
from rollout.domain.unguarded import abandoned
from rollout.domain.units import spell_duration
from rollout.ports.endpoint import Finding
from rollout.runtime import superseding
from rollout.runtime.begin import Course, Standing

if TYPE_CHECKING:  # only to be read: most previews are made without
    from rollout.runtime.outlook import Outlook

WHOLE = 100  # percent


@dataclass(frozen=True, slots=True)
class Step:
    """One stage as it would happen.

    Args:
        id: The stage's id.
        title: What it is, in words: ``shift 10 %``.
        change: The writes, in words; empty: none.
        kind: ``+`` adds, ``~`` changes, ``-`` deletes, a blank writes nothing.
        takes: How long at most until the set-point holds, seconds; None: no set-point.
        waits: What may hold it up: a gate, a person, a timer; empty: nothing.
    """

    id: str
    title: str
    change: str = ""
    kind: str = " "
    takes: float | None = None
    waits: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What applying a plan would do now.

    Args:
        plan: The plan.
        seen: The endpoint as it is.
        standing: Whether a run would be started, resumed, or nothing is to be done.
        steps: The stages in order; those already behind an open run are left out.
        warnings: Sentences a person should read before applying.
        outlook: What the gates would tell; None: nothing is gated, or nobody asked.
        checks: What the plan's pre-checks say now; empty where none are ahead.
    """

    plan: Plan
    seen: Seen
    standing: Standing
    steps: tuple[Step, ...]
    warnings: tuple[str, ...] = ()
    outlook: Outlook | None = None
    checks: tuple[Finding, ...] = ()

    @property
    def unattended(self) -> int:
        """The candidate's live percent that ticks may leave behind at most; 0: none."""
        live = [each.work.percent for each in self.plan.stages if isinstance(each.work, Shift)]
        most = self.plan.guard.unattended
        return min([max(live, default=0), *([] if most is None else [most])])

    @property
    def changes(self) -> dict[str, int]:
        """How many steps add, change and delete."""
        return {
            word: sum(step.kind == kind for step in self.steps)
            for word, kind in (("add", "+"), ("change", "~"), ("delete", "-"))
        }


def checks_ahead(plan: Plan, standing: Standing) -> bool:
    """Whether applying the plan would make its pre-checks."""
    if standing.course is Course.NOTHING:
        return False
    run = standing.run
    behind = run.at if run is not None and standing.course is Course.RESUME else 0
    return any(isinstance(stage.work, Preflight) for stage in plan.stages[behind:])


def preview_of(
    plan: Plan,
    seen: Seen,
    standing: Standing,
    outlook: Outlook | None = None,
    checks: tuple[Finding, ...] = (),
    fresh: Run | None = None,
) -> Preview:
    """Lay the plan over the endpoint as it is; the outlook's warnings come after the others.

    Args:
        plan: The plan.
        seen: The endpoint.
        standing: The plan against its journal.
        outlook: What the gates would tell.
        checks: What the pre-checks say.
        fresh: The run that applying it would begin; None: nobody asks what it would take over.
    """
    if standing.course is Course.NOTHING:
        return Preview(plan, seen, standing, ())
    run = standing.run
    behind = run.at if run is not None and standing.course is Course.RESUME else 0
    taken = _taken_over(standing, fresh)
    share = taken.share if taken is not None else 0
    steps = []
    for at, stage in enumerate(plan.stages):
        step = _step(plan, stage, seen, share)
        if isinstance(stage.work, Shift):
            share = stage.work.percent
        if at >= behind and step is not None:
            steps.append(step)
    warnings = _superseding(standing, fresh) + _unapprovable(plan, fresh)
    warnings += _warnings(plan, seen, standing, taken)
    warnings += outlook.warnings if outlook else ()
    return Preview(plan, seen, standing, tuple(steps), warnings, outlook, checks)


def _step(plan: Plan, stage: Stage, seen: Seen, share: int) -> Step | None:
    title, change, kind = _writes(plan, stage, seen, share)
    if isinstance(stage.work, Bootstrap) and not change:
        return None
    takes = stage.timeout if change else None
    return Step(stage.id, title, change, kind, takes, _waits(plan, stage))


def _writes(plan: Plan, stage: Stage, seen: Seen, share: int) -> tuple[str, str, str]:
    green, blue = plan.candidate.name, plan.baseline.name
    match stage.work:
        case Bootstrap():
            return _bootstrap(plan, seen)
        case Preflight():
            return "preflight", "", " "
        case Scale(role, instances):
            name = plan.deployment(role).name
            found = seen.deployments.get(name)
            now = str(found.instances) if found else "?"
            same = now == str(instances)
            return (
                f"scale {name}",
                "" if same else f"instances {now} -> {instances}",
                " ~"[not same],
            )
        case Create(role):
            return _create(plan.deployment(role), seen)
        case Smoke(role, count):
            return f"smoke {plan.deployment(role).name}", f"{count} requests", " "
        case Mirror(percent):
            return f"mirror {percent} %", f"mirror {{{green}: {percent}}}", "~"
        case Shift(percent):
            before, after = _shared(blue, green, share), _shared(blue, green, percent)
            return f"shift {percent} %", f"{before} -> {after}, mirror {{}}", "~"
        case _:
            return _patient(plan, stage)


def _patient(plan: Plan, stage: Stage) -> tuple[str, str, str]:
    match stage.work:
        case Wait(seconds):
            return f"wait {spell_duration(seconds)}", "", " "
        case Approve():
            return "approve", "", " "
        case Delete(role):
            return f"delete {plan.deployment(role).name}", "the point of no return", "-"
        case _:
            return stage.id, "", " "


def _bootstrap(plan: Plan, seen: Seen) -> tuple[str, str, str]:
    found = seen.deployments.get(plan.baseline.name)
    if seen.traffic or (found is not None and found.run is None):
        return "bootstrap", "", " "
    parts = [] if seen.exists else [f"endpoint {plan.endpoint.name}"]
    if plan.baseline.name not in seen.deployments:
        parts.append(plan.baseline.name)
    return "bootstrap", f"{' and '.join(parts)}, {plan.baseline.name} 100".lstrip(", "), "+"


def _create(ref: DeploymentRef, seen: Seen) -> tuple[str, str, str]:
    if ref.name not in seen.deployments:
        return f"create {ref.name}", _creation(ref), "+"
    return f"create {ref.name}", f"{ref.name} is there; replaced unless it is the same", "~"


def _creation(ref: DeploymentRef) -> str:
    source = f" from {ref.file.rsplit('/', 1)[-1]}" if ref.file else ""
    extra = f" (+{len(ref.overrides)} set)" if ref.overrides else ""
    return f"{ref.name}{source}{extra}"


def _shared(blue: str, green: str, percent: int) -> str:
    return str(Split({n: p for n, p in ((blue, WHOLE - percent), (green, percent)) if p}))


def _waits(plan: Plan, stage: Stage) -> str:
    waits = [f"{spell_duration(stage.after)} first"] if stage.after else []
    if stage.gate is not None:
        gate = plan.gates[stage.gate]
        more = gate.on_inconclusive
        limit = gate.max_duration + more.extend_seconds * more.times
        waits.append(f"gate {gate.name}, at most {spell_duration(limit)}")
    if isinstance(stage.work, Approve):
        waits.append(_approvers(stage.work))
    if any(windows.applies(each, stage) for each in plan.windows):
        waits.append("window")
    return " · ".join(waits)


def _approvers(work: Approve) -> str:
    who = " or ".join(work.by) or ("anybody" if work.author else "anybody but the author")
    return who if work.count == 1 else f"{work.count} of {who}"


def _taken_over(standing: Standing, fresh: Run | None) -> Run | None:
    """The run whose split and captured split the new one takes over."""
    run = standing.run
    if fresh is None or run is None or run.captured is None or superseding.must_go_back(fresh, run):
        return None
    over = standing.course is Course.SUPERSEDE or abandoned(run)
    return run if over else None


def _superseding(standing: Standing, fresh: Run | None) -> tuple[str, ...]:
    """What becomes of another run, and from where on the plan begins."""
    run = standing.run
    if run is None or fresh is None:
        return ()
    if superseding.must_go_back(fresh, run) and standing.course is not Course.BLOCKED:
        text = (
            f"{run.id} of {run.plan} comes first: it goes back to {run.captured}, and is verified, "
        )
        return (f"{text}before this plan begins.",)
    taken = _taken_over(standing, fresh)
    if taken is None:
        ends = standing.course is Course.SUPERSEDE
        return (f"{run.id} of {run.plan} ends; it has changed nothing yet.",) if ends else ()
    text = (
        f"{run.id} of {run.plan} ends with its split as it is ({taken.expected}). This plan begins "
    )
    return (f"{text}with its first stage; a rollback would restore {taken.captured}.",)


def _warnings(plan: Plan, seen: Seen, standing: Standing, taken: Run | None) -> tuple[str, ...]:
    found = []
    run = standing.run
    cleared = taken is not None or abandoned(run)
    if standing.course is Course.START and not cleared and not _startable(plan, seen):
        has = (
            f"the endpoint has: {Split.of(seen)}" if seen.exists else "the endpoint does not exist"
        )
        found.append(
            f"The plan starts from {plan.baseline.name} 100, but {has}. "
            "Applying it would stop there (exit 31)."
        )
    if standing.course is Course.BLOCKED and run is not None:
        found.append(
            f"{run.id} of {run.plan} is open ({run.phase.value}); applying would end in exit 30, "
            "unless with --supersede."
        )
    if not any(isinstance(stage.work, Shift | Mirror) and stage.gate for stage in plan.stages):
        found.append("No stage has a gate: only the guard watches the candidate.")
    return tuple(found)


def _unapprovable(plan: Plan, fresh: Run | None) -> tuple[str, ...]:
    """Approvals that too few people can give, if this person starts the run."""
    told = []
    for stage in plan.stages:
        work = stage.work
        if fresh is None or not isinstance(work, Approve) or not work.by:
            continue
        able = {name.casefold() for name in work.by if approvals.may(fresh, work, name)}
        if len(able) < work.count:
            told.append(
                f"Stage {stage.id} asks for {work.count} of {' or '.join(work.by)}, but not for "
                f"{fresh.author}, who would start the run: let somebody else apply it, or add "
                "'author: true'."
            )
    return tuple(told)


def _startable(plan: Plan, seen: Seen) -> bool:
    """Whether the plan finds all traffic on its baseline, or brings it there."""
    bootstraps = any(isinstance(stage.work, Bootstrap) for stage in plan.stages)
    brought = bootstraps and bool(_bootstrap(plan, seen)[1])
    return brought or Split.of(seen) == Split({plan.baseline.name: WHOLE})
