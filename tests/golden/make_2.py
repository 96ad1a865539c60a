"""Journals of version 2: the stories of ``make``, and those with every event they do not have.

Told twice they differ in their random ids and the digests over them, in nothing else.

python -m tests.golden.make_2 tests/golden/journal-v2
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rollout.domain import events as e
from rollout.domain.criteria import Check, Gate
from rollout.domain.plan import Approve, Guard, Mirror, OnFailure, Shift
from rollout.ports.store import Record
from rollout.runtime.pruning import prunable, prune
from tests.golden.make import SHORT, STAGES, STREAM, WAITING, main, plan, undo, write
from tests.simulation.test_drive import CREATE, PREFLIGHT, Scene, make, stage
from tests.simulation.test_late_calls import MIRROR, Play
from tests.simulation.test_tick import Ticks

UNWAITING = tuple(each for each in STAGES if not isinstance(each.work, Approve))
LATER = 1e11  # Unix seconds
AGREEMENT = Check("response_agreement", maximum=0.5, severity="warn")
ALIKE = Gate("alike", (*SHORT.checks, AGREEMENT), 70.0, 600.0, 5, 0.0)


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


def thawed() -> Sequence[Record]:
    """A runner stands still with a call on its lips, until another has ended the run."""
    play = Play()

    def others() -> None:
        play.order(e.AbortOrdered("eve"))
        play.apply()
        play.world.stand_by("green")  # else the service would refuse the call

    play.thaws(3, others)
    return play.shelf.events[STREAM]


def restored() -> Sequence[Record]:
    """Each tick gives the candidate its share back, and takes it away when it leaves."""
    gate = replace(SHORT, min_duration=10.0, max_duration=600.0)
    stages = PREFLIGHT, CREATE, stage(Shift(50), "short")
    scene = Ticks(make(*stages, gates={"short": gate}, guard=Guard(5)), rps=20.0)
    scene.ticks(8.0)
    return scene.shelf.events[STREAM]


def compared() -> Sequence[Record]:
    """The candidate answers otherwise than the baseline, and nobody is there to read all of it."""
    stages = PREFLIGHT, CREATE, stage(Mirror(10), "alike")
    scene = Ticks(make(*stages, gates={"alike": ALIKE}), rps=20.0)
    scene.world.behave("green", body=b'["churns"]')
    scene.ticks(2.0)
    return scene.shelf.events[STREAM]


def rejected() -> Sequence[Record]:
    """A call fails, a person says no, and only a later runner can show that all is as before."""
    scene = Scene(replace(plan(), on_failure=OnFailure(verify_within=6.0)), rps=20.0)
    scene.once("mirror", lambda: scene.world.fault("perform"))

    def reject() -> None:
        scene.order(e.Rejected("eve", "not on a Friday"))
        scene.world.behave("blue", error_rate=1.0)

    scene.once(WAITING.id, reject)
    scene.apply()
    scene.world.behave("blue")
    scene.carry_on()
    return scene.shelf.events[STREAM]


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
    "thawed": thawed,
    "restored": restored,
    "compared": compared,
    "rejected": rejected,
    "superseded": superseded,
    "pruned": pruned,
}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    for name, story in STORIES.items():
        write(Path(sys.argv[1]), name, story())
