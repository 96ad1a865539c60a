"""Where the numbers of a plan's outlook come from, and when there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.domain.criteria import Check
from rollout.domain.errors import EndpointAway
from rollout.domain.measure import NEVER, Arm, Published, Sums, bucket_of
from rollout.domain.plan import Metering
from rollout.domain.run import Phase
from rollout.domain.units import Allowance
from rollout.gates.power.baseline import Basis, Figure
from rollout.runtime.begin import Course, Standing
from rollout.runtime.outlook import Stated, baseline_of, outlook_of
from rollout.runtime.preview import preview_of
from tests.unit.runtime.values import ERRORS, PLAN, at, ready, run, seen

START = Standing(Course.START, "i", None)
NOTHING_SAID = Stated()
LOADED = replace(PLAN, load_rps=20.0)
BUSY = Arm(150, 3, {bucket_of(0.05): 140, bucket_of(0.4): 10})  # 10 req/s, 2 % errors
HOUR = (BUSY,) * 240


class Past:
    """An endpoint of which only its history is asked."""

    measure_pace = 1.0
    lag = 0.0

    def __init__(self, arms: tuple[Arm, ...] = (), *, away: bool = False) -> None:
        self.arms, self.away, self.asked = arms, away, 0

    def history(self, *, seconds: float, batch: float) -> tuple[Arm, ...]:
        self.asked += 1
        if self.away:
            raise EndpointAway("Nobody answers on port 1.", do="Start it.")
        assert (seconds, batch) == (3600.0, 15.0)
        return self.arms


def outlook(plan=PLAN, past=None, standing=START, stated=NOTHING_SAID, *, exists=True):
    return outlook_of(plan, past or Past(HOUR), standing, stated, exists=exists)


def test_the_baseline_is_what_it_was_lately():
    found = baseline_of(PLAN, HOUR, NOTHING_SAID)

    assert found.rps == Figure(10.0, Basis.OBSERVED, "the last 1h")
    assert found.error_rate == Figure(0.02, Basis.OBSERVED, "the last 1h")
    assert found.latency_from is Basis.OBSERVED
    assert found.slower(bucket_of(0.1)) == pytest.approx(1 / 15)


def test_a_young_endpoint_is_measured_from_its_first_request():
    found = baseline_of(PLAN, (Arm(),) * 200 + (BUSY,) * 40, NOTHING_SAID)

    assert found.rps == Figure(10.0, Basis.OBSERVED, "the last 10m")


@pytest.mark.parametrize(
    ("plan", "past", "stated", "rps"),
    [
        (PLAN, (), NOTHING_SAID, None),
        (PLAN, (Arm(),) * 240, NOTHING_SAID, None),
        (LOADED, (), NOTHING_SAID, Figure(20.0, Basis.STATED, "the plan's load")),
        (LOADED, HOUR, NOTHING_SAID, Figure(20.0, Basis.STATED, "the plan's load")),
        (
            LOADED,
            (BUSY.plus(BUSY).plus(BUSY),) * 9,
            NOTHING_SAID,
            Figure(30.0, Basis.OBSERVED, "the last 2m15s"),
        ),
        (LOADED, HOUR, Stated(rps=5.0), Figure(5.0, Basis.STATED, "--rps")),
    ],
)
def test_requests_are_as_stated_or_the_more_of_history_and_load(plan, past, stated, rps):
    assert baseline_of(plan, past, stated).rps == rps


def test_too_little_history_is_no_rate_of_errors_and_no_latency():
    found = baseline_of(PLAN, (BUSY,) * 3, NOTHING_SAID)

    assert found.error_rate == Figure(0.005, Basis.ASSUMED)
    assert found.latency_from is Basis.ASSUMED
    assert baseline_of(PLAN, HOUR, Stated(error_rate=0.001)).error_rate == Figure(
        0.001, Basis.STATED, "--error-rate"
    )


def test_buckets_that_are_not_ours_say_nothing_of_how_latency_is_spread():
    """Their numbers would be read as microseconds."""
    slow = Check("latency", 0.95, tolerance=Allowance(1.1), margin=Allowance(1.2))
    gate = replace(PLAN.gates["canary"], checks=(ERRORS, slow))
    plan = replace(PLAN, gates={"canary": gate})
    theirs = (Arm(150, 3, {0: 140, 1: 7, NEVER: 3}, edges=(0.1, 0.5)),) * 240

    found, assumed = outlook(plan, Past(theirs)), outlook(plan, Past((Arm(150, 3),) * 240))

    assert found.baseline.latency_from is Basis.ASSUMED
    assert found == assumed
    assert outlook(plan, Past(HOUR)) != assumed


def test_clusters_and_custom_shares_are_learned_too():
    clustered = (Arm(150, 0), Arm(150, 6, sums={"sure": Sums(150, 120.0)})) * 120

    found = baseline_of(PLAN, clustered, NOTHING_SAID)

    assert found.dispersion > 2.0
    assert found.shares == {"sure": pytest.approx(0.8)}


def test_without_anything_gated_or_to_do_there_is_no_outlook():
    ungated = replace(PLAN, stages=tuple(replace(each, gate=None) for each in PLAN.stages))
    done = Standing(Course.NOTHING, "i", run(phase=Phase.COMPLETED))
    last = Standing(Course.RESUME, "i", run(at=at("delete")))

    assert outlook(ungated) is None
    assert outlook(standing=done) is None
    assert outlook(standing=last) is None


def test_each_gated_stage_ahead_has_its_forecast():
    found = outlook()
    ahead = outlook(standing=Standing(Course.RESUME, "i", run(at=at("canary"))))

    assert [each.id for each in found.stages] == ["mirror", "canary", "all"]
    assert [each.id for each in ahead.stages] == ["canary", "all"]
    assert ahead.stages[0] == found.stages[1]


def test_an_unknown_rate_of_requests_is_a_warning_that_says_what_to_say():
    found = outlook(replace(PLAN, file="safe.yaml"), Past())

    assert found.stages == ()
    (warning,) = found.warnings
    assert warning.startswith("The rate of requests is not known")
    assert warning.endswith("State it: rollout plan safe.yaml --rps 50")


def test_trouble_with_the_history_is_a_warning_and_no_failure():
    found = outlook(LOADED, Past(away=True))

    assert found.stages
    assert found.warnings[0] == (
        "The power rests on no history of the endpoint: Nobody answers on port 1."
    )


def test_an_endpoint_that_is_not_there_has_no_history():
    past = Past(away=True)

    found = outlook(LOADED, past, exists=False)

    assert past.asked == 0
    assert "no history" not in " ".join(found.warnings)


def test_the_preview_carries_the_outlook_and_its_warnings():
    made = outlook(past=Past())

    found = preview_of(PLAN, seen(blue=ready()), START, made)

    assert found.outlook is made
    assert found.warnings == made.warnings


@pytest.mark.parametrize(
    ("metrics", "published"),
    [
        (Metering(), True),
        (Metering("azure_monitor"), True),
        (Metering("", {"workspace": "w"}), False),
        (Metering("log_analytics", {"workspace": "w"}), False),
    ],
    ids=["usual", "azure_monitor", "workspace", "log_analytics"],
)
def test_latency_of_which_only_percentiles_are_published_is_not_estimated(metrics, published):
    slow = Check("latency", 0.95, tolerance=Allowance(1.1), margin=Allowance(1.2))
    gate = replace(PLAN.gates["canary"], checks=(ERRORS, slow))
    azure = replace(PLAN.endpoint, provider="azureml")
    plan = replace(PLAN, endpoint=azure, metrics=metrics, gates={"canary": gate})

    found = outlook(plan)

    errors, latency = found.stages[-2].checks
    assert errors.catch is not None
    assert latency.unknown.startswith("only its percentiles are published") is published
    assert (found.stages[-2].passing is None) is published


def test_what_a_lag_costs_is_in_the_exposure():
    plan = replace(PLAN, metrics=Metering("log_analytics"))
    late = Past(HOUR)
    late.lag, late.measure_pace = 630.0, 15.0

    now, then = outlook(), outlook(plan, late)

    crash, seen_late = (each.stages[1].checks[0].crash for each in (now, then))
    assert seen_late.seconds == pytest.approx(crash.seconds + 630.0, abs=16.0)
    assert seen_late.exposed == pytest.approx(crash.exposed + 630.0, abs=16.0)  # 1 req/s
    assert then.warnings[0].startswith("Measurements lie up to 10m30s behind: ")
    assert not any("behind" in each for each in now.warnings)


def test_minutes_of_history_say_that_latency_is_published():
    minute = Arm(600, 3, published=(Published(0.0, {0.5: 0.1}, 600, 3),))

    found = outlook(past=Past((minute, Arm(), Arm(), Arm()) * 60))

    assert found.baseline.rps.value == pytest.approx(10.0)
    assert found.baseline.measuring.published
