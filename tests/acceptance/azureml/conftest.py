"""An emulator as a process, shared by the tests of a module; its environment is the module's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.adapters.endpoints.azureml import seeing
from rollout.adapters.endpoints.azureml.endpoint import AzureEndpoint
from tests.acceptance.azureml.cloud import Cloud
from tests.acceptance.azureml.site import AzureSite
from tests.acceptance.azureml.ward import BLUE, GREEN, NAME, Ward
from tests.acceptance.conftest import ROOT
from tests.acceptance.local.world import World
from tests.azure_schemas import different, problems


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    options = ("--register", "environments/env/1", "--compute", "k8s")
    made = Cloud(tmp_path_factory.mktemp("cloud"), options)
    before = dict(os.environ)
    made.start()
    os.environ.update(made.environment)
    try:
        made.warm()
        yield made
    finally:
        os.environ.clear()
        os.environ.update(before)
        made.close()
    wrong = [
        (each["operation"], told) for each in different(made.records()) for told in problems(each)
    ]
    assert wrong == []  # by the models that the SDK itself was made with


@pytest.fixture
def site(cloud: Cloud, tmp_path: Path) -> Iterator[AzureSite]:
    """A fresh folder with the sample plans, in the emulator's world."""
    shutil.copytree(ROOT / "plans", tmp_path / "plans")
    made = AzureSite(tmp_path, cloud)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def ward(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """An endpoint with blue and green for the tests of a module."""
    world = World(tmp_path_factory.mktemp("files"), name=NAME)
    for name in (BLUE, GREEN):
        world.write(name, instance_type="Standard_DS3_v2", environment="azureml:env:1")
    made = Ward(cloud, world)
    yield made
    cloud.clear()
    endpoint = made.endpoint()
    endpoint.destroy()
    endpoint.close()


@pytest.fixture
def hurried(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The emulator answers at once, so nobody needs to look every two seconds only."""
    monkeypatch.setattr(AzureEndpoint, "pace", 0.15)
    monkeypatch.setattr(seeing, "CONFIRM_SECONDS", 0.1)
    yield
    ward.when = None
    ward.cloud.clear()
