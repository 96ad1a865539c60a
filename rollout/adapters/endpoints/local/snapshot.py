"""Copies of model and code: what serves never changes with the files it came from."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from pathlib import Path

from rollout.adapters.endpoints.local.specification import Specification
from rollout.domain.errors import EndpointRefused
from rollout.planfile.trees import file_digest, files_of

_NOT_IN_DIGEST = ("instances", "ignored", "model", "code")


def digest_of(specification: Specification) -> str:
    """SHA-256 over the specification without its instance count, and over names and bytes."""
    roots = [("code", specification.code)]
    if specification.model is not None:
        roots.append(("model", specification.model))
    found = hashlib.sha256()
    told = {k: v for k, v in specification.to_json().items() if k not in _NOT_IN_DIGEST}
    # The folder's name is part of what the scoring script sees below AZUREML_MODEL_DIR.
    told["model_name"] = specification.model.name if specification.model else None
    found.update(json.dumps(told, sort_keys=True).encode())
    for kind, root in roots:
        for name, path in files_of(root):
            found.update(f"\0{kind}\0{name}\0{path.stat().st_size}\0".encode())
            found.update(file_digest(path))
    return found.hexdigest()


def signature_of(specification: Specification) -> tuple[object, ...]:
    """Changes whenever a file may have changed; much cheaper than the digest."""
    roots = [specification.code, *([specification.model] if specification.model else [])]
    files = [entry for root in roots for entry in files_of(root)]
    stats = [(str(path), path.stat()) for _, path in files]
    found = tuple((name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in stats)
    return (json.dumps(specification.to_json(), sort_keys=True), *found)


def take(specification: Specification, digest: str, snapshots: Path) -> None:
    """Copy model and code to ``snapshots/<digest>``; there already: nothing to do.

    Raises:
        EndpointRefused: the files are no longer those that the digest was taken of.
    """
    target = snapshots / digest
    if target.is_dir():
        return
    draft = snapshots / f".{digest[:12]}.{secrets.token_hex(4)}"
    try:
        copied = _copy(specification, draft)
        if digest_of(copied) != digest:
            raise EndpointRefused(
                f"The files of {specification.code} changed while they were copied.",
                do="Leave them alone for a moment and apply again.",
            )
        draft.rename(target)
    except OSError as error:
        if not target.is_dir():  # else another engine was faster with the same bytes
            raise EndpointRefused(
                f"The model could not be copied: {error}.", do="Correct that and apply again."
            ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def model_folder(snapshot: Path) -> Path:
    """What ``AZUREML_MODEL_DIR`` names: the model lies below it under its own name.

    The inference server takes the last two folders for the model's name and version; where the
    last is no number, it logs an error at every start.
    """
    return snapshot / "azureml-models" / "model" / "1"


def code_folder(snapshot: Path) -> Path:
    """What ``AML_APP_ROOT`` names."""
    return snapshot / "code"


def _copy(specification: Specification, draft: Path) -> Specification:
    model_folder(draft).mkdir(parents=True)
    copied = specification._replace(code=code_folder(draft))
    _copy_tree(specification.code, code_folder(draft))
    if specification.model is None:
        return copied
    model = model_folder(draft) / specification.model.name
    _copy_tree(specification.model, model)
    return copied._replace(model=model)


def _copy_tree(source: Path, target: Path) -> None:
    if source.is_file():
        _copy_file(source, target)
        return
    target.mkdir()
    for name, path in files_of(source):
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        _copy_file(path, copy)


def _copy_file(source: Path, target: Path) -> None:
    shutil.copy(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())  # the folder's final name promises whole files
