"""The door to a warm interpreter that forks runners; see ``tests.torture.runner_process``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

ROOT = Path(__file__).parents[2]
Told = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """A runner that is wanted.

    Args:
        folder: Where the clock and the endpoint are; also names the endpoint.
        scenario: One of ``tests.torture.scenarios``.
        state: The journal's URL; empty: a file in the folder.
        time: ``virtual`` or ``real``.
        kill_at: The number of the mark at which it kills itself; 0: none.
        stop_at: The number of the mark at which it freezes; 0: none.
        elsewhere: It is on another machine: it cannot know that an owner here is dead.
        patience: Seconds that it waits for another runner that is alive.
    """

    folder: str
    scenario: str
    state: str = ""
    time: str = "virtual"
    kill_at: int = 0
    stop_at: int = 0
    elsewhere: bool = False
    patience: float = 0.0


class Server:
    """A warm interpreter that forks runners, one after the other."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.runner_process"],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, wish: Wish) -> Told:
        """Until the runner has ended, or stands still (``stopped``: its process)."""
        return self._asked(asdict(wish))

    def race(self, wish: Wish, racers: int) -> list[Told]:
        """So many runners at once, until all have ended."""
        ends: list[Told] = self._asked({**asdict(wish), "racers": racers})["ends"]
        return ends

    def go_on(self, stopped: int) -> Told:
        """Let a runner that stands still go on, until it ends."""
        return self._asked({"go_on": stopped})

    def _asked(self, what: dict[str, object]) -> Told:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        told: Told = json.loads(self._process.stdout.readline())
        return told

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()


class Pool:
    """Servers that are taken and given back."""

    def __init__(self, servers: list[Server]) -> None:
        self.servers = servers
        self._idle: SimpleQueue[Server] = SimpleQueue()
        for each in servers:
            self._idle.put(each)

    @contextmanager
    def taken(self) -> Iterator[Server]:
        server = self._idle.get()
        try:
            yield server
        finally:
            self._idle.put(server)


@contextmanager
def pool(count: int = 2, environment: Mapping[str, str] | None = None) -> Iterator[Pool]:
    """So many servers, closed in the end."""
    made = [Server(environment) for _ in range(count)]
    try:
        yield Pool(made)
    finally:
        for each in made:
            each.close()
