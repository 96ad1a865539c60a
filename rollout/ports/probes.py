"""Asking both deployments the same, beside the split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rollout.domain.answers import Said


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that was sent to both deployments by name.

    Args:
        baseline, candidate: Their answers.
        second: The baseline's answer to the same request once more; None: it was asked once.
    """

    baseline: Said
    candidate: Said
    second: Said | None = None


class Probes(Protocol):
    """Requests that are sent at a stated rate while somebody wants to compare."""

    def start(self) -> None:
        """Begin to ask; a second call changes nothing."""
        ...

    def stop(self) -> None:
        """Stop asking; a second call changes nothing."""
        ...

    def take(self) -> tuple[Asked, ...]:
        """What was answered since the last call; each pair once."""
        ...
