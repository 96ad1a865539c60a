"""What PostgreSQL's errors mean for a person, and what to do about them."""

from __future__ import annotations

import psycopg

from rollout.domain.errors import StoreError

_AGAIN = "Repeat the command; what was acknowledged is kept."

# SQLSTATE -> what, do
_REFUSED = {
    "42501": (
        "may not be used for a journal by this user",
        "Let its owner grant usage on the schema and all on both tables; making them needs create.",
    ),
    "25006": (
        "is read-only",
        "Name the primary in --state; of several hosts ?target_session_attrs=read-write finds it.",
    ),
    "53100": (
        "could not be written: the server's disk is full",
        "Free some space there. " + _AGAIN,
    ),
    "3F000": (
        "has no schema that the search path leads to",
        "Make one, or name one: ?options=-csearch_path%3Dname",
    ),
}
# What libpq says when no connection comes about; it has no SQLSTATE for us then.
_UNREACHED = (
    (
        "password authentication failed",
        "refused the password",
        "Correct PGPASSWORD, ~/.pgpass or the user in --state.",
    ),
    (
        "no password supplied",
        "wants a password",
        "Put it into PGPASSWORD or ~/.pgpass; never into --state.",
    ),
    ("no pg_hba.conf entry", "lets nobody in from here", "Ask its administrator for an entry."),
    (
        "does not exist",
        "is not there, or its user is not",
        "Correct the name in --state, or make it: createdb NAME.",
    ),
    (
        "too many clients",
        "has no connection left",
        "Close some, or raise max_connections. " + _AGAIN,
    ),
    (
        "remaining connection slots",
        "has no connection left",
        "Close some, or raise max_connections. " + _AGAIN,
    ),
    (
        "could not translate host name",
        "is on a host whose name leads nowhere",
        "Correct the host in --state.",
    ),
    ("Name or service not known", "is on a host whose name leads nowhere", "Correct the host."),
    (
        "Connection refused",
        "is not served there",
        "Correct host and port in --state, or start the server. " + _AGAIN,
    ),
    ("definition of service", "is named by a service that is not defined", "Look at PGSERVICE."),
    ("starting up", "is starting", _AGAIN),
    ("shutting down", "is shutting down", _AGAIN),
)


def told(error: psycopg.Error, place: str) -> StoreError:
    """The error as a person should read it.

    Args:
        error: Of psycopg; neither libpq nor the server ever repeats a password.
        place: The database.
    """
    text = " ".join(str(error).split()).partition(" Is the server running")[0].rstrip(".")
    for word, what, do in _UNREACHED:
        if error.sqlstate is None and word in text:
            return StoreError(_sentence(place, what, text), do=do)
    if error.sqlstate in _REFUSED:
        what, do = _REFUSED[error.sqlstate]
        return StoreError(_sentence(place, what, text), do=do)
    if isinstance(error, psycopg.OperationalError):
        do = f"Look whether the server runs and can be reached from here. {_AGAIN}"
        return StoreError(_sentence(place, "could not be reached or went away", text), do=do)
    return StoreError(_sentence(place, "failed", text), do="Repeat it; if it stays, report it.")


def _sentence(place: str, what: str, text: str) -> str:
    return f"{place[:1].upper()}{place[1:]} {what}: {text}."
