"""The sample plan for Azure ML is the local one with another endpoint, and Azure takes its files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from rollout.domain.plan import Metering, Plan
from rollout.planfile.load import examine, load
from rollout.wiring.checks import check_of
from scripts.train_samples import PLANS

SAMPLE = PLANS / "azureml" / "safe-rollout.yaml"
ID = "01234567-89ab-cdef-0123-456789abcdef"
ENVIRONMENT = {
    "AZURE_SUBSCRIPTION_ID": ID,
    "AZURE_RESOURCE_GROUP": "rg-ml",
    "AZUREML_WORKSPACE": "mlw-prod",
    "LOG_ANALYTICS_WORKSPACE_ID": ID,
}
DEPLOYMENTS = sorted(PLANS.glob("*-deployment.yml"))

# What azure-ai-ml 1.35.2 itself asks of marshmallow.
pytestmark = pytest.mark.filterwarnings("ignore::marshmallow.warnings.Marshmallow4Warning")


@pytest.fixture
def plan() -> Plan:
    return load(SAMPLE, variables={}, environment=ENVIRONMENT, providers=check_of)


def test_the_plan_is_valid_and_says_where_the_endpoint_is(plan: Plan) -> None:
    assert plan.endpoint.provider == "azureml"
    assert plan.endpoint.options == {
        "subscription": ID,
        "resource_group": "rg-ml",
        "workspace": "mlw-prod",
    }
    assert plan.metrics == Metering("", {"workspace": ID, "delay": "10m"})


def test_the_stages_and_checks_are_those_of_the_local_sample(plan: Plan) -> None:
    local = load(PLANS / "safe-rollout.yaml", variables={}, environment={}, providers=check_of)

    def stages(of: Plan) -> list[object]:
        return [replace(each, timeout=0) for each in of.stages]

    assert stages(plan) == stages(local)
    assert {name: each.checks for name, each in plan.gates.items()} == {
        name: each.checks for name, each in local.gates.items()
    }
    assert (plan.baseline, plan.candidate) == (local.baseline, local.candidate)
    assert (plan.requests, plan.endpoint.file) == (local.requests, local.endpoint.file)


def test_it_runs_on_the_local_endpoint_when_only_the_endpoint_changes(tmp_path: Path) -> None:
    data = yaml.safe_load(SAMPLE.read_text())
    file = str(SAMPLE.parent / data["endpoint"]["file"])
    data["endpoint"] = {"provider": "local", "name": "diabetes", "file": file}
    del data["metrics"]
    for role in ("baseline", "candidate"):
        data[role]["file"] = str(SAMPLE.parent / data[role]["file"])
    data["requests"] = str(SAMPLE.parent / data["requests"])
    moved = tmp_path / "plan.yaml"
    moved.write_text(yaml.safe_dump(data, sort_keys=False))

    _, findings = examine(moved, variables={}, environment={}, providers=check_of)

    assert findings == ()


@pytest.mark.parametrize("file", DEPLOYMENTS, ids=lambda file: file.stem)
def test_azures_own_loader_takes_the_sample_deployments(file: Path) -> None:
    from azure.ai.ml import load_online_deployment  # noqa: PLC0415 - heavy

    found = load_online_deployment(file)

    assert type(found).__name__ == "ManagedOnlineDeployment"
    assert f"{found.name}-deployment" == file.stem


def test_azures_own_loader_takes_the_sample_endpoint() -> None:
    from azure.ai.ml import load_online_endpoint  # noqa: PLC0415 - heavy

    found = load_online_endpoint(PLANS / "endpoint.yml")

    assert (type(found).__name__, found.name) == ("ManagedOnlineEndpoint", "diabetes")
