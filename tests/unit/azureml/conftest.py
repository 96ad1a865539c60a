"""A service in Azure's place, trusted by this process alone."""

from __future__ import annotations

import pytest

from tests.unit.azureml.azure_service import served


@pytest.fixture
def service(tmp_path, monkeypatch):
    with served(tmp_path) as (made, authority):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        yield made
