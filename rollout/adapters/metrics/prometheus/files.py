"""What can be said of a plan that Prometheus measures, without a network."""

from __future__ import annotations

from collections.abc import Sequence

from rollout.adapters.metrics.prometheus.metering import (
    DELAY,
    completed,
    metering_findings,
    rhythm,
)
from rollout.domain.plan import Metering
from rollout.domain.units import parse_duration
from rollout.planfile.provider import Abilities, Flaw, Problem, ProviderCheck, Subject

_LOOKS = 2  # scrapes or so that a gate must see


class PrometheusFiles:
    """See ``ProviderCheck``: all of the provider's own but what it says of measurements."""

    def __init__(self, provider: ProviderCheck) -> None:
        self._provider = provider

    def abilities(self, about: Subject) -> Abilities:
        """As the provider's; counts, and latencies where the plan says which they are."""
        return self._provider.abilities(_unmeasured(about))._replace(
            meter="Prometheus",
            quantiles=None if self._metering(about).options.get("latency") else (),
            answers=False,
            shortest=_shortest(about.metering),
        )

    def problems(self, about: Subject) -> Sequence[Problem]:
        """The provider's, and what is wrong with the plan's Prometheus."""
        found = metering_findings(self._metering(about))
        return [
            *self._provider.problems(_unmeasured(about)),
            *((("metrics", *path), what, do) for path, what, do in found),
        ]

    def _metering(self, about: Subject) -> Metering:
        return completed(about.metering, self._provider)

    def endpoint_file(self, about: Subject) -> Sequence[Flaw]:
        """The provider's."""
        return self._provider.endpoint_file(_unmeasured(about))

    def deployment(self, about: Subject, role: str) -> Sequence[Flaw]:
        """The provider's."""
        return self._provider.deployment(_unmeasured(about), role)


def _unmeasured(about: Subject) -> Subject:
    return about._replace(metering=Metering())


def _shortest(metering: Metering) -> float:
    """Seconds that a gate needs to see some of what happens in it."""
    written = metering.options.get("delay")
    try:
        delay = DELAY if written is None else parse_duration(str(written))
    except ValueError:
        return 0.0  # told by the schema
    return delay + _LOOKS * rhythm(delay)
