"""One endpoint in a real workspace, for the tests that ask Azure itself.

They cost money: two to four small machines for an hour or two. Nothing runs without a workspace.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import httpx
import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.endpoints.azureml.endpoint import AzureEndpoint, build
from rollout.adapters.endpoints.azureml.trust import context
from rollout.domain.criteria import Gate
from rollout.domain.endpoint import CreateEndpoint, Effect, PutDeployment, Seen, SetSplit
from rollout.domain.plan import (
    Bootstrap,
    Create,
    DeploymentRef,
    EndpointRef,
    Metering,
    Plan,
    Preflight,
    Stage,
)

PLANS = Path(__file__).resolve().parents[2] / "plans"
NEEDED = ("ROLLOUT_LIVE_SUBSCRIPTION", "ROLLOUT_LIVE_RESOURCE_GROUP", "ROLLOUT_LIVE_WORKSPACE")
LOGS = "ROLLOUT_LIVE_LOG_ANALYTICS"
SIZE = os.environ.get("ROLLOUT_LIVE_INSTANCE_TYPE", "Standard_DS3_v2")
PATIENCE = 45 * 60.0
API = "2024-04-01"


@dataclass
class Lab:
    """An endpoint of its own name, and what the tests do with it."""

    folder: Path
    name: str

    def __post_init__(self) -> None:
        self.clock = SystemClock()

    def plan(self, **changes: object) -> Plan:
        made = Plan(
            name="live",
            endpoint=EndpointRef("azureml", self.name, str(self.folder / "endpoint.yml"), _where()),
            baseline=self._ref("blue", "blue"),
            candidate=self._ref("green", "green"),
            stages=(
                Stage("preflight", Preflight()),
                Stage("bootstrap", Bootstrap()),
                Stage("create", Create("candidate")),
            ),
            gates={"any": Gate("any", ())},
            requests=(self.folder.joinpath("sample-request.json").read_bytes(),),
        )
        return replace(made, **changes)

    def _ref(self, name: str, kind: str) -> DeploymentRef:
        file = str(self.folder / f"{kind}-deployment.yml")
        return DeploymentRef(name, file, {"instance_type": SIZE, "instance_count": 1})

    def metered(self, provider: str) -> AzureEndpoint:
        """The endpoint with that source of measurements; its gates' candidate is green."""
        options = {"workspace": os.environ[LOGS]} if provider == "log_analytics" else {}
        return self.open(self.plan(metrics=Metering(provider, options)))

    def open(self, plan: Plan) -> AzureEndpoint:
        return build(plan, home=self.folder, clock=self.clock)

    @cached_property
    def endpoint(self) -> AzureEndpoint:
        return self.open(self.plan())

    def as_candidate(self, name: str, kind: str) -> AzureEndpoint:
        return self.open(self.plan(candidate=self._ref(name, kind)))

    # --- doing ---

    def do(
        self,
        effect: Effect,
        until: Callable[[Seen], bool],
        *,
        saw: Callable[[Seen], None] = lambda _: None,
        at: AzureEndpoint | None = None,
    ) -> Seen:
        """Perform an effect and wait for what it leads to."""
        endpoint = at or self.endpoint
        endpoint.perform(effect, run="live")
        limit = self.clock.monotonic() + PATIENCE
        while self.clock.monotonic() < limit:
            seen = endpoint.observe()
            saw(seen)
            if not seen.busy and until(seen):
                return seen
            self.clock.sleep(endpoint.pace)
        raise AssertionError(f"{effect} did not come about")

    def serve(self) -> None:
        """The endpoint with blue at 100 %, and green; whatever is there already stays."""
        if not self.endpoint.observe().exists:
            self.do(CreateEndpoint(), lambda seen: seen.exists)
        for role, name in (("baseline", "blue"), ("candidate", "green")):
            found = self.endpoint.observe().deployments.get(name)
            if found is None or not found.ready:
                self.do(PutDeployment(role, name), lambda seen, name=name: _ready(seen, name))
            if name == "blue":
                self.split({"blue": 100})

    def split(self, traffic: dict[str, int], mirror: dict[str, int] | None = None) -> None:
        goal = SetSplit(traffic, mirror or {})
        self.do(
            goal, lambda seen: (dict(seen.traffic), dict(seen.mirror)) == (traffic, goal.mirror)
        )

    def ask(self, times: int) -> dict[str | None, int]:
        """Send requests through the split; who answered how many of them well."""
        counts: dict[str | None, int] = {}
        for _ in range(times):
            answer = self.endpoint.probe(self.plan().requests[0], deployment=None, timeout=10)
            assert answer.status == 200, answer
            counts[answer.deployment] = counts.get(answer.deployment, 0) + 1
        return counts

    # --- asking Azure by hand ---

    def call(self, method: str, path: str, body: object = None) -> httpx.Response:
        access = self.endpoint._access
        token = access.credential.get_token(access.cloud.management_scope).token
        return httpx.request(
            method,
            f"{access.cloud.resource_manager}{path}",
            params={"api-version": API},
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            verify=context(),
            timeout=60,
        )

    @property
    def path(self) -> str:
        return self.endpoint._access.place.endpoint_id

    def body(self) -> dict[str, object]:
        """The endpoint as a whole, to be changed and put."""
        return self.call("GET", self.path).json()

    def still(self) -> None:
        """Wait until no operation is under way."""
        limit = self.clock.monotonic() + PATIENCE
        while self.body()["properties"]["provisioningState"] != "Succeeded":
            assert self.clock.monotonic() < limit
            self.clock.sleep(2)


def _ready(seen: Seen, name: str) -> bool:
    found = seen.deployments.get(name)
    return found is not None and found.ready > 0


def _where() -> dict[str, object]:
    subscription, group, workspace = (os.environ[name] for name in NEEDED)
    return {"subscription": subscription, "resource_group": group, "workspace": workspace}


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if missing:
        pytest.skip(
            f"This asks Azure itself: set {', '.join(missing)}, log in, and run "
            "pytest -m azure tests/live. See docs/azureml/unverified.md."
        )
    folder = tmp_path_factory.mktemp("live")
    shutil.copytree(PLANS, folder, dirs_exist_ok=True)
    made = Lab(folder, f"rollout-live-{secrets.token_hex(3)}")
    try:
        yield made
    finally:
        made.endpoint.destroy()
        made.endpoint.close()
