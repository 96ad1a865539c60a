"""Probes in the background: at their rate, to both deployments, and never in the guard's way."""

from __future__ import annotations

import threading

from rollout.adapters.clock import SystemClock
from rollout.domain.criteria import Probing
from rollout.domain.errors import EndpointAway
from rollout.ports.endpoint import Answer
from rollout.runtime.probing import BackgroundProbes


class Endpoint:
    """Answers by name; remembers who was asked what."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.away = False
        self.answering = threading.Event()
        self.answering.set()

    def probe(self, body: bytes, *, deployment: str, timeout: float) -> Answer:
        self.answering.wait(5.0)
        if self.away:
            raise EndpointAway("gone", do="Wait.")
        self.asked.append((deployment, body))
        return Answer(200, 0.01, deployment, body + deployment.encode())


def probes(endpoint: Endpoint, rps: float = 200.0, *, noise: bool = False) -> BackgroundProbes:
    how = Probing(rps, noise)
    names = ("blue", "green")
    return BackgroundProbes(endpoint, names, (b"a", b"b"), how, SystemClock())  # type: ignore[arg-type]


def until(made: BackgroundProbes, count: int) -> list:
    found: list = []
    made.start()
    made.start()
    while len(found) < count:
        found += made.take()
        SystemClock().sleep(0.005)
    made.stop()
    made.stop()
    return found


def test_both_deployments_are_asked_the_same_in_turn() -> None:
    endpoint = Endpoint()

    found = until(probes(endpoint), 4)

    assert {each.baseline.body for each in found} == {b"ablue", b"bblue"}
    for each in found:
        assert each.candidate.body == each.baseline.body.replace(b"blue", b"green")
        assert each.second is None


def test_with_noise_the_baseline_is_asked_twice() -> None:
    found = until(probes(Endpoint(), noise=True), 2)

    assert all(each.second == each.baseline for each in found)


def test_an_endpoint_out_of_reach_says_nothing() -> None:
    endpoint = Endpoint()
    endpoint.away = True
    made = probes(endpoint)
    made.start()
    SystemClock().sleep(0.05)
    made.stop()

    assert made.take() == ()


def test_a_candidate_that_hangs_piles_nothing_up() -> None:
    endpoint = Endpoint()
    endpoint.answering.clear()
    made = probes(endpoint, rps=2000.0)
    made.start()
    SystemClock().sleep(0.1)
    endpoint.answering.set()
    made.stop()

    assert len(made.take()) < 100
