"""Logs of a local endpoint, from its folder alone: no engine is asked or started."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.adapters.endpoints.local.chapters import heading
from rollout.adapters.endpoints.local.endpoint import LocalEndpoint
from rollout.adapters.endpoints.local.folder import Folder, write_json
from rollout.domain.errors import EndpointRefused
from rollout.domain.plan import DeploymentRef, EndpointRef, Plan
from tests.fakes.clock import FakeClock


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path.resolve() / "ep")
    made.make()
    write_json(made.desired, {"deployments": {"green": {}, "blue": {}}})
    return made


@pytest.fixture
def endpoint(tmp_path: Path) -> LocalEndpoint:
    return opened(tmp_path, start=True)


def opened(home: Path, *, start: bool) -> LocalEndpoint:
    plan = Plan(
        name="test",
        endpoint=EndpointRef("local", "ep"),
        baseline=DeploymentRef("blue"),
        candidate=DeploymentRef("green"),
        stages=(),
        requests=(),
        file="my plans/p.yaml",
    )
    return LocalEndpoint(plan, home=home, clock=FakeClock(), start=start)


def test_an_absent_endpoint_has_no_logs(endpoint: LocalEndpoint) -> None:
    with pytest.raises(EndpointRefused, match="does not exist") as refused:
        endpoint.logs("blue", tail=10)

    assert "rollout apply 'my plans/p.yaml'" in refused.value.do


def test_an_unknown_deployment_is_refused_with_those_there(
    endpoint: LocalEndpoint, folder: Folder
) -> None:
    with pytest.raises(EndpointRefused) as refused:
        endpoint.logs("red", tail=10)

    assert refused.value.what == "There is no deployment 'red' on 'ep' (there: blue, green)."
    assert refused.value.do == "Name one: rollout logs NAME 'my plans/p.yaml'"


def test_the_log_of_a_deleted_deployment_stays_readable(
    endpoint: LocalEndpoint, folder: Folder
) -> None:
    folder.log("old").write_text("one\ntwo\n")

    assert endpoint.logs("old", tail=1) == "two"
    assert endpoint.logs("blue", tail=1) == ""


def test_a_run_gets_what_its_own_servers_said_and_a_look_gets_everything(
    endpoint: LocalEndpoint, folder: Folder, tmp_path: Path
) -> None:
    lines = [
        heading("2026-01-01T00:00:00.000Z", 1, "r-1"),
        "500 of the first run",
        heading("2026-01-01T00:01:00.000Z", 2, "r-2"),
        "init of the second run",
    ]
    folder.log("green").write_text("".join(f"{line}\n" for line in lines))

    assert endpoint.logs("green", tail=10) == "init of the second run"
    assert opened(tmp_path, start=False).logs("green", tail=10).splitlines() == lines
