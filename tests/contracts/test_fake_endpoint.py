"""The fake endpoint keeps the port's promises, in memory and in a file, at once and in a while."""

from __future__ import annotations

import pytest

from rollout.domain.plan import DeploymentRef, EndpointRef, Plan
from tests.contracts.endpoint_contract import EndpointContract
from tests.fakes.clock import FakeClock
from tests.fakes.endpoint import BAD_BODY, FakeEndpoint, World

PLAN = Plan(
    name="contract",
    endpoint=EndpointRef("fake", "Diabetes"),
    baseline=DeploymentRef("blue", "/plans/blue.yml"),
    candidate=DeploymentRef("green", "/plans/green.yml"),
    stages=(),
    requests=(b'{"data": [1]}',),
)


class FakeBench:
    def __init__(self, world):
        self.world = world

    def plan(self):
        return PLAN

    def endpoint(self):
        return FakeEndpoint(PLAN, self.world)

    def make_bad(self):
        self.world.doom("green", "ImportError: no module named 'shape'")
        return self.endpoint()

    def bad_body(self):
        return BAD_BODY

    def settle(self, look):
        for _ in range(300):
            if found := look():
                return found
            self.world.clock.sleep(0.5)
        raise AssertionError("it does not settle")


class TestFakeEndpoint(EndpointContract):
    @pytest.fixture(params=["memory", "file", "lazy"])
    def bench(self, request, tmp_path):
        path = tmp_path / "world.db" if request.param == "file" else None
        world = World(FakeClock(), path=path, rps=0.0)
        if request.param == "lazy":
            world.looks, world.lag, world.split_seconds = 3, 2.0, 20.0
        yield FakeBench(world)
        world.close()
