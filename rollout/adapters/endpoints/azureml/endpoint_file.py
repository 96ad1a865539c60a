"""What is wrong with Azure ML's own YAML of an endpoint, before Azure is asked."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.adapters.endpoints.azureml.kinds import KUBERNETES, MANAGED, kind_of_endpoint
from rollout.planfile.azure_yaml import Finding, Source, spelled
from rollout.planfile.endpoint_file import KNOWN, auth_mode, unknown

# As the loaders of azure-ai-ml 1.35.2 take them.
KEYS = {
    MANAGED: KNOWN - {"type", "compute"},
    KUBERNETES: KNOWN - {"type", "public_network_access"},
}
_NETWORKS = ("enabled", "disabled")
_SPLIT = ("traffic", "mirror_traffic")


def endpoint_findings(source: Source, kind: str) -> list[Finding]:
    """What is wrong with an endpoint's file, all at once.

    Its ``name`` may be another than the plan's, as with ``az ml online-endpoint create --name``.

    Args:
        source: The file.
        kind: Of the endpoint that the plan is about.
    """
    return [
        *source.findings,
        *_kind(source, kind),
        *auth_mode(source),
        *unknown(source, KEYS[kind] | {"compute"}),
        *_network(source),
        *_split(source),
    ]


def _kind(source: Source, kind: str) -> Iterator[Finding]:
    said = kind_of_endpoint(source.data)
    if said is not None and said.kind != kind:
        what = f"{said.key} makes it a {said.kind} endpoint, and the plan's is {kind}."
        do = f"Correct the file, or write 'endpoint: {{kind: {said.kind}}}' in the plan."
        yield Finding(what, do, (said.key,), source.value((said.key,)))
    elif kind == KUBERNETES and source.root is not None and not source.data.get("compute"):
        what = "a Kubernetes endpoint needs the cluster that it runs on."
        yield Finding(what, "Add 'compute: azureml:NAME'.", (), source.value(()))


def _network(source: Source) -> Iterator[Finding]:
    """Who may reach the endpoint, in any case of letters, as the SDK takes it."""
    key = "public_network_access"
    value = source.data.get(key, _NETWORKS[0])
    if not isinstance(value, str) or value.lower() not in _NETWORKS:
        do = f"Write {' or '.join(_NETWORKS)}."
        yield Finding(f"{key} is {spelled(value)}.", do, (key,), source.value((key,)))


def _split(source: Source) -> Iterator[Finding]:
    for key in _SPLIT:
        if source.data.get(key):
            what = f"'{key}' would be ignored: the plan's stages own the split."
            yield Finding(what, "Remove it.", (key,), source.key((key,)))
