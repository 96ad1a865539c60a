"""What is told of bucket edges that are too coarse for a plan's checks, and what to do instead."""

import re

import pytest

from rollout.domain.criteria import Check
from rollout.domain.measure import NEVER
from rollout.domain.units import Allowance, parse_duration, parse_percent
from rollout.gates.coarse import findings
from tests.unit.gates.traffic import ERRORS, SLOW, SLOW_MAX

GO = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
USUAL = {4: 700, 5: 250, 6: 50}  # the 95th percentile is at 250 ms


def told(check, edges=GO, buckets=None):
    """The finding of one check without its name; empty: there is none."""
    found = findings([check], edges, USUAL if buckets is None else buckets)
    assert len(found) <= 1
    return found[0].partition("): ")[2] if found else ""


def check(margin, tolerance=1.1, quantile=0.95):
    tolerated = tolerance and Allowance(tolerance)
    return Check("latency", quantile, tolerance=tolerated, margin=Allowance(margin))


def test_without_edges_of_others_there_is_nothing_to_tell():
    assert findings([SLOW, SLOW_MAX], (), USUAL) == ()


def test_a_margin_without_an_edge_in_it_is_told_with_what_would_do():
    (found,) = findings([ERRORS, SLOW, SLOW], GO, USUAL)

    assert found == (
        "latency_p95 (tolerance 10 %, margin 20 %): no bucket edge lies above 250ms, the one "
        "nearest to the baseline's p95, up to 300ms (the next is 500ms), so a candidate as fast as "
        "the baseline cannot pass and one less than 2 times as slow can hardly fail. Write margin: "
        "100% or more, or an objective on an edge such as max: 500ms, or give the histogram an "
        "edge at 300ms."
    )


@pytest.mark.parametrize(
    "edges", [GO, (0.1, 0.15, 0.23, 0.3, 0.31), tuple(0.07 * 1.37**at for at in range(9))]
)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_what_is_suggested_works_and_less_does_not(edges, number):
    buckets = {number: 950, number + 1: 50}

    found = told(check(1.0 + 1e-6, None), edges, buckets)
    margin = 1.0 + parse_percent(re.search(r"margin: ([\d.]+%)", found)[1])
    at = parse_duration(re.search(r"an edge at ([\d.]+m?s)", told(check(1.02), edges, buckets))[1])

    assert "cannot pass" in told(check(margin - 0.001), edges, buckets)
    assert "cannot pass" not in told(check(margin), edges, buckets)
    assert edges[number] < at < edges[number + 1]
    finer = tuple(sorted({*edges, at}))
    moved = {number: 950, number + 2: 50}  # the bucket above is two now
    assert "cannot pass" not in told(check(1.02), finer, moved)
    objective = re.search(r"max: ([\d.]+m?s)", told(check(1.02), edges, buckets))[1]
    assert told(Check("latency", 0.95, maximum=parse_duration(objective)), edges) == ""


def test_the_last_edge_has_nothing_beyond_it():
    found = told(SLOW, GO, {10: 950, NEVER: 50})

    assert "above 10s, the one nearest to the baseline's p95, up to 12s, nor any further" in found
    assert found.endswith("cannot fail. To judge it, give the histogram an edge at 12s.")


def test_a_quantile_above_every_edge_is_not_measured():
    found = told(SLOW, GO, {10: 900, NEVER: 100})

    assert found.startswith("the quantile lies above the last bucket edge (10 s)")
    assert found.endswith("Give the histogram edges above 10s.")
    assert told(SLOW, GO, {NEVER: 1000}) == found


def test_a_quantile_below_every_edge_is_not_either():
    lowest = Check("latency", 0.2, tolerance=Allowance(1.1), margin=Allowance(2.0))

    assert "lies below the first bucket edge" in told(lowest, GO, {0: 900, 1: 100})
    assert "lies below the first bucket edge" in told(SLOW, (0.0, 1.0), {0: 1000})
    nonsense = told(check(1.2, quantile=0.6), (-2.0, 1.0, 1.1), {0: 100, 1: 900})
    assert "lies below the first bucket edge" in nonsense


def test_an_edge_far_from_the_quantile_is_told_where_the_margin_is_wide():
    """A p95 of 400 ms is 37 % from the edges around it, one of 350 ms only 29 %."""
    edges, buckets = (0.1, 0.25, 0.55, 1.0), {1: 900, 2: 100}

    assert told(check(3.0), edges, buckets) == (
        "no bucket edge within 30 % of 0.4 s (nearest: 0.55 s): differences in latency are hard "
        "to see. Give the histogram an edge near 400ms."
    )
    assert told(check(3.0), (0.1, 0.25, 0.45, 1.0), buckets) == ""


def test_fewer_than_200_requests_say_nothing_of_the_quantile():
    few = {4: 139, 5: 50, 6: 10}

    assert told(SLOW, GO, few) == ""
    assert told(SLOW, GO, {**few, NEVER: 1})
    assert told(SLOW_MAX, GO, {})


BETWEEN = (
    "no bucket edge is at 800ms, so a pass counts what is above 500ms as slow, a failure only what "
    "is above 1s. Write max: 500ms or max: 1s, or give the histogram an edge at 800ms."
)
ABOVE = (
    "20s lies above the last bucket edge, 10s, so a failure can never be shown, and a pass counts "
    "what is above 10s as slow. Write max: 10s, or give the histogram an edge at 20s."
)
BELOW = (
    "2ms lies below the first bucket edge, 5ms, so a pass can never be shown, and a failure counts "
    "only what is above 5ms. Write max: 5ms, or give the histogram an edge at 2ms."
)


@pytest.mark.parametrize(
    ("maximum", "found"),
    [(0.25, ""), (0.25 * (1 + 1e-12), ""), (0.8, BETWEEN), (20.0, ABOVE), (0.002, BELOW)],
)
def test_an_objective_between_two_edges_says_which_of_them_counts(maximum, found):
    assert told(Check("latency", 0.99, maximum=maximum)) == found
