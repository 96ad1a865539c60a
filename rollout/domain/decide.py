"""What is due: a pure function of the run, the endpoint as seen, and the time.

It is level-triggered. Nothing is remembered beside the run: an effect that was applied although its
reply got lost is seen, one that was not applied is due again. So a crash can lose nothing.
"""

from __future__ import annotations

from rollout.domain import approvals, auditing, decisions, drift, entering, returning, unattended
from rollout.domain.decisions import WHOLE, Act, Ask, Decision, On, Question, Record, Rest, Wait
from rollout.domain.endpoint import Seen, SetSplit
from rollout.domain.events import (
    Ended,
    Held,
    SetPointReached,
    ShareLowered,
    SplitCaptured,
    StagePassed,
)
from rollout.domain.plan import (
    Approve,
    Bootstrap,
    Delete,
    Mirror,
    Preflight,
    Scale,
    Shift,
    Stage,
    Wait as WaitStage,
)
from rollout.domain.roles import BASELINE
from rollout.domain.run import OPEN, Cause, Drift, Phase, Run, Split, Step, Why
from rollout.domain.units import spell_duration
from rollout.domain.verdict import Verdict


def decide(run: Run, seen: Seen, now: float) -> Decision:
    """What a runner must do next.

    Args:
        run: The run as folded from the journal.
        seen: The endpoint, read after the last effect.
        now: Unix seconds of the store.
    """
    decision = awaited(run, seen, now)
    share = _live(run, seen) if run.phase is Phase.RUNNING else seen.traffic.get(run.candidate, 0)
    return _guarded(run, share, decision) if run.phase in OPEN else decision


def awaited(run: Run, seen: Seen, now: float) -> Decision:
    """The same, but for the guard: on whom a run waits also where waiting means measuring."""
    match run.phase:
        case Phase.RUNNING:
            return _forward(run, seen, now)
        case Phase.PAUSED:
            return _paused(run, seen, now)
        case Phase.HELD:
            return _held(run, seen, now)
        case Phase.ROLLING_BACK | Phase.UNVERIFIED:
            return returning.returning(run, seen, now)
        case _:
            return auditing.auditing(run, seen, now)


def _guarded(run: Run, share: int, decision: Decision) -> Decision:
    """No wait, for whatever it is, leaves a candidate that answers users without its guard."""
    if not share or run.committed or not isinstance(decision, Wait):
        return decision
    return _look(run)


def _live(run: Run, seen: Seen) -> int:
    """The candidate's live percent as this run left it; as it is, where that is to be taken over."""
    taking = run.expected is None and run.captured is not None
    return seen.traffic.get(run.candidate, 0) if taking else run.share


def _look(run: Run) -> Ask:
    return Ask(Question.OBSERVE if run.cursor is None else Question.MEASURE)


# --- forward -----------------------------------------------------------------


def _forward(run: Run, seen: Seen, now: float) -> Decision:
    rules = (
        _failing,
        _late,
        _poisoned,
        _settling,
        _uncaptured,
        _overtaken,
        _drifted,
        _troubled,
        _sick,
    )
    for rule in rules:
        if (found := rule(run, seen, now)) is not None:
            return found
    if (lowering := unattended.lowered(run, seen, now)) is not None:
        return lowering
    if run.unread and run.share and run.cursor is not None and not run.committed:
        return Ask(Question.MEASURE)  # what happened while nobody was here is judged first
    if run.restores is not None:
        return _attended_again(run, run.restores, seen, now)
    return _onward(run, seen, now)


def _overtaken(run: Run, seen: Seen, now: float) -> Decision | None:
    """What an earlier runner still did after it was taken over is no person's change."""
    return auditing.overtaken(run, seen, now)


def _attended_again(run: Run, before: Split, seen: Seen, now: float) -> Decision:
    """The share from before the last runner left comes first, unless the plan has another by now."""
    stage, split = run.stage, Split.of(seen)
    landed = split not in (run.expected, before) and unattended.ours(run, split)
    if landed and not (stage is not None and _shifting(run, stage, Rest())):
        return Record(ShareLowered(split))  # by a runner that died before it could say so
    if stage is None or isinstance(stage.work, Delete):
        return unattended.restored(run, before, seen, now)
    decision = _onward(run, seen, now)
    if isinstance(decision, Record) or _shifting(run, stage, decision):
        return decision
    return unattended.restored(run, before, seen, now)


def _shifting(run: Run, stage: Stage, decision: Decision) -> bool:
    """Whether the present stage's own share is being written."""
    if run.step is not Step.ENTERING or not isinstance(stage.work, Shift):
        return False
    return isinstance(decision, Act) or run.intent == entering.wanted(run, stage.work)


def _onward(run: Run, seen: Seen, now: float) -> Decision:
    stage = run.stage
    if stage is None:
        return _finished(run, seen)
    if run.step is Step.OBSERVING:
        return _observing(run, stage, now)
    return entering.entering(run, stage, seen, now)


def _finished(run: Run, seen: Seen) -> Decision:
    """Behind the last stage; a split that a person had adopted on the way need not be the plan's."""
    works = [stage.work for stage in run.stages if isinstance(stage.work, Mirror | Shift)]
    goal = decisions.goal(entering.wanted(run, works[-1])) if works else run.expected
    if goal is None or Split.of(seen) == goal:
        return Record(Ended())
    text = f"The plan ends with {goal}; the endpoint has {Split.of(seen)}."
    return drift.held(text, Drift(goal, Split.of(seen)))


def _paused(run: Run, seen: Seen, now: float) -> Decision:
    """A person stopped the plan, not what protects users."""
    for rule in (_failing, _late, _candidate_failed, _landed):
        if (found := rule(run, seen, now)) is not None:
            return found
    return unattended.lowered(run, seen, now) or Wait(On.PERSON)


def _held(run: Run, seen: Seen, now: float) -> Decision:
    """A person was told. Until one comes, the deadline counts and the candidate's users are guarded."""
    rules = (_late, _failing, _candidate_failed) if _protects(run, seen) else (_late,)
    for rule in rules:
        if (found := rule(run, seen, now)) is not None:
            return found
    if not _protects(run, seen):
        return Rest()
    return unattended.lowered(run, seen, now) or Wait(On.PERSON)


def _protects(run: Run, seen: Seen) -> bool:
    """Whether a guard of a held run has whom to protect, and a way to do it."""
    able = run.captured is not None and not run.committed and run.on_failure.action != "hold"
    return able and bool(seen.traffic.get(run.candidate))


def _failing(run: Run, seen: Seen, now: float) -> Decision | None:
    """A bad verdict outranks everything, a person's change of the split included."""
    judgement = run.judgement
    if judgement is None or judgement.verdict is not Verdict.FAIL or run.committed:
        return None
    return decisions.stop(run, Cause(Why.GATE_FAILED, f"gate {judgement.gate}: {judgement.reason}"))


def _late(run: Run, seen: Seen, now: float) -> Decision | None:
    if run.deadline is None or now < run.deadline or run.committed:
        return None
    spent = spell_duration(run.deadline - run.started)
    return decisions.stop(run, Cause(Why.DEADLINE, f"The plan's deadline of {spent} is over."))


def _poisoned(run: Run, seen: Seen, now: float) -> Decision | None:
    """A plan that kills whoever runs it is not tried for ever."""
    if run.crashes < decisions.CRASHES:
        return None
    where = f"stage {run.stage.id}" if run.stage else "the end"
    text = (
        f"{run.crashes} runners in a row died in {where} without getting on. "
        "Look at what they wrote last."
    )
    return decisions.stop(run, Cause(Why.POISON, text))


def _settling(run: Run, seen: Seen, now: float) -> Decision | None:
    return entering.in_time(run, Wait(On.PROVISIONING), now) if seen.busy else None


def _landed(run: Run, seen: Seen, now: float) -> Decision | None:
    """A write that was in flight when the pause came: it holds, so its guard must know."""
    stage, split = run.stage, Split.of(seen)
    if seen.busy or stage is None or not isinstance(stage.work, Mirror | Shift):
        return None
    if run.intent != entering.wanted(run, stage.work) or not _ours(run, split):
        return None
    return Record(SetPointReached(stage.id, split))


def _uncaptured(run: Run, seen: Seen, now: float) -> Decision | None:
    """Before the first write the endpoint must be as every plan assumes it: all on the baseline."""
    if run.expected is not None or (_early(run) and run.captured is None):
        return None
    split = Split.of(seen)
    ordered = bool(split.traffic) and (run.adopt or run.captured is not None)
    if ordered or split == Split({run.baseline: WHOLE}):
        return Record(SplitCaptured(split))
    if not seen.exists:
        text = f"The endpoint {run.endpoint} does not exist, and the plan has no baseline.file to create it."
    elif not split.traffic:
        text = f"Nobody serves on {run.endpoint}: give {run.baseline} all traffic first."
    else:
        text = f"The plan starts from {run.baseline} 100, but the endpoint has: {split}."
    return drift.held(text, Drift(Split({run.baseline: WHOLE}), split))


def _early(run: Run) -> bool:
    return run.stage is not None and isinstance(run.stage.work, Preflight | Bootstrap)


def _drifted(run: Run, seen: Seen, now: float) -> Decision | None:
    """A person's change by hand is noticed and never trampled in forward mode."""
    found = drift.difference(run, seen)
    return None if found is None else drift.held(drift.spelled(found), found)


def _ours(run: Run, split: Split) -> bool:
    """Whether this split is what our own write in flight makes."""
    return isinstance(run.intent, SetSplit) and split == decisions.goal(run.intent)


def _troubled(run: Run, seen: Seen, now: float) -> Decision | None:
    return decisions.stop(run, run.trouble) if run.trouble else None


def _sick(run: Run, seen: Seen, now: float) -> Decision | None:
    return _candidate_failed(run, seen, now) or _baseline_failed(run, seen, now)


def _candidate_failed(run: Run, seen: Seen, now: float) -> Decision | None:
    candidate = seen.deployments.get(run.candidate)
    if not run.created or candidate is None:
        return None
    return decisions.failed(run, run.candidate, candidate)


def _baseline_failed(run: Run, seen: Seen, now: float) -> Decision | None:
    baseline = seen.deployments.get(run.baseline)
    if (
        baseline is None
        or run.expected is None
        or run.committed
        or drift.leaving(run) == run.baseline
    ):
        return None
    work = run.stage.work if run.stage else None
    if isinstance(work, Scale) and work.deployment == BASELINE:
        return None  # the stage itself tells a scaling that failed from one to be tried again
    return decisions.failed(run, run.baseline, baseline)


# --- observing a stage --------------------------------------------------------


def _observing(run: Run, stage: Stage, now: float) -> Decision:
    if (unclear := _unclear(run, stage)) is not None:
        return unclear
    if isinstance(stage.work, Approve):
        return _approval(run, stage, stage.work, now)
    until = run.since + stage.work.seconds if isinstance(stage.work, WaitStage) else None
    if not _passes(run, stage):
        return _look(run)
    if until is not None and now < until:
        return Wait(On.TIMER, until)
    note = f"gate {stage.gate}: pass" if stage.gate else ""
    return Record(StagePassed(stage.id, note))


def _passes(run: Run, stage: Stage) -> bool:
    """Whether this stage's own gate said so; where it has none there is nothing to pass."""
    if stage.gate is None:
        return True
    said = run.judgement
    return said is not None and said.gate == stage.gate and said.verdict is Verdict.PASS


def _approval(run: Run, stage: Stage, work: Approve, now: float) -> Decision:
    said = approvals.given(run, stage, work)
    enough, until = len(said) >= work.count, approvals.until(run, work)
    if not enough and until is not None and now >= until:
        within = spell_duration(work.expires or 0.0)
        text = f"Nobody approved {stage.id} within {within}."
        if said:
            text = f"Only {approvals.standing(run, stage, work)} of {stage.id} within {within}."
        return decisions.stop(run, Cause(Why.EXPIRED, text))
    if not _passes(run, stage):
        return _look(run)
    if not enough:
        return Wait(On.APPROVAL, until)
    return Record(StagePassed(stage.id, f"approved by {approvals.names(said)}"))


def _unclear(run: Run, stage: Stage) -> Decision | None:
    judgement = run.judgement
    if judgement is None or stage.gate is None:
        return None
    if judgement.verdict is Verdict.ERROR:
        return Record(Held(Cause(Why.SOURCE, f"gate {stage.gate}: {judgement.reason}")))
    if judgement.verdict is Verdict.INCONCLUSIVE:
        cause = Cause(Why.INCONCLUSIVE, f"gate {stage.gate}: {judgement.reason}")
        if run.on_inconclusive.get(stage.gate) == "rollback":
            return decisions.stop(run, cause)
        return Record(Held(cause))
    return None
