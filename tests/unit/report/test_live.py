from __future__ import annotations

import io
import re
from dataclasses import replace

from rollout.domain import events as e
from rollout.ports.observer import Alert, Appended, Waiting, Watched
from rollout.report.live import LiveTree
from rollout.report.rows import text
from tests.unit.report.runs import ERRORS, LATENCY, RUNNING, START, running


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Ticks:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def tree_on(stream: io.StringIO, ticks: Ticks, *, color: bool = True) -> LiveTree:
    return LiveTree(stream, ticks, "Ctrl-C leaves it.", color=color, width=140)


def test_the_tree_is_redrawn_in_place_and_left_standing() -> None:
    terminal, ticks = Terminal(), Ticks()

    with tree_on(terminal, ticks) as live:
        live.saw(Appended(e.ObservationBegan("c"), running(), START + 4590))
        live._live.refresh()
        live._live.refresh()

    made = terminal.getvalue()
    assert "\x1b[1A" in made
    assert "\x1b[32m✔" in made
    last = made.rsplit("\x1b[2K", 1)[1]
    assert "delete blue" in last
    assert "Ctrl-C" not in last


def test_without_colours_nothing_is_coloured() -> None:
    terminal = Terminal()

    with tree_on(terminal, Ticks(), color=False) as live:
        live.saw(Appended(e.ObservationBegan("c"), running(), START))

    assert not re.search(r"\x1b\[3\dm", terminal.getvalue())


def test_a_stranger_cannot_move_the_cursor() -> None:
    terminal = Terminal()

    with tree_on(terminal, Ticks()) as live:
        live.saw(Appended(e.ObservationBegan("c"), running(), START))
        live.saw(Alert(running(), "\x1b[2J\x1b]0;owned\x07##vso[x]", START))

    assert "\x1b[2J" not in terminal.getvalue()
    assert "\x1b]0;" not in terminal.getvalue()


def test_time_goes_on_between_two_notices() -> None:
    ticks = Ticks()
    live = tree_on(io.StringIO(), ticks)
    live.saw(Watched(running(), RUNNING, START + 60))
    ticks.now = 5.0

    assert "· 1:05 ·" in text(live.rows())
    assert text(live.rows()).endswith("Ctrl-C leaves it.")


def test_looks_make_a_trail_that_a_new_stage_forgets() -> None:
    live = tree_on(io.StringIO(), Ticks())
    for share in (0.0, 0.5, 1.0):
        check = replace(ERRORS, toward_rollback=share)
        live.saw(Watched(running(), replace(RUNNING, checks=(check, LATENCY)), START))
    live.saw(Waiting(running(), "timer", None, START))

    assert "rollback ▁▅█ 100 %" in text(live.rows())
    live.saw(Appended(e.StagePassed("shift-10"), running(at=5, judgement=None), START))
    assert "▁▅█" not in text(live.rows())


def test_an_alert_stays_until_something_happens() -> None:
    live = tree_on(io.StringIO(), Ticks())
    live.saw(Alert(running(), "The endpoint cannot be read.", START))

    assert "! The endpoint cannot be read." in text(live.rows())
    live.saw(Appended(e.ObservationBegan("c"), running(), START))
    assert "cannot be read" not in text(live.rows())


def test_before_the_first_notice_there_is_only_the_footer() -> None:
    assert text(tree_on(io.StringIO(), Ticks()).rows()) == "Ctrl-C leaves it."
