"""Files and folders that a plan's files name, as what is deployed: names and bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

_CHUNK = 1 << 20
_SKIPPED = ("__pycache__", ".git")


def files_of(root: Path) -> list[tuple[str, Path]]:
    """All files below ``root`` (or itself) as (name, path), sorted, without caches of Python."""
    if root.is_file():
        return [(root.name, root)]
    return sorted(_walk(root, "", frozenset()))


def file_digest(path: Path) -> bytes:
    """SHA-256 of a file's bytes."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.digest()


def _walk(folder: Path, below: str, above: frozenset[str]) -> Iterator[tuple[str, Path]]:
    real = os.path.realpath(folder)
    if real in above:  # a link to a folder it lies in
        return
    for entry in folder.iterdir():
        name = f"{below}{entry.name}"
        if entry.is_dir():
            if entry.name not in _SKIPPED:
                yield from _walk(entry, f"{name}/", above | {real})
        elif entry.is_file():
            yield name, entry
