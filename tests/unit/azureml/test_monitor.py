"""Azure Monitor's minutes, read by the real client from a server that speaks as the service does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rollout.adapters.endpoints.azureml.monitor import (
    BY_DEPLOYMENT,
    BY_STATUS,
    NAMESPACE,
    PERCENTILES,
    REQUESTS,
    AzureMonitor,
)
from rollout.domain.errors import EndpointAway, EndpointRefused, NotLoggedIn
from rollout.domain.measure import Arm, Published
from tests.unit.azureml.azure_service import PLACE, Token, refusal

START = 1_800_000_000.0 - 1_800_000_000.0 % 60
NAMES = {"baseline": "blue", "candidate": "green"}
GIVEN = 10  # series that the service gives to whoever does not say how many


class Metrics:
    """What the service keeps: (metric, deployment, status or "") -> minute since START -> value."""

    def __init__(self, service):
        self.kept = {}
        service.answer = self.answer

    def put(self, metric, deployment, values, status=""):
        self.kept[metric, deployment, status] = values

    def requests(self, deployment, values, status="200"):
        self.put(REQUESTS, deployment, values, status)

    def latency(self, deployment, *milliseconds):
        for name in PERCENTILES:
            self.put(name, deployment, dict(enumerate(milliseconds)))

    def answer(self, asked):
        query = asked.query
        start, end = (
            datetime.fromisoformat(query[each]).timestamp() for each in ("starttime", "endtime")
        )
        minutes = range(round((start - START) / 60), round((end - START) / 60))
        found = [
            self._metric(name, minutes, query.get("filter", ""), int(query.get("top", GIVEN)))
            for name in query["metricnames"].split(",")
        ]
        values = [
            {
                "starttime": query["starttime"],
                "endtime": query["endtime"],
                "interval": query["interval"],
                "namespace": query["metricnamespace"],
                "resourceregion": "westeurope",
                "resourceid": each,
                "value": found,
            }
            for each in asked.body["resourceids"]
        ]
        return 200, {"values": values}

    def _metric(self, name, minutes, only, most):
        series = [
            (deployment, status, kept)
            for (metric, deployment, status), kept in self.kept.items()
            if metric == name
        ]
        return {
            "id": f"/metrics/{name}",
            "type": "Microsoft.Insights/metrics",
            "name": {"value": name, "localizedValue": name},
            "unit": "Count",
            "errorCode": "Success",
            "timeseries": [
                {
                    "metadatavalues": _labels(only, deployment, status),
                    "data": [_point(minute, kept.get(minute)) for minute in minutes],
                }
                for deployment, status, kept in series[:most]
            ],
        }


def _labels(only, deployment, status):
    labels = {"deployment": deployment, "statusCode": status}
    return [
        {"name": {"value": name.lower(), "localizedValue": name}, "value": value}
        for name, value in labels.items()
        if f"{name} eq" in only
    ]


def _point(minute, value):
    at = datetime.fromtimestamp(START + 60 * minute, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"timeStamp": at} if value is None else {"timeStamp": at, "average": value}


@pytest.fixture
def metrics(service):
    return Metrics(service)


@pytest.fixture
def monitor(service):
    made = AzureMonitor(PLACE, service.cloud, "westeurope", Token())
    yield made
    made.close()


def read(monitor, cursor, moment):
    return monitor.read(cursor, moment=moment, names=NAMES, mirrored=False, histogram=True)


def test_a_minute_is_asked_for_as_the_service_names_it(service, metrics, monitor):
    read(monitor, f"{START:.0f}", START + 181)

    first, second = service.asked
    assert first.path == "/subscriptions/00000000-0000-0000-0000-000000000001/metrics:getBatch"
    assert first.body == {"resourceids": [PLACE.endpoint_id]}
    assert first.headers["Authorization"] == "Bearer secret"
    assert {key: first.query[key] for key in ("metricnamespace", "interval", "aggregation")} == {
        "metricnamespace": NAMESPACE,
        "interval": "PT1M",
        "aggregation": "Average",
    }
    assert (first.query["metricnames"], first.query["filter"]) == (REQUESTS, BY_STATUS)
    assert second.query["metricnames"] == ",".join(PERCENTILES)
    assert second.query["filter"] == BY_DEPLOYMENT


def test_the_token_is_for_the_metrics_service(service, metrics):
    who = Token()
    monitor = AzureMonitor(PLACE, service.cloud, "westeurope", who)

    read(monitor, f"{START:.0f}", START + 181)
    monitor.close()

    assert set(who.scopes) == {"https://metrics.monitor.azure.com/.default"}


def test_requests_errors_and_percentiles_come_by_the_minute(metrics, monitor):
    metrics.requests("blue", {0: 890.0, 1: 900.0})
    metrics.requests("blue", {0: 7.0}, "424")
    metrics.requests("blue", {0: 2.0, 1: 1.0}, "500")
    metrics.requests("green", {0: 99.0, 1: 101.0})
    metrics.latency("blue", 41.0, 42.0)
    metrics.latency("green", 57.5, 60.0)

    reading = read(monitor, f"{START:.0f}", START + 241)

    assert (reading.interval.start, reading.interval.end) == (START, START + 120)
    assert reading.cursor == f"{START + 120:.0f}"
    blue, green = reading.interval.arms["baseline"], reading.interval.arms["candidate"]
    assert (blue.requests, blue.errors, green.requests, green.errors) == (1800, 10, 200, 0)
    assert blue.latency is None
    shares = (0.5, 0.9, 0.95, 0.99)
    assert blue.published == (
        Published(START, dict.fromkeys(shares, 0.041), 899, 9),
        Published(START + 60, dict.fromkeys(shares, 0.042), 901, 1),
    )


@pytest.mark.parametrize(
    ("status", "errors"),
    [("200", 0), ("404", 0), ("408", 5), ("424", 5), ("429", 5), ("500", 5), ("503", 5), ("", 5)],
    ids=["200", "404", "408", "424", "429", "500", "503", "none"],
)
def test_codes_are_errors_as_on_the_local_endpoint(metrics, monitor, status, errors):
    metrics.requests("green", {0: 5.0}, status)

    green = read(monitor, f"{START:.0f}", START + 181).interval.arms["candidate"]

    assert (green.requests, green.errors) == (5, errors)


@pytest.mark.parametrize("status", ["401", "499"])
def test_a_wrong_key_and_a_client_that_left_are_nobodys_request(metrics, monitor, status):
    metrics.requests("green", {0: 5.0}, status)

    assert read(monitor, f"{START:.0f}", START + 181).interval.arms["candidate"] == Arm()


def test_a_minute_without_an_average_is_no_data_and_not_zero(metrics, monitor):
    metrics.requests("blue", {0: 900.0, 1: None, 2: 900.0})
    metrics.requests("green", {0: 100.0, 2: 0.0})
    metrics.latency("blue", 41.0, 43.0, 42.0)

    arms = read(monitor, f"{START:.0f}", START + 301).interval.arms

    assert [each.start - START for each in arms["baseline"].published] == [0, 60, 120]
    assert [each.requests for each in arms["baseline"].published] == [900, None, 900]
    assert [each.requests for each in arms["candidate"].published] == [100, 0]
    assert arms["baseline"].requests == 1800


def test_the_newest_minutes_are_left_for_later(service, metrics, monitor):
    metrics.requests("blue", {0: 900.0})

    early = read(monitor, f"{START:.0f}", START + 179.9)
    assert (early.interval, early.cursor) == (None, f"{START:.0f}")
    assert not service.asked

    assert read(monitor, f"{START:.0f}", START + 180).interval.end == START + 60


def test_a_cursor_begins_with_the_next_whole_minute(monitor):
    assert monitor.cursor(START) == f"{START:.0f}"
    assert monitor.cursor(START + 0.1) == f"{START + 60:.0f}"


def test_many_series_are_all_read(metrics, monitor):
    for code in range(200, 230):
        metrics.requests("blue", {0: 1.0}, str(code))
    metrics.requests("green", {0: 10.0})

    arms = read(monitor, f"{START:.0f}", START + 181).interval.arms

    assert (arms["baseline"].requests, arms["candidate"].requests) == (30, 10)


def test_nothing_measured_lets_time_pass(metrics, monitor):
    interval = read(monitor, f"{START:.0f}", START + 181).interval

    assert interval.end == START + 60
    assert interval.arms == {"baseline": Arm(), "candidate": Arm()}


def test_a_long_pause_is_read_up_piece_by_piece(metrics, monitor):
    first = read(monitor, f"{START:.0f}", START + 7200)
    second = read(monitor, first.cursor, START + 7200)

    assert first.interval.end == second.interval.start == START + 1800


def test_history_has_the_rate_of_requests_and_no_finer_grain_than_there_is(metrics, monitor):
    metrics.requests("blue", {0: 900.0, 1: 960.0})
    metrics.requests("blue", {1: 12.0}, "500")
    metrics.requests("green", {0: 100.0})

    past = monitor.history(moment=START + 250, deployment="blue", seconds=120.0, batch=15.0)

    assert [(arm.requests, arm.errors) for arm in past] == [
        (900, 0),
        *[(0, 0)] * 3,
        (972, 12),
        *[(0, 0)] * 3,
    ]


def test_without_data_there_is_no_history(metrics, monitor):
    assert monitor.history(moment=START, deployment="blue", seconds=3600.0, batch=15.0) == ()


def test_metrics_arrive_when_a_minute_has_data(metrics, monitor):
    metrics.requests("blue", {0: 900.0})

    found = monitor.arrives(moment=START + 600)

    assert found.ok
    assert found.text == "RequestsPerMinute arrives; its newest minute ended 9m ago."


def test_without_requests_nobody_can_tell_whether_metrics_arrive(metrics, monitor):
    found = monitor.arrives(moment=START + 600)

    assert found.ok
    assert found.text.startswith("Not checked: RequestsPerMinute has no data of the last 30m.")


def test_a_missing_role_is_named_with_its_scope(service, monitor):
    service.answer = lambda _: (403, refusal("AuthorizationFailed", "Client lacks the action."))

    with pytest.raises(EndpointRefused, match=r"answered 403: .*Client lacks the action") as caught:
        read(monitor, f"{START:.0f}", START + 181)

    assert "Monitoring Reader" in caught.value.do
    assert PLACE.subscription_id in caught.value.do
    found = monitor.arrives(moment=START + 600)
    assert not found.ok
    assert "Monitoring Reader" in found.text


def test_an_endpoint_that_is_not_there_yet_cannot_be_checked(service, monitor):
    service.answer = lambda _: (404, refusal("ResourceNotFound", "No such endpoint."))

    found = monitor.arrives(moment=START + 600)

    assert found.ok
    assert found.text.startswith("Not checked: there is no endpoint yet: ")
    with pytest.raises(EndpointRefused, match="answered 404"):
        read(monitor, f"{START:.0f}", START + 181)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_service_in_trouble_is_asked_again_later_and_only_then(service, monitor, status):
    service.answer = lambda _: (status, refusal("Busy", "Later."))

    with pytest.raises(EndpointAway, match=f"answered {status}: .*Later"):
        read(monitor, f"{START:.0f}", START + 181)

    assert len(service.asked) == 1


def test_a_question_that_is_not_understood_says_what_the_service_says(service, monitor):
    service.answer = lambda _: (400, refusal("BadRequest", "No such dimension: statusCode"))

    with pytest.raises(EndpointRefused, match="No such dimension: statusCode"):
        read(monitor, f"{START:.0f}", START + 181)


def test_an_unknown_caller_is_told_to_log_in(service, monitor):
    service.answer = lambda _: (401, refusal("InvalidToken", "Expired."))

    with pytest.raises(NotLoggedIn, match="answered 401"):
        read(monitor, f"{START:.0f}", START + 181)


def test_a_service_that_is_gone_is_away(service, monitor):
    service.port = 1
    gone = AzureMonitor(PLACE, service.cloud, "westeurope", Token())

    with pytest.raises(EndpointAway, match="Azure Monitor in westeurope cannot be reached"):
        read(gone, f"{START:.0f}", START + 181)


def test_another_sources_cursor_is_refused(monitor):
    with pytest.raises(EndpointRefused, match="'7:123', which is no time"):
        read(monitor, "7:123", START + 600)
