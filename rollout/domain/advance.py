"""The fold: a run and one more event make the next run. Pure, total, and the same for ever.

An event that does not fit the phase changes nothing: orders of people may arrive at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rollout.domain import auditing, events as e, windows
from rollout.domain.attending import attended
from rollout.domain.endpoint import Effect, SetSplit
from rollout.domain.ordered import ordered
from rollout.domain.plan import Create, Delete, Preflight, Smoke
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.run import FINAL, OPEN, Cause, Exposure, Phase, Run, Split, StageDone, Step, Why
from rollout.domain.steps import back, begun
from rollout.domain.verdict import Verdict

_UNLOOKED = "Not checked: "  # as rollout.ports.doctor writes it
_GOING = (Phase.RUNNING, Phase.PAUSED)
_BACK = (Phase.ROLLING_BACK, Phase.UNVERIFIED)
_FITTING: Mapping[type, tuple[Phase, ...]] = {
    e.OwnerTook: tuple(Phase),
    e.SplitCaptured: (Phase.RUNNING,),
    e.Intended: tuple(Phase),
    e.EffectFailed: tuple(Phase),
    e.SetPointReached: _GOING,
    e.PreflightChecked: (Phase.RUNNING,),
    e.SmokeTested: (Phase.RUNNING,),
    e.ObservationBegan: OPEN,
    e.Measured: OPEN,
    e.ExposureCounted: _BACK,
    e.StagePassed: (Phase.RUNNING,),
    e.Held: _GOING,
    e.RollbackBegan: OPEN,
    e.RollbackProbed: _BACK,
    e.RollbackUnverified: (Phase.ROLLING_BACK,),
    e.LogsCollected: tuple(Phase),
    e.AnswersDiffered: tuple(Phase),
    e.RolledBack: _BACK,
    e.Ended: (*OPEN, *_BACK),
    e.LooseCallFound: tuple(Phase),
    e.LateCallLanded: (Phase.RUNNING, *FINAL),
    e.Audited: tuple(FINAL),
    e.LeaveBegan: (*OPEN, *_BACK),
    e.ShareLowered: OPEN,
    e.ShareRestored: (Phase.RUNNING,),
    e.Unwatched: tuple(Phase),
    e.Left: (*OPEN, *_BACK),
}
# After one of these a runner that dies has not died for nothing.
_PROGRESS = (
    e.SplitCaptured,
    e.SetPointReached,
    e.PreflightChecked,
    e.SmokeTested,
    e.ObservationBegan,
    e.Measured,
    e.StagePassed,
    e.Held,
    e.RollbackBegan,
    e.RollbackProbed,
    e.Left,
)


def advance(run: Run, event: e.Event, at: float) -> Run:
    """The run after ``event``, which was appended at ``at`` (Unix seconds)."""
    if isinstance(event, e.Order):
        after = ordered(run, event, at)
        return after if after == run else replace(after, next_check=None, waits="")
    if isinstance(event, e.RunStarted):
        return event.run
    if run.phase not in _FITTING.get(type(event), ()):
        return run
    after = _happened(run, event, at)
    catches_up = isinstance(event, e.Measured) and run.unread  # that each new owner begins with
    return replace(after, crashes=0) if isinstance(event, _PROGRESS) and not catches_up else after


def _happened(run: Run, event: e.Event, at: float) -> Run:
    match event:
        case e.SplitCaptured(split):
            captured = run.captured or split
            return replace(run, captured=captured, expected=split, adopt=False, restores=None)
        case e.Intended(effect):
            idle = run.final and not run.unaudited
            return run if idle else _intended(run, effect, at)
        case e.EffectFailed(effect, error, refused):
            if effect != run.intent:
                return run
            forward = refused and run.phase is Phase.RUNNING  # a rollback is tried again
            trouble = Cause(Why.EFFECT_REFUSED, error) if forward else run.trouble
            return replace(run, trouble=trouble, failure=error)
        case e.SetPointReached(stage, split):
            return _reached(run, stage, split, at)
        case e.StagePassed(stage, note):
            return _passed(run, stage, note, at)
        case _:
            return _answered(run, event, at)


def _answered(run: Run, event: e.Event, at: float) -> Run:
    match event:
        case e.PreflightChecked(ok, text):
            said = _counted(text) if ok else "; ".join(text)
            return _tested(run, Preflight, ok, Cause(Why.PREFLIGHT_FAILED, said), at)
        case e.SmokeTested(ok, text):
            return _tested(run, Smoke, ok, Cause(Why.SMOKE_FAILED, text), at)
        case e.ObservationBegan(cursor, evidence):
            return replace(run, cursor=cursor, evidence=evidence, judgement=None)
        case e.Measured():
            return _measured(run, event)
        case e.RollbackProbed(ok):
            first = not run.attempts and not run.tried
            return replace(run, checked=ok, tried=at, since=at if first else run.since)
        case e.OwnerTook() | e.LeaveBegan() | e.ShareLowered() | e.ShareRestored() | e.Left():
            return attended(run, event, at)
        case e.LooseCallFound() | e.LateCallLanded() | e.Audited():
            return auditing.happened(run, event, at)
        case _:
            return _turned(run, event, at)


def _turned(run: Run, event: e.Event, at: float) -> Run:
    match event:
        case e.Held(cause):
            return replace(run, phase=Phase.HELD, cause=cause, trouble=None)
        case e.RollbackBegan(cause):
            return back(run, cause, at)
        case e.ExposureCounted(cursor=cursor):
            return replace(run, exposure=_exposed(run, event), uncounted=cursor)
        case e.RollbackUnverified():
            return replace(run, phase=Phase.UNVERIFIED)
        case e.LogsCollected():
            return replace(run, collected=run.collected or run.phase in _BACK)
        case e.RolledBack(_, gone):
            undone = run.cause is not None and run.cause.why is Why.UNDO
            phase = Phase.UNDONE if undone else Phase.ROLLED_BACK
            restored = Split(run.captured.traffic) if run.captured else None
            return replace(run, phase=phase, ended=at, expected=restored, gone=gone)
        case e.Ended(cause):
            return _ended(run, cause, at)
        case _:
            return run


def _intended(run: Run, effect: Effect, at: float) -> Run:
    """A split that is written anew must be verified anew; a rollback's clock starts with it."""
    again = effect == run.intent
    first = run.phase in _BACK and not run.attempts and not run.tried
    first = first or windows.unbegun(run)  # what it waited for a window is none of its time
    return replace(
        run,
        failure=run.failure if again else "",
        intent=effect,
        intended=at,
        attempts=run.attempts + 1 if again else 1,
        checked=run.checked and not isinstance(effect, SetSplit),
        since=at if first else run.since,
    )


def _reached(run: Run, stage_id: str, split: Split, at: float) -> Run:
    if run.stage is None or run.stage.id != stage_id:
        return run
    return replace(begun(run, at), step=Step.OBSERVING, expected=split, restores=None)


def _measured(run: Run, event: e.Measured) -> Run:
    """A pass stays one for as long as the stage lasts, unless the guard says fail."""
    if run.cursor is None:
        return run
    passed = run.judgement is not None and run.judgement.verdict is Verdict.PASS
    keeps = passed and event.judgement.verdict is not Verdict.FAIL
    return replace(
        run,
        cursor=event.cursor,
        evidence=event.evidence,
        judgement=run.judgement if keeps else event.judgement,
        exposure=_exposed(run, event),
        unread=run.unread and event.lagging,
        misses=0 if event.intervals else event.source_errors,
    )


def _exposed(run: Run, event: e.Measured | e.ExposureCounted) -> Exposure:
    return Exposure(run.exposure.requests + event.requests, run.exposure.errors + event.errors)


def _tested(run: Run, kind: type, ok: bool, cause: Cause, at: float) -> Run:
    if run.stage is None or not isinstance(run.stage.work, kind):
        return run
    return _passed(run, run.stage.id, cause.text, at) if ok else replace(run, trouble=cause)


def _counted(checks: tuple[str, ...]) -> str:
    """How many pre-checks passed, and which could not be made; what each found, the event says.

    >>> _counted(("quota: Enough.", "login: You.", "metrics: Not checked: No data."))
    '2 checks passed, 1 not checked: metrics'
    """
    unlooked = [
        name
        for name, _, text in (each.partition(": ") for each in checks)
        if text.startswith(_UNLOOKED)
    ]
    passed = len(checks) - len(unlooked)
    note = f"{passed} check{'' if passed == 1 else 's'} passed"
    return f"{note}, {len(unlooked)} not checked: {', '.join(unlooked)}" if unlooked else note


def _passed(run: Run, stage_id: str, note: str, at: float) -> Run:
    stage = run.stage
    if stage is None or stage.id != stage_id:
        return run
    done = (*run.done, StageDone(stage_id, run.began, at, note))
    moved = replace(begun(run, at), step=Step.ENTERING, at=run.at + 1, done=done)
    match stage.work:
        case Create(role) if role == CANDIDATE:
            return replace(moved, created=True)
        case Delete(role) if role == BASELINE:
            return replace(moved, deleted=True)
        case Delete():
            return replace(moved, created=False)
        case _:
            return moved


def _ended(run: Run, cause: Cause | None, at: float) -> Run:
    if cause is None:
        return replace(run, phase=Phase.COMPLETED, ended=at)
    phase = Phase.REFUSED if cause.why is Why.PREFLIGHT_FAILED else Phase.ABORTED
    return replace(run, phase=phase, cause=cause, ended=at, trouble=None)


def undone(last: Run, run_id: str, author: str, at: float, newest: Run | None = None) -> Run:
    """A fresh run that takes the endpoint back to where ``last`` found it.

    It has the names, the way to fail and the captured split of ``last``, and nothing of what
    befell it; what is known of the endpoint itself comes from the newest run.

    Args:
        last: A finished run; without a captured split there is nothing to undo, and it just ends.
        run_id: The new run's id.
        author: Who ordered it.
        at: Unix seconds.
        newest: The endpoint's newest run; None: that is ``last``.
    """
    newest = newest or last
    fresh = Run(
        id=run_id,
        plan=last.plan,
        endpoint=last.endpoint,
        identity=f"undo-{last.id}-{run_id}",
        digest=last.digest,
        baseline=last.baseline,
        candidate=last.candidate,
        baseline_digest=last.baseline_digest,
        candidate_digest=last.candidate_digest,
        stages=(),
        on_failure=last.on_failure,
        on_inconclusive=last.on_inconclusive,
        author=author,
        started=at,
        since=at,
        file=last.file,
        labels=last.labels,
        values=last.values,
        captured=last.captured,
        expected=newest.expected,
        created=last.created,
        loose=newest.loose,
        undoes=tuple(dict.fromkeys((*_work(newest), *_work(last)))),
    )
    return back(fresh, Cause(Why.UNDO, f"{author} undid {last.id}."), at)


def _work(run: Run) -> tuple[str, ...]:
    """The work that a run did, or took back."""
    return run.undoes or (run.identity,)
