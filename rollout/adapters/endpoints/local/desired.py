"""What an endpoint shall be, and which orders may change that; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from rollout.adapters.endpoints.local.specification import MOST_INSTANCES, Specification
from rollout.domain.errors import EndpointAway, EndpointRefused

FORMAT = 1
PLAN = "PLAN"  # stands for a plan's file in a command; whoever knows the file puts it in
_NAME = re.compile(r"[a-zA-Z]([-a-zA-Z0-9]{0,30}[a-zA-Z0-9])?")
_ALL = 100
_MOST_MIRRORED = 50

Split = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A deployment as it shall be.

    Args:
        digest: Of the specification and its files.
        run: The run that created or last changed it.
        revision: Counts the specifications this name has had.
        deleting: It shall go.
    """

    specification: Specification
    digest: str
    run: str
    instances: int
    revision: int = 1
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class Desired:
    """An endpoint as it shall be.

    Args:
        name: The endpoint's name.
        identity: Random; marks the processes of just this endpoint.
        port: Where it is reached, on the loopback only.
        auth_mode: As in the endpoint's file.
        traffic: Deployment -> percent, no zeros.
        mirror: Deployment -> percent, no zeros.
        head: The entry of the orderer's journal that led to this; empty: it did not say.
    """

    name: str
    identity: str
    port: int
    auth_mode: str = "key"
    traffic: Split = field(default_factory=dict)
    mirror: Split = field(default_factory=dict)
    deployments: Mapping[str, Wanted] = field(default_factory=dict)
    head: str = ""

    def to_json(self) -> dict[str, object]:
        """All of it as plain data."""
        deployments = {
            name: {
                "specification": one.specification.to_json(),
                "digest": one.digest,
                "run": one.run,
                "instances": one.instances,
                "revision": one.revision,
                "deleting": one.deleting,
            }
            for name, one in self.deployments.items()
        }
        return {
            "format": FORMAT,
            "name": self.name,
            "identity": self.identity,
            "port": self.port,
            "auth_mode": self.auth_mode,
            "traffic": dict(self.traffic),
            "mirror": dict(self.mirror),
            "deployments": deployments,
            "head": self.head,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Desired:
        """The inverse of ``to_json``.

        Raises:
            EndpointRefused: it was written by a newer rollout.
        """
        if data.get("format") != FORMAT:
            raise EndpointRefused(
                f"This endpoint's folder has format {data.get('format')}; I know {FORMAT}.",
                do="Use the rollout that made it, or remove the endpoint with that one.",
            )
        deployments = cast(Mapping[str, Mapping[str, object]], data["deployments"])
        return cls(
            name=str(data["name"]),
            identity=str(data["identity"]),
            port=cast(int, data["port"]),
            auth_mode=str(data["auth_mode"]),
            traffic=cast(Split, data["traffic"]),
            mirror=cast(Split, data["mirror"]),
            deployments={name: _wanted(one) for name, one in deployments.items()},
            head=str(data.get("head", "")),
        )

    def with_deployment(
        self, name: str, specification: Specification, *, digest: str, run: str
    ) -> Desired:
        """A deployment created or brought to ``specification``.

        The same digest replaces no server: sent again it changes nothing, and from another run it
        changes the instance count and the tag.

        Raises:
            EndpointAway: a deployment of that name is still being deleted.
            EndpointRefused: the name cannot be one.
        """
        check_name(name)
        old = self.deployments.get(name)
        if old is not None and old.deleting:
            raise EndpointAway(
                f"Deployment '{name}' is still being deleted.", do="Try again in a moment."
            )
        if old is not None and old.digest == digest:
            if old.run == run:
                return self
            return self._with(name, replace(old, run=run, instances=specification.instances))
        revision = 1 if old is None else old.revision + 1
        wanted = Wanted(specification, digest, run, specification.instances, revision)
        return self._with(name, wanted)

    def scaled(self, name: str, instances: int, *, run: str) -> Desired:
        """A deployment with another number of servers.

        Raises:
            EndpointRefused: there is no such deployment, or the number is out of range.
        """
        old = self._existing(name)
        if not 1 <= instances <= MOST_INSTANCES:
            raise EndpointRefused(
                f"Deployment '{name}' cannot have {instances} instances.",
                do=f"Give it 1 to {MOST_INSTANCES}.",
            )
        if old.instances == instances:
            return self
        return self._with(name, replace(old, instances=instances, run=run))

    def with_split(self, traffic: Split, mirror: Split, ready: frozenset[str]) -> Desired:
        """Another split and mirror, both absolute.

        Args:
            traffic: Deployment -> percent; sums to 100 or to 0.
            mirror: Deployment -> percent; at most one, at most 50, and it has no live traffic.
            ready: Deployments that may be given requests they do not have yet.

        Raises:
            EndpointRefused: the split breaks one of these rules.
        """
        traffic = {name: percent for name, percent in traffic.items() if percent != 0}
        mirror = {name: percent for name, percent in mirror.items() if percent != 0}
        self._check_traffic(traffic)
        self._check_mirror(mirror, traffic)
        for name in [*traffic, *mirror]:
            self._existing(name)
            if name not in ready and name not in self.traffic:
                raise EndpointRefused(
                    f"Deployment '{name}' is not ready and cannot be given requests.",
                    do=f"Look at its logs: rollout logs {name} {PLAN}",
                )
        return replace(self, traffic=traffic, mirror=mirror)

    def without(self, name: str) -> Desired:
        """A deployment marked for deletion; absent already changes nothing.

        Raises:
            EndpointRefused: it has live or mirrored traffic.
        """
        old = self.deployments.get(name)
        if old is None or old.deleting:
            return self
        for kind, split in (("live", self.traffic), ("mirrored", self.mirror)):
            if name in split:
                raise EndpointRefused(
                    f"Deployment '{name}' has {split[name]} % of the {kind} traffic.",
                    do="Give that to another deployment first, then delete it.",
                )
        return self._with(name, replace(old, deleting=True))

    def forgotten(self, name: str) -> Desired:
        """A deleted deployment of which nothing runs any more, taken off the list."""
        left = {one: wanted for one, wanted in self.deployments.items() if one != name}
        return replace(self, deployments=left)

    def _with(self, name: str, wanted: Wanted) -> Desired:
        return replace(self, deployments={**self.deployments, name: wanted})

    def _existing(self, name: str) -> Wanted:
        found = self.deployments.get(name)
        if found is None or found.deleting:
            there = ", ".join(sorted(self.deployments)) or "none"
            raise EndpointRefused(
                f"Endpoint '{self.name}' has no deployment '{name}'.",
                do=f"Use one that is there ({there}), or create it first.",
            )
        return found

    def _check_traffic(self, traffic: Split) -> None:
        total = sum(traffic.values())
        if total not in (0, _ALL) or any(percent < 0 for percent in traffic.values()):
            raise EndpointRefused(
                f"The live shares {_spelled(traffic)} sum to {total}.",
                do="Write whole percents that sum to 100, or to 0.",
            )

    def _check_mirror(self, mirror: Split, traffic: Split) -> None:
        do = f"Mirror to one deployment without live traffic, at most {_MOST_MIRRORED} %."
        if len(mirror) > 1:
            raise EndpointRefused(f"The mirror {_spelled(mirror)} has several targets.", do=do)
        for name, percent in mirror.items():
            if not 0 < percent <= _MOST_MIRRORED:
                raise EndpointRefused(f"A mirror of {percent} % is not possible.", do=do)
            if name in traffic:
                raise EndpointRefused(
                    f"Deployment '{name}' has {traffic[name]} % of the live traffic; "
                    "it cannot be mirrored to as well.",
                    do=do,
                )
            if not traffic:
                raise EndpointRefused("There is no live traffic that could be mirrored.", do=do)


def check_name(name: str) -> None:
    """See that a name is one that Azure ML would take; it becomes a part of paths here.

    Raises:
        EndpointRefused: it is not.
    """
    if not _NAME.fullmatch(name):
        raise EndpointRefused(
            f"{name!r} cannot be the name of an endpoint or a deployment.",
            do="Use at most 32 letters, digits and dashes, beginning with a letter.",
        )


def _wanted(data: Mapping[str, object]) -> Wanted:
    return Wanted(
        specification=Specification.from_json(cast(Mapping[str, object], data["specification"])),
        digest=str(data["digest"]),
        run=str(data["run"]),
        instances=cast(int, data["instances"]),
        revision=cast(int, data["revision"]),
        deleting=bool(data["deleting"]),
    )


def _spelled(split: Split) -> str:
    return " ".join(f"{name}={percent}" for name, percent in sorted(split.items())) or "(none)"
