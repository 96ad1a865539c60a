"""What applying a plan would do: every write, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
from rollout.domain.run import Split
from rollout.domain.units import spell_duration
from rollout.ports.endpoint import Finding
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
) -> Preview:
    """Lay the plan over the endpoint as it is; the outlook's warnings come after the others."""
    if standing.course is Course.NOTHING:
        return Preview(plan, seen, standing, ())
    run = standing.run
    behind = run.at if run is not None and standing.course is Course.RESUME else 0
    share = 0
    steps = []
    for at, stage in enumerate(plan.stages):
        step = _step(plan, stage, seen, share)
        if isinstance(stage.work, Shift):
            share = stage.work.percent
        if at >= behind and step is not None:
            steps.append(step)
    warnings = _warnings(plan, seen, standing) + (outlook.warnings if outlook else ())
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
        waits.append(" or ".join(stage.work.by) or "anybody")
    return " · ".join(waits)


def _warnings(plan: Plan, seen: Seen, standing: Standing) -> tuple[str, ...]:
    found = []
    run = standing.run
    if standing.course is Course.START and not _startable(plan, seen):
        has = (
            f"the endpoint has: {Split.of(seen)}" if seen.exists else "the endpoint does not exist"
        )
        found.append(
            f"The plan starts from {plan.baseline.name} 100, but {has}. "
            "Applying it would stop there (exit 31)."
        )
    if standing.course is Course.BLOCKED and run is not None:
        found.append(
            f"{run.id} of {run.plan} is open ({run.phase.value}); applying would end in exit 30."
        )
    if not any(isinstance(stage.work, Shift | Mirror) and stage.gate for stage in plan.stages):
        found.append("No stage has a gate: only the guard watches the candidate.")
    return tuple(found)


def _startable(plan: Plan, seen: Seen) -> bool:
    """Whether the plan finds all traffic on its baseline, or brings it there."""
    bootstraps = any(isinstance(stage.work, Bootstrap) for stage in plan.stages)
    brought = bootstraps and bool(_bootstrap(plan, seen)[1])
    return brought or Split.of(seen) == Split({plan.baseline.name: WHOLE})
