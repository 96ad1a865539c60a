"""The files that a plan names, relative to its own folder."""

from __future__ import annotations

import stat
from enum import Enum
from pathlib import Path

from rollout.planfile.wording import nearest, shown


class Kind(Enum):
    """What stands at a path."""

    FILE = "a file"
    FOLDER = "a folder"
    OTHER = "neither a file nor a folder"
    MISSING = "nothing"


def kind_of(path: Path) -> Kind:
    """What stands at ``path``; what may not be looked at is missing."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return Kind.MISSING
    if stat.S_ISREG(mode):
        return Kind.FILE
    return Kind.FOLDER if stat.S_ISDIR(mode) else Kind.OTHER


def absolute(folder: Path, name: str) -> str:
    """The absolute path of a file that a plan in ``folder`` names; a link to it stays a link."""
    path = folder / name
    return str(path.parent.resolve() / path.name)


def missing(folder: Path, name: str) -> tuple[str, str]:
    """What to say where ``name`` is not in ``folder``, and what to do."""
    path = folder / name
    try:
        siblings = sorted(each.name for each in path.parent.iterdir())
    except (OSError, ValueError):
        siblings = []
    near = nearest(path.name, siblings)
    do = "Correct the path; it is relative to the plan's folder."
    return f"there is no file {shown(name)}.", (
        f"Did you mean {shown(str(Path(name).with_name(near)))}?" if near else do
    )
