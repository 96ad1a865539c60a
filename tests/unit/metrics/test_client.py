"""Questions to a server that answers as Prometheus does, or as proxies before it do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from rollout.adapters.metrics.prometheus import client as clients
from rollout.adapters.metrics.prometheus.client import Client, revealed
from rollout.adapters.metrics.prometheus.metering import Meter, Secret
from rollout.domain.errors import EndpointAway, EndpointRefused, NotLoggedIn


@dataclass
class Server:
    """Gives one answer to everything, and keeps what it was asked."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0  # seconds between two bytes
    asked: list[tuple[str, dict[str, list[str]], str | None]] = field(default_factory=list)
    address: str = ""

    def result(self, *series: object, **more: object) -> None:
        data = {"resultType": "matrix", "result": list(series)}
        self.body = json.dumps({"status": "success", "data": data, **more}).encode()


@pytest.fixture
def server() -> Iterator[Server]:
    told, over = Server(), threading.Event()
    told.result()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            told.asked.append((self.path, parse_qs(sent), self.headers["Authorization"]))
            self.send_response_only(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(told.body)))
            self.end_headers()
            if not told.pause:
                self.wfile.write(told.body)
                return
            for byte in told.body:
                try:
                    self.wfile.write(bytes([byte]))
                except OSError:
                    return
                over.wait(told.pause)

        def log_message(self, *_: object) -> None: ...

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.address = f"http://127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield told
    over.set()
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    made = Client(Meter(f"{server.address}/api", "up", "up"))
    yield made
    made.close()


def ask(client: Client) -> object:
    (found,) = client.answers(['up{a="b"}'], start=100.0, end=160.25)
    return found


def test_it_asks_for_every_sample_of_the_time(server: Server, client: Client):
    ask(client)

    assert server.asked == [
        (
            "/api/api/v1/query",
            {"query": ['up{a="b"}[60250ms]'], "time": ["160.250"], "partial_response": ["false"]},
            None,
        )
    ]


@pytest.mark.parametrize(
    ("date", "told"),
    [("Thu, 01 Jan 1970 00:10:00 GMT", 600.0), ("yesterday", None), ("", None)],
)
def test_it_notes_the_server_s_time(server: Server, client: Client, date: str, told: float | None):
    server.headers = {"Date": date}

    ask(client)

    assert client.told == told


def test_samples_are_read_as_they_were_scraped(server: Server, client: Client):
    server.result(
        {"metric": {"__name__": "up", "job": "j", "instance": "i"}, "values": [[100.5, "3"], [115, "NaN"], [130, "+Inf"], [145, "4.5"]]},
        {"metric": {}, "histograms": [[100.5, {"count": "1"}]]},
    )  # fmt: skip

    ((first, second),) = client.answers(["up"], start=100.0, end=160.0)

    assert (first.labels["job"], dict(first.samples), first.native) == ("j", {100.5: 3, 145: 4.5}, False)  # fmt: skip
    assert (dict(second.samples), second.native) == ({}, True)


@pytest.mark.parametrize(
    ("status", "kind", "do"),
    [
        (400, EndpointRefused, "Correct the selector"),
        (401, NotLoggedIn, "metrics.token"),
        (403, EndpointRefused, "metrics.token"),
        (404, EndpointRefused, "metrics.address"),
        (422, EndpointRefused, "Correct the selector"),
        (429, EndpointAway, "asked again"),
        (502, EndpointAway, "asked again"),
        (503, EndpointAway, "asked again"),
    ],
)
def test_a_refusal_says_what_to_do(
    server: Server, client: Client, status: int, kind: type[Exception], do: str
):
    server.status, server.body = status, b'{"status":"error","error":"bad\\nthing"}'

    with pytest.raises(kind) as caught:
        ask(client)

    assert type(caught.value) is kind
    assert f"{server.address}/api answered {status}: bad thing" in str(caught.value)
    assert do in str(caught.value)


def test_a_redirect_is_told_and_not_followed(server: Server, client: Client):
    server.status, server.headers = 302, {"Location": "https://login.example.com/"}

    with pytest.raises(EndpointRefused, match=r"sends us on to https://login.example.com/"):
        ask(client)

    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>Sign in</html>", id="html"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'{"status": "error"}', id="error"),
        pytest.param(b'{"status": "success"}', id="no data"),
        pytest.param(b'{"status": "success", "data": {"result": [3]}}', id="no series"),
        pytest.param(b'{"status": "success", "data": {"result": {"a": 3}}}', id="no list"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(
            b'{"status":"success","data":{"result":[{"metric":{},"values":[[1e999,"1"]]}]}}',
            id="endless time",
        ),
        pytest.param(
            b'{"status":"success","data":{"result":[{"metric":{},"values":[[%s,"1"]]}]}}'
            % (b"9" * 400),
            id="long time",
        ),
        pytest.param(
            b'{"status":"success","data":{"result":[{"metric":{},"values":[["x","y"]]}]}}',
            id="text",
        ),
    ],
)
def test_an_answer_of_something_else_is_no_measurement(server: Server, client: Client, body: bytes):
    server.body = body

    with pytest.raises(EndpointAway, match=r"metrics\.address"):
        ask(client)


@pytest.mark.parametrize(
    "warnings", [["remote read failed"], "remote read failed"], ids=["list", "text"]
)
def test_half_an_answer_is_none(server: Server, client: Client, warnings: object):
    server.result(warnings=warnings)

    with pytest.raises(EndpointAway, match="in part only: remote read failed"):
        ask(client)


def test_an_answer_that_never_ends_is_given_up(
    server: Server, client: Client, monkeypatch: pytest.MonkeyPatch
):
    """A proxy that sends a byte now and then; the lease would be lost meanwhile."""
    monkeypatch.setattr(clients, "_ALL_SECONDS", 0.3)
    server.pause = 0.1

    with pytest.raises(EndpointAway, match=r"no whole answer within 0\.3 s"):
        ask(client)
    server.pause = 0.0

    assert ask(client) == ()


def test_an_answer_that_is_too_large_is_refused(
    server: Server, client: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(clients, "_MOST_BYTES", 100)
    server.body = b" " * 101

    with pytest.raises(EndpointRefused, match="match fewer series"):
        ask(client)


def test_a_proxy_that_repeats_the_token_does_not_get_it_printed(
    server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PROMETHEUS_TOKEN", "t0ken")
    server.status, server.body = 502, b"You sent Authorization: Bearer t0ken and Basic bWU6dDBrZW4="
    for username in ("", "me"):
        token = Secret("env", "PROMETHEUS_TOKEN")
        client = Client(Meter(server.address, "up", "up", username=username, token=token))

        with pytest.raises(EndpointAway) as caught:
            ask(client)
        client.close()

        assert ("bWU6dDBrZW4=" if username else "t0ken") not in str(caught.value)
        assert "t0ken" not in str(caught.value)


def test_authorities_that_are_not_there_are_told(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file.pem")

    with pytest.raises(EndpointRefused, match="SSL_CERT_FILE"):
        ask(Client(Meter(server.address, "up", "up")))


def test_a_proxy_of_an_unknown_kind_is_told(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTP_PROXY", "ftp://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    with pytest.raises(EndpointRefused, match="HTTP_PROXY"):
        ask(Client(Meter(server.address, "up", "up")))


def test_nobody_there_is_away():
    client = Client(Meter("http://127.0.0.1:1", "up", "up"))

    with pytest.raises(EndpointAway, match="cannot be reached"):
        ask(client)
    client.close()


@pytest.mark.parametrize(
    ("username", "sent"),
    [("", "Bearer t0ken"), ("me", "Basic bWU6dDBrZW4=")],
    ids=["bearer", "basic"],
)
def test_it_says_who_asks(
    server: Server, monkeypatch: pytest.MonkeyPatch, username: str, sent: str
):
    monkeypatch.setenv("PROMETHEUS_TOKEN", "t0ken")
    token = Secret("env", "PROMETHEUS_TOKEN")
    client = Client(Meter(server.address, "up", "up", username=username, token=token))

    ask(client)
    client.close()

    assert server.asked[0][2] == sent


def test_a_token_is_read_anew_for_each_question(server: Server, tmp_path: Path):
    file = tmp_path / "token"
    client = Client(Meter(server.address, "up", "up", token=Secret("file", str(file))))

    for token in ("one", "two"):
        file.write_text(f"{token}\n")
        ask(client)
    client.close()

    assert [each[2] for each in server.asked] == ["Bearer one", "Bearer two"]


def test_a_token_that_is_missing_is_told(tmp_path: Path):
    binary, empty = tmp_path / "binary", tmp_path / "empty"
    binary.write_bytes(b"\xff\xfe")
    empty.write_text("\n")
    lines = tmp_path / "lines"
    lines.write_text("a\nb")

    for secret, says in (
        (Secret("env", "NO_SUCH_TOKEN"), "variable NO_SUCH_TOKEN"),
        (Secret("file", str(tmp_path / "none")), "No such file"),
        (Secret("file", str(binary)), "not text"),
        (Secret("file", str(empty)), "no token"),
        (Secret("file", str(lines)), "no token"),
    ):
        with pytest.raises(EndpointRefused, match=says):
            revealed(secret)
