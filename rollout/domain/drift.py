"""What a person changed by hand: the endpoint as seen against what a run left behind."""

from __future__ import annotations

from rollout.domain.decisions import Decision, Record, goal
from rollout.domain.endpoint import Condition, DeploymentSeen, Seen, SetSplit
from rollout.domain.events import Held
from rollout.domain.plan import Delete
from rollout.domain.run import Cause, Drift, Phase, Run, Split, Why


def difference(run: Run, seen: Seen) -> Drift | None:
    """How the endpoint differs from what the run left; None: it does not, or nothing is known."""
    if run.expected is None:
        return None
    split = Split.of(seen)
    # What our own write in flight makes is nobody else's change.
    ours = isinstance(run.intent, SetSplit) and split == goal(run.intent)
    moved = split != run.expected and not ours
    missing = tuple(name for name in _needed(run) if name not in seen.deployments)
    candidate = seen.deployments.get(run.candidate)
    swapped = _stands(run) and candidate is not None and _swapped(run, candidate)
    if not (moved or missing or swapped):
        return None
    return Drift(
        expected=run.expected if moved else None,
        found=split if moved else None,
        missing=missing,
        changed=(run.candidate,) if swapped else (),
    )


def spelled(drift: Drift) -> str:
    """The difference as a sentence: the first of what it tells that matters most."""
    if drift.found is not None and drift.expected is not None:
        return f"Expected {drift.expected}; the endpoint has {drift.found}."
    if drift.missing:
        return f"The deployment {' and '.join(drift.missing)} was deleted by somebody else."
    return f"The deployment {' and '.join(drift.changed)} was changed by somebody else."


def held(text: str, drift: Drift | None = None) -> Decision:
    """The run stops where it is, for the endpoint is not as it must be here."""
    return Record(Held(Cause(Why.DRIFT, text, drift)))


def leaving(run: Run) -> str | None:
    """The deployment that the present stage deletes."""
    work = run.stage.work if run.stage else None
    return run.name(work.deployment) if isinstance(work, Delete) else None


def _needed(run: Run) -> list[str]:
    """Whom the run needs; whoever the present stage deletes is not needed."""
    if run.final and run.expected is not None:
        return sorted({*run.expected.traffic, *run.expected.mirror})
    needed = [run.candidate] if run.created else []
    if not run.committed:
        needed.append(run.baseline)
    return [name for name in needed if name != leaving(run)]


def _stands(run: Run) -> bool:
    """Whether what was created must still be what stands there."""
    return run.created and (not run.final or run.phase is Phase.COMPLETED)


def _swapped(run: Run, candidate: DeploymentSeen) -> bool:
    """Whether what stands there is not what was created and tested."""
    return candidate.condition is Condition.READY and candidate.digest != run.candidate_digest
