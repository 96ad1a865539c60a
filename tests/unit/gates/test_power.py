"""What `rollout plan` says of a gate is what the gate does."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import replace
from itertools import islice
from random import Random

import pytest

from rollout.domain.criteria import Check, Gate, OnInconclusive, Probing
from rollout.domain.measure import NEVER, Agreement, Arm, Interval, Sums, bucket_of
from rollout.domain.plan import Create, Mirror, Plan, Shift, Stage, Wait
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.units import Allowance, parse_duration, parse_percent, parse_points
from rollout.domain.verdict import Verdict
from rollout.gates.judge import enter, fresh, ingest, judge
from rollout.gates.power import advice, reckoning
from rollout.gates.power.baseline import MEAN_SPREAD, Baseline, Basis, Figure, lognormal
from rollout.gates.power.forecast import WANTED
from rollout.gates.power.reach import Reach
from rollout.gates.rules import compile_rules
from rollout.stats.means import BURN_IN
from rollout.stats.power import bound_of
from tests.unit.gates.traffic import (
    ERRORS,
    ERRORS_MAX,
    SLOW,
    SLOW_MAX,
    errors,
    interval,
    latencies,
    plan,
)

MIRRORED = (Stage("mirror", Mirror(10), "canary"), Stage("shift", Shift(10), "canary"))
OPEN = {"min_duration": 0.0, "min_requests": 0, "warm_up": 0.0}


def baseline(rps=50.0, error_rate=0.005, **more):
    rate = Figure(error_rate, Basis.STATED)
    return Baseline(rps=Figure(rps, Basis.STATED), error_rate=rate, **more)


def question(made: Plan, at=0, known=None):
    return reckoning.asked(made, compile_rules(made), at, known or baseline(), Reach())


def forecast(made: Plan, at=0, known=None):
    return reckoning.forecast(question(made, at, known))


def warnings(made: Plan, at=0, known=None):
    asked = question(made, at, known)
    return advice.warnings(asked, reckoning.forecast(asked))


def agreement(limit=0.01):
    return Check("response_agreement", maximum=limit)


# Cases that can be worked by hand


def test_without_errors_a_pass_takes_the_rule_of_three():
    """ln 20 / 0.5 points = 599 candidate requests, which no test can beat; a tenth for the mixture."""
    clean = baseline(500, error_rate=0.0)

    found = forecast(plan(ERRORS, max_duration=3600, **OPEN), known=clean)
    short = forecast(plan(ERRORS, max_duration=11, **OPEN), known=clean)

    assert 599 <= found.passing.seconds * found.served <= 1.25 * 599
    assert found.passing.probability > 0.99
    assert short.passing.probability == 0.0


def test_a_crash_at_ten_percent_is_over_after_three_or_four_failures():
    found = forecast(plan(ERRORS), known=baseline(rps=100))

    assert found.crash.failures in (3, 4)
    assert found.crash.seconds == 1.0
    assert found.crash.exposed == 10.0


def test_a_crash_of_a_mirrored_candidate_reaches_nobody():
    found = forecast(plan(stages=MIRRORED))

    assert found.crash.failures in (3, 4)
    assert found.crash.exposed == 0.0
    assert found.checks[0].catch.exposed == 0.0


def test_a_failing_test_has_its_part_of_the_evidence_and_no_more():
    """Three tests, two stages: in the second one, half of a half of a third."""
    made = plan(ERRORS, ERRORS_MAX, SLOW, stages=MIRRORED)
    first, later = question(made, 0), question(made, 1)
    side = first.checks[0].failing

    assert reckoning.fail_race(first, side, 0.1).bound == bound_of(0.01, 0.75 / 3)
    assert reckoning.fail_race(later, side, 0.1).bound == bound_of(0.01, 0.25 / 3)
    slow = first.checks[2].failing
    assert reckoning.fail_race(later, slow, 1.5).bound == bound_of(0.01, 0.25 / 3 / 4)


def test_the_chances_to_miss_a_pass_add_up():
    found = forecast(plan(ERRORS, ERRORS_MAX, max_duration=600))

    misses = [1 - each.passing.probability for each in found.checks]
    assert found.passing.probability == pytest.approx(1 - sum(misses))
    assert 0.3 < found.passing.probability < 0.9
    assert found.passing.seconds >= max(each.passing.seconds for each in found.checks)


def test_half_of_the_traffic_takes_twice_as_long():
    made = plan(ERRORS, max_duration=20_000, **OPEN)

    whole, half = forecast(made, known=baseline(40)), forecast(made, known=baseline(20))

    for name in ("passing", "catch"):
        one, two = (getattr(each.checks[0], name) for each in (whole, half))
        seconds = [getattr(each, "chance", each).seconds for each in (one, two)]
        assert seconds[1] == pytest.approx(2 * seconds[0], rel=0.1)


def test_errors_in_clusters_count_for_less():
    made = plan(ERRORS, max_duration=20_000)

    plain, clustered = forecast(made), forecast(made, known=baseline(dispersion=3.0))

    assert clustered.passing.seconds > 2 * plain.passing.seconds
    assert clustered.crash.failures > plain.crash.failures


# What belongs to a gate's time


def test_a_gate_does_not_pass_before_its_minima():
    by_time = forecast(plan(ERRORS_MAX, min_duration=900, max_duration=3600))
    by_count = forecast(plan(ERRORS_MAX, min_requests=5000, max_duration=3600))

    assert by_time.passing.seconds == 900
    assert by_count.passing.seconds == pytest.approx(1000, abs=1)
    assert forecast(plan(ERRORS_MAX, min_requests=5000, max_duration=900)).passing.probability == 0


def test_extensions_are_part_of_the_time():
    more = OnInconclusive(extend_seconds=300, times=2)

    found = forecast(plan(ERRORS, max_duration=600, on_inconclusive=more))

    assert found.limit == 1200
    assert found.passing == forecast(plan(ERRORS, max_duration=1200)).passing


def test_latency_is_seen_after_the_warm_up_and_once_an_edge_is_drawn():
    def needed(made, at=0):
        return forecast(made, at).passing.seconds

    cold = plan(SLOW, stages=MIRRORED, min_duration=0, warm_up=0)
    warm = plan(SLOW, stages=MIRRORED, min_duration=0, warm_up=600)

    assert needed(warm) == pytest.approx(needed(cold) - 200 / 50 + 600, abs=10)
    # The second stage knows the baseline from the first one.
    assert question(cold, 0).setting.late(SLOW_SIDE) == 200 / 50
    assert question(cold, 1).setting.late(SLOW_SIDE) == 0


SLOW_SIDE = compile_rules(plan(SLOW)).stages[0].checks[0].passing


def test_what_only_warns_and_what_only_measures_is_left_out():
    made = plan(ERRORS, replace(SLOW, severity="warn"), Check("requests"))

    found = forecast(made)

    assert [each.name for each in found.checks] == ["error_rate"]
    assert found.crash.failures in (3, 4)


# Where traffic comes from


@pytest.mark.parametrize(
    ("stages", "served", "beside", "live"),
    [
        ((Stage("m", Mirror(10), "canary"),), 5, 50, False),
        ((Stage("s", Shift(10), "canary"),), 5, 45, True),
        ((Stage("s", Shift(100), "canary"),), 50, 0, True),
        ((Stage("m", Mirror(10)), Stage("s", Shift(20)), Stage("w", Wait(9), "canary")), 10, 40, True),
        ((Stage("c", Create("candidate"), "canary"),), 0, 50, False),
    ],
)  # fmt: skip
def test_requests_follow_the_split(stages, served, beside, live):
    found = question(plan(ERRORS_MAX, stages=stages), len(stages) - 1).setting

    assert (found.served, found.beside, found.live) == (served, beside, live)


MEAN = Check("tokens", kind="mean", tolerance=Allowance(1.1), margin=Allowance(1.2))
OBJECTIVE = replace(MEAN, tolerance=None, margin=None)
CONFIDENT = Check(
    "confident",
    kind="ratio",
    better="higher",
    tolerance=Allowance(points=0.01),
    margin=Allowance(points=0.05),
)
DRIFT = Check("prediction_drift", tolerance=Allowance(points=0.02), margin=Allowance(points=0.05))


@pytest.mark.parametrize(
    ("check", "work", "why"),
    [
        (replace(OBJECTIVE, maximum=9.0), Shift(10), "the baseline's own mean is not known"),
        (replace(MEAN, low=0.0, high=9.0), Shift(10), "how much its values vary is not known"),
        (CONFIDENT, Shift(10), "the baseline's own share is not known"),
        (agreement(), Shift(10), "no answers are compared here"),
        (ERRORS, Shift(100), "nothing is left to compare with"),
        (ERRORS, Create("candidate"), "the candidate gets no requests here"),
    ],
)
def test_what_is_not_known_is_not_estimated(check, work, why):
    found = forecast(plan(check, stages=(Stage("s", work, "canary"),)))

    (one,) = found.checks
    assert one.unknown == why
    assert (one.catch, one.passing, one.crash, found.passing) == (None, None, None, None)


def test_a_pass_against_a_latency_needs_the_baselines():
    unknown = forecast(plan(SLOW_MAX)).checks[0]
    seen = Baseline(
        rps=Figure(50, Basis.OBSERVED),
        latency={bucket_of(0.1): 9950, bucket_of(2.0): 40, NEVER: 10},
        latency_from=Basis.OBSERVED,
    )
    known = forecast(plan(SLOW_MAX), known=seen)

    assert unknown.no_pass == "the baseline's latency is not known"
    assert unknown.catch.chance.probability > 0.99
    assert known.checks[0].healthy == pytest.approx(0.005)
    assert known.passing.probability > 0.9


def test_answers_are_compared_pair_by_pair():
    """299 pairs without a difference rule out 1 %, by the rule of three; the gate needs two times that."""
    mirrored = plan(agreement(), stages=MIRRORED, max_duration=3600, **OPEN)

    found = forecast(mirrored)

    assert found.passing.seconds == pytest.approx(pass_without_difference(mirrored), rel=0.05)
    assert 299 <= found.passing.seconds * 5 <= 2.1 * 299
    assert found.checks[0].crash.failures <= 4
    probed = replace(mirrored, compare=Probing(rps=1.0))
    assert forecast(probed, 1).passing.seconds == pytest.approx(5 * found.passing.seconds, rel=0.1)
    noisy = replace(mirrored, compare=Probing(rps=1.0, noise=True))
    assert "own answers differ" in forecast(noisy).checks[0].unknown


def pass_without_difference(made):
    """Seconds until the gate passes with 5 pairs a second, none of which differs."""
    rules = compile_rules(made)
    evidence = enter(rules, fresh(), 0)
    for at in range(1000):
        one = replace(interval(at, (0, 5), (0, 50)), agreement={"": Agreement(5, 0)})
        evidence = ingest(rules, evidence, one)
        if judge(rules, evidence).verdict is Verdict.PASS:
            return at + 1
    return None


def test_a_custom_share_is_reckoned_once_the_baselines_is_known():
    known = baseline(shares={"confident": 0.1})
    lower = replace(CONFIDENT, better="lower")

    for check, bad in ((CONFIDENT, 0.95), (lower, 0.15)):
        (found,) = forecast(plan(check, max_duration=7200), known=known).checks
        assert found.catch.chance.probability > 0.9
        assert found.passing.probability > 0.9
        assert found.catch.bad == pytest.approx(found.catch.exposed * bad)
    objective = replace(CONFIDENT, tolerance=None, margin=None, minimum=0.05)
    (found,) = forecast(plan(objective, max_duration=7200), known=known).checks
    assert (found.name, found.catch.effect) == ("confident min 5 %", "0 %")


def test_the_smallest_effect_found_is_found_four_times_in_five():
    found = forecast(plan(ERRORS, max_duration=1800)).checks[0]
    effect = parse_points(found.smallest.removeprefix("+"))

    again = replace(ERRORS, margin=Allowance(points=effect))

    chance = forecast(plan(again, max_duration=1800)).checks[0].catch.chance
    assert WANTED - 0.03 < chance.probability < 0.95


def test_an_observed_latency_of_the_same_form_says_the_same():
    made = plan(SLOW, max_duration=600)
    moved = {bucket + 50: count for bucket, count in lognormal(0.5).items()}
    seen = baseline(latency=moved, latency_from=Basis.OBSERVED)

    assert forecast(made, known=seen).passing == forecast(made).passing


# Agreement with the gates themselves


def simulated(made, at, traffic, runs, before=None):
    """Shares of runs that fail and that pass within the gate's time."""
    ended = [_verdict(compile_rules(made), at, traffic(seed), before and before(seed + 1000))
             for seed in range(runs)]  # fmt: skip
    return [ended.count(word) / runs for word in (Verdict.FAIL, Verdict.PASS)]


def _verdict(rules, at, traffic, before):
    evidence, ended = fresh(), 0.0
    if before is not None:
        evidence = enter(rules, evidence, 0)
        for one in before:
            evidence, ended = ingest(rules, evidence, one), one.end
    evidence = enter(rules, evidence, at)
    for one in traffic:
        later = replace(one, start=one.start + ended, end=one.end + ended)
        evidence = ingest(rules, evidence, later)
        verdict = judge(rules, evidence).verdict
        if verdict is not Verdict.RUNNING:
            return verdict
    return Verdict.RUNNING


CLEAR = replace(ERRORS, tolerance=Allowance(points=0.005), margin=Allowance(points=0.06))


def slow_traffic(rate, seconds):
    """4 requests a second, read every 10 seconds."""
    return lambda seed: islice(
        errors(seed, base=0.02, bad=rate, rps=4, seconds=10.0), int(seconds / 10)
    )


def test_the_chance_of_a_rollback_is_that_of_the_gate():
    made = plan(CLEAR, ERRORS_MAX_OF_TEN, max_duration=900, **OPEN)

    found = forecast(made, known=baseline(4, 0.02)).checks[0].catch.chance.probability

    failed, _ = simulated(made, 0, slow_traffic(0.08, 900), 100)
    assert 0.1 < failed < 0.9
    assert found == pytest.approx(failed, abs=0.1)


ERRORS_MAX_OF_TEN = replace(ERRORS_MAX, maximum=0.2)


def test_the_chance_of_a_rollback_in_a_later_stage_is_that_of_the_gate():
    stages = (Stage("one", Shift(10), "canary"), Stage("two", Shift(11), "canary"))
    made = plan(CLEAR, stages=stages, max_duration=1200, **OPEN)

    found = forecast(made, 1, baseline(4 / 1.1, 0.02)).checks[0].catch.chance.probability

    healthy = slow_traffic(0.02, 600)
    failed, _ = simulated(made, 1, slow_traffic(0.08, 1200), 60, healthy)
    assert 0.1 < failed < 0.95
    assert found == pytest.approx(failed, abs=0.1)


def test_the_chance_of_a_pass_is_that_of_the_gate():
    made = plan(CLEAR, max_duration=400, **OPEN)

    found = forecast(made, known=baseline(4, 0.02)).passing.probability

    _, passed = simulated(made, 0, slow_traffic(0.02, 400), 150)
    assert 0.1 < passed < 0.9
    assert found == pytest.approx(passed, abs=0.1)


def test_the_chances_of_latency_are_those_of_the_gate():
    known = baseline(20)
    passing = plan(SLOW, max_duration=240, **OPEN)
    catching = plan(replace(SLOW, margin=Allowance(1.4)), max_duration=90, **OPEN)

    found = (
        forecast(passing, known=known).passing.probability,
        forecast(catching, known=known).checks[0].catch.chance.probability,
    )

    def like(factor, seconds):
        return lambda seed: islice(
            latencies(seed, lambda _: factor, rps=20, seconds=5.0), int(seconds / 5)
        )

    _, passed = simulated(passing, 0, like(1.0, 240), 60)
    failed, _ = simulated(catching, 0, like(1.4, 90), 60)
    assert found == (pytest.approx(passed, abs=0.1), pytest.approx(failed, abs=0.1))


def answering(candidate, baseline, seconds, rps=20, every=5.0):
    """Intervals whose arms say what two functions of the random numbers and the requests give."""

    def traffic(seed):
        random = Random(seed)  # noqa: S311 - traffic, not secrets
        for at in range(int(seconds / every)):
            mine, theirs = (
                sum(random.random() < share for _ in range(int(rps * every)))
                for share in (0.1, 0.9)
            )
            arms = {CANDIDATE: candidate(random, mine), BASELINE: baseline(random, theirs)}
            yield Interval(at * every, (at + 1) * every, arms)

    return traffic


def predicting(shift):
    """Ten labels, of which one is more frequent by a shift and the others less."""
    labels, weights = [f"={at}" for at in range(10)], [0.1 + shift, *[0.1 - shift / 9] * 9]

    def arm(random, requests):
        said = Counter(random.choices(labels, weights, k=requests))
        return Arm(requests, 0, outputs={"": dict(said)})

    return arm


def counting(mean):
    """Values that spread by half of their mean."""

    def arm(random, requests):
        values = [random.gauss(mean, MEAN_SPREAD * mean) for _ in range(requests)]
        squares = math.fsum(value * value for value in values)
        return Arm(requests, 0, sums={"tokens": Sums(requests, math.fsum(values), squares)})

    return arm


@pytest.mark.parametrize(
    ("check", "passing", "healthy", "bad"),
    [
        (replace(DRIFT, margin=Allowance(points=0.1)), 200.0, predicting(0.0), predicting(0.1)),
        (MEAN, 90.0, counting(1.0), counting(1.2)),
        (replace(MEAN, better="higher"), 90.0, counting(1.0), counting(0.8)),
    ],
    ids=["drift", "mean", "mean, more is better"],
)
def test_the_chances_of_what_is_answered_are_those_of_the_gate(check, passing, healthy, bad):
    catching, known = 300.0, baseline(20)
    short, long = (plan(check, max_duration=each, **OPEN) for each in (passing, catching))

    found = (
        forecast(short, known=known).passing.probability,
        forecast(long, known=known).checks[0].catch.chance.probability,
    )

    _, passed = simulated(short, 0, answering(healthy, healthy, passing), 60)
    failed, _ = simulated(long, 0, answering(bad, healthy, catching), 60)
    assert found == (pytest.approx(passed, abs=0.1), pytest.approx(failed, abs=0.1))


def test_a_mean_says_nothing_before_its_burn_in():
    wide = replace(MEAN, margin=Allowance(5.0))

    found = forecast(plan(wide, max_duration=3600, **OPEN), known=baseline(2))

    assert found.passing.seconds >= BURN_IN / 0.2


def test_a_forecast_of_a_mean_says_what_it_assumes():
    lower, higher = (forecast(plan(replace(MEAN, better=each))) for each in ("lower", "higher"))

    assert lower.checks[0].assumed == "values of means that spread by 0.5 of the mean (assumed)"
    assert lower.checks[0].catch.effect == "+20 %"
    assert lower.checks[0].smallest.startswith("+1")
    assert higher.checks[0].catch.effect == "-20 %"
    assert higher.checks[0].smallest.startswith("-1")


def test_many_tests_that_surely_pass_do_so_together():
    paths = [replace(DRIFT, path=f"$[{at}]") for at in range(4)]
    made = plan(DRIFT, max_duration=1200)
    made = replace(made, gates={"canary": replace(made.gates["canary"], checks=tuple(paths))})

    found = forecast(made, known=baseline(20))

    assert found.passing.probability > 0.99
    assert found.passing.seconds < 1000
    assert [each.name for each in found.checks] == [f"prediction_drift $[{n}]" for n in range(4)]


@pytest.mark.parametrize("kind", ["mean", "ratio"])
def test_no_suggestion_allows_to_lose_everything(kind):
    check = replace(
        MEAN, kind=kind, better="higher", tolerance=Allowance(1.7), margin=Allowance(1.75)
    )
    made = plan(check, max_duration=60)
    known = baseline(2, shares={"tokens": 0.5})

    told = " ".join(warnings(made, 0, known))

    assert "margin" in told or "No single change" in told
    assert not re.search(r"margin: [1-9]\d\d", told)


def test_a_forecast_of_drift_says_what_it_assumes():
    made = plan(DRIFT, max_duration=7200)

    (found,) = forecast(made).checks

    assert found.assumed == "10 classes of predictions, each as frequent (assumed)"
    assert (found.catch.effect, found.catch.bad, found.crash) == ("+5pp", None, None)
    assert [each for each in warnings(made, 0, baseline(2)) if "prediction_drift margin" in each]


# Warnings


def applied(made: Plan, at: int, words: str, gate="canary") -> Plan:
    """The plan with a suggestion written into it."""
    key, value = words.removesuffix(" (and a later policy.deadline)").split(": ")
    if key in ("shift", "mirror"):
        work = replace(made.stages[at].work, percent=int(value.removesuffix("%")))
        changed = replace(made.stages[at], work=work)
        return replace(made, stages=(*made.stages[:at], changed, *made.stages[at + 1 :]))
    found = made.gates[gate]
    if key == "max_duration":
        changed = replace(found, max_duration=parse_duration(value))
    else:
        name, side = key.split(" ")
        checks = tuple(
            _with(each, side, value) if _asked(each, name, side) else each for each in found.checks
        )
        changed = replace(found, checks=checks)
    return replace(made, gates={**made.gates, gate: changed})


def _asked(check: Check, name: str, side: str) -> bool:
    return check.name == name and (check.maximum is not None) == (side != "margin")


def _with(check: Check, side: str, value: str) -> Check:
    if side == "margin":
        points = value.endswith("pp")
        margin = (
            Allowance(points=parse_points(value)) if points else Allowance(1 + parse_percent(value))
        )
        return replace(check, margin=margin)
    latency = check.metric == "latency"
    return replace(check, maximum=parse_duration(value) if latency else parse_percent(value))


def suggestions(warning: str) -> list[str]:
    return re.split(r", or ", re.search(r"Write (.*)\.$", warning)[1])


SEEN = baseline(
    20, 0.005, latency={bucket_of(0.1): 99_300, bucket_of(0.9): 700}, latency_from=Basis.OBSERVED
)


@pytest.mark.parametrize(
    ("made", "at", "known", "said", "kinds"),
    [
        (
            plan(ERRORS, max_duration=300),
            0,
            baseline(),
            "a healthy candidate passes with 39 % within 5m; error_rate holds it up",
            {"max_duration", "shift", "error_rate margin"},
        ),
        (
            plan(SLOW, stages=MIRRORED, max_duration=120),
            0,
            baseline(),
            "mirror 10 %, gate canary: a healthy candidate passes",
            {"max_duration", "mirror", "latency_p95 margin"},
        ),
        (
            plan(ERRORS, max_duration=1500),
            0,
            baseline(),
            "error_rate rolls back a candidate at its margin (+0.5pp) with",
            {"max_duration", "shift", "error_rate margin"},
        ),
        (
            plan(ERRORS_MAX, max_duration=120, min_duration=0),
            0,
            baseline(20),
            "error_rate max 2 % rolls back a candidate twice as bad as allowed (4 %)",
            {"max_duration", "shift"},
        ),
        (
            plan(replace(ERRORS_MAX, maximum=0.005), max_duration=3600),
            0,
            baseline(error_rate=0.0049),
            "error_rate max 0.5 % is too close to the baseline itself, which has 0.49 % of",
            {"error_rate max"},
        ),
        (
            plan(replace(SLOW_MAX, quantile=0.995), max_duration=7200),
            0,
            SEEN,
            "latency_p995 max 800ms is too close to the baseline itself",
            {"latency_p995 max"},
        ),
        (
            plan(agreement(0.001), stages=MIRRORED, max_duration=300),
            0,
            baseline(),
            "response_agreement max 0.1 % holds it up",
            {"max_duration", "mirror", "response_agreement max_mismatch"},
        ),
    ],
)
def test_each_suggestion_of_a_warning_is_enough(made, at, known, said, kinds):
    warning = next(each for each in warnings(made, at, known) if said in each)

    found = suggestions(warning)

    assert {each.split(":")[0] for each in found} == kinds
    about = warning.split(" with ")[0].split(" is too close")[0]
    for words in found:
        changed = applied(made, at, words)
        left = [re.sub(r"(shift|mirror) \d+ %", "", each) for each in warnings(changed, at, known)]
        kept = re.sub(r"(shift|mirror) \d+ %", "", about)
        assert not [each for each in left if each.startswith(_stem(kept))], words


def _stem(about: str) -> str:
    """A warning without the values that a suggestion changes."""
    return re.sub(r" max [\d.]+ ?(%|m?s)| \(.*", "", about)


def test_a_gate_that_can_tell_is_no_warning():
    assert warnings(plan(ERRORS, SLOW, max_duration=7200)) == ()


def test_what_goes_back_in_the_end_anyway_is_no_warning():
    made = plan(ERRORS, max_duration=1500, on_inconclusive=OnInconclusive(then="rollback"))

    assert warnings(made) == ()


def test_an_objective_beside_a_comparison_need_not_catch_alone():
    both = plan(ERRORS, ERRORS_MAX, max_duration=120, min_duration=0)

    assert not [each for each in warnings(both) if "error_rate max" in each.split(": ")[1]]


def test_a_share_stays_below_that_of_the_next_stage_and_time_below_the_deadline():
    stages = (Stage("one", Shift(10), "canary"), Stage("two", Shift(12)))
    made = replace(plan(ERRORS, stages=stages, max_duration=300), deadline=600.0)

    (warning, *_) = warnings(made)

    assert "shift:" not in warning
    assert "max_duration: 15m (and a later policy.deadline)" in warning


def test_what_no_single_change_can_mend_is_said():
    made = plan(replace(ERRORS, margin=Allowance(points=0.5)), max_duration=60, **OPEN)

    (warning, *_) = warnings(made, known=baseline(0.0001, 0.0))

    assert warning.endswith(
        "No single change is enough: more than one, or more requests, are needed."
    )


def test_a_rate_that_is_only_assumed_is_said():
    made = plan(replace(ERRORS_MAX, maximum=0.004))
    guessed = replace(baseline(), error_rate=Figure(0.005, Basis.ASSUMED))

    (warning,) = warnings(made, known=guessed)

    assert "0.5 % of the 0.4 % allowed (assumed)" in warning


@pytest.mark.parametrize("rps", [1e-4, 0.05, 1.0, 1e5])
@pytest.mark.parametrize("error_rate", [0.0, 1e-6, 0.5, 1.0])
def test_any_baseline_has_an_outlook(rps, error_rate):
    gate = Gate("canary", (ERRORS, ERRORS_MAX, SLOW, SLOW_MAX), max_duration=600.0)
    made = plan(stages=MIRRORED, gates={"canary": gate})

    found = forecast(made, 1, baseline(rps, error_rate))

    for check in found.checks:
        for chance in (check.passing, check.catch and check.catch.chance):
            assert chance is None or 0.0 <= chance.probability <= 1.0 + 1e-6
            assert chance is None or chance.seconds > 0
        assert check.catch is None or math.isfinite(check.catch.exposed)
