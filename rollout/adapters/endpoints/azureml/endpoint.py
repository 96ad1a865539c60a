"""The port ``Endpoint`` over Azure ML: nothing of Azure is imported before it is needed."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_never

from rollout.adapters.endpoints.azureml import entities, inputs, measuring, preserved, seeing
from rollout.adapters.endpoints.azureml.access import Access
from rollout.adapters.endpoints.azureml.entities import Stamp
from rollout.domain.endpoint import (
    Condition,
    CreateEndpoint,
    DeleteDeployment,
    Effect,
    PutDeployment,
    ScaleDeployment,
    Seen,
    SetSplit,
)
from rollout.domain.errors import EndpointAway, EndpointError, EndpointRefused, RolloutError
from rollout.domain.measure import Arm
from rollout.domain.plan import Plan
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.run import Split
from rollout.planfile import azure_yaml
from rollout.planfile.deployment_file import overridden
from rollout.ports.clock import Clock
from rollout.ports.doctor import Sign
from rollout.ports.endpoint import Answer, Finding, Hold, Load, Reading, unfenced

CALL_SECONDS = 15.0  # of a request that changes something; see ``wire.CHANGE_SECONDS``
_FAILED = "Azure's last operation on the endpoint failed: "
_DESTROY_SECONDS = 1800.0  # Azure's own limit of a long operation, PT30M


def build(plan: Plan, *, home: Path, clock: Clock, start: bool = True) -> AzureEndpoint:
    """The endpoint that ``plan`` is about; nothing is asked or written yet.

    Args:
        plan: The checked plan.
        home: Of local endpoints; there is nothing local about this one.
        clock: Time.
        start: Whoever drives a run: it believes a changed split only once it was read twice.
    """
    del home
    return AzureEndpoint(plan, clock=clock, drives=start)


class AzureEndpoint:
    """One online endpoint in Azure, bound to one plan."""

    call_seconds = CALL_SECONDS
    pace = 2.0  # seconds; a look is three reads of the 25 a second that Azure grants

    def __init__(self, plan: Plan, *, clock: Clock, drives: bool = True) -> None:
        self._plan = plan
        self._clock = clock
        self._drives = drives
        self._access = Access(plan, clock)
        self.lag = measuring.lag(self._access.meter)
        self.measure_pace = measuring.pace(self._access.meter)
        self._confirmed = seeing.Confirmed()
        self._before: Mapping[str, Any] | None = None
        self._trouble = ""
        self._quiet_until = 0.0
        self._errors: dict[str, str] = {}
        self._digests: dict[tuple[object, ...], str] = {}

    @property
    def key(self) -> str:
        """See ``Endpoint.key``."""
        return f"azureml{self._access.place.endpoint_id}".lower()

    def digest(self, role: str) -> str:
        """See ``Endpoint.digest``; of a deployment without a file, only its name is known."""
        ref = self._plan.deployment(role)
        if ref.file is None:
            return inputs.digest_of({"deployment": ref.name}, Path())
        data = overridden(azure_yaml.read(ref.file).data, ref.overrides)
        folder = Path(ref.file).parent
        signature = inputs.signature_of(data, folder)
        if signature not in self._digests:
            self._digests[signature] = inputs.digest_of(data, folder)
        return self._digests[signature]

    def observe(self) -> Seen:
        """See ``Endpoint.observe``."""
        seen, sure = self._look()
        if not sure:  # a read may be stale, and much would follow from it; a tick looks only once
            self._clock.sleep(seeing.CONFIRM_SECONDS)
            seen, _ = self._look()
        return seen

    def _look(self) -> tuple[Seen, bool]:
        """What one read says, and whether there is no need to ask again at once."""
        found = self._access.client.endpoint()
        if found is None:
            return Seen(exists=False), not self._drives
        deployments = self._access.client.deployments()
        state = seeing.condition(found.provisioning_state)
        moving = state in (Condition.CREATING, Condition.UPDATING, Condition.DELETING)
        split = seeing.split(found)
        now = self._clock.monotonic()
        believed = not self._drives or self._confirmed.hears(split, now, moving=moving)
        if state is Condition.FAILED:
            self._confirmed.forget()
        if not moving and believed:
            self._compare_after(state, found)
        seen = Seen(
            exists=True,
            busy=moving or not believed or now < self._quiet_until,
            deployments={str(each.name): self._seen(each) for each in deployments},
            traffic=split.traffic,
            mirror=split.mirror,
            trouble=self._trouble,
            head=entities.tagged(found, entities.HEAD_TAG) or "",
        )
        return seen, believed or moving or not self._confirmed.is_rumour

    def perform(self, effect: Effect, *, run: str, hold: Hold = unfenced, head: str = "") -> None:
        """See ``Endpoint.perform``."""
        try:
            self._perform(effect, Stamp(run, head), hold)
        except EndpointAway:
            # As long as the service asked for peace, the endpoint is busy: no attempt is wasted.
            self._quiet_until = self._clock.monotonic() + self._access.client.take_pause()
            raise

    def _perform(self, effect: Effect, stamp: Stamp, hold: Hold) -> None:
        match effect:
            case CreateEndpoint():
                self._access.writer.create(self._plan.endpoint.file, stamp, hold)
            case PutDeployment(role, name):
                self._put(role, name, stamp, hold)
            case ScaleDeployment(name, instances):
                self._access.writer.scale(name, instances, hold)
            case SetSplit(traffic, mirror):
                self._share(_without_zeros(traffic, mirror), stamp, hold)
            case DeleteDeployment(name):
                self._access.writer.delete(name, hold)
            case _:
                assert_never(effect)

    def preflight(self) -> tuple[Finding, ...]:
        """See ``Endpoint.preflight``."""
        from rollout.adapters.endpoints.azureml.preflight import preflight  # noqa: PLC0415

        return preflight(self._access.ground)

    def diagnose(self) -> tuple[Sign, ...]:
        """See ``Doctor.diagnose``."""
        from rollout.adapters.endpoints.azureml.doctor import diagnose  # noqa: PLC0415

        return diagnose(
            self._access.ground,
            cloud=self._access.cloud,
            clock=self._clock,
            service_time=self._access.client.service_time,
        )

    def probe(self, body: bytes, *, deployment: str | None, timeout: float) -> Answer:
        """See ``Endpoint.probe``."""
        return self._access.prober.send(
            self._access.uri, body, deployment=deployment, timeout=timeout
        )

    def logs(self, deployment: str, *, tail: int) -> str:
        """See ``Endpoint.logs``: of the storage initializer, then of the inference server."""
        if self._access.client.deployment(deployment) is None:
            there = (
                ", ".join(str(each.name) for each in self._access.client.deployments()) or "none"
            )
            raise EndpointRefused(
                f"There is no deployment '{deployment}' on '{self._access.place.endpoint}' "
                f"(there: {there}).",
                do=f"Name one: rollout logs NAME {self._access.file}",
            )
        return self._access.client.logs(deployment, tail=tail) if tail > 0 else ""

    def cursor(self) -> str:
        """See ``Endpoint.cursor``."""
        return self._access.source.cursor(self._clock.now())

    def read(
        self, cursor: str, *, mirrored: bool, histogram: bool, answers: bool = False
    ) -> Reading:
        """See ``Endpoint.read``; Azure keeps no answers that could be read."""
        del answers
        return self._access.source.read(
            cursor,
            moment=self._clock.now(),
            names={BASELINE: self._plan.baseline.name, CANDIDATE: self._plan.candidate.name},
            mirrored=mirrored,
            histogram=histogram,
        )

    def history(self, *, seconds: float, batch: float) -> tuple[Arm, ...]:
        """See ``Endpoint.history``."""
        return self._access.source.history(
            moment=self._clock.now(),
            deployment=self._plan.baseline.name,
            seconds=seconds,
            batch=batch,
        )

    def load(self, rps: float, bodies: tuple[bytes, ...]) -> Load:
        """See ``Endpoint.load``."""
        from rollout.adapters.endpoints.azureml.trust import context  # noqa: PLC0415 - as needed
        from rollout.adapters.load.openloop import OpenLoopLoad  # noqa: PLC0415 - as needed

        return OpenLoopLoad(
            lambda: (self._access.uri, self._access.prober.key()),
            rps=rps,
            bodies=bodies,
            tls=context(),
        )

    def destroy(self) -> None:
        """See ``Endpoint.destroy``; waits until Azure has removed it."""
        until = self._clock.monotonic() + _DESTROY_SECONDS
        while self._clock.monotonic() < until:
            found = self._access.client.endpoint()
            if found is None:
                self._confirmed, self._before, self._trouble = seeing.Confirmed(), None, ""
                return
            if seeing.condition(found.provisioning_state) is not Condition.DELETING:
                with contextlib.suppress(EndpointAway):  # an operation in progress ends first
                    self._access.client.delete_endpoint(unfenced)
            self._clock.sleep(self.pace / 4)
        raise EndpointAway(
            f"Azure still deletes the endpoint '{self._access.place.endpoint}'.",
            do=f"Look again later: rollout plan {self._access.file}",
        )

    def close(self) -> None:
        """See ``Endpoint.close``."""
        self._access.close()

    # --- reading ---

    def _seen(self, entity: Any) -> Any:
        error = ""
        if seeing.condition(entity.provisioning_state) is Condition.FAILED:
            error = self._error_of(entity) or f"Azure says {entity.provisioning_state}."
        return seeing.deployment(entity, error)

    def _error_of(self, entity: Any) -> str:
        """What the last operation of a resource says went wrong; it is asked once."""
        from rollout.adapters.endpoints.azureml.failures import operation_error  # noqa: PLC0415

        address = str((entity.properties or {}).get(seeing.OPERATION) or "")
        if not address:
            return ""
        if address not in self._errors:
            try:
                self._errors[address] = operation_error(self._access.client.operation(address))
            except EndpointError as error:
                return f"(why cannot be read: {error})"
        return self._errors[address]

    def _compare_after(self, state: Condition, found: Any) -> None:
        """What the last write did beside what it was asked, said until the next write."""
        if state is Condition.FAILED:
            self._trouble = f"{_FAILED}{self._error_of(found)}"
            return
        if self._trouble.startswith(_FAILED):
            self._trouble = ""
        if self._before is not None:
            after = self._access.client.answer(self._access.place.endpoint_id)
            lost = preserved.endpoint_changes(self._before, after, split=False)
            self._trouble = f"With the last write changed: {'; '.join(lost)}." if lost else ""
            self._before = None

    # --- writing ---

    def _put(self, role: str, name: str, stamp: Stamp, hold: Hold) -> None:
        ref = self._plan.deployment(role)
        file = ref.file
        if file is None:
            raise EndpointRefused(
                f"The plan has no file for {role} '{ref.name}'.",
                do=f"Add {role}.file, Azure ML's own deployment YAML.",
            )
        self._access.writer.put(
            name,
            lambda: entities.load_deployment(
                self._access.place.endpoint, name, file, ref.overrides
            ),
            stamp,
            self.digest(role),
            hold,
        )

    def _share(self, goal: Split, stamp: Stamp, hold: Hold) -> None:
        def leaves(before: Mapping[str, Any]) -> None:
            self._before, self._trouble = before, ""
            self._confirmed.write(goal, self._clock.monotonic())

        from rollout.adapters.endpoints.azureml.failures import LostReply  # noqa: PLC0415 - heavy

        try:
            self._access.writer.share(goal, stamp, hold, leaves)
        except LostReply:
            raise  # it may have been carried out
        except RolloutError:
            self._before = None
            self._confirmed.forget()
            raise


def _without_zeros(traffic: Mapping[str, int], mirror: Mapping[str, int]) -> Split:
    return Split(
        {name: part for name, part in traffic.items() if part},
        {name: part for name, part in mirror.items() if part},
    )
