"""The traffic log, read by the real client; the queries run over rows as the log has them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from rollout.adapters.endpoints.azureml.log_analytics import LONGEST, TABLE, LogAnalytics, literal
from rollout.adapters.endpoints.azureml.source import PROBE_AGENT
from rollout.domain.errors import EndpointAway, EndpointRefused
from rollout.domain.measure import NEVER, Arm, bucket_of
from rollout.emulator.kql.evaluate import Table, evaluate
from tests.unit.azureml.azure_service import PLACE, Token, refusal

START = 1_800_000_000.0
NAMES = {"baseline": "blue", "candidate": "green"}
WORKSPACE = "33333333-3333-3333-3333-333333333333"
DELAY = 600.0
COLUMNS = {
    **dict.fromkeys(("AzureMLWorkspaceName", "EndpointName", "DeploymentName"), "string"),
    **dict.fromkeys(("ResponseCode", "UserAgent"), "string"),
    "TimeGenerated": "datetime",
    "TotalDurationMs": "real",
}


def row(at, deployment="blue", code="200", milliseconds=41, **more):
    """A line of the log, ``at`` seconds after START."""
    return {
        "TimeGenerated": datetime.fromtimestamp(START + at, UTC),
        "AzureMLWorkspaceName": "WS",
        "EndpointName": "churn",
        "DeploymentName": deployment,
        "ResponseCode": code,
        "TotalDurationMs": milliseconds,
        "UserAgent": "client",
        **more,
    }


class Log:
    """A workspace with the traffic log; ``error`` comes with each answer."""

    def __init__(self, service):
        self.rows = []
        self.error = None
        service.answer = self.answer

    def answer(self, asked):
        tables = {TABLE: Table(COLUMNS, self.rows)}
        found = evaluate(asked.body["query"], tables, datetime.fromtimestamp(START, UTC))
        table = {
            "name": "PrimaryResult",
            "columns": [{"name": name, "type": kind} for name, kind in found.columns.items()],
            "rows": [[_plain(each[name]) for name in found.columns] for each in found.rows],
        }
        told = {"tables": [table]}
        return 200, told if self.error is None else {**told, **self.error}


def _plain(cell):
    return cell.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(cell, datetime) else cell


@pytest.fixture
def log(service):
    return Log(service)


@pytest.fixture
def source(service):
    made = LogAnalytics(PLACE, service.cloud, WORKSPACE, Token(), DELAY)
    yield made
    made.close()


def read(source, seconds=60.0, cursor=f"{START:.3f}"):
    """What is closed when the newest request that is old enough began ``seconds`` after START."""
    moment = START + DELAY + seconds
    return source.read(cursor, moment=moment, names=NAMES, mirrored=False, histogram=True)


def test_requests_errors_and_latencies_are_counted_for_each_deployment(log, source):
    log.rows += [row(at, milliseconds=41 + at) for at in range(30)]
    log.rows += [row(30.5, code="500", milliseconds=3), row(31, "green", "424"), row(32, "green")]

    reading = read(source)

    blue, green = (reading.interval.arms[role] for role in ("baseline", "candidate"))
    assert (blue.requests, blue.errors, green.requests, green.errors) == (31, 1, 2, 1)
    expected = {NEVER: 1}
    for at in range(30):
        bucket = bucket_of((41 + at) / 1000)
        expected[bucket] = expected.get(bucket, 0) + 1
    assert blue.latency == expected
    assert green.latency == {NEVER: 1, bucket_of(0.041): 1}
    assert not blue.published


@pytest.mark.parametrize("milliseconds", [0, 0.001, 1, 7, 41, 1000, 12345, 180000])
def test_a_duration_falls_into_our_own_bucket(log, source, milliseconds):
    log.rows.append(row(1, milliseconds=milliseconds))

    assert read(source).interval.arms["baseline"].latency == {bucket_of(milliseconds / 1000): 1}


@pytest.mark.parametrize(
    ("code", "failed"),
    [
        *[("200", False), ("404", False)],
        *[(code, True) for code in ("408", "424", "429", "500", "503", "", "0", None)],
    ],
    ids=["200", "404", "408", "424", "429", "500", "503", "empty", "0", "null"],
)
def test_codes_are_errors_as_on_the_local_endpoint(log, source, code, failed):
    log.rows.append(row(1, code=code))

    blue = read(source).interval.arms["baseline"]

    assert (blue.requests, blue.errors) == (1, int(failed))
    assert set(blue.latency) == {NEVER if failed else bucket_of(0.041)}


def test_a_duration_that_is_missing_is_not_guessed(log, source):
    log.rows += [row(1, milliseconds=None), row(2)]

    blue = read(source).interval.arms["baseline"]

    assert (blue.requests, blue.errors) == (2, 0)
    assert blue.latency == {bucket_of(0.041): 1}


@pytest.mark.parametrize(
    "changed",
    [
        {"EndpointName": "other"},
        {"AzureMLWorkspaceName": "other"},
        {"UserAgent": PROBE_AGENT},
        {"ResponseCode": "401"},
        {"ResponseCode": "499"},
        {"DeploymentName": "red"},
    ],
    ids=["endpoint", "workspace", "probe", "wrong-key", "hung-up", "deployment"],
)
def test_requests_that_are_not_the_arms_do_not_count(log, source, changed):
    log.rows += [row(1) | changed, row(2, "green")]

    arms = read(source).interval.arms

    assert (arms["baseline"].requests, arms["candidate"].requests) == (0, 1)


def test_names_are_compared_without_case(log, source):
    log.rows += [row(1, "BLUE", EndpointName="Churn", AzureMLWorkspaceName="wS"), row(2)]

    assert read(source).interval.arms["baseline"].requests == 2


def test_every_request_is_in_one_reading(log, source):
    log.rows += [row(at / 4) for at in range(400)]
    cursor, counted = source.cursor(START + 10.0), []

    for until in (40.0, 40.0, 71.25, 100.0):
        reading = read(source, until, cursor)
        cursor = reading.cursor
        if reading.interval is not None:
            counted.append(reading.interval.arms["baseline"].requests)

    assert counted == [120, 125, 115]


def test_the_newest_requests_are_left_for_later(service, log, source):
    reading = read(source, 14.9)

    assert (reading.interval, reading.cursor) == (None, f"{START:.3f}")
    assert not service.asked


def test_nothing_logged_lets_time_pass(log, source):
    interval = read(source).interval

    assert (interval.start, interval.end) == (START, START + 60)
    assert interval.arms == {role: Arm(0, 0, {}) for role in NAMES}


def test_a_long_pause_is_read_up_piece_by_piece(log, source):
    first = read(source, 7200.0)

    assert first.interval.end == START + LONGEST
    assert first.cursor == f"{START + LONGEST:.3f}"


def test_partial_results_are_no_results(log, source):
    log.rows.append(row(1))
    log.error = refusal("PartialError", "The query was cut off.")

    with pytest.raises(EndpointAway, match=r"in part only: .*cut off"):
        read(source)


def test_history_comes_in_batches_with_the_missing_ones(log, source):
    log.rows += [row(at, code=code) for at, code in ((1, "200"), (2, "500"), (31, "200"))]
    moment = START + DELAY + 61.0

    past = source.history(moment=moment, deployment="blue", seconds=60.0, batch=15.0)

    assert [(arm.requests, arm.errors) for arm in past] == [(2, 1), (0, 0), (1, 0), (0, 0)]
    assert past[0].latency == {bucket_of(0.041): 1, NEVER: 1}


def test_without_requests_there_is_no_history(log, source):
    assert source.history(moment=START, deployment="blue", seconds=60.0, batch=15.0) == ()


def test_metrics_arrive_when_the_log_has_requests(log, source):
    log.rows += [row(at) for at in range(12)]

    found = source.arrives(moment=START + DELAY + 60)

    assert found.ok
    assert found.text == f"{TABLE} has 12 requests of the hour before the last 10m."


def test_without_requests_nobody_can_tell_whether_the_log_arrives(log, source):
    found = source.arrives(moment=START)

    assert found.ok
    assert found.text.startswith(f"Not checked: {TABLE} has no request of the hour")


def test_the_question_goes_to_the_workspace_and_its_time(service, log):
    who = Token()
    source = LogAnalytics(PLACE, service.cloud, WORKSPACE, who, DELAY)

    read(source)
    source.close()

    assert service.asked[0].path == f"/v1/workspaces/{WORKSPACE}/query"
    assert set(who.scopes) == {f"{service.address}/.default"}
    first, last = service.asked[0].body["timespan"].split("/")
    assert datetime.fromisoformat(first).timestamp() == START
    assert datetime.fromisoformat(last).timestamp() == START + 60


def test_a_missing_table_says_which_setting_sends_it(service, source):
    inner = {"code": "SemanticError", "message": f"Failed to resolve table '{TABLE}'"}
    service.answer = lambda _: (400, refusal("BadArgumentError", "The request is invalid.", inner))

    with pytest.raises(EndpointRefused, match=f"Failed to resolve table '{TABLE}'") as caught:
        read(source)

    assert f"category {TABLE}" in caught.value.do
    found = source.arrives(moment=START)
    assert not found.ok
    assert "diagnostic setting" in found.text


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (
            403,
            EndpointRefused,
            f"the role Log Analytics Reader on the Log Analytics workspace {WORKSPACE}",
        ),
        (404, EndpointRefused, "Look whether that workspace gets the table"),
        (429, EndpointAway, "asked again"),
        (503, EndpointAway, "asked again"),
    ],
)
def test_refusals_say_what_to_do(service, source, status, error, words):
    service.answer = lambda _: (status, refusal("Code", "Words."))

    with pytest.raises(error, match=f"answered {status}") as caught:
        read(source)

    assert words in caught.value.do
    assert len(service.asked) == 1


@given(st.text())
def test_a_text_stays_one_literal_whatever_is_in_it(text):
    written = literal(text)

    assert written.isascii()
    assert written.isprintable()
    inside = written[1:-1].replace("\\\\", "").replace('\\"', "")
    assert written[0] == written[-1] == '"'
    assert '"' not in inside


def test_names_cannot_leave_their_literal(service, log):
    place = type(PLACE)("s", "g", 'w" or true //', "e")
    source = LogAnalytics(place, service.cloud, WORKSPACE, Token(), DELAY)

    read(source)
    source.close()

    assert r'AzureMLWorkspaceName =~ "w\" or true //" and' in service.asked[0].body["query"]
