"""Runners as real processes that can be killed or frozen at any of their marks.

The main program keeps a warm interpreter: for each line of JSON on its standard input it forks a
process that drives a scenario, and answers with a line of JSON once that process has ended, or
stands still. The names in the lines are those of ``tests.torture.server.Wish``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rollout.adapters.owner import myself, surely_dead
from rollout.domain.errors import RolloutError
from rollout.ports.observer import Alert, Notice
from rollout.runtime import begin
from rollout.runtime.begin import Course
from rollout.runtime.journal import Journal
from rollout.runtime.lease import Before, Owner
from rollout.runtime.runner import Runner
from tests.torture.place import Place
from tests.torture.scenarios import SCENARIOS, Person

ENDED = 7  # the exit status of a process that ended by itself, well or with an error of ours


class Onlooker:
    """A person who acts, and remembers what was told at once."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self.alerts: list[str] = []

    def saw(self, notice: Notice) -> None:
        if isinstance(notice, Alert):
            self.alerts.append(notice.text)
        self._person.saw(notice)


def drive(wish: dict[str, Any], mark: Callable[[str], None]) -> dict[str, object]:
    """What came of a runner, an error of ours included."""
    try:
        return _driven(wish, mark)
    except RolloutError as error:
        return {"error": type(error).__name__, "text": str(error), "code": error.code}


def _driven(wish: dict[str, Any], mark: Callable[[str], None]) -> dict[str, object]:
    """As ``rollout.api.apply`` does it."""
    scenario = SCENARIOS[wish["scenario"]]
    place = Place(Path(wish["folder"]), wish["state"], wish["time"])
    plan = scenario.plan(place.name)
    endpoint = place.endpoint(plan, str(os.getpid()), mark)
    # Another machine cannot know of a process here that it is dead.
    me = Owner(myself(), surely_dead if not wish["elsewhere"] else lambda _: False)
    onlooker = Onlooker(Person(scenario, place.store))

    def own(journal: Journal, before: Before) -> Course:
        standing = begin.stand(plan, endpoint, journal.refresh())
        if standing.course is not Course.NOTHING:
            begin.own(plan, endpoint, journal, standing, "ada", before)
        return standing.course

    runner = Runner(plan, endpoint, place.store, place.clock, me, onlooker, mark=mark)
    try:
        run, course = runner.run(own, patience=wish["patience"])
    finally:
        place.close()
    return {"phase": run.phase.value, "course": course.value, "alerts": onlooker.alerts}


def run(wish: dict[str, Any]) -> dict[str, object]:
    """Drive to the end, or to the mark at which this process kills or freezes itself."""
    labels: list[str] = []

    def mark(label: str) -> None:
        labels.append(label)
        if len(labels) == wish["kill_at"]:
            os.kill(os.getpid(), signal.SIGKILL)
        if len(labels) == wish["stop_at"]:
            os.kill(os.getpid(), signal.SIGSTOP)

    return {**drive(wish, mark), "labels": labels}


def forked(wish: dict[str, Any]) -> tuple[int, int]:
    """A process of its own, and where it tells what came of it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            told = json.dumps(run(wish)).encode()
            os.write(writer, len(told).to_bytes(4, "big") + told)
            os._exit(ENDED)
        except BaseException as error:  # noqa: BLE001 - the last line of a process
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
    os.close(writer)
    return child, reader


def awaited(child: int, reader: int) -> dict[str, object]:
    """What became of the process: it stands still, or its signal, or its status and its words."""
    with os.fdopen(os.dup(reader), "rb") as told:
        _, status = os.waitpid(child, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            return {"stopped": child}
        os.close(reader)
        if os.WIFSIGNALED(status):
            return {"signal": os.WTERMSIG(status)}
        size = int.from_bytes(told.read(4), "big")
        words = json.loads(told.read(size) or b"{}")
    return {"status": os.WEXITSTATUS(status), **words}


def main() -> None:
    standing: dict[int, int] = {}
    for line in sys.stdin:
        wish = json.loads(line)
        if (racers := wish.pop("racers", 0)) > 1:
            children = [forked(wish) for _ in range(racers)]
            ends = [awaited(*each) for each in children]
            print(json.dumps({"ends": ends}), flush=True)  # noqa: T201 - the answer
            continue
        if (child := wish.get("go_on")) is not None:
            reader = standing.pop(child)
            os.kill(child, signal.SIGCONT)
        else:
            child, reader = forked(wish)
        found = awaited(child, reader)
        if "stopped" in found:
            standing[child] = reader
        print(json.dumps(found), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
