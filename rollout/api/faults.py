"""Faults of this program: exceptions that nobody expected, as errors that a person can read."""

from __future__ import annotations

from rollout.domain.errors import RolloutError


class Fault(RolloutError):
    """A fault of this program; what was raised is its ``__cause__``.

    Args:
        error: What was raised.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"rollout itself failed: {type(error).__name__}: {error}.",
            do="The state is saved; run it again.",
        )
        self.__cause__ = error
