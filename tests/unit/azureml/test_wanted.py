"""What a deployment's file and a plan's stages ask of Azure."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.adapters.endpoints.azureml.permissions import Wants
from rollout.adapters.endpoints.azureml.wanted import Wanted, wanted, wants_of
from rollout.domain.plan import (
    Bootstrap,
    Create,
    Delete,
    DeploymentRef,
    OnFailure,
    Preflight,
    Shift,
    Stage,
)
from tests.unit.azureml.fake_arm import plan

FILE = """\
name: green
model: azureml:churn:3
code_configuration: {code: src, scoring_script: score.py}
environment: {conda_file: conda.yml, image: some/image}
instance_type: Standard_DS3_v2
instance_count: 2
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "green.yml"
    path.write_text(FILE)
    return str(path)


def test_a_file_says_size_instances_and_what_comes_along(file: str) -> None:
    found = wanted(DeploymentRef("green", file))

    assert found == Wanted("green", "Standard_DS3_v2", 2, frozenset({"code", "environment"}))


def test_what_the_plan_sets_outranks_the_file(file: str) -> None:
    overrides = {
        "instance_count": 5,
        "environment": "azureml:env:1",
        "code_configuration.code": "azureml:code:1",
    }

    found = wanted(DeploymentRef("green", file, overrides))

    assert found == Wanted("green", "Standard_DS3_v2", 5)


@pytest.mark.parametrize("text", ["[1]", "a: [", "\0"], ids=["list", "broken", "nul"])
def test_a_file_that_cannot_be_read_is_somebody_elses_finding(tmp_path: Path, text: str) -> None:
    path = tmp_path / "green.yml"
    path.write_text(text)

    assert wanted(DeploymentRef("green", str(path))) is None
    assert wanted(DeploymentRef("green", str(tmp_path / "missing.yml"))) is None
    assert wanted(DeploymentRef("green")) is None


def test_a_plan_wants_what_its_stages_do(file: str) -> None:
    stages = (
        Stage("bootstrap", Bootstrap()),
        Stage("create", Create("candidate")),
        Stage("delete", Delete("baseline")),
    )
    whole = plan(stages=stages, candidate=DeploymentRef("green", file))

    found = wants_of(whole, sends="aad_token", azure_monitor=True)

    assert found == Wants(
        deletes=True,
        inline=frozenset({"code", "environment"}),
        sends="aad_token",
        reads_metrics=True,
    )


def test_a_plan_that_only_shifts_wants_little() -> None:
    whole = plan(
        stages=(Stage("shift", Shift(100)),),
        gates={},
        requests=(),
        on_failure=OnFailure(collect_logs=0),
    )

    found = wants_of(whole, sends="key", azure_monitor=True, managed=False)

    assert found == Wants(deploys=False, sends="", reads_logs=False, checks_quota=False)


def test_a_candidate_that_is_deleted_after_a_failure_wants_the_right_to() -> None:
    whole = plan(on_failure=OnFailure(candidate="delete"))

    assert wants_of(whole, sends="key", azure_monitor=False).deletes


def test_the_preflight_stage_switches_checks_off() -> None:
    stages = (Stage("preflight", Preflight(quota=False)),)

    assert not plan(stages=stages).preflight.quota
    assert plan(stages=()).preflight == Preflight()
