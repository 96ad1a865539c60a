"""``rollout version``."""

from __future__ import annotations

import platform

from rollout import __version__
from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import Output
from rollout.report.rows import row


@verb("rollout version", "rollout version -o json")
def version(given: Given) -> int:
    """Print the version."""
    data = {
        "outcome": "done",
        "version": __version__,
        "python": platform.python_version(),
        "api": "rollout/v1",
    }
    Output(given).show(data, [row(f"rollout {__version__}")])
    return Exit.OK
