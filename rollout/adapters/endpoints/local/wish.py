"""How long answers shall be kept in the access log: a wish that lapses unless it is renewed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import cast

from rollout.adapters.endpoints.local.folder import read_json, write_json
from rollout.ports.clock import Clock

LONGEST_SECONDS = 60.0
RENEW_SECONDS = 15.0


class Wish:
    """The wish as an endpoint's file has it, so that the next engine goes on with it."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        found = read_json(path)
        self._until = 0.0 if found is None else float(cast(float, found["until"]))

    def renew(self, seconds: float) -> None:
        """From now on so many seconds; 0: no longer."""
        self._until = self._clock.now() + min(max(seconds, 0.0), LONGEST_SECONDS)
        write_json(self._path, {"until": self._until})

    def until(self) -> int:
        """When it lapses, whole Unix seconds; 0: nobody wishes for answers."""
        left = self._until - self._clock.now()
        # More than was ever given: the machine's clock was set back.
        return math.ceil(self._until) if 0 < left <= LONGEST_SECONDS else 0
