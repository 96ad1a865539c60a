"""Checks on what deployments say: agreement, predictions, custom metrics, and the split itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random

import pytest

from rollout.domain.answers import Said
from rollout.domain.criteria import Check, Custom, Gate
from rollout.domain.measure import Agreement, Arm, Interval
from rollout.domain.plan import DeploymentRef, EndpointRef, Mirror, Plan, Shift, Stage
from rollout.domain.units import Allowance
from rollout.domain.verdict import Judgement, Verdict
from rollout.gates.answers import outputs_of, sums_of
from rollout.gates.judge import enter, fresh, ingest, judge
from rollout.gates.rules import Rules, compile_rules

ERRORS = Check("error_rate", tolerance=Allowance(points=0.005), margin=Allowance(points=0.03))
PAIRS = Check("response_agreement", maximum=0.02)
DRIFT = Check("prediction_drift", tolerance=Allowance(points=0.03), margin=Allowance(points=0.12))
SPLIT = Check("requests")

Make = Callable[[float, Random], Interval]


def rules_of(*checks: Check, work: object = None, **gate: object) -> Rules:
    made = Gate(
        "canary", checks, min_duration=10.0, max_duration=600.0, min_requests=50, warm_up=0.0
    )
    plan = Plan(
        "p",
        EndpointRef("fake", "e"),
        DeploymentRef("blue"),
        DeploymentRef("green"),
        (Stage("stage", work or Shift(10), "canary"),),  # type: ignore[arg-type]
        gates={"canary": replace(made, **gate)},  # type: ignore[arg-type]
    )
    return compile_rules(plan)


def judged(rules: Rules, make: Make, seconds: int = 600, seed: int = 1) -> Judgement:
    """The first verdict, or the last word; evidence goes through JSON at each step."""
    random = Random(seed)  # noqa: S311 - traffic, not secrets
    evidence = enter(rules, fresh(), 0)
    for at in range(seconds):
        evidence = ingest(rules, evidence, make(float(at), random))
        assert json.loads(json.dumps(evidence)) == evidence
        said = judge(rules, evidence)
        if said.verdict is not Verdict.RUNNING:
            return said
    return judge(rules, evidence)


def arm(requests: int, said: Iterable[Said] = (), custom: Custom | None = None) -> Arm:
    labels = Counter(label for each in said if (label := outputs_of(each, "")))
    sums = {custom.name: sums_of(said, custom)} if custom else {}
    return Arm(requests, 0, outputs={"": dict(labels)} if labels else {}, sums=sums)


def pairs(rate: float, *, noise: float | None = None) -> Make:
    """Ten pairs a second, of which a share differs; with noise the baseline differs from itself."""

    def make(at: float, random: Random) -> Interval:
        differ = [random.random() < rate for _ in range(10)]
        twin = [random.random() < (noise or 0.0) for _ in range(10)]
        only = sum(ours and not theirs for ours, theirs in zip(differ, twin, strict=True))
        back = sum(theirs and not ours for ours, theirs in zip(differ, twin, strict=True))
        count = sum(differ) if noise is None else only
        found = Agreement(
            compared=10,
            differing=sum(differ),
            noisy=None if noise is None else sum(twin),
            only_candidate=0 if noise is None else only,
            only_noise=0 if noise is None else back,
            fields={"$.score": count} if count else {},
            field_noise={"$.score": back} if back and noise is not None else {},
        )
        arms = {"baseline": Arm(100), "candidate": Arm(10)}
        return Interval(at, at + 1, arms, {"": found})

    return make


def test_answers_that_differ_too_often_fail_and_the_field_is_named() -> None:
    said = judged(rules_of(PAIRS, work=Mirror(10)), pairs(0.2))

    assert said.verdict is Verdict.FAIL
    assert "answers differ; mostly '$.score'" in said.reason
    assert "the maximum of 2 %" in said.reason
    assert said.observed_seconds < 30


def test_answers_that_agree_pass() -> None:
    said = judged(rules_of(PAIRS, work=Mirror(10)), pairs(0.0))

    assert said.verdict is Verdict.PASS


def test_differences_that_the_baseline_has_with_itself_are_no_disagreement() -> None:
    noisy = judged(rules_of(PAIRS, work=Mirror(10)), pairs(0.3, noise=0.3))
    worse = judged(rules_of(PAIRS, work=Mirror(10)), pairs(0.5, noise=0.3))

    assert noisy.verdict is not Verdict.FAIL
    assert worse.verdict is Verdict.FAIL
    assert "the baseline's own second answers" in worse.reason


def test_without_compared_answers_there_is_no_pass() -> None:
    said = judged(
        rules_of(PAIRS, work=Mirror(10)),
        lambda at, _: Interval(at, at + 1, {"baseline": Arm(100), "candidate": Arm(10)}),
    )

    assert (said.verdict, said.cause) == (Verdict.INCONCLUSIVE, "no_data")


def numbers(shift: float) -> Make:
    def make(at: float, random: Random) -> Interval:
        def said(count: int, more: float) -> list[Said]:
            return [Said(200, str(random.gauss(100 + more, 20)).encode()) for _ in range(count)]

        arms = {"baseline": arm(90, said(90, 0.0)), "candidate": arm(10, said(10, shift))}
        return Interval(at, at + 1, arms)

    return make


def test_predictions_that_moved_fail() -> None:
    said = judged(rules_of(DRIFT), numbers(30.0))

    assert said.verdict is Verdict.FAIL
    assert "PSI" in said.reason
    assert said.observed_seconds < 120


def test_predictions_of_the_same_distribution_pass() -> None:
    said = judged(rules_of(DRIFT), numbers(0.0))

    assert said.verdict is Verdict.PASS


def classes(share: float) -> Make:
    def make(at: float, random: Random) -> Interval:
        def said(count: int, cats: float) -> list[Said]:
            return [
                Said(200, b'"cat"' if random.random() < cats else b'"dog"') for _ in range(count)
            ]

        return Interval(
            at, at + 1, {"baseline": arm(90, said(90, 0.3)), "candidate": arm(10, said(10, share))}
        )

    return make


def test_a_class_that_is_answered_more_often_fails_and_is_named() -> None:
    said = judged(rules_of(DRIFT), classes(0.6))

    assert said.verdict is Verdict.FAIL
    assert "'=cat'" in said.reason or "'=dog'" in said.reason


def test_a_check_that_only_warns_reports_and_never_decides() -> None:
    warns = replace(DRIFT, severity="warn")

    def make(at: float, random: Random) -> Interval:
        found = classes(0.9)(at, random)
        return replace(
            found, arms={name: replace(each, errors=0) for name, each in found.arms.items()}
        )

    said = judged(rules_of(ERRORS, warns), make)

    assert said.verdict is Verdict.PASS
    (drift,) = [each for each in said.checks if each.check == "prediction_drift"]
    assert drift.toward_rollback == 1.0


CONFIDENT = Custom("confident", "ratio", "$", above=0.8, better="higher")
TOKENS = Custom("tokens", "mean", "$")
SCORE = Custom("score", "mean", "$", low=0.0, high=400.0)


def values(custom: Custom, baseline: tuple[float, float], candidate: tuple[float, float]) -> Make:
    """Answers that are numbers, each arm with a mean and a spread."""

    def make(at: float, random: Random) -> Interval:
        def said(count: int, mean: float, spread: float) -> list[Said]:
            return [Said(200, str(random.gauss(mean, spread)).encode()) for _ in range(count)]

        return Interval(
            at,
            at + 1,
            {
                "baseline": arm(90, said(90, *baseline), custom),
                "candidate": arm(10, said(10, *candidate), custom),
            },
        )

    return make


RATIO = Check("confident", kind="ratio", better="higher")
MEAN, BOUNDED = Check("tokens", kind="mean"), Check("score", kind="mean", low=0.0, high=400.0)
ALLOWED = {"tolerance": Allowance(1.05), "margin": Allowance(1.2)}


@pytest.mark.parametrize(
    ("check", "custom", "good", "bad"),
    [
        (replace(RATIO, **ALLOWED), CONFIDENT, (0.9, 0.1), (0.7, 0.1)),
        (
            replace(RATIO, tolerance=Allowance(points=0.01), margin=Allowance(points=0.1)),
            CONFIDENT,
            (0.93, 0.1),
            (0.85, 0.1),
        ),
        (replace(RATIO, minimum=0.6), CONFIDENT, (0.9, 0.1), (0.7, 0.1)),
        (replace(RATIO, maximum=0.5), CONFIDENT, (0.7, 0.1), (0.9, 0.1)),
        (replace(MEAN, **ALLOWED), TOKENS, (100, 20), (140, 20)),
        (replace(MEAN, better="higher", **ALLOWED), TOKENS, (100, 20), (70, 20)),
        (replace(MEAN, maximum=120.0), TOKENS, (100, 20), (140, 20)),
        (replace(MEAN, minimum=80.0), TOKENS, (100, 20), (60, 20)),
        (replace(BOUNDED, **ALLOWED), SCORE, (100, 20), (150, 20)),
        (replace(BOUNDED, better="higher", **ALLOWED), SCORE, (100, 20), (60, 20)),
        (replace(BOUNDED, maximum=130.0), SCORE, (100, 20), (160, 20)),
        (replace(BOUNDED, minimum=70.0), SCORE, (100, 20), (40, 20)),
    ],
    ids=lambda value: "" if isinstance(value, tuple | Custom) else None,
)
def test_a_custom_metric_passes_what_is_good_and_fails_what_is_bad(
    check: Check, custom: Custom, good: tuple[float, float], bad: tuple[float, float]
) -> None:
    rules = rules_of(check)

    passed = judged(rules, values(custom, good, good))
    failed = judged(rules, values(custom, good, bad))

    assert passed.verdict is Verdict.PASS, passed.reason
    assert failed.verdict is Verdict.FAIL, failed.reason


def split(share: float) -> Make:
    def make(at: float, random: Random) -> Interval:
        mine = sum(random.random() < share for _ in range(100))
        return Interval(at, at + 1, {"baseline": Arm(100 - mine), "candidate": Arm(mine)})

    return make


def test_arms_that_do_not_see_the_planned_split_are_an_error_and_no_failure() -> None:
    said = judged(rules_of(ERRORS, SPLIT), split(0.3))

    assert (said.verdict, said.cause) == (Verdict.ERROR, "sample_ratio")
    assert "planned 10 %" in said.reason


def lowered(until: float, errors: int = 0) -> Make:
    """A share of 5 % in place of 50 % until then; the candidate fails so often in each second."""

    def make(at: float, random: Random) -> Interval:
        found = split(0.05 if at < until else 0.5)(at, random)
        mine = found.arms["candidate"]
        bad = replace(mine, errors=min(errors, mine.requests))
        return replace(found, arms={**found.arms, "candidate": bad}, steady=at >= until)

    return make


def test_a_share_that_was_lowered_while_nobody_guarded_is_no_mismatch_and_no_pass() -> None:
    rules = rules_of(ERRORS, SPLIT, work=Shift(50))

    alone, later = judged(rules, lowered(600.0)), judged(rules, lowered(300.0))

    assert alone.verdict is Verdict.INCONCLUSIVE
    assert later.verdict is Verdict.PASS, later.reason
    assert later.observed_seconds > 300.0


def test_what_fails_at_a_lowered_share_fails() -> None:
    said = judged(rules_of(ERRORS, SPLIT, work=Shift(50)), lowered(600.0, errors=2))

    assert said.verdict is Verdict.FAIL, said.reason


def test_a_split_within_the_plans_own_tolerance_is_no_mismatch() -> None:
    wide = replace(SPLIT, tolerance=Allowance(points=0.25))

    assert judged(rules_of(ERRORS, wide), split(0.3)).verdict is Verdict.PASS


def test_a_split_that_only_warns_is_no_error() -> None:
    warns = replace(SPLIT, severity="warn")

    assert judged(rules_of(ERRORS, warns), split(0.3)).verdict is Verdict.PASS


def test_the_planned_split_stands_in_no_passs_way() -> None:
    said = judged(rules_of(ERRORS, SPLIT), split(0.1))

    assert said.verdict is Verdict.PASS


def test_the_split_alone_is_never_a_pass() -> None:
    said = judged(rules_of(SPLIT), split(0.1))

    assert said.verdict is Verdict.INCONCLUSIVE


def test_in_a_mirror_stage_copies_are_counted_beside_their_requests() -> None:
    def make(at: float, random: Random) -> Interval:
        copies = sum(random.random() < 0.1 for _ in range(100))
        return Interval(at, at + 1, {"baseline": Arm(100), "candidate": Arm(copies)})

    assert judged(rules_of(ERRORS, SPLIT, work=Mirror(10)), make).verdict is Verdict.PASS


def test_intervals_with_hardly_a_request_wait_for_one_another() -> None:
    rules = rules_of(ERRORS)
    arms = {"baseline": Arm(9), "candidate": Arm(1, 1)}

    few = enter(rules, fresh(), 0)
    for at in range(40):
        few = ingest(rules, few, Interval(at, at + 1, arms))
    whole = enter(rules, fresh(), 0)
    for at in range(0, 40, 4):
        four = {"baseline": Arm(36), "candidate": Arm(4, 4)}
        whole = ingest(rules, whole, Interval(at, at + 4, four))

    assert judge(rules, few).checks == judge(rules, whole).checks
    assert judge(rules, few).evidence == judge(rules, whole).evidence


def test_requests_that_wait_count_among_those_a_pass_needs() -> None:
    rules = rules_of(ERRORS, min_requests=3)

    evidence = ingest(
        rules,
        enter(rules, fresh(), 0),
        Interval(0, 1, {"baseline": Arm(20), "candidate": Arm(2)}),
    )

    assert evidence["stage"]["requests"] == [20, 2]


def test_a_crash_at_low_traffic_is_seen_after_a_handful_of_failures() -> None:
    rules = rules_of(ERRORS, max_duration=1e6)
    state = enter(rules, fresh(), 0)
    for at in range(0, 100_000, 10):  # a candidate request every ten seconds
        failed = 1 if at >= 5000 else 0
        arms = {"baseline": Arm(9), "candidate": Arm(1, failed)}
        state = ingest(rules, state, Interval(at, at + 10, arms))
        if judge(rules, state).verdict is Verdict.FAIL:
            break

    assert (at - 5000) / 10 < 10


def test_a_candidate_that_gets_no_request_at_all_is_an_error_of_the_split() -> None:
    said = judged(rules_of(ERRORS, SPLIT), split(0.0))

    assert (said.verdict, said.cause) == (Verdict.ERROR, "sample_ratio")


def test_what_the_baseline_does_while_the_candidate_is_silent_is_compared_with_nothing() -> None:
    rules = rules_of(ERRORS)
    state = enter(rules, fresh(), 0)
    for at in range(30):
        state = ingest(rules, state, Interval(at, at + 1, {"baseline": Arm(100, 50)}))
    state = ingest(rules, state, Interval(30, 31, {"baseline": Arm(90), "candidate": Arm(10)}))

    (errors,) = judge(rules, state).checks
    assert (errors.baseline_events, errors.baseline_requests) == (0, 90)


def test_evidence_of_a_check_that_only_warns_does_not_decide_where_it_does() -> None:
    gates = {
        name: Gate(name, (check,), min_duration=10.0, max_duration=600.0, min_requests=50)
        for name, check in (("look", replace(ERRORS, severity="warn")), ("canary", ERRORS))
    }
    stages = tuple(Stage(name, Shift(10), name) for name in gates)
    two = Plan(
        "p",
        EndpointRef("fake", "e"),
        DeploymentRef("blue"),
        DeploymentRef("green"),
        stages,
        gates=gates,
    )
    rules = compile_rules(two)

    state = enter(rules, fresh(), 0)
    for at in range(60):
        arms = {"baseline": Arm(90), "candidate": Arm(10, 5)}
        state = ingest(rules, state, Interval(at, at + 1, arms))
    state = enter(rules, state, 1)
    for at in range(60, 200):
        arms = {"baseline": Arm(900), "candidate": Arm(100)}
        state = ingest(rules, state, Interval(at, at + 1, arms))

    assert judge(rules, state).verdict is Verdict.PASS


@pytest.mark.parametrize("better", ["lower", "higher"])
def test_a_healthy_mean_below_zero_does_not_fail(better: str) -> None:
    check = replace(MEAN, better=better, **ALLOWED)

    healthy = judged(rules_of(check), values(TOKENS, (-100, 20), (-100, 20)), seconds=200)
    worse = (-140.0, 20.0) if better == "higher" else (-60.0, 20.0)
    bad = judged(rules_of(check), values(TOKENS, (-100, 20), worse), seconds=200)

    assert healthy.verdict is not Verdict.FAIL, healthy.reason
    assert bad.verdict is Verdict.FAIL, bad.reason
