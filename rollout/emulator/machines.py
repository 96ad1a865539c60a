"""Sizes of virtual machines with their families: what instance types need of which quota."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_RESERVED = 1.2  # Azure ML keeps a fifth more for upgrades


class Machine(NamedTuple):
    """A size; ``memory`` in GB."""

    name: str
    family: str
    cores: int
    memory: float
    gpus: int = 0


MACHINES = tuple(
    Machine(*row)
    for row in (
        ("Standard_DS1_v2", "standardDSv2Family", 1, 3.5),
        ("Standard_DS2_v2", "standardDSv2Family", 2, 7.0),
        ("Standard_DS3_v2", "standardDSv2Family", 4, 14.0),
        ("Standard_DS4_v2", "standardDSv2Family", 8, 28.0),
        ("Standard_DS5_v2", "standardDSv2Family", 16, 56.0),
        ("Standard_F2s_v2", "standardFSv2Family", 2, 4.0),
        ("Standard_F4s_v2", "standardFSv2Family", 4, 8.0),
        ("Standard_F8s_v2", "standardFSv2Family", 8, 16.0),
        ("Standard_F16s_v2", "standardFSv2Family", 16, 32.0),
        ("Standard_E2s_v3", "standardESv3Family", 2, 16.0),
        ("Standard_E4s_v3", "standardESv3Family", 4, 32.0),
        ("Standard_E8s_v3", "standardESv3Family", 8, 64.0),
        ("Standard_D2as_v4", "standardDASv4Family", 2, 8.0),
        ("Standard_D4as_v4", "standardDASv4Family", 4, 16.0),
        ("Standard_NC4as_T4_v3", "Standard NCASv3_T4 Family", 4, 28.0, 1),
        ("Standard_NC8as_T4_v3", "Standard NCASv3_T4 Family", 8, 56.0, 1),
        ("Standard_NC6s_v3", "standardNCSv3Family", 6, 112.0, 1),
        ("Standard_NC24ads_A100_v4", "StandardNCADSA100v4Family", 24, 220.0, 1),
    )
)
_BY_NAME = {one.name.lower(): one for one in MACHINES}


def machine(name: str) -> Machine | None:
    """The size of that name; names are the same in any case."""
    return _BY_NAME.get(name.lower())


def cores(instances: int, size: Machine) -> int:
    """What so many instances take of their family's quota.

    >>> cores(3, MACHINES[2])
    16
    """
    return math.ceil(_RESERVED * instances) * size.cores


def used(deployments: Iterable[tuple[str, int]]) -> Mapping[str, int]:
    """Family -> cores, of deployments as (instance type, instances)."""
    found: dict[str, int] = {}
    for name, instances in deployments:
        size = machine(name)
        if size is not None:
            found[size.family] = found.get(size.family, 0) + cores(instances, size)
    return found
