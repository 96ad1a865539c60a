"""Addresses of stores: what ``--state`` may say, given that it is shown in messages."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rollout.domain.errors import UsageError

_WITH_PASSWORD = re.compile(r"[^:]+://[^@]*:.*@", re.DOTALL)
_SECRET_OPTION = re.compile(r"password|secret|scram|token", re.IGNORECASE)
# What a secret is given to, wherever it stands: a client that reads no such option shows it.
_SECRET_NAME = re.compile(
    r"pass(wor)?d|passwd|pwd|secret|scram|token|credential|signature|sig$|sas$"
    r"|(access|account|api|master|private|shared)[_-]?key",
    re.IGNORECASE,
)
_KEY = re.compile(r"key\d*$", re.IGNORECASE)
_NO_NAME = re.compile(r"[^\w.-]")
_BEHIND_A_FILE = re.compile(r"[;&#]")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_PORT = re.compile(r"(?:\[[^\]]*\]|[^:\[\]]*)(?::(\d*))?")  # of one host, with the name before it
_MOST_PORTS = 65_535
_ENCODED = re.compile(r"%([0-9a-f]{2})", re.IGNORECASE)
_OBJECT_PLACE = re.compile(
    r"[^:]+://[A-Za-z0-9$][A-Za-z0-9$._-]*(?:/(?!\.\.?(?:/|$))[A-Za-z0-9_=.-]+)*/?"
)
_FILE_PLACE = re.compile(r"[^:]+:///[^?]*", re.DOTALL)

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
        UsageError: it has a password, a key or a signature in it, or what may be one.
    """
    if not _URL.match(url):
        raise UsageError(
            "--state is no URL (it is not repeated here: there may be a password in it).",
            do="Write sqlite:///path, postgresql://host/database, az://container/prefix, or the like.",
        )
    kind = url.partition(":")[0].lower()
    if kind in _SERVERS:
        _refuse_in_server(url)
    elif kind in _OBJECTS:
        _refuse_in_objects(kind, url)
    elif kind == "sqlite":
        options = _BEHIND_A_FILE.split(url, maxsplit=1)[1:]
        if not _FILE_PLACE.fullmatch(url) or any(map(_names_secret, options)):
            raise no_file()
    elif _WITH_PASSWORD.match(_plain(url)) or _names_secret(url, keys=False):
        raise UsageError(
            "--state has a secret in it, which process lists and messages would show.",
            do="Take it out; the package that brings this store says where it goes.",
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


def no_file() -> UsageError:
    """What is told of an address that should name a file; what it says is not repeated."""
    return UsageError(
        "--state names no journal file.",
        do="Write sqlite:///folder/file.db or sqlite:////absolute/folder/file.db.",
    )


def _refuse_in_server(url: str) -> None:
    """A server's address: what libpq would take for a name, and so show, may be a secret as well."""
    if _WITH_PASSWORD.match(url) or _WITH_PASSWORD.match(_plain(url)):
        raise _has_password()
    if _names_secret(url, keys=False):  # its keys are files
        raise _has_password()
    if "#" in url:
        raise UsageError(
            "--state has a fragment (#...), which no database server knows.",
            do="Take it out; a # in a name is written %23, and a password goes into PGPASSWORD.",
        )
    hosts = re.split("[/?]", url.partition("://")[2], maxsplit=1)[0].rpartition("@")[2]
    for each in hosts.split(","):
        found = _PORT.fullmatch(each)
        if found is None or int(found[1] or 0) > _MOST_PORTS:
            raise UsageError(
                "--state has something behind a host that is no port; it may be a password.",
                do="Write postgresql://user@host:5432/database; the password goes into PGPASSWORD.",
            )


def _refuse_in_objects(kind: str, url: str) -> None:
    if not _OBJECT_PLACE.fullmatch(url) or _names_secret(url):
        raise UsageError(
            f"--state names no {container(kind)} with a prefix, or more than that: credentials in"
            " it would be shown by process lists and messages.",
            do=f"Write {kind}://{container(kind)}/prefix, the prefix of letters, digits, and -_=.;"
            f" credentials come from {_OBJECTS[kind]}.",
        )


def _names_secret(url: str, *, keys: bool = True) -> bool:
    """Whether something in an address is given to a name that a secret has.

    >>> _names_secret("az://c/p;AccountKey=x"), _names_secret("az://c/env=prod")
    (True, False)
    """
    named = [each.rstrip() for text in (url, _plain(url)) for each in text.split("=")[:-1]]
    names = [_NO_NAME.split(each)[-1] for each in named]
    return any(_SECRET_NAME.search(each) or (keys and _KEY.search(each)) for each in names)


def _plain(name: str) -> str:
    """A text of an address as the client of a server reads it.

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
