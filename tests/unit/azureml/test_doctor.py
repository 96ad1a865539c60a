"""What doctor says of a plan in Azure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rollout.adapters.endpoints.azureml import cloud
from rollout.adapters.endpoints.azureml.doctor import diagnose
from rollout.adapters.endpoints.azureml.login import Login
from rollout.domain.errors import EndpointAway, NotLoggedIn
from rollout.ports.doctor import Sign, State, logged_in
from tests.fakes.clock import FakeClock
from tests.unit.azureml.fake_arm import FakeArm, ground

PLANS = Path(__file__).resolve().parents[3] / "plans"
PLAN = """\
apiVersion: rollout/v1
kind: Rollout
name: nobody
endpoint:
  provider: azureml
  name: diabetes
  subscription: 00000000-0000-0000-0000-000000000001
  resource_group: rg-lab
  workspace: mlw-lab
  credential: environment
baseline: {deployment: blue}
candidate: {deployment: green, file: green-deployment.yml}
stages:
  - create: candidate
  - shift: 100%
"""
PUBLIC = cloud.KNOWN["AzureCloud"]


def diagnosed(*, ahead: float = 0.0, **changes: object) -> tuple[Sign, ...]:
    clock = FakeClock()
    made = ground(FakeArm(), **changes)
    return diagnose(made, cloud=PUBLIC, clock=clock, service_time=lambda: clock.now() - ahead)


def test_every_topic_is_looked_at() -> None:
    found = diagnosed()

    assert list(dict.fromkeys(each.topic for each in found)) == [
        "login", "cloud", "workspace", "endpoint", "files", "permissions", "quota", "metrics",
        "clock", "versions",
    ]  # fmt: skip
    assert [each.text for each in found if each.state is not State.GOOD] == []
    assert len({(each.topic, each.name) for each in found}) == len(found)


def test_whoever_is_not_logged_in_still_learns_addresses_files_and_versions() -> None:
    def refuse() -> Login:
        raise NotLoggedIn("Nobody is logged in.", do="az login")

    found = diagnosed(login=refuse)

    assert not logged_in(found)
    topics = list(dict.fromkeys(each.topic for each in found))
    assert topics == ["login", "cloud", "files", "versions"]


@pytest.mark.parametrize(
    ("ahead", "state", "words"),
    [
        (0.0, State.GOOD, "agree"),
        (-29.0, State.GOOD, "agree"),
        (-94.0, State.BAD, "1m34s behind Azure's"),
        (300.0, State.BAD, "5m ahead of Azure's"),
    ],
    ids=["exact", "near", "behind", "ahead"],
)
def test_a_clock_that_is_off_is_found(ahead: float, state: State, words: str) -> None:
    (found,) = [each for each in diagnosed(ahead=ahead) if each.topic == "clock"]

    assert found.state is state
    assert words in found.text


def test_a_clock_that_cannot_be_compared_is_told() -> None:
    def away() -> float:
        raise EndpointAway("Azure cannot be reached.", do="Try again.")

    found = diagnose(ground(FakeArm()), cloud=PUBLIC, clock=FakeClock(), service_time=away)

    (clock,) = [each for each in found if each.topic == "clock"]
    assert clock.state is State.UNKNOWN


def test_the_installed_packages_are_named() -> None:
    found = {each.name: each.text for each in diagnosed() if each.topic == "versions"}

    assert found["azure-ai-ml"].startswith("1.35.")
    assert {"rollout", "Python", "azure-identity", "azure-monitor-querymetrics"} <= set(found)


def test_nobody_logged_in_is_33_in_a_real_process(tmp_path: Path) -> None:
    shutil.copytree(PLANS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "plan.yaml").write_text(PLAN)
    ours = ("AZURE_", "ARM_", "IDENTITY_", "MSI_")

    done = subprocess.run(
        [sys.executable, "-m", "rollout.cli.main", "doctor", "plan.yaml", "-o", "json"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith(ours)},
        capture_output=True,
        text=True,
        check=False,
    )

    said = json.loads(done.stdout)
    assert (done.returncode, said["outcome"], done.stderr) == (33, "not_logged_in", "")
    assert [each["state"] for each in said["signs"] if each["topic"] == "files"] == ["good"]
    assert not (tmp_path / ".rollout").exists()
