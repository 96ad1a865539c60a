"""What the local provider can say of a plan without a network: the planfile's provider check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rollout.adapters.endpoints.local.counted import COUNTERS
from rollout.adapters.endpoints.local.endpoint_file import endpoint_findings
from rollout.adapters.endpoints.local.options import options_findings
from rollout.adapters.endpoints.local.specification import MOST_INSTANCES, file_findings
from rollout.domain.plan import Metering
from rollout.planfile.provider import Abilities, Flaw, Problem, Subject
from rollout.planfile.wording import shown

_MIRROR_MOST = 50  # percent; Azure ML's limit, which the local endpoint keeps
_METER = "local"


class LocalFiles:
    """See ``ProviderCheck``."""

    counters = COUNTERS

    def abilities(self, about: Subject) -> Abilities:  # noqa: ARG002 - all plans have the same
        """As Azure's managed endpoints, and answers besides."""
        mirrors = f"the local endpoint mirrors at most {_MIRROR_MOST} %, as Azure ML does"
        return Abilities(MOST_INSTANCES, _MIRROR_MOST, mirrors, "the local endpoint")

    def problems(self, about: Subject) -> Sequence[Problem]:
        """The endpoint's own options, and who measures."""
        names = [each.name for each in about.deployments.values()]
        known = [each for each in names if each is not None]
        found = options_findings(
            about.options, deployments=known if len(known) == len(names) else None
        )
        of_endpoint = [(("endpoint", *map(str, path)), what, do) for path, what, do in found]
        return [*of_endpoint, *_measured(about.metering)]

    def endpoint_file(self, about: Subject) -> Sequence[Flaw]:
        """Findings on the endpoint's file."""
        return [] if about.file is None else endpoint_findings(about.file)

    def deployment(self, about: Subject, role: str) -> Sequence[Flaw]:
        """Findings on a deployment's file, and on what the plan sets in it."""
        name, file, overrides = about.deployments[role]
        return [] if file is None else file_findings(file, overrides, name=name)


def _measured(metering: Metering) -> Iterator[Problem]:
    """Where nobody is named, what is said of a meter is for another provider of the same plan."""
    if not metering.provider:
        return
    if metering.provider != _METER:
        what = f"{shown(metering.provider)} measures no local endpoint."
        yield ("metrics", "provider"), what, "Remove it, or write local."
    for key in metering.options:
        what = f"the local endpoint's own measurements have no {key}."
        yield ("metrics", key), what, "Remove it."
