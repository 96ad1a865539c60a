"""Whatever happens, in whatever order: the design breaks no invariant, and every mutant does."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import pytest

from rollout.domain import (
    advance as advancing,
    approvals,
    attending,
    auditing,
    decide as deciding,
    decisions,
    drift,
    entering,
    events as e,
    leaving,
    ordered as ordering,
    returning,
    windows,
)
from rollout.domain.advance import undone
from rollout.domain.decisions import Ask, Decision, Question, Record
from rollout.domain.endpoint import (
    Condition,
    DeleteDeployment,
    DeploymentSeen,
    Effect,
    PutDeployment,
    Seen,
    SetSplit,
)
from rollout.domain.plan import (
    Approve,
    Create,
    Delete,
    Mirror,
    OnFailure,
    Preflight,
    Scale,
    Shift,
    Smoke,
    Stage,
    Wait,
    Window,
)
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.run import Approval, Cause, Phase, Run, Split
from tests.simulation.model import (
    ABORT,
    BLUE,
    LIMIT,
    MINE,
    MOVING,
    NO_TROUBLE,
    OLD_GREEN,
    Budget,
    Deployment,
    Grace,
    Patch,
    Service,
    Setup,
    begun,
    explore,
)

# --- where the design is explored -------------------------------------------------------

EMPTY = Service("absent")
ON_BLUE = Service(blue=BLUE, traffic=(100, 0))
GREEN = Deployment(Condition.READY, 1, MINE, "candidate-spec")
PEOPLE = Budget(hands=1, faults=0, takeovers=0, orders=1, resumes=1, times=0)
FEW_PEOPLE = Budget(hands=1, faults=0, takeovers=0, orders=0, resumes=1, times=0)


MANY_KINDS = (
    Stage("create", Create(CANDIDATE), timeout=LIMIT),
    Stage("smoke", Smoke(CANDIDATE), timeout=LIMIT),
    Stage("mirror-10", Mirror(10), timeout=LIMIT),
    Stage("wait-mirrored", Wait(60), gate="shadow", timeout=LIMIT),
    Stage("mirror-0", Mirror(0), timeout=LIMIT),
    Stage("scale-green", Scale(CANDIDATE, 2), timeout=LIMIT),
    Stage("shift-50", Shift(50), timeout=LIMIT),
    Stage(
        "approve", Approve(by=("ada",), expires=LIMIT, author=True), gate="canary", timeout=LIMIT
    ),
    Stage("shift-100", Shift(100), timeout=LIMIT, after=60),
    Stage("wait-live", Wait(60), gate="bake", timeout=LIMIT),
)
TEST_ONLY = (
    Stage("preflight", Preflight(), timeout=LIMIT),
    Stage("create", Create(CANDIDATE), timeout=LIMIT),
    Stage("smoke", Smoke(CANDIDATE), timeout=LIMIT),
    Stage("delete-green", Delete(CANDIDATE), timeout=LIMIT),
)
# The smallest plan that gives users a candidate: explored with all the trouble that there may be.
SMALLEST = (
    Stage("create", Create(CANDIDATE), timeout=LIMIT),
    Stage("smoke", Smoke(CANDIDATE), timeout=LIMIT),
    Stage("shift-100", Shift(100), gate="canary", timeout=LIMIT),
)
ALL_TROUBLE = Budget(hands=2, faults=4, takeovers=2, orders=1, resumes=0, times=0)
CAREFUL = (
    Stage("create", Create(CANDIDATE), timeout=LIMIT),
    Stage("smoke", Smoke(CANDIDATE), timeout=LIMIT),
    Stage("shift-10", Shift(10), gate="canary", timeout=LIMIT),
    Stage("approve", Approve(by=("ada", "mia", "eve"), count=2), timeout=LIMIT),
    Stage("shift-100", Shift(100), timeout=LIMIT),
    Stage("delete-blue", Delete(BASELINE), timeout=LIMIT),
)
WINDOWS = (Window("Mon-Thu 09:00-16:00"),)


def _undoing(candidate: str) -> Run:
    on_failure = OnFailure(candidate=candidate, verify_within=LIMIT)
    last = replace(begun(), phase=Phase.COMPLETED, captured=Split({"blue": 100}), created=True)
    return undone(replace(last, on_failure=on_failure), "r-2", "ada", 1.0)


DESIGN: Mapping[str, Setup] = {
    "all trouble, smallest plan": Setup(
        ON_BLUE._replace(green=GREEN), begun(SMALLEST), ALL_TROUBLE, stopping=(ABORT,)
    ),
    "empty endpoint: machines fail": Setup(EMPTY, budget=Budget(0, 2, 1, 0, 0, 0)),
    "empty endpoint: people": Setup(EMPTY, budget=Budget(0, 0, 0, 1, 1, 1)),
    "serving: machines fail under orders": Setup(ON_BLUE, budget=Budget(0, 1, 1, 1, 0, 0)),
    "serving: by hand while machines fail": Setup(ON_BLUE, budget=Budget(1, 1, 0, 0, 0, 0)),
    "serving: by hand under orders": Setup(ON_BLUE, budget=Budget(1, 0, 0, 1, 0, 0)),
    "serving: by hand, adopted": Setup(ON_BLUE, budget=FEW_PEOPLE),
    "serving: candidate deleted": Setup(
        ON_BLUE,
        begun(on_failure=OnFailure(candidate="delete")),
        Budget(0, 1, 0, 1, 0, 0),
    ),
    "serving: failures held": Setup(
        ON_BLUE, begun(on_failure=OnFailure(action="hold")), Budget(0, 1, 0, 0, 1, 0)
    ),
    "idle baseline of ours": Setup(
        Service(blue=Deployment(Condition.READY, 1, "r-0", "older-spec")),
        budget=NO_TROUBLE._replace(faults=1),
    ),
    "failed baseline by hand": Setup(
        Service(blue=BLUE._replace(condition=Condition.FAILED)), budget=PEOPLE
    ),
    "split 50/50 at the start": Setup(
        ON_BLUE._replace(green=OLD_GREEN, traffic=(50, 50)), budget=PEOPLE
    ),
    "mirror left on": Setup(ON_BLUE._replace(green=OLD_GREEN, mirror=(0, 10)), budget=PEOPLE),
    "candidate by hand": Setup(ON_BLUE._replace(green=BLUE), budget=PEOPLE),
    "candidate of an earlier run": Setup(
        ON_BLUE._replace(green=OLD_GREEN), budget=Budget(0, 1, 0, 0, 1, 0)
    ),
    "same candidate of an earlier run": Setup(
        ON_BLUE._replace(green=GREEN._replace(run="r-0")),
        begun(on_failure=OnFailure(candidate="delete")),
        Budget(0, 0, 1, 1, 0, 0),
    ),
    "a plan of other stages": Setup(ON_BLUE, begun(MANY_KINDS), FEW_PEOPLE),
    "a plan of other stages: machines fail": Setup(
        ON_BLUE, begun(MANY_KINDS), Budget(0, 1, 0, 0, 0, 1)
    ),
    "a plan that only tests": Setup(ON_BLUE, begun(TEST_ONLY), Budget(1, 1, 0, 1, 0, 0)),
    "undo": Setup(
        ON_BLUE._replace(green=GREEN, traffic=(0, 100)),
        _undoing("delete"),
        Budget(1, 1, 1, 1, 1, 1),
    ),
    "late calls at any time": Setup(
        ON_BLUE, begun(CAREFUL), Budget(0, 0, 2, 1, 0, 0), grace=Grace.AUDIT
    ),
    "late calls at any time: candidate deleted": Setup(
        ON_BLUE,
        begun(CAREFUL, OnFailure(candidate="delete")),
        Budget(0, 1, 1, 1, 0, 0),
        grace=Grace.AUDIT,
    ),
    "left alone with nothing": Setup(
        ON_BLUE, begun(CAREFUL), Budget(0, 1, 0, 1, 0, 0), unattended=0
    ),
    "left alone with a share": Setup(
        ON_BLUE, begun(CAREFUL), Budget(0, 1, 0, 1, 1, 0), unattended=5
    ),
    "left alone with a share: troubled": Setup(
        ON_BLUE, begun(CAREFUL), Budget(1, 1, 0, 0, 0, 0), unattended=5
    ),
    "left alone with a share: by hand": Setup(ON_BLUE, begun(CAREFUL), FEW_PEOPLE, unattended=5),
    "deaths counted": Setup(ON_BLUE, begun(CAREFUL), Budget(0, 0, 0, 1, 1, 0), crashes=2),
    "windows": Setup(ON_BLUE, begun(CAREFUL, windows=WINDOWS), Budget(0, 1, 0, 1, 0, 0)),
    "undo without a baseline": Setup(
        Service(green=GREEN, traffic=(0, 100)), _undoing("keep"), Budget()
    ),
}


LEAST_STATES = {"all trouble, smallest plan": 30_000}
# Too large for each test run: `make torture` explores these as well.
LARGE: Mapping[str, Setup] = {
    "everything at once": Setup(ON_BLUE, budget=ALL_TROUBLE),
    "everything at once, late calls at any time": Setup(
        # By hand in the instant between a late call and the next look: nobody can tell the two apart.
        ON_BLUE,
        begun(CAREFUL),
        ALL_TROUBLE._replace(hands=0),
        grace=Grace.AUDIT,
    ),
    "everything at once, left alone": Setup(
        ON_BLUE, begun(CAREFUL), Budget(1, 2, 1, 1, 1, 0), unattended=5
    ),
}


@pytest.mark.parametrize("name", DESIGN)
def test_nothing_that_can_happen_breaks_an_invariant_or_traps_a_run(name: str) -> None:
    report = explore(DESIGN[name])

    assert report.violations == {}
    assert report.stuck == 0, report.trap
    assert report.states >= LEAST_STATES.get(name, 1)


def test_the_exploration_reaches_every_end() -> None:
    reports = [explore(DESIGN[name]) for name in ("a plan that only tests", "undo")]

    ends = {phase for report in reports for phase in report.ends}
    assert ends == {phase.value for phase in Phase}


# --- mutants: each is caught, by the invariant that it is about --------------------------


EVIDENCE = "3 a stage passed without its evidence"


class Real:
    """What the mutants stand in for."""

    split = staticmethod(entering._split)
    attempt = staticmethod(decisions.attempt)
    wanted = staticmethod(entering.wanted)
    restore = staticmethod(returning._restore)
    settle = staticmethod(returning._settle)
    insist = staticmethod(returning._insist)
    stop = staticmethod(decisions.stop)
    early = staticmethod(deciding._early)
    late = staticmethod(deciding._late)
    create = staticmethod(entering._create)
    given_up = staticmethod(ordering._given_up)
    ordered = staticmethod(advancing.ordered)
    resumed = staticmethod(ordering._resumed)
    tested = staticmethod(advancing._tested)
    intended = staticmethod(advancing._intended)
    given = staticmethod(approvals.given)
    taken = staticmethod(attending._taken)
    happened = staticmethod(auditing.happened)
    left = staticmethod(leaving.left)
    ended = staticmethod(ordering._ended)


def _reads_nothing_back(run: Run, stage: Stage, goal: SetSplit, seen: Seen, now: float) -> Decision:
    if run.intent == goal:
        return Record(e.SetPointReached(stage.id, Split(goal.traffic, goal.mirror)))
    return Real.split(run, stage, goal, seen, now)


def _deletes_blindly(run: Run, stage: Stage, role: str, seen: Seen, now: float) -> Decision:
    if run.name(role) not in seen.deployments:
        return Record(e.StagePassed(stage.id))
    return Real.attempt(run, DeleteDeployment(run.name(role)), now)


def _keeps_the_mirror(run: Run, work: Mirror | Shift) -> SetSplit:
    wanted = Real.wanted(run, work)
    if run.expected is None or isinstance(work, Mirror):
        return wanted
    return SetSplit(wanted.traffic, run.expected.mirror)


def _shifts_too_far(run: Run, work: Mirror | Shift) -> SetSplit:
    return Real.wanted(run, Shift(50) if work == Shift(10) else work)


def _mirrors_to_anybody(run: Run, stage: Stage, goal: SetSplit, seen: Seen, now: float) -> Decision:
    if goal.mirror and goal.traffic.get(run.candidate):
        return Real.attempt(run, goal, now)
    return Real.split(run, stage, goal, seen, now)


def _leaves_a_moving_candidate(run: Run, seen: Seen, now: float) -> Decision:
    return Record(e.RolledBack()) if run.checked else Ask(Question.VERIFY)


def _verifies_nothing(run: Run, seen: Seen, now: float) -> Decision:
    return Real.settle(replace(run, checked=True), seen, now)


def _restores_roughly(run: Run, goal: Split, seen: Seen, now: float) -> Decision:
    if seen.traffic.get(run.candidate):
        return Real.restore(run, goal, seen, now)
    return Real.settle(run, seen, now)


def _tidies_up_first(run: Run, goal: Split, seen: Seen, now: float) -> Decision:
    found = seen.deployments.get(run.candidate)
    if found is not None and found.condition not in MOVING and found.run == run.id:
        return Real.insist(run, DeleteDeployment(run.candidate), now)
    return Real.restore(run, goal, seen, now)


def _restores_to_whom_ever(run: Run, goal: Split, seen: Seen, now: float) -> Decision:
    if Split.of(seen) != goal and not seen.busy:
        return Real.insist(run, SetSplit(goal.traffic), now)
    return Real.restore(run, goal, seen, now)


def _restores_the_baseline(run: Run, goal: Split, seen: Seen, now: float) -> Decision:
    return Real.restore(run, Split({run.baseline: 100}), seen, now)


def _just_ends(run: Run, cause: Cause) -> Decision:
    return Record(e.Ended(cause))


def _deletes_whatever_is_there(run: Run, candidate: DeploymentSeen) -> bool:
    return run.on_failure.candidate == "delete"


def _rolls_back_always(run: Run, cause: Cause) -> Decision:
    return Real.stop(run, cause) if run.captured is None else Record(e.RollbackBegan(cause))


def _captures_anything(run: Run, seen: Seen, now: float) -> Decision | None:
    if run.expected is not None or Real.early(run):
        return None
    return Record(e.SplitCaptured(Split.of(seen)))


def _creates_over_anything(run: Run, role: str, found: DeploymentSeen, now: float) -> Decision:
    return Real.attempt(run, PutDeployment(role, run.name(role)), now)


def _sleeps_while_paused(run: Run, seen: Seen, now: float) -> Decision | None:
    return None if run.phase is Phase.PAUSED else Real.late(run, seen, now)


def _sleeps_while_held(run: Run, seen: Seen, now: float) -> Decision | None:
    return None if run.phase is Phase.HELD else Real.late(run, seen, now)


def _passes_unless_it_fails(run: Run, stage: Stage) -> bool:
    return run.judgement is not None or stage.gate is None


def _aborts_later(run: Run, cause: Cause, at: float) -> Run:
    creating = run.stage is not None and isinstance(run.stage.work, Create)
    return run if creating else Real.given_up(run, cause, at)


def _aborts_always(run: Run, cause: Cause, at: float) -> Run:
    undecided = replace(run, intent=None) if run.committed else run
    return Real.given_up(undecided, cause, at)


def _approves_any_plan(run: Run, order: e.Order, at: float) -> Run:
    if isinstance(order, e.Approved):
        return Real.ordered(run, replace(order, digest=run.digest), at)
    return Real.ordered(run, order, at)


def _adopts_in_passing(run: Run, order: e.ResumeOrdered, at: float) -> Run:
    if run.phase is not Phase.PAUSED:
        return Real.resumed(run, order, at)
    adopted = replace(run, adopt=True, expected=None) if order.adopt else run
    return replace(adopted, phase=Phase.RUNNING)


def _believes_the_smoke(run: Run, kind: type, ok: bool, cause: Cause, at: float) -> Run:
    return Real.tested(run, kind, ok or kind is Smoke, cause, at)


def _stays_verified(run: Run, effect: Effect, at: float) -> Run:
    return replace(Real.intended(run, effect, at), checked=run.checked)


def _counts_twice(run: Run, stage: Stage, work: Approve) -> tuple[Approval, ...]:
    return 2 * Real.given(run, stage, work)


def _forgets_the_call(run: Run, event: e.OwnerTook, at: float) -> Run:
    return Real.taken(run, replace(event, contested=False), at)


def _hears_of_no_call(run: Run, event: auditing.Late, at: float) -> Run:
    return run if isinstance(event, e.LooseCallFound) else Real.happened(run, event, at)


def _leaves_as_it_is(run: Run, seen: Seen, guard: object, now: float, pace: float) -> e.Left:
    return Real.left(run, seen, now, pace)


def _supersedes_always(run: Run, order: e.AbortOrdered | e.Superseded, at: float) -> Run:
    if isinstance(order, e.Superseded):
        return Real.ended(run, e.AbortOrdered(order.by, keep_traffic=True), at)
    return Real.ended(run, order, at)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule left out.

    Args:
        breaks: The invariant that must be seen broken.
        patch: What stands in the rule's place.
        setup: A small world in which it shows.
    """

    breaks: str
    patch: Patch = field(default_factory=dict)
    setup: Setup = field(default_factory=lambda: Setup(ON_BLUE, budget=NO_TROUBLE))


STUCK = "5 stuck"
UNGUARDED = "5 a candidate with more users than may be left without a guard"
LEFT_ALONE = Setup(ON_BLUE, begun(CAREFUL), NO_TROUBLE, unattended=5)
AUDITED = Setup(
    ON_BLUE, begun(CAREFUL), NO_TROUBLE._replace(takeovers=1, orders=1), grace=Grace.AUDIT
)
ONE_HAND = Setup(ON_BLUE, budget=NO_TROUBLE._replace(hands=1))
ONE_FAULT = Setup(ON_BLUE, budget=NO_TROUBLE._replace(faults=1))
ONE_ORDER = Setup(ON_BLUE, budget=NO_TROUBLE._replace(orders=1))
LATE_CALL = Setup(ON_BLUE, budget=NO_TROUBLE._replace(takeovers=1, orders=1))
TIDY = begun(on_failure=OnFailure(candidate="delete"))
HALVES = ON_BLUE._replace(green=OLD_GREEN, traffic=(50, 50))


def _nothing(*_: object) -> None:
    return None


MUTANTS: Mapping[str, Mutant] = {
    "no drift check": Mutant(
        "9 goes on over a person's change", {(deciding, "_drifted"): _nothing}, ONE_HAND
    ),
    "no read-back": Mutant(
        "7 a split is recorded that was not read",
        {(entering, "_split"): _reads_nothing_back},
        ONE_FAULT,
    ),
    "captured split not checked": Mutant(
        "4 the captured split is not the one that was there",
        {(deciding, "_uncaptured"): _captures_anything},
        Setup(HALVES, budget=NO_TROUBLE),
    ),
    "a candidate by hand is overwritten": Mutant(
        "9 a deployment that is not ours, or in use, is overwritten",
        {(entering, "_replace"): _creates_over_anything},
        Setup(ON_BLUE._replace(green=BLUE), budget=NO_TROUBLE),
    ),
    "gate ignored": Mutant(EVIDENCE, {(deciding, "_passes"): lambda *_: True}),
    "inconclusive passes": Mutant(
        EVIDENCE,
        {(deciding, "_passes"): _passes_unless_it_fails, (deciding, "_unclear"): _nothing},
    ),
    "smoke result ignored": Mutant(EVIDENCE, {(advancing, "_tested"): _believes_the_smoke}),
    "approval of another plan counts": Mutant(
        EVIDENCE, {(advancing, "ordered"): _approves_any_plan}
    ),
    "approval of anybody counts": Mutant(EVIDENCE, {(approvals, "may"): lambda *_: True}),
    "one person approves twice": Mutant(
        EVIDENCE,
        {(approvals, "given"): _counts_twice},
        Setup(ON_BLUE, begun(CAREFUL), NO_TROUBLE),
    ),
    "windows ignored": Mutant(
        "3 a stage begins outside its window",
        {(windows, "waited_for"): _nothing},
        Setup(ON_BLUE, begun(CAREFUL, windows=WINDOWS), NO_TROUBLE),
    ),
    "poison is tried for ever": Mutant(
        "10 a plan that kills whoever runs it goes on",
        {(deciding, "_poisoned"): _nothing},
        Setup(ON_BLUE, begun(CAREFUL), NO_TROUBLE, crashes=2),
    ),
    "superseded behind the point of no return": Mutant(
        "6 a run behind its point of no return is superseded",
        {(ordering, "_ended"): _supersedes_always},
        ONE_ORDER,
    ),
    "share not lowered before a runner leaves": Mutant(
        UNGUARDED, {(leaving, "leaves"): _leaves_as_it_is}, LEFT_ALONE
    ),
    "left while the own write is on its way": Mutant(
        UNGUARDED, {(leaving, "_writes"): lambda *_: False}, LEFT_ALONE
    ),
    "take-over forgets the call under way": Mutant(
        "8 a late call can still change a finished endpoint",
        {(attending, "_taken"): _forgets_the_call, (auditing, "happened"): _hears_of_no_call},
        AUDITED,
    ),
    "audit without a look": Mutant(
        "8 what a late call did to a finished endpoint stays",
        {(auditing, "_unwanted"): _nothing},
        AUDITED,
    ),
    "adopted split without its stage": Mutant(
        EVIDENCE,
        {(ordering, "_resumed"): _adopts_in_passing},
        Setup(ON_BLUE, budget=NO_TROUBLE._replace(hands=1, orders=1, resumes=1)),
    ),
    "traffic to a candidate that is not ready": Mutant(
        "2 traffic for a deployment that is not ready", {(entering, "_unready"): _nothing}, ONE_HAND
    ),
    "traffic to a candidate that was exchanged": Mutant(
        "2 traffic for another candidate than the plan's",
        {(drift, "_swapped"): lambda *_: False},
        ONE_HAND,
    ),
    "more traffic than the stage has": Mutant(
        "2 the candidate has more than its stage allows", {(entering, "wanted"): _shifts_too_far}
    ),
    "mirror kept when live traffic is given": Mutant(
        "2 live and mirror on one deployment",
        {(entering, "wanted"): _keeps_the_mirror, (entering, "_split"): _mirrors_to_anybody},
    ),
    "baseline deleted without a fresh read": Mutant(
        "6 the baseline is deleted while it may be needed",
        {(entering, "_delete"): _deletes_blindly},
        ONE_HAND,
    ),
    "rollback behind the point of no return": Mutant(
        "6 a rollback behind the point of no return",
        {(decisions, "stop"): _rolls_back_always},
        ONE_FAULT,
    ),
    "abort behind the point of no return": Mutant(
        "6 the baseline is deleted in a rollback",
        {(ordering, "_given_up"): _aborts_always},
        ONE_ORDER,
    ),
    "trouble ends the run as it is": Mutant(
        "4 ended although something is to be restored", {(decisions, "stop"): _just_ends}
    ),
    "rollback leaves a candidate in creation": Mutant(
        "4 rolled back while the candidate is still moving",
        {(returning, "_settle"): _leaves_a_moving_candidate},
        ONE_ORDER,
    ),
    "rollback without verification": Mutant(
        "4 rolled back but not verified", {(returning, "_settle"): _verifies_nothing}
    ),
    "rollback written anew stays verified": Mutant(
        "4 rolled back but not verified", {(advancing, "_intended"): _stays_verified}, ONE_HAND
    ),
    "rollback restores only the live split": Mutant(
        "4 rolled back, but the endpoint is not as it was",
        {(returning, "_restore"): _restores_roughly},
    ),
    "rollback to all on the baseline, not to what was": Mutant(
        "4 a rollback to another split than the captured one",
        {(returning, "_restore"): _restores_the_baseline},
        Setup(HALVES, budget=NO_TROUBLE._replace(resumes=1)),
    ),
    "rollback to nobody": Mutant(
        "1 nobody serves a part of the traffic",
        setup=Setup(ON_BLUE, replace(_undoing("keep"), captured=Split()), NO_TROUBLE),
    ),
    "rollback to a deleted baseline tells nobody": Mutant(
        STUCK, {(returning, "_restore"): _restores_to_whom_ever}, ONE_HAND
    ),
    "rollback deletes the candidate first": Mutant(
        "6 the candidate is deleted before the rollback is shown to be back",
        {(returning, "_restore"): _tidies_up_first},
        Setup(ON_BLUE, TIDY, NO_TROUBLE),
    ),
    "rollback deletes what another run made": Mutant(
        "6 a deployment is deleted that this run did not make",
        {(returning, "_unwanted"): _deletes_whatever_is_there},
        Setup(ON_BLUE._replace(green=GREEN._replace(run="r-0")), TIDY, NO_TROUBLE),
    ),
    "completed with whatever was adopted": Mutant(
        "4 completed, but the endpoint is not as the plan ends",
        {(deciding, "_finished"): lambda run, seen: Record(e.Ended())},
        Setup(ON_BLUE, begun(MANY_KINDS), FEW_PEOPLE),
    ),
    "abort ignored during creation": Mutant(
        "5 an abort was forgotten", {(ordering, "_given_up"): _aborts_later}, ONE_ORDER
    ),
    "deadline sleeps while paused": Mutant(
        "5 a deadline that does not fire",
        {(deciding, "_late"): _sleeps_while_paused},
        Setup(ON_BLUE, budget=NO_TROUBLE._replace(orders=1, times=1)),
    ),
    "guard off while waiting": Mutant(
        "5 a candidate with users and without a guard",
        {(deciding, "_guarded"): lambda run, share, said: said},
    ),
    "guard off while held": Mutant(
        "5 a candidate with users and without a guard",
        {(deciding, "_protects"): lambda *_: False},
        ONE_HAND,
    ),
    "deadline sleeps while held": Mutant(
        "5 a deadline that does not fire",
        {(deciding, "_late"): _sleeps_while_held},
        Setup(ON_BLUE, budget=NO_TROUBLE._replace(hands=1, times=1)),
    ),
    "no grace after a take-over": Mutant(
        "8 a late call can still change a finished endpoint",
        setup=replace(LATE_CALL, grace=Grace.NONE),
    ),
    "grace for effects only": Mutant(
        "8 a late call can still change a finished endpoint",
        setup=replace(LATE_CALL, grace=Grace.FOR_EFFECTS),
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_rule_left_out_breaks_its_invariant(name: str) -> None:
    mutant = MUTANTS[name]

    report = explore(mutant.setup, mutant.patch, until=mutant.breaks)

    assert mutant.breaks in {*report.violations, STUCK if report.stuck else ""}


@pytest.mark.parametrize("name", ["no grace after a take-over", "grace for effects only"])
def test_with_the_whole_grace_the_same_world_is_safe(name: str) -> None:
    assert explore(replace(MUTANTS[name].setup, grace=Grace.FOR_ALL)).holds


# --- the table of `python -m tests.simulation.model` ---------------------------------------


def table(*, large: bool = False) -> Iterator[str]:
    """What was explored and found, a line each; a broken invariant with its shortest story."""
    yield f"{'design':48}{'states':>9}{'transitions':>13}{'violations':>12}{'stuck':>7}{'s':>7}"
    for name, setup in {**DESIGN, **(LARGE if large else {})}.items():
        yield from _line(name, setup, {})
    yield ""
    yield "mutants (until the invariant that they break is seen broken)"
    for name, mutant in MUTANTS.items():
        yield from _line(name, mutant.setup, mutant.patch, mutant.breaks)


def _line(name: str, setup: Setup, patch: Patch, until: str | None = None) -> Iterator[str]:
    began = time.perf_counter()
    report = explore(setup, patch, until=until)
    took = time.perf_counter() - began
    counts = f"{report.states:>9,}{report.transitions:>13,}{len(report.violations):>12}"
    yield f"{name:48}{counts}{report.stuck:>7,}{took:>7.1f}"
    for broken, story in report.violations.items():
        yield f"    {broken}, in {len(story)} steps: ... {' / '.join(story[-8:])}"
    if report.stuck:
        yield f"    stuck, in {len(report.trap)} steps: ... {' / '.join(report.trap[-8:])}"
