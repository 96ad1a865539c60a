"""Azure ML's own YAML of an endpoint: only its authentication has a meaning on this machine."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.adapters.endpoints.local import azure_yaml
from rollout.adapters.endpoints.local.azure_yaml import Finding, Source, located, spelled, text_of
from rollout.domain.errors import EndpointRefused
from rollout.planfile.wording import meant

# Those of online and of batch endpoints: azure-ai-ml's EndpointSchema and what inherits from it.
_KNOWN = frozenset(
    {
        "$schema", "id", "name", "description", "tags", "properties", "provisioning_state",
        "auth_mode", "scoring_uri", "location", "openapi_uri", "identity", "traffic", "kind",
        "type", "mirror_traffic", "public_network_access", "compute", "defaults",
    }
)  # fmt: skip
_AUTH_MODES = ("key", "aml_token", "aad_token")


def endpoint_findings(file: str) -> list[Finding]:
    """What is wrong with an endpoint's file, all at once.

    Its ``name`` may be another than the plan's, as with ``az ml online-endpoint create --name``.
    """
    source = azure_yaml.read(file)
    found = [*source.findings, *_auth_mode(source)]
    for key in source.data:
        if key not in _KNOWN:
            what = f"Azure ML's endpoints have no key {spelled(key)}."
            do = meant(text_of(key), _KNOWN)
            found.append(Finding(what, do, (text_of(key),), source.key((text_of(key),))))
    return found


def read_auth_mode(file: str | None) -> str:
    """The authentication of an endpoint file; tokens of the cloud become keys here.

    Raises:
        EndpointRefused: the file cannot be read, or the mode is unknown.
    """
    if file is None:
        return "key"
    source = azure_yaml.read(file)
    for each in (*source.findings, *_auth_mode(source)):
        raise EndpointRefused(located(file, each), do=each.do)
    return str(source.data.get("auth_mode", "key"))


def _auth_mode(source: Source) -> Iterator[Finding]:
    mode = source.data.get("auth_mode", "key")
    if mode not in _AUTH_MODES:
        path, do = ("auth_mode",), "Write key, aml_token or aad_token."
        yield Finding(f"auth_mode is {spelled(mode)}.", do, path, source.value(path))
