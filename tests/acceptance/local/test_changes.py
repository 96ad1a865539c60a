"""Every change of an endpoint under load: no client request fails."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from rollout.adapters.endpoints.local.endpoint import LocalEndpoint
from rollout.domain.endpoint import (
    Condition,
    DeleteDeployment,
    DeploymentSeen,
    PutDeployment,
    ScaleDeployment,
    Seen,
    SetSplit,
)
from tests.acceptance.local.world import Traffic, World, bring_up, perform, port_of

pytestmark = pytest.mark.xdist_group("changes")  # one endpoint for all of them


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("changes"))
    world.write("blue")
    world.write("green")
    yield world
    world.endpoint().destroy()


@pytest.fixture(scope="module")
def up(world: World) -> LocalEndpoint:
    return bring_up(world, both=False)


@pytest.fixture
def endpoint(world: World, up: LocalEndpoint) -> LocalEndpoint:
    perform(up, SetSplit({"blue": 100}), ScaleDeployment("blue", 1), DeleteDeployment("green"))
    world.until_seen(up, lambda seen: settled(seen, blue=1))
    return up


@pytest.fixture
def traffic(endpoint: LocalEndpoint) -> Iterator[Traffic]:
    with Traffic(port_of(endpoint), endpoint.key_value()) as traffic:
        yield traffic


def settled(seen: Seen, **instances: int) -> bool:
    def whole(name: str, one: DeploymentSeen) -> bool:
        return one.condition is Condition.READY and one.ready == instances.get(name)

    there = seen.deployments
    return there.keys() == instances.keys() and all(whole(*item) for item in there.items())


def more(world: World, traffic: Traffic, count: int = 40) -> None:
    """Let so many further requests be answered."""
    enough = len(traffic.got) + count
    world.until(lambda: len(traffic.got) >= enough)


def test_a_deployment_comes_and_goes(
    world: World, endpoint: LocalEndpoint, traffic: Traffic
) -> None:
    perform(endpoint, PutDeployment("candidate", "green"))
    world.until_ready(endpoint, "green")
    for share in (10, 50, 100):
        perform(endpoint, SetSplit({"blue": 100 - share, "green": share}))
        more(world, traffic)
    perform(endpoint, SetSplit({"blue": 100}, {"green": 50}))
    more(world, traffic)
    perform(endpoint, SetSplit({"blue": 100}), DeleteDeployment("green"))
    world.until_seen(endpoint, lambda seen: settled(seen, blue=1))
    more(world, traffic)

    assert traffic.failed == []
    assert traffic.by_deployment["green"] > 40


def test_many_split_changes(world: World, endpoint: LocalEndpoint, traffic: Traffic) -> None:
    perform(endpoint, PutDeployment("candidate", "green"))
    world.until_ready(endpoint, "green")

    for turn in range(60):
        perform(endpoint, SetSplit({"blue": 100} if turn % 2 else {"green": 100}))
    more(world, traffic)

    assert traffic.failed == []


def test_a_split_is_in_force_when_the_order_returns(world: World, endpoint: LocalEndpoint) -> None:
    perform(endpoint, PutDeployment("candidate", "green"))
    world.until_ready(endpoint, "green")

    for turn in range(20):
        wanted = "blue" if turn % 2 else "green"
        perform(endpoint, SetSplit({wanted: 100}))
        answers = {
            endpoint.probe(b'{"data": 1}', deployment=None, timeout=60).deployment for _ in range(3)
        }
        assert answers == {wanted}


def test_scaling_up_and_down(world: World, endpoint: LocalEndpoint, traffic: Traffic) -> None:
    for instances in (3, 1, 2, 1):
        perform(endpoint, ScaleDeployment("blue", instances))
        world.until_seen(endpoint, lambda seen, n=instances: settled(seen, blue=n))
    more(world, traffic)

    assert traffic.failed == []
    assert traffic.by_deployment == {"blue": len(traffic.got)}


def test_a_rolling_update(world: World, endpoint: LocalEndpoint, traffic: Traffic) -> None:
    first = endpoint.observe().deployments["blue"].digest
    limit = {"request_timeout_ms": 20_000}  # so that Envoy's cluster changes, too
    changed = world.write("blue", key="blue-2", request_settings=limit)
    try:
        updated = world.endpoint()
        perform(updated, PutDeployment("baseline", "blue"), run="run-2")
        world.until_seen(updated, lambda seen: settled(seen, blue=1))
        more(world, traffic)
        last = traffic.got[-1].json["who"]
        seen = updated.observe().deployments["blue"]
    finally:
        world.write("blue")

    assert traffic.failed == []
    assert last == "blue-2", changed
    assert (seen.run, seen.digest) == ("run-2", updated.digest("baseline"))
    assert seen.digest != first


def test_requests_that_take_long_are_finished_by_servers_that_go(
    world: World, endpoint: LocalEndpoint
) -> None:
    slow = b'{"sleep": 0.4}'
    with Traffic(port_of(endpoint), endpoint.key_value(), rps=4, body=slow) as traffic:
        for instances in (3, 2):
            perform(endpoint, ScaleDeployment("blue", instances))
            world.until_seen(endpoint, lambda seen, n=instances: settled(seen, blue=n))
        world.write("blue", key="blue-3")
        try:
            perform(world.endpoint(), PutDeployment("baseline", "blue"), run="run-3")
        finally:
            world.write("blue")
        world.until_seen(endpoint, lambda seen: settled(seen, blue=1))

    assert traffic.failed == []
    assert len(traffic.got) > 10


def test_a_failed_update_leaves_the_old_servers_serving(
    world: World, endpoint: LocalEndpoint, traffic: Traffic
) -> None:
    good = world.files["blue"]
    world.write("blue", "def init():\n    raise KeyError('weights')\n", key="blue-bad")
    try:
        perform(world.endpoint(), PutDeployment("baseline", "blue"))
        seen = world.until_seen(
            endpoint, lambda seen: seen.deployments["blue"].condition is Condition.FAILED
        )
        more(world, traffic)
    finally:
        world.files["blue"] = good
    perform(world.endpoint(), PutDeployment("baseline", "blue"))
    world.until_seen(endpoint, lambda seen: settled(seen, blue=1))
    more(world, traffic)

    assert seen.deployments["blue"].ready == 1
    assert traffic.failed == []


def test_the_same_digest_again_replaces_no_server(world: World, endpoint: LocalEndpoint) -> None:
    def pid() -> object:
        answer = endpoint.probe(b'{"data": 1}', deployment="blue", timeout=60)
        return json.loads(answer.body)["pid"]

    perform(endpoint, PutDeployment("baseline", "blue"))  # whatever the tests before left
    before = world.until_seen(endpoint, lambda seen: settled(seen, blue=1))
    served_by, lines = pid(), endpoint.logs("blue", tail=1000).count("rollout: server")

    perform(endpoint, PutDeployment("baseline", "blue"))

    assert endpoint.observe() == before
    assert pid() == served_by
    assert endpoint.logs("blue", tail=1000).count("rollout: server") == lines
