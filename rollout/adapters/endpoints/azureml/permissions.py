"""Which rights a plan needs, and which of them Azure says that there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby

from rollout.adapters.endpoints.azureml.arm import Json
from rollout.ports.doctor import UNLOOKED, Sign, State

TOPIC = "permissions"
_ML = "Microsoft.MachineLearningServices/"
_WS = f"{_ML}workspaces/"
_OE = f"{_WS}onlineEndpoints/"
# Scoring with an Entra token is a management action by name, not a data action.
# Source: MicrosoftDocs/azure-ai-docs, how-to-authenticate-online-endpoint.md, 2026-01-05.
_SENDING = {"key": "listkeys/action", "aml_token": "token/action", "aad_token": "score/action"}


class Scope(Enum):
    """Where a right has to be given."""

    WORKSPACE = "the workspace"
    SUBSCRIPTION = "the subscription"


@dataclass(frozen=True, slots=True)
class Need:
    """A right that a plan needs.

    Args:
        action: As Azure's roles name it.
        purpose: What it is for; needs of a purpose stand together.
        scope: Where it has to be given.
        fatal: Without it the plan cannot be carried out. Else another check does the very thing and
            knows better, or no document names the right.
    """

    action: str
    purpose: str
    scope: Scope = Scope.WORKSPACE
    fatal: bool = True


@dataclass(frozen=True, slots=True)
class Wants:
    """What of a plan decides which rights it needs.

    Args:
        deploys: Deployments are created or scaled.
        deletes: A deployment is deleted, by a stage or after a failure.
        inline: Kinds of assets that the files bring with them: ``model``, ``code``, ``environment``.
        sends: How requests are authenticated: ``key``, ``aml_token``, ``aad_token``; empty: none is
            sent.
        reads_logs: Logs are collected after a failure.
        checks_quota: The plan's preflight looks at the quota.
        reads_metrics: The gates read Azure Monitor.
    """

    deploys: bool = True
    deletes: bool = False
    inline: frozenset[str] = frozenset()
    sends: str = "key"
    reads_logs: bool = True
    checks_quota: bool = True
    reads_metrics: bool = False


def needs(wants: Wants) -> tuple[Need, ...]:
    """The rights that such a plan needs, purpose by purpose.

    Source: MicrosoftDocs/azure-docs, role-based-access-control/permissions, 2024-02-07.
    """
    asked: list[tuple[bool, str, Scope, Sequence[str]]] = [
        (True, "read the endpoint", Scope.WORKSPACE, _READING),
        (True, "set the split", Scope.WORKSPACE, [f"{_OE}write"]),
        (wants.deploys, "create and scale deployments", Scope.WORKSPACE, _DEPLOYING),
        (wants.deletes, "delete deployments", Scope.WORKSPACE, [f"{_OE}deployments/delete"]),
        (bool(wants.sends), "send requests", Scope.WORKSPACE, _sending(wants.sends)),
        (wants.reads_logs, "read logs", Scope.WORKSPACE, [f"{_OE}deployments/getlogs/action"]),
        (bool(wants.inline), "register assets", Scope.WORKSPACE, _registering(wants.inline)),
        (wants.checks_quota, "check the quota", Scope.SUBSCRIPTION, _QUOTA),
        (wants.reads_metrics, "read metrics", Scope.SUBSCRIPTION, _METRICS),
    ]
    return tuple(
        Need(action, purpose, scope, fatal=scope is Scope.WORKSPACE and action not in _TOLD)
        for wanted, purpose, scope, actions in asked
        if wanted
        for action in actions
    )


_READING = (f"{_WS}read", f"{_OE}read", f"{_OE}deployments/read")
_DEPLOYING = (f"{_OE}deployments/write",)
_QUOTA = (f"{_ML}locations/usages/read", f"{_ML}locations/vmsizes/read")
# The batch interface wants the right at the subscription, whatever the resource.
# Source: azure-monitor-querymetrics 1.0.0, "Prerequisites".
_METRICS = ("Microsoft.Insights/metrics/read",)
# By the address that the SDK calls; Azure's list of rights does not have it.
_UPLOADING = f"{_WS}codes/versions/startPendingUpload/action"
_TOLD = (*_READING, _UPLOADING)
_ASSETS = {
    "model": (
        f"{_WS}models/versions/read",
        f"{_WS}models/versions/write",
        f"{_WS}datastores/read",
        f"{_WS}datastores/listsecrets/action",
    ),
    "code": (f"{_WS}codes/versions/read", f"{_WS}codes/versions/write", _UPLOADING),
    "environment": (f"{_WS}environments/versions/read", f"{_WS}environments/versions/write"),
}


def _sending(mode: str) -> list[str]:
    return [f"{_OE}{_SENDING[mode]}"] if mode else []


def _registering(kinds: Iterable[str]) -> list[str]:
    return [action for kind in sorted(kinds) for action in _ASSETS[kind]]


# --- what there is --------------------------------------------------------------


def granted(action: str, permissions: Iterable[Json]) -> bool:
    """Whether one of the roles gives the right.

    What one role leaves out (``notActions``), another may give. Deny assignments are not in the
    reply, so a right that is granted here may still be denied.

    Args:
        action: A management action.
        permissions: ``value`` of Azure's reply: one item for each role that was assigned.
    """
    return any(
        _matches(action, each.get("actions")) and not _matches(action, each.get("notActions"))
        for each in permissions
    )


def _matches(action: str, patterns: object) -> bool:
    """Azure's patterns: any case, and ``*`` stands for anything, slashes too."""
    return any(
        re.fullmatch(re.escape(str(each)).replace(r"\*", ".*"), action, re.IGNORECASE)
        for each in (patterns if isinstance(patterns, list) else ())
    )


def judged(
    wanted: Sequence[Need], replies: Mapping[Scope, Sequence[Json] | Exception], *, role: str
) -> tuple[Sign, ...]:
    """A sign for each purpose.

    Args:
        wanted: From ``needs``.
        replies: What Azure says of each scope, or why it does not.
        role: The page that has a role to give.
    """
    return tuple(
        _judged(purpose, list(group), replies, role)
        for purpose, group in groupby(wanted, key=lambda need: need.purpose)
    )


def _judged(
    purpose: str,
    wanted: Sequence[Need],
    replies: Mapping[Scope, Sequence[Json] | Exception],
    role: str,
) -> Sign:
    scope = wanted[0].scope
    reply = replies[scope]
    if isinstance(reply, Exception):
        text = (
            f"{UNLOOKED}{reply} Needed on {scope.value}: {_listed(wanted)}. To do "
            "without this check, write preflight: {permissions: false}."
        )
        return Sign(TOPIC, purpose, State.UNKNOWN, text)
    missing = [need for need in wanted if not granted(need.action, reply)]
    if missing:
        text = f"Missing on {scope.value}: {_listed(missing)}. Assign a role that has it ({role})."
        state = State.BAD if any(need.fatal for need in missing) else State.UNKNOWN
        return Sign(TOPIC, purpose, state, text)
    return Sign(TOPIC, purpose, State.GOOD, f"Granted on {scope.value}.")


def _listed(wanted: Iterable[Need]) -> str:
    return ", ".join(need.action for need in wanted)
