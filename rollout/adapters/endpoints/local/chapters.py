"""A deployment's log in chapters: one a change of the deployment, begun by a line of ours."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADING = re.compile(r"\S+ rollout: revision \d+, run \S*")


def heading(stamp: str, revision: int, run: str) -> str:
    """The line that begins a chapter.

    >>> heading("2026-01-01T00:00:00.000Z", 2, "r-1")
    '2026-01-01T00:00:00.000Z rollout: revision 2, run r-1'
    """
    return f"{stamp} rollout: revision {revision}, run {run}"


def newest(lines: Sequence[str]) -> Sequence[str]:
    """The lines behind the last heading; all of them where there is none.

    >>> newest(["old", heading("now", 1, "r-2"), "new"]), newest(["old"])
    (['new'], ['old'])
    """
    for at in range(len(lines) - 1, -1, -1):
        if _HEADING.fullmatch(lines[at]):
            return lines[at + 1 :]
    return lines
