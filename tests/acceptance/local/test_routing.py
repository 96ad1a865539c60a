"""Who gets which request, and who is let in."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from rollout.adapters.endpoints.local import administer
from rollout.adapters.endpoints.local.endpoint import LocalEndpoint
from rollout.domain.endpoint import DeleteDeployment, SetSplit
from rollout.domain.errors import EndpointRefused
from tests.acceptance.local.world import BODY, World, bring_up, perform, port_of, send, send_many

pytestmark = pytest.mark.xdist_group("routing")  # one endpoint for all of them


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("routing"))
    world.write("blue", request_settings={"request_timeout_ms": 3000})
    world.write("green", request_settings={"request_timeout_ms": 20_000})
    yield world
    world.endpoint().destroy()


@pytest.fixture(scope="module")
def up(world: World) -> LocalEndpoint:
    return bring_up(world)


@pytest.fixture
def endpoint(up: LocalEndpoint) -> LocalEndpoint:
    perform(up, SetSplit({"blue": 100}))
    return up


def one(endpoint: LocalEndpoint, body: bytes = BODY, **headers: str):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(send(port_of(endpoint), endpoint.key_value(), body, named))


def log_lines(endpoint: LocalEndpoint, world: World) -> list[dict[str, object]]:
    path = world.home / world.name / "access.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("key", [None, "", "wrong"])
def test_nobody_gets_in_without_the_key(endpoint: LocalEndpoint, key: str | None) -> None:
    got = asyncio.run(send(port_of(endpoint), key))

    assert got.status == 401


@pytest.mark.parametrize(("right", "status"), [(True, 404), (False, 401)])
def test_another_path_is_not_found_with_the_key_and_nobody_gets_in_without(
    endpoint: LocalEndpoint, right: bool, status: int
) -> None:
    key = endpoint.key_value() if right else "wrong"

    got = [
        asyncio.run(send(port_of(endpoint), key, path=path, headers=headers))
        for path in ("/", "/score/", "/other?x=1", "/swagger.json")
        for headers in ({}, {"azureml-model-deployment": "green"})
    ]

    assert [one.status for one in got] == [status] * 8
    if right:
        said = "This endpoint answers at /score only; its metrics are at GET /metrics."
        assert got[0].json == {"message": said}


def test_the_header_chooses_a_deployment_at_0_percent(endpoint: LocalEndpoint) -> None:
    got = one(endpoint, azureml_model_deployment="green")

    assert (got.status, got.deployment, got.json["who"]) == (200, "green", "green")


def test_an_unknown_deployment_is_404(endpoint: LocalEndpoint) -> None:
    assert one(endpoint, azureml_model_deployment="nobody").status == 404


def test_an_endpoint_without_live_traffic_is_404_but_reachable_by_header(
    endpoint: LocalEndpoint,
) -> None:
    perform(endpoint, SetSplit({}))

    assert one(endpoint).status == 404
    assert one(endpoint, azureml_model_deployment="blue").status == 200
    assert endpoint.observe().traffic == {}


def test_the_split_is_kept_within_sampling_error(endpoint: LocalEndpoint) -> None:
    perform(endpoint, SetSplit({"blue": 70, "green": 30}))

    got = send_many(port_of(endpoint), endpoint.key_value(), 600)

    answers = Counter(each.deployment for each in got)
    assert Counter(each.status for each in got) == {200: 600}
    assert abs(answers["green"] - 180) < 5 * (600 * 0.3 * 0.7) ** 0.5
    assert endpoint.observe().traffic == {"blue": 70, "green": 30}


def test_mirrored_copies_are_exact_joined_and_invisible(
    world: World, endpoint: LocalEndpoint
) -> None:
    perform(endpoint, SetSplit({"blue": 100}, {"green": 50}))
    cursor = endpoint.cursor()
    began = world.clock.now()

    got = send_many(port_of(endpoint), endpoint.key_value(), 400)
    by_header = send_many(
        port_of(endpoint), endpoint.key_value(), 40, headers={"azureml-model-deployment": "blue"}
    )

    def pairs() -> tuple[list[dict[str, object]], list[dict[str, object]]]:
        lines = [x for x in log_lines(endpoint, world) if float(x["ts"]) > began]
        return [x for x in lines if not x["shadow"]], [x for x in lines if x["shadow"]]

    world.until(lambda: len(pairs()[0]) == 440 and len(pairs()[1]) > 140)
    live, shadow = pairs()
    split = {line["id"] for line in live if line["route"] == "split"}
    assert {each.deployment for each in got + by_header} == {"blue"}
    assert len(split) == 400
    assert {line["id"] for line in shadow} <= split
    assert abs(len(shadow) - 200) < 5 * 10
    arms = endpoint.read(cursor, mirrored=True, histogram=True).interval.arms
    assert (arms["baseline"].requests, arms["baseline"].errors) == (400, 0)
    assert (arms["candidate"].requests, arms["candidate"].errors) == (len(shadow), 0)
    assert sum(arms["candidate"].latency.values()) == len(shadow)


def test_a_failing_shadow_is_measured_and_not_felt(world: World, endpoint: LocalEndpoint) -> None:
    perform(endpoint, SetSplit({"blue": 100}, {"green": 50}))
    cursor = endpoint.cursor()
    body = b'{"only": "green", "raise": true}'

    got = send_many(port_of(endpoint), endpoint.key_value(), 100, body=body)

    def arms():
        return endpoint.read(cursor, mirrored=True, histogram=False).interval.arms

    world.until(lambda: arms()["baseline"].requests == 100 and arms()["candidate"].requests > 20)
    assert {each.status for each in got} == {200}
    assert arms()["candidate"].errors == arms()["candidate"].requests
    assert arms()["baseline"].errors == 0


def test_each_deployment_has_its_own_time_limit_and_survives_it(
    world: World, endpoint: LocalEndpoint
) -> None:
    perform(endpoint, SetSplit({"blue": 50, "green": 50}))
    slow = b'{"sleep": 3.6}'

    blue = one(endpoint, slow, azureml_model_deployment="blue")
    green = one(endpoint, slow, azureml_model_deployment="green")
    through_split = send_many(port_of(endpoint), endpoint.key_value(), 2, at_once=1, body=slow)
    # A server goes on with what its client gave up on; it must come back once that is done.
    world.until(lambda: one(endpoint, azureml_model_deployment="blue").status == 200)
    after = send_many(port_of(endpoint), endpoint.key_value(), 20)

    assert (blue.status, green.status) == (504, 200)
    assert {(x.deployment, x.status) for x in through_split} <= {("blue", 504), ("green", 200)}
    assert {each.status for each in after} == {200}


def test_a_crashing_worker_costs_its_own_request_only(endpoint: LocalEndpoint) -> None:
    perform(endpoint, SetSplit({"green": 100}))

    crashed = one(endpoint, b'{"exit": true}')
    after = send_many(port_of(endpoint), endpoint.key_value(), 20)

    assert crashed.status == 503
    assert {each.status for each in after} == {200}


def test_a_client_cannot_steer_timeouts_and_retries(endpoint: LocalEndpoint) -> None:
    got = one(endpoint, b'{"sleep": 0.3}', x_envoy_upstream_rq_timeout_ms="10")

    assert got.status == 200


def test_the_scoring_script_never_sees_the_key(endpoint: LocalEndpoint) -> None:
    got = one(endpoint)

    headers = {name.lower() for name in got.json["headers"]}
    assert "authorization" not in headers
    assert endpoint.key_value() not in got.body.decode()


def test_the_scoring_script_gets_no_secret_of_the_runner(
    endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = one(endpoint).json["env"]

    assert environment["OMP_NUM_THREADS"] == "1"
    assert environment["SCORING_TIMEOUT_MS"] == "3250"
    assert not [name for name in environment if name.startswith(("PYTEST", "GITHUB", "VIRTUAL"))]


def test_nothing_listens_outside_the_loopback(world: World, endpoint: LocalEndpoint) -> None:
    running = administer.processes(world.home, world.name, world.clock)
    pids = [one.pid for one in running]
    pids += [child.pid for pid in pids for child in psutil.Process(pid).children(recursive=True)]

    listening = [
        connection.laddr.ip
        for pid in pids
        for connection in psutil.Process(pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]

    assert len(listening) >= 3
    assert set(listening) == {"127.0.0.1"}


def test_the_key_is_in_no_argument_and_in_no_log(world: World, endpoint: LocalEndpoint) -> None:
    one(endpoint)
    key = endpoint.key_value()
    running = administer.processes(world.home, world.name, world.clock)
    folder = world.home / world.name

    arguments = [" ".join(psutil.Process(one.pid).cmdline()) for one in running]
    environments = [str(psutil.Process(one.pid).environ()) for one in running]
    holding = [
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file() and key.encode() in path.read_bytes()
    ]

    assert not [text for text in arguments + environments if key in text]
    assert sorted(map(str, holding)) == ["keys.json", "xds/rds.json"]
    assert {oct(path.stat().st_mode & 0o777) for path in map(folder.joinpath, holding)} == {"0o600"}


@pytest.mark.parametrize(
    ("traffic", "mirror"),
    [
        ({"blue": 90}, {}),
        ({"blue": 100, "nobody": 0, "other": 0}, {"green": 51}),
        ({"blue": 50, "nobody": 50}, {}),
        ({"blue": 90, "green": 10}, {"green": 10}),
        ({"blue": 100}, {"green": 10, "blue": 10}),
        ({}, {"green": 10}),
        ({"blue": 120, "green": -20}, {}),
    ],
)
def test_a_wrong_split_is_refused_and_changes_nothing(
    endpoint: LocalEndpoint, traffic: dict[str, int], mirror: dict[str, int]
) -> None:
    with pytest.raises(EndpointRefused):
        perform(endpoint, SetSplit(traffic, mirror))

    seen = endpoint.observe()
    assert (seen.traffic, seen.mirror) == ({"blue": 100}, {})


def test_a_deployment_with_traffic_cannot_be_deleted(endpoint: LocalEndpoint) -> None:
    perform(endpoint, SetSplit({"blue": 100}, {"green": 10}))

    for name in ("blue", "green"):
        with pytest.raises(EndpointRefused, match="traffic"):
            perform(endpoint, DeleteDeployment(name))
    perform(endpoint, DeleteDeployment("nobody"))


def test_the_pre_checks_pass_and_ask_the_baseline(endpoint: LocalEndpoint) -> None:
    findings = endpoint.preflight()

    assert [one.text for one in findings if not one.ok] == []
    assert "sample request" in [one.name for one in findings]


def test_the_model_is_where_azure_puts_it(endpoint: LocalEndpoint) -> None:
    environment = one(endpoint).json["env"]

    assert (Path(environment["AZUREML_MODEL_DIR"]) / "model" / "who.txt").read_text() == "blue"
    assert (Path(environment["AML_APP_ROOT"]) / "score.py").exists()
    assert "Error" not in endpoint.logs("blue", tail=10**6).partition("POST /score")[0]
