"""What simulated answers say: of each class as many, and values alike, but for the scenario.

A model knows nothing of real answers, so it has the plainest: predictions are ten equally frequent
classes, a custom share is one half, a mean 1 with a standard deviation of one half, a bounded mean
evenly spread over its range. Where a check has an objective the baseline meets it with room to spare.
Both deployments give the same answer to the same request; what fails in one fails in the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from rollout.domain.criteria import Check
from rollout.domain.measure import Agreement, Sums
from rollout.domain.plan import Plan
from rollout.runtime.hearing import Interest
from rollout.runtime.simulation import draws
from rollout.runtime.simulation.scenarios import Scenario
from rollout.stats import betting, drift

PROVIDERS_THAT_PAIR = ("local",)  # their logs hold the answers to mirrored copies
_ROOM = 0.2  # by which the baseline meets an objective, of its size
_SPREAD = 0.5  # standard deviation of a value over its mean
_LEVELS = 10  # values of a bounded mean
_FIELD = "$"  # where simulated answers differ


@dataclass(frozen=True, slots=True)
class Topics:
    """What a plan's checks ask of answers.

    Args:
        comparisons: What agreements are filed under.
        predictions: Paths at which predictions stand.
        customs: Checks of custom metrics, one for each metric.
        probed: Requests a second that both deployments are asked beside the split.
        noise: The baseline is asked twice, and only such pairs are compared.
        mirrored: Mirrored copies are compared with what the baseline told the client.
    """

    comparisons: tuple[str, ...] = ()
    predictions: tuple[str, ...] = ()
    customs: tuple[Check, ...] = ()
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
            customs=tuple({each.metric: each for each in checks}.values()),
            probed=plan.compare.rps,
            noise=plan.compare.noise,
            mirrored=plan.endpoint.provider in PROVIDERS_THAT_PAIR and not plan.compare.noise,
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
        return {each.metric: _sums(random, each, answers, shift) for each in self.customs}

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


def _sums(random: Random, check: Check, answers: int, shift: float) -> Sums:
    """A custom metric; it moves the wrong way by ``shift``, of all answers or of its size."""
    more_is_better = check.minimum is not None or (
        check.maximum is None and check.better == "higher"
    )
    worse = -shift if more_is_better else shift
    if check.kind == "ratio":
        chance = min(1.0, max(0.0, _share(check) + worse))
        return Sums(answers, float(draws.binomial(random, answers, chance)))
    if check.low is not None and check.high is not None:
        return _bounded(random, check, answers, worse)
    mean = _mean(check)
    return _moments(random, answers, mean + worse * abs(mean), _SPREAD * abs(mean))


def _share(check: Check) -> float:
    """The baseline's: half-way between an objective and perfection."""
    if check.maximum is not None:
        return check.maximum / 2.0
    return 0.5 if check.minimum is None else (1.0 + check.minimum) / 2.0


def _mean(check: Check) -> float:
    if check.maximum is not None:
        return check.maximum - _ROOM * (abs(check.maximum) or 1.0)
    if check.minimum is not None:
        return check.minimum + _ROOM * (abs(check.minimum) or 1.0)
    return 1.0


def _moments(random: Random, count: int, mean: float, deviation: float) -> Sums:
    """Sums of normal values, without the values: their mean is normal, their spread chi-square."""
    if count == 0:
        return Sums()
    found = mean + deviation * random.gauss(0.0, 1.0) / math.sqrt(count)
    chi = 2.0 * random.gammavariate((count - 1) / 2.0, 1.0) if count > 1 else 0.0
    return Sums(count, count * found, count * found * found + deviation * deviation * chi)


def _bounded(random: Random, check: Check, count: int, worse: float) -> Sums:
    """Values on levels between the bounds, on the good side of an objective where there is one."""
    low, high = check.low or 0.0, check.high or 0.0
    least = low if check.minimum is None else check.minimum
    most = high if check.maximum is None else check.maximum
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
