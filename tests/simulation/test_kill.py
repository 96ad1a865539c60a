"""A runner that is killed at any point, in real processes on a real store: another one finishes.

Time is virtual and shared through a file, so that a run is the same each time and none waits.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

import pytest

from rollout.domain import events as e
from rollout.domain.advance import advance
from rollout.domain.run import Phase, Run
from rollout.runtime.journal import Entry, entries
from tests.simulation.runner_process import ENDED, SCENARIOS, Place

ROOT = Path(__file__).parents[2]
AT_ONCE = 2
EFFORT = 60  # processes until a run that is killed again and again must have ended


class Server:
    """A warm interpreter that forks runners."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.simulation.runner_process"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, folder: Path, scenario: str, kill_at: int = 0) -> dict[str, object]:
        wanted = {"folder": str(folder), "scenario": scenario, "kill_at": kill_at}
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()


@dataclass(frozen=True)
class End:
    """How a scenario ended, without what differs each time."""

    run: Run
    story: list[Entry]
    writes: list[str]
    splits: list[str]
    deployments: dict[str, int]
    doubled: list[str]
    seconds: float

    @property
    def outcome(self) -> tuple[object, ...]:
        """What must be the same, whoever was killed when."""
        done = [each.id for each in self.run.done]
        why = self.run.cause.why if self.run.cause else None
        return self.run.phase, why, done, self.writes, self.splits, self.deployments


@pytest.fixture(scope="module")
def servers() -> Iterator[list[Server]]:
    made = [Server() for _ in range(AT_ONCE)]
    yield made
    for each in made:
        each.close()


@pytest.fixture
def place(tmp_path) -> Iterator[Path]:
    """A folder in memory where there is one: no power cut is tested here, and disks are slow."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as made:
        yield Path(made)


@contextmanager
def opened(folder: Path) -> Iterator[Place]:
    made = Place(folder)
    yield made
    made.close()


def fresh(folder: Path, scenario: str) -> Path:
    folder.mkdir()
    with opened(folder) as made:
        made.arrange(SCENARIOS[scenario])
    return folder


def end(folder: Path) -> End:
    with opened(folder) as made:
        (stream,) = made.store.streams()
        story = list(entries(made.store, stream))
        with made.world.change() as real:
            began = real.splits[0].at
            deployments = {name: each.instances for name, each in real.deployments.items()}
        accepted = made.world.accepted
        return End(
            run=story[-1].state,
            story=story,
            writes=made.world.writes,
            splits=made.world.splits,
            deployments=deployments,
            doubled=[f"{each.op} {each.arg}" for each in accepted if not each.changed],
            seconds=made.clock.now() - began,
        )


def sound(found: End) -> None:
    """What holds for every journal."""
    assert len({each.state.id for each in found.story}) == 1
    assert found.doubled == []
    until = 0.0
    for before, after in pairwise(found.story):
        assert after.epoch in (before.epoch, before.epoch + 1)
        assert after.state == advance(before.state, after.event, after.at)
        for interval in after.event.intervals if isinstance(after.event, e.Measured) else ():
            assert until <= interval.start < interval.end
            until = interval.end


@pytest.mark.parametrize(
    ("scenario", "phase"),
    [("promote", Phase.COMPLETED), ("rollback", Phase.ROLLED_BACK), ("abort", Phase.ROLLED_BACK)],
)
def test_a_killed_run_ends_as_an_undisturbed_one(servers, place, scenario, phase):
    calm = fresh(place / "calm", scenario)
    labels = servers[0].run(calm, scenario)["labels"]
    undisturbed = end(calm)
    assert undisturbed.run.phase is phase
    assert {"after read", "after intent", "after effect", "before append"} <= set(labels)
    idle: SimpleQueue[Server] = SimpleQueue()
    for server in servers:
        idle.put(server)

    def killed(at: int) -> tuple[int, End]:
        folder = fresh(place / str(at), scenario)
        server = idle.get()
        try:
            assert server.run(folder, scenario, at) == {"signal": signal.SIGKILL}
            assert server.run(folder, scenario)["status"] == ENDED
        finally:
            idle.put(server)
        return at, end(folder)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for at, found in pool.map(killed, range(1, len(labels) + 1)):
            assert found.outcome == undisturbed.outcome, (at, labels[at - 1])
            assert found.seconds <= undisturbed.seconds + 30, (at, labels[at - 1])
            sound(found)


@pytest.mark.parametrize("every", [8, 13])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_run_whose_runners_are_killed_all_the_time_still_ends(servers, place, scenario, every):
    calm = fresh(place / "calm", scenario)
    servers[0].run(calm, scenario)
    folder = fresh(place / "haunted", scenario)

    for _ in range(EFFORT):
        if "status" in servers[0].run(folder, scenario, every):
            break

    found = end(folder)
    assert found.outcome == end(calm).outcome
    assert found.story[-1].epoch > 3
    sound(found)
