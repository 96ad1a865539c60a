"""Reading of the access log: what counts, for whom, and from where to where."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.adapters.endpoints.local import access_log, rotation
from rollout.adapters.endpoints.local.access_log import Asked, Found, Reader
from rollout.adapters.endpoints.local.cursor import Cursor, Place
from rollout.adapters.endpoints.local.entries import arms_of
from rollout.domain.answers import Said
from rollout.domain.errors import EndpointAway, EndpointRefused
from rollout.domain.measure import NEVER, Arm, bucket_of

LIVE = arms_of("blue", "green", mirrored=False)
MIRRORED = arms_of("blue", "green", mirrored=True)


def line(deployment: str = "blue", **changes: object) -> str:
    entry = {
        "ts": "100.000001", "id": "x", "route": "split", "cluster": f"ep~{deployment}~live",
        "host": "127.0.0.1:1", "status": 200, "flags": "-", "details": "via_upstream",
        "attempts": 1, "us": 3000, "upstream_us": 2000, "shadow": False, "answer": None,
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
    found = Reader(log).read(cursor, arms, Asked(histogram=histogram), moment=200.0)
    assert (found.said, found.pairs) == ({}, ()), "nobody asked for answers"
    return found.cursor, dict(found.arms)


BEGIN = Cursor(Place(1, 0), Place(1, 0), Place(1, 0), 0.0, 0.0)


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
        ({"route": "metrics", "cluster": "ep~metrics"}, (0, 0)),
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


@pytest.mark.parametrize("rotated", [False, True])
def test_a_removed_log_is_not_taken_for_the_one_that_follows(log: Path, rotated: bool) -> None:
    write(log, line(id="1"))
    rotate(log)
    write(log, line(id="2"))
    cursor, _ = read(log, BEGIN)
    log.unlink()
    write(log, line(id="3"), line(id="4"), line(id="5"))
    if rotated:
        rotate(log)

    after, arms = read(log, Cursor.parse(str(cursor)))

    assert arms["baseline"].requests == 3
    assert after.counted == Place(3, 0) if rotated else Place(2, 3 * len(line(id="3")))


def test_a_reading_says_that_what_followed_its_cursor_was_removed(log: Path) -> None:
    write(log, line(id="1"))
    cursor, _ = read(log, BEGIN)
    write(log, line(id="2"))
    rotate(log)
    write(log, line(id="3"))
    kept = Reader(log).read(cursor, LIVE, Asked(), moment=200.0)
    log.with_name("access.1.jsonl").unlink()

    found = Reader(log).read(cursor, LIVE, Asked(), moment=200.0)
    after = Reader(log).read(found.cursor, LIVE, Asked(), moment=201.0)

    assert (kept.lost, found.lost, after.lost) == (False, True, False)


@pytest.mark.parametrize(
    ("removed", "more", "counted"),
    [((2,), 1, 1), ((1, 2), 2, 2), ((1,), 1, 1)],
    ids=["the last one", "all", "the first one"],
)
def test_finished_segments_that_are_removed_change_nothing(
    log: Path, removed: tuple[int, ...], more: int, counted: int
) -> None:
    for at in range(12):
        write(log, line(id=str(at)))
        if at in (2, 6):
            rotate(log)
    cursor, _ = read(log, BEGIN)
    for number in removed:
        rotation.segments(log)[number].unlink()
    write(log, *(line(id=f"new {at}") for at in range(more)))

    after, arms = read(log, Cursor.parse(str(cursor)))
    _, later = read(log, after)

    assert arms["baseline"].requests == counted
    assert later["baseline"].requests == 0


def test_where_nobody_knows_what_was_counted_only_new_requests_count(log: Path) -> None:
    for at in range(6):
        write(log, line(id=str(at), ts="100.0"))
        if at in (1, 3):
            rotate(log)
    cursor = replace(read(log, BEGIN)[0], until=150.0)
    rotation.segments(log)[2].unlink()
    log.unlink()
    write(log, line(id="new", ts="160.0"))

    after, arms = read(log, Cursor.parse(str(cursor)))

    assert arms["baseline"].requests == 1
    assert after.since == 150.0


def test_a_log_that_goes_on_is_the_same_however_it_was_read(log: Path) -> None:
    cursors = [access_log.now(log, 0.0)]
    write(log, line(id="1")[:20])
    cursors.append(access_log.now(log, 0.0))
    write(log, line(id="1")[20:])
    cursors.append(access_log.now(log, 0.0))
    write(log, line(id="2"))

    counts = [read(log, Cursor.parse(str(one)))[1]["baseline"].requests for one in cursors]

    assert counts == [2, 1, 1], "what is left of a line that was there in part is no line"


@pytest.mark.parametrize(
    ("text", "waiting"),
    [
        ("1:4:10:4:5:0.000000:9.000000", Place(4, 10)),
        ("2:4:10:4:5:4:2:0.000000:9.000000", Place(4, 2)),
        ("3:4:10:77:4:5:77:4:2:77:0.000000:9.000000", Place(4, 2, 77)),
    ],
)
def test_cursors_of_earlier_versions_are_known(text: str, waiting: Place) -> None:
    cursor = Cursor.parse(text)

    assert (cursor.counted, cursor.timed, cursor.waiting) == (Place(4, 10), Place(4, 5), waiting)
    assert cursor.waiting.begun == waiting.begun
    assert (cursor.since, cursor.until) == (0.0, 9.0)


@pytest.mark.parametrize("place", [Place(9, 10), Place(1, 10**6)])
def test_a_cursor_of_an_earlier_life_starts_anew(log: Path, place: Place) -> None:
    write(log, line())

    cursor, arms = read(log, Cursor(place, place, place, 0.0, 0.0))

    assert arms["baseline"].requests == 1
    assert cursor.counted == Place(1, len(line()))


def test_nothing_yet_is_nothing(log: Path) -> None:
    cursor = access_log.now(log, 5.0)

    after, arms = read(log, cursor)

    assert cursor.counted == after.counted == Place(1, 0)
    assert arms == {"baseline": Arm(0, 0), "candidate": Arm(0, 0)}


@pytest.mark.parametrize(
    "text", ["", "1:2:3", "2:1:0:1:0:0:0", "3:1:0:1:0:1:0:0:0", "1:a:0:1:0:0:0", "x"]
)
def test_a_foreign_cursor_is_refused(text: str) -> None:
    with pytest.raises(EndpointRefused, match="no cursor"):
        Cursor.parse(text)


def test_a_cursor_from_before_an_upgrade_is_read_on(log: Path) -> None:
    write(log, line(), said("a", ended=1.0), copy("a", ended=1.1))
    old = f"1:1:{len(line())}:1:0:5.000000:60.000000"

    cursor = Cursor.parse(old)
    found = ask(log, cursor)

    assert (cursor.since, cursor.until, cursor.timed) == (5.0, 60.0, Place(1, 0))
    assert found.arms["baseline"].requests == len(found.pairs) == 1
    assert str(found.cursor).startswith("3:")


# --- answers --------------------------------------------------------------------


def kept(text: str | bytes, *, how: str = "whole application/json identity") -> str:
    data = text if isinstance(text, bytes) else text.encode()
    return f"{how} {base64.b64encode(data).decode()}"


def said(request: str, *, ended: float = 1.0, deployment: str = "blue", **changes: object) -> str:
    answer = kept(f"{deployment} to {request}")
    ts = f"{100 + ended:.6f}"
    return line(deployment, **{"id": request, "ts": ts, "us": 0, "answer": answer, **changes})


def copy(request: str, *, ended: float = 1.0, **changes: object) -> str:
    shadow_line = {"cluster": "ep~green~shadow", "route": "shadow:green", "shadow": True}
    return said(request, ended=ended, deployment="green", **{**shadow_line, **changes})


def ask(log: Path, cursor: Cursor, arms: dict[str, str] = MIRRORED) -> Found:
    asked = Asked(answers=True, pairs=arms is MIRRORED)
    return Reader(log).read(cursor, arms, asked, moment=200.0)


def names(found: Found) -> list[str]:
    """Of which request each pair is; a pair is of one request, the baseline's half first."""
    halves = [[one.body.decode().split(" to ") for one in pair] for pair in found.pairs]
    assert all((one[0], other[0]) == ("blue", "green") for one, other in halves)
    assert all(one[1] == other[1] for one, other in halves)
    return [one[1] for one, _ in halves]


def test_what_was_said_is_what_was_counted(log: Path) -> None:
    write(
        log,
        said("a"),
        said("b", status=500),
        line(),  # counted from before answers were kept
        said("c", deployment="green"),
        said("d", route="direct:blue"),
        said("e", flags="DC"),
        copy("a"),
        copy("f", flags="UO"),
    )

    live, mirrored = ask(log, BEGIN, LIVE), ask(log, BEGIN)

    def bodies(found: Found) -> dict[str, list[tuple[int, bytes]]]:
        return {arm: [(x.status, x.body) for x in all_of] for arm, all_of in found.said.items()}

    baseline = [(200, b"blue to a"), (500, b"blue to b")]
    assert bodies(live) == {"baseline": baseline, "candidate": [(200, b"green to c")]}
    assert bodies(mirrored) == {"baseline": baseline, "candidate": [(200, b"green to a")]}
    assert (live.arms["baseline"].requests, live.arms["candidate"].requests) == (3, 1)
    assert live.pairs == ()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (kept("{}"), Said(200, b"{}", "application/json")),
        (kept(""), Said(200, b"", "application/json")),
        (kept(bytes(range(256))), Said(200, bytes(range(256)), "application/json")),
        (kept("x", how="cut Text/CSV identity"), Said(200, b"x", "text/csv", whole=False)),
        (kept("x", how="whole - identity"), Said(200, b"x")),
        (kept(gzip.compress(b"x", mtime=0), how="whole a/b GZIP"), Said(200, b"x", "a/b")),
        (kept(gzip.compress(b"x", mtime=0)[:-4], how="cut a/b gzip"), Said(200, b"x", "a/b", whole=False)),
        (kept(gzip.compress(bytes(20_000), mtime=0), how="whole a/b gzip"),
         Said(200, bytes(16_384), "a/b", whole=False)),
        (kept(b"", how="whole a/b gzip"), Said(200, b"", "a/b")),
        (kept("no gzip", how="whole a/b gzip"), None),
        (kept("x", how="whole a/b br"), None),
        (kept("x", how="whole a/b -"), None),
        ("whole a/b identity =x", None),
        ("garbage", None),
        (None, None),
    ],
)  # fmt: skip
def test_an_answer_is_given_as_it_was_or_not_at_all(
    log: Path, answer: str | None, expected: Said | None
) -> None:
    write(log, line(answer=answer))

    found = ask(log, BEGIN)

    assert found.said["baseline"] == (() if expected is None else (expected,))
    assert found.arms["baseline"].requests == 1


def test_a_pair_is_of_one_request_whoever_comes_first(log: Path) -> None:
    write(
        log,
        said("a"),
        copy("b"),
        said("c"),
        copy("a"),
        said("d"),
        said("b"),
        copy("nobody"),
        line(id=None, answer=kept("x")),
        line(id=None, answer=kept("x")),
    )

    assert names(ask(log, BEGIN)) == ["a", "b"]


@pytest.mark.parametrize(
    "halves",
    [
        [said("a", deployment="green"), copy("a")],  # the candidate answered the client itself
        [said("a", route="direct:blue"), copy("a")],
        [said("a", answer=None), copy("a")],
        [said("a"), copy("a", answer=None)],
        [said("a"), copy("a", flags="UO")],
        [said("a", flags="DC"), copy("a")],
        [said("a"), copy("a", answer="whole a/b br eA==")],
        [said("a", ended=1.0), copy("a", ended=16.5)],
    ],
)
def test_what_is_no_pair(log: Path, halves: list[str]) -> None:
    write(log, *halves)

    assert ask(log, BEGIN).pairs == ()


def test_a_late_half_is_waited_for_over_readings(log: Path) -> None:
    cursor, seen = BEGIN, []
    later = [
        [said("a", ended=1.0), copy("b", ended=2.0)],
        [said("c", ended=8.0)],
        [],
        [said("b", ended=15.0), copy("a", ended=15.9)],
        [copy("c", ended=23.5)],
    ]
    for lines in later:
        write(log, *lines)
        found = ask(log, cursor)
        cursor = Cursor.parse(str(found.cursor))  # as a runner that crashed reads it
        seen.append(names(found))

    assert seen == [[], [], [], ["b", "a"], []]


def test_what_is_not_waited_for_any_more_is_not_read_again(log: Path) -> None:
    write(log, said("a", ended=1.0), said("b", ended=5.0), said("c", ended=20.9))

    cursor = ask(log, BEGIN).cursor

    assert cursor.waiting == Place(1, len(said("a")))
    write(log, said("d", ended=60.0))
    cursor = ask(log, cursor).cursor
    assert cursor.waiting.offset == cursor.counted.offset - len(said("d"))


def test_without_kept_answers_nothing_waits(log: Path) -> None:
    write(log, line(), shadow())

    cursor = ask(log, BEGIN).cursor

    assert cursor.waiting == cursor.counted


@pytest.mark.parametrize("crashing", [False, True], ids=["one reader", "a new one each time"])
@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_each_pair_and_answer_comes_once_however_often_it_is_read(
    log: Path, steps: int, crashing: bool
) -> None:
    requests = [f"r{number}" for number in range(40)]
    lines = [said(request, ended=number / 4) for number, request in enumerate(requests)]
    for number, request in enumerate(requests):
        at = min(len(lines), 2 * number + 7 * (number % 5))
        lines.insert(at, copy(request, ended=number / 4))
    reader, cursor, found = Reader(log), BEGIN, []

    for number, text in enumerate(lines):
        write(log, text)
        if number % steps == 0:
            asked = Asked(histogram=number % 3 == 0, answers=True, pairs=True)
            if number % 4 == 0:
                reader.read(BEGIN, MIRRORED, asked, moment=200.0)  # somebody reads it all again
            reader = Reader(log) if crashing else reader
            found.append(reader.read(cursor, MIRRORED, asked, moment=200.0))
            cursor = found[-1].cursor
        if number % 25 == 24:
            rotate(log)
    everything = Asked(histogram=True, answers=True, pairs=True)
    found.append(reader.read(cursor, MIRRORED, everything, moment=200.0))
    at_once = Reader(log).read(BEGIN, MIRRORED, everything, moment=200.0)

    assert [name for each in found for name in names(each)] == names(at_once)
    assert sorted(names(at_once)) == sorted(requests)
    for arm in ("baseline", "candidate"):
        assert sum(len(each.said[arm]) for each in found) == len(at_once.said[arm]) == 40
        assert sum(sum((each.arms[arm].latency or {}).values()) for each in found) == 40


def test_a_reader_forgets_what_it_does_not_wait_for(log: Path) -> None:
    reader, cursor = Reader(log), BEGIN
    asked = Asked(answers=True, pairs=True)

    for number in range(50):
        write(log, said(f"r{number}", ended=float(number)))
        cursor = reader.read(cursor, MIRRORED, asked, moment=200.0).cursor

    assert cursor == Reader(log).read(BEGIN, MIRRORED, asked, moment=200.0).cursor
    known = reader._known
    assert known is not None
    assert len(known[2]._halves) == len(known[2]._seen) == 17


def test_halves_of_other_deployments_are_not_taken_for_these(log: Path) -> None:
    reader, asked = Reader(log), Asked(answers=True, pairs=True)
    write(log, said("a"))
    cursor = reader.read(BEGIN, MIRRORED, asked, moment=200.0).cursor
    write(log, copy("a"))

    others = arms_of("red", "green", mirrored=True)

    assert reader.read(cursor, others, asked, moment=200.0).pairs == ()


def test_a_pair_is_joined_over_a_rotation(log: Path) -> None:
    write(log, said("a"))
    cursor = ask(log, BEGIN).cursor
    rotate(log)
    write(log, copy("a", ended=2.0))

    found = ask(log, cursor)

    assert names(found) == ["a"]
    assert cursor.waiting == Place(1, 0)
    assert names(ask(log, found.cursor)) == []


def test_a_half_in_a_segment_that_is_gone_is_a_lost_pair(log: Path) -> None:
    write(log, said("a"))
    cursor = ask(log, BEGIN).cursor
    rotate(log)
    log.with_name("access.1.jsonl").unlink()
    write(log, copy("a", ended=2.0), said("b"), copy("b"))

    assert names(ask(log, cursor)) == ["b"]


def test_pairs_wait_only_where_they_are_asked_for(log: Path) -> None:
    write(log, said("a"))
    cursor = ask(log, BEGIN, LIVE).cursor
    write(log, copy("a"))

    assert cursor.waiting == cursor.counted
    assert ask(log, cursor).pairs == ()


def test_histograms_do_not_count_what_pairs_look_back_at(log: Path) -> None:
    write(log, said("a"), copy("b"))
    asked = Asked(histogram=True, answers=True, pairs=True)
    first = Reader(log).read(BEGIN, MIRRORED, asked, moment=200.0)
    write(log, copy("a"), said("b"))

    second = Reader(log).read(first.cursor, MIRRORED, asked, moment=201.0)

    assert names(second) == ["a", "b"]
    for found in (first, second):
        assert [sum(arm.latency.values()) for arm in found.arms.values()] == [1, 1]
        assert [len(found.said[arm]) for arm in found.arms] == [1, 1]


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


def test_a_log_that_stays_away_is_no_silence_of_the_clients(log: Path) -> None:
    write(log, line())
    reader = Reader(log)
    cursor = reader.read(BEGIN, LIVE, Asked(), moment=200.0).cursor
    log.unlink()

    first = reader.read(cursor, LIVE, Asked(), moment=202.0)  # as in a rotation
    with pytest.raises(EndpointAway, match=r"access\.jsonl is gone"):
        reader.read(first.cursor, LIVE, Asked(), moment=207.5)


def test_when_the_log_is_back_reading_goes_on_without_what_was_lost(log: Path) -> None:
    for at in range(2):
        write(log, line(id=f"{at}"))
        rotate(log)
    reader = Reader(log)
    write(log, line(id="a"), line(id="b"))
    cursor = reader.read(BEGIN, LIVE, Asked(), moment=200.0).cursor
    log.unlink()
    reader.read(cursor, LIVE, Asked(), moment=202.0)
    with pytest.raises(EndpointAway):
        reader.read(cursor, LIVE, Asked(), moment=208.0)

    write(log, line(id="c"))
    found = reader.read(cursor, LIVE, Asked(histogram=True), moment=209.0)
    log.unlink()
    again = reader.read(found.cursor, LIVE, Asked(), moment=230.0)

    assert found.arms["baseline"].requests == 1, "what rotated segments hold is counted once"
    assert found.cursor.counted == Place(3, len(line(id="c")))
    assert again.arms["baseline"].requests == 0, "a second instant begins anew"


def test_a_cursor_is_kept_while_the_log_is_away(log: Path) -> None:
    write(log, line(id="a"))
    rotate(log)
    write(log, line(id="b"))
    cursor, _ = read(log, BEGIN)
    log.unlink()

    after, arms = read(log, cursor)

    assert arms["baseline"].requests == 0
    assert after.counted == Place(2, 0)
