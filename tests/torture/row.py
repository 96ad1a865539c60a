"""One line of the table that the torture prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one kind of torture.

    Args:
        name: What was done to whom.
        runs: Rollouts that were put through it.
        wrong: Those that did not end as they must.
        doubled: Requests to the endpoint that changed nothing, because they had been made before.
        stuck: Those that did not end at all.
        note: What else is worth knowing: a seed, a mark, the first thing that was wrong.
    """

    name: str
    runs: int
    wrong: int = 0
    doubled: int = 0
    stuck: int = 0
    note: str = ""

    @property
    def clean(self) -> bool:
        """Whether something was run, and nothing of it went wrong."""
        return self.runs > 0 and not (self.wrong or self.doubled or self.stuck)
