"""Journals as the version at hand writes them, kept to be read by every later one.

    python -m tests.golden.make FOLDER

These stories are told by every version: to make an older one's journals, copy this file into a
checkout of it and call it there. ``make_2`` adds what there is since version 2. The files are what
``rollout state export`` writes: a header, then a line a record.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rollout.domain import events as e
from rollout.domain.criteria import Check, Gate
from rollout.domain.plan import (
    Approve,
    Create,
    Delete,
    Mirror,
    Plan,
    Preflight,
    Scale,
    Shift,
    Smoke,
    Stage,
)
from rollout.ports.store import Record
from tests.simulation.test_drive import Scene, make

STREAM = "fake/diabetes"
SHORT = Gate("short", (Check("error_rate", maximum=0.4),), 2.0, 60.0, 5, 0.0)
UNSURE = Gate("short", (Check("error_rate", maximum=0.4),), 2.0, 5.0, 5000, 0.0)
WAITING = Stage("ok", Approve())
STAGES = (
    Stage("preflight", Preflight()),
    Stage("scale", Scale("baseline", 2)),
    Stage("create", Create("candidate")),
    Stage("smoke", Smoke("candidate", 3)),
    Stage("mirror", Mirror(10), "short"),
    Stage("half", Shift(50), "short"),
    WAITING,
    Stage("all", Shift(100), "short"),
    Stage("delete", Delete("baseline")),
)


class Killed(BaseException):
    """The runner is gone, in the middle of something."""


def plan(gate: Gate = SHORT) -> Plan:
    """What all of them carry out."""
    return make(*STAGES, gates={"short": gate})


def promote(scene: Scene) -> None:
    """Approved by somebody else, to the end."""
    approving(scene)
    scene.apply()


def rollback(scene: Scene) -> None:
    """The candidate goes bad with users on it."""
    scene.spoil("half", error_rate=0.9)
    scene.apply()


def abort(scene: Scene) -> None:
    """A person ends it."""
    scene.once("half", lambda: scene.order(e.AbortOrdered("eve", message="found a bug")))
    scene.apply()


def undo(scene: Scene) -> None:
    """A person goes back after the end; another run of the same stream."""
    scene.plan = make(*STAGES[:-1], gates={"short": SHORT})
    approving(scene)
    scene.apply()
    scene.undo()


def held(scene: Scene) -> None:
    """Inconclusive, tried again, paused, resumed, let go on as it is."""
    scene.plan = plan(UNSURE)
    scene.apply()
    scene.order(e.RetryOrdered("eve", "once more"))
    scene.once("mirror", lambda: scene.order(e.PauseOrdered("eve")))
    scene.observer.waiting.append(
        (lambda notice: notice.run.phase.value == "paused", lambda: scene.order(RESUME))
    )
    scene.carry_on()
    scene.order(e.AbortOrdered("eve", keep_traffic=True))


RESUME = e.ResumeOrdered("eve", adopt=True, message="it was me")


def opened(scene: Scene) -> None:
    """A runner dies while it waits for an approval, with half of the users on the candidate."""

    def mark(label: str) -> None:
        run = scene.shelf.events and scene.story[-1].state
        if run and run.stage == WAITING and label == "after read":
            raise Killed

    try:
        scene.apply(mark=mark)
    except Killed:
        return


def taken(scene: Scene) -> None:
    """A runner dies while half of the users are on the candidate; another one takes over."""

    def mark(label: str) -> None:
        run = scene.shelf.events and scene.story[-1].state
        live = run and run.stage and run.stage.id == "half" and run.judgement
        if live and label == "after append":
            raise Killed

    with suppress(Killed):
        scene.apply(mark=mark)
    approving(scene)
    scene.carry_on()


def approving(scene: Scene) -> None:
    """Somebody says yes as soon as it is asked for."""
    scene.once("ok", lambda: scene.approve("eve"))


STORIES: Mapping[str, Callable[[Scene], None]] = {
    "promote": promote,
    "rollback": rollback,
    "abort": abort,
    "undo": undo,
    "held": held,
    "open": opened,
    "taken": taken,
}


def write(folder: Path, name: str, records: Sequence[Record]) -> None:
    """A journal into its file."""
    head = hashlib.sha256(records[-1].body).hexdigest()
    told = {STREAM: {"entries": len(records), "head": head}}
    lines: list[Mapping[str, object]] = [{"rollout": "journal", "format": 1, "streams": told}]
    lines += [
        {"stream": STREAM, "seq": each.seq, "run": each.run, "body": each.body.decode()}
        for each in records
    ]
    text = "".join(f"{json.dumps(each, separators=(',', ':'))}\n" for each in lines)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")


def main(folder: Path) -> None:
    """Write every story."""
    for name, story in STORIES.items():
        scene = Scene(plan(), rps=20.0)
        story(scene)
        write(folder, name, scene.shelf.events[STREAM])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
