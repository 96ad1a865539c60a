"""The endpoint's page for Prometheus: who may read it, and what it says."""

from __future__ import annotations

import http.client
import re
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from rollout.adapters.endpoints.local import listeners
from rollout.adapters.endpoints.local.endpoint import LocalEndpoint
from rollout.domain.endpoint import SetSplit
from tests.acceptance.local.world import World, bring_up, perform, port_of, send_many
from tests.prometheus import JOB, prometheus_server

pytestmark = pytest.mark.xdist_group("metrics")  # one endpoint for all of them


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("metrics"))
    world.write("blue")
    world.write("green")
    yield world
    world.endpoint().destroy()


@pytest.fixture(scope="module")
def endpoint(world: World) -> LocalEndpoint:
    endpoint = bring_up(world)
    perform(endpoint, SetSplit({"blue": 50, "green": 50}))
    return endpoint


def ask(
    endpoint: LocalEndpoint, path: str = "/metrics", *, method: str = "GET", key: str | None = None
) -> tuple[int, str, str]:
    """Status, content type and text; the path goes out as it is written here."""
    connection = http.client.HTTPConnection("127.0.0.1", port_of(endpoint), timeout=60)
    try:
        value = endpoint.key_value() if key is None else key
        connection.request(method, path, headers={"Authorization": f"Bearer {value}"})
        got = connection.getresponse()
        return got.status, got.headers.get("content-type", ""), got.read().decode()
    finally:
        connection.close()


def counted(text: str, deployment: str, status: str = "200") -> int:
    """Requests of a deployment so far that were answered so; a series begins with its first one."""
    name = f'envoy_response_code="{status}",envoy_cluster_name="ep~{deployment}~live"'
    found = re.search(rf"^envoy_cluster_upstream_rq\{{{name}\}} (\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else 0


def buckets(text: str, deployment: str) -> dict[str, int]:
    """Upper edge, milliseconds -> requests up to there."""
    name = f'envoy_cluster_name="ep~{deployment}~live"'
    pattern = rf'^envoy_cluster_upstream_rq_time_bucket\{{{name},le="(.*)"\}} (\d+)$'
    return {edge: int(count) for edge, count in re.findall(pattern, text, re.MULTILINE)}


@pytest.mark.parametrize("key", ["", "wrong"])
def test_the_page_needs_the_key(endpoint: LocalEndpoint, key: str) -> None:
    status, _, text = ask(endpoint, key=key)

    assert status == 401
    assert "envoy_" not in text


def test_the_page_counts_each_answer_with_its_latency(
    world: World, endpoint: LocalEndpoint
) -> None:
    status, kind, before = ask(endpoint)

    got = send_many(port_of(endpoint), endpoint.key_value(), 60)
    failed = send_many(port_of(endpoint), endpoint.key_value(), 20, body=b'{"raise": true}')

    after = ask(endpoint)[2]
    answers = Counter((one.deployment, one.status) for one in [*got, *failed])
    assert (status, kind.partition(";")[0]) == (200, "text/plain")
    for name in ("blue", "green"):
        for code in (200, 500):
            grown = counted(after, name, str(code)) - counted(before, name, str(code))
            assert grown == answers[name, code] > 0
        total = sum(counted(after, name, code) for code in ("200", "500"))
        # Histograms come up to a second later than counts.
        world.until(lambda name=name, n=total: buckets(ask(endpoint)[2], name).get("+Inf") == n)
        edges = buckets(ask(endpoint)[2], name)
        assert [float(edge) for edge in edges] == [*listeners.EDGES_MS, float("inf")]
        assert list(edges.values()) == sorted(edges.values())


def test_an_edge_of_the_histogram_is_where_it_says(world: World, endpoint: LocalEndpoint) -> None:
    before = buckets(ask(endpoint)[2], "blue")
    blue = {"azureml-model-deployment": "blue"}
    slow = b'{"data": 1, "sleep": 0.2}'

    send_many(port_of(endpoint), endpoint.key_value(), 10, body=slow, headers=blue, at_once=1)

    def grown() -> dict[str, int]:
        now = buckets(ask(endpoint)[2], "blue")
        return {edge: count - before.get(edge, 0) for edge, count in now.items()}

    world.until(lambda: grown().get("+Inf", 0) == 10)
    # At an edge of 200 Envoy would count what took up to 210, too.
    below = max((edge for edge in grown() if float(edge) <= 200), key=float)
    assert float(below) > 180
    assert grown()[below] == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/metrics"),
        ("HEAD", "/metrics"),
        ("POST", "/quitquitquit"),
        ("GET", "/stats"),
        ("GET", "/stats/prometheus"),
        ("GET", "/config_dump"),
        ("GET", "/metrics/"),
        ("GET", "/metrics/../config_dump"),
        ("POST", "/metrics/../quitquitquit"),
        ("GET", "/metrics%2f..%2fconfig_dump"),
        ("GET", "/metrics;/../config_dump"),
        ("GET", "//metrics"),
    ],
)
def test_no_other_page_of_the_administration_is_to_be_had(
    endpoint: LocalEndpoint, method: str, path: str
) -> None:
    status, _, text = ask(endpoint, path, method=method)

    assert status == 404
    assert "envoy" not in text
    assert ask(endpoint)[0] == 200, "Envoy serves still"


def test_a_query_leads_to_no_other_page(endpoint: LocalEndpoint) -> None:
    for query in ("x=/../../config_dump", "&format=json", "/../../../config_dump"):
        status, _, text = ask(endpoint, f"/metrics?{query}")

        assert (status, text.partition(" ")[0]) == (200, "#")


def test_who_reads_the_page_is_nobodys_user(world: World, endpoint: LocalEndpoint) -> None:
    cursor = endpoint.cursor()
    got = [ask(endpoint)[0] for _ in range(20)]
    got += [ask(endpoint, key="wrong")[0] for _ in range(20)]

    send_many(port_of(endpoint), endpoint.key_value(), 10)

    def requests() -> int:
        interval = endpoint.read(cursor, mirrored=False, histogram=False).interval
        assert interval is not None
        assert [arm.errors for arm in interval.arms.values()] == [0, 0]
        return sum(arm.requests for arm in interval.arms.values())

    world.until(lambda: requests() >= 10)
    assert requests() == 10
    assert got == [200] * 20 + [401] * 20


def test_prometheus_scrapes_it_and_keeps_what_it_has_over_an_outage(
    world: World, endpoint: LocalEndpoint
) -> None:
    port, key = port_of(endpoint), endpoint.key_value()
    answered = 'envoy_response_code="200",envoy_cluster_name=~"ep~.+~live"'
    series = f'sum(envoy_cluster_upstream_rq{{job="{JOB}",{answered}}})'

    with prometheus_server([f"127.0.0.1:{port}"], key=key) as prometheus:

        def value(query: str) -> float:
            found = prometheus.query(query)
            return float(found[0]["value"][1]) if found else -1.0

        send_many(port, key, 10)
        text = ask(endpoint)[2]
        sent = counted(text, "blue") + counted(text, "green")
        world.until(lambda: value(series) == sent)
        prometheus.stop()
        with pytest.raises(httpx.ConnectError):
            prometheus.query("up")
        send_many(port, key, 5)
        prometheus.start()
        # At whole seconds, so not at once what has been scraped since the last one.
        world.until(lambda: value(f"max_over_time({series}[5m:1s])") == sent + 5)
        prometheus.kill()
        prometheus.start()

        assert value(f"min_over_time({series}[5m:1s])") == sent
        assert value(f"max_over_time({series}[5m:1s])") == sent + 5
