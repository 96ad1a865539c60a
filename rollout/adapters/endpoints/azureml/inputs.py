"""What a deployment is made of, as one digest: its file, and all bytes that the file names."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from rollout.planfile.trees import file_digest, files_of

# Not what is deployed: how often, for whom, and what it is called.
_NOT_IN_DIGEST = ("$schema", "name", "endpoint_name", "instance_count")
_PATHS = (
    ("model",),
    ("model", "path"),
    ("code_configuration", "code"),
    ("environment",),
    ("environment", "conda_file"),
    ("environment", "build", "path"),
)


def digest_of(data: Mapping[str, object], folder: Path) -> str:
    """SHA-256 over a deployment file's values and the files that they name.

    Args:
        data: The file's mapping, with what the plan sets in it.
        folder: Where relative paths begin.
    """
    told = {key: value for key, value in data.items() if key not in _NOT_IN_DIGEST}
    found = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode())
    for root in local_paths(data, folder):
        for name, path in files_of(root):
            found.update(f"\0{root.name}\0{name}\0{path.stat().st_size}\0".encode())
            found.update(file_digest(path))
    return found.hexdigest()


def local_paths(data: Mapping[str, object], folder: Path) -> list[Path]:
    """Files and folders of this machine that a deployment file names, as far as they are there."""
    found = []
    for keys in _PATHS:
        value: object = data
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, str) and value and "://" not in value:
            path = Path(os.path.normpath(folder / value))
            if path.exists():
                found.append(path)
    return found


def signature_of(data: Mapping[str, object], folder: Path) -> tuple[object, ...]:
    """Changes whenever the digest may have changed; much cheaper."""
    files = [path for root in local_paths(data, folder) for _, path in files_of(root)]
    stats = [(str(path), path.stat()) for path in files]
    return (
        json.dumps(dict(data), sort_keys=True, default=str),
        *((name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in stats),
    )
