"""The fold of a person's orders; one that does not fit the phase changes nothing."""

from __future__ import annotations

from dataclasses import replace

from rollout.domain import events as e
from rollout.domain.endpoint import PutDeployment, ScaleDeployment
from rollout.domain.run import OPEN, Approval, Cause, Phase, Run, Step, Why
from rollout.domain.steps import back, begun
from rollout.domain.verdict import Verdict


def ordered(run: Run, order: e.Order, at: float) -> Run:
    """The run after a person's order, given at ``at`` (Unix seconds)."""
    match order:
        case e.Approved(stage, digest, by, when, message) if digest == run.digest:
            said = Approval(stage, by, when, message)
            return replace(run, approvals=(*run.approvals, said)) if run.phase in OPEN else run
        case e.PauseOrdered() if run.phase is Phase.RUNNING:
            return replace(run, phase=Phase.PAUSED)
        case e.ResumeOrdered():
            return _resumed(run, order, at)
        case e.RetryOrdered(reads=reads):
            return _retried(run, at, reads=reads)
        case e.Rejected(by, message):
            return _given_up(run, Cause(Why.REJECTED, f"{by} rejected it. {message}".strip()), at)
        case e.AbortOrdered() | e.Superseded():
            return _ended(run, order, at)
        case _:
            return run


def _ended(run: Run, order: e.AbortOrdered | e.Superseded, at: float) -> Run:
    """Over: with the split as it is, or by going back."""
    if isinstance(order, e.Superseded):
        text = f"{order.by} put an edited plan in its place. {order.message}"
        cause = Cause(Why.SUPERSEDED, text.strip())
        if run.committed or run.phase not in OPEN:
            return run  # what goes back already comes to its verified end first
    else:
        cause = Cause(Why.ABORTED, f"{order.by} aborted it. {order.message}".strip())
    if not order.keep_traffic:
        return _given_up(run, cause, at)
    if run.final:
        return run
    return replace(run, phase=Phase.ABORTED, cause=cause, ended=at)


def _resumed(run: Run, order: e.ResumeOrdered, at: float) -> Run:
    """A paused run goes on where it was; an adopted split needs its stage entered anew."""
    adopted = replace(run, adopt=True, expected=None) if order.adopt else run
    if run.phase is Phase.HELD or (run.phase is Phase.PAUSED and order.adopt):
        return _again(adopted, at, reads=order.reads)
    if run.phase is not Phase.PAUSED:
        return run
    since = at if run.step is Step.ENTERING else run.since  # a pause uses up no stage's timeout
    return replace(run, phase=Phase.RUNNING, since=since)


def _retried(run: Run, at: float, *, reads: bool) -> Run:
    if run.phase is Phase.UNVERIFIED:
        return back(run, run.cause or Cause(Why.ABORTED, ""), at)
    return _again(run, at, reads=reads) if run.phase is Phase.HELD else run


def _again(run: Run, at: float, *, reads: bool) -> Run:
    """The present stage is entered anew, every effect with all its attempts.

    What a gate held against the candidate stays known as well, but for a gate that has failed: a
    person lets the candidate try anew, and each attempt has a risk of its own.

    Where measurements stand stays known, too: what the candidate answered while nobody was here is
    judged before the stage is entered. Of a gate that has failed, and of an adopted split, nothing
    is read: that was of another attempt, and of another split.

    What is in flight stays known: else a write that lands late would look like a person's, and a
    deletion that was begun like one that was not. Only what *failed* must look as never ordered.
    """
    failed = isinstance(run.intent, PutDeployment | ScaleDeployment)
    failed_gate = run.judgement is not None and run.judgement.verdict is Verdict.FAIL
    return replace(
        begun(run, at),
        cursor=run.cursor if reads and not failed_gate and not run.adopt else None,
        phase=Phase.RUNNING,
        step=Step.ENTERING,
        intent=None if failed else run.intent,
        cause=None,
        trouble=None,
        evidence={} if failed_gate else run.evidence,
    )


def _given_up(run: Run, cause: Cause, at: float) -> Run:
    if run.phase not in OPEN or run.committed:
        return run
    if run.captured is None:
        return replace(run, phase=Phase.ABORTED, cause=cause, ended=at)
    return back(run, cause, at)
