"""Latency in buckets that are not ours: exact counts, edges that change, and what is promised."""

import json
import math
from itertools import islice, pairwise
from statistics import NormalDist

import pytest

from rollout.domain.criteria import Check
from rollout.domain.measure import NEVER, Arm, Interval, bucket_of, edge
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.units import Allowance
from rollout.domain.verdict import Verdict
from rollout.gates.judge import enter, fresh, ingest, judge
from rollout.gates.reduce import Batch, Pair, pairs
from rollout.gates.sides import sides_of
from rollout.stats import slow
from rollout.stats.counts import NOBODY, Counts
from tests.unit.gates.traffic import SLOW, feed, poisson, rules, seeded

# The default edges of Prometheus' client libraries: Go's, and Python's, which has three more.
GO = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
PYTHON = tuple(sorted({*GO, 0.075, 0.75, 7.5}))
_STEPS = "10 11 12 13 15 16 18 20 22 24 27 30 33 36 39 43 47 51 56 62 68 75 82 91"
E24 = tuple(
    round(10.0**decade * int(step) / 10, 6) for decade in (-2, -1, 0) for step in _STEPS.split()
)
EVERY_15 = tuple(0.01 * 1.15**at for at in range(40))

EDGES = (0.1, 0.11, 0.115, 0.12, 0.5)
POWERS = {0: 1, 1: 2, 2: 4, 3: 8, 4: 16, NEVER: 32}  # a sum says which buckets are in it
WHOLE = sum(POWERS.values())


def check(tolerance=1.1, margin=1.2, quantile=0.95):
    return Check("latency", quantile, tolerance=Allowance(tolerance), margin=Allowance(margin))


def drawn_at(number, edges):
    """A baseline whose 95th percentile is drawn at an edge, and its interval."""
    above = number + 1 if number + 1 < len(edges) else NEVER
    return {number: 950, above: 50}


def batch_of(candidate, baseline, edges):
    """An interval after one like it: edges are the candidate's and the baseline's."""
    reference = slow.learn(None, baseline, NEVER, 0.0)
    errors = Pair(NOBODY, NOBODY)
    return Batch(errors, (candidate, baseline), reference, edges=edges)


def events(side, batch):
    """The candidate's and the baseline's events at the check's own quantile."""
    found = pairs(side, batch)
    part = found[side.quantiles.index(0.95) if side.quantiles else 0]
    assert part.candidate.requests == WHOLE
    return part.candidate.events, part.baseline.events


@pytest.mark.parametrize(
    ("number", "tolerance", "margin", "failing", "passing"),
    [
        (0, 1.1, 1.2, 4 + 8 + 16 + 32, 16 + 32),  # exactly at 110 ms, exactly at 120 ms
        (0, 1.11, 1.19, 8 + 16 + 32, 8 + 16 + 32),  # up to 115 ms, down to 115 ms
        (0, 1.01, 1.09, 4 + 8 + 16 + 32, 2 + 4 + 8 + 16 + 32),  # no edge for a pass: the same one
        (1, 1.01, 1.5, 8 + 16 + 32, 16 + 32),
        (3, 1.1, 1.2, 32, 16 + 32),
        (4, 1.1, 1.2, 0, 32),  # no edge further out: no event for a failure
    ],
)
def test_the_candidate_is_counted_above_an_edge_on_the_careful_side(
    number, tolerance, margin, failing, passing
):
    batch = batch_of(POWERS, drawn_at(number, EDGES), (EDGES, EDGES))

    sides = sides_of(check(tolerance, margin))

    assert [events(side, batch) for side in sides] == [(failing, 50), (passing, 50)]


def test_without_a_pair_of_edges_neither_can_be_shown():
    """The candidate's edges begin where the baseline's are over."""
    far_out = tuple(10 * each for each in EDGES)
    near = tuple(each / 10 for each in EDGES)

    fails, passes = sides_of(check())
    beyond = batch_of(POWERS, drawn_at(3, EDGES), (far_out, EDGES))
    within = batch_of(POWERS, drawn_at(3, EDGES), (near, EDGES))

    assert events(fails, beyond) == (WHOLE - 1, 50)
    assert events(passes, beyond) == (WHOLE, 50)
    assert events(fails, within) == (0, 50)
    assert events(passes, within) == (32, 50)


def test_either_arm_may_have_our_buckets():
    """Of ours an edge is never more than 2 % from what is wanted."""
    fails, passes = sides_of(check())
    tenth, fifth = bucket_of(0.11), bucket_of(0.12) - 1
    ours = {tenth: 1, tenth + 1: 2, fifth: 4, fifth + 1: 8, NEVER: WHOLE - 15}
    theirs = {bucket_of(0.1): 950, bucket_of(0.2): 50}

    mine = batch_of(ours, drawn_at(0, EDGES), ((), EDGES))
    other = batch_of(POWERS, theirs, (EDGES, ()))

    assert edge(tenth) >= 0.11 > edge(tenth - 1)
    assert edge(fifth) <= 0.12 < edge(fifth + 1)
    assert events(fails, mine) == (WHOLE - 1, 50)
    assert events(passes, mine) == (WHOLE - 7, 50)
    assert 0.11 < edge(bucket_of(0.1)) * 1.1 < 0.115, "the third is far enough out"
    assert 0.12 < edge(bucket_of(0.1)) * 1.2 < 0.5, "and the fourth is the last within"
    assert events(fails, other) == (8 + 16 + 32, 50)
    assert events(passes, other) == (16 + 32, 50)


@pytest.mark.parametrize(
    ("limit", "failing", "passing"),
    [
        (0.11, 4 + 8 + 16 + 32, 4 + 8 + 16 + 32),
        (0.11 * (1 + 1e-12), 4 + 8 + 16 + 32, 4 + 8 + 16 + 32),
        (0.11 * (1 - 1e-12), 4 + 8 + 16 + 32, 4 + 8 + 16 + 32),
        (0.2, 32, 16 + 32),  # between two edges: what is in between is neither fast nor slow
        (0.5, 32, 32),
        (0.6, 0, 32),  # beyond the last: nothing is slow for certain
        (0.05, 2 + 4 + 8 + 16 + 32, WHOLE),  # below the first: nothing is fast for certain
    ],
)
def test_an_objective_counts_above_the_edge_that_each_side_may_use(limit, failing, passing):
    batch = batch_of(POWERS, {}, (EDGES, ()))

    sides = sides_of(Check("latency", 0.95, maximum=limit))

    assert [pairs(side, batch)[0].candidate for side in sides] == [
        Counts(failing, WHOLE),
        Counts(passing, WHOLE),
    ]


# --- as a stage goes on ---------------------------------------------------------------------

RULE = rules(SLOW, Check("latency", 0.95, maximum=0.25), warm_up=0.0, min_duration=0.0)


def both(at, candidate, baseline, seconds=10.0):
    return Interval(at, at + seconds, {CANDIDATE: candidate, BASELINE: baseline})


def arm(latency, edges=EDGES):
    return Arm(sum(latency.values()), 0, latency, edges=edges)


def weights(evidence):
    packed = evidence["reference"]["weights"]
    return packed.get("edges"), sum(packed["counts"]) + packed["never"]


def test_a_baseline_whose_edges_change_is_learned_anew():
    """And meanwhile relative latency waits, for no bucket number means what it did."""
    busy, few = arm({0: 950, 1: 50}), arm({0: 90, 1: 9}, GO)
    evidence = feed(RULE, [both(0, busy, busy), both(10, busy, busy)])
    assert weights(evidence) == ([*EDGES], 200_000)
    seen = judge(RULE, evidence).checks[0].candidate_requests
    assert seen == 1000

    for at, known in ((20, 99), (30, 198), (40, 297)):
        evidence = ingest(RULE, evidence, both(at, busy, few))
        assert weights(evidence) == ([*GO], known * slow.UNIT)
        assert judge(RULE, evidence).checks[0].candidate_requests == seen
    evidence = ingest(RULE, evidence, both(50, busy, few))

    assert judge(RULE, evidence).checks[0].candidate_requests == seen + 1000
    stage = evidence["stage"]
    assert (stage["candidate"]["edges"], stage["baseline"]["edges"]) == ([*EDGES], [*GO])
    assert sum(stage["candidate"]["counts"]) == 6000, "its edges are what they were"
    assert sum(stage["baseline"]["counts"]) == 4 * 99, "those since the change"


def test_a_candidate_whose_edges_change_is_compared_on():
    busy, other = arm({0: 950, 1: 50}), arm({3: 950, 4: 50}, GO)
    evidence = feed(RULE, [both(0, busy, busy), both(10, other, busy)])

    stage = evidence["stage"]
    assert stage["candidate"] == {"first": 3, "counts": [950, 50], "never": 0, "edges": [*GO]}
    assert stage["baseline"]["counts"] == [1900, 100]
    assert judge(RULE, evidence).checks[0].candidate_requests == 1000


@pytest.mark.parametrize("quiet", [Arm(0, 0, {}), Arm(3, 0), Arm(0, 0, {}, edges=GO)])
def test_an_arm_without_latencies_changes_no_edges(quiet):
    busy = arm({0: 950, 1: 50})
    before = feed(RULE, [both(0, busy, busy)])

    after = ingest(RULE, before, both(10, quiet, quiet))

    assert after["reference"] == before["reference"]
    for role in (CANDIDATE, BASELINE):
        assert after["stage"][role] == before["stage"][role]


def test_intervals_that_wait_keep_their_edges():
    busy, single = arm({0: 950, 1: 50}), arm({4: 2})
    evidence = json.loads(json.dumps(feed(RULE, [both(0, busy, busy), both(10, single, busy, 1)])))
    assert evidence["stage"]["waiting"]["arms"][CANDIDATE]["edges"] == [*EDGES]

    evidence = ingest(RULE, evidence, both(11, single, busy, 1))

    found = judge(RULE, evidence).checks[0]
    assert (found.candidate_events, found.candidate_requests) == (4, 4)
    assert evidence["stage"]["candidate"]["counts"] == [950, 50, 0, 0, 4]


def test_evidence_of_our_buckets_names_no_edges():
    busy = arm({580: 950, 590: 50}, ())

    assert "edges" not in json.dumps(feed(RULE, [both(0, busy, busy), both(10, busy, busy, 1)]))


def test_values_lie_inside_their_bucket_or_above_all():
    rule = rules(SLOW, warm_up=0.0)
    baseline, candidate = arm({3: 900, 4: 100}), arm({0: 800, NEVER: 200})

    found = judge(
        rule, feed(rule, [both(0, candidate, baseline)] * 2 + [both(10, candidate, baseline)])
    )

    assert found.checks[0].baseline_value == pytest.approx((0.12 + 0.5) / 2)
    assert found.checks[0].candidate_value is None
    assert "baseline p95 310ms, candidate p95 above 500ms or unanswered, " in found.checks[0].reason


def test_each_arm_reaches_as_far_as_its_own_edges():
    baseline, candidate = arm({10: 900, NEVER: 100}, GO), arm({3: 800, NEVER: 200})

    found = judge(RULE, feed(RULE, [both(0, candidate, baseline), both(10, candidate, baseline)]))

    values = "baseline p95 above 10s or unanswered, candidate p95 above 500ms or unanswered, "
    assert values in found.checks[0].reason


def test_resuming_after_every_interval_changes_nothing():
    def story():
        yield from islice(classic(3, GO, 1.3), 10)
        for one in islice(classic(4, E24, 1.3), 20):
            yield Interval(one.start + 200, one.end + 200, one.arms)

    plain = feed(RULE, story())
    resumed = enter(RULE, fresh(), 0)
    for one in story():
        resumed = json.loads(json.dumps(ingest(RULE, resumed, one), allow_nan=False))

    assert json.dumps(plain) == json.dumps(resumed)
    assert judge(RULE, plain) == judge(RULE, resumed)


# --- what is promised -----------------------------------------------------------------------


EACH = 20.0  # seconds


def classic(seed, edges, factor, *, candidate_edges=None, rps=100.0, share=0.2, median=0.08):
    """Endless Poisson traffic with lognormal latencies, counted by these edges every 20 s."""
    rng = seeded(seed)
    arms = {
        BASELINE: (edges, 1.0, rps * (1 - share) * EACH),
        CANDIDATE: (candidate_edges or edges, factor, rps * share * EACH),
    }
    drawn = {}
    for role, (known, slower, requests) in arms.items():
        normal = NormalDist(math.log(median * slower), 0.5)
        below = [0.0, *(normal.cdf(math.log(each)) for each in known), 1.0]
        odds = [high - low for low, high in pairwise(below)]
        drawn[role] = known, [poisson(rng, requests * chance) for chance in odds]
    at = 0.0
    while True:
        found = {}
        for role, (known, numbers) in drawn.items():
            counts = dict(enumerate(draw() for draw in numbers))
            counts[NEVER] = counts.pop(len(known))
            found[role] = arm({key: held for key, held in counts.items() if held}, known)
        yield Interval(at, at + EACH, found)
        at += EACH


def verdict(rule, traffic, seconds=900):
    evidence = enter(rule, fresh(), 0)
    for one in islice(traffic, int(seconds / EACH)):
        evidence = ingest(rule, evidence, one)
        judged = judge(rule, evidence)
        if judged.verdict is not Verdict.RUNNING:
            return judged.verdict
    return Verdict.RUNNING


MIXED = pytest.mark.parametrize(
    ("edges", "median"),
    [(E24, 0.08), (EVERY_15, 0.03), (PYTHON, 0.05), (GO, 0.7)],
    ids=["E24", "15%", "python", "go"],
)
RELATIVE = rules(SLOW, warm_up=10.0, max_duration=7200)
SEEDS = range(10)


@pytest.mark.parametrize("edges", [E24, EVERY_15], ids=["E24", "15%"])
def test_edges_near_each_other_tell_healthy_from_slow(edges):
    healthy, slower = ([classic(seed, edges, factor) for seed in SEEDS] for factor in (1.0, 2.0))

    assert {verdict(RELATIVE, each) for each in healthy} == {Verdict.PASS}
    assert {verdict(RELATIVE, each, 120) for each in slower} == {Verdict.FAIL}


def test_arms_of_different_edges_are_told_apart_as_well():
    healthy, slower = (
        [classic(seed, EVERY_15, factor, candidate_edges=E24) for seed in SEEDS]
        for factor in (1.0, 2.0)
    )

    assert {verdict(RELATIVE, each) for each in healthy} == {Verdict.PASS}
    assert {verdict(RELATIVE, each, 120) for each in slower} == {Verdict.FAIL}


@MIXED
def test_a_candidate_within_the_tolerance_is_not_failed(edges, median):
    """At 1 % for each rollout, 30 of them fail 3 times once in 300 tests."""
    found = [
        verdict(RELATIVE, classic(seed, edges, factor, median=median), 600)
        for factor in (1.0, 1.05, 1.1)
        for seed in SEEDS
    ]

    assert found.count(Verdict.FAIL) <= 2


@MIXED
def test_a_candidate_beyond_the_margin_does_not_pass(edges, median):
    """At 5 % for each stage, 20 stages pass 5 times once in 400 tests."""
    found = [
        verdict(RELATIVE, classic(seed, edges, factor, median=median), 600)
        for factor in (1.2, 2.0)
        for seed in SEEDS
    ]

    assert found.count(Verdict.PASS) <= 4


@pytest.mark.parametrize(("edges", "factor"), [(PYTHON, 2.0), (GO, 3.0)], ids=["python", "go"])
def test_few_edges_still_show_what_they_reach(edges, factor):
    """50 to 75 ms is 1.5 times, so twice as slow is seen; Go's are 2 to 2.5 times apart."""
    found = {verdict(RELATIVE, classic(s, edges, factor, median=0.05), 300) for s in SEEDS}

    assert found == {Verdict.FAIL}


def test_few_edges_leave_a_healthy_candidate_undecided():
    """No edge lies between 250 ms and 120 % of it: not a question of more traffic."""
    rule = rules(SLOW, warm_up=10.0, max_duration=900)
    evidence = feed(rule, islice(classic(1, GO, 1.0), 45))

    judged = judge(rule, evidence)

    assert judged.verdict is Verdict.INCONCLUSIVE
    assert judged.cause == "between_tolerance_and_margin"
    assert (
        "the baseline's recent p95 + 10 % for the candidate as far as the buckets'" in judged.reason
    )


@pytest.mark.parametrize(
    ("maximum", "factor", "wanted"),
    [
        (0.25, 1.0, Verdict.PASS),  # 1.1 % are slower
        (0.25, 2.0, Verdict.FAIL),  # 19 %
        (0.3, 1.0, Verdict.PASS),
        (0.3, 4.0, Verdict.FAIL),  # 18 % above 500 ms
        (0.3, 1.4, Verdict.RUNNING),  # 2.4 % are slower, but 5.4 % above 250 ms: not shown
        (20.0, 1.0, Verdict.PASS),
        (20.0, 400.0, Verdict.RUNNING),  # nearly all above 10 s: how far, nobody knows
        (0.004, 0.01, Verdict.RUNNING),  # all within 5 ms: how fast, nobody knows
        (0.004, 0.05, Verdict.FAIL),  # a third above 5 ms
    ],
)
def test_an_objective_is_judged_by_the_edges_around_it(maximum, factor, wanted):
    rule = rules(Check("latency", 0.95, maximum=maximum), warm_up=10.0, max_duration=7200)

    assert {verdict(rule, classic(seed, GO, factor)) for seed in SEEDS} == {wanted}
