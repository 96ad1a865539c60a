"""A whole run on a page: stages, verdicts, orders, cause, plan."""

from __future__ import annotations

from collections.abc import Sequence
from types import UnionType

from rollout.domain import events as e
from rollout.domain.outcome import outcome
from rollout.domain.run import Run
from rollout.domain.verdict import Judgement, Verdict
from rollout.report import lines, words
from rollout.report.again import PLAIN, Again
from rollout.report.ending import Ending, explain
from rollout.report.history import outcome_ink
from rollout.report.onward import next_command
from rollout.report.plain import event_row
from rollout.report.rows import Ink, Part, Piece, Row, columns, row
from rollout.report.sanitise import line
from rollout.report.tree import View, drifted, tree
from rollout.runtime.journal import Entry


def gates(story: Sequence[Entry]) -> tuple[tuple[str, Judgement], ...]:
    """The last verdict of each visit to a stage with a gate or a guard: stage id, judgement."""
    found: list[tuple[str, Judgement]] = []
    fresh = True
    for entry in story:
        if isinstance(entry.event, e.ObservationBegan):
            fresh = True
        if not isinstance(entry.event, e.Measured):
            continue
        stage = entry.state.stage
        made = (stage.id if stage else "", entry.event.judgement)
        if fresh or not found:
            found.append(made)
        else:
            found[-1] = made
        fresh = False
    return tuple(found)


def unwatched_data(story: Sequence[Entry]) -> list[dict[str, object]]:
    """What of a run is not known and never will be, while nobody watched."""
    gaps = [each.event for each in story if isinstance(each.event, e.Unwatched)]
    return [
        {"start": words.instant(each.start), "end": words.instant(each.end), "what": each.what}
        for each in gaps
    ]


def show_rows(
    ending: Ending, source: str, now: float, again: Again = PLAIN, *, driven: bool = False
) -> tuple[Row, ...]:
    """The page.

    Args:
        ending: The run with its story.
        source: The plan as text; empty: not known.
        now: Unix seconds.
        again: What the commands repeat.
        driven: Whether a living runner has it in hand.
    """
    run = ending.run
    rows: list[Row] = [*_facts(run), (), *tree(View(run, now, again=again)), ()]
    rows += [*explain(ending), ()]
    for stage, judgement in gates(ending.story):
        ink = {Verdict.PASS: Ink.GOOD, Verdict.FAIL: Ink.BAD}.get(judgement.verdict, Ink.WARN)
        rows.append(row(f"{stage}  ", Piece(lines.judged(judgement), ink)))
    rows += _chapter("Orders", e.Order, ending)
    rows += _chapter("Not watched", e.Unwatched, ending)
    if source:
        rows += [(), row(Piece("Plan", Ink.STRONG)), *(row(each) for each in source.splitlines())]
    return (*rows, (), row(next_command(run, again, driven=driven)))


def _chapter(title: str, kind: type[e.Unwatched] | UnionType, ending: Ending) -> tuple[Row, ...]:
    """The events of one kind under a title; nothing where there are none."""
    found = [each for each in ending.story if isinstance(each.event, kind)]
    rows = (
        event_row(each.at, ending.run.id, lines.sentence(each.event, each.state)) for each in found
    )
    return ((), row(Piece(title, Ink.STRONG)), *rows) if found else ()


def _facts(run: Run) -> tuple[Row, ...]:
    word = outcome(run)
    table: list[tuple[str, Part]] = [
        ("run", Piece(run.id, Ink.STRONG)),
        ("outcome", Piece(word, outcome_ink(word))),
        ("endpoint", run.endpoint),
        ("plan", f"{run.plan}   sha256 {run.digest[:12]}"),
        ("by", run.author),
        ("started", words.moment(run.started)),
        ("ended", words.moment(run.ended) if run.ended is not None else "-"),
        ("found", str(run.captured or "-")),
        ("expected" if drifted(run) else "now", str(run.expected or "-")),
        (
            "exposure",
            f"{run.candidate} answered {run.exposure.requests:,}, {run.exposure.errors:,} badly",
        ),
    ]
    if run.labels:
        labels = ", ".join(f"{name}: {text}" for name, text in run.labels.items())
        table.append(("labels", line(labels)))
    if run.deadline is not None:
        table.append(("deadline", words.moment(run.deadline)))
    return columns(table, gap=3)
