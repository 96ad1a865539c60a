"""What providers can say of a plan file without a network, by the provider's name."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from rollout.planfile.provider import ProviderCheck

_CHECKS = {
    "local": "rollout.adapters.endpoints.local.files:LocalFiles",
    "azureml": "rollout.adapters.endpoints.azureml.files:AzureFiles",
}


def check_of(provider: str) -> ProviderCheck:
    """The check of a provider that plans may name; no other's is imported."""
    module, name = _CHECKS[provider].split(":")
    return cast("ProviderCheck", getattr(import_module(module), name)())
