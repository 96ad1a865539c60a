"""Everything worth a look before a plan is applied in Azure, whether the plan checks it or not."""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from rollout.adapters.endpoints.azureml import ground as looks
from rollout.adapters.endpoints.azureml.ground import Ground
from rollout.adapters.endpoints.azureml.place import Cloud
from rollout.domain.errors import EndpointError
from rollout.domain.units import spell_duration
from rollout.ports.clock import Clock
from rollout.ports.doctor import LOGIN, Sign, State, unlooked

_PACKAGES = ("azure-ai-ml", "azure-identity", "azure-monitor-query", "azure-monitor-querymetrics")
_TESTED = {"azure-ai-ml": "1.35."}
_INSTALL = "Install it: pip install 'rollout[azureml]'"
_SKEW_SECONDS = 30.0  # half the grain of Azure's metrics


def diagnose(
    ground: Ground, *, cloud: Cloud, clock: Clock, service_time: Callable[[], float]
) -> tuple[Sign, ...]:
    """All signs, topic by topic.

    Args:
        ground: Where the plan stands.
        cloud: Its addresses are told.
        clock: Ours.
        service_time: Unix seconds of the service's clock; may raise ``EndpointError``.
    """
    who = looks.login(ground)
    told = [who, *_cloud(cloud)]
    if who.topic == LOGIN and who.state is State.BAD:
        return (*told, *looks.files(ground), *_versions())
    house, location = looks.workspace(ground)
    there, seen = looks.endpoint(ground)
    return (
        *told,
        house,
        there,
        *looks.machines(ground),
        *looks.files(ground),
        *looks.rights(ground, seen),
        *looks.cores(ground, location),
        looks.measurements(ground),
        _skew(clock, service_time),
        *_versions(),
    )


def _cloud(cloud: Cloud) -> list[Sign]:
    name = cloud.name if cloud.known else f"{cloud.name}, not one of Azure's own"
    lines = {
        "name": f"{name}.",
        "management": cloud.resource_manager,
        "tokens": cloud.active_directory,
        "metrics": cloud.metrics.replace("{region}", "REGION"),
        "logs": cloud.logs,
    }
    return [Sign("cloud", key, State.GOOD, text) for key, text in lines.items()]


def _skew(clock: Clock, service_time: Callable[[], float]) -> Sign:
    try:
        theirs = service_time()
    except EndpointError as error:
        return unlooked("clock", "skew", error)
    ahead = clock.now() - theirs
    way = "ahead of" if ahead > 0 else "behind"
    if abs(ahead) <= _SKEW_SECONDS:
        text = "This machine's clock and Azure's agree."
        return Sign("clock", "skew", State.GOOD, text)
    text = (
        f"This machine's clock is {spell_duration(round(abs(ahead)))} {way} Azure's: measurements "
        "would be looked for in the wrong minutes. Set it, by NTP at best."
    )
    return Sign("clock", "skew", State.BAD, text)


def _versions() -> list[Sign]:
    python = Sign("versions", "Python", State.GOOD, f"{platform.python_version()}.")
    return [_version("rollout"), python, *map(_version, _PACKAGES)]


def _version(package: str) -> Sign:
    try:
        found = version(package)
    except PackageNotFoundError:
        return Sign("versions", package, State.BAD, f"Not installed. {_INSTALL}")
    tested = _TESTED.get(package, "")
    if not found.startswith(tested):
        text = f"{found}; rollout was tested with {tested}x. Install that if something looks odd."
        return Sign("versions", package, State.UNKNOWN, text)
    return Sign("versions", package, State.GOOD, f"{found}.")
