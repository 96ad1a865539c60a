"""What the checks ask of Azure Resource Manager: reads, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, cast

Json = Mapping[str, object]

ML = "2024-04-01"
"""The version of Azure ML's interface that the checks read; stable, newest in use by Azure's SDKs."""

AUTHORIZATION = "2022-04-01"


class Arm(Protocol):
    """Azure Resource Manager, read with the plan's credential."""

    def get(self, path: str, api_version: str) -> Json | None:
        """What is at ``path``; None: there is no such resource.

        Args:
            path: From ``/subscriptions`` on; or an absolute address that a reply named as its next
                page, which is asked as it stands.
            api_version: Of the interface; without meaning for an absolute address.

        Raises:
            NotLoggedIn: no token could be had.
            EndpointRefused: the service said no; the text has its code.
            EndpointAway: it could not be reached.
        """
        ...


def listed(arm: Arm, path: str, api_version: str) -> Iterator[Json]:
    """The items of a collection, page after page; none where there is no collection."""
    first = arm.get(path, api_version)
    if first is not None:
        yield from items(arm, first, api_version)


def items(arm: Arm, page: Json | None, api_version: str) -> Iterator[Json]:
    """The items of a page of a collection, and of those after it."""
    while page is not None:
        yield from cast("list[Json]", page.get("value") or [])
        link = page.get("nextLink")
        page = arm.get(str(link), api_version) if link else None


def inside(data: Json | None, *keys: str) -> object:
    """The value at the end of the keys; None where one of them is missing.

    >>> inside({"sku": {"capacity": 2}}, "sku", "capacity")
    2
    """
    found: object = data
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found
