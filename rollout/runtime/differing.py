"""How answers differed in a run, by kind: counts from the intervals, an example from the events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from rollout.domain import events as e
from rollout.domain.answers import Example
from rollout.domain.measure import Interval
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


def diff_of(story: Iterable[Entry]) -> Diff:
    """How the answers of a run's deployments differed."""
    counts: Counter[str] = Counter()
    fields: Counter[str] = Counter()
    stages: dict[str, dict[str, None]] = {}
    examples: dict[tuple[str, str], Example] = {}
    for entry in story:
        match entry.event:
            case e.AnswersDiffered(stage, found):
                for each in found:
                    at = each.difference
                    examples.setdefault((at.path, at.kind), each)
                    stages.setdefault(at.path, {})[stage] = None
            case e.Measured(intervals):
                stage = entry.state.stage.id if entry.state.stage else ""
                for interval in intervals:
                    _count(interval, counts, fields)
                for path in fields:
                    stages.setdefault(path, {stage: None})
            case _:
                continue
    shown = {path for path, _ in examples}
    named = [*examples, *((path, "") for path in fields if path not in shown)]
    groups = [
        Group(path, kind, fields[path], tuple(stages.get(path, ())), examples.get((path, kind)))
        for path, kind in named
    ]
    ordered = sorted(groups, key=lambda each: (-each.pairs, each.path, each.kind))
    return Diff(counts["compared"], counts["differing"], tuple(ordered))


def _count(interval: Interval, counts: Counter[str], fields: Counter[str]) -> None:
    """Several comparisons look at the same pairs: what the one that sees most of them says."""
    found = max(interval.agreement.values(), key=lambda each: each.differing, default=None)
    if found is not None:
        counts.update(compared=found.compared, differing=found.differing)
        fields.update(found.fields)
