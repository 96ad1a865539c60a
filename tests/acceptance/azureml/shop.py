"""A workspace with an endpoint ``shop``, seen through the real SDK, and the SDK itself."""

from __future__ import annotations

import importlib
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.acceptance.azureml.cloud import Cloud


class _Sdk:
    """Azure's classes by their names; imported when the first one is used, as that takes seconds."""

    _HOMES = (
        "azure.ai.ml",
        "azure.ai.ml.entities",
        "azure.core.exceptions",
        "azure.identity",
        "azure.monitor.query",
        "azure.monitor.querymetrics",
    )

    def __getattr__(self, name: str) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the libraries that the SDK imports
            for home in map(importlib.import_module, self._HOMES):
                if hasattr(home, name):
                    return getattr(home, name)
        raise AttributeError(name)


sdk = _Sdk()


@dataclass
class Shop:
    """A workspace with an endpoint ``shop``: blue serves, green is there."""

    cloud: Cloud
    ml: object
    name: str = "shop"
    _key: str = ""

    def deployment(self, name: str, **changes: object):

        code = f"{self.cloud.workspace_id}/codes/score/versions/1"
        changes.setdefault("environment_variables", {"COLOR": name})
        changes.setdefault("instance_count", 1)
        return sdk.ManagedOnlineDeployment(
            name=name,
            endpoint_name=self.name,
            model="azureml:weights:1",
            environment="azureml:env:1",
            code_configuration=sdk.CodeConfiguration(code=code, scoring_script="score.py"),
            instance_type="Standard_DS3_v2",
            **changes,
        )

    def put(self, deployment):
        return self.ml.online_deployments.begin_create_or_update(deployment).result()

    def split(self, traffic: dict, mirror: dict | None = None, **changes: object):
        endpoint = self.ml.online_endpoints.get(self.name)
        endpoint.traffic, endpoint.mirror_traffic = traffic, mirror or {}
        for name, value in changes.items():
            setattr(endpoint, name, value)
        return self.ml.online_endpoints.begin_create_or_update(endpoint).result()

    def score(self, body: object = None, deployment: str = "", client=None, **headers: str):
        endpoint = f"{self.cloud.base}/endpoints/{self.name}/score"
        headers.setdefault("Authorization", f"Bearer {self.key}")
        if deployment:
            headers["azureml-model-deployment"] = deployment
        client = client or self.cloud.plain()
        return client.post(endpoint, json=body or {}, headers=headers)

    @property
    def key(self) -> str:
        """The primary key; it stays, whatever the endpoint takes at the moment."""
        if not self._key:
            self._key = self.ml.online_endpoints.get_keys(self.name).primary_key
        return self._key

    def answers(self, count: int) -> Counter:
        client, key = self.cloud.plain(), self.key
        made = [
            self.score(client=client, Authorization=f"Bearer {key}").json()[0] for _ in range(count)
        ]
        return Counter(made)


def client(cloud: Cloud):

    return sdk.MLClient(
        sdk.EnvironmentCredential(disable_instance_discovery=True),
        cloud.subscription,
        cloud.environment["AZURE_RESOURCE_GROUP"],
        cloud.environment["AZUREML_WORKSPACE"],
        enable_telemetry=False,
        show_progress=False,
        polling_interval=0.1,
    )
