"""What a run knows about its candidate: plain JSON, so that any process can go on from it.

Whole numbers and floats survive JSON bit by bit; log likelihood ratios are cut *down* to a
millionth, which keeps the evidence short and errs on the side of less evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NotRequired, TypedDict, cast

from rollout.domain.errors import RolloutError
from rollout.domain.measure import NEVER
from rollout.gates import processes
from rollout.gates.processes import Process
from rollout.gates.published import Summary
from rollout.gates.rules import CheckRule, Rules, StageRule
from rollout.gates.sides import COUNTED, Side
from rollout.stats import grid as grids, ratio, slow
from rollout.stats.histogram import EMPTY, Histogram, merged

Evidence = Mapping[str, object]


class Packed(TypedDict):
    """A `Histogram`; ``edges`` are those of its buckets, seconds, where they are not ours."""

    first: int
    counts: list[int]
    never: int
    edges: NotRequired[list[float]]


class PackedReference(TypedDict):
    """A `slow.Reference`."""

    at: float
    seen: int
    weights: Packed


class Track(TypedDict):
    """One failing test over the whole rollout.

    ``start`` and ``stage`` are its processes since the start of the rollout and since the present
    stage began (empty list: not in this stage); ``offset`` is the log evidence of earlier visits to
    the present stage, ``frozen`` that of other stages. ``baseline`` and ``candidate`` are requests,
    then the events of each part.
    """

    since: float | None
    start: Process
    stage: Process
    offset: float
    frozen: dict[str, float]
    log_e: float
    max: float
    baseline: list[int]
    candidate: list[int]


class Record(TypedDict):
    """One check in the present stage.

    ``passing`` is the passing side's process, ``ratio`` are the log likelihood ratios behind the
    reported confidence bounds. ``baseline`` and ``candidate`` are events and requests as the
    failing side counts them, ``beyond`` the candidate's events as the passing side does.
    ``classes`` are a prediction's, ``sums`` those of a mean's values, the candidate's and the
    baseline's; ``means`` is the process behind a mean's reported bounds. With ``minutes`` the
    latency was published by the minute, and events and requests are minutes.
    """

    passing: Process
    ratio: list[float]
    baseline: list[int]
    candidate: list[int]
    beyond: int
    classes: NotRequired[list[dict[str, int]]]
    sums: NotRequired[list[float]]
    means: NotRequired[Process]
    minutes: NotRequired[Summary]


class StageState(TypedDict):
    """The stage that observes now, since it was entered last.

    ``waiting`` is an interval with too few requests to be judged by itself; ``guard``: the stage is
    over, and only its failing sides go on while the next one is being entered.
    """

    index: int
    first: float | None
    requests: list[int]
    checks: dict[str, Record]
    baseline: Packed
    candidate: Packed
    waiting: NotRequired[Any]
    guard: NotRequired[bool]


class Latch(TypedDict):
    """The moment the combined evidence reached the bound, and the test that had most of it."""

    key: str
    stage: int
    at: float
    log_e: float


class State(TypedDict):
    """All of it.

    ``last``: end of the last interval; ``covered``: end of the last histogram; ``phi``: dispersion
    of the error counts, estimated before the rollout; ``outputs``: prediction -> how its values are
    sorted into classes, or the baseline's answers so far while too few are known.
    """

    version: int
    grid: str
    last: float | None
    covered: float | None
    reference: PackedReference | None
    tracks: dict[str, Track]
    stage: StageState | None
    latch: Latch | None
    phi: NotRequired[float]
    outputs: NotRequired[dict[str, Any]]


def fresh(phi: float = 1.0) -> Evidence:
    """The evidence at the start of a run.

    Args:
        phi: Dispersion of the baseline's error counts, from its history before the rollout.
    """
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
    if phi > 1.0:
        state["phi"] = phi
    return state


def opened(evidence: Evidence) -> State:
    """The evidence with its types.

    Raises:
        RolloutError: It was written by another version, whose numbers must not be continued.
    """
    state = cast("State", evidence)
    if state["grid"] != grids.GRID_ID:
        raise RolloutError(
            "The run's evidence is another version's of rollout, whose tests bet on other factors "
            f"({state['grid']}, here {grids.GRID_ID}).",
            do="Let that version finish or verify the run; or take the candidate back: rollout abort",
        )
    return state


def present(rules: Rules, state: State) -> tuple[StageRule, StageState]:
    """The stage that observes now, with its rule.

    Raises:
        ValueError: No stage was entered yet.
    """
    stage = state["stage"]
    if stage is None:
        raise ValueError("no stage observes yet: enter one first")
    rule = rules.stages[stage["index"]]
    return replace(rule, guard=True) if stage.get("guard") else rule, stage


def empty_record(rule: CheckRule) -> Record:
    """The record of a check at the start of a stage."""
    passing, shown = rule.passing, rule.shown
    two_arms = shown.relative and shown.kind in COUNTED
    return {
        "passing": None if passing is None else processes.empty(passing),
        "ratio": list(ratio.start()) if two_arms else [],
        "baseline": [0, 0],
        "candidate": [0, 0],
        "beyond": 0,
    }


def empty_track(side: Side) -> Track:
    """The track of a failing test that has seen nothing and runs in no stage."""
    return {
        "since": None,
        "start": processes.empty(side),
        "stage": [],
        "offset": 0.0,
        "frozen": {},
        "log_e": 0.0,
        "max": 0.0,
        "baseline": [0] * (1 + side.parts),
        "candidate": [0] * (1 + side.parts),
    }


def pack(histogram: Histogram, edges: tuple[float, ...] = ()) -> Packed:
    """A histogram as JSON, a few characters a bucket.

    Args:
        histogram: The counts.
        edges: Of its buckets where they are not ours, seconds.
    """
    packed: Packed = {
        "first": histogram.first,
        "counts": list(histogram.counts),
        "never": histogram.never,
    }
    if edges:
        packed["edges"] = list(map(float, edges))
    return packed


def unpack(packed: Packed) -> Histogram:
    """The histogram of its JSON form."""
    return Histogram(packed["first"], packed["counts"], packed["never"])


def edges_of(packed: Packed) -> tuple[float, ...]:
    """The edges of its buckets, seconds; empty: they are ours."""
    return tuple(packed.get("edges", ()))


def counted(packed: Packed, buckets: Mapping[int, int], edges: tuple[float, ...]) -> Packed:
    """A histogram with an interval's requests; where those have other edges, theirs alone."""
    if not buckets:
        return packed
    known = unpack(packed) if edges_of(packed) == edges else EMPTY
    return pack(merged(known, buckets, NEVER), edges)


def pack_reference(reference: slow.Reference, edges: tuple[float, ...] = ()) -> PackedReference:
    """The baseline's reference latency as JSON, with the edges that it was learned with."""
    weights = pack(reference.weights, edges)
    return {"at": reference.at, "seen": reference.seen, "weights": weights}


def unpack_reference(
    packed: PackedReference | None, edges: tuple[float, ...] = ()
) -> slow.Reference | None:
    """The baseline's reference latency; None: nothing was learned yet with these edges."""
    if packed is None or edges_of(packed["weights"]) != edges:
        return None
    return slow.Reference(packed["at"], packed["seen"], unpack(packed["weights"]))
