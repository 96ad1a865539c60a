"""Addresses of stores: what ``--state`` may say, given that it is shown in messages."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rollout.domain.errors import UsageError

_WITH_PASSWORD = re.compile(r"[^:]+://[^@]*:.*@", re.DOTALL)
_WITH_USER = re.compile(r"[^:]+://[^/?#]*@", re.DOTALL)
_SECRET_OPTION = re.compile(r"password|secret|scram|token", re.IGNORECASE)
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_OPTION = re.compile(r"[?&]")
_ENCODED = re.compile(r"%([0-9a-f]{2})", re.IGNORECASE)

_SERVERS = ("postgresql", "postgres")
_OBJECTS = {
    "az": "AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN or a login",
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a role",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS or a service account",
}


def refuse_secrets(url: str) -> None:
    """See that an address of a store names a place and nothing secret.

    It stands in process lists, shell histories and in the next commands of our messages.

    Args:
        url: As given for ``--state``; never repeated here, because it may hold a password.

    Raises:
        UsageError: it has a password, a key or a signature in it.
    """
    if not _URL.match(url):
        raise UsageError(
            "--state is no URL (it is not repeated here: there may be a password in it).",
            do="Write sqlite:///path, postgresql://host/database, az://container/prefix, or the like.",
        )
    kind = url.partition(":")[0].lower()
    if kind in _SERVERS:
        if _WITH_PASSWORD.match(url):
            raise _has_password()
        refuse_secret_options(_plain(each.partition("=")[0]) for each in _OPTION.split(url)[1:])
    if kind in _OBJECTS and (_WITH_USER.match(url) or "?" in url or "#" in url):
        raise UsageError(
            f"--state may hold only {kind}://, a {container(kind)} and a prefix: credentials in it"
            " would be shown by process lists and messages.",
            do=f"Take the rest out; credentials come from {_OBJECTS[kind]}.",
        )


def refuse_secret_options(names: Iterable[str]) -> None:
    """See that an address of a database server sets no option that is a secret.

    Args:
        names: Of its options, as the server's client reads them.

    Raises:
        UsageError: one is a password or the like; a file that holds one is none.
    """
    if any(_SECRET_OPTION.search(each) for each in names):
        raise _has_password()


def _plain(name: str) -> str:
    """An option's name as the client of a server reads it.

    >>> _plain("%70assword")
    'password'
    """
    return _ENCODED.sub(lambda found: chr(int(found[1], 16)), name)


def _has_password() -> UsageError:
    return UsageError(
        "--state has a password in it, which process lists and messages would show.",
        do="Take it out, and put it into PGPASSWORD, a ~/.pgpass file or a PGSERVICE.",
    )


def container(kind: str) -> str:
    """What a service of objects calls the place that holds them.

    >>> container("az"), container("s3")
    ('container', 'bucket')
    """
    return "container" if kind == "az" else "bucket"
