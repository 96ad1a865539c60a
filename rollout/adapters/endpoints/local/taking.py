"""Copies the files of a deployment in the background, so that no call waits for a large model."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from rollout.adapters.endpoints.local import snapshot
from rollout.adapters.endpoints.local.desired import Wanted
from rollout.domain.errors import EndpointRefused


class Taking:
    """One copy under way. ``error``: why it failed; empty while it runs and when it is done."""

    def __init__(self, wanted: Wanted, snapshots: Path, wake: Callable[[], None]) -> None:
        self.error = ""
        self._wanted = wanted
        self._snapshots = snapshots
        self._wake = wake
        threading.Thread(target=self._run, name="snapshot", daemon=True).start()

    def _run(self) -> None:
        try:
            snapshot.take(self._wanted.specification, self._wanted.digest, self._snapshots)
        except EndpointRefused as refused:
            self.error = str(refused)
        self._wake()
