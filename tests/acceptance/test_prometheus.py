"""Rollouts that a real Prometheus measures, with commands, Envoy and scoring servers as they are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rollout.domain.events import Left, Measured, Unwatched
from rollout.domain.measure import Interval
from rollout.domain.run import Why
from rollout.domain.verdict import Judgement
from tests.acceptance.conftest import Site, read_json
from tests.acceptance.traffic import Traffic
from tests.prometheus import Prometheus, prometheus_server

RPS = 60.0
pytestmark = pytest.mark.timeout(900)


@contextmanager
def measured(site: Site, plan: str, **changes: object) -> Iterator[tuple[str, Prometheus]]:
    """The plan, its endpoint up and scraped every second, measured by that."""
    assert site.rollout("local", "up", plan).returncode == 0
    clients = site.traffic(plan, RPS)
    with prometheus_server([f"127.0.0.1:{clients.port}"], key=clients.key) as server:
        metrics = {"provider": "prometheus", "address": server.address, "delay": "2s"}
        yield site.change(plan, metrics=metrics, **changes), server


def intervals(site: Site) -> list[Interval]:
    """Everything that the newest run has measured."""
    events = [each.event for each in site.events()]
    return [each for event in events if isinstance(event, Measured) for each in event.intervals]


def last_words(site: Site) -> list[Judgement]:
    """Of each gate, the last judgement."""
    events = [each.event for each in site.events()]
    found = {each.judgement.gate: each.judgement for each in events if isinstance(each, Measured)}
    return list(found.values())


def served(found: list[Interval], role: str) -> int:
    return sum(each.arms[role].requests for each in found)


def test_a_good_candidate_is_promoted_by_what_prometheus_counted(site: Site) -> None:
    brief = site.quick("plans/safe-rollout.yaml", gates__bake__checks=[{"error_rate": {"max": "3%"}}])  # fmt: skip

    with measured(site, brief) as (plan, _), site.traffic(plan, RPS) as clients:
        done = site.rollout("apply", plan, "--auto-approve", "-o", "json")
    clients.stop()

    assert done.returncode == 0, done.stdout + done.stderr
    assert read_json(done)["outcome"] == "completed"
    assert clients.failed() == []
    found = intervals(site)
    assert all(each.arms["baseline"].edges for each in found)
    assert served(found, "candidate") > 100
    latency = [
        check
        for judgement in last_words(site)
        for check in judgement.checks
        if check.check == "latency_p95"
    ]
    assert len(latency) == 2
    assert all(0.001 < (check.candidate_value or 0.0) < 1.0 for check in latency)
    assert site.rests(plan) == ({"green": 100}, {}, {"green"})
    verified = site.rollout("verify", site.run().id)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    (site.folder / "record.jsonl").write_text(site.rollout("show", "--evidence").stdout)
    again = site.rollout("simulate", plan, "--scenario", "record.jsonl")
    assert again.returncode == 0, again.stdout + again.stderr


def test_prometheus_and_the_access_log_count_the_same(site: Site) -> None:
    """Over one stage: what Prometheus says the candidate answered is what clients got from it."""
    brief = site.brief("plans/safe-rollout.yaml", gates__canary__min_duration="12s")

    with measured(site, brief) as (plan, _), site.traffic(plan, RPS) as clients:
        assert site.rollout("apply", plan, "--auto-approve").returncode == 0
    clients.stop()

    canary = [each for each in intervals(site) if 0 < share(clients, each) < 0.5]
    assert len(canary) > 2
    start, end = canary[0].end, canary[-1].end
    told = served(canary[1:], "candidate"), served(canary[1:], "baseline")
    # A scrape counts answers; a client's request has its time when it was sent.
    got = clients.by_deployment(start - 1.0, end - 1.0)
    assert told[0] == pytest.approx(got["green"], abs=0.15 * got["green"] + 12)
    assert told[1] == pytest.approx(got["blue"], abs=0.15 * got["blue"] + 90)


def share(clients: Traffic, interval: Interval) -> float:
    counts = clients.by_deployment(interval.start, interval.end)
    return counts["green"] / max(1, sum(counts.values()))


def test_failing_copies_are_counted_by_their_own_name(site: Site) -> None:
    quick = site.quick("plans/bad-errors.yaml")

    with measured(site, quick) as (plan, _), site.traffic(plan, RPS) as clients:
        done = site.rollout("apply", plan, "--auto-approve", "-o", "json")
    clients.stop()

    said = read_json(done)
    assert (done.returncode, said["outcome"]) == (10, "rolled_back"), done.stderr
    assert clients.failed() == []
    assert "gate shadow" in said["cause"]["text"]
    assert sum(each.arms["candidate"].errors for each in intervals(site)) > 0


def test_what_went_wrong_between_two_ticks_is_read_by_the_next(site: Site) -> None:
    """Nobody runs while the candidate fails, and Prometheus itself is killed in between."""
    brief = site.brief(
        "plans/bad-errors-no-mirror.yaml",
        guard={"unattended": "hold"},
        gates__canary__checks=[{"error_rate": {"tolerance": "0.5pp", "margin": "3pp"}}],
    )

    with measured(site, brief) as (plan, server), site.traffic(plan, RPS) as clients:
        site.wait(lambda: ticked(site, plan) == "shift-10", 120)
        left = last_left(site)
        time.sleep(6)
        server.kill()
        time.sleep(8)
        server.start()
        again = time.time()
        site.wait(lambda: scraped_since(server, again), 30)
        time.sleep(4)  # until what was scraped is taken to be there
        done = site.rollout("tick", plan, "--auto-approve", "--max-wait", "30s", "-o", "json")
    clients.stop()

    assert done.returncode == 10, done.stdout + done.stderr
    alone = [each for each in intervals(site) if each.end > left]
    assert alone[0].end - alone[0].start > 15
    counted = served(alone, "candidate")
    answered = clients.by_deployment(left, alone[-1].end)["errors"]
    assert counted == pytest.approx(answered, abs=0.2 * answered + 15)
    assert not any(isinstance(each.event, Unwatched) for each in site.events())


def said(site: Site) -> str:
    return (site.folder / "runner.out").read_text()


def scraped_since(server: Prometheus, moment: float) -> bool:
    found = server.query("timestamp(up)")
    return bool(found) and float(found[0]["value"][1]) > moment


def ticked(site: Site, plan: str) -> str:
    """One tick more; the stage that it left."""
    assert site.rollout("tick", plan, "--auto-approve").returncode == 0
    return site.stage()


def last_left(site: Site) -> float:
    return max(each.at for each in site.events() if isinstance(each.event, Left))


def test_without_prometheus_a_gate_holds_and_goes_on_when_it_is_back(site: Site) -> None:
    brief = site.brief("plans/safe-rollout.yaml")

    with measured(site, brief) as (plan, server), site.traffic(plan, RPS) as clients:
        site.start("apply", plan, "--auto-approve", "--on-hold", "leave")
        site.wait(lambda: site.stage() == "shift-10" and site.run().evidence)
        server.kill()
        site.running[-1].wait(180)
        held = site.run()
        server.start()
        again = time.time()
        site.wait(lambda: scraped_since(server, again), 30)
        assert site.rollout("retry", held.id).returncode == 0
        done = site.rollout("apply", plan, "--auto-approve")
    clients.stop()

    assert site.running[-1].returncode == 12
    assert held.cause is not None
    assert held.cause.why is Why.SOURCE
    assert f"Prometheus at {server.address} cannot be reached" in said(site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert clients.failed() == []


def test_before_the_first_write_it_is_told_what_is_wrong(site: Site) -> None:
    brief = site.brief("plans/safe-rollout.yaml")
    assert site.rollout("local", "up", brief).returncode == 0
    with prometheus_server([]) as server:
        metrics = {"provider": "prometheus", "address": server.address}
        empty = site.rollout("plan", site.change(brief, metrics=metrics), "-o", "json")
        rate = {**metrics, "requests": 'rate(up{a="${deployment}"}[5m])', "errors": "up"}
        refused = site.rollout("validate", f"./{site.change(brief, metrics=rate)}")
        nowhere = {**metrics, "address": "http://127.0.0.1:1"}
        away = site.rollout("doctor", site.change(brief, metrics=nowhere))

    assert empty.returncode == 0, empty.stderr
    checks = {each["name"]: each["text"] for each in read_json(empty)["checks"]}
    assert "no series of metrics.requests for 'blue'" in checks["metrics arrive"]
    assert refused.returncode == 65
    assert "metrics.requests" in refused.stdout
    assert "cannot be reached" in away.stdout
