"""The way back: restore the captured split, show that it is back, then see to the candidate."""

from __future__ import annotations

from rollout.domain import decisions
from rollout.domain.decisions import Act, Ask, Decision, On, Question, Record, Wait
from rollout.domain.endpoint import DeleteDeployment, DeploymentSeen, Effect, Seen, SetSplit
from rollout.domain.events import Ended, RollbackUnverified, RolledBack
from rollout.domain.run import Phase, Run, Split
from rollout.domain.units import spell_duration


def returning(run: Run, seen: Seen, now: float) -> Decision:
    """Restore the captured split, show by traffic that it is back, only then touch the candidate.

    Nothing is mirrored behind a rollback, whatever was when the run began.
    """
    if run.captured is None:
        return Record(Ended(run.cause))
    goal = Split(run.captured.traffic)
    decision = _restore(run, goal, seen, now)
    if run.phase is Phase.ROLLING_BACK and _overdue(run, decision, now):
        within = spell_duration(run.on_failure.verify_within)
        why = seen.trouble or run.failure
        text = f"{goal} could not be verified within {within}. {why}".rstrip()
        return Record(RollbackUnverified(text))
    return decision


def _overdue(run: Run, decision: Decision, now: float) -> bool:
    """Whether a person must look. A runner that comes late to a rollback first tries it once."""
    if run.checked or now < run.since + run.on_failure.verify_within:
        return False
    tried = bool(run.attempts or run.tried)
    return isinstance(decision, Wait) or (tried and isinstance(decision, Act | Ask))


def _restore(run: Run, goal: Split, seen: Seen, now: float) -> Decision:
    gone = [name for name in goal.traffic if name not in seen.deployments]
    if seen.busy:
        return Wait(On.PROVISIONING)
    if gone and run.phase is Phase.ROLLING_BACK:
        text = f"{' and '.join(gone)}, which had the traffic, does not exist any more."
        return Record(RollbackUnverified(text))
    if gone:
        return Wait(On.PERSON)
    if Split.of(seen) != goal:
        return _insist(run, SetSplit(goal.traffic), now)
    return _settle(run, seen, now)


def _insist(run: Run, effect: Effect, now: float) -> Decision:
    """A rollback never gives up; it only slows down."""
    if run.intent == effect and now < run.intended + decisions.backoff(run.attempts):
        return Wait(On.BACKOFF, run.intended + decisions.backoff(run.attempts))
    return Act(effect)


def _settle(run: Run, seen: Seen, now: float) -> Decision:
    """The split is back: show it, then wait for the candidate to come to rest, if it must."""
    if not run.checked:
        if run.tried and now < run.tried + decisions.backoff(2):
            return Wait(On.BACKOFF, run.tried + decisions.backoff(2))
        return Ask(Question.VERIFY)
    candidate = seen.deployments.get(run.candidate)
    if candidate is None:
        return Record(RolledBack(gone=True))
    if candidate.condition in decisions.MOVING and not candidate.removable:
        return Wait(On.PROVISIONING)
    delete = DeleteDeployment(run.candidate)
    if not _unwanted(run, candidate):
        return Record(RolledBack())
    if run.intent == delete and run.attempts >= decisions.ATTEMPTS:
        return Record(RolledBack(f"{run.candidate} is still there: it could not be deleted."))
    return _insist(run, delete, now)


def _unwanted(run: Run, candidate: DeploymentSeen) -> bool:
    """Only what this run made, and only where the plan says so, is deleted."""
    captured = run.captured is not None and run.candidate in run.captured.traffic
    # One that was taken over from a superseded run carries that run's name; a person's carries none.
    same = candidate.run is not None and candidate.digest == run.candidate_digest
    ours = candidate.run == run.id or (same and run.created and bool(run.supersedes))
    return ours and not captured and run.on_failure.candidate == "delete"
