"""A run as a tree of its stages: redrawn while it runs, printed once by ``status``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rollout.domain import approvals, windows
from rollout.domain.plan import Approve, Create, Scale, Stage, Wait
from rollout.domain.run import Phase, Run, Split, Step, Why
from rollout.domain.units import spell_duration
from rollout.domain.verdict import CheckJudgement, Judgement, Verdict
from rollout.report import words
from rollout.report.again import PLAIN, Again
from rollout.report.rows import Ink, Part, Piece, Row, row

DONE, NOW, NEXT, BAD, BACK, STILL = "✔", "◔", "○", "✖", "↶", "‖"
WIDE = 30  # columns of a title before the times are moved to the right

_JUDGED = (Why.GATE_FAILED, Why.INCONCLUSIVE)
Trail = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class View:
    """What is drawn.

    Args:
        run: The run.
        now: Unix seconds.
        judgement: What the gate said last, newer than the run's own; None: the run's.
        alert: What is wrong right now.
        trails: Check -> evidence so far, toward rollback and toward pass.
        again: What the commands repeat.
    """

    run: Run
    now: float
    judgement: Judgement | None = None
    alert: str = ""
    trails: Mapping[str, Trail] = field(default_factory=dict)
    again: Again = PLAIN

    @property
    def word(self) -> Judgement | None:
        """The newest judgement."""
        return self.judgement or self.run.judgement


def tree(view: View) -> tuple[Row, ...]:
    """Header, a line for each stage, the present gate's checks, a rollback if there is one."""
    rows = [header(view)]
    run = view.run
    width = max([WIDE, *(len(words.title(stage, run)) for stage in run.stages)])
    backward = _rollback(view)
    for at, stage in enumerate(run.stages):
        last = at == len(run.stages) - 1 and not backward
        rows.append(_stage(view, at, stage, width, last=last))
        if at == run.at:
            rows += _beneath(view, "   " if last else "│  ")
    return (*rows, *backward)


# --- the header ---------------------------------------------------------------


def header(view: View) -> Row:
    """Plan, run, age, and who has how much of the traffic."""
    run = view.run
    spent = words.lapse((run.ended or view.now) - run.started)
    parts: list[Part] = [Piece(run.plan, Ink.STRONG), f" · run {run.id} · {spent} · "]
    split = run.split or run.captured
    if drifted(run):
        parts.append("expected: ")
    return row(*parts, *(shares(split, run) if split else ("split not read yet",)))


def drifted(run: Run) -> bool:
    """Whether the endpoint is not as the run left it: the split last read back is not the present."""
    return run.phase is Phase.HELD and run.cause is not None and run.cause.why is Why.DRIFT


def shares(split: Split, run: Run) -> tuple[Part, ...]:
    """A split as bars, the baseline first."""
    parts: list[Part] = []
    names = sorted(split.traffic, key=lambda name: (name != run.baseline, name))
    for at, name in enumerate(names):
        share = split.traffic[name]
        drawn = words.bar(share / 100, whole=at == 0)
        parts += ["  " if at else "", f"{name} ", Piece(drawn, _arm(name, run)), f" {share} %"]
    for name, share in sorted(split.mirror.items()):
        parts.append(f"  mirror {name} {share} %")
    return tuple(parts) or ("nobody has traffic",)


def _arm(name: str, run: Run) -> Ink:
    return Ink.ACTIVE if name == run.baseline else Ink.GOOD


# --- a stage ------------------------------------------------------------------


def _stage(view: View, at: int, stage: Stage, width: int, *, last: bool) -> Row:
    run = view.run
    branch = "└─ " if last else "├─ "
    mark, ink = _mark(run, at)
    parts: list[Part] = [branch, Piece(mark, ink), " "]
    name = words.title(stage, run)
    spent, note = _spent(view, at), _note(view, at, stage)
    if not spent and not note:
        return row(*parts, Piece(name, Ink.DIM))
    return row(*parts, name.ljust(width), f"{spent:>9}", f"   {note}" if note else "")


def _mark(run: Run, at: int) -> tuple[str, Ink]:
    if at < run.at:
        return DONE, Ink.GOOD
    if at > run.at or run.phase is Phase.COMPLETED:
        return NEXT, Ink.DIM
    match run.phase:
        case Phase.RUNNING:
            return NOW, Ink.ACTIVE
        case Phase.PAUSED:
            return STILL, Ink.WARN
        case Phase.HELD if run.cause and run.cause.why is Why.INCONCLUSIVE:
            return STILL, Ink.WARN
        case _:
            return BAD, Ink.BAD


def _spent(view: View, at: int) -> str:
    run = view.run
    if at < len(run.done):
        done = run.done[at]
        return words.lapse(done.ended - done.began)
    if at == run.at and run.phase in (Phase.RUNNING, Phase.PAUSED, Phase.HELD):
        return words.lapse(view.now - began(run))
    return ""


def began(run: Run) -> float:
    """When the present stage began, Unix seconds."""
    return run.done[-1].ended if run.done else run.started


def _note(view: View, at: int, stage: Stage) -> str:
    run = view.run
    if at < len(run.done):
        return run.done[at].note
    if at != run.at:
        return ""
    if run.phase is Phase.PAUSED:
        return view.again.completed(f"paused. Go on: rollout resume {run.id}")
    if run.phase is not Phase.RUNNING:
        return _ended(run)
    if run.step is Step.ENTERING:
        return _entering(view, stage)
    return _observing(view, stage)


def _ended(run: Run) -> str:
    """Why it stopped here; a gate's numbers follow in the lines beneath."""
    if run.cause is None:
        return ""
    word = run.judgement
    if word is not None and run.cause.why in _JUDGED:
        return f"{_named(word)}: {word.verdict.value}"
    return run.cause.text


def _named(word: Judgement) -> str:
    return "guard" if word.gate == "guard" else f"gate {word.gate}"


def _entering(view: View, stage: Stage) -> str:
    run = view.run
    begins = run.began + stage.after
    if view.now < begins:
        return f"begins in {spell_duration(begins - view.now)}"
    opens = windows.waited_for(run, view.now)
    if opens is not None:
        wait = spell_duration(opens - view.now)
        return f"window opens at {words.moment(opens)}, in {wait}"
    if run.intent is None:
        return ""
    text = "provisioning" if isinstance(stage.work, Create | Scale) else words.order(run.intent)
    return text if run.attempts <= 1 else f"{text}, attempt {run.attempts}"


def _observing(view: View, stage: Stage) -> str:
    run, word = view.run, view.word
    if isinstance(stage.work, Approve):
        return _approving(view, stage, stage.work)
    if isinstance(stage.work, Wait) and view.now < run.since + stage.work.seconds:
        spent = view.now - run.since
        left = spell_duration(stage.work.seconds - spent)
        return f"{_progress(spent / stage.work.seconds)} {left} left"
    if stage.gate is None:
        return ""
    return _gate(stage.gate, word)


def _approving(view: View, stage: Stage, work: Approve) -> str:
    run = view.run
    limit, said = approvals.until(run, work), approvals.given(run, stage, work)
    if len(said) >= work.count:
        passed = stage.gate is None or (view.word and view.word.verdict is Verdict.PASS)
        on = "goes on with the next runner" if passed else _gate(stage.gate or "", view.word)
        return f"approved by {approvals.names(said)}; {on}"
    if limit is not None and approvals.expired(run, work, view.now):
        end = "holds it" if run.on_failure.action == "hold" else "rolls back"
        return f"expired at {words.moment(limit)}; the next look {end}"
    left = "" if limit is None else f" within {spell_duration(max(0.0, limit - view.now))}"
    whom = "a person" if work.count == 1 else approvals.standing(run, stage, work)
    by = f" by {approvals.who_may(run, work)}" if work.by else ""
    give = view.again.completed(f"Approve: rollout approve {run.id}")
    return f"waiting for {whom}{by}{left}. {give}"


def _gate(name: str, word: Judgement | None) -> str:
    if word is None:
        return f"gate {name}: waiting for the first answers"
    text = f"gate {name}: {word.verdict.value}"
    if word.verdict is not Verdict.RUNNING or word.remaining_seconds is None:
        return text
    if word.remaining_seconds <= 0:
        return f"{text}, verdict due"
    whole = word.observed_seconds + word.remaining_seconds
    drawn = _progress(word.observed_seconds / whole)
    return f"{text} {drawn}, verdict expected in ~{spell_duration(word.remaining_seconds)}"


def _progress(share: float) -> str:
    return f"{words.bar(share, cells=10)} {words.percent(min(1.0, max(0.0, share)))}"


# --- beneath the present stage ---------------------------------------------------


def _beneath(view: View, trunk: str) -> list[Row]:
    run, word = view.run, view.word
    rows: list[Row] = []
    if view.alert:
        rows.append(row(trunk, Piece(f"! {view.alert}", Ink.WARN)))
    if run.crashes > 1 and not run.final:
        text = f"! {run.crashes} runners in a row died here"
        rows.append(row(trunk, Piece(text, Ink.WARN)))
    if word is None or not _telling(run):
        return rows
    checks = check_rows(word.checks, run, view.trails)
    for at, made in enumerate(checks):
        branch = "└─ " if at == len(checks) - 1 else "├─ "
        rows.append((Piece(trunk + branch), *made))
    return rows


def _telling(run: Run) -> bool:
    if run.phase in (Phase.RUNNING, Phase.PAUSED):
        return run.cursor is not None
    return run.cause is not None and run.cause.why in _JUDGED


def check_rows(
    checks: Sequence[CheckJudgement], run: Run, trails: Mapping[str, Trail] | None = None
) -> tuple[Row, ...]:
    """A line for each check: both arms, the ratio with its interval, the evidence."""
    table = [_check(each, run, (trails or {}).get(each.check, ())) for each in checks]
    widths = [max(len(cells[at].text) for cells in table) for at in range(2, 6)] if table else []
    return tuple(_laid(cells, widths) for cells in table)


def _check(check: CheckJudgement, run: Run, trail: Trail) -> Row:
    mark, ink = {
        Verdict.PASS: (DONE, Ink.GOOD),
        Verdict.FAIL: (BAD, Ink.BAD),
        Verdict.RUNNING: (NOW, Ink.ACTIVE),
    }.get(check.verdict, (STILL, Ink.WARN))
    blue = "" if not check.baseline_requests else words.value(check, check.baseline_value)
    green = words.value(check, check.candidate_value)
    return row(
        Piece(mark, ink),
        " ",
        check.check,
        f"{run.baseline} {blue}" if blue else check.criteria,
        f"{run.candidate} {green}",
        _compared(check),
        *_evidence(check, trail),
    )


def _compared(check: CheckJudgement) -> str:
    ratio = words.ratio(check)
    if (
        check.unit not in ("seconds", "minutes", "mean")
        or not check.baseline_value
        or check.candidate_value is None
    ):
        return ratio
    more = (check.candidate_value / check.baseline_value - 1) * 100
    return f"{more:+.0f} %  {ratio}".rstrip()


def _evidence(check: CheckJudgement, trail: Trail) -> tuple[Part, ...]:
    if check.verdict is Verdict.PASS:
        return (Piece("pass", Ink.GOOD),)
    past = [*trail, (check.toward_rollback, check.toward_pass)] if not trail else list(trail)
    against = words.sparks([each[0] for each in past])
    favour = words.sparks([each[1] for each in past])
    return (
        "evidence: rollback ",
        Piece(against, Ink.BAD),
        f" {words.percent(check.toward_rollback):>5}",
        "   pass ",
        Piece(favour, Ink.GOOD),
        f" {words.percent(check.toward_pass):>5}",
    )


def _laid(cells: Row, widths: Sequence[int]) -> Row:
    made = list(cells[:2])
    for cell, width in zip(cells[2:6], widths, strict=True):
        made += [Piece(cell.text.ljust(width), cell.ink), Piece("   " if width else "")]
    return (*made, *cells[6:])


# --- back -----------------------------------------------------------------------


def _rollback(view: View) -> tuple[Row, ...]:
    run = view.run
    goal = f"rollback to {run.captured}" if run.captured else "rollback"
    match run.phase:
        case Phase.ROLLING_BACK:
            spent = words.lapse(view.now - run.since)
            return (row("└─ ", Piece(BACK, Ink.WARN), f" {goal}   {spent}   {_returning(run)}"),)
        case Phase.UNVERIFIED:
            return (row("└─ ", Piece(BAD, Ink.BAD), f" {goal} could NOT be verified"),)
        case Phase.ROLLED_BACK | Phase.UNDONE:
            spent = words.lapse((run.ended or view.now) - run.since)
            return (row("└─ ", Piece(BACK, Ink.GOOD), f" {goal}, verified   {spent}"),)
        case _:
            return ()


def _returning(run: Run) -> str:
    if run.checked:
        return "verified, tidying up"
    if run.tried:
        return "not verified yet, testing again"
    return words.order(run.intent) if run.intent else ""
