"""Runs the cells' trials on several processes; every number depends on the seed alone."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from benchmarks.detection.cells import Cell
from benchmarks.detection.methods import compiled, outcomes
from benchmarks.detection.outcome import Outcome
from benchmarks.detection.traffic import Counts, Traffic, bad_until, counted, longer, timed

Given = TypeVar("Given")
Found = TypeVar("Found")

_CHUNK = 25


@dataclass(frozen=True, slots=True)
class Ending:
    """One method's end of one trial, with what the candidate had served by then.

    Args:
        outcome: When.
        requests, bad: The candidate's answers, and the bad ones, up to the rollback; 0: none.
    """

    outcome: Outcome
    requests: int = 0
    bad: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some trials of a cell.

    Args:
        cell: Of which.
        first, last: Their numbers, the last exclusive.
        seed: Of the whole benchmark.
        endings: By method; empty before the run.
    """

    cell: Cell
    first: int
    last: int
    seed: int
    endings: dict[str, list[Ending]]


def run(cells: list[Cell], trials: int, seed: int, jobs: int) -> Iterator[Chunk]:
    """The chunks, cell by cell."""
    chunks = [
        Chunk(cell, at, min(trials, at + _CHUNK), seed, {})
        for cell in cells
        for at in range(0, trials, _CHUNK)
    ]
    yield from _spread(work, chunks, jobs)


def over(task: Callable[[int, int], Found], trials: int, seed: int, jobs: int) -> Iterator[Found]:
    """What a task of seed and trial returns for each trial, in order."""
    yield from _spread(partial(task, seed), range(trials), jobs)


def _spread(task: Callable[[Given], Found], given: Sequence[Given], jobs: int) -> Iterator[Found]:
    if jobs == 1:
        yield from map(task, given)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(task, given)


def work(chunk: Chunk) -> Chunk:
    """The chunk with its endings."""
    rules = compiled(chunk.cell)
    endings: dict[str, list[Ending]] = {}
    for trial in range(chunk.first, chunk.last):
        traffic = simulate(chunk.cell, chunk.seed, trial)
        served, bad = np.cumsum(traffic.candidate.requests), bad_until(traffic)
        for method, outcome in outcomes(chunk.cell, rules, traffic).items():
            ending = _ending(outcome, traffic.seconds, served, bad)
            endings.setdefault(method, []).append(ending)
    return replace(chunk, endings=endings)


def simulate(cell: Cell, seed: int, trial: int) -> Traffic:
    """The trial's traffic."""
    given = (cell.stream(seed, trial), cell.kind, cell.rps, cell.candidate)
    if cell.timed:
        return timed(*given)
    fine = counted(*given)
    return fine if cell.seconds == 1 else longer(fine, cell.seconds)


def _ending(outcome: Outcome, seconds: int, served: Counts, bad: Counts) -> Ending:
    if outcome.rolled_back is None:
        return Ending(outcome)
    at = int(outcome.rolled_back) // seconds - 1
    return Ending(outcome, int(served[at]), int(bad[at]))
