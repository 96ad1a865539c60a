"""The way to Azure: nothing of it is imported early, and what is missing is told."""

from __future__ import annotations

import sys

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.endpoints.azureml.endpoint import AzureEndpoint
from rollout.domain.errors import EndpointAway, EndpointRefused, UsageError
from rollout.domain.plan import DeploymentRef, EndpointRef, Plan
from tests.unit.azureml.manager import PLACE

OPTIONS = {
    "subscription": PLACE.subscription,
    "resource_group": PLACE.resource_group,
    "workspace": PLACE.workspace,
    "credential": "environment",
}


def plan(**options: object) -> Plan:
    return Plan(
        name="p",
        endpoint=EndpointRef("azureml", "Diabetes", options={**OPTIONS, **options}),
        baseline=DeploymentRef("blue"),
        candidate=DeploymentRef("green"),
        stages=(),
    )


@pytest.fixture
def endpoint(monkeypatch) -> AzureEndpoint:
    monkeypatch.delenv("ARM_CLOUD_METADATA_URL", raising=False)
    return AzureEndpoint(plan(), clock=SystemClock())


def test_an_endpoint_s_key_is_its_whole_address_in_lower_case(endpoint):
    assert endpoint.key == (
        "azureml/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/rg/providers/"
        "microsoft.machinelearningservices/workspaces/mlw-1/onlineendpoints/diabetes"
    )


def test_without_the_sdk_a_look_says_how_to_install_it(endpoint, monkeypatch):
    monkeypatch.setitem(sys.modules, "azure.ai.ml", None)

    with pytest.raises(UsageError, match=r"pip install 'rollout\[azureml\]'"):
        endpoint.observe()


def test_a_deployment_without_a_file_is_known_by_its_name_alone(endpoint):
    digests = {endpoint.digest(role) for role in ("baseline", "candidate")}

    assert len(digests) == 2


@pytest.mark.parametrize(
    ("address", "kind", "words"),
    [
        ("https://localhost:1/metadata/endpoints", EndpointAway, "cannot be read"),
        ("http://[", EndpointAway, "cannot be read"),
    ],
)
def test_a_metadata_address_that_does_not_answer_is_told(monkeypatch, address, kind, words):
    monkeypatch.setenv("ARM_CLOUD_METADATA_URL", address)

    with pytest.raises(kind, match=words):
        AzureEndpoint(plan(), clock=SystemClock()).observe()


def test_a_bundle_without_certificates_is_told(monkeypatch, tmp_path):
    bundle = tmp_path / "ca.pem"
    bundle.write_text("nothing")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    monkeypatch.setenv("ARM_CLOUD_METADATA_URL", "https://localhost:1/metadata")

    with pytest.raises(EndpointRefused, match="REQUESTS_CA_BUNDLE"):
        AzureEndpoint(plan(), clock=SystemClock()).observe()
