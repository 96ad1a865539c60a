"""Reading of the access log: what counts, for whom, and from where to where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rollout.adapters.endpoints.local import access_log, rotation
from rollout.adapters.endpoints.local.access_log import Cursor, Place
from rollout.domain.errors import EndpointRefused
from rollout.domain.measure import NEVER, Arm, bucket_of

LIVE = access_log.arms_of("blue", "green", mirrored=False)
MIRRORED = access_log.arms_of("blue", "green", mirrored=True)


def line(deployment: str = "blue", **changes: object) -> str:
    entry = {
        "ts": "100.000001", "id": "x", "route": "split", "cluster": f"ep~{deployment}~live",
        "host": "127.0.0.1:1", "status": 200, "flags": "-", "details": "via_upstream",
        "attempts": 1, "us": 3000, "upstream_us": 2000, "shadow": False,
    }  # fmt: skip
    return json.dumps({**entry, **changes}) + "\n"


def shadow(**changes: object) -> str:
    return line(cluster="ep~green~shadow", route="shadow:green", shadow=True, **changes)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.jsonl"


def write(log: Path, *lines: str) -> None:
    with log.open("a") as file:
        file.writelines(lines)


def read(
    log: Path, cursor: Cursor, arms: dict[str, str] = LIVE, *, histogram: bool = False
) -> tuple[Cursor, dict[str, Arm]]:
    return access_log.read(log, cursor, arms, moment=200.0, histogram=histogram)


BEGIN = Cursor(Place(1, 0), Place(1, 0), 0.0, 0.0)


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, (1, 0)),
        ({"status": 404}, (1, 0)),
        ({"status": 500}, (1, 1)),
        ({"status": 503, "flags": "UH", "details": "no_healthy_upstream"}, (1, 1)),
        ({"status": 503, "flags": "UC"}, (1, 1)),
        ({"status": 504, "flags": "UMSDR", "upstream_us": None}, (1, 1)),
        ({"status": 408}, (1, 1)),
        ({"status": 424}, (1, 1)),
        ({"status": 429}, (1, 1)),
        ({"status": 401}, (1, 0)),
        ({"status": 401, "details": "missing_api_key"}, (0, 0)),
        ({"status": 401, "details": "unknown_api_key"}, (0, 0)),
        ({"status": 0, "flags": "DC"}, (0, 0)),
        ({"status": 0, "flags": "DC,UC"}, (0, 0)),
        ({"status": 503, "flags": "UO"}, (0, 0)),
        ({"status": 0, "flags": "-"}, (1, 1)),
        ({"route": "direct:blue"}, (0, 0)),
        ({"route": None, "cluster": None, "status": 404}, (0, 0)),
        ({"route": "split:none", "cluster": None, "status": 404}, (0, 0)),
        ({"cluster": "ep~other~live"}, (0, 0)),
    ],
)
def test_what_counts(log: Path, changes: dict[str, object], counts: tuple[int, int]) -> None:
    write(log, line(**changes))

    _, arms = read(log, BEGIN)

    assert (arms["baseline"].requests, arms["baseline"].errors) == counts
    assert arms["candidate"].requests == 0


def test_the_mirror_is_an_arm_of_its_own(log: Path) -> None:
    write(log, line(), line("green"), shadow(), shadow(status=500), shadow(status=503, flags="UO"))

    live, mirrored = read(log, BEGIN)[1], read(log, BEGIN, MIRRORED)[1]

    assert live == {"baseline": Arm(1, 0), "candidate": Arm(1, 0)}
    assert mirrored == {"baseline": Arm(1, 0), "candidate": Arm(2, 1)}


def test_latency_is_the_servers_and_a_failure_is_slower_than_everything(log: Path) -> None:
    write(
        log,
        line(upstream_us=2000),
        line(upstream_us=2000, attempts=2, us=9000),
        line(upstream_us=None, us=4000),
        line(status=500),
    )

    arm = read(log, BEGIN, histogram=True)[1]["baseline"]

    expected = {bucket_of(0.002): 1, bucket_of(0.009): 1, bucket_of(0.004): 1, NEVER: 1}
    assert arm.latency == expected


def test_a_request_from_before_the_cursor_does_not_count(log: Path) -> None:
    cursor = access_log.now(log, 150.0)
    write(log, line(ts="149.9"), line(ts="150.1"))

    assert read(log, cursor)[1]["baseline"].requests == 1


def test_half_a_line_waits_for_its_other_half(log: Path) -> None:
    text = line()
    write(log, line(), text[:50])

    cursor, arms = read(log, BEGIN)
    write(log, text[50:])
    _, later = read(log, cursor)

    assert arms["baseline"].requests == later["baseline"].requests == 1


def test_a_torn_line_of_a_killed_envoy_costs_itself_only(log: Path) -> None:
    write(log, line()[:60], line(), "garbage\n", line())

    assert read(log, BEGIN)[1]["baseline"].requests == 2


def test_histograms_that_were_not_asked_for_are_made_up_later(log: Path) -> None:
    cursor, seen = BEGIN, []
    for histogram in (False, False, True, False, True):
        write(log, line(), line(status=500))
        cursor, arms = read(log, cursor, histogram=histogram)
        cursor = Cursor.parse(str(cursor))
        latency = arms["baseline"].latency
        seen.append(None if latency is None else sum(latency.values()))
        assert arms["baseline"].requests == 2

    assert seen == [None, None, 6, None, 4]


def rotate(log: Path) -> None:
    rotation.rotate(log)
    log.touch()  # as Envoy does when told to reopen


def test_a_cursor_survives_rotations(log: Path) -> None:
    write(log, line())
    cursor, _ = read(log, BEGIN)
    write(log, line())
    rotate(log)
    write(log, line(), line())
    rotate(log)

    cursor, arms = read(log, cursor)
    write(log, line())
    after, later = read(log, cursor, histogram=True)

    assert arms["baseline"].requests == 3
    assert cursor.counted == Place(3, 0)
    assert later["baseline"] == Arm(1, 0, {bucket_of(0.002): 5})
    assert after.timed == after.counted


def test_until_the_new_file_is_there_the_old_one_may_grow(log: Path) -> None:
    write(log, line())
    rotation.rotate(log)

    cursor, arms = read(log, BEGIN)
    write(log.with_name("access.1.jsonl"), line())
    log.touch()
    _, later = read(log, cursor)

    assert arms["baseline"].requests == later["baseline"].requests == 1


def test_the_oldest_segments_go(log: Path) -> None:
    for _ in range(7):
        write(log, line())
        rotate(log)

    assert list(rotation.segments(log)) == [4, 5, 6, 7]
    assert read(log, BEGIN)[1]["baseline"].requests == 4


@pytest.mark.parametrize("place", [Place(9, 10), Place(1, 10**6)])
def test_a_cursor_of_an_earlier_life_starts_anew(log: Path, place: Place) -> None:
    write(log, line())

    cursor, arms = read(log, Cursor(place, place, 0.0, 0.0))

    assert arms["baseline"].requests == 1
    assert cursor.counted == Place(1, len(line()))


def test_nothing_yet_is_nothing(log: Path) -> None:
    cursor = access_log.now(log, 5.0)

    after, arms = read(log, cursor)

    assert cursor.counted == after.counted == Place(1, 0)
    assert arms == {"baseline": Arm(0, 0), "candidate": Arm(0, 0)}


@pytest.mark.parametrize("text", ["", "1:2:3", "2:1:0:1:0:0:0", "1:a:0:1:0:0:0", "x"])
def test_a_foreign_cursor_is_refused(text: str) -> None:
    with pytest.raises(EndpointRefused, match="no cursor"):
        Cursor.parse(text)


def test_a_log_that_others_hold_open_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "LOG_BYTES", 10)
    log = tmp_path / "blue.log"
    with log.open("a") as writer:
        for turn in range(5):
            writer.write(f"turn {turn} of the log\n")
            writer.flush()
            rotation.bound(log)

    assert log.read_text() == ""
    assert [(tmp_path / f"blue.log.{n}").read_text()[:6] for n in (1, 2, 3)] == [
        "turn 4", "turn 3", "turn 2",
    ]  # fmt: skip
    assert not (tmp_path / "blue.log.4").exists()
