"""The benchmark's cells: a kind of traffic, its rate, a candidate and the gate that looks at it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from benchmarks.detection import kinds
from benchmarks.detection.conditions import STEP
from benchmarks.detection.kinds import Candidate, Kind

ERRORS, LATENCY, BOTH, MAXIMUM = "errors", "latency", "errors and latency", "maximum"
SEED, TRIALS, QUICK = 20260801, 1000, 20
_USUAL, _FEW = 50.0, 0.5
_OTHERS = (5.0, 500.0)
_BAD_RATES = (kinds.TO_2, kinds.TO_5, kinds.CRASH)
_BAD_TIMES = (kinds.SLOW_20, kinds.SLOW_50, kinds.SLOW_100, kinds.TAIL)
# A cold start changes latencies only.
_ERROR_KINDS = tuple(kind for kind in kinds.KINDS if kind is not kinds.COLD)
_TIMED_KINDS = (kinds.CLEAN, kinds.DRIFTING, kinds.ALL)


@dataclass(frozen=True, slots=True)
class Cell:
    """One line of the plan of experiments.

    Args:
        gate: ``ERRORS``, ``LATENCY``, ``BOTH`` or ``MAXIMUM``: which checks the engine has.
        kind: Of the traffic.
        rps: Requests per second of both deployments together.
        candidate: What is rolled out.
    """

    gate: str
    kind: Kind
    rps: float
    candidate: Candidate

    @property
    def name(self) -> str:
        """As the table has it; also the seed's word."""
        return f"{self.gate}: {self.candidate.name}, {self.kind.name}, {self.rps:g} requests/s"

    @property
    def seconds(self) -> int:
        """Length of the engine's intervals.

        The product's own are 1 s (2 s with latencies). Where an hour passes, fewer and longer ones
        save time and cost the engine a few seconds.
        """
        if self.timed:
            return STEP
        soon = self.candidate in (kinds.TO_2, kinds.TO_5) and self.rps >= _USUAL
        return 1 if soon or self.candidate == kinds.CRASH else 5

    @property
    def timed(self) -> bool:
        """Whether latencies are simulated."""
        return self.gate in (LATENCY, BOTH)

    def stream(self, seed: int, trial: int) -> np.random.Generator:
        """The trial's own random numbers, whatever else runs before it."""
        return np.random.default_rng([seed, zlib.crc32(self.name.encode()), trial])


def full() -> list[Cell]:
    """Every cell."""
    return [*_healthy(), *_bad(), *_special()]


def quick() -> list[Cell]:
    """Those that the promises are about."""
    return [cell for cell in full() if cell.rps in (_USUAL, _FEW)]


def _healthy() -> list[Cell]:
    rates = [
        Cell(ERRORS, kind, rps, kinds.HEALTHY)
        for rps in (_USUAL, *_OTHERS)
        for kind in _ERROR_KINDS
    ]
    times = [Cell(LATENCY, kinds.DRIFTING, rps, kinds.HEALTHY) for rps in (_USUAL, *_OTHERS)]
    return rates + times + [Cell(BOTH, kind, _USUAL, kinds.HEALTHY) for kind in kinds.KINDS]


def _bad() -> list[Cell]:
    rates = [Cell(ERRORS, kind, _USUAL, bad) for bad in _BAD_RATES for kind in _ERROR_KINDS]
    rates += [
        Cell(ERRORS, kind, rps, bad)
        for bad in _BAD_RATES
        for rps in _OTHERS
        for kind in (kinds.CLEAN, kinds.ALL)
    ]
    rates += [Cell(ERRORS, kind, _USUAL, kinds.TO_1) for kind in (kinds.CLEAN, kinds.ALL)]
    times = [Cell(LATENCY, kind, _USUAL, bad) for bad in _BAD_TIMES for kind in _TIMED_KINDS]
    return (
        rates
        + times
        + [Cell(LATENCY, kinds.DRIFTING, rps, bad) for bad in _BAD_TIMES for rps in _OTHERS]
    )


def _special() -> list[Cell]:
    margins = [Cell(ERRORS, kind, _USUAL, kinds.MARGIN) for kind in (kinds.CLEAN, kinds.DRIFTING)]
    return [
        *margins,
        Cell(ERRORS, kinds.CLEAN, 500.0, kinds.MARGIN),
        Cell(ERRORS, kinds.CLEAN, _FEW, kinds.HEALTHY),
        Cell(ERRORS, kinds.OUTAGE, _USUAL, kinds.HEALTHY),
        Cell(MAXIMUM, kinds.OUTAGE, _USUAL, kinds.HEALTHY),
    ]
