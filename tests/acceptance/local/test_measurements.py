"""Readings of a real access log: exact, complete, and blind to what is not the model's."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from rollout.adapters.endpoints.local import administer
from rollout.adapters.endpoints.local.endpoint import LocalEndpoint
from rollout.domain.endpoint import SetSplit
from rollout.domain.errors import EndpointRefused
from rollout.domain.measure import NEVER, Arm, edge
from tests.acceptance.local.world import (
    BODY,
    World,
    bring_up,
    perform,
    port_of,
    send,
    send_many,
)

pytestmark = pytest.mark.xdist_group("measurements")  # one endpoint for all of them


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("measurements"))
    world.write("blue")
    world.write("green")
    yield world
    world.endpoint().destroy()


@pytest.fixture(scope="module")
def up(world: World) -> LocalEndpoint:
    return bring_up(world)


@pytest.fixture
def endpoint(up: LocalEndpoint) -> LocalEndpoint:
    perform(up, SetSplit({"blue": 50, "green": 50}))
    return up


def sum_of(arms: list[Arm]) -> Arm:
    latency: Counter[int] = Counter()
    for arm in arms:
        latency.update(arm.latency or {})
    requests, errors = sum(one.requests for one in arms), sum(one.errors for one in arms)
    return Arm(requests, errors, dict(latency))


def test_counts_and_histograms_are_exact_however_they_are_polled(
    world: World, endpoint: LocalEndpoint
) -> None:
    cursor = endpoint.cursor()
    got: list[object] = []
    port, key = port_of(endpoint), endpoint.key_value()
    bodies = (BODY, b'{"raise": true}')
    sender = threading.Thread(
        target=lambda: [got.extend(send_many(port, key, 150, body=body)) for body in bodies]
    )
    read: dict[str, list[Arm]] = {"baseline": [], "candidate": []}
    timed: list[bool] = []
    moment = [0.0]

    def poll(*, histogram: bool) -> int:
        nonlocal cursor
        reading = endpoint.read(cursor, mirrored=False, histogram=histogram)
        cursor = reading.cursor
        interval = reading.interval
        assert interval is not None
        assert interval.start == (moment[0] or interval.start) <= interval.end
        moment[0] = interval.end
        for name, arm in interval.arms.items():
            assert (arm.latency is not None) == histogram
            read[name].append(arm)
        timed.append(histogram)
        return sum(arm.requests for arms in read.values() for arm in arms)

    sender.start()
    turn = iter(range(10**6))
    world.until(lambda: poll(histogram=next(turn) % 3 == 0) >= 300)
    sender.join()
    poll(histogram=True)

    answers = Counter((one.deployment, one.status) for one in got)
    for arm, name in (("baseline", "blue"), ("candidate", "green")):
        total = sum_of(read[arm])
        assert total.requests == answers[name, 200] + answers[name, 500]
        assert total.errors == answers[name, 500] > 20
        assert sum(total.latency.values()) == total.requests
        assert total.latency[NEVER] == total.errors
        fast = [edge(bucket) for bucket in total.latency if bucket != NEVER]
        assert 0.0001 < min(fast) < max(fast) < 3
    assert len(timed) > 3


def test_nobody_else_counts(world: World, endpoint: LocalEndpoint) -> None:
    port, key = port_of(endpoint), endpoint.key_value()
    cursor = endpoint.cursor()

    async def leave_early() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        body = b'{"sleep": 2}'
        head = f"POST /score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.close()

    send_many(port, key, 10, headers={"azureml-model-deployment": "blue"})
    send_many(port, key, 5, headers={"azureml-model-deployment": "nobody"})
    send_many(port, "wrong", 5)
    asyncio.run(leave_early())
    send_many(port, key, 10)

    def requests() -> int:
        interval = endpoint.read(cursor, mirrored=False, histogram=False).interval
        assert interval is not None
        assert [arm.errors for arm in interval.arms.values()] == [0, 0]
        return sum(arm.requests for arm in interval.arms.values())

    world.until(lambda: requests() >= 10)
    assert requests() == 10


def test_an_interval_without_requests_is_one(endpoint: LocalEndpoint) -> None:
    cursor = endpoint.cursor()

    first = endpoint.read(cursor, mirrored=False, histogram=False)
    second = endpoint.read(first.cursor, mirrored=True, histogram=True)

    assert first.interval is not None
    assert second.interval is not None
    assert first.interval.end == second.interval.start
    assert second.interval.arms == {"baseline": Arm(0, 0, {}), "candidate": Arm(0, 0, {})}


def test_a_deployment_without_a_server_has_errors(world: World, endpoint: LocalEndpoint) -> None:
    cursor = endpoint.cursor()
    administer.fault(world.home, world.name, world.clock, kind="kill-server", deployment="green")

    send_many(port_of(endpoint), endpoint.key_value(), 20)

    def errors() -> tuple[int, ...]:
        interval = endpoint.read(cursor, mirrored=False, histogram=False).interval
        assert interval is not None
        return tuple(interval.arms[arm].errors for arm in ("baseline", "candidate"))

    world.until(lambda: errors()[1] > 0)
    assert errors()[0] == 0
    world.until_ready(endpoint, "green")


def test_a_rotation_under_load_loses_no_line(world: World, endpoint: LocalEndpoint) -> None:
    first = cursor = endpoint.cursor()
    port, key = port_of(endpoint), endpoint.key_value()
    sender = threading.Thread(target=lambda: send_many(port, key, 600))
    read: list[Arm] = []

    def poll() -> int:
        nonlocal cursor
        reading = endpoint.read(cursor, mirrored=False, histogram=False)
        cursor = reading.cursor
        assert reading.interval is not None
        read.extend(reading.interval.arms.values())
        return sum_of(read).requests

    sender.start()
    for rotation in range(1, 4):
        world.until(lambda n=rotation: poll() >= 140 * n)
        endpoint._client.call("POST", "/v1/rotate")
    sender.join()
    world.until(lambda: poll() >= 600)

    assert sum_of(read).requests == 600
    assert len(list((world.home / world.name).glob("access.*.jsonl"))) >= 3
    again = endpoint.read(first, mirrored=False, histogram=True).interval
    assert again is not None
    assert sum_of(list(again.arms.values())).requests == 600
    assert sum(sum_of(list(again.arms.values())).latency.values()) == 600


def test_an_access_log_that_is_removed_is_opened_anew(
    world: World, endpoint: LocalEndpoint
) -> None:
    log = world.home / world.name / "access.jsonl"

    def requests(cursor: str) -> int:
        interval = endpoint.read(cursor, mirrored=False, histogram=False).interval
        assert interval is not None
        return sum(arm.requests for arm in interval.arms.values())

    endpoint._client.call("POST", "/v1/rotate")
    world.until(log.exists)  # also without a request
    begin = endpoint.cursor()
    send_many(port_of(endpoint), endpoint.key_value(), 5)
    world.until(lambda: requests(begin) == 5)
    cursor = endpoint.read(begin, mirrored=False, histogram=False).cursor

    log.unlink()
    world.until(log.exists)
    # More than it held before: what is new must not be looked for behind what is gone.
    send_many(port_of(endpoint), endpoint.key_value(), 20)

    world.until(lambda: requests(cursor) == 20)


def test_a_foreign_cursor_is_refused(endpoint: LocalEndpoint) -> None:
    with pytest.raises(EndpointRefused, match="cursor"):
        endpoint.read("2026-01-01T00:00:00Z", mirrored=False, histogram=False)


@pytest.mark.parametrize(("kind", "seconds"), [("error", 0.0), ("delay", 0.25), ("crash", 0.0)])
def test_a_fault_is_seen_in_its_arm_only(
    world: World, endpoint: LocalEndpoint, kind: str, seconds: float
) -> None:
    where = (world.home, world.name, world.clock)
    administer.fault(*where, kind=kind, deployment="green", percent=100, seconds=seconds)
    cursor = endpoint.cursor()

    send_many(port_of(endpoint), endpoint.key_value(), 12, at_once=2)
    administer.fault(*where, kind="none", deployment="green")

    def arms() -> dict[str, Arm]:
        interval = endpoint.read(cursor, mirrored=False, histogram=True).interval
        assert interval is not None
        return dict(interval.arms)

    world.until(lambda: sum(arm.requests for arm in arms().values()) == 12)
    green = arms()["candidate"]
    assert arms()["baseline"].errors == 0
    if kind == "delay":
        assert green.errors == 0
        assert min(edge(bucket) for bucket in green.latency) > seconds
    else:
        assert green.errors == green.requests
    healthy = asyncio.run(
        send(port_of(endpoint), endpoint.key_value(), headers={"azureml-model-deployment": "green"})
    )
    assert healthy.status == 200


@pytest.mark.parametrize(
    ("kind", "deployment"), [("error", "nobody"), ("earthquake", "green"), ("kill-server", None)]
)
def test_an_impossible_fault_is_refused(
    world: World, endpoint: LocalEndpoint, kind: str, deployment: str | None
) -> None:
    with pytest.raises(EndpointRefused):
        administer.fault(world.home, world.name, world.clock, kind=kind, deployment=deployment)


def test_our_own_load_is_open_loop_and_counts_itself(world: World, endpoint: LocalEndpoint) -> None:
    load = administer.load(world.home, world.name, rps=60, bodies=(BODY,))
    cursor = endpoint.cursor()

    load.start()
    load.start()
    world.until(lambda: load.stats().sent >= 90)
    load.stop()
    load.stop()

    stats = load.stats()
    assert stats.ok == stats.sent
    assert stats.failed == {}
    assert sum(stats.by_deployment.values()) == stats.sent
    assert set(stats.by_deployment) == {"blue", "green"}
    assert 0 < stats.latency[0.5] <= stats.latency[0.95] <= stats.latency[0.99] < 5

    def counted() -> int:
        interval = endpoint.read(cursor, mirrored=False, histogram=False).interval
        assert interval is not None
        return sum(arm.requests for arm in interval.arms.values())

    world.until(lambda: counted() == stats.sent)
