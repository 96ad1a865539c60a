"""The hash chain through a stream: each entry names the SHA-256 of the one before it.

It needs no understanding of what the entries say, so it holds for every version of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rollout.domain.codec import TAG
from rollout.domain.errors import StoreError
from rollout.ports.store import Record

ORIGIN = "0" * 64  # what the first event of a stream says came before it
_PRUNED = b'"Pruned"'


def digest_of(record: Record) -> str:
    """SHA-256 of the stored bytes; the next entry names it."""
    return hashlib.sha256(record.body).hexdigest()


def body_of(record: Record) -> dict[str, Any]:
    """What the JSON of an entry reads as.

    Raises:
        StoreError: it is none of ours.
    """
    with readable(record):
        body = json.loads(record.body)
        if not {"v", "prev"} <= body.keys():
            raise ValueError("it lacks what every version has")
        return dict(body)


@contextmanager
def readable(record: Record) -> Iterator[None]:
    """Whatever goes wrong with an entry's content is told with its place."""
    try:
        yield
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise StoreError(
            f"Entry {record.seq} of the journal is not readable: {error!r}.",
            do="Restore the journal from a backup; nothing was changed.",
        ) from error


def start_of(records: Sequence[Record]) -> tuple[int, str]:
    """Where the chain begins that must hold: the first ``seq``, and what its entry names before it.

    What a ``Pruned`` event says was forgotten may be there still: forgetting takes a while. Of
    several events the one that forgot most counts, whatever the order they were written in.
    """
    found = (0, ORIGIN)
    for record in records:
        if _PRUNED in record.body:
            with readable(record):
                event = body_of(record).get("event") or {}
                if event.get(TAG) == "Pruned" and int(event["below"]) > found[0]:
                    found = int(event["below"]), str(event["digest"])
    return found


def chained(records: Sequence[Record], stream: str) -> Iterator[Record]:
    """The records of a stream from the beginning on, each of them looked at.

    Args:
        records: All that the store has of the stream, in order.
        stream: Its name, for messages.

    Raises:
        StoreError: an entry was edited, taken out or put in since it was written.
    """
    seq, digest = start_of(records)
    for record in records:
        if record.seq < seq:
            continue
        check(record, seq, digest, stream)
        yield record
        seq, digest = record.seq + 1, digest_of(record)


def check(record: Record, seq: int, digest: str, stream: str) -> None:
    """See that a record is the next one.

    Raises:
        StoreError: it is not.
    """
    if (record.seq, body_of(record)["prev"]) != (seq, digest):
        raise StoreError(
            f"Entry {record.seq} of {stream} does not follow the one before it.",
            do="The journal was edited. Restore it from a backup.",
        )
