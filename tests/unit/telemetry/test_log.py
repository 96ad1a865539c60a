from __future__ import annotations

import json

from rollout.domain import events as e
from rollout.domain.endpoint import SetSplit
from rollout.domain.run import Cause, Split, Why
from rollout.ports.observer import Alert, Appended, Waiting, Watched
from rollout.telemetry.log import Log
from tests.unit.report.runs import FAILED, RUNNING, START, running

RUN = running()
WHO = {"run": "r-7f3a", "plan": "churn-green", "endpoint": "churn"}


def logged(*notices: Appended | Waiting | Watched | Alert) -> list[dict[str, object]]:
    lines: list[str] = []
    log = Log(lines.append, json=True)
    for each in notices:
        log.saw(each)
    return [json.loads(each) for each in lines]


def test_an_event_is_a_constant_name_with_fields() -> None:
    effect = SetSplit({"blue": 90, "green": 10})

    (line,) = logged(Appended(e.Intended(effect, Split({"blue": 100})), RUN, START + 0.5))

    assert line == WHO | {
        "at": "2027-01-15T08:00:00.500Z",
        "level": "info",
        "event": "effect.intended",
        "effect": {"is": "SetSplit", "traffic": {"blue": 90, "green": 10}, "mirror": {}},
        "found": "blue 100",
    }


def test_a_verdict_has_its_numbers() -> None:
    event = e.Measured((), "c", {}, FAILED, requests=40, errors=5)

    (line,) = logged(Appended(event, RUN, START))

    assert line["event"] == "gate.judged"
    assert line["level"] == "error"
    assert (line["verdict"], line["evidence"], line["bound"]) == ("fail", 214.0, 100.0)
    assert (line["requests"], line["errors"]) == (40, 5)


def test_a_cause_is_a_word_and_a_sentence() -> None:
    (line,) = logged(Appended(e.RollbackBegan(Cause(Why.TIMEOUT, "too late")), RUN, START))

    assert (line["why"], line["text"], line["level"]) == ("timeout", "too late", "error")


def test_orders_name_the_person() -> None:
    (line,) = logged(Appended(e.AbortOrdered("ada", message="bug"), RUN, START))

    assert (line["event"], line["by"], line["message"]) == ("order.aborted", "ada", "bug")


def test_logs_themselves_stay_in_the_journal() -> None:
    (line,) = logged(Appended(e.LogsCollected("green", "secret\nlines"), RUN, START))

    assert line["lines"] == 2
    assert "secret" not in json.dumps(line)


def test_waits_are_told_once_and_looks_only_after_silence() -> None:
    waits = [Waiting(RUN, "approval", None, START + each) for each in range(3)]
    looks = [Watched(RUN, RUNNING, START + 3 + each * 100.0) for each in range(7)]

    told = [each["event"] for each in logged(*waits, *looks)]

    assert told == ["run.waiting", "gate.watched", "gate.watched"]


def test_an_alert_is_a_warning() -> None:
    (line,) = logged(Alert(RUN, "The endpoint cannot be read.", START))

    assert (line["event"], line["level"]) == ("run.alert", "warning")


def test_text_lines_are_pairs() -> None:
    lines: list[str] = []

    Log(lines.append, json=False).saw(Appended(e.StagePassed("shift-10", "gate: pass"), RUN, START))

    assert "".join(lines) == (
        "at=2027-01-15T08:00:00.000Z level=info event=stage.passed run=r-7f3a plan=churn-green "
        'endpoint=churn stage=shift-10 note="gate: pass"'
    )
