"""What providers, and who measures in their place, can say of a plan file without a network."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from rollout.domain.plan import PROMETHEUS
from rollout.planfile.provider import ProviderCheck

_CHECKS = {
    "local": "rollout.adapters.endpoints.local.files:LocalFiles",
    "azureml": "rollout.adapters.endpoints.azureml.files:AzureFiles",
}


def check_of(provider: str, meter: str) -> ProviderCheck:
    """The check of a provider that plans may name, and of who measures; no other's is imported."""
    module, name = _CHECKS[provider].split(":")
    check = cast("ProviderCheck", getattr(import_module(module), name)())
    if meter != PROMETHEUS:
        return check
    from rollout.adapters.metrics.prometheus.files import PrometheusFiles  # noqa: PLC0415 - as above

    return PrometheusFiles(check)
