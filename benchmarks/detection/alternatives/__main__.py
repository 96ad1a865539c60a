"""`python -m benchmarks.detection.alternatives`: other mixtures on the benchmark's traffic."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.detection import kinds
from benchmarks.detection.alternatives import batches
from benchmarks.detection.alternatives.batches import Batch, batch, coarser
from benchmarks.detection.alternatives.mixture import (
    Mixture,
    as_the_baseline,
    crossings,
    of,
    powers,
    ratio_so_far,
    with_bet,
)
from benchmarks.detection.cells import SEED
from rollout.stats import grid as grids
from rollout.stats.grid import Grid

_ALPHA, _BETA, _MARGIN = 0.01, 0.05, 0.005
_SHORT = powers(1.3, 200.0, -0.8)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.alternatives")
    parser.add_argument("--trials", type=int, default=1000, help="a case [1000]")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the traffic [{SEED}]")
    asked = parser.parse_args()
    print(f"50 requests/s, 10 %, {asked.trials:,} rollouts a case, seed {asked.seed}")
    for table in (_failing, _passing, _longer):
        for line in table(asked.trials, asked.seed):
            print(line, flush=True)


def _against() -> list[Mixture]:
    """Mixtures against the candidate."""
    one = np.array([3.0])
    short = of("1.3..200, weights g^-0.8", _SHORT)
    product = of("product's grid", grids.FAIL)
    return [
        product,
        replace(product, name="product's grid, overshoot saved", sparing=True),
        of("Cauchy about 3, scale 0.4", _cauchy(3.0, 0.4)),
        of("Cauchy about 3.5, scale 0.6", _cauchy(3.5, 0.6)),
        of("the first: 1.3..1000, 1/(j+1)", _first()),
        of("the same from 1.15", _harmonic(1.15, 1000.0)),
        of("1.3..1000, uniform", powers(1.3, 1000.0, 0.0)),
        of("1.3..200, 1/(j+1)", _harmonic(1.3, 200.0)),
        of("1.2..200, weights g^-0.8", powers(1.2, 200.0, -0.8)),
        of("1.5..200, weights g^-0.8", powers(1.5, 200.0, -0.8)),
        short,
        of("1.3..200, weights g^-1.2", powers(1.3, 200.0, -1.2)),
        with_bet("1.3..200, g^-0.8, half on the ratio so far", _SHORT, ratio_so_far, 0.5),
        replace(of("the first, overshoot saved", _first()), sparing=True),
        replace(short, name="1.3..200, g^-0.8, overshoot saved", sparing=True),
        Mixture("one point at 4, which knows the effect", one, np.zeros(1)),
        Mixture("the same, overshoot saved", one, np.zeros(1), sparing=True),
    ]


def _first() -> Grid:
    """The grid with which this benchmark began, whatever the product has now."""
    return _harmonic(1.3, 1000.0)


def _cauchy(middle: float, scale: float) -> Grid:
    factors = np.geomspace(1.3, 200.0, 24)
    weights = 1 / (1 + (np.log(factors / middle) / scale) ** 2)
    return Grid(tuple(factors - 1), tuple(np.log(weights / weights.sum())))


def _harmonic(low: float, high: float) -> Grid:
    factors, weights = np.geomspace(low, high, 24), 1 / np.arange(1, 25)
    return Grid(tuple(factors - 1), tuple(np.log(weights / weights.sum())))


def _favour() -> list[Mixture]:
    """Mixtures for the candidate."""
    bet = as_the_baseline(_MARGIN)
    wide = powers(0.02, 0.9, 0.0)
    return [
        with_bet("product: half on the baseline's rate so far", grids.PASS, bet, 0.5),
        of("the first: 0.02..0.9, uniform", wide),
        of("0.05..0.9, uniform", powers(0.05, 0.9, 0.0)),
        of("0.02..0.9, weights g^0.5", powers(0.02, 0.9, 0.5)),
        with_bet("0.8 on the baseline's rate so far", grids.PASS, bet, 0.8),
    ]


def _failing(trials: int, seed: int) -> Iterator[str]:
    bad, good = batches.bad(trials, seed), batches.healthy(trials, seed)
    crash = batch(kinds.CLEAN, kinds.CRASH, 60, trials, seed)
    for points in (0.0, 0.001):
        yield f"\nrollback, tolerance {points * 100:g}pp: median s (missed %)"
        names = [each.name for each in bad]
        yield _row("", [*names, "crash: requests", *(f"false %, {each.name}" for each in good)])
        for mixture in _against():
            cells = [_median(mixture, each, points, _ALPHA) for each in bad]
            ends = crossings(mixture, crash, points=points, level=_ALPHA)
            cells.append(f"{crash.requests(ends).mean():.2f}")
            cells += [_found(mixture, each, points, _ALPHA) for each in good]
            yield _row(mixture.name, cells)


def _passing(trials: int, seed: int) -> Iterator[str]:
    rates = (0.0001, 0.001, 0.005, 0.02)
    good = [
        batch(
            kinds.CLEAN, replace(kinds.HEALTHY, name=f"{rate:.2%}", base=rate), 3600, trials, seed
        )
        for rate in rates
    ]
    good.append(batch(kinds.ALL, kinds.HEALTHY, 3600, trials, seed))
    margin = batch(kinds.CLEAN, kinds.MARGIN, 3600, trials, seed)
    yield "\npass, margin 0.5pp: median s (undecided %)"
    yield _row("", [*(each.name for each in good), "wrong %, at the margin"])
    for mixture in _favour():
        cells = [_median(mixture, each, _MARGIN, _BETA) for each in good]
        yield _row(mixture.name, [*cells, _found(mixture, margin, _MARGIN, _BETA)])


def _longer(trials: int, seed: int) -> Iterator[str]:
    bad = [batch(kinds.CLEAN, each, 1200, trials, seed) for each in (kinds.TO_2, kinds.TO_5)]
    mixture = of("product's grid", grids.FAIL)
    yield "\nlength of the intervals, product's grid, tolerance 0pp: median s"
    yield _row("", [each.name for each in bad])
    for seconds in (1, 5, 10, 15, 60):
        ends = [
            seconds
            * np.median(crossings(mixture, coarser(each, seconds), points=0.0, level=_ALPHA))
            for each in bad
        ]
        yield _row(f"{seconds} s", [f"{end:,.0f}" for end in ends])


def _median(mixture: Mixture, cases: Batch, points: float, level: float) -> str:
    ends = crossings(mixture, cases, points=points, level=level)
    middle, never = float(np.median(ends)), float(np.isinf(ends).mean())
    shown = "-" if math.isinf(middle) else f"{middle:,.0f}"
    return f"{shown} ({100 * never:.1f})"


def _found(mixture: Mixture, cases: Batch, points: float, level: float) -> str:
    ends = crossings(mixture, cases, points=points, level=level)
    return f"{100 * np.isfinite(ends).mean():.2f}"


def _row(name: str, cells: list[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
