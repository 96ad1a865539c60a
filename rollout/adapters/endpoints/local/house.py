"""The engine's housekeeping: memory limits, log sizes, copies that nobody needs any more."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from rollout.adapters.endpoints.local import rotation
from rollout.adapters.endpoints.local.fleet import Fleet
from rollout.adapters.endpoints.local.folder import Folder
from rollout.adapters.endpoints.local.gateway import Gateway
from rollout.domain.endpoint import Condition

_MEMORY_EVERY_SECONDS = 0.25
_REST_EVERY_SECONDS = 1.0


class House:
    """Keeps an endpoint's folder and memory in bounds."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._memory_at = 0.0
        self._rest_at = 0.0
        self._told = False

    def keep(self, now: float, fleets: Sequence[Fleet], gateway: Gateway) -> None:
        """Do what is due at ``now``, monotonic seconds."""
        if now - self._memory_at >= _MEMORY_EVERY_SECONDS:
            self._memory_at = now
            for fleet in fleets:
                fleet.check_memory(now)
        if now - self._rest_at < _REST_EVERY_SECONDS:
            return
        self._rest_at = now
        self._keep_access_log(gateway)
        for log in self._logs(fleets):
            rotation.bound(log)
        self._drop_snapshots(fleets)

    def rotate(self, gateway: Gateway) -> None:
        """Finish the present segment of the access log."""
        rotation.rotate(self._folder.access_log)
        gateway.reopen_logs()

    def _keep_access_log(self, gateway: Gateway) -> None:
        log = self._folder.access_log
        if log.exists():
            self._told = False
            if rotation.is_due(log):
                self.rotate(gateway)
        elif gateway.reopen_logs():  # after a rotation; or somebody removed it
            # Envoy opens it with the next request only, and until then there has been none. Not
            # at the first look, as it may be at work on the old one when it is told.
            if self._told:
                log.touch(mode=0o600)
            self._told = not self._told

    def _logs(self, fleets: Sequence[Fleet]) -> Iterator[Path]:
        yield from (self._folder.engine_log, self._folder.envoy_log)
        yield from (self._folder.log(fleet.name) for fleet in fleets)

    def _drop_snapshots(self, fleets: Sequence[Fleet]) -> None:
        """Remove copies that no deployment shall run, once none is being replaced."""
        if any(fleet.condition is not Condition.READY for fleet in fleets):
            return
        used = {fleet.wanted.digest for fleet in fleets}
        for path in self._folder.snapshots.iterdir():
            if path.name not in used:
                shutil.rmtree(path, ignore_errors=True)
