"""Registered assets on this machine: from the folders of ``--register``, or out of the storage."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from rollout.emulator.azurite import ACCOUNT
from rollout.emulator.blobs import CONTAINER, Blobs
from rollout.emulator.records import Asset, Records
from rollout.emulator.settings import Registered
from rollout.emulator.wire import Refusal

_ID = re.compile(
    r"(?:azureml:)?/subscriptions/.+/workspaces/[^/]+/(?P<kind>models|environments|codes)/"
    r"(?P<name>[^/]+)/versions/(?P<version>[^/]+)",
    re.IGNORECASE,
)
_IN_DATASTORE = re.compile(r"azureml://.*?/?datastores/[^/]+/paths/(?P<path>.+)", re.IGNORECASE)
_URI_OF = {"models": "modelUri", "codes": "codeUri"}


class Library:
    """Finds assets by their resource ids, and their files.

    Args:
        records: What is registered.
        blobs: Where uploads are.
        folder: Of downloads.
    """

    def __init__(self, records: Records, blobs: Blobs, folder: Path) -> None:
        self._records = records
        self._blobs = blobs
        self._folder = folder

    def register(self, found: Registered, now: float) -> None:
        """An asset that is there from the start."""
        name = found.path.name if found.path is not None else ""
        where = f"azureml://datastores/workspaceblobstore/paths/registered/{found.name}/{name}"
        properties: dict[str, object] = {}
        if found.kind == "models":
            properties = {"modelUri": where, "modelType": "custom_model"}
        elif found.kind == "codes":
            properties = {"codeUri": where}
        else:
            properties = {"image": f"registry.test/{found.name}:{found.version}"}
        path = str(found.path) if found.path is not None else ""
        asset = Asset(found.kind, found.name, found.version, properties, now, path)
        before = self._records.asset(found.kind, found.name, found.version)
        if before is None or replace(before, created_at=now) != asset:
            self._records.keep_asset(asset)

    def find(self, kind: str, identity: str) -> Asset:
        """The asset of a resource id.

        Raises:
            Refusal: there is none.
        """
        match = _ID.fullmatch(identity)
        found = None
        if match is not None and match["kind"].lower() == kind:
            found = self._records.asset(kind, match["name"], match["version"])
        if found is None:
            raise Refusal(400, "UserError", f"{kind[:-1].capitalize()} {identity} was not found.")
        return found

    def files(self, asset: Asset) -> tuple[Path, int]:
        """Where the asset lies on this machine, and how many blobs had to be fetched.

        Raises:
            Refusal: nothing lies where its properties say.
        """
        if asset.path:
            return Path(asset.path), 0
        uri = str(asset.properties.get(_URI_OF[asset.kind], ""))
        container, prefix = _place(uri)
        # The last part of the name is what the scoring script sees below AZUREML_MODEL_DIR.
        digest = hashlib.sha256(uri.encode()).hexdigest()[:16]
        target = self._folder / digest / (prefix.rstrip("/").rsplit("/", 1)[-1] or "root")
        if target.exists():
            return target, 0
        count = self._blobs.download(container, prefix, target)
        if not count:
            raise Refusal(400, "UserError", f"Nothing was uploaded to {uri}.")
        return target, count


def _place(uri: str) -> tuple[str, str]:
    """Container and name of what an asset's URI names.

    >>> _place("azureml://subscriptions/s/datastores/workspaceblobstore/paths/LocalUpload/1/model/")
    ('azureml-blobstore', 'LocalUpload/1/model/')
    >>> _place("https://127.0.0.1:1/rolloutemulated/codes-1/src")
    ('codes-1', 'src')
    """
    match = _IN_DATASTORE.fullmatch(uri)
    if match is not None:
        return CONTAINER, match["path"]
    path = urlsplit(uri).path.lstrip("/").removeprefix(f"{ACCOUNT}/")
    container, _, prefix = path.partition("/")
    return container, prefix
