"""From ``--state`` and the environment to a client of a service of objects."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from rollout.domain.addresses import container, refuse_secrets
from rollout.domain.errors import StoreError, UsageError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

    Client = AzureStore | GCSStore | S3Store

_URL = re.compile(r"(az|s3|gs)://([^/?#@\s]+)((?:/[A-Za-z0-9_=.-]+)*)/?")
# A call ends, one way or the other, well before a lease does (20 s).
_RETRY: RetryConfig = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=12),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2)},
}
_EMULATED = {
    "azure_storage_account_name": "devstoreaccount1",
    # Published by Microsoft for its emulator; the same on every machine.
    "azure_storage_account_key": "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"
    "K1SZFPTOtr/KBHBeksoGMGw==",
    "azure_storage_endpoint": "http://127.0.0.1:10000/devstoreaccount1",
}
_ACCOUNTS = ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ENDPOINT")
_KEYS = (
    "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_MASTER_KEY",
    "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_TOKEN",
)  # fmt: skip
_OF_AZ = {
    "AZURE_STORAGE_ACCOUNT": "azure_storage_account_name",  # as the command az reads them
    "AZURE_STORAGE_KEY": "azure_storage_account_key",
}
_PARTS = {
    "AccountName": "azure_storage_account_name",
    "AccountKey": "azure_storage_account_key",
    "SharedAccessSignature": "azure_storage_sas_token",
    "BlobEndpoint": "azure_storage_endpoint",
}


def understood(url: str) -> tuple[str, str, str]:
    """The kind, the container and the prefix that a URL names.

    Raises:
        UsageError: it names none, or has something secret in it.
    """
    refuse_secrets(url)
    named = _URL.fullmatch(url)
    if named is None:
        kind = url.partition(":")[0].lower()
        raise UsageError(  # without the address: what makes it none may be a secret
            f"--state names no {container(kind)} with a prefix.",
            do=f"Write {kind}://{container(kind)}/prefix, the prefix of letters, digits, and -_=.",
        )
    return named[1], named[2], named[3].strip("/")


def connected(kind: str, name: str, environment: Mapping[str, str] = os.environ) -> Client:
    """A client; nothing is asked yet.

    Args:
        kind: ``az``, ``s3`` or ``gs``.
        name: The container.
        environment: Where credentials and endpoints are.

    Raises:
        StoreError: the environment says too little.
    """
    try:
        if kind == "az":
            return _azure(name, environment)
        if kind == "s3":
            return S3Store(
                name, client_options=_client(_s3_endpoint(environment)), retry_config=_RETRY
            )
        return GCSStore(name, client_options=_client(""), retry_config=_RETRY)
    except BaseError as error:
        raise StoreError(
            f"The environment does not say how to reach {kind}://{name}.",
            do="docs/stores.md lists the variables that it may have.",
        ) from error


def _s3_endpoint(environment: Mapping[str, str]) -> str:
    return environment.get("AWS_ENDPOINT_URL") or environment.get("AWS_ENDPOINT") or ""


def _azure(name: str, environment: Mapping[str, str]) -> AzureStore:
    config = _azure_config(environment)
    if not config and not any(environment.get(each) for each in _ACCOUNTS):
        raise StoreError(
            f"No storage account is named for az://{name}.",
            do="Set AZURE_STORAGE_ACCOUNT, or AZURE_STORAGE_CONNECTION_STRING.",
        )
    keyed = any(environment.get(each) for each in _KEYS) or {
        "azure_storage_account_key", "azure_storage_sas_token"
    } & set(config)  # fmt: skip
    endpoint = config.get("azure_storage_endpoint", environment.get("AZURE_STORAGE_ENDPOINT", ""))
    options: dict[str, Any] = {
        "config": config,
        "client_options": _client(endpoint),
        "retry_config": _RETRY,
    }
    if not keyed and find_spec("azure") is not None and find_spec("azure.identity") is not None:
        from obstore.auth.azure import AzureCredentialProvider  # noqa: PLC0415 - heavy

        options["credential_provider"] = AzureCredentialProvider()
    return AzureStore(name, **options)


def _azure_config(environment: Mapping[str, str]) -> dict[str, str]:
    """What obstore does not read from the environment by itself."""
    told = environment.get("AZURE_STORAGE_CONNECTION_STRING", "")
    emulated = environment.get("AZURE_STORAGE_USE_EMULATOR", "").lower() in ("1", "true")
    parts = dict(part.partition("=")[::2] for part in told.split(";") if part.strip())
    if emulated or parts.get("UseDevelopmentStorage", "").lower() == "true":
        return dict(_EMULATED)
    if told:
        found = {_PARTS[key]: value for key, value in parts.items() if key in _PARTS}
        suffix = parts.get("EndpointSuffix", "core.windows.net")
        account = parts.get("AccountName", "")
        usual = f"{parts.get('DefaultEndpointsProtocol', 'https')}://{account}.blob.{suffix}"
        return {"azure_storage_endpoint": usual, **found}
    return {theirs: environment[ours] for ours, theirs in _OF_AZ.items() if environment.get(ours)}


def _client(endpoint: str) -> ClientConfig:
    return {
        "connect_timeout": timedelta(seconds=4),
        "timeout": timedelta(seconds=8),
        "allow_http": endpoint.startswith("http://"),  # an emulator, or a server of one's own
    }
