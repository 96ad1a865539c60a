"""What the emulated service refuses, and what it remembers of what it takes."""

import pytest

from rollout.emulator.faults import Fault
from rollout.emulator.records import UPDATING, Records
from rollout.emulator.settings import Registered
from tests.unit.emulator.bench import ENDPOINT, Bench, code


@pytest.fixture
def bench(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code/score.py").touch()
    registered = (Registered.parse(f"codes/score/1={tmp_path / 'code'}"),)
    made = Bench(tmp_path, registered=registered, quota={"standardDSv2Family": 24})
    made.given()
    return made


def put(bench, name="shop", **properties):
    body = {**ENDPOINT, "properties": {**ENDPOINT["properties"], **properties}}
    return bench.arm("PUT", f"/onlineEndpoints/{name}", body)


def put_deployment(bench, name="green", instances=1, **properties):
    body = bench.deployment(instances, **properties)
    return bench.arm("PUT", f"/onlineEndpoints/shop/deployments/{name}", body)


@pytest.mark.parametrize(
    ("traffic", "mirror", "status"),
    [
        ({}, {}, 201),
        ({"blue": 100}, {}, 201),
        ({"blue": 99, "green": 1}, {}, 201),
        ({"Blue": 100}, {}, 201),
        ({"blue": 100}, {"green": 50}, 201),
        ({"blue": 100, "green": 0}, {"green": 10}, 201),
        ({"blue": 99}, {}, 400),
        ({"blue": 110, "green": -10}, {}, 400),
        ({"red": 100}, {}, 400),
        ({"blue": 100}, {"green": 51}, 400),
        ({"blue": 100}, {"green": -1}, 400),
        ({"blue": 100}, {"blue": 10}, 400),
        ({}, {"green": 10}, 400),
        ({"blue": 100}, {"green": 10, "blue": 10}, 400),
        ({"blue": 100.0}, {}, 400),
        ({"blue": True}, {}, 400),
    ],
    ids=str,
)
def test_traffic(bench, traffic, mirror, status):
    assert put(bench, traffic=traffic, mirrorTraffic=mirror).status == status


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("abc", 201), ("a-b-c", 201), ("a" * 32, 201), ("ab", 400), ("a" * 33, 400),
        ("1abc", 400), ("abc-", 400), ("a--b", 400), ("a_b", 400), ("A.b", 400),
    ],
)  # fmt: skip
def test_names(bench, name, status):
    assert put(bench, name).status == status


@pytest.mark.parametrize("mode", ["Key", "AMLToken", "AADToken"])
def test_modes_of_authentication(bench, mode):
    assert put(bench, authMode=mode).status == 201


def test_a_new_endpoint_has_no_scoring_uri_and_no_traffic_yet(bench):
    reply = put(bench, "other")

    shown = reply.body["properties"]
    assert (reply.status, shown["provisioningState"]) == (201, "Creating")
    assert (shown["scoringUri"], shown["traffic"]) == (None, {})
    assert "Azure-AsyncOperation" in reply.headers
    assert reply.headers["x-ms-async-operation-timeout"] == "PT30M"


def test_what_a_put_leaves_out_is_gone(bench):
    body = {"location": "eastus2", "properties": {"authMode": "Key"}}

    reply = bench.arm("PUT", "/onlineEndpoints/shop", body)

    assert reply.body["tags"] == {}
    assert reply.body["properties"]["publicNetworkAccess"] == "Enabled"
    assert reply.body["properties"]["traffic"] == {"blue": 100}, "the old one, until it has ended"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [("disabled", "Disabled"), ("Disabled", "Disabled"), ("ENABLED", "Enabled"), (None, "Enabled")],
    ids=str,
)
def test_network_access_is_shown_as_the_service_spells_it(bench, sent, shown):
    given = {"authMode": "Key", "publicNetworkAccess": sent}

    reply = bench.arm("PUT", "/onlineEndpoints/shop", {"location": "eastus2", "properties": given})
    deployment = bench.site.records.endpoints["shop"].deployments["blue"]
    deployment.body["properties"]["egressPublicNetworkAccess"] = sent

    assert reply.body["properties"]["publicNetworkAccess"] == shown
    blue = bench.site.documents.deployment("shop", deployment)
    assert blue["properties"]["egressPublicNetworkAccess"] == shown


@pytest.mark.parametrize(
    ("properties", "instances", "expected"),
    [
        ({}, 2, ""),
        ({}, 0, "UserError"),
        ({}, 51, "UserError"),
        ({}, 5, "OutOfQuota"),
        ({"instanceType": "Standard_F4s_v2"}, 1, "UserError"),
        ({"instanceType": "Standard_Nothing"}, 1, "UserError"),
        ({"endpointComputeType": "Kubernetes"}, 1, "UserError"),
        ({"model": "/subscriptions/x/models/none/versions/1"}, 1, "UserError"),
        ({"codeConfiguration": None}, 1, "EmulatorUnsupported"),
    ],
    ids=str,
)
def test_deployments(bench, properties, instances, expected):
    assert code(put_deployment(bench, instances=instances, **properties)) == expected


def test_the_first_answer_about_a_deployment_is_not_the_last(bench):
    first = put_deployment(bench, "red").body["properties"]
    later = bench.arm("GET", "/onlineEndpoints/shop/deployments/red").body["properties"]

    assert (first["livenessProbe"], first["provisioningState"]) == (None, "Updating")
    assert first["requestSettings"]["requestTimeout"] == "PT0S"
    assert later["livenessProbe"]["period"] == "PT10S"
    assert later["requestSettings"]["requestTimeout"] == "PT5S"


def test_one_thing_at_a_time(bench):
    first = put(bench, traffic={"blue": 100})
    second = put(bench, traffic={"blue": 100})
    deleted = bench.arm("DELETE", "/onlineEndpoints/shop/deployments/green")

    assert [each.status for each in (first, second, deleted)] == [201, 409, 409]
    assert bench.site.records.endpoints["shop"].state == UPDATING


def test_a_deployment_with_traffic_is_not_deleted(bench):
    refused = bench.arm("DELETE", "/onlineEndpoints/shop/deployments/blue")
    accepted = bench.arm("DELETE", "/onlineEndpoints/shop/deployments/green")
    absent = bench.arm("DELETE", "/onlineEndpoints/shop/deployments/red")

    assert [each.status for each in (refused, accepted, absent)] == [400, 202, 204]
    assert accepted.body is None
    assert "mfeOperationResults" in accepted.headers["Location"]


def test_quota_exhausted_on_purpose_says_how_much_there_is(bench):
    bench.site.faults.add(Fault.parse("quota"))

    reply = put_deployment(bench, instances=1)

    assert code(reply) == "OutOfQuota"
    assert "Current usage/limit: 8/8. Additional needed: 8" in reply.body["error"]["message"]


def test_usage_is_what_the_deployments_take(bench):
    location = f"/subscriptions/{bench.settings.subscription}/providers"
    path = f"{location}/Microsoft.MachineLearningServices/locations/eastus2"

    usages = bench.ask("GET", f"{path}/usages").body["value"]
    sizes = bench.ask("GET", f"{path}/vmSizes").body["value"]

    [found] = [each for each in usages if each["name"]["value"] == "standardDSv2Family"]
    assert (found["currentValue"], found["limit"]) == (16, 24)
    assert {each["name"] for each in sizes} >= {"Standard_DS3_v2", "Standard_F4s_v2"}


def test_everything_is_remembered(bench, tmp_path):
    put(bench, traffic={"blue": 100}, mirrorTraffic={"green": 10})
    before = bench.site.records

    after = Records(tmp_path / "state/emulator.json")

    assert after.endpoints == before.endpoints
    assert after.operations == before.operations
    assert after.assets == before.assets
    assert after.marks == before.marks
