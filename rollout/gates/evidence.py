"""What a run knows about its candidate: plain JSON, so that any process can go on from it.

Whole numbers and floats survive JSON bit by bit; log likelihood ratios are cut *down* to a
millionth, which keeps the evidence short and errs on the side of less evidence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypedDict, cast

from rollout.gates.rules import CheckRule, Rules, Side, StageRule
from rollout.stats import grid as grids, ratio, slow
from rollout.stats.histogram import Histogram

Evidence = Mapping[str, object]
Lists = list[list[float]]


class Packed(TypedDict):
    """A `Histogram`."""

    first: int
    counts: list[int]
    never: int


class PackedReference(TypedDict):
    """A `slow.Reference`."""

    at: float
    seen: int
    weights: Packed


class Track(TypedDict):
    """One failing test over the whole rollout.

    ``start`` and ``stage`` hold, for each part of the test, its log likelihood ratios since the
    start of the rollout and since the present stage began (empty: not in this stage); ``offset``
    is the log evidence of earlier visits to the present stage, ``frozen`` that of other stages.
    ``baseline`` and ``candidate`` are requests, then the events of each part.
    """

    since: float | None
    start: Lists
    stage: Lists
    offset: float
    frozen: dict[str, float]
    log_e: float
    max: float
    baseline: list[int]
    candidate: list[int]


class Record(TypedDict):
    """One check in the present stage.

    ``passing`` are the passing side's log likelihood ratios, ``ratio`` those behind the reported
    confidence bounds. ``baseline`` and ``candidate`` are events and requests as the failing side
    counts them, ``beyond`` the candidate's events as the passing side does.
    """

    passing: list[float]
    ratio: list[float]
    baseline: list[int]
    candidate: list[int]
    beyond: int


class StageState(TypedDict):
    """The stage that observes now, since it was entered last."""

    index: int
    first: float | None
    requests: list[int]
    checks: dict[str, Record]
    baseline: Packed
    candidate: Packed


class Latch(TypedDict):
    """The moment the combined evidence reached the bound, and the test that had most of it."""

    key: str
    stage: int
    at: float
    log_e: float


class State(TypedDict):
    """All of it. ``last``: end of the last interval; ``covered``: end of the last histogram."""

    version: int
    grid: str
    last: float | None
    covered: float | None
    reference: PackedReference | None
    tracks: dict[str, Track]
    stage: StageState | None
    latch: Latch | None


def fresh() -> Evidence:
    """The evidence at the start of a run."""
    state: State = {
        "version": 1,
        "grid": grids.GRID_ID,
        "last": None,
        "covered": None,
        "reference": None,
        "tracks": {},
        "stage": None,
        "latch": None,
    }
    return state


def opened(evidence: Evidence) -> State:
    """The evidence with its types.

    Raises:
        ValueError: It was written by another version, whose numbers must not be continued.
    """
    state = cast("State", evidence)
    if state["grid"] != grids.GRID_ID:
        raise ValueError(f"evidence is on grid {state['grid']}, this version reads {grids.GRID_ID}")
    return state


def present(rules: Rules, state: State) -> tuple[StageRule, StageState]:
    """The stage that observes now, with its rule.

    Raises:
        ValueError: No stage was entered yet.
    """
    stage = state["stage"]
    if stage is None:
        raise ValueError("no stage observes yet: enter one first")
    return rules.stages[stage["index"]], stage


def empty_record(rule: CheckRule) -> Record:
    """The record of a check at the start of a stage."""
    return {
        "passing": list(grids.start(grids.PASS)),
        "ratio": list(ratio.start()) if rule.passing.relative else [],
        "baseline": [0, 0],
        "candidate": [0, 0],
        "beyond": 0,
    }


def empty_track(side: Side) -> Track:
    """The track of a failing test that has seen nothing and runs in no stage."""
    return {
        "since": None,
        "start": zeros(side),
        "stage": [],
        "offset": 0.0,
        "frozen": {},
        "log_e": 0.0,
        "max": 0.0,
        "baseline": [0] * (1 + side.parts),
        "candidate": [0] * (1 + side.parts),
    }


def zeros(side: Side) -> Lists:
    """Log likelihood ratios of each part of a failing test before any data."""
    return [list(grids.start(grids.FAIL)) for _ in range(side.parts)]


def grown(values: Sequence[float], steps: Sequence[float], scale: float = 1e6) -> list[float]:
    """Values plus steps, cut down to multiples of ``1 / scale``, never up.

    >>> grown([0.0], [-0.00000001])
    [-1e-06]
    """
    floor = math.floor
    return [
        floor((value + step) * scale) / scale for value, step in zip(values, steps, strict=True)
    ]


def pack(histogram: Histogram) -> Packed:
    """A histogram as JSON, a few characters a bucket."""
    return {
        "first": histogram.first,
        "counts": list(histogram.counts),
        "never": histogram.never,
    }


def unpack(packed: Packed) -> Histogram:
    """The histogram of its JSON form."""
    return Histogram(packed["first"], packed["counts"], packed["never"])


def pack_reference(reference: slow.Reference) -> PackedReference:
    """The baseline's reference latency as JSON."""
    return {"at": reference.at, "seen": reference.seen, "weights": pack(reference.weights)}


def unpack_reference(packed: PackedReference | None) -> slow.Reference | None:
    """The baseline's reference latency; None: nothing learned yet."""
    if packed is None:
        return None
    return slow.Reference(packed["at"], packed["seen"], unpack(packed["weights"]))
