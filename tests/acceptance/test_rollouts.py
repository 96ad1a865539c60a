"""Whole rollouts on the real endpoint: who is promoted, who is not, and what clients notice."""

import math
from collections import Counter

import pytest

from rollout.domain.events import LogsCollected, Measured, SetPointReached
from rollout.domain.run import Phase
from rollout.domain.verdict import Verdict
from tests.acceptance.conftest import Site, read_json
from tests.acceptance.traffic import Traffic

RPS = 100.0
PATIENT = {
    "gates__bake__checks__1__latency_p99__max": "5s"
}  # whether a busy machine is slow is not what is tested
pytestmark = pytest.mark.timeout(900)


def up(site: Site, plan: str) -> None:
    done = site.rollout("local", "up", plan)
    assert done.returncode == 0, done.stderr


def within_sampling_error(counts: Counter, deployment: str, share: float) -> bool:
    """Whether a count fits its share: 4.5 standard errors, 1 in 100,000 for a true split."""
    total = sum(counts.values())
    return (
        abs(counts[deployment] - total * share) <= 4.5 * math.sqrt(total * share * (1 - share)) + 1
    )


def test_the_guide_s_plan_promotes_green_and_no_client_notices(site: Site) -> None:
    plan = site.quick("plans/safe-rollout.yaml", stages__1__scale__instances=3, **PATIENT)
    up(site, plan)

    with site.traffic(plan, RPS) as clients:
        done = site.rollout("apply", plan, "--auto-approve", "-o", "json")
    clients.stop()

    assert done.returncode == 0, done.stderr
    assert read_json(done)["outcome"] == "completed"
    assert clients.failed() == []
    assert len(clients.answers) > 1500
    assert_every_split_was_real(site, clients)
    endpoint = site.endpoint(plan)
    seen = endpoint.observe()
    endpoint.close()
    assert dict(seen.traffic) == {"green": 100}
    assert set(seen.deployments) == {"green"}


def assert_every_split_was_real(site: Site, clients: Traffic) -> None:
    reached = [entry for entry in site.events() if isinstance(entry.event, SetPointReached)]
    ends = [*(entry.at for entry in reached[1:]), site.run().ended]
    for entry, end in zip(reached, ends, strict=True):
        counts = clients.by_deployment(entry.at + 2, end - 2)
        for name, share in entry.event.split.traffic.items():
            if entry.event.stage != reached[-1].event.stage or share == 100:
                assert within_sampling_error(counts, name, share / 100), (entry.event, counts)
    assert len(reached) == 3  # mirror, 10 %, 100 %


def test_failing_requests_are_caught_in_the_mirror_and_no_user_is_hit(site: Site) -> None:
    plan = site.quick("plans/bad-errors.yaml")
    up(site, plan)

    with site.traffic(plan, RPS) as clients:
        done = site.rollout("apply", plan, "--auto-approve", "-o", "json")
    clients.stop()

    said = read_json(done)
    assert (done.returncode, said["outcome"]) == (10, "rolled_back"), done.stderr
    assert clients.failed() == []
    assert "errors" not in {each.deployment for each in clients.answers}
    assert said["exposure"]["requests"] == 0
    assert_restored(site, plan, {"green": 100})
    assert "gate shadow" in said["cause"]["text"]


def assert_restored(site: Site, plan: str, traffic: dict[str, int]) -> None:
    endpoint = site.endpoint(plan)
    seen = endpoint.observe()
    endpoint.close()
    assert dict(seen.traffic) == traffic
    assert dict(seen.mirror) == {}
    kinds = [type(entry.event).__name__ for entry in site.events()]
    assert kinds.index("RollbackProbed") < kinds.index("RolledBack")


def test_without_a_mirror_fewer_than_100_requests_reach_the_bad_candidate(site: Site) -> None:
    plan = site.quick("plans/bad-errors-no-mirror.yaml")
    up(site, plan)

    with site.traffic(plan, 50) as clients:
        done = site.rollout("apply", plan, "--auto-approve")
    clients.stop()

    assert done.returncode == 10, done.stderr
    assert sum(each.deployment == "errors" for each in clients.answers) < 100
    assert_restored(site, plan, {"green": 100})


def test_a_crashing_candidate_loses_its_traffic_within_seconds(site: Site) -> None:
    plan = site.quick("plans/bad-broken.yaml")
    up(site, plan)

    with site.traffic(plan, RPS) as clients:
        done = site.rollout("apply", plan, "--auto-approve")
    clients.stop()

    assert done.returncode == 10, done.stderr
    failed = [each.at for each in clients.failed()]
    assert failed
    assert max(failed) - min(failed) < 10
    assert_restored(site, plan, {"green": 100})


def test_a_slow_tail_is_rolled_back_by_the_latency_check(site: Site) -> None:
    # Trips that a busy machine's own delays cannot hide.
    trips = {"environment_variables.FEATURE_STORE_MS": "30"}
    plan = site.change(
        "plans/bad-slow.yaml",
        load=None,
        baseline__set={"instance_count": 3, **trips},
        candidate__set=trips,
        stages__2__mirror="50%",
    )
    up(site, plan)

    with site.traffic(plan, 20) as clients:
        done = site.rollout("apply", plan, "--auto-approve", "-o", "json")
    clients.stop()

    assert done.returncode == 10, done.stderr
    assert "latency_p95" in read_json(done)["cause"]["text"]
    assert clients.failed() == []


def test_a_candidate_that_does_not_start_is_rolled_back_with_its_log(site: Site) -> None:
    plan = site.quick("plans/bad-crash.yaml")
    up(site, plan)

    with site.traffic(plan, RPS) as clients:
        done = site.rollout("apply", plan, "--auto-approve")
    clients.stop()

    assert done.returncode == 10, done.stderr
    assert "FileNotFoundError" in done.stdout + done.stderr
    logs = [e.event for e in site.events() if isinstance(e.event, LogsCollected)]
    assert "FileNotFoundError" in logs[0].text
    assert clients.failed() == []
    assert {each.deployment for each in clients.answers} == {"green"}


def test_a_leak_is_caught_when_its_replica_dies(site: Site) -> None:
    plan = site.quick("plans/bad-leak.yaml")
    up(site, plan)

    with site.traffic(plan, RPS) as clients:
        done = site.rollout("apply", plan, "--auto-approve")
    clients.stop()

    assert done.returncode == 10, done.stderr
    assert "gate shadow" in site.run().cause.text
    assert clients.failed() == []
    log = "".join(path.read_text() for path in site.folder.rglob("*.log"))
    assert "out of memory" in log


def test_another_shape_is_caught_by_the_smoke_test(site: Site) -> None:
    done = site.rollout("apply", "plans/bad-shape.yaml", "--auto-approve", "-o", "json")

    assert done.returncode == 10, done.stderr
    assert "$[0]" in read_json(done)["cause"]["text"]


def test_answers_with_holes_are_caught_in_the_mirror_and_the_diff_names_the_field(
    site: Site,
) -> None:
    plan = site.quick("plans/bad-gaps.yaml")
    up(site, plan)

    with site.traffic(plan, RPS) as clients:
        done = site.rollout("apply", plan, "--auto-approve", "-o", "json")
    clients.stop()
    diff = site.rollout("diff", "-o", "json")
    verified = site.rollout("verify")

    said = read_json(done)
    assert (done.returncode, said["outcome"]) == (10, "rolled_back"), done.stderr
    assert "response_agreement failed" in said["cause"]["text"]
    assert said["exposure"]["requests"] == 0
    assert clients.failed() == []
    assert "gaps" not in {each.deployment for each in clients.answers}
    groups = read_json(diff)["groups"]
    assert [(each["path"], each["kind"]) for each in groups] == [("$[*]", "type")]
    assert "null" in groups[0]["example"]["candidate"]
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_predictions_that_moved_are_caught_in_the_mirror(site: Site) -> None:
    plan = site.quick("plans/bad-units.yaml")
    up(site, plan)

    with site.traffic(plan, RPS) as clients:
        done = site.rollout("apply", plan, "--auto-approve", "-o", "json")
    clients.stop()

    said = read_json(done)
    assert (done.returncode, said["outcome"]) == (10, "rolled_back"), done.stderr
    assert "prediction_drift failed" in said["cause"]["text"]
    assert said["exposure"]["requests"] == 0
    assert clients.failed() == []


def test_no_traffic_is_no_pass(site: Site) -> None:
    plan = site.change(
        "plans/safe-rollout.yaml",
        load=None,
        gates__shadow__max_duration="6s",
        gates__shadow__min_duration="1s",
        gates__shadow__on_inconclusive={"then": "hold"},
    )

    done = site.rollout("apply", plan, "--auto-approve", "-o", "json")

    assert done.returncode == 12, done.stderr
    assert site.run().phase is Phase.HELD
    words = [e.event.judgement.verdict for e in site.events() if isinstance(e.event, Measured)]
    assert words[-1] is Verdict.INCONCLUSIVE
    assert Verdict.PASS not in words


@pytest.mark.parametrize("again", [False, True])
def test_a_finished_plan_says_so_again(site: Site, again: bool) -> None:
    first = site.rollout("apply", "plans/bad-shape.yaml", "--auto-approve")
    words = ("--again",) if again else ()

    second = site.rollout("apply", "plans/bad-shape.yaml", "--auto-approve", *words)

    assert (first.returncode, second.returncode) == (10, 10)
    runs = read_json(site.rollout("history", "-o", "json"))
    assert len(runs) == (2 if again else 1)
