"""What a gate concluded, with everything a person needs to follow it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """Only evidence gives PASS; everything unknown has a word of its own."""

    PASS = "pass"
    FAIL = "fail"
    RUNNING = "running"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class CheckJudgement:
    """One check's side of a judgement.

    Args:
        check: ``error_rate``, ``latency_p95``.
        criteria: As the plan has it: ``tolerance 0.1pp, margin 0.5pp``.
        verdict: PASS, FAIL or RUNNING for this check alone.
        baseline_events, baseline_requests: The baseline's side (errors or slow requests); 0 of 0
            for an absolute check.
        candidate_events, candidate_requests: The candidate's side. With the unit ``minutes`` they
            are minutes: those in which the candidate was slower than it may be, of all.
        baseline_value, candidate_value: In ``unit``; None: no data.
        ratio, ratio_low, ratio_high: Candidate's event rate over the baseline's (or over the
            objective), with a 95 % confidence sequence; None: no data.
        toward_rollback: Evidence against the candidate, 0..1 on the log scale of the bound.
        toward_pass: Evidence for a pass, 0..1 on the log scale of the bound.
        reason: One sentence.
        unit: Of the values: ``share`` (a fraction), ``seconds``, ``minutes`` (seconds, the mean of
            what was published by the minute), ``mean`` (as the metric has it) or ``index`` (a
            population stability index).
    """

    check: str
    criteria: str
    verdict: Verdict
    baseline_events: int = 0
    baseline_requests: int = 0
    candidate_events: int = 0
    candidate_requests: int = 0
    baseline_value: float | None = None
    candidate_value: float | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    toward_rollback: float = 0.0
    toward_pass: float = 0.0
    reason: str = ""
    unit: str = "share"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A gate's verdict.

    Args:
        gate: The gate's name; ``guard`` where only the failing side runs.
        verdict: The gate's word.
        reason: One sentence with value, bound and counts.
        evidence: Combined evidence against the candidate, E; rollback at ``bound`` or more.
        bound: 1 / alpha.
        cause: For INCONCLUSIVE: ``not_enough_traffic``, ``between_tolerance_and_margin``,
            ``no_data``; for ERROR: what failed; else empty.
        observed_seconds: How long the gate has observed.
        remaining_seconds: About how long until a pass at the present rate; None: unknown.
    """

    gate: str
    verdict: Verdict
    reason: str
    checks: tuple[CheckJudgement, ...] = ()
    evidence: float = 0.0
    bound: float = 0.0
    cause: str = ""
    observed_seconds: float = 0.0
    remaining_seconds: float | None = None
