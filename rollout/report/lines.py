"""An event as one sentence: for logs, for ``events``, for a terminal that cannot be redrawn."""

from __future__ import annotations

from typing import assert_never

from rollout.domain import approvals, events as e
from rollout.domain.answers import Example
from rollout.domain.run import Phase, Run
from rollout.domain.units import spell_duration
from rollout.domain.verdict import CheckJudgement, Judgement, Verdict
from rollout.ports.observer import Alert, Appended, Notice, Waiting, Watched
from rollout.report import words
from rollout.report.again import PLAIN, Again
from rollout.report.onward import next_command
from rollout.report.rows import Ink

Work = e.Intended | e.EffectFailed | e.SetPointReached | e.StagePassed | e.LogsCollected | e.Pruned
Check = (
    e.PreflightChecked
    | e.SmokeTested
    | e.ObservationBegan
    | e.Measured
    | e.ExposureCounted
    | e.AnswersDiffered
    | e.RollbackProbed
)
Move = (
    e.RunStarted
    | e.OwnerTook
    | e.SplitCaptured
    | e.Held
    | e.RollbackBegan
    | e.RollbackUnverified
    | e.RolledBack
    | e.Ended
)
Late = e.LooseCallFound | e.LateCallLanded | e.Audited
Leave = e.LeaveBegan | e.ShareLowered | e.ShareRestored | e.Unwatched | e.Left


def sentence(event: e.Event, run: Run) -> str:
    """What happened; ``run`` is the state after it."""
    if isinstance(event, e.Order):
        return _ordered(event)
    if isinstance(event, Work):
        return _worked(event)
    if isinstance(event, Check):
        return _checked(event, run)
    if isinstance(event, Leave):
        return _leaving(event, run)
    if isinstance(event, Late):
        return _late(event)
    return _moved(event, run)


def _worked(event: Work) -> str:
    match event:
        case e.Intended(effect):
            return f"begin: {words.order(effect)}"
        case e.EffectFailed(effect, error, refused):
            how = "was refused" if refused else "failed and will be tried again"
            return f"{words.order(effect)} {how}: {error}"
        case e.SetPointReached(stage, split):
            return f"stage {stage}: read back {split}"
        case e.StagePassed(stage, note):
            return f"stage {stage} passed" + (f": {note}" if note else "")
        case e.LogsCollected(deployment, text):
            return _kept(deployment, text)
        case e.Pruned(below):
            return f"what was written before entry {below} was forgotten"
        case _:
            assert_never(event)


def _kept(deployment: str, logs: str) -> str:
    if not words.has_logs(logs):
        return f"no logs of {deployment} to keep"
    return f"kept the logs of {deployment} ({words.plural(len(logs.splitlines()), 'line')})"


def _checked(event: Check, run: Run) -> str:
    match event:
        case e.PreflightChecked(ok, text):
            return f"pre-checks {'passed' if ok else 'failed'}: {'; '.join(text)}"
        case e.SmokeTested(ok, text):
            return f"smoke test {'passed' if ok else 'failed'}: {text}"
        case e.ObservationBegan():
            return f"observing stage {run.stage.id}" if run.stage else "observing"
        case e.Measured(judgement=judgement):
            return judged(judgement)
        case e.ExposureCounted(requests, errors):
            more = words.plural(requests, "more answer")
            return f"counted {more} of {run.candidate} to clients, {errors:,} of them bad"
        case e.AnswersDiffered(_, examples):
            return f"answers differ: {'; '.join(differing(each) for each in examples)}"
        case e.RollbackProbed(ok, text):
            return f"rollback {'verified' if ok else 'not verified yet'}: {text}"
        case _:
            assert_never(event)


def differing(example: Example) -> str:
    """One way in which answers differ."""
    found = example.difference
    sides = f"{found.baseline or 'nothing'} by the baseline, {found.candidate or 'nothing'}"
    return f"{found.path} ({found.kind.replace('_', ' ')}): {sides} by the candidate"


def _took(event: e.OwnerTook) -> str:
    found = "; the one before did not leave in good order" if event.crashed else ""
    late = f", and may still send: {words.order(event.call)}" if event.call else ""
    if event.unlocked:
        return f"{event.owner} took the endpoint from its runner (rollout force-unlock){late}"
    return f"{event.owner} drives the run from here on{found}{late}"


def _moved(event: Move, run: Run) -> str:
    before = str(run.captured or "the split before")
    match event:
        case e.RunStarted(started):
            return _started(started)
        case e.OwnerTook() as took:
            return _took(took)
        case e.SplitCaptured(split):
            return f"a rollback would restore {split}"
        case e.Held(cause):
            return f"held: {cause.text}"
        case e.RollbackBegan(cause):
            return f"rollback to {before}: {cause.text}"
        case e.RollbackUnverified(text):
            return f"rollback NOT verified: {text}"
        case e.RolledBack():
            return f"rolled back to {before}, verified"
        case e.Ended(cause):
            return f"ended: {cause.text}" if cause else "completed"
        case _:
            assert_never(event)


def _late(event: Late) -> str:
    match event:
        case e.LooseCallFound(effect):
            return f"an earlier runner may still send: {words.order(effect)}"
        case e.LateCallLanded(effect, split):
            return f"a late call of an earlier runner landed: {words.order(effect)}; found {split}"
        case e.Audited(ok, text):
            return f"late calls looked for: {text}" if ok else f"NOT put right: {text}"
        case _:
            assert_never(event)


def _leaving(event: Leave, run: Run) -> str:
    match event:
        case e.LeaveBegan(share):
            return f"nobody will guard it for a while: {run.candidate} keeps {share} % at most"
        case e.ShareLowered(split):
            return f"read back {split}, to be left alone with"
        case e.ShareRestored(split):
            return f"read back {split}, as before the last runner left"
        case e.Unwatched(start, end, what):
            return f"not known from {words.moment(start)} to {words.moment(end)}: {what}"
        case e.Left(_, ""):
            return "left: interrupted; the next one may go on at once"
        case e.Left(next_check, on):
            return f"left, waiting for {on}; to be looked at again at {words.moment(next_check)}"
        case _:
            assert_never(event)


def _started(run: Run) -> str:
    if not run.stages:
        return f"{run.author} takes {run.endpoint} back to {run.captured or 'the split before'}"
    count = words.plural(len(run.stages), "stage")
    return f"{run.author} started {run.plan} on {run.endpoint}: {count}"


def _ordered(event: e.Order) -> str:
    said = f": {event.message}" if event.message else ""
    match event:
        case e.Approved(stage, _, by):
            return f"{by} approved {stage}{said}"
        case e.Rejected(by):
            return f"{by} rejected it{said}"
        case e.PauseOrdered(by):
            return f"{by} paused the run{said}"
        case e.ResumeOrdered(by, adopt):
            return f"{by} resumed the run{' with the split as it is' if adopt else ''}{said}"
        case e.AbortOrdered(by, keep_traffic):
            return f"{by} aborted the run{' and keeps the split' if keep_traffic else ''}{said}"
        case e.RetryOrdered(by):
            return f"{by} lets the stage be tried again{said}"
        case e.Superseded(by, keep_traffic=stays):
            return (
                f"{by} put an edited plan in its place{'' if stays else ', once it is back'}{said}"
            )
        case _:
            assert_never(event)


def judged(judgement: Judgement) -> str:
    """A gate's word in one line: while it is open each check's numbers, then the deciding ones."""
    gate = judgement.gate if judgement.gate == "guard" else f"gate {judgement.gate}"
    if judgement.verdict is not Verdict.RUNNING or not judgement.checks:
        return f"{gate}: {judgement.verdict.value}. {judgement.reason}"
    guard = judgement.gate == "guard"
    parts = [f"{gate}: running", *(_open(check, guard=guard) for check in judgement.checks)]
    if judgement.remaining_seconds:
        parts.append(f"verdict in about {spell_duration(judgement.remaining_seconds)}")
    return " · ".join(parts)


def _open(check: CheckJudgement, *, guard: bool) -> str:
    toward = f"rollback {words.percent(check.toward_rollback)}"
    if not guard:
        toward = f"pass {words.percent(check.toward_pass)}, {toward}"
    return f"{check.check} {arms(check)} ({toward})"


def arms(check: CheckJudgement) -> str:
    """Both arms' values of a check."""
    if not check.candidate_requests:
        return "no answers yet"
    candidate = f"candidate {words.value(check, check.candidate_value)}"
    if check.baseline_value is None:
        return candidate
    return f"baseline {words.value(check, check.baseline_value)}, {candidate}"


def waiting(run: Run, on: str, until: float | None, again: Again = PLAIN) -> str:
    """What a run waits for, and how to move it where a person can."""
    stage = f"stage {run.stage.id}" if run.stage else "the run"
    if on == "approval":
        give = again.completed(f"Give it: rollout approve {run.id}")
        return f"{stage} waits for an approval{_lacking(run)}. {give}"
    if on == "window":
        opens = f"; the window opens at {words.moment(until)}" if until is not None else ""
        return f"{stage} waits for its window{opens}"
    if on == "person" and run.phase is Phase.HELD:
        return f"{stage} is held; its guard goes on. {next_command(run, again, driven=True)}"
    if on == "person":
        going = again.completed(f"Let it go on: rollout resume {run.id}")
        return f"{stage} waits for a person. {going}"
    limit = f" until {words.moment(until)}" if until is not None else ""
    named = {"timer": "its timer", "retry": "the next attempt", "provisioning": "the endpoint"}
    return f"{stage} waits for {named.get(on, on)}{limit}"


def _lacking(run: Run) -> str:
    """How far an approval of several people, or of named ones, is."""
    work, stage = approvals.asked(run), run.stage
    if work is None or stage is None:
        return ""
    far = f" ({approvals.standing(run, stage, work)})" if work.count > 1 else ""
    return f"{far} by {approvals.who_may(run, work)}" if work.by else far


def told(notice: Notice, again: Again = PLAIN) -> str:
    """Any notice as a sentence; its commands repeat ``again``."""
    match notice:
        case Appended(event, run):
            return sentence(event, run)
        case Waiting(run, on, until):
            return waiting(run, on, until, again)
        case Watched(_, judgement):
            return judged(judgement)
        case Alert(_, text):
            return text
        case _:
            assert_never(notice)


def ink(event: e.Event) -> Ink:
    """How loudly an event is to be shown."""
    match event:
        case e.EffectFailed() | e.Held() | e.RollbackUnverified() | e.RollbackBegan():
            return Ink.BAD
        case e.SmokeTested(ok=False) | e.PreflightChecked(ok=False) | e.RollbackProbed(ok=False):
            return Ink.BAD
        case e.Measured(judgement=judgement) if judgement.verdict is Verdict.FAIL:
            return Ink.BAD
        case e.StagePassed() | e.RolledBack() | e.Ended(cause=None):
            return Ink.GOOD
        case _:
            return Ink.PLAIN
