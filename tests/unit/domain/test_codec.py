"""What goes into the journal comes out of it equal, through JSON text."""

from __future__ import annotations

import json
import struct
from typing import Any, cast

import pytest
from hypothesis import given, strategies as st

from rollout.domain import events as e, plan as p
from rollout.domain.answers import Difference, Example
from rollout.domain.codec import TAG, decode, encode
from rollout.domain.criteria import Check, Gate, OnInconclusive
from rollout.domain.endpoint import (
    CreateEndpoint,
    DeleteDeployment,
    Effect,
    PutDeployment,
    ScaleDeployment,
    SetSplit,
)
from rollout.domain.measure import NEVER, Arm, Interval
from rollout.domain.run import Approval, Exposure, Run, Split, StageDone, Why
from rollout.domain.units import Allowance
from rollout.domain.verdict import CheckJudgement, Judgement, Verdict
from tests.unit.domain.samples import BLUE_90, BLUE_100, STAGES, because, fresh, observing

EVENT = cast("type[e.Event]", e.Event)  # a union is no type, but decodes like one
EFFECTS: tuple[Effect, ...] = (
    CreateEndpoint(),
    PutDeployment("candidate", "green"),
    ScaleDeployment("blue", 2),
    SetSplit({"blue": 90, "green": 10}, {}),
    SetSplit({"blue": 100}, {"green": 10}),
    DeleteDeployment("blue"),
)
CHECKED = CheckJudgement("latency_p95", "tolerance 10%", Verdict.RUNNING, ratio=1.0625)
JUDGED = Judgement("canary", Verdict.FAIL, "because", (CHECKED,), evidence=214.5, bound=100.0)
INTERVAL = Interval(
    1.0, 2.5, {"baseline": Arm(9, 1, {3: 8, NEVER: 1}), "candidate": Arm(1, 0, None)}
)
BUSY = observing(
    "shift-10",
    intent=EFFECTS[3],
    judgement=JUDGED,
    evidence={"log_e": [0.1, -1e-6], "latch": None, "is": "a word"},
    approvals=(Approval("approve", "ada", 2.0, "go"),),
    exposure=Exposure(7, 2),
    cause=because(Why.DRIFT),
    deadline=9e9,
)
EVENTS: tuple[e.Event, ...] = (
    e.RunStarted(BUSY, '{"a": 1}', "plan.yaml"),
    e.OwnerTook(3, "ada@host"),
    e.SplitCaptured(BLUE_100),
    *(e.Intended(effect, BLUE_90) for effect in EFFECTS),
    e.EffectFailed(EFFECTS[0], "no", refused=True),
    e.SetPointReached("shift-10", BLUE_90),
    e.PreflightChecked(ok=False, text=("a", "b")),
    e.SmokeTested(ok=True, text="20 of 20"),
    e.ObservationBegan("c", {"n": [1, 2]}),
    e.Measured((INTERVAL,), "d", {"n": []}, JUDGED, requests=1),
    e.ExposureCounted(7, 1, "c"),
    e.StagePassed("shift-10"),
    e.Held(because(Why.SOURCE)),
    e.RollbackBegan(because(Why.EFFECT_REFUSED)),
    e.RollbackProbed(ok=False, text="bad"),
    e.RollbackUnverified("late"),
    e.LogsCollected("green", "Traceback\n\x1b[31m"),
    e.AnswersDiffered(
        "mirror-10", (Example(Difference("$", "status", "200", "500"), "200 {}", "500 x"),)
    ),
    e.RolledBack(),
    e.Ended(),
    e.Ended(because(Why.DEADLINE)),
    e.Approved("approve", "digest", "ada", 3.5),
    e.Rejected("ada", "no"),
    e.PauseOrdered("ada"),
    e.ResumeOrdered("ada", adopt=True),
    e.AbortOrdered("ada", keep_traffic=True),
    e.RetryOrdered("ada"),
)


def through_text(value: object) -> Any:
    return json.loads(json.dumps(encode(value)))


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_comes_back_equal(event: e.Event) -> None:
    assert decode(EVENT, through_text(event)) == event


@pytest.mark.parametrize("run", [fresh(), BUSY, observing("wait"), observing("approve")])
def test_a_run_comes_back_equal(run: Run) -> None:
    assert decode(Run, through_text(run)) == run


def test_a_plan_comes_back_equal_with_its_bytes_and_its_units() -> None:
    gate = Gate(
        "canary",
        (Check("latency", 0.95, Allowance(1.1), Allowance(1.2)), Check("error_rate")),
        on_inconclusive=OnInconclusive(1800.0, 2, "rollback"),
    )
    plan = p.Plan(
        "churn",
        p.EndpointRef("local", "churn", options={"port": 5001, "tags": ["a"]}),
        p.DeploymentRef("blue"),
        p.DeploymentRef("green", "/g.yml", {"instance_count": 2}),
        STAGES,
        {"canary": gate},
        requests=(b'{"a": 1}', bytes(range(256))),
    )

    assert decode(p.Plan, through_text(plan)) == plan


def test_defaults_are_left_out_and_come_back() -> None:
    assert through_text(e.RolledBack()) == {TAG: "RolledBack"}
    assert decode(e.RolledBack, {TAG: "RolledBack"}) == e.RolledBack()


def test_a_mapping_may_have_a_key_that_looks_like_the_tag() -> None:
    assert decode(Split, through_text(Split({TAG: 100}))) == Split({TAG: 100})


@given(st.floats(allow_nan=False))
def test_a_float_survives_bit_for_bit(value: float) -> None:
    back = decode(StageDone, through_text(StageDone("create", 0.0, value)))

    assert struct.pack("d", back.ended) == struct.pack("d", value)


@given(
    st.dictionaries(st.text(max_size=8), st.integers(0, 100), max_size=4),
    st.dictionaries(st.integers(0, NEVER), st.integers(0, 10**9), max_size=4),
)
def test_mappings_keep_their_keys_and_the_kind_of_them(
    shares: dict[str, int], counts: dict[int, int]
) -> None:
    interval = Interval(0.0, 1.0, {"baseline": Arm(1, 0, counts)})

    assert decode(Split, through_text(Split(shares))) == Split(shares)
    assert decode(Interval, through_text(interval)) == interval


@pytest.mark.parametrize(
    "data",
    [{TAG: "MirrorSet"}, {TAG: "Intended", "effect": {TAG: "Explode"}, "found": {TAG: "Split"}}],
)
def test_an_event_of_a_newer_version_is_refused_and_never_guessed(data: object) -> None:
    with pytest.raises(ValueError, match="is none of"):
        decode(EVENT, data)


def test_what_is_no_mapping_is_no_value() -> None:
    with pytest.raises(ValueError, match="written as a mapping"):
        decode(Run, "r-1")


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        (StageDone, {"id": "create", "began": 0.0, "ended": "1.5"}, "'1.5' is no float"),
        (StageDone, {"id": "create", "began": 0.0, "ended": None}, "None is no float"),
        (StageDone, {"id": 7, "began": 0.0, "ended": 1.5}, "7 is no str"),
        (Exposure, {"requests": 1.0}, r"1\.0 is no int"),
        (Exposure, {"requests": True}, "True is no int"),
        (Split, {"traffic": {"blue": "100"}}, "'100' is no int"),
        (EVENT, {TAG: "SmokeTested", "ok": 1, "text": ""}, "1 is no bool"),
    ],
)
def test_what_is_of_another_kind_is_no_value(kind: type, data: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        decode(kind, data)


def test_a_whole_number_will_do_for_a_float() -> None:
    read = decode(StageDone, {"id": "create", "began": 0, "ended": 2})

    assert (read.began, type(read.began)) == (0.0, float)
