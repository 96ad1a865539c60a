"""What a simulation looks like to people and to programs."""

from __future__ import annotations

import json

import pytest

from rollout.domain.plan import DeploymentRef, EndpointRef, Plan
from rollout.domain.run import Exposure
from rollout.domain.verdict import Verdict
from rollout.report.rows import text
from rollout.report.simulation import simulation_data, table_rows
from rollout.runtime.simulation.recording import Recording
from rollout.runtime.simulation.scenarios import SCENARIOS
from rollout.runtime.simulation.summary import Simulation
from rollout.runtime.simulation.traffic import Climate
from rollout.runtime.simulation.trial import Said, Trial

PLAN = Plan(
    "churn-green", EndpointRef("local", "churn"), DeploymentRef("blue"), DeploymentRef("green"), ()
)
PASS = Said("mirror-10", "shadow", Verdict.PASS, "", 20.0)
GOOD = Trial(0, "completed", 0, "", "", 200.0, Exposure(5000, 24), (PASS,))
BAD = Trial(
    1,
    "rolled_back",
    10,
    "shift-10",
    "gate canary: error_rate failed",
    150.0,
    Exposure(120, 9),
    (PASS, Said("shift-10", "canary", Verdict.FAIL, "error_rate, latency_p95", 8.0)),
    "gate_failed",
)
WORSE = Trial(2, "rolled_back", 10, "smoke", "500", 70.0, Exposure(), (), "smoke_failed")
WAITS = Trial(3, "waiting_approval", 0, "ask", "", 90.0, Exposure(10, 0), (PASS,))
FOUND = Simulation(
    PLAN,
    SCENARIOS["errors"],
    Climate(rps=12.0),
    "drifting",
    7,
    5,
    (GOOD, BAD, WORSE, WAITS),
    left_out=("canary: tokens",),
)
TABLE = """\
Simulated: churn-green · errors: the candidate's error rate is 4.5pp higher than the baseline's
Traffic:   12 requests/s, 0.5 % errors, median 80ms, drifting · seed 7
Warning    not simulated, and left out of the gates: canary: tokens
Rollouts:  4 of 5, then stopped

outcome           exit  rollouts  share  95 %              over after  90 % by  such as
rolled_back       10    2         50 %   15 % to 85 %      1:10        2:30     number 1
completed         0     1         25 %   4.56 % to 69.9 %  3:20        3:20     number 0
waiting_approval  0     1         25 %   4.56 % to 69.9 %  1:30        1:30     number 3

Before a rollback green answered 0 live requests (worst 120), 0 of them badly (worst 9).

ended in  as                rollouts  why                                          such as
shift-10  rolled_back       1         gate canary: fail (error rate, latency p95)  number 1
smoke     rolled_back       1         smoke failed                                 number 2
ask       waiting_approval  1         -                                            number 3

stage      gate    pass  fail  observed  90 % by
mirror-10  shadow  3     -     0:20      0:20
shift-10   canary  -     1     0:08      0:08"""


def test_the_table():
    assert text(table_rows(FOUND)) == TABLE


def test_rollouts_that_all_complete_need_no_table_of_ends():
    made = Simulation(PLAN, SCENARIOS["healthy"], Climate(), "steady", 1, 1, (GOOD,))

    shown = text(table_rows(made))

    assert "Rollouts:  1\n" in shown
    assert "ended in" not in shown
    assert "Before a rollback" not in shown


def test_the_data_has_every_number_of_the_table():
    made = simulation_data(FOUND, lambda _: "")

    assert json.loads(json.dumps(made)) == made
    assert made["rollback_exposure"] == {
        "runs": 2,
        "requests": {"median": 0, "worst": 120},
        "errors": {"median": 0, "worst": 9},
    }
    assert made["outcomes"][0]["interval"] == pytest.approx([0.150, 0.850], abs=1e-3)
    assert made["ended_in"][0]["why"] == "gate canary: fail (error rate, latency p95)"
    assert made["gates"][1]["verdicts"] == {"fail": 1}
    assert made["left_out"] == ["canary: tokens"]


def test_a_recording_has_no_traffic_and_no_seed():
    made = Simulation(PLAN, Recording("r.jsonl", ()), Climate(), "drifting", 1, 1, (GOOD,))

    data = simulation_data(made, lambda _: "")

    assert (data["scenario"], data["traffic"], data["seed"]) == ("r.jsonl", None, None)
    assert text(table_rows(made)).startswith("Simulated: churn-green · r.jsonl, 0ms recorded\n")


def test_a_healthy_candidate_that_misses_an_objective_is_explained():
    missed = Said("all", "bake", Verdict.FAIL, "error_rate at most 1 %", 60.0, alone=True)
    trial = Trial(0, "rolled_back", 10, "all", "", 90.0, Exposure(9, 1), (missed,), "gate_failed")
    shown = {
        (name, traffic): text(
            table_rows(Simulation(PLAN, SCENARIOS[name], Climate(), traffic, 1, 1, (trial,)))
        )
        for name in ("healthy", "errors")
        for traffic in ("drifting", "steady")
    }

    assert [key for key, page in shown.items() if "--traffic steady" in page] == [
        ("healthy", "drifting")
    ]
