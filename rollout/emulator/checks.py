"""What options of the emulator may say, seen to before anything starts."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from rollout.domain.errors import UsageError

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_WORKSPACE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{2,32}")


def program(given: str, option: str) -> str:
    """The absolute path of a program, by its path or its name on the PATH.

    Raises:
        UsageError: there is none that can be run.
    """
    found = shutil.which(given)
    if found is None:
        what = "cannot be run" if Path(given).exists() else "is not there"
        raise UsageError(f"{given} {what}.", do=f"Correct the path of {option}.")
    # Not resolved: an interpreter finds its packages by the link that it was called by.
    return os.path.abspath(found)  # noqa: PTH100 - `Path.absolute` leaves ".." in


def file(given: str, option: str) -> Path:
    """The path of a file that is to be written.

    Raises:
        UsageError: its folder is not there, or it is a folder.
    """
    path = Path(given)
    if path.is_dir():
        raise UsageError(f"{given} is a folder.", do=f"Name a file: {option} FILE")
    if not path.parent.is_dir():
        raise UsageError(
            f"The folder {path.parent} is not there.",
            do=f"Create it, or correct the path of {option}.",
        )
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{given} cannot be written.", do=f"Correct the path of {option}.")
    return path


def subscription(given: str) -> str:
    """A subscription's id.

    Raises:
        UsageError: it is none.
    """
    if not _GUID.fullmatch(given):
        raise UsageError(
            f"{given!r} is no subscription id.",
            do="Write a GUID, such as 00000000-0000-0000-0000-000000000001.",
        )
    return given


def workspace(given: str) -> str:
    """A workspace's name.

    Raises:
        UsageError: it cannot be one.
    """
    if not _WORKSPACE.fullmatch(given):
        raise UsageError(
            f"{given!r} is no name of a workspace.",
            do="Write 3 to 33 letters, digits, - and _, a letter or digit first.",
        )
    return given
