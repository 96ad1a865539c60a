"""The schemas derived from the SDK take what is right, and catch what is not."""

import copy

import pytest

from tests.azure_schemas import REQUEST, RESPONSE, errors, problems, schema

ENDPOINT = {
    "location": "eastus2",
    "identity": {"type": "SystemAssigned"},
    "tags": {"owner": "rollout"},
    "properties": {
        "authMode": "Key",
        "properties": {},
        "traffic": {"blue": 90, "green": 10},
        "mirrorTraffic": {},
        "publicNetworkAccess": "Enabled",
    },
}
DEPLOYMENT = {
    "location": "eastus2",
    "tags": {},
    "sku": {"name": "Default", "capacity": 1},
    "properties": {
        "endpointComputeType": "Managed",
        "model": "/subscriptions/s/models/m/versions/1",
        "instanceType": "Standard_DS3_v2",
        "environmentVariables": {"A": "1"},
        "requestSettings": {"requestTimeout": "PT5S"},
        "appInsightsEnabled": False,
    },
}


def changed(body, path, value):
    found = copy.deepcopy(body)
    *way, last = path.split(".")
    at = found
    for step in way:
        at = at[step]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return found


def test_what_the_sdk_sends_is_right():
    assert errors("OnlineEndpoint", REQUEST, ENDPOINT) == []
    assert errors("OnlineDeployment", REQUEST, DEPLOYMENT) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties.traffic.blue", "90"),
        ("properties.traffic.blue", 90.5),
        ("properties.mirrorTraffic", {"green": "10"}),
        ("properties.mirorTraffic", {}),
        ("properties.authMode", "Keyy"),
        ("properties.authMode", None),
        ("properties.publicNetworkAccess", "Open"),
        ("properties.provisioningState", "Succeeded"),
        ("identity.type", "Everybody"),
        ("location", 7),
        ("location", None),
        ("tags.owner", 7),
        ("name", "diabetes"),
    ],
)
def test_a_wrong_endpoint_is_caught(path, value):
    assert errors("OnlineEndpoint", REQUEST, changed(ENDPOINT, path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("sku.capacity", "1"),
        ("sku.capacty", 1),
        ("properties.endpointComputeType", "managed"),
        ("properties.endpointComputeType", None),
        ("properties.instanceTyp", "Standard_DS3_v2"),
        ("properties.environmentVariables", {"A": 1}),
        ("properties.requestSettings", {"requestTimeout": 5}),
        ("properties.requestSettings", {"timeout": "PT5S"}),
        ("properties.livenessProbe", {"failureThreshold": "3"}),
        ("properties.codeConfiguration", {"codeId": "c"}),
    ],
)
def test_a_wrong_deployment_is_caught(path, value):
    assert errors("OnlineDeployment", REQUEST, changed(DEPLOYMENT, path, value))


def test_a_reply_may_have_nulls_and_more_than_is_known_but_no_wrong_type():
    reply = changed(ENDPOINT, "properties.scoringUri", "https://localhost/score")
    reply["properties"] |= {"description": None, "another": 1}

    assert errors("OnlineEndpoint", RESPONSE, reply) == []
    assert errors("OnlineEndpoint", RESPONSE, changed(reply, "properties.traffic", {"b": "1"}))


def test_a_recorded_call_is_judged_by_what_it_was():
    call = {"url": "/x", "status": 201, "body": ENDPOINT, "reply": ENDPOINT}
    wrong = {**call, "operation": "endpoint.put", "body": {"location": "x"}}

    assert list(problems({**call, "operation": "endpoint.put"})) == []
    assert list(problems(wrong)) != []
    assert list(problems({**wrong, "operation": "unknown"})) == []


def test_an_error_has_azures_form():
    call = {"operation": "endpoint.get", "url": "/x", "status": 404, "body": None}

    assert list(problems({**call, "reply": {"error": {"code": "x", "message": "y"}}})) == []
    assert list(problems({**call, "reply": {"error": "no"}})) != []
    assert list(problems({**call, "reply": {"error": {"code": 404}}})) != []


def test_a_schema_is_not_empty_where_it_matters():
    found = schema("OnlineEndpoint", REQUEST)["$defs"]["OnlineEndpointProperties"]

    assert {"traffic", "mirrorTraffic", "authMode", "compute"} <= set(found["properties"])
    assert found["additionalProperties"] is False
