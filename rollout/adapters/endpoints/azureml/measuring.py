"""Which source measures an endpoint in Azure, made once it is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rollout.adapters.endpoints.azureml import log_analytics, monitor
from rollout.adapters.endpoints.azureml.log_analytics import LogAnalytics
from rollout.adapters.endpoints.azureml.metering import LOG_ANALYTICS, Meter
from rollout.adapters.endpoints.azureml.monitor import AzureMonitor
from rollout.adapters.endpoints.azureml.place import Cloud, Place

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from rollout.adapters.endpoints.azureml.source import Source


def source(
    meter: Meter,
    place: Place,
    cloud: Cloud,
    credential: TokenCredential,
    location: Callable[[], str],
) -> Source:
    """The source that a plan's meter names.

    Args:
        meter: As the plan has it.
        place: The endpoint.
        cloud: Its cloud.
        credential: Whose tokens are used.
        location: Asks for the region, which only Azure Monitor needs.
    """
    if meter.provider == LOG_ANALYTICS:
        return LogAnalytics(place, cloud, meter.workspace or "", credential, meter.delay)
    return AzureMonitor(place, cloud, location(), credential, meter.delay)


def lag(meter: Meter) -> float:
    """Seconds until what happens now is read, at most; asks nobody."""
    if meter.provider == LOG_ANALYTICS:
        return log_analytics.lag(meter.delay)
    return monitor.lag(meter.delay)


def pace(meter: Meter) -> float:
    """Seconds between two readings that are worth their cost; asks nobody."""
    return log_analytics.rhythm(meter.delay) if meter.provider == LOG_ANALYTICS else monitor.PACE
