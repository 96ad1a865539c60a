"""Answers are kept while somebody reads them: exact, paired, and without harm to any client."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rollout.adapters.endpoints.local import administer
from rollout.adapters.endpoints.local.endpoint import LocalEndpoint
from rollout.domain.answers import Said
from rollout.domain.endpoint import SetSplit
from tests.acceptance.local.world import (
    BODY,
    Traffic,
    World,
    bring_up,
    perform,
    port_of,
    send,
    send_many,
)

LARGE = 200 * 1024
HUGE = 3 * 2**20  # larger than Envoy's buffers
MOST = 16 * 1024
EVERY_BYTE = bytes(range(256)) * 4
MIRROR = SetSplit({"blue": 100}, {"green": 50})

MODEL = """
    import gzip, json, os, time
    from azureml_inference_server_http.api.aml_response import AMLResponse

    def init():
        global who
        with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model", "who.txt")) as file:
            who = file.read()

    def run(data):
        asked = json.loads(data)
        kind = asked.get("kind")
        if kind == "sleep":
            time.sleep(asked["seconds"])
        if kind == "raise":
            raise RuntimeError("the model was told to fail")
        if kind == "large":
            return AMLResponse("x" * 200 * 1024, 200, {"Content-Type": "text/plain"})
        if kind == "huge":
            return AMLResponse("y" * 3 * 2**20, 200, {"Content-Type": "text/plain"})
        if kind == "binary":
            octets = {"Content-Type": "Application/Octet-Stream; x=1"}
            return AMLResponse(bytes(range(256)) * 4, 200, octets)
        if kind == "gzip":
            coded = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
            return AMLResponse(gzip.compress(b'[1.5]'), 200, coded)
        if kind == "stream":
            return AMLResponse(pieces(asked["gate"]), 200, {"Content-Type": "text/plain"})
        return {"who": who, "request": asked.get("request")}

    def pieces(gate):
        yield b"first "
        while not os.path.exists(gate):
            time.sleep(0.02)
        yield b"last"
"""


pytestmark = pytest.mark.xdist_group("answers")  # one endpoint for all of them


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("answers"))
    world.write("blue", MODEL, request_settings={"request_timeout_ms": 5000})
    world.write("green", MODEL, request_settings={"request_timeout_ms": 5000})
    yield world
    world.endpoint().destroy()


@pytest.fixture(scope="module")
def up(world: World) -> LocalEndpoint:
    return bring_up(world)


@pytest.fixture
def endpoint(world: World, up: LocalEndpoint) -> LocalEndpoint:
    """With the mirror on, and answers kept."""
    perform(up, MIRROR)
    keep(up, 60)
    world.until(lambda: newest_is_kept(world, up))
    return up


@dataclass
class Reader:
    """Reads as a runner does that crashes after each reading: all it has is a string."""

    endpoint: LocalEndpoint
    mirrored: bool = True
    cursor: str = ""
    requests: Counter[str] = field(default_factory=Counter)
    said: list[tuple[str, Said]] = field(default_factory=list)
    pairs: list[tuple[Said, Said]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cursor = self.cursor or self.endpoint.cursor()

    def read(self) -> None:
        found = self.endpoint.read(
            self.cursor, mirrored=self.mirrored, histogram=False, answers=True
        )
        self.cursor = found.cursor
        assert found.interval is not None
        for role, arm in found.interval.arms.items():
            self.requests[role] += arm.requests
            self.said += [(role, one) for one in found.said[role]]
        self.pairs += found.pairs

    def until(self, world: World, baseline: int, candidate: int = 0) -> Counter[str]:
        """Read until so many are counted; how many answers there were."""

        def enough() -> bool:
            self.read()
            return self.requests["baseline"] >= baseline and self.requests["candidate"] >= candidate

        world.until(enough)
        return Counter(role for role, _ in self.said)


def keep(endpoint: LocalEndpoint, seconds: float) -> None:
    """Order that answers are kept, as a reading does."""
    endpoint._client.call("PUT", "/v1/endpoint/capture", {"seconds": seconds})


def one(endpoint: LocalEndpoint, body: bytes = BODY, **more: object):
    return asyncio.run(send(port_of(endpoint), endpoint.key_value(), body, **more))  # type: ignore[arg-type]


def log_of(world: World) -> list[dict[str, object]]:
    path = world.home / world.name / "access.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


def newest_is_kept(world: World, endpoint: LocalEndpoint) -> bool:
    """Whether the answer to one more request is in the log."""
    before = len(log_of(world))
    assert one(endpoint).status == 200
    world.until(lambda: any(not line["shadow"] for line in log_of(world)[before:]))
    return bool([line for line in log_of(world)[before:] if not line["shadow"]][-1]["answer"])


def kill_engine(world: World) -> None:
    for pid in engines(world):
        os.kill(pid, signal.SIGKILL)
    world.until(lambda: engines(world) == [])


def engines(world: World) -> list[int]:
    """The engine's process number, if there is one; starts none."""
    running = administer.processes(world.home, world.name, world.clock)
    return [each.pid for each in running if each.role == "engine"]


def numbered(port: int, key: str, count: int) -> list[int]:
    """Different requests that all claim one id; the numbers of those that were answered."""

    async def run() -> list[int]:
        left = iter(range(count))
        good: list[int] = []

        async def worker() -> None:
            for number in left:
                body = json.dumps({"request": number}).encode()
                got = await send(port, key, body, {"x-request-id": "always-the-same"})
                if got.status == 200 and got.json == {"who": "blue", "request": number}:
                    good.append(number)

        await asyncio.gather(*(worker() for _ in range(6)))
        return good

    return asyncio.run(run())


def test_pairs_are_of_one_request_although_all_claim_one_id(
    world: World, endpoint: LocalEndpoint
) -> None:
    reader, first = Reader(endpoint), endpoint.cursor()
    port, key = port_of(endpoint), endpoint.key_value()
    good: list[int] = []
    sender = threading.Thread(target=lambda: good.extend(numbered(port, key, 400)))

    sender.start()
    for rotation in (1, 2, 3):
        reader.until(world, 100 * rotation)
        endpoint._client.call("POST", "/v1/rotate")
    sender.join()
    answers = reader.until(world, 400)
    world.until(lambda: (reader.read(), len(reader.pairs) == reader.requests["candidate"])[1])

    assert sorted(good) == list(range(400))
    pairs = [[json.loads(each.body) for each in pair] for pair in reader.pairs]
    assert {(one["who"], other["who"]) for one, other in pairs} == {("blue", "green")}
    assert all(one["request"] == other["request"] for one, other in pairs)
    assert len({one["request"] for one, _ in pairs}) == len(pairs) == reader.requests["candidate"]
    assert 100 < len(pairs) < 300
    assert answers["baseline"] == 400
    at_once = endpoint.read(first, mirrored=True, histogram=True, answers=True)
    assert Counter(at_once.pairs) == Counter(reader.pairs)


def every_line(world: World) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    for path in (world.home / world.name).glob("access*.jsonl"):
        lines += [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
    return lines


def test_live_answers_of_both_are_as_many_as_were_counted(
    world: World, endpoint: LocalEndpoint
) -> None:
    perform(endpoint, SetSplit({"blue": 50, "green": 50}))
    reader = Reader(endpoint, mirrored=False)
    port, key = port_of(endpoint), endpoint.key_value()

    got = send_many(port, key, 100)
    got += send_many(port, key, 20, body=b'{"kind": "raise"}')
    got += send_many(port, key, 10, headers={"azureml-model-deployment": "green"})

    def all_of_them() -> bool:
        reader.read()
        return sum(reader.requests.values()) >= 120

    world.until(all_of_them)
    assert Counter(role for role, _ in reader.said) == reader.requests
    assert Counter(said.status for _, said in reader.said) == {200: 100, 500: 20}
    for role, said in reader.said:
        name = {"baseline": "blue", "candidate": "green"}[role]
        assert said.content_type == "application/json"
        assert said.whole
        assert said.status == 500 or json.loads(said.body)["who"] == name
    assert reader.pairs == []
    assert len(got) == 130


@pytest.mark.parametrize(
    ("kind", "told", "expected"),
    [
        ("large", b"x" * LARGE, Said(200, b"x" * MOST, "text/plain", whole=False)),
        ("huge", b"y" * HUGE, Said(200, b"y" * MOST, "text/plain", whole=False)),
        ("binary", EVERY_BYTE, Said(200, EVERY_BYTE, "application/octet-stream")),
    ],
)
def test_any_body_reaches_the_client_whole_and_the_reader_as_it_is(
    world: World, endpoint: LocalEndpoint, kind: str, told: bytes, expected: Said
) -> None:
    reader = Reader(endpoint)
    body = json.dumps({"kind": kind}).encode()

    got = send_many(port_of(endpoint), endpoint.key_value(), 20, body=body)

    reader.until(world, 20, 1)
    assert {(each.status, each.body) for each in got} == {(200, told)}
    assert {said for _, said in reader.said} == {expected}
    world.until(lambda: (reader.read(), reader.pairs)[1] != [])
    assert set(reader.pairs) == {(expected, expected)}


def test_an_encoded_answer_is_read_decoded(world: World, endpoint: LocalEndpoint) -> None:
    reader = Reader(endpoint)

    got = one(endpoint, b'{"kind": "gzip"}')

    reader.until(world, 1)
    assert got.body.startswith(b"\x1f\x8b")
    assert reader.said[0] == ("baseline", Said(200, b"[1.5]", "application/json"))


def test_a_streamed_answer_is_not_held_back(
    world: World, endpoint: LocalEndpoint, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    reader = Reader(endpoint)
    body = json.dumps({"kind": "stream", "gate": str(gate)}).encode()
    head = f"POST /score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {endpoint.key_value()}\r\n"
    head += f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"

    async def talk() -> bytes:
        source, sink = await asyncio.open_connection("127.0.0.1", port_of(endpoint))
        sink.write(head.encode() + body)
        early = await source.readuntil(b"first ")
        gate.touch()  # the model waits for this, so the first piece has not waited for the last
        late = await source.read()
        sink.close()
        return early + late

    got = asyncio.run(talk())

    assert b"transfer-encoding: chunked" in got.lower()
    assert got.index(b"first ") < got.index(b"last")
    reader.until(world, 1)
    assert reader.said[0][1] == Said(200, b"first last", "text/plain")


def test_what_the_proxy_answers_itself_is_an_answer(world: World, endpoint: LocalEndpoint) -> None:
    reader = Reader(endpoint)

    got = one(endpoint, b'{"kind": "sleep", "seconds": 5.5}')

    assert reader.until(world, 1)["baseline"] == 1
    assert got.status == reader.said[0][1].status == 504
    assert reader.said[0][1].body == got.body


def test_the_log_is_private_and_holds_no_key(world: World, endpoint: LocalEndpoint) -> None:
    endpoint._client.call("POST", "/v1/rotate")
    send_many(port_of(endpoint), endpoint.key_value(), 10)
    logs = list((world.home / world.name).glob("access*.jsonl"))
    world.until(lambda: len(log_of(world)) >= 10)

    assert len(logs) >= 2
    assert {oct(path.stat().st_mode & 0o777) for path in logs} == {"0o600"}
    text = "".join(path.read_text() for path in logs)
    assert endpoint.key_value() not in text
    assert "authorization" not in text.lower()


def test_switching_the_capture_costs_no_request(world: World, endpoint: LocalEndpoint) -> None:
    kinds = (b'{"kind": "large"}', BODY)
    port, key = port_of(endpoint), endpoint.key_value()

    with Traffic(port, key, 25, kinds[0]) as large, Traffic(port, key, 40, kinds[1]) as small:
        for turn in range(20):
            keep(endpoint, 0 if turn % 2 == 0 else 60)
            sent = len(small.got)
            world.until(lambda sent=sent: len(small.got) > sent + 5)

    assert large.failed == small.failed == []
    assert {len(each.body) for each in large.got} == {LARGE}
    kept = Counter(line["answer"] is not None for line in every_line(world))
    assert kept[True] > 20 < kept[False]


def test_the_capture_lapses_and_lines_are_small_again(
    world: World, endpoint: LocalEndpoint
) -> None:
    keep(endpoint, 5)
    assert newest_is_kept(world, endpoint)

    world.until(lambda: not newest_is_kept(world, endpoint))

    line = [each for each in log_of(world) if not each["shadow"]][-1]
    assert line["answer"] is None
    assert len(json.dumps(line)) < 500
    routes = (world.home / world.name / "xds" / "rds.json").read_text()
    assert "lua" not in routes


def test_the_capture_lapses_without_an_engine(world: World, endpoint: LocalEndpoint) -> None:
    keep(endpoint, 6)
    assert newest_is_kept(world, endpoint)
    kill_engine(world)

    world.until(lambda: not newest_is_kept(world, endpoint))

    assert engines(world) == []


def test_the_next_engine_goes_on_with_the_capture(world: World, endpoint: LocalEndpoint) -> None:
    reader = Reader(endpoint)
    kill_engine(world)

    send_many(port_of(endpoint), endpoint.key_value(), 10)
    endpoint.observe()  # starts the next one
    send_many(port_of(endpoint), endpoint.key_value(), 10)

    assert reader.until(world, 20)["baseline"] == 20


def test_reading_answers_of_nothing_makes_nothing(world: World, tmp_path: Path) -> None:
    absent = World(tmp_path)
    absent.files = dict(world.files)

    found = absent.endpoint().read(
        absent.endpoint().cursor(), mirrored=True, histogram=True, answers=True
    )

    assert found.said == {"baseline": (), "candidate": ()}
    assert found.pairs == ()
    assert not absent.home.exists()
