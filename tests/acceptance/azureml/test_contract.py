"""The Azure adapter keeps the port's promises, by the real SDK against the emulator."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.endpoints.azureml import seeing
from rollout.adapters.endpoints.azureml.endpoint import AzureEndpoint
from rollout.domain.endpoint import CreateEndpoint, Effect, ScaleDeployment
from rollout.domain.errors import EndpointAway
from rollout.domain.plan import DeploymentRef, EndpointRef, Metering, Plan
from rollout.ports.endpoint import Endpoint
from tests.acceptance.azureml.cloud import Cloud
from tests.acceptance.local.world import BODY, World
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
WORKSPACE = "00000000-0000-0000-0000-00000000000a"


class AzureBench:
    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = itertools.count()
        for name in (BLUE, GREEN):
            world.write(name, instance_type="Standard_DS3_v2", environment="azureml:env:1")

    def plan(self) -> Plan:
        options = {
            "subscription": os.environ["AZURE_SUBSCRIPTION_ID"],
            "resource_group": os.environ["AZURE_RESOURCE_GROUP"],
            "workspace": os.environ["AZUREML_WORKSPACE"],
            "credential": "environment",
        }
        return Plan(
            name="test",
            endpoint=EndpointRef("azureml", "contract", options=options),
            baseline=DeploymentRef(BLUE, self._world.files[BLUE]),
            candidate=DeploymentRef(GREEN, self._world.files[GREEN]),
            stages=(),
            requests=(BODY,),
            metrics=Metering("log_analytics", {"workspace": WORKSPACE, "delay": "1s"}),
        )

    def endpoint(self) -> Endpoint:
        return AzureEndpoint(self.plan(), clock=SystemClock())

    def make_bad(self) -> Endpoint:
        script = "def init():\n    raise ImportError('no module named shape')\ndef run(d): pass\n"
        good = self._world.files[GREEN]
        self._world.write(
            GREEN, script, key="green-bad", instance_type="Standard_DS3_v2",
            environment="azureml:env:1",
        )  # fmt: skip
        try:
            return self.endpoint()
        finally:
            self._world.files[GREEN] = good

    def bad_body(self) -> bytes:
        return b'{"raise": true}'

    def settle(self, look: Callable[[], T]) -> T:
        until = time.monotonic() + 180
        while time.monotonic() < until:
            if found := look():
                return found
            time.sleep(0.1)
        pytest.fail("it does not settle")


def performed(endpoint: Endpoint, effect: Effect) -> bool:
    """Whether the order was taken; while another operation goes on, it is not."""
    try:
        endpoint.perform(effect, run=RUN)
    except EndpointAway:
        return False
    return not endpoint.observe().busy


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator answers at once."""
    monkeypatch.setattr(seeing, "CONFIRM_SECONDS", 0.1)


@pytest.fixture(scope="module")
def one_bench(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureBench]:
    bench = AzureBench(World(tmp_path_factory.mktemp("files"), name="contract"))
    yield bench
    endpoint = bench.endpoint()
    endpoint.destroy()
    endpoint.close()


class TestAzureEndpoint(EndpointContract):
    """One endpoint for all promises: each test begins with it absent, or as good as new."""

    keeps_answers = False
    tells_copies = False  # Azure does nowhere; a deployment has live requests or copies

    @pytest.fixture
    def bench(self, one_bench: AzureBench) -> AzureBench:
        return one_bench

    @pytest.fixture
    def endpoint(self, bench: AzureBench) -> Iterator[Endpoint]:
        endpoint = bench.endpoint()
        endpoint.destroy()
        yield endpoint
        endpoint.close()

    @pytest.fixture
    def served(self, bench: AzureBench) -> Iterator[Endpoint]:
        endpoint = bench.endpoint()
        for effect in (CreateEndpoint(), PUT_BLUE, PUT_GREEN, ALL_BLUE, ScaleDeployment(BLUE, 1)):
            bench.settle(lambda order=effect: performed(endpoint, order))
        bench.settle(
            lambda: ready(endpoint, BLUE) and ready(endpoint, GREEN) and not endpoint.observe().busy
        )
        yield endpoint
        endpoint.close()
