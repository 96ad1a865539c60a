from __future__ import annotations

from dataclasses import replace

from rollout.domain.run import Cause, Phase, Why
from rollout.report import ci
from rollout.report.rows import row
from tests.unit.report.runs import rolled_back

EVIL = Cause(Why.SMOKE_FAILED, "100 %\n::error::x ##vso[task.complete]\r\n|<b>")


def test_github_outputs_are_one_line_each() -> None:
    run = replace(rolled_back(), id="r-1\nevil=1")

    assert ci.github_outputs(run, "rolled_back").splitlines() == [
        "outcome=rolled_back",
        "run_id=r-1 evil=1",
        "stage=shift-10",
        "candidate_percent=0",
        "next_check_at=",
    ]


def test_a_run_that_came_to_its_end_ended_in_no_stage() -> None:
    run = replace(rolled_back(), phase=Phase.COMPLETED, at=len(rolled_back().stages), cause=None)

    assert "stage=\n" in ci.github_outputs(run, "completed")


def test_a_failed_run_is_an_error_and_a_held_one_a_warning() -> None:
    run = rolled_back()

    assert ci.github_annotations(run, "completed", 0) == []
    assert ci.github_annotations(run, "rolled_back", 10)[0].startswith("::error title=rollout ")
    assert ci.github_annotations(run, "held", 13)[0].startswith("::warning ")
    assert "task.complete result=SucceededWithIssues" in ci.azure_commands(run, "held", 13)[-1]
    assert len(ci.azure_commands(run, "completed", 0)) == 5


def test_a_models_words_give_no_command() -> None:
    run = replace(rolled_back(), cause=EVIL, phase=Phase.ROLLED_BACK)

    (github,) = ci.github_annotations(run, "rolled_back", 10)
    issue = ci.azure_commands(run, "rolled_back", 10)[-1]
    page = ci.summary(run, "rolled_back", [row(EVIL.text)])

    assert github.startswith("::error title=rollout r-7f3a::churn-green on churn: ")
    assert "\n" not in github
    assert issue.count("##vso[") == 1
    assert "\n" not in issue
    assert "##vso[" not in page
    assert "<b>" not in page.split("| stage |")[1]


def test_the_summary_has_a_row_for_each_stage() -> None:
    page = ci.summary(rolled_back(), "rolled_back", [row("why")])

    assert page.startswith("### Rollout churn-green on churn: rolled back\n\n    why\n\n")
    assert page.count("\n|") == 2 + 9
    assert "| mirror 10 % | 30:00 | gate shadow: pass |" in page
