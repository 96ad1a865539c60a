"""The control plane's door: who may ask for what, and what goes wrong on purpose."""

import asyncio
import json

import pytest

from rollout.emulator import control
from rollout.emulator.faults import Fault
from rollout.emulator.roles import Role
from rollout.emulator.routes import ROUTES, find
from rollout.emulator.settings import CLIENT, TENANT, Registered
from rollout.emulator.wire import Asked
from tests.unit.emulator.bench import BASE, ENDPOINT, Bench, code


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"client_secret": "x"}, 401),
        ({"client_id": "x"}, 400),
        ({"tenant": "x"}, 400),
    ],
    ids=["right", "secret", "client", "tenant"],
)
def test_only_the_right_secret_gets_a_token(bench, changes, status):
    given = {"client_id": CLIENT, "client_secret": bench.site.client_secret, "tenant": TENANT}
    given |= changes
    form = "&".join(f"{key}={value}" for key, value in given.items())
    path = f"/{given['tenant']}/oauth2/v2.0/token"
    asked = Asked("unknown", "POST", path, body=form.encode())

    _, reply = asyncio.run(control.answer(bench.site, asked))

    assert reply.status == status


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer x"}, {"authorization": "Basic x"}],
    ids=["none", "nonsense", "basic"],
)
def test_without_a_token_there_is_a_challenge(bench, headers):
    path = f"{bench.settings.workspace_id}/onlineEndpoints"

    reply = bench.ask("GET", path, headers=headers)

    assert (reply.status, code(reply)) == (401, "AuthenticationFailed")
    assert reply.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


def test_a_token_is_for_one_audience_and_for_a_day(bench):
    path = f"{bench.settings.workspace_id}/onlineEndpoints"
    old = bench.site.tokens.issue(BASE, bench.clock.now() - 90_000)

    stranger = bench.ask("GET", path, audience="https://ml.azure.test")
    late = bench.ask("GET", path, headers={"authorization": f"Bearer {old}"})

    assert (stranger.status, late.status) == (401, 401)
    assert bench.ask("GET", path).status == 200


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("workspaces/mlw-lab", "workspaces/other", "ResourceNotFound"),
        ("resourceGroups/rg-lab", "resourceGroups/other", "ResourceGroupNotFound"),
        ("subscriptions/0", "subscriptions/9", "SubscriptionNotFound"),
    ],
)
def test_another_workspace_is_not_there(bench, old, new, expected):
    reply = bench.ask("GET", bench.settings.workspace_id.replace(old, new))

    assert (reply.status, code(reply)) == (404, expected)


def test_names_are_the_same_in_any_case(bench):
    bench.given()
    path = f"{bench.settings.workspace_id}/onlineEndpoints/SHOP".replace("workspaces", "Workspaces")

    assert bench.ask("GET", path.lower()).status == 200
    assert bench.ask("GET", path).body["name"] == "shop"


def test_what_it_does_not_know_it_says(bench):
    reply = bench.ask("GET", "/subscriptions/x/providers/Microsoft.Batch/x")

    assert (reply.status, code(reply)) == (501, "EmulatorUnhandled")


def test_a_role_opens_just_what_it_names(tmp_path):
    role = tmp_path / "role.json"
    prefix = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
    given = {"Actions": [f"{prefix}/*"], "NotActions": [f"{prefix}/delete"], "DataActions": []}
    role.write_text(json.dumps({"Name": "test", **given}))
    bench = Bench(tmp_path, roles=(Role.read(role),))
    bench.given()

    allowed = bench.arm("GET", "/onlineEndpoints/shop")
    denied = bench.arm("DELETE", "/onlineEndpoints/shop")
    shown = bench.ask("GET", f"{bench.settings.workspace_id}")

    assert allowed.status == 200
    assert (denied.status, code(denied)) == (403, "AuthorizationFailed")
    assert f"{prefix}/delete" in denied.body["error"]["message"]
    assert shown.status == 403


def test_every_call_but_those_before_a_login_needs_a_token_and_most_a_permission():
    assert {one.operation for one in ROUTES if not one.audience} == {
        "cloud.metadata", "identity.openid", "identity.token",
    }  # fmt: skip
    assert {one.operation for one in ROUTES if one.audience and not one.action} == {
        "group.get",
    }  # fmt: skip


def test_each_call_is_found_by_its_own_path():
    workspace = (
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
    )

    found = {
        path: find(method, f"{workspace}{path}")[0].operation
        for method, path in (
            ("GET", "/onlineEndpoints/a/deployments"),
            ("GET", "/onlineEndpoints/a/deployments/b"),
            ("POST", "/onlineEndpoints/a/deployments/b/getLogs"),
            ("POST", "/onlineEndpoints/a/listKeys"),
            ("POST", "/codes/c/versions/1/startPendingUpload"),
        )
    }

    assert list(found.values()) == [
        "deployment.list", "deployment.get", "deployment.logs", "keys", "asset.upload",
    ]  # fmt: skip


def test_a_refusal_on_purpose_comes_before_everything(bench):
    bench.site.faults.add(Fault.parse("429:on=endpoint.put,retry_after=3"))

    reply = bench.arm("PUT", "/onlineEndpoints/shop", ENDPOINT)

    assert (reply.status, code(reply)) == (429, "TooManyRequests")
    assert reply.headers["Retry-After"] == "3"
    assert bench.site.records.endpoints == {}


def test_assets_of_the_start_are_registered(tmp_path):
    (tmp_path / "model").mkdir()
    texts = (f"models/weights/1={tmp_path / 'model'}", "environments/env/2")
    bench = Bench(tmp_path, registered=tuple(map(Registered.parse, texts)))

    model = bench.arm("GET", "/models/weights/versions/1")
    newest = bench.arm("GET", "/environments/env/versions")
    together = bench.arm("GET", "/models/weights")

    assert model.body["properties"]["flavors"] == {}
    assert [each["name"] for each in newest.body["value"]] == ["2"]
    assert together.body["properties"]["latestVersion"] == "1"
    assert bench.arm("GET", "/models/weights/versions/2").status == 404
    assert bench.arm("GET", "/models/none").status == 404
