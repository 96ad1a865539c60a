"""What counters grew by, over restarts, missing scrapes and series that come late."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from rollout.adapters.metrics.prometheus import counters
from rollout.adapters.metrics.prometheus.counters import Series, Span, Step
from rollout.domain.measure import NEVER

BLUE = {"job": "pods", "instance": "a"}


def series(samples: dict[float, float], **labels: str) -> Series:
    return Series({**BLUE, **labels}, samples)


def steps(one: Series, *others: Series) -> list[Step]:
    return list(counters.steps(one, counters.scrapes((one, *others))))


def test_a_step_is_what_was_counted_between_two_scrapes():
    assert steps(series({0: 5, 15: 8, 30: 8})) == [Step(0, 15, 3), Step(15, 30, 0)]


def test_a_missing_scrape_loses_nothing():
    assert steps(series({0: 5, 60: 105})) == [Step(0, 60, 100)]


def test_a_counter_that_fell_has_counted_from_zero():
    assert steps(series({0: 500, 15: 7})) == [Step(0, 15, 7)]


def test_a_first_failure_counts_where_its_target_was_scraped_before():
    failures, good = series({15: 4, 30: 6}, code="500"), series({0: 9, 15: 9, 30: 9}, code="200")

    assert steps(failures, good) == [Step(0, 15, 4), Step(15, 30, 2)]


def test_what_a_target_counted_before_its_first_scrape_is_unknown():
    assert steps(series({15: 4_000_000, 30: 4_000_001})) == [Step(15, 30, 1)]


def test_a_series_that_was_gone_for_a_scrape_began_anew():
    """Its new count may exceed the old one, so that nothing has fallen."""
    failures, good = series({0: 4, 45: 9}, code="500"), series({0: 1, 15: 1, 30: 1, 45: 1})

    assert steps(failures, good) == [Step(30, 45, 9)]


def test_samples_that_come_one_by_one_tell_nothing_of_each_other():
    """Pushed samples, or two scrapers of one target: what the one has the other did not miss."""
    for late in (0.4, 7.0, 11.0):
        one = series({15: 5, 30: 7, 45: 9}, replica="a")
        other = series({late: 400, 15 + late: 500, 30 + late: 600}, replica="b")

        assert steps(one, other) == [Step(15, 30, 2), Step(30, 45, 2)]
        assert [each.growth for each in steps(other, one)] == [100, 100]


def test_samples_that_share_a_time_by_chance_tell_nothing_of_each_other():
    one = series({15.0: 900, 30.0: 905, 45.1: 909}, pod="a")
    other = series({14.9: 400, 30.0: 500, 45.0: 600}, pod="b")

    assert [each.growth for each in steps(one, other)] == [5, 4]
    assert [each.growth for each in steps(other, one)] == [100, 100]


def test_another_target_does_not_tell_when_a_series_began():
    other = Series({"job": "pods", "instance": "b"}, {0: 1, 15: 1})

    assert steps(series({15: 4}), other) == []


def test_no_samples_are_no_steps():
    assert steps(series({})) == []
    assert counters.scrapes([series({})]).groups == []


def test_a_step_belongs_to_the_span_in_which_it_ends():
    first, second = Span(0, 0, 15), Span(0, 15, 30)

    assert [first.holds(0, 15), second.holds(0, 15)] == [True, False]
    assert [first.holds(10, 20), second.holds(10, 20)] == [False, True]


def test_a_step_from_before_the_beginning_is_of_another_stage():
    assert not Span(begin=5, start=5, end=30).holds(0, 15)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=30), st.data())
def test_the_steps_of_all_spans_are_what_was_counted(counts: list[int], data: st.DataObject):
    times = sorted(data.draw(st.sets(st.integers(0, 400), min_size=len(counts), max_size=len(counts))))  # fmt: skip
    total, samples = 0, {}
    for at, count in zip(times, counts, strict=True):
        total += count
        samples[float(at)] = float(total)
    cuts = [-1.0, *sorted(data.draw(st.sets(st.integers(0, 400), max_size=6))), 401.0]

    found = [
        step.growth
        for start, end in pairwise(cuts)
        for step in steps(series(samples))
        if Span(-math.inf, start, end).holds(step.before, step.at)
    ]

    assert sum(found) == total - counts[0]


# --- histograms -------------------------------------------------------------------


def histogram(readings: dict[float, dict[str, float]], **labels: str) -> list[Series]:
    every = {edge for cumulative in readings.values() for edge in cumulative}
    return [
        series({at: held[edge] for at, held in readings.items() if edge in held}, le=edge, **labels)
        for edge in sorted(every)
    ]


def grown(parts: list[Series], unit: float = 1.0) -> tuple[tuple[float, ...], list[dict[int, int]]]:
    found = counters.layers(parts, unit)
    known = counters.scrapes(parts)
    return found.edges, [dict(buckets) for _, _, buckets in counters.increases(found, known)]


def test_a_histogram_grows_bucket_by_bucket():
    parts = histogram(
        {0: {"0.1": 1, "0.5": 1, "+Inf": 2}, 15: {"0.1": 4, "0.5": 6, "+Inf": 9}},
    )

    assert grown(parts) == ((0.1, 0.5), [{0: 3, 1: 2, NEVER: 2}])


def test_edges_in_milliseconds_are_seconds_here():
    parts = histogram({0: {"100": 0, "+Inf": 0}, 15: {"100": 1, "+Inf": 1}})

    assert grown(parts, unit=1e-3)[0] == (0.1,)


def test_a_restarted_histogram_has_counted_from_zero():
    parts = histogram({0: {"0.1": 50, "+Inf": 90}, 15: {"0.1": 2, "+Inf": 3}})

    assert grown(parts)[1] == [{0: 2, NEVER: 1}]


def test_a_first_histogram_counts_where_its_target_was_scraped_before():
    parts = histogram({15: {"0.1": 2, "+Inf": 2}})
    known = counters.scrapes([*parts, series({0: 1, 15: 1})])

    assert [dict(each[2]) for each in counters.increases(counters.layers(parts, 1.0), known)] == [
        {0: 2}
    ]


def test_versions_with_other_edges_are_read_at_those_they_share():
    old = histogram({0: {"0.1": 0, "0.5": 0, "+Inf": 0}, 15: {"0.1": 1, "0.5": 3, "+Inf": 4}}, v="1")  # fmt: skip
    new = histogram({0: {"0.2": 0, "0.5": 0, "+Inf": 0}, 15: {"0.2": 5, "0.5": 6, "+Inf": 8}}, v="2")  # fmt: skip

    assert grown([*old, *new]) == ((0.5,), [{0: 3, NEVER: 1}, {0: 6, NEVER: 2}])


@pytest.mark.parametrize(
    "torn",
    [
        pytest.param({"0.1": 9, "0.5": 4, "+Inf": 9}, id="falls"),
        pytest.param({"0.1": -1, "0.5": 4, "+Inf": 9}, id="negative"),
    ],
)
def test_a_torn_scrape_is_left_out(torn: dict[str, float]):
    parts = histogram(
        {0: {"0.1": 1, "0.5": 1, "+Inf": 1}, 15: torn, 30: {"0.1": 3, "0.5": 5, "+Inf": 5}}
    )

    assert grown(parts)[1] == [{0: 2, 1: 2}]


def test_a_scrape_without_its_total_is_left_out():
    parts = histogram({0: {"0.1": 1, "+Inf": 1}, 15: {"0.1": 2}, 30: {"0.1": 3, "+Inf": 4}})

    assert grown(parts) == ((0.1,), [{0: 2, NEVER: 1}])


def test_what_has_no_edge_is_no_histogram():
    assert grown([series({0: 1, 15: 2})]) == ((), [])
    assert grown([series({0: 1, 15: 2}, le="quick")]) == ((), [])
