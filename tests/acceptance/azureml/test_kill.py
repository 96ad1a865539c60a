"""``kill -9`` at every call of the Azure adapter: whoever resumes ends as an undisturbed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import pytest
import yaml

from rollout import api
from rollout.adapters.clock import SystemClock
from rollout.adapters.endpoints.azureml.endpoint import AzureEndpoint
from tests.acceptance.azureml.cloud import Cloud
from tests.acceptance.azureml.runner_process import ENDED
from tests.acceptance.local.world import World

ROOT = Path(__file__).parents[3]
AT_ONCE = 3  # they wait most of the time
TAGS = {"owner": "ada"}
PROMOTE = [
    {"preflight": {"metrics": False}},
    {"create": "candidate"},
    {"smoke": 2},
    {"mirror": "50%", "gate": "short"},
    {"shift": "100%"},
    {"delete": "baseline"},
]
ROLL_BACK = [
    {"create": "candidate"},
    {"shift": "50%"},
    {"smoke": {"count": 1, "expect": {"status": 418}}},
]


class Runner:
    """A warm interpreter that forks runners."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.azureml.runner_process"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, plan: Path, kill_at: str = "") -> dict[str, object]:
        state = f"sqlite:///{plan.parent}/state.db"
        wanted = {"plan": str(plan), "state": state, "kill_at": kill_at}
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def runners(cloud: Cloud) -> Iterator[list[Runner]]:
    made = [Runner() for _ in range(AT_ONCE)]
    yield made
    for each in made:
        each.close()


@dataclass(frozen=True)
class End:
    """How a rollout ended, without what differs each time."""

    traffic: dict[str, int]
    mirror: dict[str, int]
    deployments: set[str]
    tags: dict[str, str]
    created: dict[str, int]
    phase: str


class Bed:
    """Where a rollout is carried out: an endpoint and a journal of its own."""

    def __init__(self, cloud: Cloud, world: World, folder: Path, name: str, stages: list) -> None:
        self.cloud, self.name = cloud, name
        folder.mkdir()
        self.plan = folder / "plan.yaml"
        endpoint = folder / "endpoint.yml"
        endpoint.write_text(yaml.safe_dump({"name": name, "auth_mode": "key", "tags": TAGS}))
        data = {
            "apiVersion": "rollout/v1",
            "kind": "Rollout",
            "name": "kill",
            "endpoint": {
                "provider": "azureml",
                "name": name,
                "file": "endpoint.yml",
                "subscription": os.environ["AZURE_SUBSCRIPTION_ID"],
                "resource_group": os.environ["AZURE_RESOURCE_GROUP"],
                "workspace": os.environ["AZUREML_WORKSPACE"],
                "credential": "environment",
            },
            "baseline": {"deployment": "blue", "file": world.files["blue"]},
            "candidate": {"deployment": "green", "file": world.files["green"]},
            "metrics": {"workspace": "00000000-0000-0000-0000-00000000000a", "delay": "0s"},
            "requests": [{"data": [1]}],
            "load": {"rps": 20},
            "gates": {
                "short": {
                    "warm_up": "0s",
                    "min_duration": "1s",
                    "max_duration": "2m",
                    "min_requests": 5,
                    "checks": [{"error_rate": {"max": "40%"}}],
                }
            },
            "stages": stages,
            "on_failure": {"candidate": "delete", "verify": {"smoke": True}},
        }
        self.plan.write_text(yaml.safe_dump(data, sort_keys=False))

    def end(self) -> End:
        settings = api.Settings(state=f"sqlite:///{self.plan.parent}/state.db")
        endpoint = AzureEndpoint(
            api.read_plan(self.plan, settings), clock=SystemClock(), drives=False
        )
        seen = endpoint.observe()
        tags = self.cloud.arm("GET", f"/onlineEndpoints/{self.name}").json()["tags"]
        endpoint.destroy()
        endpoint.close()
        run = api.status(settings=settings)
        assert not api.verify(settings=settings).mismatches
        return End(
            dict(seen.traffic),
            dict(seen.mirror),
            set(seen.deployments),
            {key: tags[key] for key in TAGS},
            self.created(),
            run.phase.value,
        )

    def created(self) -> dict[str, int]:
        """How often the service took the creation of each deployment."""
        found = {"blue": 0, "green": 0}
        for each in self.cloud.records():
            path = each["url"].partition("?")[0]
            for name in found:
                mine = path.endswith(f"/onlineEndpoints/{self.name}/deployments/{name}")
                taken = each["operation"] == "deployment.put" and each["status"] in (0, 200, 201)
                found[name] += mine and taken
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(tmp_path_factory.mktemp("files"), name="kill")
    for name in ("blue", "green"):
        made.write(name, instance_type="Standard_DS3_v2", environment="azureml:env:1")
    return made


pytestmark = pytest.mark.timeout(900)


def swept(
    cloud: Cloud, world: World, runners: list[Runner], folder: Path, stages: list, only: str = ""
) -> tuple[End, dict[str, End]]:
    """The end of an undisturbed run, and by label that of a run killed there and resumed."""
    word = "back" if only else "promote"
    calm = Bed(cloud, world, folder / "calm", f"{word}-calm", stages)
    said = runners[0].run(calm.plan)
    assert said["status"] == ENDED
    undisturbed = calm.end()
    labels = [each for each in said["labels"] if each.startswith(only)]
    idle: SimpleQueue[Runner] = SimpleQueue()
    for each in runners:
        idle.put(each)

    def killed_at(number: int) -> End:
        bed = Bed(cloud, world, folder / str(number), f"{word}-{number}", stages)
        runner = idle.get()
        try:
            assert runner.run(bed.plan, labels[number]) == {"killed": signal.SIGKILL}
            assert runner.run(bed.plan)["status"] == ENDED, labels[number]
            return bed.end()
        finally:
            idle.put(runner)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = dict(zip(labels, pool.map(killed_at, range(len(labels))), strict=True))
    return undisturbed, ends


def test_a_promotion_that_was_killed_at_any_call_ends_as_an_undisturbed_one(
    cloud, world, runners, tmp_path
):
    undisturbed, ends = swept(cloud, world, runners, tmp_path, PROMOTE)

    assert undisturbed == End(
        {"green": 100}, {}, {"green"}, TAGS, {"blue": 1, "green": 1}, "completed"
    )
    assert len(ends) >= 25
    orders = {label.rpartition("/")[2] for label in ends}
    assert {"after CreateEndpoint", "after PutDeployment", "after DeleteDeployment"} <= orders
    assert {"PUT onlineEndpoints answered", "PUT deployments leaves"} <= {
        label.rpartition("/")[2] for label in ends
    }
    assert {label: end for label, end in ends.items() if end != undisturbed} == {}


def test_a_rollback_that_was_killed_at_any_call_ends_as_an_undisturbed_one(
    cloud, world, runners, tmp_path
):
    undisturbed, ends = swept(cloud, world, runners, tmp_path, ROLL_BACK, only="rolling_back")

    assert undisturbed == End(
        {"blue": 100}, {}, {"blue"}, TAGS, {"blue": 1, "green": 1}, "rolled_back"
    )
    assert len(ends) >= 5
    assert {label: end for label, end in ends.items() if end != undisturbed} == {}
