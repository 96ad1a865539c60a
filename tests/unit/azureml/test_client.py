"""Azure's real SDK over HTTPS to a manager of the test's own: what leaves, and how often."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from types import ModuleType

import pytest

from rollout.adapters.endpoints.azureml import patience, sdk, wire
from rollout.adapters.endpoints.azureml.client import Client
from rollout.adapters.endpoints.azureml.entities import Stamp, load_deployment
from rollout.adapters.endpoints.azureml.limits import read_limits
from rollout.adapters.endpoints.azureml.writing import Writer
from rollout.domain.errors import EndpointAway, EndpointRefused, Fenced, NotLoggedIn
from rollout.domain.run import Split
from rollout.ports.endpoint import unfenced
from tests.unit.azureml.manager import PLACE, Manager, Token, deployment, endpoint, serving

LOST = (0, None)
HEAD = "5" * 64
BY = Stamp("r-1", HEAD)
MOVED = Split({"blue": 90, "green": 10})


@pytest.fixture
def manager(manager) -> Manager:
    """With an endpoint and two deployments."""
    manager.put(endpoint(), deployment("blue"), deployment("green"))
    return manager


@pytest.fixture
def client(manager) -> Iterator[Client]:
    made = Client(PLACE, manager.cloud, Token())
    yield made
    made.close()


@pytest.fixture
def writer(client) -> Writer:
    return Writer(client, PLACE, read_limits(), "plan.yaml")


def sdk_module(name: str) -> ModuleType:
    """A part of Azure's SDK, imported once a test needs it: that takes seconds."""
    sdk.ready()
    return import_module(f"azure.ai.ml.{name}")


def on(manager: Manager, method: str, *replies: object) -> None:
    """What the first requests of a method are answered with."""
    left = list(replies)

    def says(asked):
        wanted = asked.method == method and "onlineEndpoints" in asked.path
        return left.pop(0) if wanted and left else None

    manager.says = says


def error(code: str, message: str = "No.") -> dict[str, object]:
    return {"error": {"code": code, "message": message}}


# --- what a write keeps ---


def test_a_split_is_one_write_that_keeps_everything_else(manager, writer):
    writer.share(MOVED, BY, unfenced)

    (write,) = manager.writes()
    before = endpoint()
    assert write.body["properties"]["traffic"] == {"blue": 90, "green": 10}
    assert write.body["properties"]["mirrorTraffic"] == {}
    assert write.body["tags"] == {
        **before["tags"],
        "rollout.id": "r-1",
        "rollout.head": HEAD,
    }
    assert write.body["identity"]["type"] == "UserAssigned"
    assert list(write.body["identity"]["userAssignedIdentities"]) == ["/subscriptions/s/ids/x"]
    assert write.body["properties"]["publicNetworkAccess"] == "Disabled"
    assert write.body["properties"]["description"] == "A model."


def test_what_reading_put_in_is_not_written_back(manager, writer):
    writer.share(MOVED, BY, unfenced)
    writer.scale("blue", 2, unfenced)

    for write in manager.writes():
        noise = set(write.body["properties"]["properties"])
        assert noise <= {"azureml.onlineendpointid"}


def test_a_mirror_and_live_traffic_leave_together(manager, writer):
    manager.put(endpoint(properties__mirrorTraffic={}))

    writer.share(Split({"blue": 100}, {"green": 20}), BY, unfenced)

    (write,) = manager.writes()
    assert write.body["properties"]["traffic"] == {"blue": 100}
    assert write.body["properties"]["mirrorTraffic"] == {"green": 20}


@pytest.mark.parametrize(
    ("lost", "made"),
    [
        ("tags", {"tags": {}}),
        ("identity", {"identity": None}),
        ("publicNetworkAccess", {"public_network_access": None}),
        ("description", {"description": None}),
        ("authMode", {"auth_mode": "aad_token"}),
        ("blue 100 instead of blue 100, mirror green 10", {"mirror_traffic": {}}),
        ("nobody, mirror green 10 instead of", {"traffic": {}}),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_an_entity_made_by_hand_that_loses_something_cannot_be_written(manager, client, lost, made):
    found = client.endpoint()
    kept = {
        "tags": found.tags,
        "identity": found.identity,
        "public_network_access": found.public_network_access,
        "description": found.description,
        "auth_mode": "key",
        "traffic": {"blue": 100},
        "mirror_traffic": {"green": 10},
    }
    fresh = sdk_module("entities").ManagedOnlineEndpoint(name=PLACE.endpoint, **{**kept, **made})

    with pytest.raises(EndpointRefused, match=rf"{lost}.*Nothing was sent"):
        client.put_endpoint(fresh, unfenced)

    assert manager.writes() == []


def test_a_split_that_would_drop_the_mirror_is_not_what_was_asked(manager, client, writer):
    """A fresh entity without a mirror sends an empty one; the writer compares what leaves."""
    goal = Split({"blue": 100}, {"green": 20})
    put = client.put_endpoint

    def forgetful(entity, *rest):
        entity.mirror_traffic = {}
        put(entity, *rest)

    client.put_endpoint = forgetful

    with pytest.raises(EndpointRefused, match="would write blue 100 instead of"):
        writer.share(goal, BY, unfenced)

    assert manager.writes() == []


def test_an_endpoint_that_nobody_read_cannot_be_written(manager, client):
    fresh = sdk_module("entities").ManagedOnlineEndpoint(name=PLACE.endpoint, auth_mode="key")

    with pytest.raises(EndpointRefused, match="without having been read"):
        client.put_endpoint(fresh, unfenced)

    assert manager.writes() == []


def test_a_name_that_the_sdk_would_write_in_lower_case_is_refused(manager, writer):
    manager.put(deployment("Green"))

    with pytest.raises(EndpointRefused, match="Green"):
        writer.share(Split({"blue": 90, "Green": 10}), BY, unfenced)

    assert manager.writes() == []


def test_scaling_changes_the_number_alone(manager, writer):
    writer.scale("blue", 3, unfenced)

    (write,) = manager.writes()
    assert write.body["sku"]["capacity"] == 3
    assert write.body["tags"] == {"rollout.id": "r-1", "rollout.digest": "abc"}
    assert write.body["properties"]["environmentVariables"] == {"A": "1"}


def test_scaling_keeps_what_the_sdk_cannot_express(manager, writer):
    body = deployment(
        "blue",
        properties__requestSettings__requestTimeout="PT1.5S",
        properties__livenessProbe={"initialDelay": "PT0S", "timeout": "PT0.5S", "period": "PT10S"},
        properties__privateNetworkConnection=True,
        properties__modelMountPath="/var/models",
    )
    manager.put(body)

    writer.scale("blue", 3, unfenced)

    (write,) = manager.writes()
    assert write.body["sku"]["capacity"] == 3
    for key, value in body["properties"].items():
        if key not in ("provisioningState", "properties"):
            assert write.body["properties"][key] == value, key


def test_a_split_keeps_what_the_sdk_does_not_know(manager, writer):
    manager.put(endpoint(properties__somethingNewer={"a": 1}, identity=None))

    writer.share(MOVED, BY, unfenced)

    (write,) = manager.writes()
    assert write.body["properties"]["somethingNewer"] == {"a": 1}
    assert "identity" not in write.body


def test_two_identities_are_the_same_however_their_type_is_spelled(manager, writer):
    both = {
        "type": "SystemAssigned, UserAssigned",
        "userAssignedIdentities": {"/subscriptions/s/ids/x": {"principalId": "p", "clientId": "c"}},
    }
    manager.put(endpoint(identity=both))

    writer.share(MOVED, BY, unfenced)

    assert len(manager.writes()) == 1


def test_replacing_a_deployment_keeps_the_tags_of_others(manager, writer, tmp_path):
    manager.put(deployment("green", tags={"rollout.id": "r-0", "costcenter": "42"}))
    file = tmp_path / "green.yml"
    file.write_text(
        "name: green\nendpoint_name: diabetes\nmodel: azureml:m:2\nenvironment: azureml:e:1\n"
        "instance_type: Standard_DS3_v2\ninstance_count: 1\ntags: {own: yes}\n"
    )

    def load():
        return load_deployment(PLACE.endpoint, "green", str(file), {})

    writer.put("green", load, BY, "d", unfenced)

    (write,) = manager.writes()
    assert {**write.body["tags"], "own": ""} == {
        "costcenter": "42",
        "own": "",
        "rollout.id": "r-1",
        "rollout.digest": "d",
        "rollout.head": HEAD,
    }


def test_whoever_serves_goes_on_serving_though_its_scaling_has_failed(manager, writer):
    """A rollback is always allowed."""
    manager.put(endpoint(properties__traffic={"blue": 90, "green": 10}))
    for state in ("Failed", "Scaling"):
        manager.put(deployment("blue", properties__provisioningState=state))

        writer.share(Split({"blue": 100}), BY, unfenced)

    assert len(manager.writes()) == 2


def test_an_endpoint_that_is_listed_is_not_created_though_a_read_does_not_find_it(manager, writer):
    on(manager, "GET", (404, error("UserError", "Not found.")))
    manager.put({**endpoint(), "id": f"{PLACE.workspace_id}/onlineEndpoints"})
    manager.there[f"{PLACE.workspace_id}/onlineEndpoints".lower()] = {"value": [endpoint()]}

    with pytest.raises(EndpointAway, match="does not find it"):
        writer.create(None, BY, unfenced)

    assert manager.writes() == []


def test_a_deletion_of_what_is_gone_is_done(manager, client):
    on(manager, "DELETE", (404, error("UserError", "Not found.")))

    client.delete_deployment("green", unfenced)


def test_a_runner_that_gave_up_sends_nothing_under_the_next_one_s_leave(
    manager, client, monkeypatch
):
    """Its upload ends late: the permission is each order's own."""
    monkeypatch.setattr(patience, "_BEAT_SECONDS", 0.05)
    late, over = threading.Event(), threading.Event()
    found = client.deployment("green")
    first = client.put_deployment

    def slow(asked):
        if asked.path == PLACE.workspace_id and not late.is_set():
            late.wait(10)  # the SDK looks at the workspace before it writes

    manager.says = slow

    def lost(_: float) -> None:
        raise Fenced("taken over", do="look")

    with pytest.raises(Fenced):
        first(found, lost)
    threading.Timer(0.2, late.set).start()
    client.delete_deployment("red", unfenced)
    over.wait(0.5)

    assert [each.method for each in manager.writes()] == ["DELETE"]


@pytest.mark.parametrize("status", [429, 503])
def test_a_long_retry_after_is_not_slept_through(manager, client, monkeypatch, status):
    slept: list[float] = []
    monkeypatch.setattr(wire.Wire, "sleep", lambda _, seconds: slept.append(seconds))
    on(manager, "GET", *[(status, error("Busy"), {"Retry-After": "60"})] * 9)

    with pytest.raises(EndpointAway):
        client.endpoint()

    assert len(slept) == 2
    assert max(slept) < 1


def test_peace_that_the_service_asked_for_is_told_once(manager, client, writer):
    on(manager, "PUT", (429, error("TooManyRequests"), {"Retry-After": "90"}))

    with pytest.raises(EndpointAway):
        writer.share(MOVED, BY, unfenced)

    assert (client.take_pause(), client.take_pause()) == (90.0, 0.0)


def test_what_is_so_already_is_not_written(manager, writer):
    manager.put(endpoint(properties__mirrorTraffic={}))

    writer.share(Split({"blue": 100}), BY, unfenced)
    writer.scale("blue", 1, unfenced)
    writer.delete("red", unfenced)

    assert manager.writes() == []


# --- how often it leaves, and with whose leave ---


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        ((429, error("TooManyRequests"), {"Retry-After": "1"}), EndpointAway, "TooManyRequests"),
        ((503, error("ServiceUnavailable")), EndpointAway, "ServiceUnavailable"),
        ((500, error("InternalServerError")), EndpointAway, "InternalServerError"),
        ((409, error("Conflict")), EndpointAway, "Another operation is going on"),
        (LOST, EndpointAway, "the answer got lost"),
        ((400, error("UserError", "Bad split.")), EndpointRefused, "UserError: Bad split."),
        ((403, error("AuthorizationFailed")), EndpointRefused, "permissions.md"),
        ((403, error("OutOfQuota")), EndpointRefused, "OutOfQuota"),
        ((401, error("ExpiredAuthenticationToken")), NotLoggedIn, "doctor"),
    ],
    ids=["429", "503", "500", "409", "lost", "400", "403", "quota", "401"],
)
def test_a_change_leaves_once_whatever_becomes_of_it(manager, writer, reply, kind, words):
    on(manager, "PUT", reply)

    with pytest.raises(kind, match=words):
        writer.share(MOVED, BY, unfenced)

    assert len(manager.writes()) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_read_is_repeated_a_little(manager, client, status):
    on(manager, "GET", (status, error("Busy")), (status, error("Busy")))

    assert client.endpoint().name == PLACE.endpoint


def test_a_read_that_keeps_failing_is_told(manager, client):
    on(manager, "GET", *[(503, error("Busy", "Later."))] * 9)

    with pytest.raises(EndpointAway, match="Busy: Later"):
        client.endpoint()


def test_the_lease_is_asked_last_before_a_change_leaves(manager, writer):
    order: list[str] = []
    manager.says = lambda asked: order.append(asked.method)

    writer.share(MOVED, BY, lambda _: order.append("hold"))

    assert order[-2:] == ["hold", "PUT"]
    assert order.count("hold") == 1


def test_without_the_lease_nothing_leaves(manager, writer):
    def lost(_: float) -> None:
        raise Fenced("taken over", do="look")

    for order in (
        lambda: writer.share(MOVED, BY, lost),
        lambda: writer.scale("blue", 2, lost),
        lambda: writer.delete("green", lost),
    ):
        manager.put(endpoint(properties__mirrorTraffic={}))
        with pytest.raises(Fenced):
            order()

    assert manager.writes() == []


# --- what the SDK must not leave behind ---


def test_no_poller_goes_on_and_nothing_is_printed(manager, writer, capfd):
    writer.share(MOVED, BY, unfenced)
    writer.scale("blue", 2, unfenced)

    polling = [each.name for each in threading.enumerate() if "poller" in each.name.lower()]
    assert polling == []
    assert capfd.readouterr() == ("", "")


def test_the_cloud_of_the_process_is_as_it_was(manager, client, monkeypatch):
    known = sdk_module("_azure_environments")
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureChinaCloud")
    clouds = set(known._environments)

    client.endpoint()
    client.close()

    assert os.environ["AZUREML_CURRENT_CLOUD"] == "AzureChinaCloud"
    assert set(known._environments) == clouds


def test_two_clouds_of_one_name_are_not_mistaken(manager, client, tmp_path, monkeypatch):
    with serving(tmp_path) as (other, pem):
        cloud = replace(other.cloud, name=manager.cloud.name)
        client.endpoint()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
        second = Client(PLACE, cloud, Token())

        assert second.endpoint() is None

        assert other.asked
        second.close()


def test_the_sdk_has_no_loggers_of_its_own_mind(client):
    client.endpoint()

    talking = {
        name: logging.getLogger(name).handlers
        for name in logging.root.manager.loggerDict
        if name.startswith("azure.ai.ml")
    }
    heard = [each for handlers in talking.values() for each in handlers]
    assert [each for each in heard if type(each) is logging.StreamHandler] == []


# --- what is read ---


def test_an_absent_endpoint_is_none_and_an_absent_workspace_an_error(manager, client):
    manager.there.clear()
    assert client.endpoint() is None
    assert client.deployments() == []

    manager.says = lambda _: (404, error("ResourceNotFound", "Workspace not found."))

    with pytest.raises(EndpointRefused, match="Workspace not found"):
        client.endpoint()


def test_why_an_operation_failed_is_read_from_its_own_document(manager, client):
    failed = {
        "status": "Failed",
        "error": {"code": "ResourceNotReady", "message": "User container has crashed."},
    }
    manager.says = lambda asked: (200, failed) if asked.path == "/operations/9" else None

    assert client.operation(f"{manager.address}/operations/9")["error"] == failed["error"]


def test_a_token_is_not_sent_to_another_service(manager, client):
    assert client.operation("https://localhost:1/operations/9") == {}
    assert manager.asked == []


# --- what is refused before it leaves ---


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        (Split({"blue": 90}), "sum to 100"),
        (Split({"blue": 110, "green": -10}), "sum to 100"),
        (Split({"blue": 100}, {"green": 51}), "at most 50"),
        (Split({"blue": 100}, {"green": 5, "red": 5}), "to one deployment"),
        (Split({"blue": 90, "green": 10}, {"green": 10}), "live and mirrored"),
        (Split({"blue": 90, "red": 10}), "no deployment 'red'"),
    ],
    ids=["90", "110", "51", "two", "both", "nobody"],
)
def test_a_split_that_cannot_be_is_refused(manager, writer, goal, words):
    with pytest.raises(EndpointRefused, match=words):
        writer.share(goal, BY, unfenced)

    assert manager.writes() == []


def test_a_kubernetes_endpoint_mirrors_nothing(manager, writer):
    compute = f"{PLACE.workspace_id}/computes/k8s"
    manager.put(endpoint(properties__compute=compute, properties__mirrorTraffic={}))

    with pytest.raises(EndpointRefused, match="Kubernetes"):
        writer.share(Split({"blue": 100}, {"green": 10}), BY, unfenced)
    writer.share(MOVED, BY, unfenced)

    (write,) = manager.writes()
    assert write.body["properties"]["compute"] == compute


@pytest.mark.parametrize("state", ["Creating", "Updating", "Deleting"])
def test_nothing_is_written_while_an_operation_goes_on(manager, writer, state):
    manager.put(endpoint(properties__provisioningState=state))
    manager.put(deployment("blue", properties__provisioningState=state))

    with pytest.raises(EndpointAway, match="in progress"):
        writer.share(MOVED, BY, unfenced)
    with pytest.raises(EndpointAway, match="in progress"):
        writer.scale("blue", 2, unfenced)

    assert manager.writes() == []


def test_a_deployment_that_failed_gets_no_traffic(manager, writer):
    manager.put(deployment("green", properties__provisioningState="Failed"))

    with pytest.raises(EndpointRefused, match="rollout logs green"):
        writer.share(MOVED, BY, unfenced)


def test_what_has_traffic_or_copies_is_not_deleted(manager, writer):
    for name in ("blue", "green"):
        with pytest.raises(EndpointRefused, match="still has traffic"):
            writer.delete(name, unfenced)

    assert manager.writes() == []
