"""The product's engine on simulated traffic: `enter`, `ingest` and `judge`, interval by interval."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.detection.outcome import Outcome
from benchmarks.detection.traffic import FIRST, Counts, Traffic
from rollout.domain.measure import NEVER, Arm, Interval
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.verdict import Verdict
from rollout.gates.judge import enter, fresh, ingest, judge
from rollout.gates.rules import Rules


def intervals(traffic: Traffic) -> Iterator[Interval]:
    """The traffic as the product's meter reports it."""
    sides = ((BASELINE, traffic.baseline), (CANDIDATE, traffic.candidate))
    requests = {role: served.requests.tolist() for role, served in sides}
    errors = {role: served.errors.tolist() for role, served in sides}
    for at in range(len(traffic.candidate.requests)):
        arms = {
            role: Arm(
                requests[role][at],
                errors[role][at],
                None if served.latency is None else _sparse(served.latency[at], errors[role][at]),
            )
            for role, served in sides
        }
        yield Interval(float(at * traffic.seconds), float((at + 1) * traffic.seconds), arms)


def _sparse(latency: Counts, failed: int) -> dict[int, int]:
    filled = latency.nonzero()[0]
    found = dict(zip((filled + FIRST).tolist(), latency[filled].tolist(), strict=True))
    return found | {NEVER: failed} if failed else found


def engine(rules: Rules, traffic: Traffic, *, go_on: bool = False) -> Outcome:
    """The end of the stage.

    Args:
        rules: Of one stage.
        traffic: The hour.
        go_on: After a pass keep looking for a rollback until the hour is over.
    """
    evidence = enter(rules, fresh(), 0)
    promoted: float | None = None
    for interval in intervals(traffic):
        evidence = ingest(rules, evidence, interval)
        if evidence["latch"] is not None:
            return Outcome(rolled_back=interval.end, promoted=promoted)
        if promoted is None and judge(rules, evidence).verdict is Verdict.PASS:
            promoted = interval.end
            if not go_on:
                break
    return Outcome(promoted=promoted)
