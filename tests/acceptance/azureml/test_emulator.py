"""The emulator under the real SDK over HTTPS: what the cloud would do, done by real servers."""

import json
import threading
import time
import warnings
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from rollout.adapters.endpoints import azureml
from tests.acceptance.azureml.cloud import Cloud
from tests.acceptance.azureml.shop import Shop, client, sdk
from tests.azure_schemas import different, problems

pytestmark = pytest.mark.filterwarnings("default")  # the SDK warns of its own libraries

ROLES = Path(azureml.__file__).parent / "roles"
SCORE = """
import json, os, time
from azureml_inference_server_http.api.aml_response import AMLResponse

def init():
    if os.environ.get("BROKEN"):
        raise RuntimeError("no such model")
    open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model", "weights.txt")).read()

def run(data):
    asked = json.loads(data)
    time.sleep(asked.get("sleep", 0))
    if asked.get("fail"):
        raise ValueError("this one fails")
    return [os.environ["COLOR"]]
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("assets")
    (folder / "code").mkdir()
    (folder / "code/score.py").write_text(SCORE)
    (folder / "model").mkdir()
    (folder / "model/weights.txt").write_text("1")
    return folder


@pytest.fixture(scope="module")
def cloud(tmp_path_factory, files):
    options = ["--register", f"models/weights/1={files / 'model'}"]
    options += ["--register", f"codes/score/1={files / 'code'}"]
    options += ["--register", "environments/env/1", "--compute", "k8s"]
    # What the documentation says is enough is all that the client may do.
    options += [word for role in sorted(ROLES.glob("*.json")) for word in ("--role", str(role))]
    made = Cloud(tmp_path_factory.mktemp("cloud"), tuple(options)).start()
    yield made
    made.close()


@pytest.fixture(scope="module")
def shop(cloud):
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("AZUREML_CURRENT_CLOUD", "")  # so that what the SDK sets is taken back
        patch.delenv("AZUREML_CURRENT_CLOUD")
        for name, value in cloud.environment.items():
            patch.setenv(name, value)
        made = Shop(cloud, client(cloud))

        endpoint = sdk.ManagedOnlineEndpoint(name="shop", auth_mode="key", tags={"owner": "tests"})
        made.ml.online_endpoints.begin_create_or_update(endpoint).result()
        blue = made.ml.online_deployments.begin_create_or_update(made.deployment("blue"))
        green = made.ml.online_deployments.begin_create_or_update(made.deployment("green"))
        blue.result()
        green.result()
        yield made


@pytest.fixture
def steady(shop):
    """Blue has all the traffic, nothing goes wrong; afterwards no fault is left."""
    found = shop.cloud.arm("GET", "/onlineEndpoints/shop").json()["properties"]
    as_ever = ("Succeeded", "Key", {"blue": 100}, {})
    if as_ever != (
        found["provisioningState"],
        found["authMode"],
        found["traffic"],
        found["mirrorTraffic"],
    ):
        shop.split({"blue": 100}, auth_mode="key")
    yield shop
    shop.cloud.clear()
    shop.cloud.wait(lambda state: not busy(state))


def busy(state) -> bool:
    return any(
        each in ("Creating", "Updating", "Deleting")
        for endpoint in state["endpoints"].values()
        for each in [endpoint["state"], *endpoint["deployments"].values()]
    )


def body_of(shop: Shop, **properties: object) -> dict:
    found = shop.cloud.arm("GET", f"/onlineEndpoints/{shop.name}").json()
    kept = {key: found[key] for key in ("location", "identity", "tags")}
    given = {key: found["properties"][key] for key in ("authMode", "traffic", "mirrorTraffic")}
    return {**kept, "properties": {**given, **properties}}


# --- the control plane -----------------------------------------------------------------------


def test_a_write_answers_with_the_old_traffic_and_the_new_is_there_when_the_operation_ends(steady):
    body = body_of(steady, traffic={"blue": 70, "green": 30})
    steady.cloud.fault("stuck:on=endpoint.put")

    answer = steady.cloud.arm("PUT", "/onlineEndpoints/shop", body)
    during = steady.cloud.arm("GET", "/onlineEndpoints/shop").json()
    steady.cloud.clear()
    steady.cloud.wait(lambda state: not busy(state))
    after = steady.cloud.arm("GET", "/onlineEndpoints/shop").json()

    assert answer.status_code == 201
    assert answer.headers["x-ms-async-operation-timeout"] == "PT30M"
    assert answer.json()["properties"]["traffic"] == {"blue": 100}
    assert answer.json()["properties"]["provisioningState"] == "Updating"
    assert (
        during["properties"]["properties"]["AzureAsyncOperationUri"].split("?")[0]
        == (answer.headers["Azure-AsyncOperation"].split("?")[0])
    )
    assert after["properties"]["traffic"] == {"blue": 70, "green": 30}
    assert after["properties"]["provisioningState"] == "Succeeded"


def test_an_operation_ends_although_nobody_asks_for_it_and_says_so_when_somebody_does(steady):
    answer = steady.cloud.arm("PUT", "/onlineEndpoints/shop", body_of(steady))
    steady.cloud.wait(lambda state: not busy(state))

    headers = {"Authorization": f"Bearer {steady.cloud.token()}"}
    state = steady.cloud.plain().get(answer.headers["Azure-AsyncOperation"], headers=headers)

    assert state.json()["status"] == "Succeeded"
    assert state.json()["percentComplete"] == 100.0


def test_a_put_replaces_so_what_it_leaves_out_is_gone(steady):
    steady.split({"blue": 100}, {"green": 10}, tags={"owner": "tests"})
    fresh = sdk.ManagedOnlineEndpoint(name="shop", auth_mode="key", traffic={"blue": 100})

    found = steady.ml.online_endpoints.begin_create_or_update(fresh).result()

    assert (found.traffic, found.mirror_traffic, found.tags) == ({"blue": 100}, {}, {})


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"traffic": {"blue": 60, "green": 30}}, "sum to 0 or 100"),
        ({"traffic": {"blue": 90, "red": 10}}, "red does not exist"),
        ({"traffic": {"blue": "100"}}, "not an integer"),
        ({"mirrorTraffic": {"green": 51}}, "between 1 and 50"),
        ({"mirrorTraffic": {"blue": 10}}, "either live or mirror"),
        ({"mirrorTraffic": {"green": 10, "red": 5}}, "red does not exist"),
        ({"traffic": {}, "mirrorTraffic": {"green": 10}}, "needs live traffic"),
        ({"authMode": "Nobody"}, "authMode"),
        ({"compute": "/x/computes/other"}, "not attached"),
    ],
)
def test_what_the_service_refuses(steady, properties, said):
    answer = steady.cloud.arm("PUT", "/onlineEndpoints/shop", body_of(steady, **properties))

    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
    assert steady.cloud.state()["endpoints"]["shop"]["traffic"] == {"blue": 100}


def test_a_second_write_during_an_operation_is_a_conflict(steady):
    steady.cloud.fault("stuck:on=endpoint.put")

    first = steady.cloud.arm("PUT", "/onlineEndpoints/shop", body_of(steady))
    second = steady.cloud.arm("PUT", "/onlineEndpoints/shop", body_of(steady))

    assert (first.status_code, second.status_code) == (201, 409)
    assert second.json()["error"]["code"] == "Conflict"


def test_what_is_not_there_is_not_found_and_deleting_it_is_success(steady):
    missing = steady.cloud.arm("GET", "/onlineEndpoints/none")
    deployment = steady.cloud.arm("GET", "/onlineEndpoints/shop/deployments/none")
    deleted = steady.cloud.arm("DELETE", "/onlineEndpoints/shop/deployments/none")
    refused = steady.cloud.arm("DELETE", "/onlineEndpoints/shop/deployments/blue")

    assert (missing.status_code, deployment.status_code) == (404, 404)
    assert deleted.status_code == 204
    assert refused.status_code == 400
    assert "100 % of live traffic" in refused.json()["error"]["message"]


def test_the_sdk_reads_what_there_is(steady, tmp_path):
    request = tmp_path / "request.json"
    request.write_text("{}")

    endpoints = [each.name for each in steady.ml.online_endpoints.list()]
    deployments = {
        each.name: each.instance_count for each in steady.ml.online_deployments.list("shop")
    }
    answer = steady.ml.online_endpoints.invoke("shop", request_file=str(request))
    latest = steady.ml.models.get("weights", label="latest")
    sizes = {each.name for each in steady.ml.compute.list_sizes()}

    assert "shop" in endpoints
    assert deployments == {"blue": 1, "green": 1}
    assert answer == '["blue"]'
    assert latest.version == "1"
    assert "Standard_DS3_v2" in sizes


def test_a_kubernetes_endpoint_takes_deployments_and_no_mirror(steady):
    cloud, ml = steady.cloud, steady.ml
    endpoint = sdk.KubernetesOnlineEndpoint(name="kube", auth_mode="key", compute="k8s")
    ml.online_endpoints.begin_create_or_update(endpoint).result()
    made = sdk.KubernetesOnlineDeployment(
        name="blue",
        endpoint_name="kube",
        model="azureml:weights:1",
        environment="azureml:env:1",
        code_configuration=sdk.CodeConfiguration(
            code=f"{cloud.workspace_id}/codes/score/versions/1", scoring_script="score.py"
        ),
        environment_variables={"COLOR": "blue"},
        instance_count=1,
    )
    found = ml.online_deployments.begin_create_or_update(made).result()
    body = body_of(Shop(cloud, ml, "kube"), traffic={"blue": 100}, mirrorTraffic={"blue": 10})
    body["properties"]["compute"] = f"{cloud.workspace_id}/computes/k8s"

    refused = cloud.arm("PUT", "/onlineEndpoints/kube", body)
    cloud.arm("DELETE", "/onlineEndpoints/kube")
    cloud.wait(lambda state: "kube" not in state["endpoints"])

    assert found.provisioning_state == "Succeeded"
    assert refused.status_code == 400
    assert "not supported for Kubernetes" in refused.json()["error"]["message"]


def test_a_deployment_that_cannot_start_leaves_a_failed_operation_and_its_log(steady):
    broken = steady.deployment("red", environment_variables={"COLOR": "red", "BROKEN": "1"})

    with pytest.raises(sdk.HttpResponseError) as raised:
        steady.put(broken)
    found = steady.ml.online_deployments.get("red", "shop")
    log = steady.ml.online_deployments.get_logs("red", "shop", lines=200)
    steady.ml.online_deployments.begin_delete("red", "shop").result()

    assert raised.value.status_code == 200
    assert raised.value.error.code == "ResourceNotReady"
    assert found.provisioning_state == "Failed"
    assert "no such model" in log


def test_deleting_an_endpoint_ends_what_goes_on_with_its_deployments(steady):
    cloud, body = steady.cloud, body_of(steady, traffic={}, mirrorTraffic={})
    green = cloud.arm("GET", "/onlineEndpoints/shop/deployments/green").json()
    given = {k: v for k, v in green["properties"].items() if v is not None}
    cloud.arm("PUT", "/onlineEndpoints/brief", body)
    cloud.wait(lambda state: not busy(state))
    cloud.fault("slow:on=deployment.put,seconds=4")

    path = "/onlineEndpoints/brief/deployments/green"
    sent = {**{key: green[key] for key in ("location", "sku", "tags")}, "properties": given}
    operation = cloud.arm("PUT", path, sent).headers["Azure-AsyncOperation"]
    cloud.arm("DELETE", "/onlineEndpoints/brief")
    cloud.wait(lambda state: "brief" not in state["endpoints"])
    ended = cloud.wait(lambda state: all(each.get("endTime") for each in state["operations"]))

    [found] = [each for each in ended["operations"] if each["name"] in operation]
    assert (found["status"], found["error"]["code"]) == ("Failed", "OperationCanceled")
    assert not (cloud.state_folder / "endpoints/brief").exists()


def test_instance_types_stay_and_quota_counts_a_fifth_more(steady):
    body = steady.cloud.arm("GET", "/onlineEndpoints/shop/deployments/green").json()
    sent = {key: body[key] for key in ("location", "sku", "tags")}
    given = {k: v for k, v in body["properties"].items() if v is not None}

    other = steady.cloud.arm(
        "PUT",
        "/onlineEndpoints/shop/deployments/green",
        {**sent, "properties": {**given, "instanceType": "Standard_F4s_v2"}},
    )
    many = steady.cloud.arm(
        "PUT",
        "/onlineEndpoints/shop/deployments/green",
        {**sent, "sku": {"name": "Default", "capacity": 20}, "properties": given},
    )

    assert (other.status_code, many.status_code) == (400, 400)
    assert "instanceType cannot be changed" in other.json()["error"]["message"]
    assert many.json()["error"]["code"] == "OutOfQuota"
    assert "8/100. Additional needed: 96" in many.json()["error"]["message"]


def test_who_has_no_good_token_gets_no_answer(steady):
    cloud = steady.cloud
    address = f"{cloud.base}{cloud.workspace_id}/onlineEndpoints/shop"
    wrong = {"client_id": cloud.environment["AZURE_CLIENT_ID"], "client_secret": "wrong"}
    login = f"{cloud.base}/{cloud.environment['AZURE_TENANT_ID']}/oauth2/v2.0/token"
    stranger = {"Authorization": f"Bearer {cloud.token('https://ml.azure.test')}"}

    nobody = cloud.plain().get(address)
    somebody = cloud.plain().get(address, headers=stranger)
    refused = cloud.plain().post(login, data=wrong)

    assert (nobody.status_code, somebody.status_code, refused.status_code) == (401, 401, 401)
    assert nobody.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")
    assert "AADSTS7000215" in refused.json()["error_description"]


# --- the data plane --------------------------------------------------------------------------


def test_traffic_is_split_and_mirrored_by_real_servers(steady):
    steady.split({"blue": 80, "green": 20})
    live = steady.answers(200)
    steady.split({"blue": 100}, {"green": 50})
    before = shadows(steady)
    mirrored = steady.answers(100)

    steady.cloud.wait(lambda _: shadows(steady) - before >= 30)
    assert 20 <= live["green"] <= 65, live
    assert mirrored == {"blue": 100}
    assert shadows(steady) - before <= 70


def shadows(shop: Shop) -> int:
    lines = (shop.cloud.state_folder / "endpoints/shop/access.jsonl").read_text().splitlines()
    return sum(json.loads(line)["shadow"] for line in lines)


def test_a_header_chooses_the_deployment_and_answers_say_who_it_was(steady):
    answer = steady.score(deployment="green", **{"x-ms-client-request-id": "mine"})
    nobody = steady.score(deployment="red")
    elsewhere = steady.cloud.plain().post(f"{steady.cloud.base}/endpoints/none/score", json={})

    assert answer.json() == ["green"]
    assert answer.headers["azureml-model-deployment"] == "green"
    assert answer.headers["x-ms-client-request-id"] == "mine"
    assert float(answer.headers["x-ms-run-fn-exec-ms"]) >= 0
    assert answer.headers["x-request-id"]
    assert (nobody.status_code, elsewhere.status_code) == (404, 404)


def test_a_models_error_is_a_424_with_the_real_code_in_a_header(steady):
    answer = steady.score({"fail": True})

    assert answer.status_code == 424
    assert answer.headers["ms-azureml-model-error-statuscode"] == "500"
    assert answer.headers["azureml-model-deployment"] == "blue"


def test_keys_and_tokens_open_the_scoring_uri_and_nothing_else_does(steady):
    cloud, ml = steady.cloud, steady.ml
    steady.split({"blue": 100}, auth_mode="aml_token")
    token = ml.online_endpoints.get_keys("shop").access_token
    with_token = steady.score(Authorization=f"Bearer {token}").status_code
    with_key = steady.score(Authorization="Bearer nonsense").status_code
    steady.split({"blue": 100}, auth_mode="aad_token")
    entra = cloud.token("https://ml.azure.test")
    with_entra = steady.score(Authorization=f"Bearer {entra}").status_code
    with_arm = steady.score(Authorization=f"Bearer {cloud.token()}").status_code

    steady.split({"blue": 100}, auth_mode="key")

    assert (with_token, with_key, with_entra, with_arm) == (200, 401, 200, 401)
    assert steady.score().status_code == 200


def test_no_request_fails_while_the_split_changes(steady):
    codes: Counter = Counter()
    stopped, key = threading.Event(), steady.key

    def ask() -> None:
        with steady.cloud.another() as client:
            while not stopped.is_set():
                answer = steady.score(client=client, Authorization=f"Bearer {key}")
                codes[answer.status_code] += 1

    clients = [threading.Thread(target=ask) for _ in range(3)]
    for each in clients:
        each.start()
    for traffic in ({"blue": 50, "green": 50}, {"green": 100}, {"blue": 100}):
        steady.split(traffic)
    steady.put(steady.deployment("green", instance_count=2))
    steady.put(steady.deployment("green"))
    stopped.set()
    for each in clients:
        each.join()

    assert set(codes) == {200}
    assert codes[200] > 100


def test_inline_assets_are_uploaded_and_served(steady, files):
    deployment = steady.deployment("inline")
    deployment.model = sdk.Model(name="uploaded", version="1", path=files / "model")
    deployment.code_configuration = sdk.CodeConfiguration(
        code=str(files / "code"), scoring_script="score.py"
    )
    deployment.environment = sdk.Environment(
        name="uploaded", version="1", image="registry.test/x:1"
    )

    steady.put(deployment)
    answer = steady.score(deployment="inline")
    log = steady.ml.online_deployments.get_logs(
        "inline", "shop", lines=50, container_type="storage-initializer"
    )
    steady.ml.online_deployments.begin_delete("inline", "shop").result()

    assert answer.json() == ["inline"]
    assert "model" in log


# --- what is measured ------------------------------------------------------------------------


def test_metrics_are_those_of_the_real_requests(steady):
    began = datetime.now(UTC) - timedelta(minutes=3)
    for body in ({}, {}, {"fail": True}):
        steady.score(body, deployment="green")
    credential = sdk.EnvironmentCredential(disable_instance_discovery=True)
    base = steady.cloud.base

    with sdk.MetricsClient(base, credential, audience=base) as asking:

        def metrics() -> list[object]:
            [found] = asking.query_resources(
                resource_ids=[f"{steady.cloud.workspace_id}/onlineEndpoints/shop"],
                metric_namespace="Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
                metric_names=["RequestsPerMinute", "RequestLatency_P95"],
                timespan=(began, datetime.now(UTC)),
                granularity=timedelta(minutes=1),
                aggregations=["Average"],
                filter="deployment eq 'green'",
            )
            return found.metrics

        def counted() -> float:
            [points] = [series.data for series in metrics()[0].timeseries]
            return sum(point.average or 0 for point in points)

        steady.cloud.wait(lambda _: counted() >= 3)
        requests, latency = metrics()

    [points] = [series.data for series in requests.timeseries]
    assert any(point.average is None for point in points), "a minute without requests has no value"
    assert latency.unit == "MilliSeconds"
    assert max(point.average or 0 for point in latency.timeseries[0].data) > 0


@pytest.fixture
def logs(shop):
    """Asks Log Analytics for the rows of a query on the last ten minutes."""
    credential = sdk.EnvironmentCredential(disable_instance_discovery=True)
    workspace = shop.cloud.environment["LOG_ANALYTICS_WORKSPACE_ID"]
    with sdk.LogsQueryClient(credential, endpoint=shop.cloud.base) as asking:

        def ask(query: str) -> list[list[object]]:
            span = timedelta(minutes=10)
            found = asking.query_workspace(workspace, query, timespan=span)
            return [list(row) for row in found.tables[0].rows]

        yield ask


def test_log_analytics_knows_each_request_and_each_copy(steady, logs):
    steady.split({"blue": 100}, {"green": 50})
    copies = shadows(steady)
    for number in range(30):
        steady.score({"fail": number == 0}, **{"User-Agent": "counting/1"})
    steady.cloud.wait(lambda _: shadows(steady) - copies > 5)
    written = shadows(steady) - copies
    query = """AmlOnlineEndpointTrafficLog
        | where EndpointName =~ "shop" and TimeGenerated between (ago(10m) .. now())
        | summarize n=count(), bad=countif(toint(ResponseCode) == 424), min(TotalDurationMs)
            by DeploymentName, UserAgent, AuthType"""

    def counted() -> dict[tuple[object, object], list[object]]:
        return {(row[0], row[1]): row[2:] for row in logs(query)}

    steady.cloud.wait(
        lambda _: counted().get(("blue", "counting/1"), [0, 0])[1] == 30
    )  # all are written
    found = counted()
    fails = logs('AmlOnlineEndpointTrafficLog | where UserAgent == "counting/1" '
                 'and ModelStatusCode == "500" | project TimeGenerated, DeploymentName')  # fmt: skip

    assert found["blue", "counting/1"][:3] == ["Key", 30, 1]
    assert found["green", ""][1] >= written
    assert [row[1] for row in fails] == ["blue"]
    assert fails[0][0].tzinfo is not None


def test_a_query_that_is_not_understood_is_refused(steady, logs):
    with pytest.raises(sdk.HttpResponseError) as refused:
        logs("AmlOnlineEndpointTrafficLog | render timechart")

    assert refused.value.error.code == "BadArgumentError"


# --- faults ----------------------------------------------------------------------------------


def update(shop: Shop) -> object:
    return shop.split({"blue": 90, "green": 10}).traffic


@pytest.mark.parametrize(
    ("fault", "calls"),
    [
        ("429:on=endpoint.put,times=2,retry_after=0.1", 3),
        ("503:on=endpoint.put", 2),
        ("500:on=operation.get,times=2", 1),
        ("slow:on=endpoint.put,seconds=1", 1),
        ("lost:on=endpoint.get", 1),
    ],
)
def test_the_sdk_comes_through_what_passes(steady, fault, calls):
    before = steady.cloud.calls("endpoint.put")
    steady.cloud.fault(fault)

    found = update(steady)

    assert found == {"blue": 90, "green": 10}
    assert steady.cloud.calls("endpoint.put") - before == calls


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("409:on=endpoint.put", 409, "Conflict"),
        ("403:on=endpoint.put", 403, "AuthorizationFailed"),
        ("404:on=operation.get", 404, "NotFound"),
        ("fail:on=endpoint.put,code=Broken,message=on purpose", 200, "Broken"),
    ],
)
def test_the_sdk_says_what_does_not_pass(steady, fault, status, code):
    steady.cloud.fault(fault)

    with pytest.raises(sdk.HttpResponseError) as raised:
        update(steady)

    assert raised.value.status_code == status
    assert raised.value.error.code == code


def test_a_failed_write_changes_no_traffic(steady):
    steady.cloud.fault("fail:on=endpoint.put")

    steady.cloud.arm("PUT", "/onlineEndpoints/shop", body_of(steady, traffic={"green": 100}))
    state = steady.cloud.wait(lambda state: not busy(state))["endpoints"]["shop"]

    assert (state["state"], state["traffic"]) == ("Failed", {"blue": 100})
    assert steady.answers(10) == {"blue": 10}


def test_a_lost_reply_was_carried_out(steady):
    steady.cloud.fault("lost:on=endpoint.put")
    body = body_of(steady, traffic={"green": 100})

    with pytest.raises(httpx.TransportError):
        steady.cloud.arm("PUT", "/onlineEndpoints/shop", body)
    state = steady.cloud.wait(lambda state: not busy(state))

    assert state["endpoints"]["shop"]["traffic"] == {"green": 100}
    assert steady.cloud.records()[-1]["lost"] or any(
        each.get("lost") for each in steady.cloud.records()
    )


def test_a_stuck_operation_goes_on_when_the_fault_is_taken_away(steady):
    steady.cloud.fault("stuck:on=endpoint.put")
    steady.cloud.arm("PUT", "/onlineEndpoints/shop", body_of(steady, traffic={"green": 100}))
    time.sleep(0.8)

    during = steady.cloud.state()["endpoints"]["shop"]
    steady.cloud.clear()
    after = steady.cloud.wait(lambda state: not busy(state))["endpoints"]["shop"]

    assert (during["state"], during["traffic"]) == ("Updating", {"blue": 100})
    assert (after["state"], after["traffic"]) == ("Succeeded", {"green": 100})


@pytest.mark.parametrize("how", ["seconds=4,times=always", "alternate=true,times=2"])
def test_reads_may_lag_behind(steady, how):
    steady.cloud.fault(f"stale:{how}")

    steady.cloud.arm("PUT", "/onlineEndpoints/shop", body_of(steady, traffic={"green": 100}))
    steady.cloud.wait(lambda state: not busy(state))
    seen = []
    until = time.monotonic() + 60
    while time.monotonic() < until and seen.count({"green": 100}) < 3:
        found = steady.cloud.arm("GET", "/onlineEndpoints/shop").json()
        seen.append(found["properties"]["traffic"])
        time.sleep(0.1)

    assert {"blue": 100} in seen
    assert seen[-1] == {"green": 100}


def test_quota_can_be_exhausted(steady):
    steady.cloud.fault("quota")

    with pytest.raises(sdk.HttpResponseError) as raised:
        steady.put(steady.deployment("green", instance_count=2))

    assert raised.value.error.code == "OutOfQuota"


def test_scoring_can_fail_on_purpose_and_is_not_tried_again(steady):
    steady.cloud.fault("503:on=score,times=2")

    codes = [steady.score().status_code for _ in range(3)]

    assert codes == [503, 503, 200]


# --- its own life ----------------------------------------------------------------------------


def test_a_killed_emulator_goes_on_where_it_was(steady):
    steady.cloud.fault("slow:on=endpoint.put,seconds=25")
    steady.cloud.arm("PUT", "/onlineEndpoints/shop", body_of(steady, traffic={"green": 100}))
    key = steady.key
    before = servers(steady.cloud)

    steady.cloud.restart()
    during = steady.cloud.state()["endpoints"]["shop"]
    after = steady.cloud.wait(lambda state: not busy(state))["endpoints"]["shop"]

    assert (during["state"], during["traffic"]) == ("Updating", {"blue": 100})
    assert (after["state"], after["traffic"]) == ("Succeeded", {"green": 100})
    assert steady.score(Authorization=f"Bearer {key}").json() == ["green"]
    assert servers(steady.cloud) == before


def servers(cloud: Cloud) -> set[int]:
    known = json.loads((cloud.state_folder / "endpoints/shop/processes.json").read_text())
    return {one["pid"] for each in known["servers"].values() for one in each}


def test_every_recorded_body_is_one_of_the_sdks_models_and_has_no_secret(steady):
    records = steady.cloud.records()

    # Those of other tests are wrong on purpose.
    ours = [each for each in records if "azure-ai-ml" not in each["headers"].get("user-agent", "")]
    for each in ours:
        each["body"] = None
    wrong = sorted({problem for record in different(records) for problem in problems(record)})
    text = steady.cloud.record.read_text()

    assert wrong == []
    assert len(records) - len(ours) > 50
    assert steady.key not in text
    assert steady.cloud.environment["AZURE_CLIENT_SECRET"] not in text
    assert "eyJ" not in text


def test_an_orderly_end_leaves_nothing_running_and_the_state(steady):
    code = steady.cloud.stop()
    down = json.loads((steady.cloud.state_folder / "emulator.json").read_text())

    steady.cloud.start()

    assert code == 0
    assert [one["name"] for one in down["endpoints"]] == ["shop"]
    assert steady.score().json() == ["blue"]
