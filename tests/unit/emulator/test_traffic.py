"""Requests and their copies are counted once each, whatever becomes of files and processes."""

import json

import pytest

from rollout.emulator.traffic import Request, Traffic
from tests.fakes.clock import FakeClock

NOW = 1000.0


def line(at: float, *, shadow: bool = False, status: int = 200, took: float = 0.002, **rest) -> str:
    entry = {
        "ts": f"{at:.6f}",
        "id": f"id-{at}",
        "route": "shadow:green" if shadow else "split",
        "cluster": "ep~green~shadow" if shadow else "ep~blue~live",
        "status": status,
        "details": "via_upstream",
        "attempts": 1,
        "us": round(took * 1e6) + 500,
        "upstream_us": round(took * 1e6),
        "shadow": shadow,
        **rest,
    }
    return json.dumps(entry, separators=(",", ":")) + "\n"


def front(at: float, *, took: float = 0.01, status: int = 200, **rest) -> Request:
    return Request(at, took, "blue", status, status, passed=True, agent=f"me-{at:g}", **rest)


def traffic(folder, now: float = NOW) -> Traffic:
    return Traffic(folder / "traffic/shop.jsonl", folder / "access.jsonl", FakeClock(now))


def test_a_request_has_the_engines_time_and_the_fronts_client(tmp_path):
    (tmp_path / "access.jsonl").write_text(line(500.003, took=0.004))
    found = traffic(tmp_path)
    found.add(front(500.0, took=0.02))

    [one] = found.between(0, NOW)
    found.close()

    assert (one.agent, one.seconds) == ("me-500", 0.004)


def test_requests_at_the_same_time_are_each_somebodys(tmp_path):
    log = line(500.001, took=0.001) + line(500.002, took=0.003) + line(500.003, status=500)
    (tmp_path / "access.jsonl").write_text(log)
    found = traffic(tmp_path)
    found.add(front(500.0))
    found.add(front(500.001, status=424))
    found.add(front(500.002))

    seen = found.between(0, NOW)
    found.close()

    assert {one.agent for one in seen} == {"me-500", "me-500.001", "me-500.002"}
    assert sorted((one.seconds, one.status) for one in seen) == [
        (0.001, 200), (0.002, 424), (0.003, 200),
    ]  # fmt: skip


def test_whoever_is_alone_is_waited_for_and_then_known_as_it_is(tmp_path):
    (tmp_path / "access.jsonl").write_text(line(999.0, took=0.003))
    clock = FakeClock(NOW)
    found = Traffic(tmp_path / "traffic/shop.jsonl", tmp_path / "access.jsonl", clock)
    found.add(front(999.5, took=0.02))

    early = found.between(0, 2000)
    clock.sleep(5)
    late = found.between(0, 2000)
    found.close()

    assert early == []
    assert [(one.agent, one.seconds) for one in late] == [("", 0.003), ("me-999.5", 0.02)]


def test_what_the_front_answered_itself_is_known_at_once(tmp_path):
    found = traffic(tmp_path)
    found.add(Request(NOW - 1, 0.001, "", 401, 0))

    assert [one.status for one in found.between(0, NOW)] == [401]
    found.close()


def test_a_restart_finds_the_same(tmp_path):
    (tmp_path / "access.jsonl").write_text(line(100, shadow=True) + line(101))
    first = traffic(tmp_path)
    first.add(front(101))
    before = first.between(0, NOW)
    first.close()

    second = traffic(tmp_path)
    after = second.between(0, NOW)
    second.close()

    assert [(one.deployment, one.shadow) for one in before] == [("green", True), ("blue", False)]
    assert after == before


def test_a_copy_is_counted_once_also_over_a_rotation(tmp_path):
    log = tmp_path / "access.jsonl"
    log.write_text(line(100, shadow=True))
    found = traffic(tmp_path)
    first = len(found.between(0, NOW))
    with log.open("a") as file:
        file.write(line(101, shadow=True))
    log.rename(tmp_path / "access.1.jsonl")
    log.write_text(line(102, shadow=True) + line(103, shadow=True)[:-20])

    second = len(found.between(0, NOW))
    found.close()

    assert (first, second) == (1, 3)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (line(100, shadow=True, status=500), (424, 500)),
        (line(100, shadow=True, status=504, details="timeout"), (408, 0)),
        (line(100, shadow=True, status=0), (499, 0)),
        ("torn" + line(100, shadow=True), (200, 200)),
    ],
    ids=["error", "slow", "left", "torn"],
)
def test_a_copys_status_is_what_a_client_would_have_got(tmp_path, entry, expected):
    (tmp_path / "access.jsonl").write_text(entry + 'no json, with "shadow":true in it\n')
    found = traffic(tmp_path)

    [one] = found.between(0, NOW)
    found.close()

    assert (one.status, one.model_status) == expected


def test_a_deleted_endpoints_requests_are_forgotten(tmp_path):
    found = traffic(tmp_path)
    found.add(front(1))

    found.close(forget=True)

    assert list((tmp_path / "traffic").iterdir()) == []
