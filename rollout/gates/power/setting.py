"""What the tests of a stage will see: how many requests each deployment answers, and whose."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from rollout.domain.criteria import Gate
from rollout.domain.plan import Mirror, Plan, Shift
from rollout.gates.observe import FEW, LONGEST_WAIT
from rollout.gates.power.baseline import Baseline, Basis
from rollout.gates.rules import WHOLE, Rules
from rollout.gates.sides import Kind, Side
from rollout.stats import drift, means
from rollout.stats.power import Traffic
from rollout.stats.slow import NEEDED

_PACE, _HISTOGRAM_PACE = 1.0, 2.0  # seconds between readings, as the runtime reads
_MANY = 31.0  # candidate requests in an interval, where the formulas need not tell their numbers


@dataclass(frozen=True, slots=True)
class Setting:
    """A stage's traffic. Rates are requests a second.

    Args:
        baseline: What is known of it.
        gate: The stage's gate.
        served: What the candidate answers, copies included.
        beside: What the baseline answers.
        paired: Pairs of answers that are compared.
        live: The candidate's answers go to users.
        noisy: The baseline is asked twice, so that its own differences count.
        first: Nothing of the baseline was seen before this stage.
        pace: Least seconds between two looks.
    """

    baseline: Baseline
    gate: Gate
    served: float
    beside: float
    paired: float
    live: bool
    noisy: bool
    first: bool
    pace: float = _PACE

    @property
    def coarse(self) -> Setting:
        """The same with fewer looks: quick to reckon, and a little too confident."""
        return replace(self, pace=max(self.pace, _MANY / self.served))

    @property
    def limit(self) -> float:
        """Seconds until the gate is inconclusive, extensions included."""
        more = self.gate.on_inconclusive
        return self.gate.max_duration + more.extend_seconds * more.times

    @property
    def earliest(self) -> float:
        """Seconds before which the gate does not pass."""
        least = self.gate.min_requests
        if self.served <= 0:
            return math.inf if least else self.gate.min_duration
        return max(self.gate.min_duration, least / self.served)

    @property
    def exposed(self) -> float:
        """Users' requests a second that the candidate answers."""
        return self.served if self.live else 0.0

    def late(self, side: Side) -> float:
        """Seconds of the stage before a test begins."""
        match side.kind:
            case Kind.LATENCY if side.relative and self.first and self.beside > 0:
                return max(self.gate.warm_up, NEEDED / self.beside)
            case Kind.LATENCY:
                return self.gate.warm_up
            case Kind.DRIFT if self.first and self.beside > 0:
                return drift.NEEDED / self.beside
            case _:
                return 0.0

    def least(self, side: Side) -> float:
        """Seconds of a test before which it says nothing."""
        if side.kind is not Kind.MEAN or self.served <= 0 or self.beside <= 0:
            return 0.0
        return means.BURN_IN / min(self.served, self.beside)

    def traffic(self, side: Side) -> Traffic:
        """Both arms' requests as a test counts them."""
        pace = max(self.pace, _HISTOGRAM_PACE) if side.latency else self.pace
        interval = pace
        if self.served > 0:
            wait = max(LONGEST_WAIT, 2.0 / self.served)
            interval = max(pace, min(FEW / self.served, wait))
        phi = self.baseline.dispersion if side.kind is Kind.ERRORS else 1.0
        if side.kind is Kind.AGREEMENT:
            return Traffic(self.paired, 1.0, interval)
        whole = self.served + self.beside
        return Traffic(whole, self.served / whole if whole else 0.0, interval, phi)

    def unknown(self, side: Side) -> str:
        """Why nothing can be said of a test; empty: something can."""
        if self.served <= 0:
            return "the candidate gets no requests here"
        if side.relative and self.beside <= 0:
            return "nothing is left to compare with"
        return self._unknown(side)

    def _unknown(self, side: Side) -> str:
        why = ""
        match side.kind:
            case Kind.BOUNDED:
                why = "how much its values vary is not known"
            case Kind.MEAN if not side.relative:
                why = "the baseline's own mean is not known"
            case Kind.RATIO if side.name not in self.baseline.shares:
                why = "the baseline's own share is not known"
            case Kind.LATENCY if self.baseline.measuring.published:
                why = "only its percentiles are published, and what they tell was not reckoned"
            case Kind.AGREEMENT if self.noisy:
                why = "how often the baseline's own answers differ is not known"
            case Kind.AGREEMENT if self.paired <= 0:
                why = "no answers are compared here"
        return why

    def unplaced(self, side: Side) -> bool:
        """Whether a pass depends on a latency of the baseline that nobody knows."""
        assumed = self.baseline.latency_from is Basis.ASSUMED
        return side.latency and not side.relative and assumed


def setting_of(plan: Plan, rules: Rules, at: int, baseline: Baseline, rps: float) -> Setting:
    """The traffic of a stage.

    Args:
        plan: The plan.
        rules: Its rules.
        at: The stage's place.
        baseline: What is known of it.
        rps: Requests a second to the endpoint.
    """
    works = [stage.work for stage in plan.stages[: at + 1]]
    last = next((work for work in reversed(works) if isinstance(work, Shift | Mirror)), None)
    live = isinstance(last, Shift)
    share = 0.0 if last is None else last.percent / WHOLE
    probed = plan.compare.rps
    watched = next((each for each, rule in enumerate(rules.stages) if rule.checks), at)
    return Setting(
        baseline=baseline,
        gate=rules.stages[at].gate,
        served=rps * share,
        beside=rps * (1.0 - share) if live else rps,
        paired=probed if live else rps * share + probed,
        live=live,
        noisy=plan.compare.noise and probed > 0,
        first=at <= watched,
        pace=max(_PACE, baseline.measuring.pace),
    )
