"""A service in Azure's place, trusted by this process alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.azureml.azure_service import served
from tests.unit.azureml.manager import Manager, serving


@pytest.fixture
def service(tmp_path, monkeypatch):
    with served(tmp_path) as (made, authority):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        yield made


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[tuple[Manager, str]]:
    with serving(tmp_path_factory.mktemp("manager")) as (manager, pem):
        yield manager, str(pem)


@pytest.fixture
def manager(place, monkeypatch) -> Manager:
    """A Resource Manager with nothing in it, trusted by this process alone."""
    manager, pem = place
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", pem)
    manager.there.clear()
    manager.asked.clear()
    manager.says = lambda _: None
    return manager
