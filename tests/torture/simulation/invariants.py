"""What must hold of every story, whatever happened in it; the numbers are those of the model check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from rollout.domain import events as e, windows
from rollout.domain.decisions import Act, Decision, Record
from rollout.domain.endpoint import DeleteDeployment, Effect, Seen, SetSplit
from rollout.domain.plan import Plan, Shift
from rollout.domain.run import OPEN, Phase, Run, Step
from rollout.domain.verdict import Verdict
from rollout.runtime.journal import Entry
from rollout.runtime.replay import replay
from tests.fakes.endpoint import Reality
from tests.simulation.model import wrong_decision


def wrong_step(run: Run, seen: Seen, decision: Decision, now: float) -> str | None:
    """An invariant that a decision breaks, given what its runner had just read."""
    if not isinstance(decision, Act | Record):
        return None
    if isinstance(decision, Act) and _untimely(run, now):
        return "3 a stage begins outside its window"
    return wrong_decision(run, seen, decision, now)


def _untimely(run: Run, now: float) -> bool:
    """Whether the present stage has written nothing yet, and no window lets it begin."""
    stage = run.stage
    if (
        stage is None
        or run.phase is not Phase.RUNNING
        or run.intent
        or run.step is not Step.ENTERING
    ):
        return False
    repairs = run.landed or run.restores or run.ceiling is not None
    ours = [each for each in run.windows if windows.applies(each, stage)]
    return bool(ours) and not repairs and not any(windows.is_open(each, now) for each in ours)


def wrong_write(run: Run, effect: Effect, real: Reality, now: float) -> str | None:
    """An invariant that an accepted write of the run's owner breaks.

    Args:
        run: As the journal has it.
        effect: What was accepted.
        real: The endpoint behind it.
        now: Unix seconds.
    """
    match effect:
        case SetSplit(traffic):
            if sum(traffic.values()) not in (0, 100):
                return "1 shares do not sum to 100"
            before = real.splits[-2].traffic if len(real.splits) > 1 else {}
            share = traffic.get(run.candidate, 0)
            if share > max(_allowed(run), before.get(run.candidate, 0)):
                return "2 the candidate has more than its stage allows"
        case DeleteDeployment(name) if name == run.baseline:
            split = real.split(now)
            if dict(split.traffic) != {run.candidate: 100} or split.mirror:
                return "6 the baseline is deleted while it may be needed"
    return None


def wrong_leave(run: Run, plan: Plan, real: Reality) -> str | None:
    """What is wrong with how a runner leaves the endpoint that waits for something."""
    if run.phase not in OPEN or run.captured is None or run.committed:
        return None
    if run.phase is Phase.HELD and run.on_failure.action == "hold":
        return None
    share = real.goal.traffic.get(run.candidate, 0)
    most = plan.guard.unattended
    alone = most is not None and share > most
    return "5 a candidate with more users than may be left without a guard" if alone else None


def _allowed(run: Run) -> int:
    shares = [
        each.work.percent for each in run.stages[: run.at + 1] if isinstance(each.work, Shift)
    ]
    taken_over = (run.expected, run.restores) if run.supersedes else ()
    splits = [each for each in (run.captured, *taken_over) if each is not None]
    return max([0, *shares, *(each.traffic.get(run.candidate, 0) for each in splits)])


def wrong_story(story: Sequence[Entry], plan: Plan) -> Iterator[str]:
    """What is wrong with a run's journal, whose hash chain is whole."""
    yield from _wrong_order(story)
    for before, entry in pairwise(story):
        if isinstance(entry.event, e.StagePassed):
            yield from _wrong_pass(before.state, entry.event)
    found = replay(story, plan)
    yield from (f"7 {each.what}" for each in found.mismatches)


def _wrong_order(story: Sequence[Entry]) -> Iterator[str]:
    for before, entry in pairwise(story):
        taken = isinstance(entry.event, e.OwnerTook)
        if entry.epoch != before.epoch + taken:
            yield f"8 epoch {entry.epoch} after {before.epoch} at entry {entry.seq}"
        if before.state.final and entry.state.phase is not before.state.phase:
            yield f"5 a run that was over goes on at entry {entry.seq}"


def _wrong_pass(run: Run, event: e.StagePassed) -> Iterator[str]:
    stage = run.stage
    if stage is None or stage.id != event.stage or stage.gate is None:
        return
    said = run.judgement
    passed = said is not None and said.gate == stage.gate and said.verdict is Verdict.PASS
    if not passed or run.step is not Step.OBSERVING:
        yield f"3 stage {stage.id} passed without its gate"


def wrong_end(run: Run, real: Reality, now: float) -> str | None:
    """A final run and an endpoint that do not agree."""
    live, mirror = dict(real.split(now).traffic), dict(real.split(now).mirror)
    there = set(real.deployments)
    if run.phase is Phase.COMPLETED:
        shares = [each.work.percent for each in run.stages if isinstance(each.work, Shift)]
        adopted = dict(run.expected.traffic) if run.expected else {}
        wanted = {run.candidate: 100} if shares else adopted
        if live != wanted or mirror:
            return f"4 completed with {live} mirror {mirror}"
        if run.deleted and run.baseline in there:
            return "4 completed, but the baseline is still there"
    elif run.phase in (Phase.ROLLED_BACK, Phase.UNDONE):
        if run.captured is None or live != dict(run.captured.traffic) or mirror:
            return f"4 {run.phase.value} with {live} mirror {mirror}"
    else:
        return None
    return None if set(live) <= there else "1 nobody serves a part of the traffic"
