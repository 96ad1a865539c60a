"""Open-loop load against a server of the test's own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.load import openloop
from rollout.adapters.load.openloop import OpenLoopLoad
from rollout.domain.errors import EndpointAway

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nAzureML-Model-Deployment: green\r\n\r\n"
    b"4\r\nabcd\r\n2;x=y\r\nef\r\n0\r\n\r\n"
)
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nazureml-model-deployment: blue\r\n\r\nok"
FAILED = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Server:
    """Answers in turn; an empty answer hangs up."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = answers
        self.requests: list[bytes] = []
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self._socket.getsockname()[1]}/score"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65536):
                answer = self._answers[len(self.requests) % len(self._answers)]
                self.requests.append(data)
                if not answer:
                    return
                connection.sendall(answer)
                if b"close" in answer:
                    return


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(PLAIN, CHUNKED, FAILED, b"")
    yield server
    server.close()


def test_every_answer_is_counted_once(server: Server) -> None:
    clock = SystemClock()
    load = OpenLoopLoad(lambda: (server.uri, "k"), rps=400, bodies=(b"one", b"two"))

    load.start()
    while load.stats().sent < 80:
        clock.sleep(0.01)
    load.stop()

    stats = load.stats()
    assert stats.sent == stats.ok + sum(stats.failed.values())
    assert set(stats.failed) == {"503", "IncompleteReadError"}
    assert set(stats.by_deployment) == {"blue", "green", ""}
    assert stats.ok == stats.by_deployment["blue"] + stats.by_deployment["green"]
    assert server.connections < len(server.requests), "connections are kept"
    assert b"Authorization: Bearer k" in server.requests[0]
    assert {one[-3:] for one in server.requests} == {b"one", b"two"}


def test_a_key_that_was_made_anew_is_sent_soon(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openloop, "_RENEW_SECONDS", 0.05)
    asked: list[str] = []

    def target() -> tuple[str, str]:
        asked.append("k")
        if len(asked) == 2:
            raise EndpointAway("nobody tells", do="try again")
        return server.uri, f"key-{len(asked)}"

    load = OpenLoopLoad(target, rps=200, bodies=(b"x",))
    load.start()
    while not any(b"Bearer key-3" in each for each in server.requests):
        SystemClock().sleep(0.01)
    load.stop()

    assert b"Bearer key-1" in server.requests[0]


def test_nobody_there_is_a_failure_of_each_request() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    load = OpenLoopLoad(lambda: (f"http://127.0.0.1:{port}/score", "k"), rps=200, bodies=(b"x",))

    load.start()
    while load.stats().sent < 5:
        SystemClock().sleep(0.01)
    load.stop()

    assert load.stats().ok == 0
    assert set(load.stats().failed) == {"ConnectionRefusedError"}


@pytest.mark.parametrize(("rps", "bodies"), [(0.0, (b"x",)), (1.0, ())])
def test_load_of_nothing_is_refused(rps: float, bodies: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="load needs"):
        OpenLoopLoad(lambda: ("", ""), rps=rps, bodies=bodies)
