"""Readings of a Prometheus: each request once, in pieces that compare the same time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.adapters.metrics.prometheus.counters import Series
from rollout.adapters.metrics.prometheus.metering import Meter, rhythm
from rollout.adapters.metrics.prometheus.source import LONGEST, LOOK_BACK, Source
from rollout.domain.criteria import Check
from rollout.domain.errors import EndpointRefused
from rollout.domain.measure import NEVER, Arm, Interval
from rollout.domain.units import Allowance
from rollout.ports.doctor import UNLOOKED
from rollout.ports.endpoint import Finding
from tests.fakes.prometheus import FakePrometheus

DELAY = 10.0
METER = Meter(
    "http://prometheus",
    requests="requests ${deployment}",
    errors="errors ${deployment}",
    latency="latency ${deployment}",
    delay=DELAY,
)
NAMES = {"baseline": "blue", "candidate": "green"}
T0 = 1_000.0


class Scene:
    """Two deployments, scraped every 15 seconds from ``T0`` on: both by one proxy, or each by itself."""

    def __init__(self, *, proxy: bool = True) -> None:
        self.server = FakePrometheus()
        self.blue = self.server.start("blue", "a")
        self.green = self.server.start("green", "a" if proxy else "b")
        self.source = Source(METER, NAMES, self.server)  # type: ignore[arg-type]
        self.blue.answer(100)
        self.green.answer(10)
        self.server.scrape(T0)
        self.at = T0

    def later(self, blue: int = 0, green: int = 0, failed: int = 0) -> None:
        """Fifteen seconds more, with so many requests."""
        self.at += 15.0
        for process, count in ((self.blue, blue), (self.green, green)):
            if count:
                process.answer(count)
        if failed:
            self.green.answer(failed, code="500", seconds=0.01)
        self.server.scrape(self.at)

    def read(self, cursor: str, moment: float | None = None) -> tuple[str, Interval | None, str]:
        """What is known once all scrapes so far are."""
        found = self.source.read(cursor, moment=moment or self.at + DELAY + 1, mirrored=False)
        return found.cursor, found.interval, found.lost


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def pods() -> Scene:
    return Scene(proxy=False)


def arm(interval: Interval | None, role: str) -> Arm:
    assert interval is not None
    return interval.arms[role]


def test_a_reading_counts_what_both_answered(scene: Scene):
    cursor = scene.source.cursor(T0)
    scene.later(90, 9, failed=1)

    _, interval, lost = scene.read(cursor)

    assert interval is not None
    assert (interval.start, interval.end, lost) == (T0, scene.at + 1, "")
    assert arm(interval, "baseline") == Arm(90, 0, {1: 90}, edges=(0.1, 0.25, 0.5))
    assert arm(interval, "candidate") == Arm(10, 1, {0: 1, 1: 9}, edges=(0.1, 0.25, 0.5))


def test_each_request_is_in_one_reading(scene: Scene):
    cursor, found = scene.source.cursor(T0), []
    for count in (10, 20, 30, 40):
        scene.later(count, 1)
        cursor, interval, _ = scene.read(cursor)
        found.append(arm(interval, "baseline").requests)

    assert found == [10, 20, 30, 40]


def test_a_scrape_in_which_a_stage_began_is_of_no_stage(scene: Scene):
    cursor = scene.source.cursor(T0 + 5)
    scene.later(90, 9)
    scene.later(50, 5)

    _, interval, _ = scene.read(cursor)

    assert arm(interval, "baseline").requests == 50


def test_a_reading_waits_for_every_target_and_ends_where_the_baseline_was_scraped(pods: Scene):
    cursor = pods.source.cursor(T0)
    pods.later(10, 1)
    cursor, first, _ = pods.read(cursor)
    pods.blue.answer(10)
    pods.green.answer(1)
    pods.server.scrape(pods.at + 15, [pods.blue])

    early = pods.read(cursor, moment=pods.at + 18 + DELAY)
    pods.server.scrape(pods.at + 20, [pods.green])
    late = pods.read(cursor, moment=pods.at + 29 + DELAY)
    pods.blue.answer(10)
    pods.server.scrape(pods.at + 30, [pods.blue])
    _, interval, _ = pods.read(cursor, moment=pods.at + 31 + DELAY)

    assert first is not None
    assert first.end == pods.at
    assert early == late == (cursor, None, "")
    assert interval is not None
    assert interval.end == pods.at + 30
    assert (arm(interval, "baseline").requests, arm(interval, "candidate").requests) == (20, 1)


def test_a_target_that_went_away_is_not_waited_for(pods: Scene):
    for _ in range(3):
        pods.later(10, 1)
    cursor = pods.source.cursor(pods.at)
    pods.server.processes.remove(pods.green)
    for _ in range(3):
        pods.later(10)

    _, interval, _ = pods.read(cursor)

    assert arm(interval, "baseline").requests == 30
    assert arm(interval, "candidate").requests == 0


def test_a_baseline_that_went_away_is_not_waited_for(pods: Scene):
    for _ in range(3):
        pods.later(10, 1)
    cursor = pods.source.cursor(pods.at)
    pods.server.processes.remove(pods.blue)
    for _ in range(3):
        pods.later(0, 1)

    _, interval, _ = pods.read(cursor)

    assert arm(interval, "candidate").requests == 3


def test_what_is_too_fresh_is_left_for_later(scene: Scene):
    cursor = scene.source.cursor(T0)
    scene.later(10, 1)

    assert scene.read(cursor, moment=scene.at + DELAY - 1) == (cursor, None, "")


def test_of_one_scrape_a_target_is_waited_for_a_while(pods: Scene):
    cursor = pods.source.cursor(T0)
    late = pods.server.start("green", "c")
    late.answer(1)
    pods.server.scrape(T0, [late])
    for _ in range(10):
        pods.at += 15.0
        pods.blue.answer(10)
        pods.green.answer(1)
        pods.server.scrape(pods.at, [pods.blue, pods.green])

    early = pods.read(cursor, moment=T0 + 80 + DELAY)
    _, interval, _ = pods.read(cursor, moment=T0 + 106 + DELAY)

    assert early == (cursor, None, "")
    assert arm(interval, "candidate").requests == 7


def test_a_cursor_is_not_before_the_moment_it_was_asked_for(scene: Scene):
    begin, until = scene.source.cursor(T0 + 0.0004).split("/")

    assert begin == until == "1000.001"


def test_no_samples_are_not_no_requests(scene: Scene):
    cursor = scene.source.cursor(T0)

    assert scene.read(cursor, moment=T0 + 200 + DELAY) == (cursor, None, "")


def test_a_scrape_that_was_missed_loses_nothing(scene: Scene):
    cursor = scene.source.cursor(T0)
    scene.later(10, 1)
    scene.blue.answer(70)
    scene.green.answer(7)
    scene.at += 200
    scene.later(10, 1)

    _, interval, lost = scene.read(cursor)

    assert (arm(interval, "baseline").requests, lost) == (90, "")


def test_a_long_time_is_read_in_pieces(scene: Scene):
    cursor = scene.source.cursor(T0)
    for _ in range(100):
        scene.later(10, 1)

    found = []
    for _ in range(3):
        cursor, interval, _ = scene.read(cursor)
        assert interval is not None
        found.append((interval.end, arm(interval, "baseline").requests))

    assert found == [(T0 + LONGEST, 400), (T0 + 2 * LONGEST, 400), (scene.at + 1, 200)]


def test_what_nobody_scraped_is_said_to_be_lost(scene: Scene):
    cursor = scene.source.cursor(T0)
    scene.later(10, 1)
    cursor, _, _ = scene.read(cursor)
    scene.blue.answer(5_000)
    scene.at += 3 * LONGEST
    for _ in range(3):
        scene.later(10, 1)

    found = []
    for _ in range(5):
        cursor, interval, lost = scene.read(cursor)
        if interval is not None:
            found.append((arm(interval, "baseline").requests, lost))

    assert found == [(20, "Prometheus has no samples of the time before it")]


def test_a_gap_that_samples_reach_over_is_none(scene: Scene):
    cursor = scene.source.cursor(T0)
    scene.later(10, 1)
    cursor, _, _ = scene.read(cursor)
    scene.blue.answer(500)
    scene.at += LOOK_BACK - 20
    scene.later(10, 1)

    _, interval, lost = scene.read(cursor)

    assert (arm(interval, "baseline").requests, lost) == (510, "")


def test_a_failure_that_is_ahead_of_its_request_is_a_request(scene: Scene):
    cursor = scene.source.cursor(T0)
    scene.later(10, 0, failed=4)
    real = scene.server.samples

    def behind(selector: str, *, start: float, end: float) -> object:
        found = real(selector, start=start, end=end)
        if selector == "requests green":
            return tuple(each for each in found if each.labels["code"] == "200")
        return found

    scene.server.samples = behind  # type: ignore[assignment,method-assign]

    _, interval, _ = scene.read(cursor)

    assert (arm(interval, "candidate").requests, arm(interval, "candidate").errors) == (4, 4)


def test_mirrored_copies_are_asked_for_by_their_own_name(scene: Scene):
    meter = Meter("http://x", "requests ${deployment}/${traffic}", "errors ${deployment}/${traffic}")  # fmt: skip
    source = Source(meter, NAMES, scene.server)  # type: ignore[arg-type]

    source.read(source.cursor(T0), moment=T0 + 60, mirrored=True)

    assert set(scene.server.asked) == {
        "requests blue/live", "errors blue/live", "requests green/shadow", "errors green/shadow",
    }  # fmt: skip


def test_without_a_histogram_latency_is_not_known(scene: Scene):
    meter = Meter("http://x", "requests ${deployment}", "errors ${deployment}", delay=DELAY)
    source = Source(meter, NAMES, scene.server)  # type: ignore[arg-type]
    scene.later(10, 1)

    found = source.read(source.cursor(T0), moment=scene.at + DELAY + 1, mirrored=False)

    assert arm(found.interval, "baseline") == Arm(10, 0)


@pytest.mark.parametrize("cursor", ["", "0", "12/x", '{"at": 1}'])
def test_the_cursor_of_another_source_is_refused(scene: Scene, cursor: str):
    with pytest.raises(EndpointRefused, match="another source of metrics"):
        scene.source.read(cursor, moment=T0, mirrored=False)


def test_history_has_what_was_counted_before(scene: Scene):
    for _ in range(8):
        scene.later(30, 0)

    found = scene.source.history(moment=scene.at + DELAY, seconds=60.0, batch=15.0)

    assert found == (Arm(30), Arm(30), Arm(30), Arm(30))


def test_history_of_nobody_is_empty(scene: Scene):
    assert scene.source.history(moment=T0 + 7_200, seconds=60.0, batch=15.0) == ()


def test_it_is_read_as_often_as_is_worth_it():
    source = Source(METER, NAMES, FakePrometheus())  # type: ignore[arg-type]

    assert (source.pace, source.lag) == (rhythm(DELAY), DELAY + 2 * rhythm(DELAY))


# --- the pre-check ------------------------------------------------------------------


P95 = Check("latency", 0.95, tolerance=Allowance(ratio=1.1), margin=Allowance(ratio=1.2))


def checked(scene: Scene, *checks: Check, meter: Meter = METER) -> dict[str, Finding]:
    """The findings by name, after some traffic."""
    for _ in range(4):
        scene.later(100, 1)
    source = Source(meter, NAMES, scene.server)  # type: ignore[arg-type]
    return {each.name: each for each in source.arrives(checks, moment=scene.at + DELAY)}


def test_the_precheck_says_what_arrives(scene: Scene):
    scene.blue.answer(1, code="500")

    assert checked(scene) == {
        "metrics arrive": Finding(
            "metrics arrive",
            True,
            "Prometheus at http://prometheus counted 401 requests of 'blue' lately, scraped every 15s.",
        )
    }


def test_the_precheck_says_where_edges_are_too_coarse(scene: Scene):
    found = checked(scene, P95)["latency edges"]

    assert found.ok
    assert "latency_p95" in found.text


def test_the_precheck_says_that_nothing_has_failed_or_nothing_will_ever_be_seen_to(scene: Scene):
    found = checked(scene)["errors arrive"]

    assert found.ok
    assert found.text.startswith(UNLOOKED)
    assert found.text.endswith("Ask it: errors blue")


def test_the_precheck_cannot_tell_of_a_baseline_that_nobody_asked():
    source = Source(METER, NAMES, FakePrometheus())  # type: ignore[arg-type]

    (found,) = source.arrives([P95], moment=T0)

    assert found.ok
    assert found.text.startswith(UNLOOKED)
    assert found.text.endswith("Ask it: requests blue")


def test_buckets_are_no_requests(scene: Scene):
    found = checked(scene, meter=replace(METER, requests="latency ${deployment}"))

    assert not found["metrics arrive"].ok
    assert "more than once" in found["metrics arrive"].text


def test_a_latency_that_is_nowhere_is_refused(scene: Scene):
    found = checked(scene, meter=replace(METER, latency="latency ${deployment}-x"))

    assert not found["metrics arrive"].ok
    assert "no series of metrics.latency" in found["metrics arrive"].text


@pytest.mark.parametrize(
    ("ahead", "says"),
    [(9.0, None), (-9.0, None), (42.0, "42s behind"), (-300.0, "5m ahead of")],
)
def test_the_precheck_compares_the_clocks(scene: Scene, ahead: float, says: str | None):
    scene.later(10, 1)
    moment = scene.at + DELAY
    scene.server.told = moment + ahead

    found = {each.name: each for each in scene.source.arrives([], moment=moment)}.get("clock")

    assert (found is None) == (says is None)
    assert found is None or (not found.ok and str(says) in found.text)


def test_native_histograms_are_refused(scene: Scene):
    real = scene.server.samples

    def native(selector: str, *, start: float, end: float) -> object:
        found = real(selector, start=start, end=end)
        return (Series({"a": "b"}, native=True),) if selector.startswith("latency") else found

    scene.server.samples = native  # type: ignore[assignment,method-assign]

    assert "native" in checked(scene)["metrics arrive"].text


def test_a_counter_of_both_arms_is_refused(scene: Scene):
    source = Source(METER, {**NAMES, "candidate": "blue"}, scene.server)  # type: ignore[arg-type]
    scene.later(10, 1)

    with pytest.raises(
        EndpointRefused, match=r"same counter for the baseline and for the candidate"
    ):
        source.read(source.cursor(T0), moment=scene.at + DELAY + 1, mirrored=False)


def test_a_counter_that_two_servers_have_scraped_is_refused(scene: Scene):
    for replica in ("a", "b"):
        scene.server.start("green", "b", prometheus_replica=replica).answer(4)
    scene.later(10, 1)

    with pytest.raises(EndpointRefused, match="counter twice"):
        scene.read(scene.source.cursor(T0))


def test_pods_that_are_called_replicas_are_not_taken_for_that(scene: Scene):
    cursor = scene.source.cursor(T0)
    more = scene.server.start("green", "c", replica="1")
    scene.later(10, 1)
    more.answer(4)
    scene.later(10, 1)
    more.answer(4)
    scene.later(10, 1)

    _, interval, _ = scene.read(cursor)

    assert arm(interval, "candidate").requests == 7


def test_an_arm_that_nobody_scraped_for_long_is_said_to_be_lost(pods: Scene):
    cursor = pods.source.cursor(T0)
    pods.later(10, 1)
    cursor, _, _ = pods.read(cursor)
    for _ in range(28):
        pods.at += 15.0
        pods.blue.answer(10)
        pods.green.answer(1)
        pods.server.scrape(pods.at, [pods.blue])
        cursor, _, early = pods.read(cursor)
        assert early == ""
    pods.later(10, 1)

    assert pods.read(cursor)[2] == "Prometheus has no samples of the time before it"


def test_latencies_are_in_one_reading(scene: Scene):
    cursor, found = scene.source.cursor(T0), []
    for count in (10, 20, 30):
        scene.later(count, 1)
        cursor, interval, _ = scene.read(cursor)
        found.append(sum((arm(interval, "baseline").latency or {}).values()))

    assert found == [10, 20, 30]


def test_a_reading_says_since_when_it_counts_and_begins_where_the_last_one_ended(scene: Scene):
    cursor = scene.source.cursor(T0)
    scene.later(10, 1)
    first = scene.source.read(cursor, moment=scene.at + DELAY + 4, mirrored=False)
    scene.later(10, 1)

    second = scene.source.read(first.cursor, moment=scene.at + DELAY + 4, mirrored=False)

    assert first.interval is not None
    assert second.interval is not None
    assert (first.interval.start, first.since) == (T0, None)
    assert second.interval.start == first.interval.end == T0 + 19
    assert second.since == T0 + 15


def test_a_latency_without_edges_is_refused(scene: Scene):
    meter = Meter("http://x", "requests ${deployment}", "errors ${deployment}", "requests ${deployment}", delay=DELAY)  # fmt: skip
    scene.later(10, 1)

    found, *_ = Source(meter, NAMES, scene.server).arrives([P95], moment=scene.at + DELAY)  # type: ignore[arg-type]

    assert not found.ok
    assert "no label le" in found.text


def test_failures_beyond_the_last_edge_are_the_slowest(scene: Scene):
    cursor = scene.source.cursor(T0)
    scene.green.answer(3, seconds=9.0)
    scene.later(10, 1)

    _, interval, _ = scene.read(cursor)

    assert arm(interval, "candidate").latency == {1: 1, NEVER: 3}


def test_a_restart_in_between_counts_from_zero(scene: Scene):
    cursor = scene.source.cursor(T0)
    scene.green.restart()
    scene.later(10, 5)

    _, interval, _ = scene.read(cursor)

    assert arm(interval, "candidate").requests == 5
