"""A runner that appends as fast as it can, to several endpoints in turn; ended by closing its input.

Called with the store's URL and the streams. It takes each over, says so, and goes on.
"""

from __future__ import annotations

import select
import sys
from contextlib import suppress

from rollout.domain import events as e
from rollout.ports.store import Conflict
from rollout.runtime.journal import Journal
from rollout.wiring import plugs


def main(url: str, streams: list[str]) -> None:
    store = plugs.store(url)
    journals = [Journal(store, stream, "busy") for stream in streams]
    for each in journals:
        each.refresh()
        each.take()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], 0)[0]:
        for each in journals:
            with suppress(Conflict):  # a person's order came first, and was read
                each.append(e.LogsCollected("green", "busy"))
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
