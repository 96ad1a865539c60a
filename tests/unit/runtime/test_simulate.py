"""Whole rollouts in virtual time: what each scenario comes to, and that it always comes to the same."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import reduce
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from rollout import api
from rollout.domain.criteria import Check, Gate, OnInconclusive, Probing
from rollout.domain.errors import UsageError
from rollout.domain.events import Intended, Measured
from rollout.domain.measure import Interval
from rollout.domain.plan import (
    Approve,
    Create,
    DeploymentRef,
    EndpointRef,
    Expect,
    Mirror,
    Plan,
    Shift,
    Smoke,
    Stage,
    Wait,
)
from rollout.domain.units import Allowance
from rollout.domain.verdict import Verdict
from rollout.runtime.simulation import summary
from rollout.runtime.simulation.recording import Recording, read_recording, recorded
from rollout.runtime.simulation.saying import Metric, Topics
from rollout.runtime.simulation.scenarios import SCENARIOS
from rollout.runtime.simulation.traffic import Climate, Drawn, Shares
from rollout.runtime.simulation.trial import left_out, prepare, run_trial
from rollout.stats.betting import UNIT

SAMPLE = Path(__file__).resolve().parents[3] / "plans/safe-rollout.yaml"
ERRORS = Check("error_rate", tolerance=Allowance(points=0.005), margin=Allowance(points=0.03))
CANARY = Gate("canary", (ERRORS,), 10.0, 300.0, 50, 0.0)


@pytest.fixture(scope="module")
def sample():
    return api.read_plan(SAMPLE)


def make(*stages, gate=CANARY, **changes):
    plan = Plan(
        "small",
        EndpointRef("local", "churn"),
        DeploymentRef("blue"),
        DeploymentRef("green"),
        stages or (Stage("create", Create("candidate")), Stage("ten", Shift(10), "canary")),
        gates={"canary": gate},
        requests=(b"{}",),
    )
    return replace(plan, **changes)


def trials(plan, name, count=1, **more):
    climate = Climate(rps=SCENARIOS[name].rps or 100.0)
    setup = prepare(plan, SCENARIOS[name], climate, **more)
    return [run_trial(setup, number)[0] for number in range(count)]


def trial(plan, name="healthy", **more):
    return trials(plan, name, **more)[0]


# --- the sample plan -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "outcome", "code", "stage"),
    [
        ("healthy", "completed", 0, ""),
        ("errors", "rolled_back", 10, "mirror-10"),
        ("slow", "completed", 0, ""),  # 50 % is within the sample's tolerance
        ("crash", "rolled_back", 10, "mirror-10"),
        ("crash-at-load", "rolled_back", 10, "smoke-candidate"),
        ("cold-start", "rolled_back", 10, "shift-10"),
        ("late", "rolled_back", 10, "shift-100"),
        ("quiet", "inconclusive", 12, "mirror-10"),
        ("metrics-outage", "inconclusive", 12, "mirror-10"),
        ("shared-outage", "inconclusive", 12, "mirror-10"),
    ],
)
def test_what_a_scenario_comes_to_with_the_sample_plan(sample, name, outcome, code, stage):
    for found in trials(sample, name, 3):
        assert (found.outcome, found.code, found.stage) == (outcome, code, stage)


def test_what_the_mirror_stage_catches_reaches_no_user(sample):
    for name in ("errors", "crash"):
        for found in trials(sample, name, 5):
            assert (found.exposure.requests, found.exposure.errors) == (0, 0)


def test_a_late_regression_hits_users_until_it_is_found(sample):
    found = trial(sample, "late")

    assert 0 < found.exposure.errors < found.exposure.requests


def test_an_outage_of_the_metrics_is_held_and_passes_nothing(sample):
    found = trial(sample, "metrics-outage")

    assert (found.why, [each.verdict for each in found.said]) == (
        "no_measurements", [Verdict.ERROR]
    )  # fmt: skip
    assert 120 < found.seconds < 150  # 40 seconds after the mirror was there


def test_relative_checks_are_silent_about_an_outage_that_both_share(sample):
    for found in trials(sample, "shared-outage", 5):
        assert Verdict.FAIL not in [each.verdict for each in found.said]


def test_an_objective_sees_what_both_share(sample):
    found = trial(sample, "shared-outage", onset="shift-10")

    assert (found.outcome, found.said[-1].why) == ("rolled_back", "error_rate at most 5 %")
    assert found.said[-1].alone


def test_a_quiet_endpoint_is_inconclusive_for_want_of_data(sample):
    found = trial(sample, "quiet")

    assert found.said[-1].verdict is Verdict.INCONCLUSIVE
    assert found.said[-1].why in ("no_data", "not_enough_traffic")


# --- always the same -----------------------------------------------------------------


def test_the_same_seed_and_number_give_the_same_rollout_bit_for_bit(sample):
    setup = prepare(sample, SCENARIOS["tail"], Climate(), seed=7)

    one, other = run_trial(setup, 3), run_trial(setup, 3)
    after_others = [run_trial(setup, number) for number in (0, 3)][1]

    assert one == other == after_others
    assert one[1]


def test_another_seed_or_number_gives_another_rollout(sample):
    found = {
        run_trial(prepare(sample, SCENARIOS["healthy"], Climate(), seed=seed), number)[0].seconds
        for seed in (1, 2)
        for number in (0, 1)
    }

    assert len(found) == 4


def test_jobs_change_nothing(sample):
    wish = api.Wish(scenario="errors")

    alone = api.simulate(SAMPLE, wish=wish, runs=24, jobs=1)
    shared = api.simulate(SAMPLE, wish=wish, runs=24, jobs=2)

    assert alone == shared
    assert len(shared.trials) == 24


def test_one_of_many_can_be_looked_at(sample):
    wish = api.Wish(scenario="errors", seed=4)

    many = api.simulate(SAMPLE, wish=wish, runs=3)
    one = api.simulate(SAMPLE, wish=wish, pick=2)

    assert one.trials[0] == many.trials[2]
    assert one.story[-1].state.final


def test_a_setup_can_go_to_another_process(sample):
    setup = prepare(sample, SCENARIOS["healthy"], Climate())

    assert pickle.loads(pickle.dumps(setup)) == setup  # noqa: S301 - our own


@pytest.mark.parametrize(
    ("name", "seed"), [("healthy", 1), ("healthy", 2), ("errors", 1), ("slow", 1)]
)
def test_the_same_traffic_in_coarse_steps_is_judged_the_same_and_as_soon(name, seed):
    checks = (
        Check("error_rate", tolerance=Allowance(points=0.001), margin=Allowance(points=0.02)),
        Check("latency", quantile=0.95, tolerance=Allowance(1.1), margin=Allowance(1.3)),
    )
    plan = make(gate=Gate("canary", checks, 120.0, 3000.0, 100, 60.0))
    every = measured_each_second(name, seed, 1500)

    fine, coarse = (
        trial_of(plan, Recording("", tuple(each))) for each in (every, ever_coarser(every))
    )

    assert not fine.over
    assert (coarse.outcome, coarse.said[0].why) == (fine.outcome, fine.said[0].why)
    assert coarse.seconds == pytest.approx(fine.seconds, abs=11.0, rel=0.05)


def ever_coarser(every):
    """The same intervals, put together as the simulation of drawn traffic does."""
    source = Drawn(Climate(), SCENARIOS["healthy"], Random(1), 10.0)  # noqa: S311
    found, at = [], 0
    while at < len(every):
        size = round(source.wait(float(at), guard=False))
        found.append(reduce(Interval.plus, every[at : at + size]))
        at += size
    return found


def measured_each_second(name, seed, seconds):
    source = Drawn(Climate(rps=30.0), SCENARIOS[name], Random(seed), 1.0)  # noqa: S311
    source.trouble(0.0)
    found = []
    for at in range(seconds):
        source.flow(float(at), at + 1.0, Shares(live=0.1))
        found.append(source.taken(float(at), at + 1.0, histogram=at % 2 == 1))
    return found


def test_long_gates_are_looked_at_less_often():
    gate = Gate("canary", (ERRORS,), 1200.0, 7200.0, 50, 0.0)

    counts = {}
    for coarsest in (1.0, 10.0):
        setup = prepare(make(gate=gate), SCENARIOS["healthy"], Climate(rps=5.0), coarsest=coarsest)
        counts[coarsest] = len(intervals(run_trial(setup, 0)[1]))

    assert counts[1.0] > 1150
    assert counts[10.0] < 350


def test_time_leaps_over_what_nothing_can_change():
    plan = make(
        Stage("create", Create("candidate")),
        Stage("mirror", Mirror(10)),
        Stage("wait", Wait(30 * 86400.0)),
    )

    found, story = run_trial(prepare(plan, SCENARIOS["healthy"], Climate()), 0)

    assert found.seconds == pytest.approx(30 * 86400.0 + 61.0, abs=5.0)
    assert len(story) < 20


# --- people, stages, durations -----------------------------------------------------------


ASKING = (
    Stage("create", Create("candidate")),
    Stage("ten", Shift(10), "canary"),
    Stage("ask", Approve(by=("ada",))),
    Stage("all", Shift(100)),
)


@pytest.mark.parametrize(
    ("consent", "changes", "outcome", "code"),
    [
        ("yes", {}, "completed", 0),
        ("no", {}, "aborted", 14),
        ("never", {}, "waiting_approval", 0),
        ("never", {"deadline": 1800.0}, "deadline", 15),
    ],
)
def test_people_answer_as_they_are_told_to(consent, changes, outcome, code):
    found = trial(make(*ASKING, **changes), consent=consent)

    assert (found.outcome, found.code) == (outcome, code)


def test_an_approval_that_expires_ends_the_rollout():
    asking = (*ASKING[:2], Stage("ask", Approve(expires=600.0)), ASKING[3])

    found = trial(make(*asking), consent="never")

    assert (found.outcome, found.code, found.why) == ("deadline", 15, "approval_expired")


def test_orders_take_as_long_as_stated_and_never_longer_than_a_stage_allows():
    _, usual = run_trial(prepare(make(), SCENARIOS["healthy"], Climate()), 0)
    hasty = make(Stage("create", Create("candidate"), timeout=20.0), Stage("ten", Shift(10)))
    found, story = run_trial(prepare(hasty, SCENARIOS["healthy"], Climate()), 0)

    assert created(usual) == 60.0
    assert (created(story), found.outcome) == (10.0, "completed")


def created(story):
    began = next(each.at for each in story if isinstance(each.event, Intended))
    return story[-1].state.done[0].ended - began


def test_a_smoke_test_gets_the_answer_that_it_expects():
    expect = Expect(status=201, json_path="$.scores[2].value", json_type="integer")
    plan = make(Stage("create", Create("candidate")), Stage("smoke", Smoke("candidate", 3, expect)))

    assert trial(plan).outcome == "completed"
    assert trial(plan, "crash-at-load").why == "smoke_failed"


def test_a_scenario_can_begin_with_another_stage(sample):
    found = trial(sample, "crash", onset="shift-10")

    assert (found.stage, found.said[0].verdict) == ("shift-10", Verdict.PASS)
    assert 0 < found.exposure.errors < 60


def test_a_guard_that_fails_is_among_the_words():
    plan = make(*ASKING[:2], Stage("wait", Wait(3600.0)), ASKING[3])

    found = trial(plan, "crash", onset="wait")

    assert (found.stage, found.said[-1].gate) == ("wait", "guard")
    assert summary.decided(found) == "the guard: fail (error rate)"


AGREEMENT = Check("response_agreement", maximum=0.02)
POINTS = {"tolerance": Allowance(points=0.01), "margin": Allowance(points=0.1)}
FACTORS = {"tolerance": Allowance(1.01), "margin": Allowance(1.12)}
DRIFT = Check("prediction_drift", **POINTS)
SURE = Check("sure", kind="ratio")
TOKENS = Check("tokens", kind="mean")
SCORE = Check("score", kind="mean", low=-10.0, high=400.0)
SAYING = (
    DRIFT,
    replace(SURE, **POINTS),
    replace(SURE, **POINTS, better="higher"),
    replace(SURE, maximum=0.3),
    replace(SURE, minimum=0.8),
    replace(TOKENS, **FACTORS),
    replace(TOKENS, **FACTORS, better="higher"),
    replace(TOKENS, maximum=700.0),
    replace(TOKENS, minimum=-50.0),
    replace(SCORE, **FACTORS),
    replace(SCORE, **FACTORS, better="higher"),
    replace(SCORE, maximum=90.0),
    replace(SCORE, minimum=300.0),
)


def spelt(check):
    return f"{check.name} {check.better} {check.maximum} {check.minimum}"


def hearing(check, work=None, **changes):
    gate = Gate("canary", (check,), 10.0, 3600.0, 50, 0.0)
    stages = (Stage("create", Create("candidate")), Stage("ten", work or Shift(10), "canary"))
    return make(*stages, gate=gate, **changes)


@pytest.mark.parametrize("check", SAYING, ids=spelt)
def test_checks_of_what_is_answered_tell_a_drifted_candidate_from_a_healthy_one(check):
    large = replace(SCENARIOS["drift"], drifted=0.45)
    plan = hearing(check)

    assert trial(plan).outcome == "completed"
    setup = prepare(plan, large, Climate(rps=100.0))
    found, _ = run_trial(setup, 0)
    assert (found.outcome, found.stage) == ("rolled_back", "ten")


@pytest.mark.parametrize(
    "checks",
    [
        (replace(SURE, minimum=0.9), replace(SURE, **POINTS, better="higher")),
        (replace(SCORE, maximum=250.0), replace(SCORE, minimum=150.0)),
        (replace(TOKENS, maximum=-50.0), replace(TOKENS, minimum=-100.0)),
    ],
    ids=["share", "bounded", "negative"],
)
def test_a_baseline_meets_every_objective_of_a_metric(checks):
    gate = Gate("canary", checks, 10.0, 3600.0, 50, 0.0)
    plan = make(gate=gate)

    assert trial(plan).outcome == "completed"
    setup = prepare(plan, replace(SCENARIOS["drift"], drifted=0.6), Climate(rps=100.0))
    assert run_trial(setup, 0)[0].outcome == "rolled_back"


@pytest.mark.parametrize(
    "plan",
    [
        hearing(AGREEMENT, Mirror(10)),
        hearing(AGREEMENT, compare=Probing(5.0)),
        hearing(AGREEMENT, compare=Probing(5.0, noise=True)),
        hearing(AGREEMENT, Mirror(10), compare=Probing(5.0, noise=True)),
    ],
    ids=["mirrored", "probed", "probed twice", "only those asked twice"],
)
def test_agreement_tells_a_differing_candidate_from_one_that_is_not(plan):
    assert trial(plan).outcome == "completed"
    for name in ("differing", "crash"):
        assert trial(plan, name).outcome == "rolled_back"
    assert trial(plan, "drift").outcome == "completed", "other requests, the same answers"


def test_a_second_answer_of_the_baseline_leaves_the_candidate_alone_with_its_differences():
    twice = Topics(comparisons=("",), noise=True)

    found = twice.agreement(Random(1), 500, SCENARIOS["differing"])[""]  # noqa: S311 - traffic

    assert (found.noisy, found.only_noise) == (0, 0)
    assert found.only_candidate == found.differing > 0


def test_where_no_answer_is_compared_a_check_on_agreement_never_passes():
    live = hearing(AGREEMENT)
    azure = hearing(AGREEMENT, Mirror(10), endpoint=EndpointRef("azureml", "churn"))

    for plan in (live, azure):
        assert trial(plan).outcome == "inconclusive"


def test_what_a_recording_does_not_have_is_left_out_and_named(sample):
    plan = make(gate=replace(CANARY, checks=(ERRORS, AGREEMENT, replace(SURE, minimum=0.9))))
    setup = prepare(plan, SCENARIOS["healthy"], Climate(rps=100.0))
    lines = list(recorded(intervals(run_trial(setup, 0)[1]), "blue", "green"))
    world = recording(lines)

    assert left_out(plan, SCENARIOS["healthy"]) == ()
    assert left_out(plan, world) == ("canary: response_agreement", "canary: sure")
    assert run_trial(prepare(plan, world, Climate()), 0)[0].outcome == "completed"


def test_a_gate_without_any_check_left_never_passes():
    plan = hearing(AGREEMENT, Mirror(10))
    lines = list(
        recorded(
            intervals(run_trial(prepare(plan, SCENARIOS["healthy"], Climate()), 0)[1]),
            "blue",
            "green",
        )
    )

    assert run_trial(prepare(plan, recording(lines), Climate()), 0)[0].outcome == "inconclusive"


@pytest.mark.parametrize("check", SAYING, ids=spelt)
def test_simulated_values_have_the_moments_of_values(check):
    topics = Topics(predictions=("",), customs=(Metric.of([check]),))
    random = Random(1)  # noqa: S311 - traffic, not secrets

    for count in (0, 1, 7, 1000):
        made = topics.sums(random, count, SCENARIOS["drift"])[check.metric]
        assert made.count == count
        if check.kind == "ratio":
            assert 0 <= made.total <= count
        else:
            assert made.squares * max(1, count) >= made.total**2 * (1 - 1e-9)
        if check.low is not None:
            assert sum(made.tally.values()) == count * UNIT
        classes = topics.outputs(random, count, SCENARIOS["drift"])
        assert sum(classes.get("", {}).values()) == count


def test_what_is_inconclusive_may_be_rolled_back():
    gate = replace(CANARY, on_inconclusive=OnInconclusive(then="rollback"))

    assert trial(make(gate=gate), "quiet").code == 10


# --- recordings ----------------------------------------------------------------------


def intervals(story):
    return [
        each
        for entry in story
        if isinstance(entry.event, Measured)
        for each in entry.event.intervals
    ]


def recording(lines):
    return read_recording(lines, "r.jsonl", baseline="blue", candidate="green")


@pytest.mark.parametrize("name", ["healthy", "errors", "late"])
def test_a_recorded_rollout_replays_to_the_same_verdicts(sample, name):
    setup = prepare(sample, SCENARIOS[name], Climate(rps=100.0))
    found, story = run_trial(setup, 0)
    lines = list(recorded(intervals(story), "blue", "green"))

    again, _ = run_trial(prepare(sample, recording(lines), Climate()), 0)

    assert (again.outcome, again.stage) == (found.outcome, found.stage)
    for mine, theirs in zip(again.said, found.said, strict=True):
        assert (mine.stage, mine.verdict, mine.why) == (theirs.stage, theirs.verdict, theirs.why)
        assert mine.seconds == pytest.approx(theirs.seconds, abs=3.0)
    assert not again.over


@pytest.mark.parametrize("part", [0.1, 0.4, 0.8])
def test_a_recording_that_is_too_short_passes_nothing_more(sample, part):
    setup = prepare(sample, SCENARIOS["healthy"], Climate(rps=100.0))
    lines = list(recorded(intervals(run_trial(setup, 0)[1]), "blue", "green"))
    short = recording(lines[: 2 * int(part * len(lines) / 2)])

    found, _ = run_trial(prepare(sample, short, Climate()), 0)

    assert (found.outcome, found.code, found.why) == ("inconclusive", 12, "no_measurements")
    assert found.over
    assert found.said[-1].verdict is Verdict.ERROR


def test_intervals_of_minutes_are_no_silence():
    def lines():
        random = Random(1)  # noqa: S311
        for at in range(0, 3600, 600):
            for name in ("blue", "green"):
                yield (
                    f'{{"start": {at}, "seconds": 600, "deployment": "{name}", '
                    f'"requests": {random.randint(900, 1100)}, "errors": 2}}'
                )

    gate = replace(CANARY, max_duration=7200.0)
    found = trial_of(make(gate=gate), recording(list(lines())))

    assert (found.outcome, found.over) == ("completed", False)


def trial_of(plan, world):
    return run_trial(prepare(plan, world, Climate()), 0)[0]


# --- the numbers ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (1, 1000, 0.0002, 0.0056),
    ],
)
def test_a_share_has_wilson_s_interval(count, of, low, high):
    found = summary.wilson(count, of)

    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def test_endings_and_places_add_up(sample):
    found = trials(sample, "tail", 6)

    assert sum(each.share.count for each in summary.endings(found)) == 6
    short = [each for each in found if each.outcome != "completed"]
    assert sum(each.count for each in summary.places(found)) == len(short)
    assert summary.gates(found)[0].stage == "mirror-10"


def test_only_rollbacks_have_a_toll(sample):
    assert summary.toll(trials(sample, "quiet", 2)) is None
    cost = summary.toll(trials(sample, "late", 3))
    assert cost.requests <= cost.most_requests


# --- from Python ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "runs", "told"),
    [
        (api.Wish(scenario="nonsense"), 1, "There is no scenario 'nonsense', and no file"),
        (api.Wish(onset="nowhere"), 1, "no stage 'nowhere'"),
        (api.Wish(scenario="crash", effect="1pp"), 1, "crash has no size"),
        (api.Wish(traffic="wild"), 1, "traffic is 'wild'. Say one of drifting, steady."),
        (api.Wish(consent="maybe"), 1, "consent is 'maybe'. Say one of yes, no, never."),
        (api.Wish(rps=0.0), 1, "rps is 0.0."),
        (api.Wish(error_rate=1.5), 1, "error_rate is 1.5. Give it a value from 0 to 1."),
        (api.Wish(latency=float("nan")), 1, "latency is nan."),
        (api.Wish(), 0, "runs is 0."),
    ],
)
def test_a_wish_that_cannot_be_granted_says_why(wish, runs, told):
    with pytest.raises(UsageError, match=told):
        api.simulate(SAMPLE, wish=wish, runs=runs)


def test_what_was_recorded_takes_no_options_and_no_repetition(tmp_path):
    file = tmp_path / "r.jsonl"
    file.write_text("")

    with pytest.raises(UsageError, match="--rps and --latency cannot change"):
        api.simulate(SAMPLE, wish=api.Wish(scenario=str(file), rps=5.0, latency=0.1))
    with pytest.raises(api.PlanInvalid):
        api.simulate(SAMPLE, wish=api.Wish(scenario=str(file)), runs=5)


def test_a_simulation_stops_when_it_is_asked_to():
    counted: list[int] = []

    found = api.simulate(SAMPLE, runs=50, told=counted.append, stopping=lambda: len(counted) >= 3)

    assert [each.number for each in found.trials] == [0, 1, 2]
    assert (found.asked, counted) == (50, [1, 2, 3])


def test_virtual_time_never_goes_back(sample):
    _, story = run_trial(prepare(sample, SCENARIOS["healthy"], Climate()), 0)

    assert all(before.at <= after.at for before, after in pairwise(story))


def test_a_check_of_the_split_finds_a_model_s_as_planned():
    share = Check("requests", tolerance=Allowance(points=0.01))
    plan = make(gate=replace(CANARY, checks=(ERRORS, share)))

    assert [each.outcome for each in trials(plan, "healthy", 3)] == ["completed"] * 3
