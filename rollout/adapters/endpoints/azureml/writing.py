"""Orders to Azure: get, change, compare, put. Nothing is written that was not looked at before.

Azure knows no condition on a write (no ETag), replaces whole resources, and refuses a second
write while one goes on. So each order reads first, gives up where the answer would be no, sends
nothing where nothing would change, and is compared on the wire with what was there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rollout.adapters.endpoints.azureml import entities, preserved, seeing
from rollout.adapters.endpoints.azureml.client import Client
from rollout.adapters.endpoints.azureml.entities import Stamp
from rollout.adapters.endpoints.azureml.limits import Limits
from rollout.adapters.endpoints.azureml.place import Place
from rollout.domain.endpoint import Condition
from rollout.domain.errors import EndpointAway, EndpointRefused
from rollout.domain.run import Split
from rollout.ports.endpoint import Hold

if TYPE_CHECKING:
    from azure.ai.ml.entities import OnlineDeployment

Json = Mapping[str, Any]

WHOLE = 100  # percent


def _nobody(before: Json) -> None:
    """Nobody wants to know."""


class Writer:
    """Gives orders about one endpoint.

    Args:
        client: Azure's SDK.
        place: The endpoint.
        limits: Azure's limits.
        plan: The plan's file as a command has it, for messages.
    """

    def __init__(self, client: Client, place: Place, limits: Limits, plan: str) -> None:
        self._client = client
        self._place = place
        self._limits = limits
        self._plan = plan

    def create(self, file: str | None, stamp: Stamp, hold: Hold) -> None:
        """Create the endpoint; there already: nothing to do."""
        found = self._client.endpoint()
        if found is not None and (
            found.provisioning_state != "Failed" or self._client.deployments()
        ):
            return
        if found is None and self._client.is_listed():
            raise EndpointAway(
                f"Azure lists the endpoint '{self._place.endpoint}' and does not find it.",
                do="It is looked at again.",
            )
        entity = entities.load_endpoint(self._place.endpoint, file, stamp)
        self._client.put_endpoint(entity, hold)

    def put(
        self, name: str, load: Callable[[], OnlineDeployment], stamp: Stamp, digest: str, hold: Hold
    ) -> None:
        """Create a deployment, or bring it to what ``load`` gives."""
        self._present()
        found = self._client.deployment(name)
        if found is not None and self._is_put(found, stamp.run, digest):
            return
        entity = load()
        if found is not None:
            self._same_type(found, entity)
            entity.tags = {**(found.tags or {}), **(entity.tags or {})}  # a write replaces them
        entities.mark(entity, stamp, digest)
        self._client.put_deployment(entity, hold)

    def scale(self, name: str, instances: int, hold: Hold) -> None:
        """Give a deployment this many instances, and change nothing else of it."""
        found = self._client.deployment(name)
        if found is None:
            raise self._no_deployment(name)
        state = seeing.condition(found.provisioning_state)
        _settled(f"The deployment {name}", state)
        if found.instance_count == instances and state is Condition.READY:
            return
        before = self._client.answer(self._place.deployment_id(name))
        entities.clean(found)
        found.instance_count = instances
        self._client.put_deployment(
            found,
            hold,
            lambda body: _scaled(name, before, body),
        )

    def share(
        self, goal: Split, stamp: Stamp, hold: Hold, leaves: Callable[[Json], None] = _nobody
    ) -> None:
        """Write live split and mirror together; has it that split already, nothing is written.

        Args:
            goal: Both, absolute.
            stamp: Written with them.
            hold: Asked last.
            leaves: Told the endpoint as it was, right before the write leaves.
        """
        endpoint = self._present()
        _settled("The endpoint", seeing.condition(endpoint.provisioning_state))
        self._possible(goal, kubernetes=entities.is_kubernetes(endpoint))
        if seeing.split(endpoint) == goal and endpoint.provisioning_state == "Succeeded":
            return
        self._serving(goal, seeing.split(endpoint))
        before = self._client.answer(self._place.endpoint_id)
        entities.clean(endpoint)
        entities.share(endpoint, goal.traffic, goal.mirror, stamp)

        def last(body: Json) -> Json:
            leaves(before)
            return body

        self._client.put_endpoint(endpoint, hold, goal, last)

    def delete(self, name: str, hold: Hold) -> None:
        """Delete a deployment without traffic; absent already is success."""
        endpoint = self._client.endpoint()
        found = None if endpoint is None else self._client.deployment(name)
        if found is None or seeing.condition(found.provisioning_state) is Condition.DELETING:
            return
        split = seeing.split(endpoint)
        if name in split.traffic or name in split.mirror:
            raise EndpointRefused(
                f"{name} still has traffic ({split}), so it is not deleted.",
                do="Give its share to another deployment first.",
            )
        self._client.delete_deployment(name, hold)

    def _present(self) -> Any:
        found = self._client.endpoint()
        if found is None:
            raise EndpointRefused(
                f"The endpoint '{self._place.endpoint}' does not exist in "
                f"{self._place.resource_group}/{self._place.workspace}.",
                do=f"Create it: give the plan a baseline.file, then rollout apply {self._plan}",
            )
        return found

    def _is_put(self, found: OnlineDeployment, run: str, digest: str) -> bool:
        """Whether the deployment is already what shall be; one that moves is not to be disturbed."""
        state = seeing.condition(found.provisioning_state)
        _settled(f"The deployment {found.name}", state)
        tags = entities.tagged(found, entities.RUN_TAG), entities.tagged(found, entities.DIGEST_TAG)
        return state is Condition.READY and tags == (run, digest)

    def _same_type(self, found: OnlineDeployment, entity: OnlineDeployment) -> None:
        """Azure silently keeps the old machines where a write names others."""
        old, new = (getattr(each, "instance_type", None) for each in (found, entity))
        if old and new and str(old).lower() != str(new).lower():
            raise EndpointRefused(
                f"The deployment {found.name} runs on {old}, and its file says {new}; the instance "
                "type of a deployment cannot be changed.",
                do="Delete the deployment, or give the new one another name in the plan.",
            )

    def _possible(self, goal: Split, *, kubernetes: bool) -> None:
        """Azure's rules for shares, which its SDK does not check."""
        live, mirror = goal.traffic, goal.mirror
        do = "Correct the shares."
        if sum(live.values()) not in (0, WHOLE) or any(part < 0 for part in live.values()):
            raise EndpointRefused(f"Live shares must sum to 100 (or 0), not {goal}.", do=do)
        if mirror and kubernetes:
            raise EndpointRefused(
                "A Kubernetes online endpoint mirrors nothing.", do="Remove the mirror stages."
            )
        most = self._limits.mirror_most
        if len(mirror) > 1 or any(not 0 < part <= most for part in mirror.values()):
            raise EndpointRefused(
                f"Azure mirrors to one deployment, at most {most} %; asked for {goal}.", do=do
            )
        if both := sorted({*live} & {*mirror}):
            raise EndpointRefused(f"{both[0]} cannot have live and mirrored traffic.", do=do)

    def _serving(self, goal: Split, before: Split) -> None:
        """Nobody gets traffic who is not there, or is given some for the first time unready.

        Whoever serves already goes on serving, also while it is scaled or where that has failed:
        a rollback must never wait for it.
        """
        found = {each.name: each for each in self._client.deployments()}
        for name in (*goal.traffic, *goal.mirror):
            if name not in found:
                raise self._no_deployment(name)
            if name in before.traffic:
                continue
            state = seeing.condition(found[name].provisioning_state)
            if state is Condition.FAILED:
                raise EndpointRefused(
                    f"The deployment {name} has failed, so it gets no traffic.",
                    do=f"Read its logs: rollout logs {name} {self._plan}",
                )
            _settled(f"The deployment {name}", state)

    def _no_deployment(self, name: str) -> EndpointRefused:
        return EndpointRefused(
            f"There is no deployment '{name}' on '{self._place.endpoint}'.",
            do=f"Look at what is there: rollout plan {self._plan}",
        )


def _settled(what: str, state: Condition) -> None:
    if state in (Condition.CREATING, Condition.UPDATING, Condition.DELETING):
        raise EndpointAway(
            f"{what} has an operation in progress ({state.value}).", do="It is waited for."
        )


def _scaled(name: str, before: Json, body: Json) -> Json:
    """The write that only scales, with everything else as the service had it."""
    made = preserved.restored_deployment(before, body)
    preserved.refuse(name, preserved.deployment_changes(before, made))
    return made
