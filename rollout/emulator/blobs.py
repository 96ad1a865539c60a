"""The emulator's own look into its blob storage: containers, signatures, downloads."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rollout.emulator.azurite import ACCOUNT, Azurite
from rollout.emulator.certificates import Certificates
from rollout.ports.clock import Clock

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

STORE = "workspaceblobstore"
CONTAINER = "azureml-blobstore"

_SIGNED_HOURS = 2


class Blobs:
    """Containers of the one storage account. Methods take a while and belong into a thread."""

    def __init__(self, azurite: Azurite, certificates: Certificates, clock: Clock) -> None:
        self._azurite = azurite
        self._certificates = certificates
        self._clock = clock

    def ready(self, container: str) -> str:
        """See that a container is there; its address.

        Raises:
            Refusal: there is no storage.
        """
        from azure.core.exceptions import ResourceExistsError  # noqa: PLC0415 - heavy

        # Where it exists an earlier upload made it.
        with self._opened(container) as client, suppress(ResourceExistsError):
            client.create_container()
        return self._address(container)

    def signed(self, container: str) -> str:
        """The address of a container with a signature that lets one write into it."""
        from azure.storage.blob import (  # noqa: PLC0415 - heavy
            ContainerSasPermissions,
            generate_container_sas,
        )

        allowed = ContainerSasPermissions(
            read=True, write=True, create=True, list=True, add=True, delete=True
        )
        until = datetime.fromtimestamp(self._clock.now(), UTC) + timedelta(hours=_SIGNED_HOURS)
        signature = generate_container_sas(
            ACCOUNT, container, account_key=self._azurite.key, permission=allowed, expiry=until
        )
        return f"{self._address(container)}?{signature}"

    def download(self, container: str, prefix: str, target: Path) -> int:
        """Copy a blob, or all blobs below a folder, to ``target``; how many.

        Args:
            container: Where they lie.
            prefix: Their name, or the folder's; empty: all of the container.
            target: Where they shall lie: the blob itself, or the folder.
        """
        prefix = prefix.strip("/")
        draft = target.with_name(f".{target.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        count = 0
        with self._opened(container) as client:
            for name in list(client.list_blob_names(name_starts_with=prefix or None)):
                below = _below(name, prefix)
                if below is None:
                    continue
                path = draft / below if below else draft
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(client.download_blob(name).readall())
                count += 1
        if count:
            draft.replace(target)
        return count

    @contextmanager
    def _opened(self, container: str) -> Iterator[ContainerClient]:
        self._azurite.start()
        from azure.core.pipeline.transport import RequestsTransport  # noqa: PLC0415 - heavy
        from azure.storage.blob import ContainerClient  # noqa: PLC0415

        # Not by way of the proxies in our environment: those are for the clients.
        transport = RequestsTransport(
            connection_verify=str(self._certificates.authority), use_env_settings=False
        )
        with ContainerClient(
            f"https://127.0.0.1:{self._azurite.port}/{ACCOUNT}",
            container,
            credential=self._azurite.key,
            transport=transport,
        ) as client:
            yield client

    def _address(self, container: str) -> str:
        return f"https://127.0.0.1:{self._azurite.port}/{ACCOUNT}/{container}"


def _below(name: str, prefix: str) -> str | None:
    """The part of a blob's name below a folder; "" for the blob itself, None: it is elsewhere.

    >>> _below("a/b/c.txt", "a/b"), _below("a/bc.txt", "a/b"), _below("a/b", "a/b")
    ('c.txt', None, '')
    """
    if not prefix:
        return name
    if name == prefix:
        return ""
    return name[len(prefix) + 1 :] if name.startswith(f"{prefix}/") else None
