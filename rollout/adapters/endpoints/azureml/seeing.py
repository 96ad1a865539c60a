"""What Azure reports, as the domain sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rollout.adapters.endpoints.azureml.entities import DIGEST_TAG, RUN_TAG, tagged
from rollout.domain.endpoint import Condition, DeploymentSeen
from rollout.domain.run import Split

if TYPE_CHECKING:
    from azure.ai.ml.entities import OnlineDeployment

OPERATION = "AzureAsyncOperationUri"

_CONDITIONS: Mapping[str, Condition] = {
    "creating": Condition.CREATING,
    "updating": Condition.UPDATING,
    "scaling": Condition.UPDATING,
    "deleting": Condition.DELETING,
    "succeeded": Condition.READY,
    "failed": Condition.FAILED,
    "canceled": Condition.FAILED,
}
MOVING = ("creating", "updating", "scaling", "deleting")
CONFIRM_SECONDS = 1.0  # between the two reads that must agree
WRITTEN_SECONDS = 60.0  # how long a write may take to read back once its operation has ended


def condition(state: str | None) -> Condition:
    """A provisioning state; one that nobody knows yet is taken for work that goes on."""
    return _CONDITIONS.get((state or "").lower(), Condition.UPDATING)


def deployment(entity: OnlineDeployment, error: str) -> DeploymentSeen:
    """One deployment; Azure says nothing of single instances, so all of a ready one are ready."""
    found = condition(entity.provisioning_state)
    instances = int(entity.instance_count or 1)
    return DeploymentSeen(
        condition=found,
        instances=instances,
        ready=instances if found is Condition.READY else 0,
        run=tagged(entity, RUN_TAG),
        digest=tagged(entity, DIGEST_TAG),
        error=error,
    )


def split(entity: Any) -> Split:
    """The shares of an endpoint, zeros left out."""
    return Split(
        {name: int(part) for name, part in (entity.traffic or {}).items() if part},
        {
            name: int(part)
            for name, part in (getattr(entity, "mirror_traffic", None) or {}).items()
            if part
        },
    )


@dataclass(slots=True)
class Confirmed:
    """A split is believed once two reads in a row say so: reads of Azure may be stale.

    Args:
        believed: What both said; None: nothing yet.
    """

    believed: Split | None = None
    _rumour: Split | None = field(default=None, init=False)
    _since: float = field(default=0.0, init=False)
    _written: Split | None = field(default=None, init=False)
    _until: float = field(default=0.0, init=False)

    @property
    def is_rumour(self) -> bool:
        """Whether what was heard last is not believed for nothing but that it was heard only once."""
        return self._rumour is not None

    def write(self, goal: Split, now: float) -> None:
        """This was written; until it reads back, another split is a stale read."""
        self._written, self._until = goal, now + WRITTEN_SECONDS
        self._rumour = None

    def forget(self) -> None:
        """What was written has failed, so nobody waits for it to read back."""
        self._written = None

    def hears(self, found: Split, now: float, *, moving: bool = False) -> bool:
        """Whether ``found`` may be believed.

        Args:
            found: As it was read.
            now: When, monotonic seconds.
            moving: An operation goes on; what was written need not read back before it ends.
        """
        if moving:
            self._until = now + WRITTEN_SECONDS
        if self._written is not None and found != self._written and now < self._until:
            self._rumour = None
            return False
        if found == self.believed and self._written is None:
            self._rumour = None
            return True
        if found != self._rumour:
            self._rumour, self._since = found, now
            return False
        if now - self._since < CONFIRM_SECONDS - 1e-6:  # of floats
            return False
        self.believed, self._rumour, self._written = found, None, None
        return True
