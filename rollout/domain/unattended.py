"""The candidate's share while nobody guards it: lowered before a runner leaves, restored by the next."""

from __future__ import annotations

from rollout.domain import decisions
from rollout.domain.decisions import Decision, On, Record, Rest, Wait
from rollout.domain.endpoint import Condition, Seen, SetSplit
from rollout.domain.events import ShareLowered, ShareRestored
from rollout.domain.run import Run, Split


def lowered(run: Run, seen: Seen, now: float) -> Decision | None:
    """What brings the candidate to the share that it may keep; ``Rest`` once it has no more.

    A split that is neither the run's own nor in flight is a person's, and is left alone: a runner
    that finds the candidate with more in it stays.

    Returns:
        None: it cannot be lowered, as far as anybody can tell, so the runner stays and goes on.
    """
    if run.ceiling is None:
        return None
    ceiling, split = run.ceiling, Split.of(seen)
    live = split.traffic.get(run.candidate, 0)
    if run.committed or run.captured is None:
        return Rest()
    if run.expected is None:  # a person adopted the split, and no runner has read it yet
        return Rest() if live <= ceiling else None
    if seen.busy:
        return Wait(On.PROVISIONING)
    if live <= ceiling:
        return Rest() if split == run.expected else Record(ShareLowered(split))
    if split not in (run.expected, run.restores) and not ours(run, split):
        return Wait(On.PERSON)
    if not _sound(seen, run.baseline):  # what the candidate gives up would go nowhere
        return None if lost(seen, run.baseline) else Wait(On.PROVISIONING)
    shares = {
        **split.traffic,
        run.baseline: split.traffic.get(run.baseline, 0) + live - ceiling,
        run.candidate: ceiling,
    }
    traffic = {name: share for name, share in shares.items() if share}
    return decisions.attempt(run, SetSplit(traffic, split.mirror), now, seen.trouble)


def restored(run: Run, before: Split, seen: Seen, now: float) -> Decision:
    """What brings back ``before``, the split that the last runner lowered."""
    split = Split.of(seen)
    if split == before:
        return Record(ShareRestored(split))
    if not all(_sound(seen, name) for name in before.traffic):
        return Wait(On.PROVISIONING)
    return decisions.attempt(run, SetSplit(before.traffic, before.mirror), now, seen.trouble)


def ours(run: Run, split: Split) -> bool:
    """Whether this split is what our own write in flight makes."""
    return isinstance(run.intent, SetSplit) and split == decisions.goal(run.intent)


def lost(seen: Seen, name: str) -> bool:
    """Whether a deployment is gone or broken, so that it can take nobody's requests over."""
    found = seen.deployments.get(name)
    return found is None or found.condition is Condition.FAILED


def _sound(seen: Seen, name: str) -> bool:
    found = seen.deployments.get(name)
    return found is not None and decisions.whole(found)
