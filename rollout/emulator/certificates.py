"""The emulator's own certificate authority and its server's certificate, kept between starts."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NamedTuple

NAMES = ("localhost", "127.0.0.1", "*.blob.core.windows.test")


class Certificates(NamedTuple):
    """Files; ``authority`` is what clients must trust."""

    authority: Path
    chain: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """What the server shows."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.chain, self.key)
        return made


def certificates(folder: Path) -> Certificates:
    """The certificates of ``folder``, made where they are missing; the authority's key is not kept."""
    found = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    if all(path.exists() for path in found):
        return found
    import trustme  # noqa: PLC0415 - an extra, needed once

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = trustme.CA(organization_name="rollout emulator")
    made = authority.issue_cert(*NAMES)
    found.key.touch(mode=0o600)
    made.private_key_pem.write_to_path(str(found.key))
    for index, blob in enumerate(made.cert_chain_pems):
        blob.write_to_path(str(found.chain), append=index > 0)
    authority.cert_pem.write_to_path(str(found.authority))
    return found
