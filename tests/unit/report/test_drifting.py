"""What was changed by hand, as lines of a diff; and what a run waits for, told once."""

from __future__ import annotations

from dataclasses import replace

from rollout.domain import events as e
from rollout.domain.plan import Approve, Stage, Window
from rollout.domain.run import Cause, Drift, Phase, Split, Step, Why
from rollout.ports.observer import Appended, Watched
from rollout.report.drifting import drift_rows
from rollout.report.plain import Lines
from rollout.report.rows import Ink, spell
from rollout.report.tree import View, tree
from tests.unit.report.runs import RUNNING, START, running

WHOLE = Drift(
    Split({"blue": 90, "green": 10}),
    Split({"blue": 50, "green": 50}, {"red": 5}),
    ("old",),
    ("green",),
)


def told(*notices) -> list[str]:
    lines: list[str] = []
    observer = Lines(lambda made: lines.append(spell(made)))
    for each in notices:
        observer.saw(each)
    return lines


def test_a_difference_is_told_line_by_line() -> None:
    rows = drift_rows(WHOLE, "")

    assert [spell(each) for each in rows] == [
        "- blue 90 green 10",
        "+ blue 50 green 50, mirror red 5",
        "- old (deployment)",
        "~ green (another specification)",
    ]
    assert [each[-1].ink for each in rows] == [Ink.BAD, Ink.GOOD, Ink.BAD, Ink.WARN]
    assert drift_rows(None) == ()


def test_a_log_has_the_difference_behind_the_line_that_holds_the_run() -> None:
    cause = Cause(Why.DRIFT, "Expected this; the endpoint has that.", WHOLE)
    run = running(phase=Phase.HELD, cause=cause)

    lines = told(Appended(e.Held(cause), run, START))

    assert [each.split(" ", 2)[2] for each in lines] == [
        "held: Expected this; the endpoint has that.",
        "- blue 90 green 10",
        "+ blue 50 green 50, mirror red 5",
        "- old (deployment)",
        "~ green (another specification)",
    ]


def asking(**changes: object):
    stages = (Stage("ok", Approve(by=("eve", "kim"), count=2, expires=3600.0)),)
    return running(stages=stages, at=0, done=(), step=Step.OBSERVING, since=START, **changes)


def test_a_guarded_wait_for_people_is_told_once() -> None:
    looks = [Watched(asking(), RUNNING, START + at) for at in range(3)]

    (line,) = told(*looks)

    assert "stage ok waits for an approval (0 of 2 approvals) by eve or kim." in line


def test_a_guarded_wait_for_a_window_is_told_once() -> None:
    run = running(step=Step.ENTERING, windows=(Window("Sat"),), cursor="here")

    (line,) = told(*(Watched(run, RUNNING, run.began + at) for at in range(3)))

    assert line.endswith("waits for its window; the window opens at 2027-01-16T00:00:00Z")


def test_the_tree_says_how_far_an_approval_is_and_how_often_runners_died() -> None:
    run = replace(asking(), crashes=3)

    text = "\n".join(spell(each) for each in tree(View(run, START + 60)))

    assert "waiting for 0 of 2 approvals by eve or kim within 59m." in text
    assert "! 3 runners in a row died here" in text
