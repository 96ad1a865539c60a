"""An endpoint that Prometheus measures: its provider does all else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.adapters.metrics.prometheus.endpoint import Measured, unmeasured
from rollout.domain.criteria import Check, Gate
from rollout.domain.errors import EndpointAway
from rollout.domain.plan import DeploymentRef, EndpointRef, Metering, Plan, Preflight, Stage
from rollout.ports.doctor import Doctor, State
from rollout.ports.endpoint import Counting
from rollout.wiring import plugs
from tests.contracts.endpoint_contract import ALL_BLUE
from tests.fakes.clock import FakeClock
from tests.fakes.endpoint import FakeEndpoint, World

NOBODY = "http://127.0.0.1:1"
METERING = Metering(
    "prometheus",
    {"address": NOBODY, "requests": 'up{d="${deployment}"}', "errors": 'up{d="${deployment}"}'},
)
PLAN = Plan(
    name="p",
    endpoint=EndpointRef("fake", "e"),
    baseline=DeploymentRef("blue"),
    candidate=DeploymentRef("green", "/green.yml"),
    stages=(Stage("preflight", Preflight()),),
    metrics=METERING,
    digest="0" * 64,
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def measured(clock: FakeClock) -> Measured:
    return bound(PLAN, clock)


def bound(plan: Plan, clock: FakeClock) -> Measured:
    world = World(clock, rps=1.0)
    world.serve("blue")
    return Measured(plan, FakeEndpoint(unmeasured(plan), world, who="somebody"), clock)


def test_its_provider_is_told_of_nothing_to_measure():
    plan = replace(PLAN, gates={"g": Gate("g", (Check("error_rate", maximum=0.02),))})

    assert unmeasured(plan) == replace(plan, metrics=Metering(), gates={})


def test_what_is_no_measurement_is_its_provider_s(measured: Measured):
    measured.perform(ALL_BLUE, run="r")

    assert dict(measured.observe().traffic) == {"blue": 100}
    assert measured.probe(b"[]", deployment="blue", timeout=1.0).deployment == "blue"
    assert measured.key.endswith("e")


def test_no_measurement_is_taken_from_the_provider(measured: Measured, clock: FakeClock):
    cursor = measured.cursor()
    clock.sleep(60.0)

    with pytest.raises(EndpointAway, match="cannot be reached"):
        measured.read(cursor, mirrored=False, histogram=True)
    with pytest.raises(EndpointAway, match="cannot be reached"):
        measured.history(seconds=60.0, batch=15.0)


def test_a_prometheus_that_is_away_is_asked_again_by_the_precheck_and_told_by_the_doctor(
    clock: FakeClock,
):
    gate = Gate("g", (Check("error_rate", maximum=0.02),))
    measured = bound(replace(PLAN, gates={"g": gate}), clock)

    with pytest.raises(EndpointAway):
        measured.preflight()
    assert isinstance(measured, Doctor)
    assert [each.state for each in measured.diagnose() if each.topic == "metrics"] == [State.BAD]


def test_a_plan_may_leave_the_look_at_its_measurements_out(clock: FakeClock):
    gate = Gate("g", (Check("error_rate", maximum=0.02),))
    stages = (Stage("preflight", Preflight(metrics=False)),)

    found = bound(replace(PLAN, gates={"g": gate}, stages=stages), clock).preflight()

    assert "metrics arrive" not in {each.name for each in found}


def test_closing_lets_go_of_prometheus_too(measured: Measured, clock: FakeClock):
    cursor = measured.cursor()
    clock.sleep(60.0)
    with pytest.raises(EndpointAway):
        measured.read(cursor, mirrored=False, histogram=True)
    client = measured._source._client
    before = client._client

    measured.close()

    assert before is not None
    assert before.is_closed
    assert client._client is None


def test_without_gates_nobody_looks_at_prometheus(measured: Measured):
    assert "metrics arrive" not in {each.name for each in measured.preflight()}


def test_the_local_endpoint_knows_its_own_counters(tmp_path):
    plan = replace(
        PLAN,
        endpoint=EndpointRef("local", "diabetes"),
        metrics=Metering("prometheus", {"address": NOBODY}),
    )

    made = plugs.endpoint(plan, home=tmp_path, clock=FakeClock(), start=False)

    assert isinstance(made, Measured)
    assert isinstance(made._inner, Counting)
    meter = made._source._meter
    assert "ep~${deployment}~${traffic}" in meter.requests
    assert (meter.unit, "time_bucket" in meter.latency) == (1e-3, True)


def test_a_plan_s_own_counters_stand_alone(tmp_path):
    plan = replace(PLAN, endpoint=EndpointRef("local", "diabetes"))

    made = plugs.endpoint(plan, home=tmp_path, clock=FakeClock(), start=False)

    assert isinstance(made, Measured)
    assert (made._source._meter.latency, made._source._meter.unit) == ("", 1.0)
