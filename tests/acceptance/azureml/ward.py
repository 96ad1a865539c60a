"""An endpoint with blue and green whose calls go wrong, and what is done to it meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from rollout import api
from rollout.adapters.clock import SystemClock
from rollout.adapters.endpoints.azureml.endpoint import AzureEndpoint
from rollout.domain.endpoint import (
    CreateEndpoint,
    DeleteDeployment,
    PutDeployment,
    ScaleDeployment,
    Seen,
    SetSplit,
)
from rollout.domain.plan import DeploymentRef, EndpointRef, Plan
from rollout.domain.run import Run
from rollout.ports.observer import Alert, Notice
from tests.acceptance.azureml.cloud import Cloud
from tests.acceptance.local.world import World
from tests.contracts.endpoint_contract import ready

BLUE, GREEN, RUN = "blue", "green", "r-setup"
TAGS = {"owner": "ada", "cost": "42"}
NAME = "matrix"
PATIENCE = "3m"  # of a stage, and of a rollback, where how long they take is not what is tested
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
    when: tuple[Callable[[Run], bool], Callable[[], None]] | None = None  # once, and do what

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

    def settle(self, look: Callable[[], object], seconds: float = 180) -> None:
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
            "on_failure": {"verify": {"within": PATIENCE, "smoke": False}, "collect": {"logs": 20}},
            **more,
        }
        file = folder / "plan.yaml"
        file.write_text(yaml.safe_dump(plan, sort_keys=False))
        self.heard = []
        settings = api.Settings(state=f"sqlite:///{folder}/state.db", home=folder / "local")
        return api.apply(file, settings, observer=self)

    def saw(self, notice: Notice) -> None:
        self.heard.append(notice.text if isinstance(notice, Alert) else repr(notice))
        if self.when is not None and self.when[0](notice.run):
            (_, act), self.when = self.when, None
            act()

    def seen(self, name: str = NAME) -> Seen:
        endpoint = self.endpoint(name)
        found = endpoint.observe()
        endpoint.close()
        return found


def stands_in(run: Run, stage: str) -> bool:
    """Whether the present stage is that one."""
    return run.stage is not None and run.stage.id.startswith(stage)


def _moving(seen: Seen) -> bool:
    states = [each.condition.value for each in seen.deployments.values()]
    return seen.busy or any(each in ("creating", "updating", "deleting") for each in states)


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
    "create": Operation(
        "deployment.put", ({"create": "candidate", "timeout": PATIENCE},), green=False
    ),
    "scale": Operation(
        "deployment.put", ({"scale": {"deployment": BLUE, "instances": 2}, "timeout": PATIENCE},)
    ),
    "mirror": Operation(
        "endpoint.put", ({"mirror": "10%", "timeout": PATIENCE},), mirror=((GREEN, 10),)
    ),
    "shift": Operation(
        "endpoint.put",
        ({"shift": "30%", "timeout": PATIENCE},),
        traffic=((BLUE, 70), (GREEN, 30)),
    ),
    "delete": Operation(
        "deployment.delete", ({"delete": "candidate", "timeout": PATIENCE},), deployments=(BLUE,)
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
