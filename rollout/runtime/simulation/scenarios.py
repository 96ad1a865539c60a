"""What may be wrong with a candidate, or around it: the scenarios by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from rollout.domain.errors import UsageError
from rollout.domain.plan import Approve, Mirror, Plan, Shift, Wait
from rollout.domain.units import parse_percent, parse_points


class Onset(Enum):
    """From which stage on a scenario shows."""

    TRAFFIC = "the first stage with traffic for the candidate, mirrored or live"
    LIVE = "the first stage with live traffic for the candidate"
    SECOND = "the second stage with live traffic for the candidate"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A way for a rollout to go.

    Args:
        name: As the command line takes it.
        says: What happens, in a few words.
        onset: Where it begins.
        seconds: How long it lasts.
        points: Added to the candidate's error rate, a fraction of 1.
        factor: On the candidate's latency.
        tail: Share of the candidate's requests that are ``tail_factor`` times slower still.
        shared: Added to both deployments' error rates, a fraction of 1.
        differing: Share of the candidate's answers that differ from the baseline's to the same
            request.
        drifted: Added to the share of one class of its predictions, and to its custom metrics.
        blind: The source of measurements does not answer.
        unsound: The candidate fails requests of ours, too: its smoke test.
        rps: Requests a second in place of the usual; None: as usual.
        size: Which of the numbers ``--effect`` replaces; empty: none.
        effect: That number as a person writes it; stands for ``{}`` in ``says``.
    """

    name: str
    says: str
    onset: Onset = Onset.TRAFFIC
    seconds: float = math.inf
    points: float = 0.0
    factor: float = 1.0
    tail: float = 0.0
    tail_factor: float = 1.0
    shared: float = 0.0
    differing: float = 0.0
    drifted: float = 0.0
    blind: bool = False
    unsound: bool = False
    rps: float | None = None
    size: str = ""
    effect: str = ""

    @property
    def sentence(self) -> str:
        """What happens, with its size."""
        return self.says.format(self.effect)

    @property
    def worse(self) -> bool:
        """Whether the candidate is worse than the baseline at any time."""
        answers = self.differing or self.drifted
        return bool(self.points or self.tail or answers) or self.factor != 1.0


_ALL = (
    Scenario("healthy", "the candidate is as good as the baseline"),
    Scenario(
        "errors",
        "the candidate's error rate is {} higher than the baseline's",
        points=0.045,
        size="points",
        effect="4.5pp",
    ),
    Scenario(
        "slow",
        "every answer of the candidate takes {} longer",
        factor=1.5,
        size="factor",
        effect="50%",
    ),
    Scenario(
        "tail",
        "{} of the candidate's answers take 5 times as long",
        tail=0.03,
        tail_factor=5.0,
        size="tail",
        effect="3%",
    ),
    Scenario(
        "differing",
        "{} of the candidate's answers differ from the baseline's to the same request",
        differing=0.1,
        size="differing",
        effect="10%",
    ),
    Scenario(
        "drift",
        "one class of the candidate's predictions is {} more frequent, custom metrics are worse",
        drifted=0.15,
        size="drifted",
        effect="15pp",
    ),
    Scenario("crash", "the candidate fails every request of the traffic", points=1.0),
    Scenario(
        "crash-at-load",
        "the candidate fails every request, its smoke test's too",
        points=1.0,
        unsound=True,
    ),
    Scenario(
        "cold-start",
        "the candidate's answers take {} longer in its first 60s of live traffic",
        onset=Onset.LIVE,
        seconds=60.0,
        factor=3.0,
        size="factor",
        effect="200%",
    ),
    Scenario(
        "late",
        "as errors, by {}, but only from the second live stage on",
        onset=Onset.SECOND,
        points=0.045,
        size="points",
        effect="4.5pp",
    ),
    Scenario("quiet", "a healthy candidate, but only 0.5 requests/s for both", rps=0.5),
    Scenario(
        "metrics-outage",
        "a healthy candidate, but nothing can be measured for 10m",
        seconds=600.0,
        blind=True,
    ),
    Scenario(
        "shared-outage",
        "both error rates are {} higher for 5m",
        seconds=300.0,
        shared=0.2,
        size="shared",
        effect="20pp",
    ),
)
SCENARIOS: Mapping[str, Scenario] = {each.name: each for each in _ALL}

# Field -> how its size is written on the command line.
_SIZES: Mapping[str, tuple[Callable[[str], float], str]] = {
    "points": (parse_points, "percentage points on the error rate, such as 1pp"),
    "shared": (parse_points, "percentage points on the error rate, such as 1pp"),
    "factor": (lambda text: 1.0 + parse_percent(text), "more latency, such as 20%"),
    "tail": (parse_percent, "a share of the requests, such as 1%"),
    "differing": (parse_percent, "a share of the answers, such as 5%"),
    "drifted": (parse_points, "percentage points of the answers, such as 5pp"),
}
_HOLDING = (Mirror, Shift, Wait, Approve)


def sized(scenario: Scenario, effect: str) -> Scenario:
    """The scenario with another size of its effect.

    Args:
        scenario: One of those that have a size.
        effect: As a person writes it: ``1pp``, ``20%``.

    Raises:
        UsageError: it has no size, or the text is none.

    >>> sized(SCENARIOS["slow"], "20%").sentence
    'every answer of the candidate takes 20% longer'
    """
    if not scenario.size:
        names = ", ".join(each.name for each in _ALL if each.size)
        raise UsageError(
            f"The scenario {scenario.name} has no size.", do=f"--effect goes with {names}."
        )
    parse, meaning = _SIZES[scenario.size]
    try:
        size = parse(effect)
    except ValueError as error:
        raise UsageError(
            f"--effect {effect}: {error}.", do=f"For {scenario.name} it is {meaning}."
        ) from error
    if scenario.size != "factor" and size > 1.0:
        raise UsageError(
            f"--effect {effect} is more than all of them.",
            do=f"For {scenario.name} it is {meaning}.",
        )
    changes: dict[str, Any] = {scenario.size: size, "effect": effect}
    return replace(scenario, **changes)


def begins(plan: Plan, onset: Onset | str) -> int:
    """Index of the stage from which on a scenario shows; behind the last one: never.

    Args:
        plan: The plan.
        onset: Where it begins, or a stage's id.

    Raises:
        UsageError: no stage that holds has this id.
    """
    works = [stage.work for stage in plan.stages]
    given = [
        at for at, work in enumerate(works) if isinstance(work, Mirror | Shift) and work.percent
    ]
    live = [at for at in given if isinstance(works[at], Shift)]
    match onset:
        case Onset.TRAFFIC:
            return min(given, default=len(works))
        case Onset.LIVE:
            return min(live, default=len(works))
        case Onset.SECOND:
            return live[:2][-1] if live else len(works)
        case _:
            return _stage(plan, onset)


def _stage(plan: Plan, name: str) -> int:
    holding = {
        stage.id: at for at, stage in enumerate(plan.stages) if isinstance(stage.work, _HOLDING)
    }
    if name not in holding:
        raise UsageError(
            f"The plan has no stage {name!r} that holds for a while.",
            do=f"Say one of {', '.join(holding)}.",
        )
    return holding[name]
