"""What providers can say of a plan file without a network."""

from __future__ import annotations

from collections.abc import Mapping

from rollout.adapters.endpoints.local.options import options_findings
from rollout.adapters.endpoints.local.specification import endpoint_findings, file_findings


class LocalFiles:
    """What the local provider can say of a plan without a network: the planfile's provider check."""

    def endpoint(self, options: Mapping[str, object]) -> list[tuple[str, str, str]]:
        """Findings on the endpoint's own options: (dotted key, what, do)."""
        return [
            (".".join(map(str, path)), what, do) for path, what, do in options_findings(options)
        ]

    def endpoint_file(self, file: str) -> list[tuple[str, str]]:
        """Findings on an endpoint file: (what, do)."""
        return endpoint_findings(file)

    def deployment(
        self, name: str | None, file: str, overrides: Mapping[str, object]
    ) -> list[tuple[str, str]]:
        """Findings on a deployment file: (what, do)."""
        return file_findings(file, overrides, name=name)
