from __future__ import annotations

from typing import get_args

import pytest

from rollout.domain import events as e
from rollout.domain.answers import Difference, Example
from rollout.domain.endpoint import (
    CreateEndpoint,
    DeleteDeployment,
    PutDeployment,
    ScaleDeployment,
    SetSplit,
)
from rollout.domain.run import Cause, Split, Why
from rollout.report import lines
from rollout.telemetry.names import NAMES
from tests.unit.report.runs import FAILED, RUNNING, running

SPLIT = Split({"blue": 90, "green": 10}, {})
CAUSE = Cause(Why.GATE_FAILED, "too many errors")
TOLD: list[tuple[e.Event, str]] = [
    (e.RunStarted(running(), "{}"), "ada started churn-green on churn: 9 stages"),
    (e.RunStarted(running(stages=()), "{}"), "ada takes churn back to blue 100"),
    (e.OwnerTook(3, "ada@desk pid 7"), "ada@desk pid 7 drives the run from here on"),
    (
        e.OwnerTook(3, "eve", contested=True, unlocked=True),
        "eve took the endpoint from its runner (rollout force-unlock)",
    ),
    (e.SplitCaptured(SPLIT), "a rollback would restore blue 90 green 10"),
    (e.Intended(CreateEndpoint(), SPLIT), "begin: create the endpoint"),
    (e.Intended(PutDeployment("candidate", "green"), SPLIT), "begin: create green"),
    (e.Intended(ScaleDeployment("blue", 2), SPLIT), "begin: scale blue to 2"),
    (e.Intended(SetSplit({"blue": 100}), SPLIT), "begin: set traffic blue 100"),
    (e.Intended(DeleteDeployment("blue"), SPLIT), "begin: delete blue"),
    (e.EffectFailed(DeleteDeployment("b"), "no", True), "delete b was refused: no"),
    (
        e.EffectFailed(DeleteDeployment("b"), "x", False),
        "delete b failed and will be tried again: x",
    ),
    (e.SetPointReached("s", SPLIT), "stage s: read back blue 90 green 10"),
    (
        e.PreflightChecked(True, ("quota: ok", "login: ok")),
        "pre-checks passed: quota: ok; login: ok",
    ),
    (e.PreflightChecked(False, ("quota: no",)), "pre-checks failed: quota: no"),
    (e.SmokeTested(True, "3 of 3"), "smoke test passed: 3 of 3"),
    (e.SmokeTested(False, "status 500"), "smoke test failed: status 500"),
    (e.ObservationBegan("c"), "observing stage shift-10"),
    (e.ExposureCounted(28, 2), "counted 28 more answers of green to clients, 2 of them bad"),
    (e.StagePassed("s"), "stage s passed"),
    (e.StagePassed("s", "gate g: pass"), "stage s passed: gate g: pass"),
    (e.Held(CAUSE), "held: too many errors"),
    (e.RollbackBegan(CAUSE), "rollback to blue 100: too many errors"),
    (e.RollbackProbed(True, "10 of 10"), "rollback verified: 10 of 10"),
    (e.RollbackProbed(False, "0 of 10"), "rollback not verified yet: 0 of 10"),
    (e.RollbackUnverified("too late"), "rollback NOT verified: too late"),
    (e.LogsCollected("green", "a\nb"), "kept the logs of green (2 lines)"),
    (e.LogsCollected("green", "(no logs: There is none. Look.)"), "no logs of green to keep"),
    (
        e.AnswersDiffered("mirror-10", (Example(Difference("$[*]", "type", "1", "'1'"), "", ""),)),
        "answers differ: $[*] (type): 1 by the baseline, '1' by the candidate",
    ),
    (e.Pruned(7, "d"), "what was written before entry 7 was forgotten"),
    (e.RolledBack(), "rolled back to blue 100, verified"),
    (
        e.LooseCallFound(DeleteDeployment("blue")),
        "an earlier runner may still send: delete blue",
    ),
    (
        e.LateCallLanded(SetSplit({"blue": 90, "green": 10}), Split({"blue": 90, "green": 10})),
        (
            "a late call of an earlier runner landed: set traffic blue 90 green 10; "
            "found blue 90 green 10"
        ),
    ),
    (e.Audited(True, "nothing"), "late calls looked for: nothing"),
    (e.Audited(False, "no way"), "NOT put right: no way"),
    (e.Ended(), "completed"),
    (e.Ended(CAUSE), "ended: too many errors"),
    (e.Approved("ok", "d", "ada", 0.0, "fine"), "ada approved ok: fine"),
    (e.Rejected("ada"), "ada rejected it"),
    (e.PauseOrdered("ada"), "ada paused the run"),
    (e.ResumeOrdered("ada", adopt=True), "ada resumed the run with the split as it is"),
    (e.AbortOrdered("ada", keep_traffic=True), "ada aborted the run and keeps the split"),
    (e.RetryOrdered("ada", "now"), "ada lets the stage be tried again: now"),
    (e.Superseded("ada", "id", "typo"), "ada put an edited plan in its place: typo"),
    (e.LeaveBegan(5), "nobody will guard it for a while: green keeps 5 % at most"),
    (
        e.ShareLowered(Split({"blue": 95, "green": 5})),
        "read back blue 95 green 5, to be left alone with",
    ),
    (
        e.ShareRestored(Split({"blue": 50, "green": 50})),
        "read back blue 50 green 50, as before the last runner left",
    ),
    (
        e.Unwatched(0.0, 60.0, "the log was removed"),
        "not known from 1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z: the log was removed",
    ),
    (e.Left(0.0, ""), "left: interrupted; the next one may go on at once"),
    (
        e.Left(0.0, "timer"),
        "left, waiting for timer; to be looked at again at 1970-01-01T00:00:00Z",
    ),
]


@pytest.mark.parametrize(
    ("event", "told"), TOLD, ids=lambda each: each if isinstance(each, str) else ""
)
def test_every_event_is_a_sentence(event: e.Event, told: str) -> None:
    assert lines.sentence(event, running()) == told


def test_no_event_is_without_sentence_and_name() -> None:
    every = set(get_args(e.Event))

    assert every - {type(event) for event, _ in TOLD} == {e.Measured}
    assert set(NAMES) == every
    assert len(set(NAMES.values())) == len(NAMES)


def test_an_open_gate_tells_each_check_and_a_closed_one_its_reason() -> None:
    assert lines.judged(RUNNING) == (
        "gate canary: running · error_rate baseline 0.39 %, candidate 0.53 % (pass 71 %, rollback "
        "2 %) · latency_p95 baseline 131 ms, candidate 138 ms (pass 100 %, rollback 0 %) · verdict "
        "in about 17m"
    )
    assert lines.judged(FAILED) == f"gate canary: fail. {FAILED.reason}"
