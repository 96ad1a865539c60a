"""Bounds the logs: the access log in numbered segments, all others by copies of their end."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

SEGMENT_BYTES = 20 * 2**20
SEGMENTS_KEPT = 4
LOG_BYTES = 5 * 2**20
LOGS_KEPT = 3

_SEGMENT = re.compile(r"access\.(\d+)\.jsonl")


def segments(access_log: Path) -> dict[int, Path]:
    """The finished segments of an access log by number; the growing one has the next number."""
    found = {}
    for path in access_log.parent.glob("access.*.jsonl"):
        match = _SEGMENT.fullmatch(path.name)
        if match:
            found[int(match[1])] = path
    return dict(sorted(found.items()))


def is_due(access_log: Path) -> bool:
    """Whether the growing segment is large enough."""
    return _size(access_log) > SEGMENT_BYTES


def rotate(access_log: Path) -> None:
    """Finish the growing segment and drop the oldest; Envoy must reopen its log afterwards."""
    if not access_log.exists():
        return
    finished = segments(access_log)
    number = max(finished, default=0) + 1
    access_log.rename(access_log.with_name(f"access.{number}.jsonl"))
    for path in list(finished.values())[: max(0, len(finished) + 1 - SEGMENTS_KEPT)]:
        path.unlink(missing_ok=True)


def bound(log: Path) -> None:
    """Keep a log that another process has open within its size.

    It is copied and then emptied, as the writers hold it open; what they write between the two is
    lost.
    """
    if _size(log) <= LOG_BYTES:
        return
    for number in range(LOGS_KEPT - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    shutil.copyfile(log, log.with_name(f"{log.name}.1"))
    with log.open("r+b") as file:
        file.truncate(0)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
