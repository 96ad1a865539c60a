"""One gate judged now, without a run: nothing is written, and nothing follows from it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace

from rollout.domain.endpoint import Seen
from rollout.domain.errors import EndpointError, UsageError
from rollout.domain.plan import Mirror, Plan, Shift, Stage
from rollout.domain.verdict import Judgement, Verdict
from rollout.gates.judge import enter, fresh, ingest, judge
from rollout.gates.rules import Rules, compile_rules
from rollout.ports.clock import Clock
from rollout.ports.endpoint import Endpoint
from rollout.runtime.hearing import Hearing
from rollout.runtime.meter import HISTOGRAM_EVERY, dispersion_of, outages

WHOLE = 100  # percent


def judge_now(
    plan: Plan,
    gate: str,
    endpoint: Endpoint,
    hearing: Hearing,
    clock: Clock,
    *,
    seconds: float,
    told: Callable[[Judgement], None],
) -> Judgement:
    """Look at the endpoint as it is and say what a gate makes of it.

    Args:
        plan: Has the gate.
        gate: Its name.
        endpoint: The real thing; only read.
        hearing: Listens to the answers.
        clock: For pacing.
        seconds: How much time to look at, at most; a verdict ends it sooner, and a source whose
            measurements lag is waited for beyond it.
        told: Called with what the gate says while it looks.

    Raises:
        UsageError: the plan has no such gate, or the candidate gets no requests.
        EndpointError: the endpoint cannot be read.
    """
    seen = endpoint.observe()
    rules = _rules(plan, gate, seen)
    mirrored = not seen.traffic.get(plan.candidate.name)
    evidence = enter(rules, fresh(dispersion_of(endpoint)), 0)
    cursor = endpoint.cursor()
    began = clock.monotonic()
    timed = broken = began
    while True:
        clock.sleep(endpoint.measure_pace)
        now = clock.monotonic()
        wanted = now - timed >= HISTOGRAM_EVERY
        hearing.probes.start()
        try:
            reading = endpoint.read(
                cursor, mirrored=mirrored, histogram=wanted, answers=hearing.interest.anything
            )
            interval, cursor, broken = hearing.hear(reading), reading.cursor, now
        except EndpointError:
            interval = None
        if interval is not None:
            timed = now if wanted else timed
            evidence = ingest(rules, evidence, interval)
        said = judge(rules, evidence, source_errors=outages(now - broken, endpoint))
        if said.verdict is not Verdict.RUNNING or now - began >= seconds + endpoint.lag:
            hearing.probes.stop()
            return said
        told(said)


def _rules(plan: Plan, gate: str, seen: Seen) -> Rules:
    """The gate's tests on a plan of one stage: the split as it is."""
    if gate not in plan.gates:
        raise UsageError(
            f"The plan has no gate {gate!r}.", do=f"Name one of: {', '.join(plan.gates)}"
        )
    name = plan.candidate.name
    live, copied = seen.traffic.get(name, 0), seen.mirror.get(name, 0)
    if not live and not copied:
        raise UsageError(
            f"{name} gets no requests, live or mirrored: there is nothing to judge.",
            do=f"Look at the split: rollout plan {shlex.quote(plan.file or 'PLAN')}",
        )
    work = Shift(live) if live else Mirror(copied)
    return compile_rules(replace(plan, stages=(Stage("now", work, gate),)))
