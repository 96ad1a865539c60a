"""Whole rollouts on Azure ML's protocol: the real SDK, the emulator, real scoring servers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from rollout.adapters.endpoints.local import folder as folders
from rollout.domain.events import Measured, OwnerTook, Unwatched
from tests.acceptance.azureml.cloud import Cloud
from tests.acceptance.azureml.site import AzureSite
from tests.acceptance.conftest import read_json
from tests.acceptance.test_rollouts import PATIENT
from tests.prometheus import Prometheus, prometheus_server

RPS = 100.0
pytestmark = pytest.mark.timeout(900)
# What is said of a meter means nothing on `local`, so that one file serves both.
METRICS = {"workspace": "${env.LOG_ANALYTICS_WORKSPACE_ID}", "delay": "1s"}
LIGHT = {"environment_variables.FEATURE_STORE_MS": "2"}


def shown(site: AzureSite, plan: str) -> tuple[dict[str, int], dict[str, int], set[str]]:
    """Live shares, mirror, and who is there."""
    with site.seen(plan) as endpoint:
        seen = endpoint.observe()
    return dict(seen.traffic), dict(seen.mirror), set(seen.deployments)


def bootstrapped(site: AzureSite, plan: str) -> None:
    """The plan's endpoint with its baseline at 100 %, as its first stage makes it."""
    first = site.change(plan, stages=[{"preflight": {"metrics": False}}], load=None, gates=None)
    done = site.rollout("apply", first, "--auto-approve")
    assert done.returncode == 0, done.stderr


def light(plan: str, site: AzureSite, **changes: object) -> str:
    """The plan on servers that two busy cores can bear, with clients of the test's own."""
    sets = {"baseline__set": {"instance_count": 2, **LIGHT}, "candidate__set": LIGHT}
    return site.azure(plan, load=None, metrics=METRICS, **sets, **changes)


def test_the_guide_s_plan_promotes_green_and_no_client_notices(site: AzureSite) -> None:
    plan = light(
        "plans/safe-rollout.yaml",
        site,
        stages__1__scale__instances=3,
        **PATIENT,
    )
    bootstrapped(site, plan)

    with site.traffic(plan, RPS) as clients:
        done = site.rollout("apply", plan, "--auto-approve", "-o", "json")
    clients.stop()

    assert done.returncode == 0, done.stderr
    assert read_json(done)["outcome"] == "completed"
    assert clients.failed() == []
    assert len(clients.answers) > 1500
    assert {each.deployment for each in clients.answers} == {"blue", "green"}
    assert shown(site, plan) == ({"green": 100}, {}, {"green"})


def test_a_bad_green_is_rolled_back_by_itself_here_and_on_the_local_endpoint(
    site: AzureSite,
) -> None:
    plan = light("plans/bad-errors.yaml", site)
    bootstrapped(site, plan)

    with site.traffic(plan, RPS) as clients:
        done = site.rollout("apply", plan, "--auto-approve", "-o", "json")
    clients.stop()

    said = read_json(done)
    assert (done.returncode, said["outcome"]) == (10, "rolled_back"), done.stderr
    assert clients.failed() == []
    assert "errors" not in {each.deployment for each in clients.answers}
    assert said["exposure"]["requests"] == 0
    assert "gate shadow" in said["cause"]["text"]
    assert shown(site, plan)[:2] == ({"green": 100}, {})
    assert on_local(site, plan) == (10, "rolled_back")


def test_what_clients_met_between_two_ticks_is_read_from_the_traffic_log(site: AzureSite) -> None:
    plan = light("plans/bad-errors-no-mirror.yaml", site, guard={"unattended": "hold"})
    bootstrapped(site, plan)

    with site.traffic(plan, RPS) as clients:
        codes = list(ticks(site, plan))
    clients.stop()

    assert codes[-1] == 10, codes
    assert set(codes[:-1]) == {20}, codes
    story = site.events()
    came = {each.epoch: each.at for each in story if isinstance(each.event, OwnerTook)}
    before = [
        interval
        for each in story
        if isinstance(each.event, Measured)
        for interval in each.event.intervals
        if interval.start < came.get(each.epoch, 0.0) - 1.0
    ]
    assert before, "nothing of the time between two ticks was read"
    assert not any(isinstance(each.event, Unwatched) for each in story)
    assert shown(site, plan)[:2] == ({"green": 100}, {})


def test_what_clients_met_between_two_ticks_is_read_from_prometheus(site: AzureSite) -> None:
    """The same on the counters of the proxy that the emulated endpoint has, scraped by a real one."""
    plan = light("plans/bad-errors-no-mirror.yaml", site, guard={"unattended": "hold"})
    bootstrapped(site, plan)

    with scraped(site.cloud, "diabetes") as server:
        counter = 'envoy_cluster_upstream_rq{envoy_cluster_name="ep~${deployment}~live"%s}'
        metrics = {
            "provider": "prometheus",
            "address": server.address,
            "requests": counter % "",
            "errors": counter % ',envoy_response_code=~"5..|424"',
            "delay": "2s",
        }
        gate = {"max_duration": "3m", "checks": [{"error_rate": {"max": "5%"}}]}
        named = yaml.safe_load((site.folder / plan).read_text())["gates"]
        measured = site.change(plan, metrics=metrics, gates={name: dict(gate) for name in named})
        with site.traffic(plan, RPS) as clients:
            codes = list(ticks(site, measured))
    clients.stop()

    assert codes[-1] == 10, codes
    assert set(codes[:-1]) == {20}, codes
    found = [
        interval
        for each in site.events()
        if isinstance(each.event, Measured)
        for interval in each.event.intervals
    ]
    assert sum(each.arms["candidate"].errors for each in found) > 0
    assert shown(site, plan)[:2] == ({"green": 100}, {})


@contextmanager
def scraped(cloud: Cloud, endpoint: str) -> Iterator[Prometheus]:
    """A Prometheus that scrapes the proxy of an emulated endpoint."""
    folder = folders.Folder(cloud.state_folder / "endpoints" / endpoint)
    desired, keys = folders.read_json(folder.desired), folders.read_json(folder.keys)
    assert desired is not None
    assert keys is not None
    target = f"127.0.0.1:{desired['port']}"
    with prometheus_server([target], key=str(keys["primary"])) as server:
        yield server


def ticks(site: AzureSite, plan: str) -> Iterator[int]:
    """The exit codes of a scheduled job, until there is nothing to come back for."""
    for _ in range(90):
        done = site.rollout("tick", plan, "--auto-approve", "--detailed-exitcode")
        yield done.returncode
        if done.returncode != 20:
            return
        time.sleep(3.0)


def on_local(site: AzureSite, plan: str) -> tuple[int, str]:
    """How the same file ends on ``local``, with nothing but its endpoint changed."""
    endpoint = {"provider": "local", "name": "diabetes-twin", "file": "endpoint.yml"}
    twin = site.change(plan, endpoint=endpoint, load={"rps": 100})
    before, after = (yaml.safe_load((site.folder / each).read_text()) for each in (plan, twin))
    assert {key for key in after if after[key] != before.get(key)} == {"endpoint", "load"}
    try:
        done = site.rollout("apply", twin, "--auto-approve", "-o", "json")
        return done.returncode, read_json(done)["outcome"]
    finally:
        site.rollout("destroy", twin, "--auto-approve")
        site.plans = [each for each in site.plans if each != twin]  # it is gone


def test_the_sample_for_azure_is_looked_at_as_it_is(site: AzureSite) -> None:
    plan = "plans/azureml/safe-rollout.yaml"

    looked = site.rollout("plan", plan, "-o", "json")
    asked = site.rollout("doctor", plan, "-o", "json")

    checks = {each["name"]: each for each in read_json(looked)["checks"]}
    assert "Needs 24 more cores" in checks["standardDSv2Family"]["text"]
    assert all(each["ok"] for each in checks.values()), checks
    assert asked.returncode == 0, asked.stdout
    assert "azure-ai-ml" in asked.stdout


def kubernetes(site: AzureSite, stages: list[Any]) -> str:
    """A plan for an endpoint on the attached cluster, of the samples' deployments."""
    for color in ("blue", "green"):
        file = site.folder / f"plans/{color}-deployment.yml"
        data = yaml.safe_load(file.read_text())
        kept = {
            key: value for key, value in data.items() if key not in ("$schema", "instance_type")
        }
        (site.folder / f"plans/{color}-on-k8s.yml").write_text(
            yaml.safe_dump({**kept, "type": "kubernetes"})
        )
    (site.folder / "plans/k8s-endpoint.yml").write_text(
        yaml.safe_dump({"name": "cluster", "compute": "azureml:k8s", "auth_mode": "key"})
    )
    plan = site.azure(
        "plans/safe-rollout.yaml",
        load=None,
        metrics=None,
        gates=None,
        stages=stages,
        baseline={"deployment": "blue", "file": "blue-on-k8s.yml"},
        candidate={"deployment": "green", "file": "green-on-k8s.yml"},
    )
    return site.change(plan, endpoint__name="cluster", endpoint__file="k8s-endpoint.yml")


def test_a_kubernetes_endpoint_refuses_the_mirror_at_its_place_and_does_the_rest(
    site: AzureSite,
) -> None:
    stages = [
        {"preflight": {"metrics": False}},
        {"scale": {"deployment": "baseline", "instances": 2}},
        {"create": "candidate"},
        {"smoke": 5},
        {"shift": "10%"},
        {"shift": "100%"},
        {"delete": "baseline"},
    ]
    mirrored = kubernetes(site, [*stages[:4], {"mirror": "10%"}, *stages[4:]])
    refused = site.rollout("validate", mirrored)
    plan = kubernetes(site, stages)

    done = site.rollout("apply", plan, "--auto-approve", "-o", "json")

    assert refused.returncode == 65
    assert "stages[4].mirror" in refused.stdout + refused.stderr
    assert "Kubernetes" in refused.stdout + refused.stderr
    assert (done.returncode, read_json(done)["outcome"]) == (0, "completed"), done.stderr
    assert shown(site, plan) == ({"green": 100}, {}, {"green"})


def test_azure_monitor_s_minutes_are_enough_to_roll_a_bad_green_back(site: AzureSite) -> None:
    """The meter of a plan that names none; it knows whole minutes, and percentiles only."""
    checks = [{"error_rate": {"max": "5%"}}, {"latency_p95": {"max": "5s"}}]
    plan = site.azure(
        "plans/bad-errors-no-mirror.yaml",
        load={"rps": 30},
        metrics={"delay": "1s"},
        gates={"minutes": {"max_duration": "6m", "checks": checks}},
        stages=[{"create": "candidate"}, {"shift": "50%", "gate": "minutes"}],
    )

    done = site.rollout("apply", plan, "--auto-approve", "-o", "json")

    said = read_json(done)
    assert (done.returncode, said["outcome"]) == (10, "rolled_back"), done.stderr
    assert "error_rate" in said["cause"]["text"]
    assert shown(site, plan)[:2] == ({"green": 100}, {})
