"""What the adapter asks of a place where Azure keeps measurements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from rollout.domain.measure import Arm
from rollout.ports.endpoint import Finding, Reading

PROBE_AGENT: Final = "rollout-probe"
"""The ``User-Agent`` of requests to one deployment by header: they are beside the split, and a
source that can tell them apart leaves them out."""


class Source(Protocol):
    """Measurements of one endpoint, closed ones only.

    Every ``moment`` is the present, Unix seconds. Each method may raise ``EndpointAway`` (try again)
    or ``EndpointRefused`` (do not).

    Args:
        lag: Seconds until what happens now is closed, at most.
        grain: Seconds of the shortest interval that it tells apart.
        pace: Seconds between two readings that are worth their cost.
    """

    lag: float
    grain: float
    pace: float

    def cursor(self, moment: float) -> str:
        """Where measurements stand: a reading from here sees only what begins at ``moment`` or later."""
        ...

    def read(
        self,
        cursor: str,
        *,
        moment: float,
        names: Mapping[str, str],
        mirrored: bool,
        histogram: bool,
    ) -> Reading:
        """What was closed since ``cursor``.

        Args:
            cursor: From ``cursor()`` or an earlier reading.
            moment: Now.
            names: ``baseline`` and ``candidate`` -> the deployment's name; a role that is left out
                has no arm.
            mirrored: The candidate gets mirrored copies. Azure tells them apart nowhere: a
                deployment has either live requests or copies.
            histogram: Latencies are wanted; they come with every interval, wanted or not.

        Returns:
            No interval, without a call, while nothing new can be closed.
        """
        ...

    def history(
        self, *, moment: float, deployment: str, seconds: float, batch: float
    ) -> tuple[Arm, ...]:
        """What one deployment answered lately, in batches, oldest first; see ``Endpoint.history``."""
        ...

    def arrives(self, *, moment: float) -> Finding:
        """The pre-check that measurements arrive; where it cannot be made, it says so and why."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
