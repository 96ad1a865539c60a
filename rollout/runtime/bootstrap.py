"""An endpoint and its baseline, without a run: the bootstrap stage alone, kept in memory."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from rollout.domain.advance import advance
from rollout.domain.decide import decide
from rollout.domain.decisions import Act, Record
from rollout.domain.endpoint import Effect
from rollout.domain.errors import EndpointRefused
from rollout.domain.events import Held, Intended, StagePassed
from rollout.domain.plan import Bootstrap, Plan, Stage
from rollout.domain.roles import BASELINE
from rollout.domain.run import Run, Split
from rollout.ports.clock import Clock
from rollout.ports.endpoint import Endpoint

RUN = "local-up"  # the tag of what is made without a run


def bootstrap(
    plan: Plan, endpoint: Endpoint, clock: Clock, told: Callable[[Effect], None]
) -> Split:
    """Bring the endpoint and its baseline up; what serves already is left as it is.

    Args:
        plan: Names the endpoint and the baseline's file.
        endpoint: The real thing.
        clock: For pacing.
        told: Called with each effect that is begun.

    Returns:
        The split that serves now.

    Raises:
        EndpointRefused: it did not come up; says why.
    """
    run = _run(plan, endpoint.digest(BASELINE))
    while True:
        seen, now = endpoint.observe(), clock.now()
        match decide(run, seen, now):
            case Act(effect):
                run = advance(run, Intended(effect, Split.of(seen)), now)
                told(effect)
                endpoint.perform(effect, run=run.id)
            case Record(StagePassed()):
                return Split.of(seen)
            case Record(Held(cause)):
                file = shlex.quote(plan.file or "PLAN")
                raise EndpointRefused(
                    cause.text, do=f"Read its log: rollout logs {plan.baseline.name} {file}"
                )
            case _:
                clock.sleep(endpoint.pace)


def _run(plan: Plan, digest: str) -> Run:
    return Run(
        id=RUN,
        plan=plan.name,
        endpoint=plan.endpoint.name,
        identity="",
        digest=plan.digest,
        baseline=plan.baseline.name,
        candidate=plan.candidate.name,
        baseline_digest=digest,
        candidate_digest="",
        stages=(Stage("bootstrap", Bootstrap()),),
        on_failure=plan.on_failure,
        on_inconclusive={},
        author="",
        started=0.0,
        since=float("inf"),  # no timeout: a person is watching
    )
