"""Evidence over stages: what starts anew, what goes on, and what is frozen."""

import math
from dataclasses import replace
from itertools import islice

import pytest

from rollout.domain.criteria import Check, Gate
from rollout.domain.plan import Approve, Create, Delete, Mirror, Preflight, Shift, Stage, Wait
from rollout.domain.units import Allowance
from rollout.domain.verdict import Verdict
from rollout.gates.judge import enter, fresh, ingest, judge
from rollout.gates.rules import DEFAULT_CHECK, compile_rules
from tests.unit.gates.traffic import (
    ERRORS,
    ERRORS_MAX,
    SLOW,
    errors,
    feed,
    interval,
    plan,
    rules,
)

TWO = (Stage("shift-10", Shift(10), "canary"), Stage("shift-50", Shift(50), "canary"))
BAKE = Gate("bake", (ERRORS_MAX,))
SHADOW = Gate("shadow", (SLOW,))


def clean(seconds, start=0.0):
    return [interval(start + at, (0, 5), (0, 45)) for at in range(seconds)]


def later(intervals, seconds):
    return [replace(one, start=one.start + seconds, end=one.end + seconds) for one in intervals]


def test_a_pass_does_not_carry_over():
    rule = rules(stages=TWO)
    passed = feed(rule, clean(300))

    second = feed(rule, clean(1, start=300), enter(rule, passed, 1))
    judged = judge(rule, second)

    assert judge(rule, passed).verdict is Verdict.PASS
    assert judged.verdict is Verdict.RUNNING
    assert judged.checks[0].toward_pass < 0.1
    assert judged.checks[0].candidate_requests == 5
    assert judged.observed_seconds == 1.0


def test_evidence_against_the_candidate_carries_over():
    rule = rules(stages=TWO)
    suspicious = feed(rule, [interval(0, (2, 5), (0, 45))])

    entered = enter(rule, suspicious, 1)
    again = feed(rule, [interval(1, (2, 5), (0, 45))], entered)
    alone = feed(rule, [interval(1, (2, 5), (0, 45))], enter(rule, fresh(), 1))

    assert judge(rule, entered).evidence == pytest.approx(judge(rule, suspicious).evidence)
    assert judge(rule, again).evidence > 2 * judge(rule, alone).evidence


def test_a_late_regression_is_found_although_the_start_was_good():
    """Without a process of the stage, healthy evidence would be a debt: gates.md 3.8."""
    early = list(islice(errors(1, base=0.005, bad=0.005, seconds=5), 360))
    bad = later(islice(errors(2, base=0.005, bad=0.02, seconds=5), 720), 1800)

    def needed(stages, index):
        rule = rules(stages=stages)
        evidence = feed(rule, early)
        evidence = enter(rule, evidence, index)
        for count, one in enumerate(bad):
            evidence = ingest(rule, evidence, one)
            if judge(rule, evidence).verdict is Verdict.FAIL:
                return count * 5
        raise AssertionError("never found")

    assert needed(TWO, 1) < 300
    assert needed(TWO, 1) < needed(TWO[:1], 0)


def test_trying_a_stage_again_buys_no_new_chance_of_a_false_rollback():
    rule = rules()
    first = feed(rule, [interval(0, (2, 5), (0, 45))])

    again = enter(rule, first, 0)
    judged = judge(rule, again)

    assert again["tracks"] == first["tracks"]
    assert judged.evidence == judge(rule, first).evidence
    assert judged.checks[0].candidate_requests == 0
    assert judged.observed_seconds == 0.0


def test_coming_back_to_a_stage_goes_on_where_its_evidence_was_frozen():
    rule = rules(stages=TWO)
    first = feed(rule, [interval(0, (2, 5), (0, 45))])
    away = enter(rule, first, 1)

    back = enter(rule, away, 0)
    worse = feed(rule, [interval(9, (1, 5), (0, 45))], back)

    assert judge(rule, back).evidence == judge(rule, away).evidence
    assert judge(rule, worse).evidence > judge(rule, back).evidence
    assert len(back["tracks"]) == 1


def test_one_half_comes_from_the_start_and_one_half_from_the_planned_stages():
    """E = (start + mean over stages) / 2; with four planned stages three are worth 1."""
    four = tuple(Stage(f"s{at}", Shift(10 + at), "canary") for at in range(4))
    one = feed(rules(), [interval(0, (3, 5), (0, 45))])
    alone = judge(rules(), one).evidence

    rule = rules(stages=four)
    judged = judge(rule, feed(rule, [interval(0, (3, 5), (0, 45))]))

    assert judged.evidence == pytest.approx(alone / 2 + (alone + 3) / 8)


def test_checks_share_the_evidence_equally():
    rule = rules(ERRORS, SLOW, ERRORS_MAX)
    alone = judge(rules(), feed(rules(), [interval(0, (3, 5), (0, 45))])).evidence
    slo = rules(ERRORS_MAX)
    objective = judge(slo, feed(slo, [interval(0, (3, 5), (0, 45))])).evidence

    judged = judge(rule, feed(rule, [interval(0, (3, 5), (0, 45))]))

    assert judged.evidence == pytest.approx((alone + 1 + objective) / 3)
    assert judged.checks[0].toward_rollback == pytest.approx(math.log(alone) / math.log(300))


def test_the_same_failing_side_in_two_gates_is_one_process():
    narrow = Check("error_rate", tolerance=ERRORS.tolerance, margin=Allowance(points=0.003))
    p99 = Check("latency", 0.99, tolerance=SLOW.tolerance, margin=SLOW.margin)
    stages = (*TWO, Stage("shift-100", Shift(100), "bake"))
    bake = Gate("bake", (narrow, p99))

    rule = compile_rules(plan(ERRORS, SLOW, stages=stages, gates={"bake": bake}))

    assert sorted(rule.planned.values()) == [3, 3]
    assert rule.weight == 0.5


def test_a_quantile_of_ones_own_joins_the_mixture():
    rule = rules(Check("latency", 0.75, tolerance=SLOW.tolerance, margin=SLOW.margin))

    (side,) = rule.stages[0].failing.values()

    assert side.quantiles == (0.5, 0.75, 0.9, 0.95, 0.99)


def test_a_gate_that_no_stage_uses_costs_no_power():
    rule = compile_rules(plan(ERRORS, gates={"unused": BAKE}))

    assert list(rule.planned.values()) == [1]


GUARDED = (
    Stage("preflight", Preflight()),
    Stage("mirror", Mirror(10), "shadow"),
    Stage("pause", Wait(60)),
    Stage("shift-10", Shift(10), "canary"),
    Stage("approve", Approve()),
    Stage("shift-50", Shift(50)),
    Stage("shift-100", Shift(100), "bake"),
    Stage("delete", Delete("baseline")),
)


def test_a_guard_has_the_checks_of_the_nearest_live_gate():
    rule = compile_rules(plan(ERRORS, stages=GUARDED, gates={"shadow": SHADOW, "bake": BAKE}))

    watched = {
        stage.id: (stage.name, [check.check for check in stage.checks]) for stage in rule.stages
    }

    assert watched == {
        "preflight": ("guard", []),
        "mirror": ("shadow", [SLOW]),
        "pause": ("guard", [ERRORS]),  # the mirror's gate is not about live traffic
        "shift-10": ("canary", [ERRORS]),
        "approve": ("guard", [ERRORS]),
        "shift-50": ("guard", [ERRORS]),
        "shift-100": ("bake", [ERRORS_MAX]),
        "delete": ("guard", [ERRORS_MAX]),
    }
    assert sorted(rule.planned.values()) == [1, 2, 4]


def test_a_plan_without_gates_is_guarded_by_default():
    stages = (Stage("create", Create("candidate")), Stage("shift-100", Shift(100)))

    rule = compile_rules(plan(stages=stages))

    assert rule.stages[0].checks == ()
    assert [check.check for check in rule.stages[1].checks] == [DEFAULT_CHECK]


def test_a_guard_fails_or_runs_and_nothing_else():
    rule = compile_rules(plan(ERRORS, stages=GUARDED, gates={"shadow": SHADOW, "bake": BAKE}))
    entered = enter(rule, fresh(), 4)

    healthy = feed(rule, clean(20_000)[::20], entered)
    bad = feed(rule, [interval(0, (9, 10), (0, 90)), interval(1, (9, 10), (0, 90))], entered)

    assert judge(rule, entered).gate == "guard"
    assert judge(rule, healthy).verdict is Verdict.RUNNING
    assert judge(rule, healthy).checks[0].verdict is Verdict.RUNNING
    assert judge(rule, healthy).checks[0].toward_pass == 0.0
    assert judge(rule, healthy).remaining_seconds is None
    assert judge(rule, bad).verdict is Verdict.FAIL
    assert judge(rule, healthy, source_errors=4).verdict is Verdict.ERROR


def test_a_check_rests_in_stages_that_do_not_use_it():
    rule = compile_rules(plan(ERRORS, stages=GUARDED, gates={"shadow": SHADOW, "bake": BAKE}))
    bad = [interval(0, (3, 5), (0, 45))]
    seen = feed(rule, bad, enter(rule, fresh(), 3))

    bake = feed(rule, [interval(1, (0, 5), (45, 45))], enter(rule, seen, 6))
    back = enter(rule, bake, 3)

    (key,) = rule.stages[3].failing
    assert (
        bake["tracks"][key]["log_e"] == back["tracks"][key]["log_e"] == seen["tracks"][key]["log_e"]
    )
    assert bake["tracks"][key]["baseline"] == [45, 0]


def test_a_failure_in_an_earlier_stage_is_named_in_a_later_one():
    rule = compile_rules(plan(ERRORS, stages=GUARDED, gates={"shadow": SHADOW, "bake": BAKE}))
    bad = feed(rule, [interval(0, (20, 20), (0, 180))], enter(rule, fresh(), 3))

    judged = judge(rule, enter(rule, bad, 6))

    assert judged.verdict is Verdict.FAIL
    assert "failed in stage shift-10" in judged.reason


def test_a_failure_is_still_explained_when_its_stage_is_tried_again():
    rule = rules()
    failed = feed(rule, [interval(0, (10, 10), (0, 90))])

    judged = judge(rule, enter(rule, failed, 0))

    assert judged.verdict is Verdict.FAIL
    assert "over the whole rollout: baseline 0 of 90 (0 %), candidate 10 of 10" in judged.reason


def test_where_there_is_nothing_to_watch_nothing_happens():
    rule = compile_rules(plan(ERRORS, stages=GUARDED, gates={"shadow": SHADOW, "bake": BAKE}))

    judged = judge(rule, feed(rule, [interval(0, (9, 9), (0, 90))], enter(rule, fresh(), 0)))

    assert judged.verdict is Verdict.RUNNING
    assert judged.checks == ()
    assert judged.evidence == pytest.approx(1.0)
