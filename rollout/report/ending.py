"""The last words of a run: why it ended as it did, with the numbers, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rollout.domain import events as e
from rollout.domain.auditing import spelled
from rollout.domain.plan import Bootstrap
from rollout.domain.run import Phase, Run, Why
from rollout.domain.units import spell_duration
from rollout.domain.verdict import CheckJudgement, Judgement, Verdict
from rollout.report import words
from rollout.report.drifting import drift_of, drift_rows
from rollout.report.rows import Ink, Part, Piece, Row, columns, row
from rollout.report.sanitise import line
from rollout.report.tree import drifted
from rollout.report.unattended import unattended
from rollout.runtime.begin import Course
from rollout.runtime.journal import Entry

SHOWN = 5  # log lines
WIDE = 160  # characters of one
_BAD_LINE = re.compile(
    # Words of a log, not parts of a path: an endpoint may well be called diabetes-errors.
    r'(?<![\w/.-])(?:\w*error|\w*exception|critical|fatal|killed|refused)(?![\w/-])|HTTP/1\.\d" [45]\d\d',
    re.IGNORECASE,
)
_NOISE = re.compile(r"^traceback \(most recent call last\)", re.IGNORECASE)
_EARLIER = "over the whole rollout"  # in a reason: the numbers of this stage are not all of it
_JUDGED = (Why.GATE_FAILED, Why.INCONCLUSIVE)
_ORDERED = {Why.ABORTED: "aborted", Why.REJECTED: "rejected", Why.SUPERSEDED: "superseded"}


@dataclass(frozen=True, slots=True)
class Ending:
    """What is told at the end.

    Args:
        run: The run.
        story: Its events, oldest first; empty: not at hand.
        course: What the command did; None: another command than ``apply``.
        anew: The command that does the same work anew; empty: there is none.
    """

    run: Run
    story: Sequence[Entry] = ()
    course: Course | None = None
    anew: str = ""


def explain(ending: Ending) -> tuple[Row, ...]:
    """Why, what was done about it, how many users it cost."""
    run = ending.run
    if run.leftover:
        late = row(
            Piece("✖ ", Ink.BAD), f"{run.endpoint} is not as {run.id} left it. {run.leftover}"
        )
        return (late, *explain(replace(ending, run=replace(run, leftover=""))))
    if run.unaudited:
        calls = ", ".join(spelled(each) for each in (*run.loose, *run.landed))
        text = f"A call of an earlier runner may still change {run.endpoint}, or has: {calls}. "
        open_still = row(Piece("! ", Ink.WARN), text, "It was not looked for to the end.")
        return (open_still, *explain(replace(ending, run=replace(run, loose=(), landed=()))))
    if ending.course is Course.NOTHING:
        anew = f" Begin it anew: {ending.anew}" if ending.anew else ""
        return (row(words.nothing_to_do(run), anew),)
    match run.phase:
        case Phase.COMPLETED:
            return (_completed(run),)
        case Phase.RUNNING | Phase.PAUSED:
            stands = row(f"{run.id} stands at {_where(ending)}. Its state is saved.")
            return (stands,) if run.next_check is None else (stands, row(unattended(run)))
        case Phase.UNDONE:
            return (row(Piece("↶ ", Ink.GOOD), f"{run.endpoint} is back at {run.captured}."),)
        case Phase.HELD:
            return (*_why(ending, "held"), *drift_rows(drift_of(run)), _held(run))
        case _:
            return (*_why(ending, "failed"), *_returned(ending), _sum(run))


# --- the good ends --------------------------------------------------------------


def _completed(run: Run) -> Row:
    spent = _spent((run.ended or run.since) - run.started)
    text = f" {run.candidate} has {run.share} % of {run.endpoint}, after {spent}."
    return row(Piece("✔ Completed.", Ink.GOOD), text, _served(run))


def _served(run: Run) -> str:
    seen = run.exposure
    if not seen.requests:
        return ""
    bad = f"{seen.errors:,} of them badly" if seen.errors else "none of them badly"
    return f" {run.candidate} answered {seen.requests:,} requests during the rollout, {bad}."


def _where(ending: Ending) -> str:
    run = ending.run
    if run.stage is None:
        return "its end"
    hidden = _hidden(ending)
    place = f"stage {run.at + 1 - hidden} of {len(run.stages) - hidden}"
    return f"{place}, {words.title(run.stage, run)}"


def _hidden(ending: Ending) -> int:
    """How many stages behind this one ``rollout plan`` does not count: a bootstrap that wrote nothing."""
    run = ending.run
    if not any(isinstance(stage.work, Bootstrap) for stage in run.stages[: run.at]):
        return 0
    wrote = any(isinstance(each.event, e.Intended) and _starts(each.state) for each in ending.story)
    return 0 if wrote else 1


def _starts(run: Run) -> bool:
    return run.stage is not None and isinstance(run.stage.work, Bootstrap)


# --- why ------------------------------------------------------------------------


def _why(ending: Ending, word: str) -> tuple[Row, ...]:
    run = ending.run
    cause, judgement = run.cause, run.judgement
    if cause is None:
        return ()
    mark = Piece("✖ ", Ink.BAD)
    if cause.why in _JUDGED and judgement is not None:
        return (
            row(mark, *_verdict(ending, judgement)),
            *_numbers(run, judgement),
            *_answers(ending),
        )
    where = f" in {_where(ending)}" if run.stages else ""
    said = _ORDERED.get(cause.why, word)
    head = row(mark, Piece(f"{run.id} {said}", Ink.STRONG), f"{where}: {cause.text}")
    wanted = cause.why in (
        Why.SMOKE_FAILED,
        Why.CREATE_FAILED,
        Why.CANDIDATE_FAILED,
        Why.BOOTSTRAP_FAILED,
    )
    return (head, *(_answers(ending) if wanted else ()))


def _verdict(ending: Ending, judgement: Judgement) -> tuple[Part, ...]:
    fell = {Verdict.FAIL: "failed", Verdict.INCONCLUSIVE: "was inconclusive"}
    gate = "the guard" if judgement.gate == "guard" else f"gate {judgement.gate}"
    how = fell.get(judgement.verdict, "failed")
    after = f" after {spell_duration(judgement.observed_seconds)}"
    return (Piece(f"{gate} {how}", Ink.STRONG), f" in {_where(ending)}{after}")


def _numbers(run: Run, judgement: Judgement) -> tuple[Row, ...]:
    failed = [each for each in judgement.checks if each.verdict is Verdict.FAIL]
    table = [
        (
            Piece("✖", Ink.BAD) if each in failed else " ",
            each.check,
            _arm(run.baseline, each, "baseline"),
            _arm(run.candidate, each, "candidate"),
            words.ratio(each),
            each.criteria,
        )
        for each in judgement.checks
    ]
    rows = list(columns(table, gap=2, indent=2))
    if judgement.verdict is not Verdict.FAIL:
        return (*rows, row("    ", judgement.reason))
    if not failed or _EARLIER in judgement.reason:
        rows.append(row("    ", judgement.reason))
    if judgement.bound:
        often = f"fewer than 1 of {judgement.bound:,.0f} rollouts, however often one looks."
        proof = f"    E = {words.number(judgement.evidence)} >= {judgement.bound:,.0f}: "
        rows.append(row(f"{proof}a healthy candidate looks this bad in {often}"))
    return tuple(rows)


def _arm(name: str, check: CheckJudgement, role: str) -> str:
    blue = role == "baseline"
    events = check.baseline_events if blue else check.candidate_events
    requests = check.baseline_requests if blue else check.candidate_requests
    held = check.baseline_value if blue else check.candidate_value
    if not requests:
        return "" if blue else f"{name} no data"
    if check.unit == "minutes":
        beyond = "" if blue else f" (too slow in {events:,} of {requests:,} minutes)"
        return f"{name} {words.value(check, held)}{beyond}"
    if check.unit == "seconds":
        return f"{name} {words.value(check, held)} ({events:,} of {requests:,} slow)"
    if check.unit != "share":
        value = "" if held is None else f"{words.value(check, held)} "
        return f"{name} {value}over {requests:,}"
    return f"{name} {events:,} of {requests:,} ({events / requests * 100:.2f} %)"


def _answers(ending: Ending) -> tuple[Row, ...]:
    """The first bad lines of the deployment's own log, each once."""
    judged = ending.run.cause is not None and ending.run.cause.why in _JUDGED
    found = bad_lines(ending.story, otherwise_last=not judged)
    if not found:
        return ()
    name = ending.run.candidate
    return (
        row(f"    First bad lines of {name}'s log:"),
        *(row("      ", Piece(each, Ink.BAD)) for each in found),
    )


def bad_lines(story: Sequence[Entry], *, otherwise_last: bool = True) -> tuple[str, ...]:
    """Lines of the collected logs that speak of an error, without repetitions.

    Args:
        story: The run's events.
        otherwise_last: Where none does, the last lines: what a deployment said before it died.
    """
    logs = next(iter(_logs(story)), "")
    lines = [line(each).strip() for each in logs.splitlines() if each.strip()]
    bad = [each for each in lines if _BAD_LINE.search(each) and not _NOISE.match(each)]
    chosen = list(dict.fromkeys(bad))[:SHOWN] or (lines[-SHOWN:] if otherwise_last else [])
    return tuple(each if len(each) <= WIDE else f"{each[: WIDE - 3]}..." for each in chosen)


def _logs(story: Sequence[Entry]) -> list[str]:
    """The logs that were collected, oldest first."""
    texts = [each.event.text for each in story if isinstance(each.event, e.LogsCollected)]
    return [each for each in texts if words.has_logs(each)]


# --- what was done about it ------------------------------------------------------


def _returned(ending: Ending) -> tuple[Row, ...]:
    run = ending.run
    if run.captured is None or run.phase in (Phase.ABORTED, Phase.REFUSED):
        return ()
    rows = [row(Piece("↶ ", Ink.WARN), Piece(f"rollback to {run.captured}", Ink.STRONG))]
    began = next((x.at for x in ending.story if x.state.phase is Phase.ROLLING_BACK), None)
    late = (each for each in ending.story if began is not None and each.at >= began)
    read_back = False
    for entry in late:
        event = entry.event
        if isinstance(event, e.LogsCollected | e.RollbackProbed) and not read_back:
            read_back = True
            after = words.lapse(entry.at - (began or entry.at))
            rows.append(_step(f"traffic {run.captured}: read back after {after}", ok=True))
        if isinstance(event, e.RollbackProbed):
            rows.append(_step(event.text, ok=event.ok))
        if isinstance(event, e.RollbackUnverified):
            rows.append(_step(event.text, ok=False))
    if run.phase is Phase.ROLLED_BACK:
        rows.append(_step(_kept(ending), ok=True))
    return tuple(rows)


def _step(text: str, *, ok: bool) -> Row:
    return row("  ", Piece("✔" if ok else "✖", Ink.GOOD if ok else Ink.BAD), f" {text}")


def _kept(ending: Ending) -> str:
    run = ending.run
    if not run.created:
        return f"{run.candidate} was never created"
    saved = ", its logs saved" if _logs(ending.story) else ""
    what = "deleted" if run.on_failure.candidate == "delete" else "kept at 0 %"
    return f"{run.candidate} {what}{saved}"


def _held(run: Run) -> Row:
    if drifted(run):  # the cause says what is there; what was expected is not
        return row("The endpoint stays as it was found.", _served(run))
    split = run.expected or run.captured
    return row(f"The endpoint stays as it is ({split or 'split not known'}).", _served(run))


def _sum(run: Run) -> Row:
    match run.phase:
        case Phase.ROLLED_BACK:
            spent = _spent((run.ended or run.since) - run.since)
            return row(Piece(f"Rolled back and verified in {spent}.", Ink.STRONG), _cost(run))
        case Phase.UNVERIFIED:
            text = "The rollback could NOT be verified. A person must look."
            return row(Piece(text, Ink.BAD), _cost(run))
        case Phase.ROLLING_BACK:
            return row("The rollback is not finished; its state is saved.", _cost(run))
        case Phase.REFUSED:
            return row("Nothing was touched.")
        case _:
            return row(f"The endpoint has {run.expected or run.captured or 'what it had'}.")


def _spent(seconds: float) -> str:
    return "under a second" if seconds < 1 else spell_duration(seconds)


def _cost(run: Run) -> str:
    seen = run.exposure
    unread = run.uncounted is not None  # of a time in which the candidate had live traffic
    if not seen.requests and unread:
        return f" How many clients were answered by {run.candidate} is not known."
    if not seen.requests:
        return f" No client was answered by {run.candidate}."
    more = " What it answered last is not known." if unread else ""
    plural = "requests were" if seen.requests != 1 else "request was"
    return (
        f" {seen.requests:,} {plural} answered by {run.candidate}, "
        f"{seen.errors:,} of them badly.{more}"
    )
