from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.domain.endpoint import SetSplit
from rollout.domain.plan import Approve, Stage
from rollout.domain.run import Approval, Cause, Phase, Split, Step, Why
from rollout.domain.verdict import Judgement, Verdict
from rollout.report import words
from rollout.report.rows import spell, text
from rollout.report.tree import View, header, tree
from tests.unit.report.runs import DONE, RUNNING, START, rolled_back, running

WATCHING = """\
churn-green · run r-7f3a · 1:16:30 · blue ██████████████████░░ 90 %  green ██ 10 %
├─ ✔ scale blue to 2                    9:04
├─ ✔ create green                      14:37   2 of 2 instances
├─ ✔ smoke green                        0:09   20 of 20, slowest 184ms
├─ ✔ mirror 10 %                       30:00   gate shadow: pass
├─ ◔ shift 10 %                        22:40   gate canary: running ██████░░░░ 56 %, verdict expected in ~17m
│  ├─ ◔ error_rate    blue 0.39 %   green 0.53 %   ratio 1.1 [0.4, 2.6]          evidence: rollback ▁   2 %   pass ▆  71 %
│  └─ ✔ latency_p95   blue 131 ms   green 138 ms   +5 %  ratio 1.05 [0.8, 1.3]   pass
├─ ○ approve
├─ ○ wait 10m
├─ ○ shift 100 %
└─ ○ delete blue"""

BACK = """\
churn-green · run r-7f3a · 59:35 · blue ████████████████████ 100 %
├─ ✔ scale blue to 2                    9:04
├─ ✔ create green                      14:37   2 of 2 instances
├─ ✔ smoke green                        0:09   20 of 20, slowest 184ms
├─ ✔ mirror 10 %                       30:00   gate shadow: pass
├─ ✖ shift 10 %                                gate canary: fail
│  ├─ ✖ error_rate    blue 0.39 %   green 3.99 %   ratio 10.3 [4.1, 27]          evidence: rollback █ 100 %   pass ▁   0 %
│  └─ ✔ latency_p95   blue 131 ms   green 138 ms   +5 %  ratio 1.05 [0.8, 1.3]   pass
├─ ○ approve
├─ ○ wait 10m
├─ ○ shift 100 %
├─ ○ delete blue
└─ ↶ rollback to blue 100, verified   1:03"""


def drawn(view: View) -> str:
    return text(tree(view))


def line_of(view: View, word: str) -> str:
    return next(each for each in drawn(view).splitlines() if word in each)


def test_a_watched_gate() -> None:
    assert drawn(View(running(), START + 4590)) == WATCHING


def test_a_verified_rollback() -> None:
    assert drawn(View(rolled_back(), START + 9999)) == BACK


def test_a_newer_judgement_outranks_the_journal() -> None:
    newer = replace(RUNNING, remaining_seconds=60.0)

    assert "verdict expected in ~1m" in drawn(View(running(), START + 4590, newer))


def test_the_evidence_has_a_trail() -> None:
    trail = {"error_rate": ((0.0, 0.1), (0.5, 0.5), (0.02, 0.71))}

    assert "rollback ▁▅▁   2 %   pass ▂▅▆  71 %" in drawn(
        View(running(), START + 4590, trails=trail)
    )


def test_an_approval_names_its_command() -> None:
    done = (*DONE, replace(DONE[-1], id="shift-10"))
    run = running(at=5, done=done, judgement=None)

    assert "Approve: rollout approve r-7f3a" in line_of(View(run, START + 5000), "approve")


def test_a_wait_has_a_progress_bar() -> None:
    done = (*DONE, DONE[-1], DONE[-1])
    run = running(at=6, done=done, judgement=None, since=START + 4000)

    assert "█████░░░░░ 50 % 5m left" in line_of(View(run, START + 4300), "wait 10m")


def test_a_stage_that_has_not_begun_says_when_it_will() -> None:
    run = running(at=8, done=(*DONE,) * 2, step=Step.ENTERING, cursor=None, since=START + 4000)

    assert "begins in 46m10s" in line_of(View(run, START + 4060), "delete")


def test_an_effect_under_way_is_named_with_its_attempts() -> None:
    effect = SetSplit({"blue": 90, "green": 10})
    run = running(step=Step.ENTERING, cursor=None, intent=effect, attempts=3)

    assert "set traffic blue 90 green 10, attempt 3" in line_of(
        View(run, START + 4000), "shift 10 %"
    )


def test_paused_and_held_runs_stand_still() -> None:
    paused = running(phase=Phase.PAUSED)
    cause = Cause(Why.DRIFT, "Expected blue 90; the endpoint has blue 100.")
    held = running(phase=Phase.HELD, cause=cause)

    assert "‖ shift 10 %" in line_of(View(paused, START + 4000), "shift 10 %")
    assert "rollout resume r-7f3a" in line_of(View(paused, START + 4000), "shift 10 %")
    assert "the endpoint has blue 100." in line_of(View(held, START + 4000), "shift 10 %")


def test_a_rollback_on_its_way_says_what_it_does() -> None:
    run = replace(rolled_back(), phase=Phase.ROLLING_BACK, ended=None, checked=False)
    back = replace(run, intent=SetSplit({"blue": 100}))

    assert "set traffic blue 100" in line_of(View(back, START + 3520), "↶")
    assert "testing again" in line_of(View(replace(back, tried=START), START + 3520), "↶")
    unverified = replace(back, phase=Phase.UNVERIFIED)
    assert "could NOT be verified" in line_of(View(unverified, START + 3520), "rollback to")


def test_an_undo_has_no_stages() -> None:
    run = replace(rolled_back(), phase=Phase.UNDONE, stages=(), at=0, done=())

    assert drawn(View(run, START)).splitlines()[1].startswith("└─ ↶ rollback to blue 100")


def test_a_mirror_and_an_unread_split_are_shown() -> None:
    mirrored = running(expected=Split({"blue": 100}, {"green": 10}))

    assert "100 %  mirror green 10 %" in drawn(View(mirrored, START)).splitlines()[0]
    unread = running(expected=None, captured=None)
    assert "split not read yet" in drawn(View(unread, START)).splitlines()[0]


def test_an_absolute_check_shows_what_it_allows() -> None:
    check = replace(
        RUNNING.checks[0],
        criteria="at most 3 %",
        baseline_requests=0,
        baseline_value=None,
        ratio=None,
        ratio_low=None,
        ratio_high=None,
    )
    word = Judgement("bake", Verdict.RUNNING, "", (check,))

    assert "error_rate   at most 3 %   green 0.53 %" in drawn(View(running(), START + 4590, word))


def test_latency_that_was_published_by_the_minute_is_shown_in_seconds() -> None:
    check = replace(RUNNING.checks[1], unit="minutes", ratio=None, ratio_low=None, ratio_high=None)
    word = Judgement("bake", Verdict.RUNNING, "", (check,))

    assert "blue 131 ms   green 138 ms   +5 %" in drawn(View(running(), START + 4590, word))


def test_foreign_text_in_a_run_is_harmless() -> None:
    cause = Cause(Why.SMOKE_FAILED, "\x1b[2J##vso[task.complete]\n::error::x")
    made = drawn(View(running(phase=Phase.HELD, cause=cause), START + 4000, alert="\x1b[31m!"))

    assert "\x1b" not in made
    assert "##vso[" not in made
    assert not any(each.startswith("::") for each in made.splitlines())


def test_a_drifted_run_shows_what_was_expected_as_such() -> None:
    cause = Cause(Why.DRIFT, "Expected blue 90 green 10; the endpoint has blue 50 green 50.")

    head = drawn(View(running(phase=Phase.HELD, cause=cause), START + 4590)).splitlines()[0]

    assert head.endswith("· expected: blue ██████████████████░░ 90 %  green ██ 10 %")


def test_a_rollback_that_was_read_back_shows_its_own_split() -> None:
    run = replace(rolled_back(), phase=Phase.ROLLING_BACK, ended=None, checked=False)
    run = replace(run, intended=START + 5.0, expected=Split({"blue": 50, "green": 50}))
    probed = replace(run, tried=START + 9.0)
    written_again = replace(probed, intended=START + 12.0)

    shown = [header(View(each, START + 20.0)) for each in (run, probed, written_again)]

    assert ["50 %" in spell(each) for each in shown] == [True, False, True]


@pytest.mark.parametrize(
    ("count", "now", "told"),
    [
        (2, START + 50.0, "waiting for 1 of 2 approvals: eve by kim within 10s."),
        (2, START + 60.0, f"expired at {words.moment(START + 60.0)}; the next look rolls back"),
        (1, START + 60.0, "approved by eve; goes on with the next runner"),
    ],
    ids=["open", "expired", "complete"],
)
def test_an_approval_says_who_is_missing_and_until_when(count: int, now: float, told: str) -> None:
    work = Approve(by=("eve", "kim"), expires=60.0, count=count)
    run = replace(
        running(),
        stages=(Stage("ok", work),),
        at=0,
        done=(),
        since=START,
        approvals=(Approval("ok", "eve", START + 5.0),),
    )

    shown = text(tree(View(run, now)))

    assert told in shown
    assert ("rollout approve" in shown) == ("waiting" in told)
