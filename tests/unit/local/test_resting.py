"""Looks at an endpoint that is down: answered from its files, and nothing is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.adapters.endpoints.local import administer
from rollout.adapters.endpoints.local.client import Client
from rollout.adapters.endpoints.local.desired import PLAN, Desired
from rollout.adapters.endpoints.local.endpoint import LocalEndpoint, build
from rollout.adapters.endpoints.local.folder import Folder, write_json
from rollout.adapters.endpoints.local.reached import Reached
from rollout.adapters.endpoints.local.specification import Specification
from rollout.domain.endpoint import Condition, DeploymentSeen, Seen, SetSplit
from rollout.domain.errors import EndpointRefused
from rollout.domain.plan import DeploymentRef, EndpointRef, Plan
from tests.fakes.clock import FakeClock

CODE = Specification(None, Path("/code"), "score.py", instances=2)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An endpoint that was stopped: blue was ready, green had failed, red was on its way."""
    made = Folder(tmp_path.resolve() / "ep")
    made.make()
    desired = Desired("ep", "abc", 8700)
    for name in ("blue", "green", "red"):
        desired = desired.with_deployment(name, CODE, digest=f"d-{name}", run="r-1")
    desired = desired.with_split({"blue": 100}, {}, frozenset({"blue"}))
    write_json(made.desired, desired.to_json())
    reached = {"blue": Reached(1, 2), "green": Reached(failure="it ended with exit code 3")}
    write_json(made.status, {name: one.to_json() for name, one in reached.items()})
    return made


def resting(home: Path, file: str = "") -> LocalEndpoint:
    plan = Plan(
        name="test",
        endpoint=EndpointRef("local", "ep"),
        baseline=DeploymentRef("blue"),
        candidate=DeploymentRef("green"),
        stages=(),
        requests=(),
        file=file,
    )
    return build(plan, home=home, clock=FakeClock(), start=False)


def test_a_look_is_answered_from_the_files(folder: Folder, tmp_path: Path) -> None:
    seen = resting(tmp_path).observe()

    assert seen == Seen(
        exists=True,
        deployments={
            "blue": DeploymentSeen(Condition.READY, 2, 0, "r-1", "d-blue"),
            "green": DeploymentSeen(
                Condition.FAILED, 2, 0, "r-1", "d-green", "it ended with exit code 3"
            ),
            "red": DeploymentSeen(Condition.CREATING, 2, 0, "r-1", "d-red"),
        },
        traffic={"blue": 100},
        mirror={},
    )
    assert not folder.engine_log.exists(), "no engine was started"


def test_an_endpoint_that_is_not_there_is_a_value(tmp_path: Path) -> None:
    assert resting(tmp_path).observe() == Seen(exists=False)


def test_a_fault_of_nobody_is_refused_before_anything_starts(
    folder: Folder, tmp_path: Path
) -> None:
    with pytest.raises(EndpointRefused) as refused:
        administer.fault(tmp_path, "ep", FakeClock(), kind="error", deployment="gren")

    assert refused.value.what == "There is no deployment 'gren' on 'ep'."
    assert refused.value.do == "Name one of: blue, green, red."
    assert not folder.engine_log.exists()


def test_an_order_refused_by_the_engine_names_the_plans_file(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise EndpointRefused("'green' is not ready.", do=f"Look: rollout logs green {PLAN}")

    monkeypatch.setattr(Client, "call", refuse)
    endpoint = resting(tmp_path, file="my plan.yaml")

    with pytest.raises(EndpointRefused) as refused:
        endpoint.perform(SetSplit({"green": 100}), run="r-1")

    assert refused.value.do == "Look: rollout logs green 'my plan.yaml'"
