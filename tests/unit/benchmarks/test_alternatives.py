"""The tried mixtures are the product's formula on arrays, and what they save stays valid."""

import math

import numpy as np
import pytest

from benchmarks.detection import kinds, rules as gates
from benchmarks.detection.alternatives.batches import Batch, batch, coarser
from benchmarks.detection.alternatives.likelihood import log_sum
from benchmarks.detection.alternatives.mixture import (
    as_the_baseline,
    crossings,
    of,
    powers,
    ratio_so_far,
    with_bet,
)
from benchmarks.detection.alternatives.sparing import _binomial, _boost
from benchmarks.detection.cells import ERRORS, Cell
from benchmarks.detection.engine import engine
from benchmarks.detection.traffic import counted, longer
from rollout.stats import grid as grids

SEED = 11


@pytest.mark.parametrize(("check", "points"), [(gates.ERRORS, 0.001), (gates.ERRORS_STRICT, 0.0)])
def test_the_products_grid_ends_when_the_product_does(check, points):
    cell = Cell(ERRORS, kinds.CLEAN, 50.0, kinds.TO_2)
    cases = coarser(batch(kinds.CLEAN, kinds.TO_2, 900, 6, SEED), 10)

    ends = crossings(of("", grids.FAIL), cases, points=points, level=0.01)
    streams = (cell.stream(SEED, trial) for trial in range(6))
    traffic = [counted(stream, cell.kind, cell.rps, cell.candidate) for stream in streams]
    product = [engine(gates.rules(check), longer(each, 10)) for each in traffic]

    assert (10 * ends).tolist() == [each.rolled_back for each in product]


def test_a_bet_sees_the_past_alone():
    now = np.array([[[5, 0]], [[10, 10]], [[0, 0]], [[90, 90]]])
    first = Batch("", now[:, :, :1])
    grid = powers(1.3, 200.0, -0.8)

    with_ratio = crossings(with_bet("", grid, ratio_so_far, 0.5), first, points=0.0, level=0.5)
    with_rate = crossings(
        with_bet("", powers(0.02, 0.9, 0.0), as_the_baseline(0.005), 0.8),
        first,
        points=0.005,
        level=0.05,
    )

    assert with_ratio.tolist() == [1.0]
    assert math.isinf(with_rate[0])


def test_what_is_saved_keeps_the_mean_at_one():
    share, failures = np.array([0.1, 0.3]), np.array([2.0, 5.0])
    chances = _binomial(failures, share, 6)
    parts = np.arange(6)
    factors = np.where(
        parts <= failures[:, None],
        (4 / (1 + 3 * share[:, None])) ** parts
        * (1 / (1 + 3 * share[:, None])) ** np.maximum(failures[:, None] - parts, 0),
        0.0,
    )
    bound = np.array([2.0, 1.5])

    boost = _boost(factors, chances, bound)

    assert chances.sum(axis=1) == pytest.approx(1.0)
    assert (chances * factors).sum(axis=1) == pytest.approx(1.0)
    assert (boost > 1).all()
    cut = np.minimum(boost[:, None] * factors, bound[:, None])
    assert (chances * cut).sum(axis=1) == pytest.approx(1.0)


def test_longer_intervals_hold_the_same_requests():
    fine = batch(kinds.CLEAN, kinds.TO_2, 120, 2, SEED)

    found = coarser(fine, 60)

    assert found.seconds == 2
    assert found.counts.sum() == fine.counts.sum()
    assert (
        fine.requests(np.array([math.inf, 120.0])).tolist() == fine.counts[1].sum(axis=1).tolist()
    )


def test_weights_sum_to_one():
    grid = powers(1.3, 200.0, -0.8)

    assert log_sum(np.array(grid.log_weights)) == pytest.approx(0.0)
    assert log_sum(with_bet("", grid, ratio_so_far, 0.3).log_weights) == pytest.approx(0.0)
