"""How answers differed in a run, by kind: counts from the intervals, an example from the events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from rollout.domain import events as e
from rollout.domain.answers import Example
from rollout.domain.measure import Agreement
from rollout.gates import compare
from rollout.runtime.journal import Entry


@dataclass(frozen=True, slots=True)
class Group:
    """One way in which answers differed.

    Args:
        path: Where in the answers.
        kind: How, see ``Difference``; empty: no example was kept.
        pairs: Pairs of answers that differ at this path.
        stages: Where it was seen.
        example: Both answers; None: none was kept.
    """

    path: str
    kind: str
    pairs: int
    stages: tuple[str, ...]
    example: Example | None


@dataclass(frozen=True, slots=True)
class Diff:
    """All of it.

    Args:
        compared: Pairs of answers.
        differing: Those that differ somewhere.
        groups: The most frequent first.
    """

    compared: int
    differing: int
    groups: tuple[Group, ...]


@dataclass(slots=True)
class _Count:
    """What one set of rules saw."""

    compared: int = 0
    differing: int = 0
    fields: Counter[str] = field(default_factory=Counter)
    stages: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, found: Agreement, stage: str) -> None:
        """With one more interval; what the baseline does to itself is no difference."""
        self.compared += found.compared
        self.differing += found.differing if found.noisy is None else found.only_candidate
        self.fields.update(found.fields)
        for name in found.fields:
            self.stages.setdefault(name, {})[stage] = None


def diff_of(story: Iterable[Entry]) -> Diff:
    """How the answers of a run's deployments differed; by the rules that saw most of it."""
    counts: dict[str, _Count] = {}
    examples: dict[str, Example] = {}
    for entry in story:
        stage = entry.state.stage.id if entry.state.stage else ""
        match entry.event:
            case e.AnswersDiffered(_, found):
                for each in found:
                    examples.setdefault(compare.spelled(each.difference), each)
            case e.Measured(intervals):
                for interval in intervals:
                    for name, agreed in interval.agreement.items():
                        counts.setdefault(name, _Count()).add(agreed, stage)
            case _:
                continue
    seen = max(counts.values(), key=lambda each: each.differing, default=_Count())
    groups = [
        Group(*_parted(name), pairs, tuple(seen.stages[name]), examples.get(name))
        for name, pairs in seen.fields.most_common()
    ]
    return Diff(seen.compared, seen.differing, tuple(groups))


def _parted(name: str) -> tuple[str, str]:
    """Path and kind; what was too much to be told apart has no kind."""
    path, _, kind = name.rpartition(" ")
    return (path, kind) if path else (name, "")
