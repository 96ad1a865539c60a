"""What every endpoint promises: subclass the contract, say how to set yours up, run pytest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import pytest

from rollout.domain.answers import Said
from rollout.domain.decisions import MOVING
from rollout.domain.endpoint import (
    Condition,
    CreateEndpoint,
    DeleteDeployment,
    Effect,
    PutDeployment,
    ScaleDeployment,
    SetSplit,
)
from rollout.domain.errors import EndpointError, EndpointRefused, Fenced
from rollout.domain.measure import NEVER, Arm, Interval
from rollout.domain.plan import Plan
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.ports.endpoint import Endpoint, Reading

T = TypeVar("T")
RUN = "r-00c0ffee"
BLUE, GREEN = "blue", "green"
PUT_BLUE, PUT_GREEN = PutDeployment(BASELINE, BLUE), PutDeployment(CANDIDATE, GREEN)
ALL_BLUE = SetSplit({BLUE: 100})


class Bench(Protocol):
    """Where an endpoint is tested: the only thing a new adapter has to write.

    Nothing but the tests sends requests, and no endpoint is there at first.
    """

    def plan(self) -> Plan:
        """A plan with the deployments ``blue`` and ``green`` and a good request."""
        ...

    def endpoint(self) -> Endpoint:
        """Another door to the one endpoint, as another process would have it."""
        ...

    def make_bad(self) -> Endpoint:
        """A door whose candidate will not start."""
        ...

    def bad_body(self) -> bytes:
        """A request that a deployment answers with an error."""
        ...

    def settle(self, look: Callable[[], T]) -> T:
        """Let time pass until ``look`` returns something true; that is returned."""
        ...


class Tally:
    """Adds up what is read from a cursor on."""

    def __init__(self, endpoint: Endpoint, *, mirrored: bool = False) -> None:
        self.endpoint = endpoint
        self.mirrored = mirrored
        self.cursor = endpoint.cursor()
        self.intervals: list[Interval] = []

    def read(self, *, histogram: bool = False) -> Interval | None:
        reading = self.endpoint.read(self.cursor, mirrored=self.mirrored, histogram=histogram)
        self.cursor = reading.cursor
        if reading.interval is not None:
            self.intervals.append(reading.interval)
        return reading.interval

    def arms(self, role: str) -> list[Arm]:
        return [each.arms[role] for each in self.intervals]

    def requests(self, role: str) -> int:
        self.read()
        return sum(each.requests for each in self.arms(role))

    def errors(self, role: str) -> int:
        return sum(each.errors for each in self.arms(role))

    def latencies(self, role: str) -> dict[int, int]:
        found: dict[int, int] = {}
        for arm in self.arms(role):
            for bucket, count in (arm.latency or {}).items():
                found[bucket] = found.get(bucket, 0) + count
        return found


class Answers(Tally):
    """What is said from a cursor on, and what is counted with it."""

    def __init__(self, endpoint: Endpoint, *, mirrored: bool = False) -> None:
        super().__init__(endpoint, mirrored=mirrored)
        self.readings: list[Reading] = []

    def read(self, *, histogram: bool = False) -> Interval | None:
        reading = self.endpoint.read(
            self.cursor, mirrored=self.mirrored, histogram=histogram, answers=True
        )
        self.cursor = reading.cursor
        if reading.interval is not None:
            self.intervals.append(reading.interval)
            self.readings.append(reading)
        return reading.interval

    def said(self, role: str) -> list[Said]:
        return [said for each in self.readings for said in each.said[role]]

    @property
    def pairs(self) -> list[tuple[Said, Said]]:
        return [pair for each in self.readings for pair in each.pairs]


class EndpointContract:
    """Promises of the port. ``bench`` makes a fresh one; override it.

    Args:
        keeps_answers: Whether what was answered can be read at all.
        tells_copies: Whether mirrored requests are told from live ones where a deployment has had
            both.
    """

    keeps_answers = True
    tells_copies = True

    @pytest.fixture
    def bench(self) -> Iterator[Bench]:
        raise NotImplementedError

    @pytest.fixture
    def endpoint(self, bench: Bench) -> Iterator[Endpoint]:
        made = bench.endpoint()
        yield made
        made.destroy()
        made.close()

    @pytest.fixture
    def served(self, bench: Bench, endpoint: Endpoint) -> Endpoint:
        """An endpoint with both deployments ready and all traffic on blue."""
        endpoint.perform(CreateEndpoint(), run=RUN)
        bench.settle(lambda: (seen := endpoint.observe()).exists and not seen.busy)
        for effect in (PUT_BLUE, PUT_GREEN):
            endpoint.perform(effect, run=RUN)
        bench.settle(lambda: ready(endpoint, BLUE) and ready(endpoint, GREEN))
        share(bench, endpoint, ALL_BLUE)
        return endpoint

    @pytest.fixture
    def keeping(self, bench: Bench, served: Endpoint) -> Endpoint:
        """``served``, where somebody has asked for answers and they come."""
        if not self.keeps_answers:
            pytest.skip("this endpoint keeps no answers")
        tally = Answers(served)

        def come() -> bool:
            send(served, bench, 1)
            tally.read()
            return bool(tally.said(BASELINE))

        bench.settle(come)
        pass_time(bench, served)
        return served

    # --- what is there ---

    def test_an_absent_endpoint_is_a_value(self, endpoint):
        seen = endpoint.observe()

        assert not seen.exists
        assert not seen.busy
        assert (seen.deployments, seen.traffic, seen.mirror) == ({}, {}, {})

    def test_the_endpoint_is_created_empty_and_only_once(self, bench, endpoint):
        endpoint.perform(CreateEndpoint(), run=RUN)
        endpoint.perform(CreateEndpoint(), run=RUN)

        seen = bench.settle(lambda: (seen := endpoint.observe()).exists and seen)
        assert (seen.deployments, seen.traffic, seen.mirror) == ({}, {}, {})

    def test_a_new_deployment_becomes_ready_and_says_whose_it_is(self, bench, endpoint):
        endpoint.perform(CreateEndpoint(), run=RUN)
        bench.settle(lambda: (seen := endpoint.observe()).exists and not seen.busy)

        endpoint.perform(PUT_BLUE, run=RUN)

        found = endpoint.observe().deployments[BLUE]
        assert found.condition in (*MOVING, Condition.READY)
        found = bench.settle(lambda: ready(endpoint, BLUE))
        assert (found.run, found.digest) == (RUN, endpoint.digest(BASELINE))
        assert endpoint.observe().traffic == {}

    def test_another_door_sees_and_measures_the_same(self, bench, served):
        other = bench.endpoint()

        assert other.key == served.key == served.key.lower()
        assert bench.settle(lambda: other.observe() == served.observe())
        assert [other.digest(role) for role in (BASELINE, CANDIDATE)] == [
            served.digest(role) for role in (BASELINE, CANDIDATE)
        ]
        assert served.digest(BASELINE) != served.digest(CANDIDATE)
        cursor = served.cursor()
        send(served, bench, 3)
        bench.settle(
            lambda: (
                (interval := other.read(cursor, mirrored=False, histogram=False).interval)
                and interval.arms[BASELINE].requests == 3
            )
        )
        other.close()

    def test_a_new_door_sees_at_its_first_look_what_there_is(self, bench, served):
        other = bench.endpoint()

        first = other.observe()  # a tick looks but once

        other.close()
        assert first == served.observe()
        assert not first.busy

    def test_closing_a_door_closes_nothing_else(self, bench, served):
        bench.endpoint().close()

        assert probed(served, bench) == {BLUE}

    def test_checks_before_the_start_have_names(self, served):
        assert all(each.name and each.text for each in served.preflight())

    # --- writes ---

    def test_putting_the_same_again_changes_nothing(self, bench, served):
        before = served.observe()

        served.perform(PUT_GREEN, run=RUN)
        served.perform(CreateEndpoint(), run=RUN)
        served.perform(ALL_BLUE, run=RUN)

        after = bench.settle(lambda: not (seen := served.observe()).busy and seen)
        assert after == before

    def test_a_deployment_that_does_not_start_ends_as_failed_with_its_last_words(
        self, bench, served
    ):
        served.perform(DeleteDeployment(GREEN), run=RUN)
        bench.settle(lambda: GREEN not in served.observe().deployments)
        bad = bench.make_bad()

        bad.perform(PUT_GREEN, run=RUN)

        found = bench.settle(lambda: failed(bad, GREEN))
        assert found.error
        assert found.run == RUN
        assert bad.logs(GREEN, tail=50)
        assert probed(served, bench) == {BLUE}
        with pytest.raises(EndpointRefused):
            bad.perform(SetSplit({BLUE: 90, GREEN: 10}), run=RUN)
        bad.close()

    def test_a_failed_deployment_can_be_replaced(self, bench, served):
        served.perform(DeleteDeployment(GREEN), run=RUN)
        bench.settle(lambda: GREEN not in served.observe().deployments)
        bad = bench.make_bad()
        bad.perform(PUT_GREEN, run=RUN)
        bench.settle(lambda: failed(bad, GREEN))
        bad.close()

        served.perform(PUT_GREEN, run="r-2")

        found = bench.settle(lambda: ready(served, GREEN))
        assert (found.run, found.digest) == ("r-2", served.digest(CANDIDATE))

    def test_a_deployment_is_scaled_up_and_down_while_it_serves(self, bench, served):
        for instances in (2, 2, 1):
            served.perform(ScaleDeployment(BLUE, instances), run=RUN)
            assert probed(served, bench) == {BLUE}

            found = bench.settle(
                lambda wanted=instances: (
                    (each := ready(served, BLUE)) and each.ready == wanted and each
                )
            )
            assert found.instances == instances
            assert found.digest == served.digest(BASELINE)

    def test_live_and_mirrored_traffic_are_one_write(self, bench, served):
        share(bench, served, SetSplit({BLUE: 100}, {GREEN: 10}))
        share(bench, served, SetSplit({BLUE: 60, GREEN: 40}))
        share(bench, served, SetSplit({GREEN: 100}))

        assert probed(served, bench) == {GREEN}
        share(bench, served, ALL_BLUE)
        assert probed(served, bench) == {BLUE}

    def test_a_change_says_which_entry_of_the_journal_ordered_it(self, bench, served):
        first, second = "1" * 64, "2" * 64
        half = SetSplit({BLUE: 50, GREEN: 50})

        served.perform(half, run=RUN, head=first)
        bench.settle(lambda: (seen := served.observe()).traffic == half.traffic and not seen.busy)
        served.perform(half, run=RUN, head=second)  # so already: nothing is written

        assert served.observe().head == first
        served.perform(ALL_BLUE, run=RUN, head=second)
        bench.settle(lambda: (seen := served.observe()).head == second and not seen.busy)
        assert served.observe().traffic == ALL_BLUE.traffic

    def test_a_share_of_nothing_is_no_share(self, bench, served):
        served.perform(SetSplit({BLUE: 100, GREEN: 0}, {GREEN: 0}), run=RUN)

        bench.settle(lambda: not served.observe().busy)
        assert (served.observe().traffic, served.observe().mirror) == ({BLUE: 100}, {})

    @pytest.mark.parametrize(
        "effect",
        [
            SetSplit({BLUE: 90}),
            SetSplit({BLUE: 90, GREEN: 20}),
            SetSplit({BLUE: 110, GREEN: -10}),
            SetSplit({BLUE: 90, "red": 10}),
            SetSplit({BLUE: 100}, {"red": 10}),
            SetSplit({BLUE: 100}, {GREEN: 51}),
            SetSplit({BLUE: 100}, {GREEN: -1}),
            SetSplit({BLUE: 90, GREEN: 10}, {GREEN: 10}),
            ScaleDeployment("red", 2),
            DeleteDeployment(BLUE),
        ],
        ids=repr,
    )
    def test_what_cannot_be_is_refused_and_changes_nothing(self, served, effect: Effect):
        before = served.observe()

        with pytest.raises(EndpointRefused):
            served.perform(effect, run=RUN)

        assert served.observe() == before

    def test_an_order_of_a_runner_that_was_taken_over_is_not_carried_out(self, served):
        before = served.observe()

        def taken_over(_: float) -> None:
            raise Fenced("somebody else drives", do="look")

        for effect in (
            SetSplit({BLUE: 60, GREEN: 40}),
            ScaleDeployment(BLUE, 2),
            DeleteDeployment(GREEN),
        ):
            with pytest.raises(Fenced):
                served.perform(effect, run=RUN, hold=taken_over)

        assert served.observe() == before

    def test_nothing_can_be_put_where_no_endpoint_is(self, endpoint):
        for effect in (PUT_BLUE, ALL_BLUE):
            with pytest.raises(EndpointRefused):
                endpoint.perform(effect, run=RUN)

        assert not endpoint.observe().exists

    def test_a_deployment_that_is_not_ready_gets_no_traffic(self, bench, endpoint):
        endpoint.perform(CreateEndpoint(), run=RUN)
        bench.settle(lambda: (seen := endpoint.observe()).exists and not seen.busy)
        endpoint.perform(PUT_BLUE, run=RUN)

        if endpoint.observe().deployments[BLUE].condition in MOVING:
            with pytest.raises(EndpointError):
                endpoint.perform(ALL_BLUE, run=RUN)

        assert endpoint.observe().traffic == {}

    def test_what_gets_copies_is_not_deleted(self, bench, served):
        share(bench, served, SetSplit({BLUE: 100}, {GREEN: 10}))

        with pytest.raises(EndpointRefused):
            served.perform(DeleteDeployment(GREEN), run=RUN)

        assert ready(served, GREEN)

    def test_what_nobody_uses_is_deleted_and_stays_so(self, bench, served):
        for _ in range(2):
            served.perform(DeleteDeployment(GREEN), run=RUN)
            bench.settle(lambda: GREEN not in served.observe().deployments)

        assert set(served.observe().deployments) == {BLUE}
        assert probed(served, bench) == {BLUE}

    def test_a_destroyed_endpoint_is_absent(self, bench, served):
        for _ in range(2):
            served.destroy()

            bench.settle(lambda: not served.observe().exists)

        assert served.observe().deployments == {}

    # --- requests of our own ---

    def test_a_request_by_name_reaches_that_deployment_without_traffic(self, bench, served):
        body = bench.plan().requests[0]

        answer = served.probe(body, deployment=GREEN, timeout=10.0)

        assert (answer.status, answer.deployment, answer.error) == (200, GREEN, "")
        assert answer.body
        assert 0 < answer.seconds < 10

    def test_a_request_to_nobody_is_an_answer_too(self, bench, served):
        answer = served.probe(bench.plan().requests[0], deployment="red", timeout=10.0)

        assert answer.status != 200

    def test_an_error_is_an_answer_with_its_body(self, bench, served):
        answer = served.probe(bench.bad_body(), deployment=GREEN, timeout=10.0)

        assert answer.status >= 400
        assert answer.body

    def test_requests_go_where_the_split_sends_them(self, bench, served):
        share(bench, served, SetSplit({BLUE: 50, GREEN: 50}))

        assert probed(served, bench, 40) == {BLUE, GREEN}

    # --- measurements ---

    def test_every_request_is_counted_once(self, bench, served):
        share(bench, served, SetSplit({BLUE: 50, GREEN: 50}))
        send(served, bench, 5)
        tally = Tally(served)

        for _ in range(3):
            send(served, bench, 10)
            tally.read()

        bench.settle(lambda: tally.requests(BASELINE) + tally.requests(CANDIDATE) >= 30)
        pass_time(bench, served)
        assert tally.requests(BASELINE) + tally.requests(CANDIDATE) == 30
        assert tally.requests(BASELINE) > 0 < tally.requests(CANDIDATE)
        assert tally.errors(BASELINE) == tally.errors(CANDIDATE) == 0
        for before, after in zip(tally.intervals, tally.intervals[1:], strict=False):
            assert before.start < before.end <= after.start < after.end

    def test_time_passes_in_the_measurements_without_a_request(self, bench, served):
        tally = Tally(served)

        bench.settle(tally.read)

        assert tally.requests(BASELINE) == tally.requests(CANDIDATE) == 0

    def test_an_old_cursor_reads_the_same_again(self, bench, served):
        tally, begin = Tally(served), served.cursor()
        send(served, bench, 10)
        bench.settle(lambda: tally.requests(BASELINE) == 10)

        again = served.read(begin, mirrored=False, histogram=True)

        assert again.interval.arms[BASELINE].requests == 10
        assert sum(again.interval.arms[BASELINE].latency.values()) == 10
        rest = served.read(again.cursor, mirrored=False, histogram=True).interval
        assert rest is None or rest.arms[BASELINE].requests == 0

    def test_latencies_cover_every_request_since_the_last_that_came(self, bench, served):
        tally = Tally(served)
        send(served, bench, 10)
        bench.settle(lambda: tally.requests(BASELINE) == 10)
        send(served, bench, 5)
        pass_time(bench, served)
        bench.settle(lambda: tally.read(histogram=True))

        bench.settle(
            lambda: tally.read(histogram=True) and sum(tally.latencies(BASELINE).values()) >= 15
        )
        assert sum(tally.latencies(BASELINE).values()) == 15
        assert NEVER not in tally.latencies(BASELINE)

    def test_an_error_counts_and_is_slower_than_everything(self, bench, served):
        tally = Tally(served)
        send(served, bench, 4)
        for _ in range(3):
            served.probe(bench.bad_body(), deployment=None, timeout=10.0)

        bench.settle(
            lambda: tally.read(histogram=True) and sum(tally.latencies(BASELINE).values()) >= 7
        )

        assert sum(arm.requests for arm in tally.arms(BASELINE)) == 7
        assert tally.errors(BASELINE) == 3
        assert tally.latencies(BASELINE)[NEVER] == 3

    def test_copies_are_measured_apart_and_clients_see_none_of_them(self, bench, served):
        share(bench, served, SetSplit({BLUE: 100}, {GREEN: 50}))
        mirrored, live = Tally(served, mirrored=True), Tally(served)

        assert probed(served, bench, 60) == {BLUE}

        bench.settle(lambda: mirrored.requests(BASELINE) >= 60 <= live.requests(BASELINE))
        pass_time(bench, served)
        assert mirrored.requests(BASELINE) == live.requests(BASELINE) == 60
        assert 0 < mirrored.requests(CANDIDATE) < 60
        assert not self.tells_copies or live.requests(CANDIDATE) == 0

    # --- answers ---

    def test_answers_come_only_where_they_are_asked_for(self, bench, keeping):
        begin = keeping.cursor()
        send(keeping, bench, 5)

        asked = bench.settle(
            lambda: len(
                (found := keeping.read(begin, mirrored=False, histogram=True, answers=True))
                .said.get(BASELINE, ())
            ) == 5 and found
        )  # fmt: skip
        unasked = keeping.read(begin, mirrored=False, histogram=True)

        assert unasked.interval.arms == asked.interval.arms
        assert (unasked.said, unasked.pairs) == ({}, ())
        assert {(said.status, said.whole) for said in asked.said[BASELINE]} == {(200, True)}
        assert asked.said[CANDIDATE] == ()

    def test_as_many_answers_come_as_are_counted(self, bench, keeping):
        share(bench, keeping, SetSplit({BLUE: 50, GREEN: 50}))
        tally = Answers(keeping)
        for _ in range(3):
            send(keeping, bench, 10)
            keeping.probe(bench.bad_body(), deployment=None, timeout=10.0)
            tally.read()

        bench.settle(lambda: tally.requests(BASELINE) + tally.requests(CANDIDATE) >= 33)

        for each in tally.readings:
            for role, arm in each.interval.arms.items():
                assert len(each.said[role]) == arm.requests
                assert sum(said.status >= 400 for said in each.said[role]) == arm.errors
        assert tally.said(BASELINE)
        assert tally.said(CANDIDATE)
        assert tally.pairs == []

    def test_a_pair_is_two_answers_to_one_request(self, bench, keeping):
        share(bench, keeping, SetSplit({BLUE: 100}, {GREEN: 50}))
        tally = Answers(keeping, mirrored=True)
        for _ in range(25):
            send(keeping, bench, 1)
            keeping.probe(bench.bad_body(), deployment=None, timeout=10.0)
            keeping.probe(bench.bad_body(), deployment=GREEN, timeout=10.0)

        bench.settle(
            lambda: (
                tally.requests(BASELINE) >= 50
                and len(tally.pairs) == sum(arm.requests for arm in tally.arms(CANDIDATE))
            )
        )

        assert 0 < len(tally.pairs) == len(tally.said(CANDIDATE)) < 50
        assert {first.status for first, _ in tally.pairs} > {200}
        assert all(first.status == second.status for first, second in tally.pairs)
        assert all(first.whole and second.whole for first, second in tally.pairs)

    def test_answers_read_in_two_steps_are_those_read_in_one(self, bench, keeping):
        share(bench, keeping, SetSplit({BLUE: 100}, {GREEN: 50}))
        tally = Answers(keeping, mirrored=True)
        begin = tally.cursor
        for rounds in (1, 2):
            send(keeping, bench, 20)
            bench.settle(lambda wanted=20 * rounds: tally.requests(BASELINE) >= wanted)
        bench.settle(
            lambda: (
                tally.read()
                and len(tally.pairs) == sum(arm.requests for arm in tally.arms(CANDIDATE))
            )
        )

        again = keeping.read(begin, mirrored=True, histogram=False, answers=True)

        assert Counter(again.pairs) == Counter(tally.pairs)
        assert again.pairs
        for role in (BASELINE, CANDIDATE):
            assert Counter(again.said[role]) == Counter(tally.said(role))
            assert len(again.said[role]) == again.interval.arms[role].requests
        rest = keeping.read(again.cursor, mirrored=True, histogram=False, answers=True)
        assert not any(rest.said.values())
        assert rest.pairs == ()

    # --- load ---

    def test_load_flows_from_start_to_stop(self, bench, served):
        load = served.load(20.0, bench.plan().requests)
        tally = Tally(served)
        for _ in range(2):
            load.start()

        bench.settle(lambda: tally.requests(BASELINE) >= 40)
        for _ in range(2):
            load.stop()

        pass_time(bench, served)
        pass_time(bench, served)
        done = tally.requests(BASELINE)
        pass_time(bench, served)
        assert tally.requests(BASELINE) == done
        seconds = tally.intervals[-1].end - tally.intervals[0].start
        assert done <= 20 * (seconds + 1)


def ready(endpoint: Endpoint, name: str):
    """The deployment if every instance answers."""
    found = endpoint.observe().deployments.get(name)
    whole = found is not None and found.condition is Condition.READY
    return found if whole and found.ready == found.instances else None


def failed(endpoint: Endpoint, name: str):
    """The deployment if it failed."""
    found = endpoint.observe().deployments.get(name)
    return found if found is not None and found.condition is Condition.FAILED else None


def share(bench: Bench, endpoint: Endpoint, goal: SetSplit) -> None:
    """Write a split and wait until it reads back."""
    endpoint.perform(goal, run=RUN)

    def there() -> bool:
        seen = endpoint.observe()
        return not seen.busy and (seen.traffic, seen.mirror) == (goal.traffic, goal.mirror)

    bench.settle(there)


def send(endpoint: Endpoint, bench: Bench, count: int) -> list[str | None]:
    """Send good requests through the split; who answered."""
    body = bench.plan().requests[0]
    answers = [endpoint.probe(body, deployment=None, timeout=10.0) for _ in range(count)]
    assert {each.status for each in answers} == {200}, answers
    return [each.deployment for each in answers]


def probed(endpoint: Endpoint, bench: Bench, count: int = 5) -> set[str | None]:
    """Who answers requests through the split."""
    return set(send(endpoint, bench, count))


def pass_time(bench: Bench, endpoint: Endpoint) -> None:
    """Let the measurements of what happened until now be closed."""
    tally = Tally(endpoint)
    bench.settle(tally.read)
