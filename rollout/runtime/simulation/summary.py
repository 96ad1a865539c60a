"""What came of a simulation, and many trials as numbers: how often, how soon, at whose cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeVar

from rollout.domain.plan import Plan
from rollout.domain.verdict import Verdict
from rollout.runtime.journal import Entry
from rollout.runtime.simulation.recording import Recording
from rollout.runtime.simulation.scenarios import Scenario
from rollout.runtime.simulation.traffic import Climate
from rollout.runtime.simulation.trial import Trial

T = TypeVar("T")
K = TypeVar("K")
N = TypeVar("N", int, float)

LATE = 0.9  # the share of trials that are over by the "late" time
_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Simulation:
    """What came of a simulation.

    Args:
        plan: As it was read.
        world: The scenario, or what was recorded.
        climate: What traffic was like without the scenario.
        traffic: ``drifting`` or ``steady``.
        seed: Of all random numbers.
        asked: How many trials there were to be.
        trials: Those that were finished, by number.
        story: The only trial's events, in virtual seconds from 0; empty: there were many.
        left_out: Checks that cannot be simulated, as ``gate: check``.
    """

    plan: Plan
    world: Scenario | Recording
    climate: Climate
    traffic: str
    seed: int
    asked: int
    trials: tuple[Trial, ...] = ()
    story: tuple[Entry, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Share:
    """A probability as estimated: ``count`` of ``of``, with its 95 % interval."""

    count: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The estimate, 0..1."""
        return self.count / self.of


@dataclass(frozen=True, slots=True)
class Ending:
    """Trials that ended alike.

    Args:
        outcome, code: As ``rollout apply`` would end.
        share: How often.
        median, late: Virtual seconds by which half, and 90 %, of them were over.
        example: The number of the first of them.
    """

    outcome: str
    code: int
    share: Share
    median: float
    late: float
    example: int


@dataclass(frozen=True, slots=True)
class Place:
    """Trials that did not complete, by where they ended and why, and the first one's number."""

    stage: str
    outcome: str
    why: str
    count: int
    example: int


@dataclass(frozen=True, slots=True)
class Gate:
    """What a gate said last in one stage: its words with their numbers.

    Args:
        stage, gate: Which.
        words: Verdict -> trials.
        median, late: Seconds that it had observed by then, in half and in 90 % of the trials.
    """

    stage: str
    gate: str
    words: dict[str, int]
    median: float
    late: float


@dataclass(frozen=True, slots=True)
class Toll:
    """Live requests that the candidate answered before a rollback: median and worst."""

    trials: int
    requests: int
    most_requests: int
    errors: int
    most_errors: int


def wilson(count: int, of: int) -> Share:
    """A share with its 95 % interval.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    Journal of the American Statistical Association 22 (1927) 209-212.

    >>> found = wilson(0, 1000)
    >>> found.low, round(found.high, 4)
    (0.0, 0.0038)
    """
    z = NormalDist().inv_cdf((1.0 + _LEVEL) / 2.0)
    share, weight = count / of, z * z / of
    middle = (share + weight / 2.0) / (1.0 + weight)
    reach = z / (1.0 + weight) * math.sqrt(share * (1.0 - share) / of + weight / (4.0 * of))
    low = 0.0 if count == 0 else middle - reach
    return Share(count, of, low, 1.0 if count == of else middle + reach)


def endings(trials: Sequence[Trial]) -> tuple[Ending, ...]:
    """How the trials ended, the commonest first."""
    made = []
    for (outcome, code), mine in _grouped(trials, lambda each: (each.outcome, each.code)):
        seconds = sorted(each.seconds for each in mine)
        share = wilson(len(mine), len(trials))
        middle, late = quantile(seconds, 0.5), quantile(seconds, LATE)
        made.append(Ending(outcome, code, share, middle, late, mine[0].number))
    return tuple(made)


def places(trials: Sequence[Trial]) -> tuple[Place, ...]:
    """Where those that did not complete ended, the commonest first."""
    short = [each for each in trials if each.why or each.stage]
    return tuple(
        Place(stage, outcome, why, len(mine), mine[0].number)
        for (stage, outcome, why), mine in _grouped(short, _place)
    )


def _place(trial: Trial) -> tuple[str, str, str]:
    return trial.stage, trial.outcome, decided(trial)


def decided(trial: Trial) -> str:
    """What decided over a trial, in a few words; empty: nothing did, it completed or waits."""
    last = trial.said[-1] if trial.said else None
    if last is None or last.stage != trial.stage or last.verdict in (Verdict.PASS, Verdict.RUNNING):
        return trial.why.replace("_", " ")
    who = "the guard" if last.gate == "guard" else f"gate {last.gate}"
    more = f" ({last.why.replace('_', ' ')})" if last.why else ""
    return f"{who}: {last.verdict.value}{more}"


def gates(trials: Sequence[Trial]) -> tuple[Gate, ...]:
    """What each gate said, by stage in the plan's order."""
    every = [said for trial in trials for said in trial.said]
    made = []
    for (stage, gate), mine in _grouped(every, lambda each: (each.stage, each.gate), by_size=False):
        seconds = sorted(each.seconds for each in mine)
        words = Counter(each.verdict.value for each in mine)
        middle, late = quantile(seconds, 0.5), quantile(seconds, LATE)
        made.append(Gate(stage, gate, dict(words.most_common()), middle, late))
    return tuple(made)


def toll(trials: Sequence[Trial]) -> Toll | None:
    """What the rollbacks cost users; None: there was none."""
    back = [each.exposure for each in trials if each.outcome == "rolled_back"]
    if not back:
        return None
    requests, errors = sorted(x.requests for x in back), sorted(x.errors for x in back)
    return Toll(len(back), quantile(requests, 0.5), requests[-1], quantile(errors, 0.5), errors[-1])


def quantile(ordered: Sequence[N], share: float) -> N:
    """The value that ``share`` of them do not exceed; ``ordered`` is sorted and not empty.

    >>> quantile([1, 2, 3, 4], 0.5), quantile([1, 2, 3, 4], 0.9)
    (2, 4)
    """
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]


def _grouped(
    every: Sequence[T], key: Callable[[T], K], *, by_size: bool = True
) -> list[tuple[K, list[T]]]:
    """The items by key, the largest group first, or in the order of their first items."""
    found: dict[K, list[T]] = {}
    for each in every:
        found.setdefault(key(each), []).append(each)
    groups = list(found.items())
    return sorted(groups, key=lambda group: -len(group[1])) if by_size else groups
