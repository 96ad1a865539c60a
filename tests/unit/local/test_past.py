"""What a deployment answered lately: in batches, over rotations, and only its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rollout.adapters.endpoints.local.past import batches
from rollout.domain.measure import NEVER

NOW = 1_000_000.0


def line(ended: float, *, cluster: str = "ep~blue~live", status: int = 200, **more: object) -> str:
    entry = {
        "ts": f"{ended - 0.01:.6f}",
        "id": "x",
        "route": "split",
        "cluster": cluster,
        "status": status,
        "flags": None,
        "details": "via_upstream",
        "attempts": 1,
        "us": 10_000,
        "upstream_us": 9_000,
        "shadow": False,
        **more,
    }
    return f"{json.dumps(entry, separators=(',', ':'))}\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.jsonl"


def past(log: Path, seconds: float = 60.0) -> list[tuple[int, int]]:
    found = batches(log, "blue", moment=NOW, seconds=seconds, batch=15.0)
    return [(each.requests, each.errors) for each in found]


def test_batches_are_counted_from_the_oldest_with_holes(log: Path) -> None:
    log.write_text(line(NOW - 50) + line(NOW - 49, status=500) + line(NOW - 10) + line(NOW - 9))

    assert past(log) == [(2, 1), (0, 0), (0, 0), (2, 0)]


def test_what_is_older_or_of_others_or_asked_by_name_does_not_count(log: Path) -> None:
    log.write_text(
        line(NOW - 100)
        + line(NOW - 10, cluster="ep~green~live")
        + line(NOW - 10, route="direct:blue")
        + line(NOW - 5)
    )

    assert past(log) == [(1, 0)]


def test_finished_segments_count(log: Path) -> None:
    log.with_name("access.1.jsonl").write_text(line(NOW - 40))
    log.write_text(line(NOW - 1))

    assert past(log) == [(1, 0), (0, 0), (1, 0)]


def test_a_failed_request_is_slower_than_every_other(log: Path) -> None:
    log.write_text(line(NOW - 1, status=500) + line(NOW - 1))

    (found,) = batches(log, "blue", moment=NOW, seconds=60.0, batch=15.0)

    assert found.latency is not None
    assert found.latency[NEVER] == 1
    assert sum(found.latency.values()) == 2


def test_without_a_log_there_is_no_past(log: Path) -> None:
    assert past(log) == []
