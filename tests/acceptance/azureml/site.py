"""A user's folder in the emulator's world: plans, a journal, and what a user types there."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from rollout import api
from rollout.adapters.clock import SystemClock
from rollout.adapters.endpoints.azureml.endpoint import AzureEndpoint
from rollout.adapters.metrics.prometheus.endpoint import unmeasured
from rollout.domain.plan import PROMETHEUS
from tests.acceptance.azureml.cloud import Cloud
from tests.acceptance.conftest import Site
from tests.acceptance.traffic import Traffic

QUICK = {  # seconds where the samples have minutes: the emulator is not behind
    "least": "5s",
    "longest": "3m",
    "delay": "1s",
}


class AzureSite(Site):
    """See ``Site``; its endpoints are in the cloud."""

    def __init__(self, folder, cloud: Cloud) -> None:
        super().__init__(folder)
        self.cloud = cloud

    def azure(self, plan: str, **changes: object) -> str:
        """A sample plan as it is for ``local``, with only its endpoint changed."""
        endpoint = {
            "provider": "azureml",
            "name": "diabetes",
            "file": "endpoint.yml",
            "subscription": "${env.AZURE_SUBSCRIPTION_ID}",
            "resource_group": "${env.AZURE_RESOURCE_GROUP}",
            "workspace": "${env.AZUREML_WORKSPACE}",
            "credential": "environment",
        }
        return self.change(plan, endpoint=endpoint, **changes)

    def endpoint(self, plan: str) -> AzureEndpoint:
        """The plan's endpoint, to be looked at."""
        value = api.read_plan(self.folder / plan, self.settings)
        own = unmeasured(value) if value.metrics.provider == PROMETHEUS else value
        return AzureEndpoint(own, clock=SystemClock(), drives=False)

    @contextmanager
    def seen(self, plan: str) -> Iterator[AzureEndpoint]:
        """The plan's endpoint while it is looked at."""
        made = self.endpoint(plan)
        try:
            yield made
        finally:
            made.close()

    def traffic(self, plan: str, rps: float) -> Traffic:
        """An independent client of the endpoint's scoring URI."""
        name = api.read_plan(self.folder / plan, self.settings).endpoint.name
        where = f"/onlineEndpoints/{name}"
        uri = self.cloud.arm("GET", where).json()["properties"]["scoringUri"]
        key = self.cloud.arm("POST", f"{where}/listKeys").json()["primaryKey"]
        bodies = (self.folder / "plans/requests.jsonl").read_bytes().splitlines()
        trust = ssl.create_default_context(cafile=self.cloud.environment["REQUESTS_CA_BUNDLE"])
        parts = urlsplit(uri)
        return Traffic(parts.port, key, bodies, rps, tls=trust, path=parts.path)

    def close(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.cloud.clear()
        for plan in dict.fromkeys(self.plans):
            with contextlib.suppress(api.PlanInvalid), self.seen(plan) as endpoint:
                endpoint.destroy()
