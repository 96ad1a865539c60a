"""What every store promises between processes: the contract with ``url`` as well."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from rollout.testing.stores import (
    EACH,
    WORKERS,
    Open,
    StoreContract,
    assert_nothing_lost,
    body_of,
)

Child = Callable[..., subprocess.Popen[str]]

CHILD = """
import sys
from importlib.metadata import entry_points
from rollout.ports.store import Conflict, Record

url, me, job = sys.argv[1:4]
build = entry_points(group="rollout.stores")[url.split(":")[0]].load()

def tell(word):
    print(word, flush=True)

def race(turns):
    for turn in range(int(turns)):
        while True:
            newest = store.last("s")
            try:
                seq = newest.seq + 1 if newest else 0
                store.append("s", Record(seq, me, f"{me}:{turn}".encode()))
                break
            except Conflict:
                pass

def grab(version):
    try:
        store.put_lease("s", me.encode(), version=version or None)
        tell("got it")
    except Conflict:
        tell("too late")

def pour(size):
    newest = store.last("s")
    seq = newest.seq + 1 if newest else 0
    while True:
        store.append("s", Record(seq, me, b"%d " % seq * int(size)))
        tell(seq)
        seq += 1

tell("ready")
sys.stdin.readline()
store = build(url)
{"race": race, "grab": grab, "pour": pour}[job](*sys.argv[4:])
"""


class SharedStoreContract(StoreContract):
    """Promises between processes as well. ``url`` names data that does not exist yet."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        raise NotImplementedError

    @pytest.fixture
    def child(self, url: str) -> Iterator[Child]:
        """Starts a process of its own that waits for a line before it opens the store."""
        with ExitStack() as started:
            yield partial(_child, started, url)

    def test_processes_race_for_slots_of_a_store_that_none_has_made(
        self, child: Child, opened: Open
    ) -> None:
        children = [child(f"w{n}", "race", str(EACH)) for n in range(WORKERS)]

        go(children)

        assert [each.wait() for each in children] == [0] * WORKERS
        assert_nothing_lost(opened())

    def test_processes_race_for_a_lease(self, child: Child, opened: Open) -> None:
        for round_ in range(2):
            held = opened().lease("s")
            children = [
                child(f"w{round_}{n}", "grab", held.version if held else "") for n in range(WORKERS)
            ]

            go(children)
            said = [each.communicate()[0].strip() for each in children]

            assert sorted(said) == ["got it", *["too late"] * (WORKERS - 1)]
            winner = f"w{round_}{said.index('got it')}"
            assert body_of(opened().lease("s")) == winner.encode()

    @pytest.mark.parametrize("size", [10, 5000])
    def test_a_killed_writer_takes_no_acknowledged_record_along(
        self, child: Child, opened: Open, size: int
    ) -> None:
        acknowledged = -1
        for patience in (1, 40):
            writer = child("w", "pour", str(size))
            go([writer])
            heard = [int(heard_from(writer)) for _ in range(patience)]
            writer.kill()
            assert writer.stdout is not None
            heard += [int(line) for line in writer.stdout.read().splitlines()]
            writer.wait()

            kept = opened().read("s")

            assert heard[0] >= acknowledged + 1
            acknowledged = heard[-1]
            assert [each.seq for each in kept] == list(range(len(kept)))
            assert len(kept) - (acknowledged + 1) in (0, 1)
            assert all(each.body == b"%d " % each.seq * size for each in kept)


def _child(started: ExitStack, url: str, me: str, job: str, *rest: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, url, me, job, *rest]
    made = started.enter_context(
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    )
    started.callback(made.kill)
    return made


def go(children: list[subprocess.Popen[str]]) -> None:
    """Let all of them loose once the last one is ready."""
    for each in children:
        assert heard_from(each) == "ready\n"
    for each in children:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()


def heard_from(child: subprocess.Popen[str]) -> str:
    """The next line that it says."""
    assert child.stdout is not None
    return child.stdout.readline()
