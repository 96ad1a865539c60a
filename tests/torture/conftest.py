"""Real runners that are killed, frozen, raced; on stores of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.torture.server import Pool, pool
from tests.torture.shell import Shell

collect_ignore = ["plugin", "deaths"]  # for other processes: there they change what they import


@pytest.fixture(scope="module")
def servers() -> Iterator[Pool]:
    """Warm interpreters."""
    with pool() as made:
        yield made


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: no power cut is tested here, and disks are slow."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as made:
        yield Path(made)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A folder of a user, with a plan for an endpoint that is quick."""
    made = Shell(tmp_path / "here")
    yield made
    made.close()
