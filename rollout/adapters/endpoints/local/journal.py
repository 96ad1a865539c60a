"""The engine's own log: one line an event, with a time."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from rollout.ports.clock import Clock


class Journal:
    """Adds lines to a file; never raises, since there is nobody left to tell."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    def stamp(self) -> str:
        """The present moment, RFC 3339."""
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def write(self, event: str, **fields: object) -> None:
        """Add one event."""
        line = json.dumps({"at": self.stamp(), "event": event, **fields}, default=str)
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError:
            return
