from __future__ import annotations

import json
from dataclasses import replace

from rollout.domain.run import Phase
from rollout.report.data import result_data, run_data, stage_state, whole_run_data
from rollout.runtime.begin import Course
from tests.unit.report.runs import rolled_back, running


def test_a_run_in_short() -> None:
    assert run_data(rolled_back()) == {
        "run": "r-7f3a",
        "endpoint": "churn",
        "plan": "churn-green",
        "outcome": "rolled_back",
        "code": 10,
        "phase": "rolled_back",
        "stage": None,
        "candidate": "green",
        "baseline": "blue",
        "candidate_percent": 0,
        "author": "ada",
        "labels": {},
        "started": "2027-01-15T08:00:00.000Z",
        "ended": "2027-01-15T08:59:35.000Z",
        "next_check_at": None,
        "waits_for": None,
        "late_calls": None,
        "exposure": {"requests": 376, "errors": 15},
        "cause": {
            "why": "gate_failed",
            "text": "gate canary: error_rate failed (E = 214 >= 100): beyond the tolerance of "
            "0.5pp.",
            "drift": None,
        },
    }


def test_an_open_run_has_not_ended() -> None:
    assert run_data(running())["ended"] is None
    assert run_data(running())["stage"] == "shift-10"


def test_stages_have_states() -> None:
    assert [stage_state(running(), at) for at in (0, 4, 5)] == ["passed", "running", "waiting"]
    held = running(phase=Phase.HELD)
    assert [stage_state(held, at) for at in (4, 5)] == ["held", "waiting"]
    assert [stage_state(rolled_back(), at) for at in (3, 4, 5)] == ["passed", "failed", "skipped"]


def test_the_whole_is_plain_data() -> None:
    data = whole_run_data(rolled_back())

    assert json.loads(json.dumps(data)) == data
    judgement = data["judgement"]
    assert isinstance(judgement, dict)
    assert judgement["checks"][0]["ratio_interval"] == [4.1, 27.0]
    assert judgement["checks"][0]["candidate"] == {"events": 15, "requests": 376, "value": 15 / 376}


def test_a_result_tells_the_word_and_code_of_the_command() -> None:
    run = replace(running(), phase=Phase.RUNNING)

    data = result_data(run, "interrupted", 130, Course.RESUME)

    assert (data["outcome"], data["code"], data["course"]) == ("interrupted", 130, "resume")
