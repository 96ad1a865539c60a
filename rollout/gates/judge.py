"""A gate's word on the evidence: deterministic, without a clock.

The functions that the runtime calls are here together: `fresh`, `enter`, `ingest`, `judge`.
"""

from __future__ import annotations

import math

from rollout.domain.verdict import CheckJudgement, Judgement, Verdict
from rollout.gates import case as cases, evidence as evidences, words
from rollout.gates.case import Case
from rollout.gates.evidence import Evidence, fresh
from rollout.gates.observe import enter, ingest
from rollout.gates.readings import Reading
from rollout.gates.rules import Rules
from rollout.gates.sides import Kind

__all__ = ["SOURCE_ERRORS", "Evidence", "enter", "fresh", "ingest", "judge"]

SOURCE_ERRORS = 4  # in a row; as many as Argo Rollouts allows
_UNITS = {
    Kind.LATENCY: "seconds",
    Kind.MEAN: "mean",
    Kind.BOUNDED: "mean",
    Kind.DRIFT: "index",
}
_BY_THE_MINUTE = "minutes"
_LARGEST = 690.0  # exp of more is no finite float, and JSON has no infinity


def judge(rules: Rules, evidence: Evidence, *, source_errors: int = 0) -> Judgement:
    """The verdict on the present stage.

    A failure outranks a broken source, that a pass, that the end of the gate's time. A guard
    neither passes nor runs out of time.

    Args:
        rules: The compiled plan.
        evidence: From `enter` and `ingest`.
        source_errors: How often in a row the metrics could not be read.

    Raises:
        ValueError: No stage was entered yet.
    """
    case = cases.opened(rules, evidences.opened(evidence))
    verdict, cause, reason = _verdict(case, source_errors)
    return Judgement(
        gate=case.rule.name,
        verdict=verdict,
        reason=reason,
        checks=tuple(_check(case, reading) for reading in case.readings),
        evidence=math.exp(min(case.log_e, _LARGEST)),
        bound=1.0 / rules.alpha,
        cause=cause,
        observed_seconds=case.observed,
        remaining_seconds=cases.remaining(case) if verdict is Verdict.RUNNING else None,
    )


def _verdict(case: Case, source_errors: int) -> tuple[Verdict, str, str]:
    if case.latch is not None:
        return Verdict.FAIL, "", words.failed(case, case.latch)
    if source_errors >= SOURCE_ERRORS:
        return Verdict.ERROR, "source", words.source_failed(source_errors)
    if case.mismatch is not None:
        return Verdict.ERROR, "sample_ratio", words.mismatched(case, case.mismatch)
    if case.rule.guard:
        return Verdict.RUNNING, "", words.guarding(case)
    if case.passes:
        return Verdict.PASS, "", words.passed(case)
    if case.observed >= case.limit:
        cause = cases.cause(case)
        return Verdict.INCONCLUSIVE, cause, words.inconclusive(case, cause)
    return Verdict.RUNNING, "", words.running(case)


def _check(case: Case, reading: Reading) -> CheckJudgement:
    verdict = Verdict.PASS if case.has_passed(reading) else Verdict.RUNNING
    return CheckJudgement(
        check=reading.rule.check.name,
        criteria=reading.rule.criteria,
        verdict=Verdict.FAIL if case.has_failed(reading) else verdict,
        baseline_events=reading.baseline.events,
        baseline_requests=reading.baseline.requests,
        candidate_events=reading.candidate.events,
        candidate_requests=reading.candidate.requests,
        baseline_value=reading.baseline_value,
        candidate_value=reading.candidate_value,
        ratio=reading.ratio,
        ratio_low=None if reading.rule.averages else reading.low,
        ratio_high=None if reading.rule.averages else reading.high,
        toward_rollback=case.toward_rollback(reading),
        toward_pass=case.toward_pass(reading),
        reason=words.check(case, reading),
        unit=_unit(reading),
    )


def _unit(reading: Reading) -> str:
    if reading.minutes is not None:
        return _BY_THE_MINUTE
    return _UNITS.get(reading.rule.shown.kind, "share")
