"""The commit that a folder stands at, read from git's own files; no program is started."""

from __future__ import annotations

import re
from pathlib import Path

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_HOPS = 5  # symbolic references that lead to another
_REF = re.compile(r"ref: (refs/[^\0\n]+)")


def head(folder: Path) -> str | None:
    """The full hash of HEAD, of the repository around ``folder``.

    Returns:
        None where there is no repository, no commit yet, or a store of references that is not
        made of plain files.
    """
    try:
        place = _repository(folder.resolve())
        return None if place is None else _commit(place)
    except (OSError, ValueError):
        return None


def _repository(folder: Path) -> Path | None:
    for each in (folder, *folder.parents):
        found = each / ".git"
        if found.is_dir():
            return found
        if found.is_file():  # a worktree or a submodule
            return each / found.read_text().removeprefix("gitdir:").strip()
    return None


def _commit(place: Path) -> str | None:
    text = _read(place / "HEAD")
    for _ in range(_HOPS):
        if _SHA.fullmatch(text):
            return text
        name = _REF.fullmatch(text)
        if name is None or ".." in name[1]:
            return None
        text = _reference(place, name[1])
    return None


def _reference(place: Path, name: str) -> str:
    shared = _read(place / "commondir")
    for base in (place, place / shared) if shared else (place,):
        if text := _read(base / name):
            return text
        for line in _read(base / "packed-refs").splitlines():
            if line.endswith(f" {name}"):
                return line.split(" ", 1)[0]
    return ""


def _read(file: Path) -> str:
    return file.read_text().strip() if file.is_file() else ""
