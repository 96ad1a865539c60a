"""Azure Resource Manager with canned replies, and a plan that stands on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rollout.adapters.endpoints.azureml.ground import Ground
from rollout.adapters.endpoints.azureml.kinds import MANAGED
from rollout.adapters.endpoints.azureml.limits import read_limits
from rollout.adapters.endpoints.azureml.login import Login
from rollout.adapters.endpoints.azureml.place import Place
from rollout.domain.criteria import Gate
from rollout.domain.plan import (
    Create,
    DeploymentRef,
    EndpointRef,
    Plan,
    Preflight,
    Scale,
    Shift,
    Stage,
)
from rollout.ports.endpoint import Finding

PLACE = Place("11111111-1111-1111-1111-111111111111", "rg-ml", "mlw", "churn")
REGION = PLACE.location_id("eastus2")
RIGHTS = f"{PLACE.workspace_id}/providers/Microsoft.Authorization/permissions"
SUBSCRIPTION_RIGHTS = f"{PLACE.subscription_id}/providers/Microsoft.Authorization/permissions"
OWNER = {"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []}


def usage(family: str, used: int, limit: int, **more: object) -> dict[str, object]:
    return {
        "currentValue": used,
        "limit": limit,
        "name": {"value": family, "localizedValue": f"{family} Cluster Dedicated vCPUs"},
        **more,
    }


def deployment(name: str, instances: int, size: str = "Standard_DS3_v2") -> dict[str, object]:
    return {
        "name": name,
        "sku": {"name": "Default", "capacity": instances},
        "properties": {"instanceType": size, "provisioningState": "Succeeded"},
    }


def replies() -> dict[str, object]:
    """A workspace where everything is as it should be."""
    return {
        PLACE.workspace_id: {"location": "eastus2"},
        PLACE.endpoint_id: {
            "properties": {
                "authMode": "Key",
                "provisioningState": "Succeeded",
                "traffic": {"blue": 100, "green": 0},
            },
        },
        f"{PLACE.endpoint_id}/deployments": {"value": [deployment("blue", 1)]},
        RIGHTS: {"value": [OWNER]},
        SUBSCRIPTION_RIGHTS: {"value": [OWNER]},
        f"{REGION}/vmSizes": {
            "value": [{"name": "Standard_DS3_v2", "family": "standardDSv2Family", "vCPUs": 4}]
        },
        f"{REGION}/usages": {"value": [usage("standardDSv2Family", 8, 48)]},
    }


@dataclass
class FakeArm:
    """Answers from a table; an exception in it is raised, and what is missing is not there."""

    table: dict[str, object] = field(default_factory=replies)
    asked: list[str] = field(default_factory=list)

    def get(self, path: str, api_version: str) -> Mapping[str, object] | None:
        self.asked.append(path)
        found = self.table.get(path)
        if isinstance(found, Exception):
            raise found
        assert found is None or isinstance(found, dict)
        return found


def plan(**changes: object) -> Plan:
    made = Plan(
        name="churn-green",
        endpoint=EndpointRef("azureml", "churn"),
        baseline=DeploymentRef("blue"),
        candidate=DeploymentRef("green"),
        stages=(
            Stage("preflight", Preflight()),
            Stage("scale-blue", Scale("baseline", 2)),
            Stage("create-green", Create("candidate")),
            Stage("shift-100", Shift(100)),
        ),
        gates={"canary": Gate("canary", ())},
        requests=(b"{}",),
    )
    return replace(made, **changes)


def ground(arm: FakeArm, **changes: object) -> Ground:
    made = Ground(
        plan=plan(),
        place=PLACE,
        kind=MANAGED,
        arm=arm,
        login=lambda: Login("AzureCliCredential", "user", "ada@example.com", "0-1", "t-1"),
        loads=lambda: (Finding("candidate file", ok=True, text="It can be loaded."),),
        arrives=lambda: Finding("metrics", ok=True, text="Measurements arrive."),
        metrics="azure_monitor",
        quota=read_limits({}).quota,
    )
    return replace(made, **changes)
