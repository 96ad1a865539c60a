"""Metrics and logs tell of the requests that were made, minute by minute and one by one."""

from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from rollout.adapters.endpoints.azureml import log_analytics
from rollout.emulator.settings import REAL
from rollout.emulator.traffic import Request
from tests.unit.emulator.bench import Bench, code

NAMESPACE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
LOGS = "/v1/workspaces/44444444-4444-4444-4444-444444444444/query"


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    made.given()
    yield made
    made.site.traffic.close()


def asked(bench, ago: float, *, deployment="blue", status=200, seconds=0.05, **rest):
    at = bench.clock.now() - ago
    model = 500 if status == 424 else 200
    request = Request(at, seconds, deployment, status, model, **rest)
    bench.site.traffic.of("shop").add(request)


def metrics(bench, names, where="", *, minutes=5, namespace=NAMESPACE, tail=""):
    now = bench.clock.now()
    span = [datetime.fromtimestamp(now - 60 * minutes, UTC), datetime.fromtimestamp(now, UTC)]
    start, end = (quote(each.isoformat()) for each in span)
    query = f"starttime={start}&endtime={end}&interval=PT1M&metricnamespace={namespace}"
    query += f"&metricnames={names}&aggregation=Average&filter={quote(where)}"
    body = {"resourceids": [f"{bench.settings.workspace_id}/onlineEndpoints/shop{tail}"]}
    path = f"/subscriptions/{bench.settings.subscription}/metrics:getBatch?{query}"
    return bench.ask("POST", path, body)


def series(reply):
    [metric] = reply.body["values"][0]["value"]
    return {
        tuple(label["value"] for label in one["metadatavalues"]): [
            point.get("average") for point in one["data"]
        ]
        for one in metric["timeseries"]
    }


def test_requests_are_counted_by_minute_and_a_minute_without_has_no_value(bench):
    for ago in (250, 250, 130):
        asked(bench, ago)
    asked(bench, 130, deployment="green", status=424)

    found = series(metrics(bench, "RequestsPerMinute", "deployment eq '*' and statusCode eq '*'"))

    assert found == {
        ("blue", "200"): [2.0, None, 1.0, None, None],
        ("green", "424"): [None, None, 1.0, None, None],
    }


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("", 3), ("deployment eq 'green'", 1), ("deployment ne 'green'", 2),
        ("statusCodeClass eq '4xx'", 1), ("modelStatusCode eq '500'", 1), ("statusCode eq '200'", 2),
    ],
)  # fmt: skip
def test_filters(bench, where, count):
    asked(bench, 30)
    asked(bench, 30)
    asked(bench, 30, deployment="green", status=424)

    found = series(metrics(bench, "RequestsPerMinute", where))

    assert sum(value or 0 for values in found.values() for value in values) == count


def test_latency_is_in_milliseconds_and_by_deployment_only(bench):
    for seconds in (0.01, 0.02, 0.5):
        asked(bench, 60, seconds=seconds)

    found = series(metrics(bench, "RequestLatency_P50", "deployment eq '*'", minutes=2))
    refused = metrics(bench, "RequestLatency_P95", "statusCode eq '200'")

    assert [value for value in found["blue",] if value is not None] == [pytest.approx(20.0)]
    assert (refused.status, code(refused)) == (400, "BadRequest")


def test_a_deployments_own_metrics(bench):
    asked(bench, 30)
    asked(bench, 30, deployment="green", status=424)

    found = metrics(
        bench,
        "RequestsPerMinute",
        "envoy_response_code eq '*'",
        namespace=f"{NAMESPACE}/deployments",
        tail="/deployments/green",
    )

    assert list(series(found)) == [("500",)]


def test_copies_count_as_their_deployments_requests(bench):
    asked(bench, 30, deployment="green", shadow=True)

    assert list(series(metrics(bench, "RequestsPerMinute", "deployment eq '*'"))) == [("green",)]


@pytest.mark.parametrize(
    ("names", "where", "namespace"),
    [
        ("Nothing", "", NAMESPACE),
        ("RequestsPerMinute", "deployment = 'x'", NAMESPACE),
        ("RequestsPerMinute", "color eq 'x'", NAMESPACE),
        ("RequestsPerMinute", "", "Microsoft.Nothing"),
    ],
)
def test_what_azure_monitor_would_refuse(bench, names, where, namespace):
    assert metrics(bench, names, where, namespace=namespace).status == 400


def test_with_real_delays_the_newest_is_not_known_yet(tmp_path):
    bench = Bench(tmp_path, delays=REAL)
    bench.given()
    asked(bench, 30)
    asked(bench, 200)

    found = series(metrics(bench, "RequestsPerMinute"))
    logged = query(bench, "AmlOnlineEndpointTrafficLog | count")
    bench.site.traffic.close()

    assert sum(value or 0 for value in found[()]) == 1
    assert rows(logged) == [[0]]


def query(bench, text, timespan="PT600S"):
    return bench.ask("POST", LOGS, {"query": text, "timespan": timespan})


def rows(reply):
    assert reply.status == 200, reply.body
    return reply.body["tables"][0]["rows"]


def test_the_traffic_log_has_the_columns_of_the_documentation(bench):
    asked(bench, 30, agent="probe/1", client_id="mine", auth="Key", sent=9, received=4)

    found = query(
        bench,
        """AmlOnlineEndpointTrafficLog
        | project EndpointName, DeploymentName, ResponseCode, ModelStatusCode, TotalDurationMs,
                  UserAgent, XMSClientRequestId, AuthType, RequestPayloadSize, ResponsePayloadSize""",
    )

    assert rows(found) == [["shop", "blue", "200", "200", 50, "probe/1", "mine", "Key", 4, 9]]


def test_the_timespan_bounds_what_is_seen(bench):
    asked(bench, 30)
    asked(bench, 300)
    now = bench.clock.now()
    start, end = (datetime.fromtimestamp(now - ago, UTC).isoformat() for ago in (400, 200))

    assert rows(query(bench, "AmlOnlineEndpointTrafficLog | count", "PT60S")) == [[1]]
    assert rows(query(bench, "AmlOnlineEndpointTrafficLog | count", f"{start}/{end}")) == [[1]]
    assert rows(query(bench, "AmlOnlineEndpointTrafficLog | count", "")) == [[2]]


def test_the_adapters_own_queries_are_understood(bench):
    for status in (200, 200, 424):
        asked(bench, 30, status=status)
    now = bench.clock.now()
    values = {
        "start": datetime.fromtimestamp(now - 100, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "end": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "workspace": '"mlw-lab"',
        "endpoint": '"shop"',
        "deployments": 'DeploymentName =~ "blue" or DeploymentName =~ "green"',
        "batch": "60000ms",
    }

    reading = query(bench, log_analytics.READING.format(**values))
    history = query(bench, log_analytics.HISTORY.format(**values))
    arrives = query(bench, log_analytics.ARRIVES.format(**values))

    assert sorted(row[-1] for row in rows(reading)) == [1, 2]
    assert sum(row[-1] for row in rows(history)) == 3
    assert rows(arrives) == [[3]]


def test_a_query_that_is_not_understood_is_azures_error(bench):
    reply = query(bench, "AmlOnlineEndpointTrafficLog | render timechart")

    assert (reply.status, code(reply)) == (400, "BadArgumentError")
    assert reply.body["error"]["innererror"]["code"] == "SyntaxError"
    assert "render" in reply.body["error"]["innererror"]["message"]
