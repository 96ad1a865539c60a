"""Whose certificates are believed: those of Azure's SDK, so that both believe the same."""

from __future__ import annotations

import os
import ssl

from rollout.domain.errors import EndpointRefused

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def context() -> ssl.SSLContext:
    """The public authorities, and those of a bundle that the environment names as requests does.

    Raises:
        EndpointRefused: the bundle cannot be read.
    """
    import certifi  # noqa: PLC0415 - httpx brings it

    made = ssl.create_default_context(cafile=certifi.where())
    for name in BUNDLES:
        bundle = os.environ.get(name)
        if not bundle:
            continue
        try:
            made.load_verify_locations(cafile=bundle)
        except (OSError, ssl.SSLError) as error:
            raise EndpointRefused(
                f"{name} names {bundle}, which holds no certificates: {error}.",
                do=f"Correct {name}, or unset it.",
            ) from error
    return made
