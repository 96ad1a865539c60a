"""Azure ML's own YAML of an endpoint, as far as every provider reads it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from rollout.planfile.azure_yaml import Finding, Source, spelled, text_of
from rollout.planfile.wording import meant

# Of online endpoints: azure-ai-ml's EndpointSchema and what inherits from it.
KNOWN = frozenset(
    {
        "$schema", "id", "name", "description", "tags", "properties", "provisioning_state",
        "auth_mode", "scoring_uri", "location", "openapi_uri", "identity", "traffic", "kind",
        "type", "mirror_traffic", "public_network_access", "compute",
    }
)  # fmt: skip
AUTH_MODES = ("key", "aml_token", "aad_token")


def unknown(source: Source, known: Collection[str] = KNOWN) -> Iterator[Finding]:
    """Keys that Azure ML does not know are no keys."""
    for key in source.data:
        if key not in known:
            what = f"Azure ML's endpoints have no key {spelled(key)}."
            path = (text_of(key),)
            yield Finding(what, meant(path[0], known), path, source.key(path))


def auth_mode(source: Source) -> Iterator[Finding]:
    """How clients prove who they are is one of Azure ML's ways."""
    mode = source.data.get("auth_mode", "key")
    if mode not in AUTH_MODES:
        path, do = ("auth_mode",), "Write key, aml_token or aad_token."
        yield Finding(f"auth_mode is {spelled(mode)}.", do, path, source.value(path))
