"""A write loses nothing: what counts as a change, and what only looks like one."""

from __future__ import annotations

import pytest

from rollout.adapters.endpoints.azureml.preserved import (
    deployment_changes,
    endpoint_changes,
    refuse,
)
from rollout.domain.errors import EndpointRefused

IDENTITY = "/subscriptions/S/resourceGroups/g/providers/Microsoft.ManagedIdentity/identities/id"
ENDPOINT = {
    "id": "/subscriptions/s/onlineEndpoints/e",
    "location": "westeurope",
    "tags": {"owner": "ada"},
    "identity": {
        "type": "UserAssigned",
        "principalId": None,
        "userAssignedIdentities": {IDENTITY: {"principalId": "p", "clientId": "c"}},
    },
    "properties": {
        "authMode": "Key",
        "description": "A model.",
        "traffic": {"blue": 100},
        "mirrorTraffic": {"green": 10},
        "publicNetworkAccess": "Disabled",
        "provisioningState": "Succeeded",
        "scoringUri": "https://e.test/score",
        "properties": {"azureml.onlineendpointid": "x", "AzureAsyncOperationUri": "https://a.test"},
    },
}
DEPLOYMENT = {
    "tags": {"rollout.id": "r-1"},
    "sku": {"name": "Default", "tier": "Standard", "capacity": 1},
    "properties": {
        "endpointComputeType": "Managed",
        "model": "/subscriptions/S/models/m/versions/1",
        "environmentVariables": {"TOKEN": "hush"},
        "requestSettings": {
            "requestTimeout": "PT1M30S",
            "maxQueueWait": "PT0.5S",
            "maxConcurrentRequestsPerInstance": 4,
        },
        "livenessProbe": {"period": "PT10S", "failureThreshold": 30},
        "provisioningState": "Succeeded",
    },
}


def changed(data: dict, path: str, value: object) -> dict:
    """A copy with another value at a dotted path; None: without the key."""
    key, _, rest = path.partition("/")
    made = dict(data)
    if rest:
        made[key] = changed(data[key], rest, value)
    elif value is None:
        made.pop(key)
    else:
        made[key] = value
    return made


def test_what_comes_back_as_it_was_changes_nothing():
    written = changed(ENDPOINT, "identity/userAssignedIdentities", {IDENTITY.upper(): {}})

    assert endpoint_changes(ENDPOINT, written, split=True) == []
    assert deployment_changes(DEPLOYMENT, DEPLOYMENT) == []


def test_what_a_write_says_of_itself_is_no_change():
    tags = {"owner": "ada", "rollout.id": "r-2", "rollout.head": "5" * 64}

    written = changed(ENDPOINT, "tags", tags)

    assert endpoint_changes(ENDPOINT, written, split=True) == []
    assert endpoint_changes(written, ENDPOINT, split=True) == []


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("tags", {}, "tags.owner from ada to nothing"),
        ("tags", {"owner": "eve"}, "tags.owner from ada to eve"),
        ("tags", {"owner": "ada", "new": "x"}, "tags.new from nothing to x"),
        ("identity", {"type": "SystemAssigned"}, "identity.type from userassigned to"),
        ("identity/userAssignedIdentities", {}, "identity.userAssignedIdentities from"),
        ("properties/authMode", "AADToken", "properties.authMode from key to aadtoken"),
        ("properties/publicNetworkAccess", None, "properties.publicNetworkAccess from disabled"),
        ("properties/description", None, "properties.description from A model. to nothing"),
    ],
)
def test_a_write_that_loses_something_of_an_endpoint_is_told(path, value, told):
    found = endpoint_changes(ENDPOINT, changed(ENDPOINT, path, value), split=False)

    assert any(told in each for each in found), found


@pytest.mark.parametrize("path", ["properties/traffic", "properties/mirrorTraffic"])
def test_shares_are_what_a_split_changes_and_nothing_else_does(path):
    written = changed(ENDPOINT, path, {})

    assert endpoint_changes(ENDPOINT, written, split=False) == []
    assert len(endpoint_changes(ENDPOINT, written, split=True)) == 1


def test_what_only_the_service_writes_is_no_change():
    written = changed(ENDPOINT, "properties/provisioningState", "Updating")
    written = changed(written, "properties/properties", {})
    written = changed(written, "properties/scoringUri", None)

    assert endpoint_changes(ENDPOINT, written, split=True) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties/publicNetworkAccess", "disabled"),
        ("properties/authMode", "key"),
        ("identity/type", "userassigned"),
    ],
)
def test_an_enumeration_in_another_case_is_no_change(path, value):
    assert endpoint_changes(ENDPOINT, changed(ENDPOINT, path, value), split=True) == []


def test_a_time_is_what_it_means_and_not_how_it_is_spelled():
    written = changed(DEPLOYMENT, "properties/requestSettings/requestTimeout", "PT90S")

    assert deployment_changes(DEPLOYMENT, written) == []


def test_a_default_that_is_left_out_comes_back_by_itself():
    written = changed(DEPLOYMENT, "properties/requestSettings/maxQueueWait", None)

    assert deployment_changes(DEPLOYMENT, written) == []


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("PT1.5S", "PT1S", "requestTimeout from 1.5 s to 1 s"),
        ("PT2.75S", "PT2S", "requestTimeout from 2.75 s to 2 s"),
        ("PT0.3S", None, "requestTimeout from 0.3 s to nothing"),
    ],
)
def test_a_part_of_a_second_that_the_sdk_drops_is_told(before, after, told):
    path = "properties/requestSettings/requestTimeout"

    found = deployment_changes(changed(DEPLOYMENT, path, before), changed(DEPLOYMENT, path, after))

    assert [told in each for each in found] == [True]


def test_scaling_changes_the_number_of_instances_alone():
    written = changed(DEPLOYMENT, "sku/capacity", 3)
    lost = changed(written, "tags", {})

    assert deployment_changes(DEPLOYMENT, written) == []
    assert deployment_changes(DEPLOYMENT, lost) == ["tags.rollout.id from r-1 to nothing"]


def test_what_the_sdk_carries_for_the_other_kind_only_is_not_compared():
    before = changed(DEPLOYMENT, "properties/egressPublicNetworkAccess", "Enabled")
    on_cluster = changed(before, "properties/endpointComputeType", "Kubernetes")

    assert len(deployment_changes(before, DEPLOYMENT)) == 1
    assert (
        deployment_changes(
            on_cluster, changed(on_cluster, "properties/egressPublicNetworkAccess", None)
        )
        == []
    )


def test_a_secret_in_an_environment_variable_is_not_shown():
    written = changed(DEPLOYMENT, "properties/environmentVariables/TOKEN", "other")

    (found,) = deployment_changes(DEPLOYMENT, written)

    assert found == "properties.environmentVariables.TOKEN from a value to a value"


def test_a_write_that_would_change_more_is_refused_with_every_change():
    with pytest.raises(EndpointRefused, match="on blue: a; b"):
        refuse("blue", ["a", "b"])

    refuse("blue", [])
