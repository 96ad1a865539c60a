"""Mixtures of likelihood ratios over a fixed grid of alternatives, in the log domain.

A test is a list of log likelihood ratios, one for each alternative of a `Grid`; its evidence is
their weighted mean. Alternatives are factors on the value that the null hypothesis allows: those
above 1 argue against the candidate (`FAIL`), those below 1 for it (`PASS`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import add as plus

GRID_ID = "24b"  # part of what is stored: evidence on another grid must not be continued
_COUNT = 24


@dataclass(frozen=True, slots=True)
class Grid:
    """Alternatives and their weights.

    Args:
        excess: Factor on the null's value, minus 1; all of one sign, each above -1.
        log_weights: Their logarithmic weights; the weights sum to 1.
    """

    excess: tuple[float, ...]
    log_weights: tuple[float, ...]


def _grid(low: float, high: float, weight: Callable[[float], float]) -> Grid:
    factors = [low * (high / low) ** (at / (_COUNT - 1)) for at in range(_COUNT)]
    total = math.fsum(map(weight, factors))
    return Grid(
        excess=tuple(factor - 1.0 for factor in factors),
        log_weights=tuple(math.log(weight(factor) / total) for factor in factors),
    )


def _likely(factor: float) -> float:
    """Cauchy's law of the factor's logarithm: most weight about 3.5, a little everywhere."""
    return 1.0 / (1.0 + (math.log(factor / 3.5) / 0.4) ** 2)


# Chosen on the benchmark's traffic: ``python -m benchmarks.detection.alternatives`` has others.
# An answer that is slower by a fifth is beyond a quantile 1.3 to 2 times as often, a candidate
# that loses users fails several times as often. A crash needs no weight.
FAIL = _grid(1.3, 200.0, _likely)
FAIL_SLOW = _grid(1.15, 50.0, lambda factor: 1.0 / factor)
PASS = _grid(0.02, 0.9, lambda _: 1.0)


def half_each(one: Grid, other: Grid) -> Grid:
    """Both grids as one, each with half of the weight.

    >>> half_each(FAIL, PASS).excess == FAIL.excess + PASS.excess
    True
    """
    weights = one.log_weights + other.log_weights
    return Grid(one.excess + other.excess, tuple(weight - math.log(2.0) for weight in weights))


def start(grid: Grid) -> tuple[float, ...]:
    """Log likelihood ratios before any data: evidence 1 for every alternative."""
    return (0.0,) * len(grid.excess)


def add(log_l: Sequence[float], steps: Sequence[float]) -> tuple[float, ...]:
    """Log likelihood ratios after a batch that contributes ``steps``."""
    return tuple(map(plus, log_l, steps))


def log_sum(values: Sequence[float]) -> float:
    """Logarithm of the sum of exponentials; no overflow at any size.

    >>> log_sum([1e12, 1e12]) - 1e12 < 1
    True
    """
    top = max(values)
    return top + math.log(math.fsum(map(math.exp, [value - top for value in values])))


def log_e(grid: Grid, log_l: Sequence[float]) -> float:
    """Logarithm of the evidence: of the weighted mean of the likelihood ratios.

    Args:
        grid: The alternatives.
        log_l: float[len(grid.excess)], log likelihood ratios.

    >>> abs(log_e(FAIL, start(FAIL))) < 1e-12
    True
    """
    return log_sum(list(map(plus, log_l, grid.log_weights)))


def steps(
    grid: Grid, *, share: float, rest: float, hits: float, others: float, virtual: float = 0.0
) -> tuple[float, ...]:
    """Log likelihood ratios of one batch of two outcomes, a hit or another.

    The null says that a hit has probability ``share``; alternative ``g`` says that its odds are
    ``g`` times as high. A hit then multiplies by ``a = g / (1 + share (g - 1))``, any other
    outcome by ``r = 1 / (1 + share (g - 1))``.

    Args:
        grid: The alternatives.
        share: 0..1.
        rest: ``1 - share``, handed in because the subtraction loses digits near 1.
        hits: Number of hits.
        others: Number of other outcomes.
        virtual: Mean of a Poisson number of further other outcomes, averaged over exactly: they
            contribute ``virtual * (r - 1)``.

    Returns:
        float[len(grid.excess)], to be added to the log likelihood ratios.
    """
    moved = [share * excess for excess in grid.excess]
    found = [-virtual * (part / (1.0 + part)) for part in moved] if virtual else [0.0] * len(moved)
    if others:
        found = [
            value - others * math.log1p(part) for value, part in zip(found, moved, strict=True)
        ]
    if hits:
        # log a as log1p keeps its sign where share is 1 but for the last digit.
        found = [
            value + hits * math.log1p(rest * excess / (1.0 + part))
            for value, part, excess in zip(found, moved, grid.excess, strict=True)
        ]
    return tuple(found)
