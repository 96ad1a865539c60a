"""Whole rollouts on Azure ML's protocol: the real SDK, the emulator, real scoring servers."""

from __future__ import annotations

from tests.acceptance.azureml.site import QUICK, AzureSite
from tests.acceptance.conftest import read_json

RPS = 40.0
METRICS = {"workspace": "00000000-0000-0000-0000-00000000000a", "delay": "1s"}
LIGHT = {"environment_variables.FEATURE_STORE_MS": "2"}


def variables(**values: str) -> list[str]:
    return [word for name, value in values.items() for word in ("--var", f"{name}={value}")]


def bootstrapped(site: AzureSite, plan: str) -> str:
    """The plan's endpoint with blue serving: its baseline's own file, applied by its first stage."""
    first = site.change(plan, stages=[{"preflight": {}}], load=None, gates=None)
    done = site.rollout("apply", first, "--auto-approve")
    assert done.returncode == 0, done.stderr
    return plan


def test_the_guide_s_plan_promotes_green_and_no_client_notices(site: AzureSite) -> None:
    plan = site.azure("plans/safe-rollout.yaml", load=None, metrics=METRICS, **short_gates(site))
    bootstrapped(site, plan)

    with site.traffic(plan, RPS) as clients:
        done = site.rollout("apply", plan, "--auto-approve", "-o", "json")
    clients.stop()

    assert done.returncode == 0, done.stderr
    assert read_json(done)["outcome"] == "completed"
    assert clients.failed() == []
    assert len(clients.answers) > 400
    assert {each.deployment for each in clients.answers} == {"blue", "green"}
    with site.seen(plan) as endpoint:
        seen = endpoint.observe()
    assert (dict(seen.traffic), dict(seen.mirror), set(seen.deployments)) == (
        {"green": 100},
        {},
        {"green"},
    )


def short_gates(site: AzureSite) -> dict[str, object]:
    """The samples' gates need ten seconds at most: what Azure has is read a second later."""
    return {f"gates__{name}__min_duration": "3s" for name in ("shadow", "canary", "bake")}


def test_a_bad_green_is_rolled_back_by_itself(site: AzureSite) -> None:
    plan = site.azure("plans/bad-errors.yaml", load=None, metrics=METRICS)
    bootstrapped(site, plan)

    with site.traffic(plan, RPS) as clients:
        done = site.rollout("apply", plan, "--auto-approve", "-o", "json")
    clients.stop()

    said = read_json(done)
    assert (done.returncode, said["outcome"]) == (10, "rolled_back"), done.stderr
    assert clients.failed() == []
    assert said["exposure"]["requests"] == 0
    assert "gate shadow" in said["cause"]["text"]
    with site.seen(plan) as endpoint:
        seen = endpoint.observe()
    assert (dict(seen.traffic), dict(seen.mirror)) == ({"green": 100}, {})


def test_the_sample_for_azure_runs_as_it_is(site: AzureSite) -> None:
    plan = "plans/azureml/safe-rollout.yaml"
    quick = variables(**QUICK, rps="30")

    looked = site.rollout("plan", plan, *quick)
    done = site.rollout("apply", plan, "--auto-approve", "-o", "json", *quick)

    assert "standardDSv2Family" in looked.stdout
    assert done.returncode == 0, done.stderr
    assert read_json(done)["outcome"] == "completed"
