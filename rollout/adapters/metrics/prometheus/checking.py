"""Series that would be counted twice: in both arms, or once for each of two scrapers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from rollout.adapters.metrics.prometheus.counters import Key, Scraped, Series
from rollout.domain.errors import EndpointRefused

REPLICAS: Final = frozenset(("replica", "prometheus_replica", "__replica__", "prometheus"))
"""Labels by which the samples of two scrapers of the same targets are told apart."""


def refuse_twice(arms: Mapping[str, Scraped]) -> None:
    """See that each counter is in one arm, and there once.

    Raises:
        EndpointRefused: one is in both, or two scrapers have it.
    """
    for what in Scraped._fields:
        owners: dict[Key, str] = {}
        for role, scraped in arms.items():
            series: tuple[Series, ...] = getattr(scraped, what)
            _refuse_replicas(what, series)
            for each in series:
                other = owners.setdefault(each.key, role)
                if other != role:
                    raise EndpointRefused(
                        f"metrics.{what} has the same counter for the {other} and for the {role}: "
                        f"{spelled(each)}.",
                        do="Let the selector tell the deployments apart, by a label of their own at best.",
                    )


def _refuse_replicas(what: str, series: Iterable[Series]) -> None:
    seen: dict[Key, Series] = {}
    for each in series:
        rest = frozenset(item for item in each.labels.items() if item[0] not in REPLICAS)
        other = seen.setdefault(rest, each)
        if other is not each and each.samples and other.samples:
            raise EndpointRefused(
                f"metrics.{what} has a counter twice, as two servers have scraped it: {spelled(each)}.",
                do="Ask where replicas are deduplicated, or match one of them in the selector.",
            )


def spelled(series: Series) -> str:
    """A series as people write it."""
    inside = ",".join(f'{name}="{value}"' for name, value in sorted(series.labels.items()) if name != "__name__")  # fmt: skip
    return f"{series.labels.get('__name__', '')}{{{inside}}}"[:300]
