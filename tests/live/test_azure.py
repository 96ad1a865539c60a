"""What docs/azureml/unverified.md says of Azure, asked of Azure itself; in this order."""

from __future__ import annotations

import os

import pytest

from rollout.domain.endpoint import Condition, DeleteDeployment, PutDeployment, Seen
from rollout.ports.doctor import Sign, State
from tests.live.conftest import LOGS, Lab

pytestmark = [
    pytest.mark.azure,
    pytest.mark.timeout(2 * 3600),
    pytest.mark.filterwarnings("default"),  # Azure's SDK warns of its own libraries
]
PROVIDERS = ["azure_monitor", "log_analytics"]


def signs(lab: Lab, topic: str) -> list[Sign]:
    return [each for each in lab.endpoint.diagnose() if each.topic == topic]


def refused(status: int, text: str) -> bool:
    """A no that time does not change."""
    assert status < 500, text
    return status in (400, 409, 422)


def test_permissions_can_be_read_at_workspace_and_subscription(lab: Lab) -> None:
    found = signs(lab, "permissions")

    assert [each.text for each in found if each.text.startswith("Not checked")] == []


def test_sizes_and_usages_are_listed_as_we_read_them(lab: Lab) -> None:
    found = signs(lab, "quota")

    assert [each.text for each in found if each.state is State.UNKNOWN] == []


def test_clocks_can_be_compared(lab: Lab) -> None:
    assert [each.state for each in signs(lab, "clock")] == [State.GOOD]


def test_inline_assets_can_be_uploaded_and_a_deployment_becomes_ready(lab: Lab) -> None:
    lab.serve()

    assert lab.endpoint.observe().deployments["blue"].ready == 1


def test_traffic_stays_where_it_is_while_a_deployment_is_created(lab: Lab) -> None:
    lab.serve()
    lab.split({"blue": 100})
    lab.do(DeleteDeployment("green"), lambda seen: "green" not in seen.deployments)
    splits: list[dict[str, int]] = []

    def note(seen: Seen) -> None:
        splits.append(dict(seen.traffic))
        assert lab.ask(1) == {"blue": 1}

    lab.do(
        PutDeployment("candidate", "green"),
        lambda seen: "green" in seen.deployments and seen.deployments["green"].ready > 0,
        saw=note,
    )

    assert [each for each in splits if each != {"blue": 100}] == []


def test_a_split_that_was_read_back_is_in_force(lab: Lab) -> None:
    lab.serve()
    lab.split({"blue": 50, "green": 50})

    counts = lab.ask(100)

    assert 25 <= counts["blue"] <= 75, counts  # outside: once in a million
    lab.split({"blue": 100})
    assert lab.ask(20) == {"blue": 20}


def test_a_write_that_leaves_things_out_takes_them_away(lab: Lab) -> None:
    lab.serve()
    body = lab.body()
    body["tags"] = {**body.get("tags", {}), "left": "out"}
    assert lab.call("PUT", lab.path, body).status_code in (200, 201)
    lab.still()
    assert lab.body()["tags"]["left"] == "out"
    properties = {name: body["properties"][name] for name in ("authMode", "traffic")}
    bare = {"location": body["location"], "identity": {"type": "SystemAssigned"}}

    done = lab.call("PUT", lab.path, {**bare, "properties": properties})

    lab.still()
    assert done.status_code in (200, 201)
    assert "left" not in lab.body().get("tags", {})


@pytest.mark.parametrize(
    ("traffic", "mirror"),
    [
        ({"blue": 100}, {"green": 60}),
        ({"blue": 50}, {}),
        ({"blue": 50, "green": 50}, {"green": 10}),
        ({"blue": 100}, {"missing": 10}),
    ],
    ids=["mirror-above-50", "sum-below-100", "live-and-mirror", "mirror-to-nobody"],
)
def test_azure_refuses_the_splits_that_plans_refuse(
    lab: Lab, traffic: dict[str, int], mirror: dict[str, int]
) -> None:
    lab.serve()
    body = lab.body()
    body["properties"] |= {"traffic": traffic, "mirrorTraffic": mirror}

    done = lab.call("PUT", lab.path, body)

    assert refused(done.status_code, done.text)
    lab.still()


def test_a_write_is_refused_while_another_is_under_way(lab: Lab) -> None:
    lab.serve()
    body = lab.body()
    body["properties"] |= {"traffic": {"blue": 90, "green": 10}, "mirrorTraffic": {}}
    lab.call("PUT", lab.path, body)

    done = lab.call("PUT", lab.path, body)

    assert done.status_code == 409, done.text
    lab.still()


def test_a_deployment_with_traffic_is_not_deleted(lab: Lab) -> None:
    lab.serve()
    lab.split({"blue": 100})

    done = lab.call("DELETE", f"{lab.path}/deployments/blue")

    assert refused(done.status_code, done.text)
    assert lab.ask(5) == {"blue": 5}


@pytest.mark.parametrize("provider", PROVIDERS, ids=str)
def test_mirrored_copies_are_measured_and_complete_after_the_delay(lab: Lab, provider: str) -> None:
    if provider == "log_analytics" and not os.environ.get(LOGS):
        pytest.skip(f"Set {LOGS} to the id of the workspace that gets the traffic log.")
    lab.serve()
    lab.split({"blue": 100}, {"green": 50})
    endpoint = lab.metered(provider)
    cursor = endpoint.cursor()
    sent = 0
    end = lab.clock.monotonic() + 300
    while lab.clock.monotonic() < end:
        sent += sum(lab.ask(5).values())
    lab.clock.sleep(endpoint.lag + 60)

    reading = endpoint.read(cursor, mirrored=True, histogram=True)

    endpoint.close()
    assert reading.interval is not None
    arms = reading.interval.arms
    assert arms["baseline"].requests >= 0.9 * sent - 60, arms
    assert arms["candidate"].requests >= 0.3 * sent - 60, arms


def test_a_deployment_that_does_not_start_says_why(lab: Lab) -> None:
    lab.serve()
    endpoint = lab.as_candidate("broken", "crash")

    seen = lab.do(
        PutDeployment("candidate", "broken"),
        lambda seen: seen.deployments["broken"].condition is Condition.FAILED,
        at=endpoint,
    )

    text = endpoint.logs("broken", tail=100)
    assert seen.deployments["broken"].error
    assert "score.py" in text
    lab.do(DeleteDeployment("broken"), lambda seen: "broken" not in seen.deployments)
    endpoint.close()
