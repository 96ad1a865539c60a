"""Where the process begins: before the first import that costs something."""

from __future__ import annotations

import gc
import sys

INTERRUPTED = 130  # as in rollout.cli.exits, which is not imported yet


def main() -> None:
    """Run the command that the process was called with."""
    # Imports make many objects that live as long as the process: collecting while they come
    # costs a short command a tenth of its time, and finds nothing.
    gc.set_threshold(50_000, 20, 20)
    try:
        from rollout.cli.main import main as run  # noqa: PLC0415 - after the line above

        run()
    except KeyboardInterrupt:  # while importing; the command itself handles its own
        sys.exit(INTERRUPTED)
