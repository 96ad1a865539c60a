"""An endpoint as it is seen, and the orders that can be given to one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Condition(Enum):
    """The provisioning state of a deployment, provider independent."""

    CREATING = "creating"
    UPDATING = "updating"
    DELETING = "deleting"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DeploymentSeen:
    """A deployment as the endpoint reports it.

    Args:
        condition: Where its provisioning stands.
        instances: How many it shall have.
        ready: How many answer.
        run: The run that created or last changed it (our tag); None: not ours.
        digest: SHA-256 over its specification and inputs as tagged by us; None: unknown.
        error: What the provider says of a failure.
        removable: It can be deleted although its provisioning goes on, so nobody need wait for that.
    """

    condition: Condition
    instances: int = 1
    ready: int = 0
    run: str | None = None
    digest: str | None = None
    error: str = ""
    removable: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """An endpoint as read back, never as asked for.

    Args:
        exists: Whether the endpoint itself is there.
        busy: An operation on the endpoint or its split is in progress.
        deployments: By name.
        traffic: Deployment -> percent of live requests; zeros left out.
        mirror: Deployment -> percent of live requests copied; zeros left out.
        trouble: What the provider says went wrong with the last operation on the endpoint itself.
        head: The digest of the journal's entry that ordered the last change of the endpoint, as it
            was written there with the change; empty: none is known.
    """

    exists: bool
    busy: bool = False
    deployments: Mapping[str, DeploymentSeen] = field(default_factory=dict)
    traffic: Mapping[str, int] = field(default_factory=dict)
    mirror: Mapping[str, int] = field(default_factory=dict)
    trouble: str = ""
    head: str = ""


@dataclass(frozen=True, slots=True)
class CreateEndpoint:
    """Create the endpoint itself from the plan's endpoint file."""


@dataclass(frozen=True, slots=True)
class PutDeployment:
    """Create the deployment that plays ``role``, or bring it to the plan's specification."""

    role: str
    name: str


@dataclass(frozen=True, slots=True)
class ScaleDeployment:
    """Give a deployment this many instances."""

    name: str
    instances: int


@dataclass(frozen=True, slots=True)
class SetSplit:
    """Write live split and mirror, both absolute, in one write."""

    traffic: Mapping[str, int]
    mirror: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeleteDeployment:
    """Delete a deployment; absent already is success."""

    name: str


Effect = CreateEndpoint | PutDeployment | ScaleDeployment | SetSplit | DeleteDeployment
