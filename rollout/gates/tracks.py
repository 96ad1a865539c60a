"""The failing side over the whole rollout: one process from the start, one for each stage.

The evidence of a test is one half of its process since the start plus one half of the mean over
the stages that use it. A stage's process is worth 1 before the stage, runs during it and stays as
it is afterwards. Every term is an e-process, so the whole is one; the stages' half finds a late
regression that an early healthy stretch would otherwise hide for long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rollout.gates import processes
from rollout.gates.evidence import State, Track, empty_track
from rollout.gates.processes import Look
from rollout.gates.rules import Rules
from rollout.gates.sides import Side
from rollout.stats import grid as grids

_LOG_HALF = math.log(0.5)


def track_of(state: State, side: Side) -> Track:
    """The track of a failing test in the present stage; a new one where the rules are new."""
    return state["tracks"].get(side.key) or begun(empty_track(side), side, None)


def begun(track: Track, side: Side, stage: int | None) -> Track:
    """The track as a stage begins; evidence that an earlier visit left is continued."""
    if track["stage"]:
        return track
    frozen = dict(track["frozen"])
    offset = frozen.pop(str(stage), 0.0)
    return {**track, "stage": processes.empty(side), "offset": offset, "frozen": frozen}


def left(track: Track, side: Side, stage: int) -> Track:
    """The track as a stage ends: its process is frozen to one number."""
    if not track["stage"]:
        return track
    frozen = {**track["frozen"], str(stage): _stage_log_e(track, side)}
    return {**track, "stage": [], "offset": 0.0, "frozen": frozen}


def fed(track: Track, side: Side, seen: Look, at: float, planned: int) -> Track:
    """The track after one interval.

    Args:
        track: Before the interval; its stage has begun.
        side: The failing test.
        seen: What the interval has for it.
        at: The interval's start, Unix seconds.
        planned: Number of stages that use the test.
    """
    new: Track = {
        **track,
        "since": at if track["since"] is None else track["since"],
        "start": processes.fed(side, track["start"], seen),
        "stage": [],
        "baseline": _counted(track["baseline"], [pair.baseline for pair in seen.pairs]),
        "candidate": _counted(track["candidate"], [pair.candidate for pair in seen.pairs]),
    }
    # Until a second stage begins both are the same, and half of the work is saved.
    same = track["stage"] == track["start"]
    new["stage"] = new["start"] if same else processes.fed(side, track["stage"], seen)
    new["log_e"] = _log_e(new, side, planned)
    new["max"] = max(track["max"], new["log_e"])
    return new


def _counted(totals: Sequence[int], parts: Sequence[tuple[int, int]]) -> list[int]:
    if not parts:
        return list(totals)
    batch = [parts[0][1], *(events for events, _ in parts)]
    return [total + count for total, count in zip(totals, batch, strict=True)]


def _stage_log_e(track: Track, side: Side) -> float:
    return track["offset"] + processes.log_e(side, track["stage"])


def _log_e(track: Track, side: Side, planned: int) -> float:
    """Log evidence of the test: half from the start, half the mean over the planned stages."""
    start = processes.log_e(side, track["start"])
    same = track["stage"] is track["start"]
    present = start if same else processes.log_e(side, track["stage"])
    stages = [*track["frozen"].values(), track["offset"] + present]
    shares = max(planned, len(stages), 1)
    if shares > len(stages):
        stages.append(math.log(shares - len(stages)))
    by_stage = grids.log_sum(stages) - math.log(shares)
    return grids.log_sum([_LOG_HALF + start, _LOG_HALF + by_stage])


def combined(rules: Rules, state: State) -> float:
    """Log of the combined evidence: the mean over the plan's failing tests, 1 for those ahead."""
    if not rules.planned:
        return -math.inf
    tracks = state["tracks"]
    values = [tracks[key]["log_e"] if key in tracks else 0.0 for key in rules.planned]
    return grids.log_sum(values) + math.log(rules.weight)
