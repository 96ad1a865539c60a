"""What the provider azureml can say of a plan without a network: the planfile's provider check."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from rollout.adapters.endpoints.azureml.deployment_file import deployment_findings
from rollout.adapters.endpoints.azureml.endpoint_file import endpoint_findings
from rollout.adapters.endpoints.azureml.kinds import (
    KUBERNETES,
    Said,
    kind_of_deployment,
    kind_of_endpoint,
    settled,
)
from rollout.adapters.endpoints.azureml.limits import read_limits
from rollout.adapters.endpoints.azureml.metering import (
    LOG_ANALYTICS,
    PROVIDERS,
    chosen,
    metering_findings,
    usual_delay,
)
from rollout.adapters.endpoints.azureml.options import options_findings
from rollout.domain.plan import Metering
from rollout.domain.units import parse_duration
from rollout.planfile import azure_yaml
from rollout.planfile.azure_yaml import Source
from rollout.planfile.deployment_file import overridden
from rollout.planfile.provider import Abilities, Flaw, Problem, Subject
from rollout.planfile.wording import shown

_METERS = {"azure_monitor": "Azure Monitor", "log_analytics": "Log Analytics"}


class AzureFiles:
    """See ``ProviderCheck``. One for each plan: what it has read it does not read again."""

    def __init__(self) -> None:
        self._limits = read_limits()
        self._sources: dict[str, Source] = {}

    def abilities(self, about: Subject) -> Abilities:
        """By the endpoint's kind, and by who measures."""
        limits, meter = self._limits, chosen(about.metering)
        if self._kind(about) == KUBERNETES:
            instances, mirror = limits.kubernetes_instances_most, limits.kubernetes_mirror_most
            mirrors = "Kubernetes online endpoints mirror no traffic"
        else:
            instances, mirror = limits.instances_most, limits.mirror_most
            mirrors = f"Azure ML mirrors at most {mirror} %"
        return Abilities(
            instances=instances,
            mirror=mirror,
            mirrors=mirrors,
            meter=_METERS.get(meter, "Azure ML"),
            quantiles=None if meter == LOG_ANALYTICS else limits.metrics_quantiles,
            answers=False,
            shortest=self._shortest(about.metering),
        )

    def problems(self, about: Subject) -> Sequence[Problem]:
        """Names, the endpoint's own options, and who measures."""
        return [
            *((("endpoint", *path), what, do) for path, what, do in self._options(about)),
            *((("metrics", *path), what, do) for path, what, do in self._metering(about)),
            *self._names(about),
        ]

    def endpoint_file(self, about: Subject) -> Sequence[Flaw]:
        """Findings on the endpoint's file."""
        if about.file is None:
            return []
        return endpoint_findings(self._read(about.file), self._kind(about))

    def deployment(self, about: Subject, role: str) -> Sequence[Flaw]:
        """Findings on a deployment's file, and on what the plan sets in it."""
        name, file, overrides = about.deployments[role]
        if file is None:
            return []
        return deployment_findings(
            self._read(file),
            overrides,
            Path(file).parent,
            name=name,
            kind=self._kind(about),
            limits=self._limits,
        )

    def _options(self, about: Subject) -> Sequence[Problem]:
        return options_findings(about.options, self._limits)

    def _metering(self, about: Subject) -> Sequence[Problem]:
        return metering_findings(about.metering, self._limits)

    def _read(self, file: str) -> Source:
        if file not in self._sources:
            self._sources[file] = azure_yaml.read(file)
        return self._sources[file]

    def _kind(self, about: Subject) -> str:
        return settled(about.options.get("kind"), self._said(about))

    def _said(self, about: Subject) -> Iterator[Said | None]:
        if about.file is not None:
            yield kind_of_endpoint(self._read(about.file).data)
        for _, file, overrides in about.deployments.values():
            if file is not None:
                yield kind_of_deployment(overridden(self._read(file).data, overrides))

    def _shortest(self, metering: Metering) -> float:
        """Seconds that a gate needs to see some of what happens in it."""
        limits, meter = self._limits, chosen(metering)
        if meter not in PROVIDERS:
            return 0.0
        usual, written = usual_delay(meter, limits), metering.options.get("delay")
        try:
            delay = usual if written is None else parse_duration(str(written))
        except ValueError:
            return 0.0  # told by the schema
        if meter == LOG_ANALYTICS:
            return delay + min(delay, limits.metrics_grain_seconds)
        return delay + limits.metrics_gate_seconds - usual

    def _names(self, about: Subject) -> Iterator[Problem]:
        """Lower-case names of a length that the endpoint's kind takes."""
        if about.endpoint is not None:
            why = "Azure compares names without regard to case, and rollout writes them lower"
            yield from self._name(("endpoint", "name"), about.endpoint, why)
        for role, (name, _, _) in about.deployments.items():
            if name is not None:
                why = "Azure's SDK writes deployments into the traffic in lower case"
                yield from self._name((role, "deployment"), name, why)
                yield from self._together(about, (role, "deployment"), name)

    def _name(self, path: tuple[str, ...], name: str, why: str) -> Iterator[Problem]:
        lower = name.lower()
        if name != lower and re.fullmatch(self._limits.name_pattern, lower):
            yield path, f"{shown(name)} has capitals; {why}.", f"Write {lower}."

    def _together(self, about: Subject, path: tuple[str, ...], name: str) -> Iterator[Problem]:
        limits = self._limits
        least, most = limits.kubernetes_names_shortest, limits.kubernetes_names_longest
        if about.endpoint is None or self._kind(about) != KUBERNETES:
            return
        size = len(about.endpoint) + len(name)
        if not least <= size <= most:
            what = (
                f"{shown(name)} and the endpoint's name have {size} characters together; on "
                f"Kubernetes Azure ML takes {least} to {most}."
            )
            yield path, what, "Write a shorter name." if size > most else "Write a longer name."
