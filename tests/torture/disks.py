"""Small disks in memory that can be filled and made read-only."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

CHUNK = 4096  # bytes


@dataclass(frozen=True)
class Disk:
    """A file system of its own at ``folder``."""

    folder: Path

    def fill(self) -> None:
        """Leave not a byte."""
        for size in (CHUNK * 16, CHUNK, 1):
            ballast = self.folder / f"ballast-{size}"
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * size)

    def free(self) -> None:
        """Give the space back."""
        for each in self.folder.glob("ballast-*"):
            each.unlink()

    def protect(self, *, read_only: bool) -> None:
        """Let nobody write, or everybody again; nothing may be open for writing."""
        how = "remount,ro" if read_only else "remount,rw"
        _run("mount", "-o", how, str(self.folder))


@contextmanager
def small_disk(folder: Path, megabytes: int = 2) -> Iterator[Disk]:
    """A disk of that size, gone in the end."""
    folder.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder))
    try:
        yield Disk(folder)
    finally:
        _run("umount", "-l", str(folder))


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(
            f"{' '.join(words)}: {done.stderr.strip()}. This test needs a disk of its own: run it as "
            f"root (you are user {os.geteuid()}), or in a namespace of your own: "
            "unshare --map-root-user --mount make torture",
            pytrace=False,
        )
