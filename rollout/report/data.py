"""Values as plain JSON data: the shapes of ``-o json``, which scripts rely on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rollout.domain import windows
from rollout.domain.codec import encode
from rollout.domain.outcome import exit_code, outcome
from rollout.domain.run import Cause, Phase, Run, Split
from rollout.report import words
from rollout.report.drifting import drift_data

if TYPE_CHECKING:  # only to be read: `status` needs no preview
    from rollout.domain.endpoint import Seen
    from rollout.domain.events import RunStarted
    from rollout.domain.verdict import CheckJudgement, Judgement
    from rollout.gates.power.baseline import Figure
    from rollout.gates.power.forecast import Catch, Chance, CheckForecast
    from rollout.runtime.begin import Course
    from rollout.runtime.differing import Diff
    from rollout.runtime.journal import Entry
    from rollout.runtime.lease import Holder
    from rollout.runtime.outlook import Outlook
    from rollout.runtime.preview import Preview

Data = dict[str, object]


def run_data(run: Run) -> Data:
    """A run in short: enough to tell it from others and to know how it ended."""
    return {
        "run": run.id,
        "endpoint": run.endpoint,
        "plan": run.plan,
        "outcome": outcome(run),
        "code": exit_code(run),
        "phase": run.phase.value,
        "stage": run.stage.id if run.stage and not run.final else None,
        "candidate": run.candidate,
        "baseline": run.baseline,
        "candidate_percent": run.split.traffic.get(run.candidate, 0) if run.split else 0,
        "author": run.author,
        "labels": dict(run.labels),
        "started": words.instant(run.started),
        "ended": _moment(run.ended),
        "next_check_at": _moment(run.next_check),
        "waits_for": run.waits or None,
        "late_calls": _late_calls(run),
        "exposure": {"requests": run.exposure.requests, "errors": run.exposure.errors},
        "cause": _cause(run.cause),
    }


def _late_calls(run: Run) -> str | None:
    """Of a run that is over: whether what an earlier runner may have sent too late is seen to."""
    if run.leftover:
        return "left"
    return "not_looked_for" if run.unaudited else None


def _cause(cause: Cause | None) -> Data | None:
    if cause is None:
        return None
    return {"why": cause.why.value, "text": cause.text, "drift": drift_data(cause.drift)}


def holder_data(holder: Holder | None) -> Data:
    """Who holds a run's lease; ``driver_lives`` is None where nobody watched an owner elsewhere."""
    if holder is None:
        return {"driven_by": None, "driver_lives": False}
    return {"driven_by": holder.name, "driver_lives": holder.lives or None}


def whole_run_data(run: Run, now: float | None = None) -> Data:
    """A run with its stages, its split and its gate's last word.

    Args:
        run: The run.
        now: Unix seconds, to tell whether it waits for a window; None: as its last runner said.
    """
    opens = None if now is None else windows.waited_for(run, now)
    return {
        **run_data(run),
        "outcome": outcome(run, now),
        "window_opens": _moment(opens),
        "attempts": run.attempts,
        "crashes": run.crashes,
        "supersedes": run.supersedes or None,
        "deadline": _moment(run.deadline),
        "split": split_data(run.split),
        "captured": split_data(run.captured),
        "stages": [_stage(run, at) for at in range(len(run.stages))],
        "judgement": judgement_data(run.judgement) if run.judgement else None,
        "approvals": [
            {
                "stage": each.stage,
                "by": each.by,
                "at": words.instant(each.at),
                "message": each.message,
            }
            for each in run.approvals
        ],
    }


def _stage(run: Run, at: int) -> Data:
    stage = run.stages[at]
    done = run.done[at] if at < len(run.done) else None
    return {
        "id": stage.id,
        "title": words.title(stage, run),
        "state": stage_state(run, at),
        "gate": stage.gate,
        "began": _moment(done.began) if done else None,
        "ended": _moment(done.ended) if done else None,
        "note": done.note if done else "",
    }


def stage_state(run: Run, at: int) -> str:
    """``passed``, ``running``, ``waiting`` (its turn has not come), ``held``, ``failed``, ``skipped``."""
    if at < len(run.done):
        return "passed"
    if at > run.at:
        return "skipped" if run.final or run.phase in _BACKWARD else "waiting"
    if run.final or run.phase in _BACKWARD:
        return "failed"
    return "held" if run.phase in (Phase.HELD, Phase.PAUSED) else "running"


_BACKWARD = (Phase.ROLLING_BACK, Phase.UNVERIFIED)


def judgement_data(judgement: Judgement) -> Data:
    """A gate's word with each check's numbers."""
    return {
        "gate": judgement.gate,
        "verdict": judgement.verdict.value,
        "reason": judgement.reason,
        "evidence": judgement.evidence,
        "bound": judgement.bound,
        "cause": judgement.cause,
        "observed_seconds": judgement.observed_seconds,
        "remaining_seconds": judgement.remaining_seconds,
        "checks": [_check(each) for each in judgement.checks],
    }


def _check(check: CheckJudgement) -> Data:
    return {
        "check": check.check,
        "criteria": check.criteria,
        "unit": check.unit,
        "verdict": check.verdict.value,
        "baseline": {
            "events": check.baseline_events,
            "requests": check.baseline_requests,
            "value": check.baseline_value,
        },
        "candidate": {
            "events": check.candidate_events,
            "requests": check.candidate_requests,
            "value": check.candidate_value,
        },
        "ratio": check.ratio,
        "ratio_interval": [check.ratio_low, check.ratio_high],
        "toward_rollback": check.toward_rollback,
        "toward_pass": check.toward_pass,
        "reason": check.reason,
    }


def result_data(run: Run, word: str, code: int, course: Course) -> Data:
    """What came of an ``apply``."""
    return {**whole_run_data(run), "outcome": word, "code": code, "course": course.value}


def preview_data(preview: Preview) -> Data:
    """What applying a plan would do."""
    changes = preview.changes
    run = preview.standing.run
    return {
        "outcome": "changes" if any(changes.values()) else "no_changes",
        "course": preview.standing.course.value,
        "plan": preview.plan.name,
        "endpoint": preview.plan.endpoint.name,
        "provider": preview.plan.endpoint.provider,
        "identity": preview.standing.identity,
        "run": run.id if run else None,
        "now": _seen(preview.seen),
        "steps": [
            {
                "id": step.id,
                "title": step.title,
                "kind": {"+": "add", "~": "change", "-": "delete"}.get(step.kind, "none"),
                "change": step.change,
                "takes_seconds": step.takes,
                "waits": step.waits,
            }
            for step in preview.steps
        ],
        "changes": changes,
        "checks": [
            {"name": each.name, "ok": each.ok, "text": each.text} for each in preview.checks
        ],
        "outlook": None if preview.outlook is None else _outlook(preview.outlook),
        "unattended_percent": preview.unattended,
        "warnings": list(preview.warnings),
    }


def _outlook(outlook: Outlook) -> Data:
    """What the gates would tell; a time that never comes is null."""
    baseline = outlook.baseline
    return {
        "baseline": {
            "rps": None if baseline.rps is None else _figure(baseline.rps),
            "error_rate": _figure(baseline.error_rate),
            "latency_basis": baseline.latency_from.value,
            "dispersion": baseline.dispersion,
        },
        "stages": [
            {
                "id": each.id,
                "title": each.title,
                "gate": each.gate,
                "limit_seconds": each.limit,
                "candidate_rps": each.served,
                "live": each.live,
                "pass": _chance(each.passing),
                "checks": [_forecast(check) for check in each.checks],
            }
            for each in outlook.stages
        ],
    }


def _figure(figure: Figure) -> Data:
    return {"value": figure.value, "basis": figure.basis.value, "where": figure.where}


def _forecast(check: CheckForecast) -> Data:
    crash = check.crash
    return {
        "check": check.name,
        "not_estimated": check.unknown or check.no_pass or None,
        "assumed": check.assumed or None,
        "margin": _catch(check.catch),
        "doubled": _catch(check.doubled),
        "smallest": check.smallest,
        "crash": None
        if crash is None
        else {
            "failures": crash.failures,
            "seconds": _finite(crash.seconds),
            "exposed_requests": _finite(crash.exposed),
        },
        "pass": _chance(check.passing),
    }


def _catch(caught: Catch | None) -> Data | None:
    if caught is None:
        return None
    return {
        "effect": caught.effect,
        **(_chance(caught.chance) or {}),
        "exposed_requests": caught.exposed,
        "bad_answers": caught.bad,
    }


def _chance(found: Chance | None) -> Data | None:
    if found is None:
        return None
    return {"probability": found.probability, "seconds_for_80_percent": _finite(found.seconds)}


def _finite(held: float) -> float | None:
    return held if math.isfinite(held) else None


def _seen(seen: Seen) -> Data:
    return {
        "exists": seen.exists,
        "busy": seen.busy,
        "traffic": dict(seen.traffic),
        "mirror": dict(seen.mirror),
        "deployments": {
            name: {
                "condition": found.condition.value,
                "instances": found.instances,
                "ready": found.ready,
                "error": found.error,
            }
            for name, found in sorted(seen.deployments.items())
        },
    }


def entry_data(entry: Entry, name: str, sentence: str) -> Data:
    """An event of the journal.

    Args:
        entry: As stored.
        name: The event's dotted name.
        sentence: What happened, in words.
    """
    return {
        "seq": entry.seq,
        "at": words.instant(entry.at),
        "by": entry.by,
        "epoch": entry.epoch,
        "run": entry.state.id,
        "event": name,
        "text": sentence,
        "data": encode(entry.event),
    }


def plan_source(started: RunStarted) -> object:
    """The plan as its author wrote it, after substitution; None where the journal has none."""
    kept = json.loads(started.source)
    text = kept.get("source") if isinstance(kept, Mapping) else None
    return json.loads(text) if isinstance(text, str) else None


def split_data(split: Split | None) -> Data | None:
    """A split; None where it is not known."""
    return {"traffic": dict(split.traffic), "mirror": dict(split.mirror)} if split else None


def _moment(at: float | None) -> str | None:
    return None if at is None else words.instant(at)


def diff_data(run: Run, differed: Diff) -> Data:
    """How the answers of a run's deployments differed."""
    return {
        "run": run.id,
        "outcome": _compared(differed),
        "baseline": run.baseline,
        "candidate": run.candidate,
        "compared": differed.compared,
        "differing": differed.differing,
        "groups": [
            {
                "path": each.path,
                "kind": each.kind or None,
                "pairs": each.pairs,
                "stages": list(each.stages),
                "example": None if each.example is None else encode(each.example),
            }
            for each in differed.groups
        ],
    }


def _compared(differed: Diff) -> str:
    if not differed.compared:
        return "nothing_compared"
    return "differ" if differed.differing else "same"
