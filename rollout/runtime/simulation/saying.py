"""What simulated answers say: of each class as many, and values alike, but for the scenario.

A model knows nothing of real answers, so it has the plainest: predictions are ten equally frequent
classes, a custom share is one half, a mean 1 with a standard deviation of one half, a bounded mean
evenly spread over its range. Where a check has an objective the baseline meets it with room to spare.
Both deployments give the same answer to the same request; what fails in one fails in the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from rollout.domain.criteria import Check
from rollout.domain.measure import Agreement, Sums
from rollout.domain.plan import Plan
from rollout.runtime.hearing import Interest
from rollout.runtime.simulation import draws
from rollout.runtime.simulation.scenarios import Scenario
from rollout.stats import betting, drift

_PAIRING = ("local",)  # their logs hold the answers to mirrored copies
_ROOM = 0.2  # by which the baseline meets an objective, of its size
_SPREAD = 0.5  # standard deviation of a value over its mean
_LEVELS = 10  # values of a bounded mean
_FIELD = "$"  # where simulated answers differ


@dataclass(frozen=True, slots=True)
class Metric:
    """A custom metric, and what all checks of it ask for.

    Args:
        name: What checks call it.
        kind: ``ratio`` or ``mean``.
        better: Whether ``lower`` or ``higher`` is better.
        least, most: What it must be to meet every objective; None: any.
        low, high: Of a bounded mean: the least and the largest value.
    """

    name: str
    kind: str
    better: str = "lower"
    least: float | None = None
    most: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, checks: Iterable[Check]) -> Metric:
        """The metric of these checks, at least one, all of the same."""
        found = list(checks)
        first = found[0]
        minima = [each.minimum for each in found if each.minimum is not None]
        maxima = [each.maximum for each in found if each.maximum is not None]
        higher = any(each.better == "higher" for each in found) or (minima and not maxima)
        return cls(
            first.metric,
            first.kind,
            "higher" if higher else "lower",
            max(minima, default=None),
            min(maxima, default=None),
            first.low,
            first.high,
        )

    def worse(self, by: float) -> float:
        """So much in the direction that is worse."""
        return -by if self.better == "higher" else by


@dataclass(frozen=True, slots=True)
class Topics:
    """What a plan's checks ask of answers.

    Args:
        comparisons: What agreements are filed under.
        predictions: Paths at which predictions stand.
        customs: The custom metrics that are checked.
        probed: Requests a second that both deployments are asked beside the split.
        noise: The baseline is asked twice, and only such pairs are compared.
        mirrored: Mirrored copies are compared with what the baseline told the client.
    """

    comparisons: tuple[str, ...] = ()
    predictions: tuple[str, ...] = ()
    customs: tuple[Metric, ...] = ()
    probed: float = 0.0
    noise: bool = False
    mirrored: bool = True

    @classmethod
    def of(cls, plan: Plan) -> Topics:
        """What the plan's checks ask."""
        interest = Interest.of(plan)
        checks = [each for gate in plan.gates.values() for each in gate.checks if each.kind]
        return cls(
            comparisons=tuple(interest.comparisons),
            predictions=interest.predictions,
            customs=tuple(
                Metric.of(each for each in checks if each.metric == name)
                for name in dict.fromkeys(each.metric for each in checks)
            ),
            probed=plan.compare.rps,
            noise=plan.compare.noise,
            mirrored=plan.endpoint.provider in _PAIRING and not plan.compare.noise,
        )

    def outputs(
        self, random: Random, answers: int, trouble: Scenario | None
    ) -> Mapping[str, Mapping[str, int]]:
        """Predictions of so many good answers, by class.

        Args:
            random: The stream.
            answers: How many.
            trouble: What is wrong with this deployment; None: nothing.
        """
        shift = trouble.drifted if trouble else 0.0
        return {path: _classes(random, answers, shift) for path in self.predictions if answers}

    def sums(self, random: Random, answers: int, trouble: Scenario | None) -> Mapping[str, Sums]:
        """Custom metrics of so many good answers; arguments as in `outputs`."""
        shift = trouble.drifted if trouble else 0.0
        return {each.name: _sums(random, each, answers, shift) for each in self.customs}

    def agreement(
        self, random: Random, pairs: int, trouble: Scenario | None
    ) -> Mapping[str, Agreement]:
        """What comparing so many pairs of answers gives.

        Args:
            random: The stream.
            pairs: How many.
            trouble: What is wrong with the candidate; None: nothing.
        """
        if not pairs:
            return {}
        alike = (1.0 - trouble.differing) * (1.0 - trouble.points) if trouble else 1.0
        differing = draws.binomial(random, pairs, 1.0 - alike)
        found = Agreement(
            compared=pairs,
            differing=differing,
            noisy=0 if self.noise else None,
            only_candidate=differing if self.noise else 0,
            fields={_FIELD: differing} if differing else {},
        )
        return dict.fromkeys(self.comparisons, found)


def _classes(random: Random, answers: int, shift: float) -> dict[str, int]:
    first = draws.binomial(random, answers, 1.0 / drift.PARTS + shift)
    others = draws.spread(random, draws.table(1, [1.0] * (drift.PARTS - 1)), answers - first)
    return {f"={at}": count for at, count in {0: first, **others}.items() if count}


def _sums(random: Random, metric: Metric, answers: int, shift: float) -> Sums:
    """A custom metric; it moves the wrong way by ``shift``, of all answers or of its size."""
    worse = metric.worse(shift)
    if metric.kind == "ratio":
        chance = min(1.0, max(0.0, _share(metric) + worse))
        return Sums(answers, float(draws.binomial(random, answers, chance)))
    if metric.low is not None and metric.high is not None:
        return _bounded(random, metric, answers, worse)
    mean = _mean(metric)
    return _moments(random, answers, mean + worse * abs(mean), _SPREAD * abs(mean))


def _share(metric: Metric) -> float:
    """The baseline's: in the middle of what is allowed."""
    least = 0.0 if metric.least is None else metric.least
    most = 1.0 if metric.most is None else metric.most
    return (least + most) / 2.0


def _mean(metric: Metric) -> float:
    least, most = metric.least, metric.most
    if least is not None and most is not None:
        return (least + most) / 2.0
    if most is not None:
        return most - _ROOM * (abs(most) or 1.0)
    return 1.0 if least is None else least + _ROOM * (abs(least) or 1.0)


def _moments(random: Random, count: int, mean: float, deviation: float) -> Sums:
    """Sums of normal values, without the values: their mean is normal, their spread chi-square."""
    if count == 0:
        return Sums()
    found = mean + deviation * random.gauss(0.0, 1.0) / math.sqrt(count)
    chi = 2.0 * random.gammavariate((count - 1) / 2.0, 1.0) if count > 1 else 0.0
    return Sums(count, count * found, count * found * found + deviation * deviation * chi)


def _bounded(random: Random, metric: Metric, count: int, worse: float) -> Sums:
    """Values on levels between the bounds, on the good side of an objective where there is one."""
    low, high = metric.low or 0.0, metric.high or 0.0
    least = low if metric.least is None else metric.least
    most = high if metric.most is None else metric.most
    step, moved = (most - least) / _LEVELS, worse * (high - low)
    levels = [min(high, max(low, least + step * (at + 0.5) + moved)) for at in range(_LEVELS)]
    found = draws.spread(random, draws.table(0, [1.0] * _LEVELS), count)
    tally: dict[int, int] = {}
    for at, times in found.items():
        for place, weight in betting.tally([levels[at]], low, high).items():
            tally[place] = tally.get(place, 0) + times * weight
    return Sums(
        count=count,
        total=math.fsum(times * levels[at] for at, times in found.items()),
        squares=math.fsum(times * levels[at] ** 2 for at, times in found.items()),
        tally=tally,
    )
