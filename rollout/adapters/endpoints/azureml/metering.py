"""What a plan may say of who measures: Azure Monitor's metrics, or the log in Log Analytics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rollout.adapters.endpoints.azureml.limits import Limits, read_limits
from rollout.domain.errors import EndpointRefused
from rollout.domain.plan import Metering
from rollout.domain.units import parse_duration
from rollout.planfile.wording import listed, shown

Finding = tuple[tuple[str, ...], str, str]

AZURE_MONITOR, LOG_ANALYTICS = "azure_monitor", "log_analytics"
PROVIDERS = (AZURE_MONITOR, LOG_ANALYTICS)


@dataclass(frozen=True, slots=True)
class Meter:
    """Where measurements are read.

    Args:
        provider: ``azure_monitor`` or ``log_analytics``.
        workspace: The id of the Log Analytics workspace; None for ``azure_monitor``.
        delay: How far what is complete lies behind the present, seconds.
    """

    provider: str
    workspace: str | None
    delay: float


def metering_findings(metering: Metering, limits: Limits | None = None) -> list[Finding]:
    """What is wrong with what a plan says of its meter: (path below metrics, what, do)."""
    rules = read_limits() if limits is None else limits
    return [*_provider(metering), *_workspace(metering, rules)]


def read_meter(metering: Metering, limits: Limits | None = None) -> Meter:
    """The meter of a checked plan, with Azure's own delay where it gives none.

    Raises:
        EndpointRefused: there is none of that kind.
    """
    rules = read_limits() if limits is None else limits
    for path, what, do in metering_findings(metering, rules):
        raise EndpointRefused(f"{'.'.join(('metrics', *path))}: {what}", do=do)
    delay, workspace = metering.options.get("delay"), metering.options.get("workspace")
    provider = chosen(metering)
    return Meter(
        provider,
        None if workspace is None else str(workspace),
        usual_delay(provider, rules) if delay is None else parse_duration(str(delay)),
    )


def chosen(metering: Metering) -> str:
    """The meter's name: with a workspace the exact one, else the one that is always there."""
    if metering.provider:
        return metering.provider
    return LOG_ANALYTICS if "workspace" in metering.options else AZURE_MONITOR


def usual_delay(provider: str, limits: Limits) -> float:
    """How long Azure itself says that measurements take, seconds."""
    return limits.logs_delay_seconds if provider == LOG_ANALYTICS else limits.metrics_delay_seconds


def _provider(metering: Metering) -> Iterator[Finding]:
    if metering.provider and metering.provider not in PROVIDERS:
        what = f"{shown(metering.provider)} does not measure endpoints in Azure."
        yield ("provider",), what, f"Write {listed(PROVIDERS)}."


def _workspace(metering: Metering, limits: Limits) -> Iterator[Finding]:
    workspace = metering.options.get("workspace")
    do = "Write the workspace's id, like 00000000-0000-0000-0000-000000000000, not its name."
    if workspace is None and chosen(metering) == LOG_ANALYTICS:
        what = "log_analytics stands without the workspace that has the traffic log."
        yield (), what, "Add 'workspace: ID', the id of the Log Analytics workspace."
    elif workspace is not None and chosen(metering) == AZURE_MONITOR:
        what = "azure_monitor has no workspace."
        yield ("workspace",), what, "Remove it, or write 'provider: log_analytics'."
    elif isinstance(workspace, str) and not re.fullmatch(limits.guid_pattern, workspace):
        yield ("workspace",), f"{shown(workspace)} is not a workspace's id.", do
