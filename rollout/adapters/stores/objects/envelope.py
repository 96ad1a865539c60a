"""What is in an object: a line of JSON about it, then the body byte for byte."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass

from rollout.ports.store import Record


@dataclass(frozen=True, slots=True)
class Entry:
    """A record with the number of the first record of its unbroken row of one run's records."""

    record: Record
    first: int


def wrap(entry: Entry) -> bytes:
    """The object of a record."""
    return _line({"run": entry.record.run, "first": entry.first}) + entry.record.body


def unwrap(seq: int, held: bytes) -> Entry | None:
    """The record of an object; None: it was dropped, and only its place is kept."""
    if not held:
        return None
    line, _, body = held.partition(b"\n")
    head = json.loads(line)
    return Entry(Record(seq, head["run"], body), head["first"])


def sign(body: bytes) -> bytes:
    """The object of a lease; each one is different, whatever the body, so no etag comes back."""
    return _line({"id": uuid.uuid4().hex}) + body


def unsign(held: bytes) -> bytes:
    """The body of a lease."""
    return held.partition(b"\n")[2]


def _line(head: dict[str, object]) -> bytes:
    return json.dumps(head).encode() + b"\n"
