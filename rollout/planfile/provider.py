"""What the provider of an endpoint is asked about a plan, without touching anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from rollout.domain.plan import Metering

# What is wrong in a plan: the keys down to the value, what, do.
Problem = tuple[tuple[str, ...], str, str]

# What is wrong in a provider's file: what, do, the keys down to the value, and its line and column
# from 1; None: it is not written there but in the plan.
Flaw = tuple[str, str, tuple[str, ...], tuple[int, int] | None]


class Deployment(NamedTuple):
    """One deployment as a plan has it; what cannot be read is None.

    Args:
        name: Its name.
        file: Absolute path of its file, which is there.
        overrides: What the plan sets in it.
    """

    name: str | None
    file: str | None
    overrides: Mapping[str, object]


class Subject(NamedTuple):
    """The parts of a plan that its provider knows about; what cannot be read is None.

    Args:
        endpoint: The endpoint's name.
        options: The keys of ``endpoint`` that only its provider understands.
        file: Absolute path of the endpoint's file, which is there.
        metering: Who measures.
        deployments: ``baseline`` and ``candidate``.
    """

    endpoint: str | None
    options: Mapping[str, object]
    file: str | None
    metering: Metering
    deployments: Mapping[str, Deployment]


class Abilities(NamedTuple):
    """What a provider can do at most.

    Args:
        instances: Of one deployment.
        mirror: Percent of mirrored requests; 0: it mirrors none.
        mirrors: Who mirrors no more than that, and why, as a sentence begins with it.
        meter: Who measures, as a sentence begins with it.
        quantiles: The latencies that are measured; None: any.
        answers: What deployments answer to clients and to mirrored requests can be read.
        shortest: Seconds; measurements arrive too late for a gate that may take no longer.
    """

    instances: int = 10**9
    mirror: int = 50
    mirrors: str = "an endpoint mirrors at most 50 %"
    meter: str = "the endpoint"
    quantiles: tuple[float, ...] | None = None
    answers: bool = True
    shortest: float = 0.0


class ProviderCheck(Protocol):
    """What only an endpoint's adapter can say about a plan."""

    def abilities(self, about: Subject) -> Abilities:
        """What the provider can do for this plan."""
        ...

    def problems(self, about: Subject) -> Sequence[Problem]:
        """What is wrong with what the plan itself says: names, and the provider's own keys."""
        ...

    def endpoint_file(self, about: Subject) -> Sequence[Flaw]:
        """Problems with the endpoint's file; asked where there is one."""
        ...

    def deployment(self, about: Subject, role: str) -> Sequence[Flaw]:
        """Problems with the file of ``baseline`` or ``candidate`` and with ``set:``.

        Asked where there is one and ``set:`` can be read.
        """
        ...


Providers = Callable[[str, str], ProviderCheck]
"""The check of the provider of that name, one of ``rules.PROVIDERS``, where that one measures."""
