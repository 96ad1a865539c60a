"""Gates as a plan has them: what must be shown, and how often the answer may be wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

from rollout.domain.units import GATE_TIMES, Allowance


@dataclass(frozen=True, slots=True)
class Check:
    """One criterion on one metric; relative (tolerance, margin) or absolute (maximum).

    Args:
        metric: ``error_rate`` or ``latency``.
        quantile: For latency, 0..1: 0.95 for ``latency_p95``; None otherwise.
        tolerance: A candidate within it counts as healthy; None: absolute check.
        margin: A candidate beyond it must not pass; wider than ``tolerance``.
        maximum: Absolute objective: a fraction of requests, or seconds for latency.
    """

    metric: str
    quantile: float | None = None
    tolerance: Allowance | None = None
    margin: Allowance | None = None
    maximum: float | None = None

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
