"""Azure ML's own YAML of an endpoint: only its authentication has a meaning on this machine."""

from __future__ import annotations

from rollout.domain.errors import EndpointRefused
from rollout.planfile import azure_yaml
from rollout.planfile.azure_yaml import Finding, located
from rollout.planfile.endpoint_file import KNOWN, auth_mode, unknown

_KNOWN = KNOWN | {"defaults"}  # of batch endpoints, which some files are written for as well


def endpoint_findings(file: str) -> list[Finding]:
    """What is wrong with an endpoint's file, all at once.

    Its ``name`` may be another than the plan's, as with ``az ml online-endpoint create --name``.
    """
    source = azure_yaml.read(file)
    return [*source.findings, *auth_mode(source), *unknown(source, _KNOWN)]


def read_auth_mode(file: str | None) -> str:
    """The authentication of an endpoint file; tokens of the cloud become keys here.

    Raises:
        EndpointRefused: the file cannot be read, or the mode is unknown.
    """
    if file is None:
        return "key"
    source = azure_yaml.read(file)
    for each in (*source.findings, *auth_mode(source)):
        raise EndpointRefused(located(file, each), do=each.do)
    return str(source.data.get("auth_mode", "key"))
