"""Each fault at each operation: the right end, nothing created twice, nothing lost, and told why."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from rollout import api
from rollout.adapters.clock import SystemClock
from rollout.adapters.endpoints.azureml import seeing
from rollout.adapters.endpoints.azureml.endpoint import AzureEndpoint
from rollout.domain.endpoint import (
    CreateEndpoint,
    DeleteDeployment,
    PutDeployment,
    ScaleDeployment,
    Seen,
    SetSplit,
)
from rollout.domain.errors import NotLoggedIn
from rollout.domain.plan import DeploymentRef, EndpointRef, Plan
from rollout.ports.observer import Alert, Notice
from tests.acceptance.azureml.cloud import Cloud
from tests.acceptance.local.world import World
from tests.contracts.endpoint_contract import ready

BLUE, GREEN, RUN = "blue", "green", "r-setup"
TAGS = {"owner": "ada", "cost": "42"}
NAME = "matrix"
IDENTITY = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-lab/providers/"
    "Microsoft.ManagedIdentity/userAssignedIdentities/scorer"
)
ENDPOINT = {  # whatever a write might lose
    "auth_mode": "key",
    "description": "How far it will have progressed.",
    "tags": TAGS,
    "identity": {"type": "user_assigned", "user_assigned_identities": [{"resource_id": IDENTITY}]},
    "public_network_access": "disabled",
}


@dataclass
class Ward:
    """One endpoint with blue and green, brought back to how it was before each cell."""

    cloud: Cloud
    world: World
    heard: list[str] = field(default_factory=list)

    def options(self) -> dict[str, object]:
        return {
            "subscription": os.environ["AZURE_SUBSCRIPTION_ID"],
            "resource_group": os.environ["AZURE_RESOURCE_GROUP"],
            "workspace": os.environ["AZUREML_WORKSPACE"],
            "credential": "environment",
        }

    def endpoint(self, name: str = NAME) -> AzureEndpoint:
        file = self.world.folder / "endpoint.yml"
        file.write_text(yaml.safe_dump({**ENDPOINT, "name": name}))
        plan = Plan(
            name="ward",
            endpoint=EndpointRef("azureml", name, str(file), self.options()),
            baseline=DeploymentRef(BLUE, self.world.files[BLUE]),
            candidate=DeploymentRef(GREEN, self.world.files[GREEN]),
            stages=(),
        )
        return AzureEndpoint(plan, clock=SystemClock())

    def arrange(self, *, green: bool) -> None:
        """Blue has all traffic on one instance; green is there without any, or is not."""
        endpoint = self.endpoint()
        wanted = {BLUE, GREEN} if green else {BLUE}
        for effect in (
            CreateEndpoint(),
            PutDeployment("baseline", BLUE),
            SetSplit({BLUE: 100}),
            ScaleDeployment(BLUE, 1),
            PutDeployment("candidate", GREEN) if green else DeleteDeployment(GREEN),
        ):
            self.settle(lambda: not _moving(endpoint.observe()))
            endpoint.perform(effect, run=RUN)
        self.settle(
            lambda: (
                not _moving(seen := endpoint.observe())
                and set(seen.deployments) == wanted
                and all(ready(endpoint, name) for name in wanted)
            )
        )
        endpoint.close()

    def settle(self, look: Callable[[], object], seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not look():
            assert time.monotonic() < until, self.cloud.state()
            time.sleep(0.1)

    def apply(
        self, folder: Path, stages: list[dict], name: str = NAME, **more: object
    ) -> api.Result:
        """A plan of these stages, applied as ``rollout apply`` does it."""
        plan = {
            "apiVersion": "rollout/v1",
            "kind": "Rollout",
            "name": "matrix",
            "endpoint": {"provider": "azureml", "name": name, **self.options()},
            "baseline": {"deployment": BLUE},
            "candidate": {"deployment": GREEN, "file": self.world.files[GREEN]},
            "requests": [{"data": [1]}],
            "stages": stages,
            "on_failure": {"verify": {"within": "60s", "smoke": False}, "collect": {"logs": 20}},
            **more,
        }
        file = folder / "plan.yaml"
        file.write_text(yaml.safe_dump(plan, sort_keys=False))
        self.heard = []
        settings = api.Settings(state=f"sqlite:///{folder}/state.db", home=folder / "local")
        return api.apply(file, settings, observer=self)

    def saw(self, notice: Notice) -> None:
        self.heard.append(notice.text if isinstance(notice, Alert) else repr(notice))

    def seen(self, name: str = NAME) -> Seen:
        endpoint = self.endpoint(name)
        found = endpoint.observe()
        endpoint.close()
        return found


def _moving(seen: Seen) -> bool:
    states = [each.condition.value for each in seen.deployments.values()]
    return seen.busy or any(each in ("creating", "updating", "deleting") for each in states)


@pytest.fixture(scope="module")
def ward(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    world = World(tmp_path_factory.mktemp("files"), name=NAME)
    for name in (BLUE, GREEN):
        world.write(name, instance_type="Standard_DS3_v2", environment="azureml:env:1")
    made = Ward(cloud, world)
    yield made
    cloud.clear()
    endpoint = made.endpoint()
    endpoint.destroy()
    endpoint.close()


@pytest.fixture(autouse=True)
def hurried(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The emulator answers at once, so nobody needs to look every two seconds only."""
    monkeypatch.setattr(AzureEndpoint, "pace", 0.15)
    monkeypatch.setattr(seeing, "CONFIRM_SECONDS", 0.1)
    yield
    ward.cloud.clear()


@dataclass(frozen=True)
class Operation:
    """What a cell does to the endpoint.

    Args:
        on: The call that the fault hits.
        stages: Of the plan.
        green: Whether green is there before.
        traffic, mirror, deployments: How it must end where the fault passes.
        skip: So many such calls pass before the fault.
    """

    on: str
    stages: tuple[dict, ...]
    green: bool = True
    traffic: tuple[tuple[str, int], ...] = ((BLUE, 100),)
    mirror: tuple[tuple[str, int], ...] = ()
    deployments: tuple[str, ...] = (BLUE, GREEN)
    skip: int = 0


OPERATIONS = {
    "create": Operation("deployment.put", ({"create": "candidate", "timeout": "8s"},), green=False),
    "scale": Operation(
        "deployment.put", ({"scale": {"deployment": BLUE, "instances": 2}, "timeout": "8s"},)
    ),
    "mirror": Operation(
        "endpoint.put", ({"mirror": "10%", "timeout": "8s"},), mirror=((GREEN, 10),)
    ),
    "shift": Operation(
        "endpoint.put",
        ({"shift": "30%", "timeout": "8s"},),
        traffic=((BLUE, 70), (GREEN, 30)),
    ),
    "delete": Operation(
        "deployment.delete", ({"delete": "candidate", "timeout": "8s"},), deployments=(BLUE,)
    ),
}
PASSING = {
    "429": {"kind": "status", "status": 429, "times": 2, "retry_after": 1},
    "409": {"kind": "status", "status": 409, "times": 2},
    "503": {"kind": "status", "status": 503, "times": 2},
    "lost": {"kind": "lost"},
    "slow": {"kind": "slow", "seconds": 2.0},
}
TOLD = {
    "429": "TooManyRequests",
    "409": "Conflict",
    "503": "ServiceUnavailable",
    "lost": "got lost",
}


def put_green(cloud: Cloud, before: int) -> int:
    """How often green's creation was taken by the service since then."""
    return sum(
        each["operation"] == "deployment.put"
        and each["url"].partition("?")[0].endswith(f"/{GREEN}")
        and each["status"] in (0, 200, 201)
        for each in cloud.records()[before:]
    )


def kept(ward: Ward, name: str = NAME) -> None:
    """Tags and access are as they were."""
    body = ward.cloud.arm("GET", f"/onlineEndpoints/{name}").json()
    assert {key: body["tags"].get(key) for key in TAGS} == TAGS
    assert body["identity"]["type"] == "UserAssigned"
    assert [each.lower() for each in body["identity"]["userAssignedIdentities"]] == [
        IDENTITY.lower()
    ]
    assert body["properties"]["publicNetworkAccess"].lower() == "disabled"
    assert body["properties"]["description"] == ENDPOINT["description"]
    assert body["properties"]["authMode"] == "Key"


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_fault_that_passes_leaves_no_trace(
    ward: Ward, tmp_path: Path, operation: str, fault: str
) -> None:
    work = OPERATIONS[operation]
    ward.arrange(green=work.green)
    before = len(ward.cloud.records())
    ward.cloud.fault({**PASSING[fault], "on": work.on, "skip": work.skip})

    done = ward.apply(tmp_path, list(work.stages))

    ward.cloud.clear()
    assert (done.code, done.outcome) == (0, "completed"), done.run.cause
    seen = ward.seen()
    assert (dict(seen.traffic), dict(seen.mirror)) == (dict(work.traffic), dict(work.mirror))
    assert set(seen.deployments) == set(work.deployments)
    assert put_green(ward.cloud, before) == (operation == "create")
    assert fault not in TOLD or any(TOLD[fault] in each for each in ward.heard)
    kept(ward)


@pytest.mark.parametrize(
    "stale",
    [{"seconds": 2.0}, {"seconds": 60.0, "alternate": True, "times": 6}],
    ids=["late", "in-turn"],
)
@pytest.mark.parametrize("operation", ["mirror", "shift"])
def test_reads_that_are_stale_for_a_while_are_not_believed(
    ward: Ward, tmp_path: Path, operation: str, stale: dict
) -> None:
    work = OPERATIONS[operation]
    ward.arrange(green=True)
    time.sleep(2.2)  # what was arranged is no news any more
    before = len(ward.cloud.records())
    ward.cloud.fault({"kind": "stale", "on": "endpoint.get", "times": None, **stale})

    done = ward.apply(tmp_path, list(work.stages))

    ward.cloud.clear()
    assert done.code == 0, done.run.cause
    seen = ward.seen()
    assert (dict(seen.traffic), dict(seen.mirror)) == (dict(work.traffic), dict(work.mirror))
    written = [
        each for each in ward.cloud.records()[before:] if each["operation"] == "endpoint.put"
    ]
    assert len(written) == 1
    kept(ward)


def test_a_creation_that_fails_is_rolled_back_with_azure_s_own_words(
    ward: Ward, tmp_path: Path
) -> None:
    ward.arrange(green=False)
    before = len(ward.cloud.records())
    ward.cloud.fault(
        {"kind": "fail", "on": "deployment.put", "code": "ResourceNotReady",
         "message": "User container has crashed or terminated."}
    )  # fmt: skip

    done = ward.apply(tmp_path, [{"create": "candidate"}, {"shift": "100%"}])

    assert (done.code, done.outcome) == (10, "rolled_back")
    assert "ResourceNotReady: User container has crashed" in done.run.cause.text
    assert any("LogsCollected" in each for each in ward.heard)
    seen = ward.seen()
    assert (dict(seen.traffic), dict(seen.mirror)) == ({BLUE: 100}, {})
    assert put_green(ward.cloud, before) == 1
    kept(ward)


@pytest.mark.parametrize("operation", ["create", "scale"])
def test_without_quota_nothing_moves_and_azure_s_code_is_told(
    ward: Ward, tmp_path: Path, operation: str
) -> None:
    work = OPERATIONS[operation]
    ward.arrange(green=work.green)
    ward.cloud.fault({"kind": "quota", "on": "deployment.put", "times": None})

    done = ward.apply(tmp_path, list(work.stages))

    ward.cloud.clear()
    assert done.code == 10, done.run.cause
    assert "quota" in done.run.cause.text.lower()
    seen = ward.seen()
    assert (dict(seen.traffic), seen.deployments[BLUE].instances) == ({BLUE: 100}, 1)
    kept(ward)


@pytest.mark.parametrize("operation", ["mirror", "shift"])
def test_a_split_whose_operation_fails_is_written_again(
    ward: Ward, tmp_path: Path, operation: str
) -> None:
    work = OPERATIONS[operation]
    ward.arrange(green=True)
    ward.cloud.fault(
        {"kind": "fail", "on": "endpoint.put", "code": "InternalServerError", "message": "Oops."}
    )

    done = ward.apply(tmp_path, list(work.stages))

    assert done.code == 0, done.run.cause
    seen = ward.seen()
    assert (dict(seen.traffic), dict(seen.mirror)) == (dict(work.traffic), dict(work.mirror))
    assert any("InternalServerError: Oops." in each for each in ward.heard)
    kept(ward)


def test_a_scaling_that_fails_is_held_with_azure_s_own_words(ward: Ward, tmp_path: Path) -> None:
    ward.arrange(green=True)
    ward.cloud.fault(
        {"kind": "fail", "on": "deployment.put", "code": "OutOfCapacity", "message": "No room."}
    )

    done = ward.apply(tmp_path, list(OPERATIONS["scale"].stages))

    assert done.code == 13, done.run.cause
    assert "OutOfCapacity: No room." in done.run.cause.text
    assert dict(ward.seen().traffic) == {BLUE: 100}
    kept(ward)


@pytest.mark.parametrize("fault", ["429", "503", "lost", "slow", "fail"])
def test_an_endpoint_is_created_once_through_every_fault(
    ward: Ward, tmp_path: Path, fault: str
) -> None:
    name = f"fresh-{fault}"
    faults = {**PASSING, "fail": {"kind": "fail", "message": "Oops."}}
    file = tmp_path / "endpoint.yml"
    file.write_text(yaml.safe_dump({**ENDPOINT, "name": name}))
    before = len(ward.cloud.records())
    ward.cloud.fault({**faults[fault], "on": "endpoint.put"})

    done = ward.apply(
        tmp_path,
        [{"preflight": {"metrics": False}}],
        name,
        endpoint={"provider": "azureml", "name": name, "file": str(file), **ward.options()},
        baseline={"deployment": BLUE, "file": ward.world.files[BLUE]},
    )

    ward.cloud.clear()
    assert done.code == 0, done.run.cause
    assert dict(ward.seen(name).traffic) == {BLUE: 100}
    taken = [
        each["body"]["properties"].get("traffic")
        for each in ward.cloud.records()[before:]
        if each["operation"] == "endpoint.put" and each["status"] in (0, 200, 201)
    ]
    assert taken.count({}) == (2 if fault == "fail" else 1)
    kept(ward, name)
    endpoint = ward.endpoint(name)
    endpoint.destroy()
    endpoint.close()


def test_peace_that_azure_asks_for_costs_no_attempt(ward: Ward, tmp_path: Path) -> None:
    """Six attempts take a minute; a throttled subscription says for how long it is."""
    ward.arrange(green=True)
    before = len(ward.cloud.records())
    ward.cloud.fault({"kind": "status", "status": 429, "times": 1, "retry_after": 8,
                      "on": "endpoint.put"})  # fmt: skip

    done = ward.apply(tmp_path, [{"shift": "30%"}])

    assert done.code == 0, done.run.cause
    written = [
        each for each in ward.cloud.records()[before:] if each["operation"] == "endpoint.put"
    ]
    assert [each["status"] for each in written] == [429, 201]
    kept(ward)


def test_whoever_is_not_logged_in_is_told_before_anything_is_written_down(
    ward: Ward, tmp_path: Path
) -> None:
    ward.arrange(green=True)
    ward.cloud.fault({"kind": "status", "status": 401, "times": None, "on": "endpoint.get"})

    with pytest.raises(NotLoggedIn, match="AuthenticationFailed") as told:
        ward.apply(tmp_path, [{"shift": "30%"}])

    assert told.value.code == 33
    settings = api.Settings(state=f"sqlite:///{tmp_path}/state.db")
    assert api.history(settings=settings) == ()


def test_a_login_that_ends_on_the_way_is_waited_for(ward: Ward, tmp_path: Path) -> None:
    ward.arrange(green=True)
    ward.cloud.fault(
        {"kind": "status", "status": 401, "times": 6, "skip": 12, "on": "endpoint.get"}
    )

    done = ward.apply(tmp_path, [{"shift": "30%"}, {"wait": "3s"}])

    assert done.code == 0, done.run.cause
    assert any("AuthenticationFailed" in each for each in ward.heard)
    assert dict(ward.seen().traffic) == {BLUE: 70, GREEN: 30}


def test_a_split_that_is_stuck_ends_unverified_and_is_finished_later(
    ward: Ward, tmp_path: Path
) -> None:
    ward.arrange(green=True)
    ward.cloud.fault({"kind": "stuck", "on": "endpoint.put"})

    stages = [{"shift": "30%", "timeout": "2s"}]
    soon = {"verify": {"within": "4s", "smoke": False}}
    done = ward.apply(tmp_path, stages, on_failure=soon)

    assert (done.code, done.outcome) == (11, "rollback_unverified")
    ward.cloud.clear()
    again = ward.apply(tmp_path, stages, on_failure=soon)
    assert again.code == 10, again.run.cause
    seen = ward.seen()
    assert (dict(seen.traffic), dict(seen.mirror)) == ({BLUE: 100}, {})
    kept(ward)


@pytest.mark.parametrize("operation", ["create", "scale", "delete"])
def test_work_on_a_deployment_that_is_stuck_ends_at_the_stage_s_time(
    ward: Ward, tmp_path: Path, operation: str
) -> None:
    work = OPERATIONS[operation]
    ward.arrange(green=work.green)
    before = len(ward.cloud.records())
    ward.cloud.fault({"kind": "stuck", "on": work.on})
    freed = threading.Timer(6.0, ward.cloud.clear)
    freed.start()

    done = ward.apply(tmp_path, [{**work.stages[0], "timeout": "2s"}, {"wait": "1s"}])

    freed.join()
    assert done.code == 10, done.run.cause
    assert "within 2s" in done.run.cause.text
    assert put_green(ward.cloud, before) == (operation == "create")
    assert dict(ward.seen().traffic) == {BLUE: 100}
    kept(ward)


def test_a_deletion_that_fails_is_ordered_again(ward: Ward, tmp_path: Path) -> None:
    ward.arrange(green=True)
    ward.cloud.fault({"kind": "fail", "on": "deployment.delete", "message": "Not now."})

    done = ward.apply(tmp_path, list(OPERATIONS["delete"].stages))

    assert done.code == 0, done.run.cause
    assert set(ward.seen().deployments) == {BLUE}
    kept(ward)


@pytest.mark.parametrize("fault", PASSING)
def test_a_rollback_gets_through_every_fault(ward: Ward, tmp_path: Path, fault: str) -> None:
    ward.arrange(green=True)
    ward.cloud.fault({**PASSING[fault], "on": "endpoint.put", "skip": 1})
    stages = [{"shift": "30%"}, {"smoke": {"count": 1, "expect": {"status": 418}}}]

    done = ward.apply(tmp_path, stages)

    ward.cloud.clear()
    assert (done.code, done.outcome) == (10, "rolled_back"), done.run.cause
    seen = ward.seen()
    assert (dict(seen.traffic), dict(seen.mirror)) == ({BLUE: 100}, {})
    kept(ward)


@pytest.mark.parametrize("on", ["endpoint.get", "deployment.list", "operation.get", "keys"])
def test_reads_that_fail_are_asked_again(ward: Ward, tmp_path: Path, on: str) -> None:
    ward.arrange(green=True)
    ward.cloud.fault({"kind": "status", "status": 503, "times": 8, "on": on})

    done = ward.apply(tmp_path, [{"smoke": 3}, {"shift": "30%"}])

    ward.cloud.clear()
    assert done.code == 0, done.run.cause
    assert dict(ward.seen().traffic) == {BLUE: 70, GREEN: 30}


def test_a_model_that_answers_with_errors_is_no_fault_of_azure_s(
    ward: Ward, tmp_path: Path
) -> None:
    ward.arrange(green=True)

    done = ward.apply(
        tmp_path,
        [{"smoke": {"count": 3}}, {"shift": "30%"}],
        requests=[{"only": "green", "raise": True}],
    )

    assert done.code == 10
    assert "424" in done.run.cause.text
    assert dict(ward.seen().traffic) == {BLUE: 100}
