"""What a plan's gates would tell on its endpoint: the baseline as it was lately, and the forecast."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rollout.domain.errors import EndpointError
from rollout.domain.measure import Arm
from rollout.domain.plan import Plan
from rollout.domain.units import spell_duration
from rollout.gates.power.advice import warnings
from rollout.gates.power.baseline import Baseline, Basis, Figure, Measuring
from rollout.gates.power.forecast import StageForecast
from rollout.gates.power.reach import Reach
from rollout.gates.power.reckoning import asked, forecast
from rollout.gates.published import MINUTE
from rollout.gates.rules import compile_rules
from rollout.ports.endpoint import Endpoint
from rollout.runtime.begin import Course, Standing
from rollout.runtime.meter import HISTORY
from rollout.stats import dispersion
from rollout.stats.counts import Counts

_MINUTES, _AZURE = "azure_monitor", "azureml"  # as plans name them; the first is the other's usual
_TELLING = 500  # answers, below which a rate of errors or a latency says little


@dataclass(frozen=True, slots=True)
class Outlook:
    """The power of a plan's gates.

    Args:
        baseline: What the numbers rest on.
        stages: The gated stages ahead; empty: the rate of requests is not known.
        warnings: Sentences, each with what to do.
    """

    baseline: Baseline
    stages: tuple[StageForecast, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stated:
    """What a person says of the baseline; it outranks what was observed. None: nothing.

    Args:
        rps: Requests a second.
        error_rate: Share of the answers that are errors, 0..1.
    """

    rps: float | None = None
    error_rate: float | None = None


def outlook_of(
    plan: Plan, endpoint: Endpoint, standing: Standing, stated: Stated, *, exists: bool
) -> Outlook | None:
    """The power of a plan's gates; None: nothing is gated, or there is nothing to do.

    Args:
        plan: The plan.
        endpoint: Asked for its history.
        standing: Stages behind an open run are left out.
        stated: What a person says of the baseline.
        exists: Whether the endpoint is there.
    """
    run = standing.run
    behind = run.at if run is not None and standing.course is Course.RESUME else 0
    gated = [at for at, stage in enumerate(plan.stages) if stage.gate and at >= behind]
    if standing.course is Course.NOTHING or not gated:
        return None
    told: list[str] = []
    past: Sequence[Arm] = ()
    if exists:
        try:
            past = endpoint.history(seconds=HISTORY, batch=dispersion.BATCH)
        except EndpointError as error:
            told.append(f"The power rests on no history of the endpoint: {error.what}")
    baseline = baseline_of(plan, past, stated)
    measuring = _measuring(plan, endpoint, past)
    baseline = replace(baseline, measuring=measuring)
    if measuring.lag > 0:
        told.append(
            f"Measurements lie up to {spell_duration(measuring.lag)} behind: each gate's verdict "
            "comes as much later than its own time says, and a bad candidate answers users for as "
            "much longer. Let the first share be small."
        )
    if baseline.rps is None:
        told.append(
            "The rate of requests is not known, so the power of the gates is not estimated. "
            f"State it: rollout plan {shlex.quote(plan.file or 'PLAN')} --rps 50"
        )
        return Outlook(baseline, (), tuple(told))
    rules, reach = compile_rules(plan), Reach()
    questions = [asked(plan, rules, at, baseline, reach) for at in gated]
    stages = [forecast(each) for each in questions]
    for question, found in zip(questions, stages, strict=True):
        told += warnings(question, found)
    return Outlook(baseline, tuple(stages), tuple(told))


def _measuring(plan: Plan, endpoint: Endpoint, past: Sequence[Arm]) -> Measuring:
    own = plan.metrics.provider == _MINUTES
    usual = plan.endpoint.provider == _AZURE and not plan.metrics.provider
    published = own or (usual and "workspace" not in plan.metrics.options)
    published = published or any(arm.published for arm in past)
    pace = MINUTE if published else endpoint.measure_pace
    return Measuring(pace, endpoint.lag, published)


def baseline_of(plan: Plan, past: Sequence[Arm], stated: Stated) -> Baseline:
    """What is known of the baseline.

    Args:
        plan: Its load counts where the endpoint had less.
        past: Its live answers in batches of `dispersion.BATCH` seconds, oldest first.
        stated: What a person says.
    """
    begun = next((at for at, arm in enumerate(past) if arm.requests > 0), len(past))
    known = past[begun:]
    whole = Arm()
    for arm in known:
        whole = whole.plus(arm)
    where = f"the last {spell_duration(len(known) * dispersion.BATCH)}"
    baseline = Baseline(rps=_rps(plan, whole.requests, len(known), where, stated))
    errors = _error_rate(whole, where, stated) or baseline.error_rate
    # How latency is spread inside a few wide buckets, which are not ours, nobody knows.
    telling = not whole.edges and sum((whole.latency or {}).values()) >= _TELLING
    batches = [Counts(arm.errors, arm.requests) for arm in past]
    return Baseline(
        rps=baseline.rps,
        error_rate=errors,
        latency=whole.latency if whole.latency is not None and telling else baseline.latency,
        latency_from=Basis.OBSERVED if telling else Basis.ASSUMED,
        dispersion=dispersion.estimated(batches).phi,
        shares=_shares(whole),
    )


def _rps(plan: Plan, requests: int, batches: int, where: str, stated: Stated) -> Figure | None:
    """Requests a second: as said, else the more of what was seen and what the plan sends.

    What was seen may be load of an earlier run, so the two are not added.
    """
    if stated.rps is not None:
        return Figure(stated.rps, Basis.STATED, "--rps")
    seen = requests / (batches * dispersion.BATCH) if batches else 0.0
    if plan.load_rps > 0 and plan.load_rps >= seen:
        return Figure(plan.load_rps, Basis.STATED, "the plan's load")
    return Figure(seen, Basis.OBSERVED, where) if seen > 0 else None


def _error_rate(whole: Arm, where: str, stated: Stated) -> Figure | None:
    if stated.error_rate is not None:
        return Figure(stated.error_rate, Basis.STATED, "--error-rate")
    if whole.requests < _TELLING:
        return None
    return Figure(whole.errors / whole.requests, Basis.OBSERVED, where)


def _shares(whole: Arm) -> dict[str, float]:
    """Each custom metric's mean; only those of ratios are asked for."""
    return {
        name: min(1.0, max(0.0, sums.total / sums.count))
        for name, sums in whole.sums.items()
        if sums.count >= _TELLING
    }
