"""What providers can say of a plan file without a network."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rollout.adapters.endpoints.local.endpoint_file import endpoint_findings
from rollout.adapters.endpoints.local.options import options_findings
from rollout.adapters.endpoints.local.specification import (
    MOST_INSTANCES,
    file_findings,
)
from rollout.planfile.rules import Flaw


class LocalFiles:
    """What the local provider can say of a plan without a network: the planfile's provider check."""

    most_instances = MOST_INSTANCES

    def endpoint(
        self, options: Mapping[str, object], deployments: Collection[str] | None
    ) -> list[tuple[str, str, str]]:
        """Findings on the endpoint's own options: (dotted key, what, do)."""
        return [
            (".".join(map(str, path)), what, do)
            for path, what, do in options_findings(options, deployments=deployments)
        ]

    def endpoint_file(self, file: str) -> Sequence[Flaw]:
        """Findings on an endpoint file."""
        return endpoint_findings(file)

    def deployment(
        self, name: str | None, file: str, overrides: Mapping[str, object]
    ) -> Sequence[Flaw]:
        """Findings on a deployment file, and on what the plan sets in it."""
        return file_findings(file, overrides, name=name)
