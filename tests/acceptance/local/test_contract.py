"""The local endpoint keeps the port's promises, with real servers behind a real Envoy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from rollout.domain.endpoint import CreateEndpoint, ScaleDeployment
from rollout.domain.plan import Plan
from rollout.ports.endpoint import Endpoint
from tests.acceptance.local.world import World
from tests.contracts.endpoint_contract import (
    ALL_BLUE,
    BLUE,
    GREEN,
    PUT_BLUE,
    PUT_GREEN,
    RUN,
    EndpointContract,
    ready,
)

T = TypeVar("T")
FLUSH_SECONDS = 0.3  # Envoy writes its log at most so much later


class LocalBench:
    def __init__(self, world: World) -> None:
        self._world = world
        self._bad = 0
        world.write("blue")
        world.write("green")
        self._green = world.files["green"]

    def plan(self) -> Plan:
        return self._world.plan()

    def endpoint(self) -> Endpoint:
        return self._world.endpoint()

    def make_bad(self) -> Endpoint:
        script = "def init():\n    raise ImportError('no module named shape')\ndef run(d): pass\n"
        self._world.write("green", script, key="green-bad")
        try:
            return self._world.endpoint()
        finally:
            self._world.files["green"] = self._green

    def bad_body(self) -> bytes:
        return b'{"raise": true}'

    def settle(self, look: Callable[[], T]) -> T:
        found: list[T] = []
        self._world.clock.sleep(FLUSH_SECONDS)
        self._world.until(lambda: bool(found.append(look()) or found[-1]))
        return found[-1]


@pytest.fixture(scope="module")
def one_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBench]:
    world = World(tmp_path_factory.mktemp("contract"))
    yield LocalBench(world)
    world.endpoint().destroy()


@pytest.mark.xdist_group("contract")
class TestLocalEndpoint(EndpointContract):
    """One endpoint for all promises: each test begins with it absent, or as good as new."""

    @pytest.fixture
    def bench(self, one_bench: LocalBench) -> LocalBench:
        return one_bench

    @pytest.fixture
    def endpoint(self, bench: LocalBench) -> Endpoint:
        endpoint = bench.endpoint()
        endpoint.destroy()
        return endpoint

    @pytest.fixture
    def served(self, bench: LocalBench) -> Endpoint:
        endpoint = bench.endpoint()
        endpoint.perform(CreateEndpoint(), run=RUN)
        for effect in (PUT_BLUE, PUT_GREEN):
            endpoint.perform(effect, run=RUN)
        bench.settle(lambda: ready(endpoint, BLUE) and ready(endpoint, GREEN))
        for effect in (ALL_BLUE, ScaleDeployment(BLUE, 1)):
            endpoint.perform(effect, run=RUN)
        bench.settle(lambda: ready(endpoint, BLUE))
        return endpoint
