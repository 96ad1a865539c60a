"""The engine of one local endpoint: a process of its own that outlives every runner."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from rollout.adapters.clock import SystemClock
from rollout.adapters.endpoints.local import presence
from rollout.adapters.endpoints.local.control import Door
from rollout.adapters.endpoints.local.folder import Folder, locked, sockets_of
from rollout.adapters.endpoints.local.plane import DOWN, ControlPlane
from rollout.ports.clock import Clock

# An engine that was just killed keeps its lock for a moment.
_PATIENCE_SECONDS = 3.0
_PAUSE_SECONDS = 0.05


def main() -> int:
    """Serve the endpoint whose folder is the only argument, apart from whoever called."""
    folder = Folder(Path(sys.argv[1]).resolve())
    # The caller waits for its child only; the engine belongs to nobody.
    if os.fork():
        os._exit(0)
    clock = SystemClock()
    deadline = clock.monotonic() + _PATIENCE_SECONDS
    while clock.monotonic() < deadline:
        with locked(folder.lock) as lock:
            if lock is not None:
                serve(folder, lock, clock)
                return 0
        if presence.answers(folder):
            return 0
        clock.sleep(_PAUSE_SECONDS)
    return 0


def serve(folder: Folder, lock: int, clock: Clock) -> None:
    """Adopt or start what shall serve, take orders, and keep everything up until told to end."""
    sockets = sockets_of(folder.path)
    plane = ControlPlane(folder, sockets, clock)
    plane.start()
    door = Door(sockets / "control.sock", plane)
    presence.announce(folder, door.path)
    while plane.ending is None and _is_ours(folder.lock, lock):
        plane.tick()
        plane.wait()
    door.close()
    if plane.ending is None or plane.ending == DOWN:
        plane.stop_all()
        shutil.rmtree(sockets, ignore_errors=True)


def _is_ours(path: Path, lock: int) -> bool:
    """Whether the folder is still the one we serve, and not removed or made anew."""
    try:
        found, held = path.stat(), os.fstat(lock)
    except FileNotFoundError:
        return False
    return (found.st_ino, found.st_dev) == (held.st_ino, held.st_dev)


if __name__ == "__main__":
    sys.exit(main())
