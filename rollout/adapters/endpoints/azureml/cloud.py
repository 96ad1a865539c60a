"""Which Azure cloud: one of Azure's own by name, or one that a metadata address describes.

``ARM_CLOUD_METADATA_URL`` is how Azure's tools find Azure Stack, air-gapped clouds and the
emulator. The SDK fetches that address anew at every look-up; we fetch it once and hand it over.

Source of the addresses: azure-ai-ml 1.35.2 ``_azure_environments``; for metrics and logs the
documentation of azure-monitor-querymetrics 1.0 and azure-monitor-query 2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from rollout.adapters.endpoints.azureml.place import Cloud
from rollout.domain.errors import EndpointAway, EndpointRefused, UsageError

METADATA = "ARM_CLOUD_METADATA_URL"
DEFAULT = "AzureCloud"
_SECONDS = 10.0
_OK = 200

KNOWN: Mapping[str, Cloud] = {
    each.name: each
    for each in (
        Cloud(
            name=DEFAULT,
            resource_manager="https://management.azure.com",
            active_directory="https://login.microsoftonline.com",
            ml="https://ml.azure.com",
            storage="core.windows.net",
            portal="https://portal.azure.com",
            registries="https://eastus.api.azureml.ms",
            metrics="https://{region}.metrics.monitor.azure.com",
            metrics_audience="https://metrics.monitor.azure.com",
            logs="https://api.loganalytics.io",
        ),
        Cloud(
            name="AzureUSGovernment",
            resource_manager="https://management.usgovcloudapi.net",
            active_directory="https://login.microsoftonline.us",
            ml="https://ml.azure.us",
            storage="core.usgovcloudapi.net",
            portal="https://portal.azure.us",
            registries="https://usgovarizona.api.ml.azure.us",
            metrics="https://{region}.metrics.monitor.azure.us",
            metrics_audience="https://metrics.monitor.azure.us",
            logs="https://api.loganalytics.us",
        ),
        Cloud(
            name="AzureChinaCloud",
            resource_manager="https://management.chinacloudapi.cn",
            active_directory="https://login.chinacloudapi.cn",
            ml="https://ml.azure.cn",
            storage="core.chinacloudapi.cn",
            portal="https://portal.azure.cn",
            registries="https://chinaeast2.api.ml.azure.cn",
            metrics="https://{region}.metrics.monitor.azure.cn",
            metrics_audience="https://metrics.monitor.azure.cn",
            logs="https://api.loganalytics.azure.cn",
        ),
    )
}


def find(name: str | None, environment: Mapping[str, str]) -> Cloud:
    """The cloud that a plan names, else the one of the environment, else Azure's public one.

    Raises:
        UsageError: there is no such cloud.
        EndpointAway: the metadata address does not answer.
        EndpointRefused: what it answers describes no cloud.
    """
    if name in KNOWN:
        return KNOWN[cast(str, name)]
    address = environment.get(METADATA)
    if address:
        return _described(name, address)
    if name is None:
        return KNOWN[DEFAULT]
    raise UsageError(
        f"There is no Azure cloud called {name!r}.",
        do=f"Write endpoint.cloud: {', '.join(KNOWN)}; or set {METADATA} to the cloud's own "
        "metadata address.",
    )


def _described(name: str | None, address: str) -> Cloud:
    """The cloud of that name at a metadata address, or the one that the address belongs to."""
    found = _fetched(address)
    entries = cast("list[Mapping[str, object]]", found if isinstance(found, list) else [found])
    try:
        clouds = [_read(each) for each in entries]
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise EndpointRefused(
            f"{address} describes no cloud: {error!r} is missing or no address.",
            do=f"Correct {METADATA}, or unset it for Azure's public cloud.",
        ) from error
    for each in clouds:
        if each.name == name or (name is None and address.startswith(each.resource_manager)):
            return each
    raise EndpointRefused(
        f"{address} describes {', '.join(each.name for each in clouds) or 'no cloud'}, "
        f"not {name or 'the cloud that it belongs to'}.",
        do=f"Correct endpoint.cloud or {METADATA}.",
    )


def _fetched(address: str) -> object:
    import httpx  # noqa: PLC0415 - Azure's own clouds need no look-up

    from rollout.adapters.endpoints.azureml.trust import context  # noqa: PLC0415 - as above

    try:
        answer = httpx.get(address, timeout=_SECONDS, verify=context())
        answer.raise_for_status()
        return cast(object, answer.json())
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise EndpointAway(
            f"The cloud's metadata cannot be read at {address}: {error}.",
            do=f"Look whether it is up and trusted, correct {METADATA}, or unset it.",
        ) from error


def _read(data: Mapping[str, object]) -> Cloud:
    """A cloud as Azure Resource Manager's ``/metadata/endpoints`` describes it."""
    login = cast("Mapping[str, object]", data["authentication"])
    suffixes = cast("Mapping[str, object]", data["suffixes"])
    manager = _bare(data["resourceManager"])
    return Cloud(
        name=str(data["name"]),
        resource_manager=manager,
        active_directory=_bare(login["loginEndpoint"]),
        ml=_bare(data.get("mlResourceId") or "https://ml.azure.com"),
        storage=str(suffixes["storage"]),
        portal=_bare(data["portal"]),
        registries=_bare(data.get("registryDiscovery") or manager),
        metrics=_bare(data.get("metricsEndpoint") or manager),
        metrics_audience=_bare(data.get("metricsResourceId") or manager),
        logs=_bare(data.get("logAnalyticsResourceId") or manager),
        known=False,
    )


def _bare(address: object) -> str:
    text = str(address)
    if not text.startswith("https://"):
        raise TypeError(text)
    return text.rstrip("/")
