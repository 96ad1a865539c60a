"""Edges come from the baseline's past, and round to the careful side."""

import math

import pytest
from hypothesis import given, strategies as st

from rollout.stats import histogram as histograms, slow
from rollout.stats.slow import HALF_LIFE, NEEDED, UNIT

NEVER = 1 << 20


def test_no_edge_before_enough_of_the_baseline_was_seen():
    reference = slow.learn(None, {100: NEEDED - 1}, NEVER, 0.0)
    assert slow.edges(reference, (0.5,)) is None

    reference = slow.learn(reference, {100: 1}, NEVER, 1.0)
    assert slow.edges(reference, (0.5,)) is not None
    assert slow.edges(None, (0.5,)) is None


def test_the_past_fades_with_its_half_life():
    reference = slow.learn(None, {100: 10_000}, NEVER, 0.0)

    reference = slow.learn(reference, {200: 1}, NEVER, HALF_LIFE)

    assert reference.weights.counts[0] == 5_000 * UNIT
    assert reference.weights.counts[-1] == UNIT


def test_an_edge_follows_the_baseline():
    reference = slow.learn(None, {100: 920, 120: 80}, NEVER, 0.0)
    before = slow.edges(reference, (0.95, 0.995))

    for minute in range(1, 61):
        reference = slow.learn(reference, {150: 920, 170: 80}, NEVER, minute * 60.0)

    assert before == (119, 120)
    assert slow.edges(reference, (0.95, 0.995)) == (169, 170)


def test_silence_does_not_make_the_baseline_forgotten():
    reference = slow.learn(None, {100: 920, 120: 80}, NEVER, 0.0)

    reference = slow.learn(reference, {100: 1}, NEVER, 100 * HALF_LIFE)

    assert histograms.total(reference.weights) >= (NEEDED - 2) * UNIT
    assert slow.edges(reference, (0.95,)) == (119,)


def test_a_baseline_that_mostly_fails_still_has_an_edge():
    reference = slow.learn(None, {100: 100, NEVER: 900}, NEVER, 0.0)
    assert slow.edges(reference, (0.5, 0.99)) == (100, 100)

    assert slow.edges(slow.learn(None, {NEVER: 900}, NEVER, 0.0), (0.5,)) is None


def test_a_clock_that_steps_back_forgets_nothing():
    reference = slow.learn(None, {100: 1000}, NEVER, 1000.0)

    assert slow.learn(reference, {100: 1}, NEVER, 0.0).weights.counts == [1001 * UNIT]


@given(st.floats(1.0, 100.0))
def test_shifts_round_to_the_careful_side(factor):
    up, down = slow.shift_at_least(factor, 1.02), slow.shift_at_most(factor, 1.02)

    assert 1.02**up >= factor * (1 - 1e-9)
    assert 1.02**down <= factor * (1 + 1e-9)
    assert up - down in (0, 1)


@pytest.mark.parametrize("buckets", [0, 1, 5, 35])
def test_a_factor_on_an_edge_shifts_by_just_as_many_buckets(buckets):
    factor = math.exp(buckets * math.log(1.02))

    assert slow.shift_at_least(factor, 1.02) == buckets == slow.shift_at_most(factor, 1.02)
