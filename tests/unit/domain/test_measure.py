"""The histogram's buckets: every duration lies in its own, and NEVER behind all."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, strategies as st

from rollout.domain.codec import decode, encode
from rollout.domain.measure import GROWTH, NEVER, Arm, bucket_of, edge


@given(st.floats(1e-6, 1e5))
def test_a_duration_lies_between_the_edges_of_its_bucket(seconds: float) -> None:
    bucket = bucket_of(seconds)

    assert seconds <= edge(bucket) * (1 + 1e-9)
    assert seconds > edge(bucket - 1) * (1 - 1e-9)


@given(st.integers(0, 1400))
def test_an_edge_lies_in_its_own_bucket_and_what_is_above_it_in_the_next(bucket: int) -> None:
    assert bucket_of(edge(bucket)) == bucket
    assert bucket_of(edge(bucket) * 1.001) == bucket + 1


@given(st.floats(1e-7, 1e4), st.floats(1e-7, 1e4))
def test_slower_is_never_in_a_lower_bucket(one: float, other: float) -> None:
    low, high = sorted((one, other))

    assert bucket_of(low) <= bucket_of(high)


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, 0), (1e-9, 0), (1e-6, 0), (1e-6 * GROWTH, 1)]
)
def test_the_first_bucket_takes_everything_up_to_a_microsecond(seconds: float, bucket: int) -> None:
    assert bucket_of(seconds) == bucket


def test_a_request_without_an_answer_is_slower_than_every_other() -> None:
    assert edge(NEVER) == math.inf
    assert bucket_of(30 * 86400.0) < NEVER


EDGES, OTHER = (0.1, 0.5), (0.1, 0.25)
NOTHING, EMPTY = Arm(1), Arm(1, 0, {}, edges=OTHER)
FEW, MORE = Arm(4, 0, {0: 3, NEVER: 1}, edges=EDGES), Arm(2, 0, {0: 1, 1: 1}, edges=EDGES)


@pytest.mark.parametrize(
    ("one", "two", "latency", "edges"),
    [
        (FEW, MORE, {0: 4, 1: 1, NEVER: 1}, EDGES),
        (FEW, NOTHING, {0: 3, NEVER: 1}, EDGES),
        (NOTHING, FEW, {0: 3, NEVER: 1}, EDGES),
        (FEW, EMPTY, {0: 3, NEVER: 1}, EDGES),
        (EMPTY, FEW, {0: 3, NEVER: 1}, EDGES),
        (NOTHING, EMPTY, {}, OTHER),
        (EMPTY, NOTHING, {}, OTHER),
        (FEW, Arm(2, 0, {0: 2}, edges=OTHER), {0: 2}, OTHER),  # the newer one alone
        (FEW, Arm(2, 0, {600: 2}), {600: 2}, ()),
        (Arm(2, 0, {600: 2}), FEW, {0: 3, NEVER: 1}, EDGES),
        (NOTHING, NOTHING, None, ()),
    ],
)
def test_two_intervals_latencies_are_added_where_their_edges_are_the_same(
    one: Arm, two: Arm, latency: object, edges: tuple[float, ...]
) -> None:
    found = one.plus(two)

    assert (found.latency, found.edges) == (latency, edges)
    assert found.requests == one.requests + two.requests


def test_edges_are_written_only_where_they_are_not_ours() -> None:
    ours, theirs = encode(Arm(2, 0, {600: 2})), json.loads(json.dumps(encode(FEW)))

    assert "edges" not in ours
    assert theirs["edges"] == [0.1, 0.5]
    assert decode(Arm, theirs) == FEW
