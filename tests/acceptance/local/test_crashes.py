"""What dies comes back, is adopted, or is told of; and nothing else is harmed."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from rollout.adapters.endpoints.local import administer
from rollout.adapters.endpoints.local.endpoint import LocalEndpoint, build
from rollout.domain.endpoint import (
    Condition,
    CreateEndpoint,
    DeleteDeployment,
    DeploymentSeen,
    Effect,
    PutDeployment,
    ScaleDeployment,
    SetSplit,
)
from rollout.domain.errors import EndpointAway, EndpointRefused
from tests.acceptance.local.world import BODY, Traffic, World, bring_up, perform, port_of
from tests.acceptance.ports import own_port


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """On a port that stays its own while its proxy is dead."""
    world = make_world(port=own_port())
    world.write("blue")
    world.write("green")
    return world


def pids(world: World, role: str) -> list[int]:
    """Of what is ready in this role; starts no engine."""
    running = administer.processes(world.home, world.name, world.clock)
    return sorted(one.pid for one in running if one.role == role and one.state == "ready")


def lives(pid: int) -> bool:
    """Whether it runs; who has only not been waited for yet by process 1 does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def answers(endpoint: LocalEndpoint, deployment: str | None = None) -> bool:
    return endpoint.probe(BODY, deployment=deployment, timeout=60).status == 200


def blue(endpoint: LocalEndpoint) -> DeploymentSeen:
    return endpoint.observe().deployments["blue"]


def test_a_killed_engine_harms_nothing_and_the_next_one_adopts(world: World) -> None:
    endpoint = bring_up(world)
    perform(endpoint, SetSplit({"blue": 80, "green": 20}))
    before = (pids(world, "envoy"), pids(world, "server"))
    seen = endpoint.observe()

    with Traffic(port_of(endpoint), endpoint.key_value()) as traffic:
        for _ in range(3):
            kill(pids(world, "engine")[0])
            world.until(lambda: pids(world, "engine") == [])
            assert (pids(world, "envoy"), pids(world, "server")) == before
            assert endpoint.observe() == seen
            assert (pids(world, "envoy"), pids(world, "server")) == before
        perform(endpoint, SetSplit({"blue": 100}))
        world.until(lambda: len(traffic.got) > 50)

    assert traffic.failed == []


def test_an_engine_killed_while_it_works_finishes_the_work_later(world: World) -> None:
    endpoint = bring_up(world, both=False)
    perform(endpoint, PutDeployment("candidate", "green"), ScaleDeployment("blue", 2))
    kill(pids(world, "engine")[0])

    seen = world.until_ready(endpoint, "blue", "green")

    assert seen.deployments["blue"].ready == 2
    assert len(pids(world, "server")) == 3
    tags = {psutil.Process(pid).environ()["ROLLOUT_TAG"] for pid in pids(world, "server")}
    marked = [one.pid for one in psutil.process_iter() if tag_of(one) in tags]
    assert len(marked) == 6, "a master and a worker each, and no stray"


@pytest.mark.parametrize("seed", [1, 2])
def test_engines_killed_at_any_time_lose_no_request_and_no_order(world: World, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    endpoint = bring_up(world)
    orders = [
        SetSplit({"blue": 50, "green": 50}),
        ScaleDeployment("green", 2),
        SetSplit({"blue": 100}, {"green": 20}),
        SetSplit({"blue": 100}),
        DeleteDeployment("green"),
        PutDeployment("candidate", "green"),
    ]

    with Traffic(port_of(endpoint), endpoint.key_value(), rps=40) as traffic:
        for order in orders:
            killer = threading.Timer(
                chance.uniform(0, 0.5), lambda: [kill(pid) for pid in pids(world, "engine")]
            )
            killer.start()
            world.until(lambda order=order: obeyed(endpoint, order))
            killer.join()
        seen = world.until_ready(endpoint, "blue", "green")

    assert traffic.failed == []
    assert (seen.traffic, seen.mirror) == ({"blue": 100}, {})
    assert {name: one.instances for name, one in seen.deployments.items()} == {
        "blue": 1,
        "green": 1,
    }


def obeyed(endpoint: LocalEndpoint, order: Effect) -> bool:
    """Give an order and see it through, as a runner does that asks again when there was no answer."""
    try:
        perform(endpoint, order)
        seen = endpoint.observe()
    except EndpointAway:
        return False
    if isinstance(order, DeleteDeployment):
        return order.name not in seen.deployments
    if isinstance(order, SetSplit):
        return (seen.traffic, seen.mirror, seen.busy) == (order.traffic, order.mirror, False)
    return all(one.condition is Condition.READY for one in seen.deployments.values())


def tag_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("ROLLOUT_TAG")
    except psutil.Error:
        return None


def test_a_record_of_another_process_is_neither_adopted_nor_signalled(world: World) -> None:
    endpoint = bring_up(world, both=False)
    kill(pids(world, "engine")[0])
    folder = world.home / world.name
    records = json.loads((folder / "processes.json").read_text())
    server = records["servers"]["blue"][0]
    server["pid"] = os.getpid()  # as if the number had been given to us
    (folder / "processes.json").write_text(json.dumps(records))

    seen = world.until_ready(endpoint, "blue")

    assert seen.deployments["blue"].ready == 1
    assert os.getpid() not in pids(world, "server")
    assert answers(endpoint)


def test_a_killed_envoy_is_back_on_its_port(world: World) -> None:
    endpoint = bring_up(world, both=False)
    port, (old,) = port_of(endpoint), pids(world, "envoy")

    kill(old)
    world.until(lambda: answers(endpoint))

    (old,) = pids(world, "envoy")
    kill(pids(world, "engine")[0])
    kill(old)
    world.until(lambda: not lives(old))
    world.until_seen(endpoint, lambda seen: not seen.busy)
    assert answers(endpoint), "also without an engine that saw it die"
    assert port_of(endpoint) == port
    assert pids(world, "envoy") != [old]
    assert endpoint.observe().traffic == {"blue": 100}


def test_a_killed_server_of_two_is_replaced(world: World) -> None:
    endpoint = bring_up(world, both=False)
    perform(endpoint, ScaleDeployment("blue", 2))
    world.until_ready(endpoint, "blue")
    victim, survivor = pids(world, "server")

    with Traffic(port_of(endpoint), endpoint.key_value(), rps=15) as traffic:
        world.until(lambda: len(traffic.got) > 10)
        kill(victim)
        world.until(lambda: victim not in pids(world, "server"))
        world.until(lambda: len(pids(world, "server")) == 2)
        world.until_ready(endpoint, "blue")
        sent = len(traffic.got)
        world.until(lambda: len(traffic.got) > sent + 10)

    # A request that the dead server had begun to read is lost, and may not be sent twice.
    assert len(traffic.failed) <= 3, traffic.failed
    assert survivor in pids(world, "server")
    running = administer.processes(world.home, world.name, world.clock)
    assert {one.restarts for one in running if one.role == "server"} == {1}


def test_a_scoring_script_that_cannot_start_fails_its_deployment_only(world: World) -> None:
    world.write("green", "def init():\n    raise KeyError('weights missing')\ndef run(d): pass\n")
    endpoint = bring_up(world, both=False)

    perform(endpoint, PutDeployment("candidate", "green"))
    seen = world.until_seen(
        endpoint, lambda seen: seen.deployments["green"].condition is Condition.FAILED
    )

    green = seen.deployments["green"]
    assert "exit code" in green.error
    assert "KeyError: 'weights missing'" in green.error
    assert (green.ready, green.run) == (0, "run-1")
    assert "weights missing" in endpoint.logs("green", tail=200)
    with pytest.raises(EndpointRefused, match="not ready"):
        perform(endpoint, SetSplit({"blue": 90, "green": 10}))
    assert answers(endpoint)


def test_a_server_that_takes_too_long_to_start_fails(world: World) -> None:
    slow = "import time\ndef init():\n    time.sleep(600)\ndef run(data): pass\n"
    probe = {"initial_delay": 0, "period": 1, "failure_threshold": 2}
    world.write("blue", slow, readiness_probe=probe)
    endpoint = world.endpoint()
    perform(endpoint, CreateEndpoint(), PutDeployment("baseline", "blue"))

    world.until_seen(endpoint, lambda seen: seen.deployments["blue"].condition is Condition.FAILED)

    assert "not ready within 2 s" in blue(endpoint).error


def test_a_server_over_its_memory_limit_is_ended(make_world: Callable[..., World]) -> None:
    world = make_world(memory="220MB")
    world.write("blue")
    endpoint = bring_up(world, both=False)

    endpoint.probe(b'{"eat": 250000000}', deployment="blue", timeout=5)
    world.until(lambda: "out of memory: " in endpoint.logs("blue", tail=200))
    world.until_ready(endpoint, "blue")

    assert "MB of 220 MB" in endpoint.logs("blue", tail=200)
    assert answers(endpoint)


def test_a_crash_loop_is_a_failure_that_is_tried_again_slowly(world: World) -> None:
    once = (
        "import os, signal, threading, time\n"
        "def init():\n"
        "    threading.Thread(target=end, daemon=True).start()\n"
        "def end():\n"
        "    time.sleep(0.3)\n"
        "    os.kill(os.getppid(), signal.SIGKILL)\n"
        "def run(data): pass\n"
    )
    world.write("blue", once)
    endpoint = world.endpoint()
    perform(endpoint, CreateEndpoint(), PutDeployment("baseline", "blue"))

    seen = world.until_seen(
        endpoint, lambda seen: seen.deployments["blue"].condition is Condition.FAILED, seconds=300
    )

    assert "again and again" in seen.deployments["blue"].error


def test_down_stops_everything_and_the_next_call_brings_it_back(world: World) -> None:
    endpoint = bring_up(world)
    perform(endpoint, SetSplit({"blue": 60, "green": 40}))
    before = port_of(endpoint)
    running = [one.pid for one in administer.processes(world.home, world.name, world.clock)]

    administer.down(world.home, world.name, world.clock)

    world.until(lambda: not any(map(lives, running)))
    assert administer.processes(world.home, world.name, world.clock) == ()
    assert [one.up for one in administer.list_endpoints(world.home)] == [False]
    look = build(world.plan(), home=world.home, clock=world.clock, start=False).observe()
    assert (look.traffic, look.deployments["blue"].ready) == ({"blue": 60, "green": 40}, 0)
    assert administer.processes(world.home, world.name, world.clock) == (), "a look starts nothing"
    administer.up(world.home, world.name, world.clock)
    world.until_ready(endpoint, "blue", "green")
    assert endpoint.observe().traffic == {"blue": 60, "green": 40}
    assert port_of(endpoint) == before
    assert answers(endpoint)


def test_removing_the_folder_ends_everything(world: World, tmp_path: Path) -> None:
    bring_up(world, both=False)
    running = [one.pid for one in administer.processes(world.home, world.name, world.clock)]

    (world.home / world.name).rename(tmp_path / "away")

    world.until(lambda: not any(map(lives, running)))


def test_destroy_leaves_nothing(world: World) -> None:
    endpoint = bring_up(world)
    running = [one.pid for one in administer.processes(world.home, world.name, world.clock)]
    kill(pids(world, "engine")[0])

    endpoint.destroy()
    endpoint.destroy()

    world.until(lambda: not any(map(lives, running)))
    assert list(world.home.iterdir()) == []
    assert not endpoint.observe().exists
