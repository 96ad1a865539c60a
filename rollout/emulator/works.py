"""What long operations do to the local endpoints, and what is remembered afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from rollout.domain.endpoint import Condition
from rollout.domain.errors import EndpointAway, EndpointRefused
from rollout.emulator.building import Building
from rollout.emulator.documents import stamp
from rollout.emulator.engines import Engines
from rollout.emulator.records import DELETING, FAILED, SUCCEEDED, Endpoint, Operation, Records
from rollout.emulator.rules import wanted_split
from rollout.emulator.traffic import TrafficLogs
from rollout.emulator.wire import Refusal, mapping
from rollout.ports.clock import Clock

Found = TypeVar("Found")

_PACE_SECONDS = 0.1
_AWAY_PAUSE_SECONDS = 0.5
_AWAY_SECONDS = 120.0


class Failure(Exception):
    """An operation that ends as failed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Works:
    """The deeds of long operations. Each can be done again after a kill at any point of it.

    Args:
        records: What is remembered.
        engines: What really serves.
        building: From a deployment's body to what runs.
        traffic: What was asked of each endpoint.
        clock: Time.
        logs: Folder of what the storage initializers say.
    """

    def __init__(
        self,
        records: Records,
        engines: Engines,
        building: Building,
        traffic: TrafficLogs,
        clock: Clock,
        logs: Path,
    ) -> None:
        self._records = records
        self._engines = engines
        self._building = building
        self._traffic = traffic
        self._clock = clock
        self._logs = logs

    def log(self, endpoint: str, deployment: str) -> Path:
        """What the storage initializer of a deployment said."""
        return self._logs / endpoint / f"{deployment}.log"

    async def do(self, operation: Operation) -> None:
        """Carry an operation out to its end.

        Raises:
            Failure: it failed.
        """
        try:
            match operation.kind:
                case "endpoint.put":
                    await self._put_endpoint(operation)
                case "endpoint.delete":
                    await self._patiently(lambda: self._engines.destroy(operation.endpoint))
                case "deployment.put":
                    await self._put_deployment(operation)
                case _:
                    await self._delete_deployment(operation)
        except EndpointRefused as error:
            raise Failure("UserError", error.what) from error
        except Refusal as error:
            raise Failure(error.code, error.message) from error

    def succeeded(self, operation: Operation) -> None:
        """Remember what came of it."""
        endpoint = self._records.endpoints.get(operation.endpoint)
        if endpoint is None:
            return
        if operation.kind == "endpoint.delete":
            self._records.drop_endpoint(endpoint.name)
            self._traffic.forget(endpoint.name)
        elif operation.kind == "deployment.delete":
            self._records.keep_endpoint(endpoint.without(operation.deployment))
        elif operation.kind == "deployment.put":
            self._conclude(endpoint, operation, SUCCEEDED)

    def failed(self, operation: Operation) -> None:
        """Remember that nothing came of it."""
        endpoint = self._records.endpoints.get(operation.endpoint)
        if endpoint is None:
            return
        if operation.deployment:
            self._conclude(endpoint, operation, FAILED)
        else:
            self._records.keep_endpoint(replace(endpoint, state=FAILED))

    def _conclude(self, endpoint: Endpoint, operation: Operation, state: str) -> None:
        deployment = endpoint.deployments.get(operation.deployment)
        if deployment is not None and endpoint.state != DELETING:
            self._records.keep_endpoint(endpoint.with_deployment(replace(deployment, state=state)))

    async def _put_endpoint(self, operation: Operation) -> None:
        name = operation.endpoint
        before = self._records.endpoints[name]
        mode = str(mapping(before.body["properties"]).get("authMode")).lower()
        await self._patiently(lambda: self._engines.create(name, mode))
        traffic, mirror = wanted_split(before.body)
        if (traffic, mirror) != (before.traffic, before.mirror):
            await self._patiently(lambda: self._engines.split(name, traffic, mirror))
        now = self._clock.now()
        found = self._records.endpoints[name]  # its deployments may have changed meanwhile
        after = replace(found, state=SUCCEEDED, ready=True, modified_at=now)
        if (traffic, mirror) != (found.traffic, found.mirror):
            split = {"traffic": traffic, "mirror": mirror}
            after = replace(after, **split, before=(found.traffic, found.mirror), split_at=now)  # type: ignore[arg-type]
        self._records.keep_endpoint(after)

    async def _put_deployment(self, operation: Operation) -> None:
        name, deployment = operation.endpoint, operation.deployment
        self._see_wanted(operation)
        body = self._records.endpoints[name].deployments[deployment].body
        wanted, said = await self._patiently(lambda: self._building.specification(body))
        self._say(name, deployment, said)
        await self._patiently(lambda: self._engines.put(name, deployment, wanted, run=operation.id))
        while True:
            self._see_wanted(operation)
            conditions = await self._patiently(lambda: self._engines.conditions(name))
            condition, error = conditions.get(deployment, (Condition.CREATING, ""))
            if condition is Condition.FAILED:
                told = "User container has crashed or terminated"
                raise Failure("ResourceNotReady", f"{told}: {error}")
            if condition is Condition.READY:
                return
            await asyncio.sleep(_PACE_SECONDS)

    def _see_wanted(self, operation: Operation) -> None:
        """See that nobody deletes the endpoint meanwhile.

        Raises:
            Failure: somebody does.
        """
        endpoint = self._records.endpoints.get(operation.endpoint)
        if endpoint is None or endpoint.state == DELETING:
            raise Failure("OperationCanceled", f"Endpoint {operation.endpoint} is being deleted.")

    async def _delete_deployment(self, operation: Operation) -> None:
        name, deployment = operation.endpoint, operation.deployment
        await self._patiently(lambda: self._engines.delete(name, deployment))
        while deployment in await self._patiently(lambda: self._engines.conditions(name)):
            await asyncio.sleep(_PACE_SECONDS)

    async def _patiently(self, deed: Callable[[], Found]) -> Found:
        """A deed in a thread; it is tried again while the engine is away.

        Raises:
            Failure: it stays away.
        """
        until = self._clock.monotonic() + _AWAY_SECONDS
        while True:
            try:
                return await asyncio.to_thread(deed)
            except EndpointAway as error:
                if self._clock.monotonic() > until:
                    raise Failure("InternalServerError", error.what) from error
                await asyncio.sleep(_AWAY_PAUSE_SECONDS)

    def _say(self, endpoint: str, deployment: str, said: list[str]) -> None:
        path = self.log(endpoint, deployment)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("a", encoding="utf-8") as file:
            file.writelines(f"{stamp(self._clock.now())} {line}\n" for line in said)
