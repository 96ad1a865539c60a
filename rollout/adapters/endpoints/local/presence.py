"""How the engine of a folder is found: where it listens, and which version it is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import rollout
from rollout.adapters.endpoints.local.folder import Folder, read_json, replace_json
from rollout.adapters.endpoints.local.unix_http import UnixConnection

_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Presence:
    """An engine that lives, or has lived."""

    socket: Path
    version: str

    @property
    def is_ours(self) -> bool:
        """Whether it speaks as we do."""
        return self.version == rollout.__version__


def announce(folder: Folder, socket: Path) -> None:
    """Write down that this process is the engine."""
    record = {"pid": os.getpid(), "version": rollout.__version__, "socket": str(socket)}
    replace_json(folder.engine, record)


def find(folder: Folder) -> Presence | None:
    """The engine that was announced last."""
    record = read_json(folder.engine)
    if record is None:
        return None
    return Presence(Path(str(record["socket"])), str(record["version"]))


def answers(folder: Folder) -> bool:
    """Whether an engine of our version takes calls."""
    engine = find(folder)
    if engine is None or not engine.is_ours:
        return False
    connection = UnixConnection(engine.socket, _SECONDS)
    try:
        connection.connect()
    except OSError:
        return False
    finally:
        connection.close()
    return True
