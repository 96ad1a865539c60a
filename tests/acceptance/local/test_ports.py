"""Ports: one exactly, or the first free one; and two endpoints side by side."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rollout.adapters.endpoints.local import administer
from rollout.adapters.endpoints.local.endpoint import LocalEndpoint
from rollout.domain.endpoint import CreateEndpoint, PutDeployment
from rollout.domain.errors import EndpointAway, EndpointRefused
from tests.acceptance.local.world import BODY, World, bring_up, perform, port_of
from tests.acceptance.ports import own_port


def test_a_taken_port_is_refused_by_number_and_nothing_is_left(
    make_world: Callable[..., World],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        world = make_world(port=port)
        endpoint = world.endpoint()
        findings = {one.name: one for one in endpoint.preflight()}

        with pytest.raises(EndpointRefused, match=f"Port {port} is taken"):
            perform(endpoint, CreateEndpoint())

    assert not findings["port"].ok
    assert str(port) in findings["port"].text
    assert not endpoint.observe().exists
    assert list(world.home.iterdir()) == []


def test_the_port_asked_for_is_the_port_given(make_world: Callable[..., World]) -> None:
    port = own_port()
    world = make_world(port=port)

    perform(world.endpoint(), CreateEndpoint())

    assert port_of(world.endpoint()) == port


def test_two_endpoints_live_side_by_side(make_world: Callable[..., World]) -> None:
    one, two = make_world("one"), make_world("two")
    for world in (one, two):
        world.write("blue", key=f"blue-of-{world.name}")
    first, second = bring_up(one, both=False), bring_up(two, both=False)

    answers = [each.probe(BODY, deployment=None, timeout=60) for each in (first, second)]

    assert b"blue-of-one" in answers[0].body
    assert b"blue-of-two" in answers[1].body
    assert port_of(first) != port_of(second)
    assert [each.name for each in administer.list_endpoints(one.home)] == ["one", "two"]
    first.destroy()
    assert second.probe(BODY, deployment=None, timeout=60).status == 200


def test_endpoints_that_come_at_the_same_moment_have_a_port_each(tmp_path: Path) -> None:
    worlds = [World(tmp_path / user) for user in ("ada", "bob", "cy", "dee")]
    at_once = threading.Barrier(len(worlds))

    def created(world: World) -> int:
        world.folder.mkdir()
        endpoint = world.endpoint()
        at_once.wait()
        perform(endpoint, CreateEndpoint())
        return port_of(endpoint)

    try:
        with ThreadPoolExecutor(len(worlds)) as pool:
            ports = list(pool.map(created, worlds))
    finally:
        for world in worlds:
            world.endpoint().destroy()

    assert len(set(ports)) == len(worlds), ports


def test_a_port_that_was_taken_meanwhile_is_named_and_awaited(
    make_world: Callable[..., World],
) -> None:
    world = make_world(port=own_port())
    world.write("blue")
    endpoint = bring_up(world, both=False)
    port = port_of(endpoint)
    administer.down(world.home, world.name, world.clock)

    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(EndpointAway, match=f"{port}"):
            world.until(lambda: not endpoint.observe().busy)
        with pytest.raises(EndpointAway, match=f"{port}"):
            endpoint.observe()

    world.until(lambda: answered(endpoint))
    assert endpoint.observe().traffic == {"blue": 100}
    assert port_of(endpoint) == port


def answered(endpoint: LocalEndpoint) -> bool:
    return endpoint.probe(BODY, deployment=None, timeout=60).status == 200


def test_creating_twice_changes_nothing(world: World) -> None:
    endpoint = world.endpoint()
    perform(endpoint, CreateEndpoint())
    key, port = endpoint.key_value(), port_of(endpoint)

    perform(endpoint, CreateEndpoint())

    assert (endpoint.key_value(), port_of(endpoint)) == (key, port)


def test_orders_for_an_absent_endpoint_are_refused(world: World) -> None:
    endpoint = world.endpoint()

    with pytest.raises(EndpointRefused, match="does not exist"):
        perform(endpoint, PutDeployment("baseline", "blue"))

    assert not endpoint.observe().exists
