"""An emulator without a server: its control plane is asked directly, in virtual time."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from rollout.emulator import control
from rollout.emulator.certificates import Certificates
from rollout.emulator.records import SUCCEEDED, Deployment, Endpoint
from rollout.emulator.settings import Settings
from rollout.emulator.site import records_of, site
from rollout.emulator.wire import Asked, Reply
from tests.fakes.clock import FakeClock

BASE = "https://localhost:1"
ENDPOINT: dict[str, Any] = {
    "location": "eastus2",
    "identity": {"type": "SystemAssigned"},
    "tags": {"owner": "rollout"},
    "properties": {"authMode": "Key", "properties": {}, "traffic": {}, "mirrorTraffic": {}},
}


class Bench:
    def __init__(self, folder: Path, **settings: Any) -> None:
        self.clock = FakeClock()
        self.settings = Settings(state=folder / "state", **settings)
        self.folder = folder
        files = [folder / name for name in ("ca.pem", "server.pem", "server.key")]
        self.site = site(
            self.settings, self.clock, records_of(self.settings), Certificates(*files), BASE
        )

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        audience: str = BASE,
    ) -> Reply:
        """A call with a good token, unless ``headers`` say otherwise."""
        plain, _, query = path.partition("?")
        token = self.site.tokens.issue(audience, self.clock.now())
        asked = Asked(
            "unknown",
            method,
            plain,
            query={key.lower(): value for key, value in parse_qsl(query)},
            headers={"authorization": f"Bearer {token}"} if headers is None else headers,
            body=b"" if body is None else json.dumps(body).encode(),
        )
        return asyncio.run(control.answer(self.site, asked))[1]

    def arm(self, method: str, path: str, body: object = None) -> Reply:
        """A call on something in the workspace."""
        return self.ask(method, f"{self.settings.workspace_id}{path}", body)

    def given(self, **properties: Any) -> Endpoint:
        """An endpoint ``shop`` with blue and green, as if it had been made long ago."""
        now = self.clock.now()
        body = {**ENDPOINT, "properties": {**ENDPOINT["properties"], **properties}}
        deployments = {
            name: Deployment(name, self.deployment(), SUCCEEDED, "od:1", now, now)
            for name in ("blue", "green")
        }
        found = Endpoint(
            "shop", body, SUCCEEDED, "oe:1", ("key1", "key2"), now, now,
            ready=True, traffic={"blue": 100}, deployments=deployments,
        )  # fmt: skip
        self.site.records.keep_endpoint(found)
        return found

    def deployment(self, instances: int = 1, **properties: Any) -> dict[str, Any]:
        workspace = self.settings.workspace_id
        given = {
            "endpointComputeType": "Managed",
            "instanceType": "Standard_DS3_v2",
            "codeConfiguration": {
                "codeId": f"{workspace}/codes/score/versions/1",
                "scoringScript": "score.py",
            },
            **properties,
        }
        sku = {"name": "Default", "capacity": instances}
        return {"location": "eastus2", "tags": {}, "sku": sku, "properties": given}


def code(reply: Reply) -> str:
    """The error's code; empty: it is none."""
    return reply.body["error"]["code"] if reply.status >= 400 else ""
