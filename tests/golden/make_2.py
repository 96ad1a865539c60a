"""Journals of version 2: the stories of ``make``, and those with the events that came with it.

python -m tests.golden.make_2 tests/golden/journal-v2
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rollout.domain import events as e
from rollout.domain.plan import Approve, Guard
from rollout.ports.store import Record
from rollout.runtime.pruning import prunable, prune
from tests.golden.make import SHORT, STAGES, STREAM, main, plan, undo, write
from tests.simulation.test_drive import Scene, make
from tests.simulation.test_late_calls import MIRROR, Play
from tests.simulation.test_tick import Ticks

UNWAITING = tuple(each for each in STAGES if not isinstance(each.work, Approve))
LATER = 1e11  # Unix seconds


def ticks() -> Sequence[Record]:
    """Driven by ticks, with less traffic on the candidate while nobody is there."""
    gate = replace(SHORT, min_duration=20.0, max_duration=600.0)
    scene = Ticks(make(*UNWAITING, gates={"short": gate}, guard=Guard(5)), rps=20.0)
    scene.ticks(every=5.0)
    return scene.shelf.events[STREAM]


def late() -> Sequence[Record]:
    """A runner freezes, and what it had begun lands while the next one drives."""
    play = Play()
    play.freeze_before(3)
    play.when(e.SetPointReached, lambda: play.world.by_hand(*MIRROR), stage="half")
    play.apply()
    return play.shelf.events[STREAM]


def superseded() -> Sequence[Record]:
    """A person puts another plan in the place of a paused run."""
    scene = Scene(plan(), rps=20.0)
    scene.once("mirror", lambda: scene.order(e.PauseOrdered("eve")))
    scene.observer.waiting.append(
        (
            lambda notice: notice.run.phase.value == "paused",
            lambda: scene.order(e.Superseded("eve", "i" * 64, "a typo")),
        )
    )
    scene.apply()
    return scene.shelf.events[STREAM]


def pruned() -> Sequence[Record]:
    """The older of two runs was forgotten."""
    scene = Scene(plan(), rps=20.0)
    undo(scene)
    found = prunable(scene.store(), STREAM, LATER)
    if found is None:
        raise ValueError("there is nothing to forget")
    prune(scene.store(), found, "eve")
    return scene.shelf.events[STREAM]


STORIES: Mapping[str, Callable[[], Sequence[Record]]] = {
    "ticks": ticks,
    "late": late,
    "superseded": superseded,
    "pruned": pruned,
}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    for name, story in STORIES.items():
        write(Path(sys.argv[1]), name, story())
