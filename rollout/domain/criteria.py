"""Gates as a plan has them: what must be shown, and how often the answer may be wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

from rollout.domain.answers import CompareRule
from rollout.domain.units import GATE_TIMES, Allowance


@dataclass(frozen=True, slots=True)
class Check:
    """One criterion on one metric; relative (tolerance, margin) or absolute (maximum, minimum).

    Args:
        metric: ``error_rate``, ``latency``, ``requests``, ``response_agreement``,
            ``prediction_drift``, or the name of one of the plan's custom metrics.
        quantile: For latency, 0..1: 0.95 for ``latency_p95``; None otherwise.
        tolerance: A candidate within it counts as healthy; None: absolute check.
        margin: A candidate beyond it must not pass; wider than ``tolerance``.
        maximum: Absolute objective: a fraction of requests, seconds for latency, a share of
            differing answers for ``response_agreement``, a value for a custom metric.
        minimum: For a custom metric: the least that it may be.
        severity: ``fail``: it decides; ``warn``: it is reported and never decides.
        kind: Of a custom metric: ``ratio`` or ``mean``; empty: a metric of ours.
        better: Of a custom metric with a tolerance: ``lower`` or ``higher`` is better.
        low, high: Of a custom mean: the least and the largest value there can be; None: unknown.
        path: For ``prediction_drift``: where in an answer the prediction stands; empty: its first
            value.
        compare: For ``response_agreement``: how values are compared; empty: the structure is.
    """

    metric: str
    quantile: float | None = None
    tolerance: Allowance | None = None
    margin: Allowance | None = None
    maximum: float | None = None
    minimum: float | None = None
    severity: str = "fail"
    kind: str = ""
    better: str = "lower"
    low: float | None = None
    high: float | None = None
    path: str = ""
    compare: tuple[CompareRule, ...] = ()

    @property
    def name(self) -> str:
        """The metric as the plan writes it: ``error_rate``, ``latency_p95``.

        >>> Check("latency", quantile=0.95).name
        'latency_p95'
        """
        if self.quantile is None:
            return self.metric
        return f"{self.metric}_p{self.quantile * 100:g}".replace(".", "")


@dataclass(frozen=True, slots=True)
class Custom:
    """A metric of the user's own, read from the answers.

    Args:
        name: What checks call it.
        kind: ``ratio``: the share of answers whose value at ``path`` is as asked; ``mean``: the
            mean of the numbers at ``path``.
        path: Where in an answer the value stands, such as ``$.confidence``.
        equals: Of a ratio: the value as text; None: not asked.
        above, below: Of a ratio: what a number must be beyond; None: not asked.
        better: Whether ``lower`` or ``higher`` is better.
        low, high: Of a mean: the least and the largest value there can be; None: unknown.
    """

    name: str
    kind: str
    path: str
    equals: str | None = None
    above: float | None = None
    below: float | None = None
    better: str = "lower"
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Probing:
    """The same request sent to both deployments by header, beside the split.

    Args:
        rps: Requests a second; 0: none.
        noise: The baseline is asked twice, so that its own differences are known.
        examples: How many differing answers are kept with the run.
    """

    rps: float = 0.0
    noise: bool = False
    examples: int = 20


@dataclass(frozen=True, slots=True)
class OnInconclusive:
    """What happens when a gate's time is over without evidence either way; never a pass.

    Args:
        extend_seconds: Extra observation each time.
        times: How often it may be extended.
        then: ``hold`` or ``rollback``.
    """

    extend_seconds: float = 0.0
    times: int = 0
    then: str = "hold"


@dataclass(frozen=True, slots=True)
class Gate:
    """What must be shown while a stage holds. Durations in seconds.

    Args:
        min_duration: A pass waits at least this long; a failure never waits.
        max_duration: Then the gate is inconclusive.
        min_requests: Candidate requests needed for a pass.
        warm_up: Latency of the stage's first seconds is left out; errors count at once.
    """

    name: str
    checks: tuple[Check, ...]
    min_duration: float = GATE_TIMES["min_duration"]
    max_duration: float = GATE_TIMES["max_duration"]
    min_requests: int = 100
    warm_up: float = GATE_TIMES["warm_up"]
    on_inconclusive: OnInconclusive = field(default_factory=OnInconclusive)


@dataclass(frozen=True, slots=True)
class Risk:
    """``false_rollback``: alpha of the whole rollout; ``wrong_promotion``: beta of each stage."""

    false_rollback: float = 0.01
    wrong_promotion: float = 0.05
