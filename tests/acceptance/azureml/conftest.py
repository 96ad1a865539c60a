"""An emulator as a process, shared by the tests of a module; its environment is the module's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.azureml.cloud import Cloud
from tests.acceptance.azureml.site import AzureSite
from tests.acceptance.conftest import ROOT
from tests.azure_schemas import problems


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    options = ("--register", "environments/env/1", "--compute", "k8s")
    made = Cloud(tmp_path_factory.mktemp("cloud"), options)
    before = dict(os.environ)
    made.start()
    os.environ.update(made.environment)
    try:
        yield made
    finally:
        os.environ.clear()
        os.environ.update(before)
        made.close()
    wrong = [(each["operation"], told) for each in made.records() for told in problems(each)]
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
