"""Which call asks for what: methods and paths, and the permission that each needs."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from rollout.domain.errors import UsageError
from rollout.emulator import assets, deployments, endpoints, logs, metrics, workspace
from rollout.emulator.faults import Fault
from rollout.emulator.site import Site
from rollout.emulator.wire import Asked, Reply

Answer = Callable[[Site, Asked], Awaitable[Reply]]

_ML = "Microsoft.MachineLearningServices"
_SUB = r"/subscriptions/(?P<subscription>[^/]+)"
_GROUP = rf"{_SUB}/resourceGroups/(?P<group>[^/]+)"
_WS = rf"{_GROUP}/providers/{_ML}/workspaces/(?P<workspace>[^/]+)"
_ENDPOINT = rf"{_WS}/onlineEndpoints/(?P<endpoint>[^/]+)"
_DEPLOYMENT = rf"{_ENDPOINT}/deployments/(?P<deployment>[^/]+)"
_ASSET = rf"{_WS}/(?P<kind>models|environments|codes)/(?P<name>[^/]+)"
_VERSIONS = f"{_ASSET}/versions"
_VERSION = rf"{_VERSIONS}/(?P<version>[^/]+)"
_LOCATION = rf"{_SUB}/providers/{_ML}/locations/(?P<location>[^/]+)"
_STORES = rf"{_WS}/datastores"
_ACT = f"{_ML}/workspaces"
_ENDPOINTS = f"{_ACT}/onlineEndpoints"
_DEPLOYMENTS = f"{_ENDPOINTS}/deployments"


class Route(NamedTuple):
    """A call.

    Args:
        operation: Its name.
        method: Of HTTP.
        pattern: Of the whole path.
        answer: What answers it.
        action: The permission it needs, with ``{kind}`` from the path; empty: none. A call without
            one is open to those who have no token, too.
        audience: What its token is for: ``arm``, ``metrics``, ``logs``; empty: it needs none.
    """

    operation: str
    method: str
    pattern: re.Pattern[str]
    answer: Answer
    action: str = ""
    audience: str = "arm"


def route(
    operation: str, call: str, answer: Answer, action: str = "", audience: str = "arm"
) -> Route:
    """A call as ``METHOD pattern``; paths are the same in any case, as Azure's are."""
    method, _, pattern = call.partition(" ")
    compiled = re.compile(pattern, re.IGNORECASE)
    return Route(operation, method, compiled, answer, action, audience)


ROUTES: tuple[Route, ...] = (
    route("cloud.metadata", "GET /metadata/endpoints", workspace.metadata, audience=""),
    route(
        "identity.openid",
        r"GET /(?P<tenant>[^/]+)/v2\.0/\.well-known/openid-configuration",
        workspace.openid,
        audience="",
    ),
    route(
        "identity.token",
        r"POST /(?P<tenant>[^/]+)/oauth2/v2\.0/token",
        workspace.token,
        audience="",
    ),
    route("group.get", f"GET {_GROUP}", workspace.group),
    route("workspace.get", f"GET {_WS}", workspace.get, f"{_ACT}/read"),
    route(
        "compute.get",
        rf"GET {_WS}/computes/(?P<compute>[^/]+)",
        workspace.compute,
        f"{_ACT}/computes/read",
    ),
    route(
        "usage.list", f"GET {_LOCATION}/usages", workspace.usages, f"{_ML}/locations/usages/read"
    ),
    route(
        "size.list", f"GET {_LOCATION}/vmSizes", workspace.sizes, f"{_ML}/locations/vmSizes/read"
    ),
    route(
        "permissions",
        r"GET (?P<scope>/.+)/providers/Microsoft\.Authorization/permissions",
        workspace.permissions,
        "Microsoft.Authorization/permissions/read",
    ),
    route("endpoint.list", f"GET {_WS}/onlineEndpoints", endpoints.listed, f"{_ENDPOINTS}/read"),
    route("endpoint.get", f"GET {_ENDPOINT}", endpoints.get, f"{_ENDPOINTS}/read"),
    route("endpoint.put", f"PUT {_ENDPOINT}", endpoints.put, f"{_ENDPOINTS}/write"),
    route("endpoint.delete", f"DELETE {_ENDPOINT}", endpoints.delete, f"{_ENDPOINTS}/delete"),
    route("keys", f"POST {_ENDPOINT}/listKeys", endpoints.keys, f"{_ENDPOINTS}/listKeys/action"),
    route(
        "keys.regenerate",
        f"POST {_ENDPOINT}/regenerateKeys",
        endpoints.regenerate,
        f"{_ENDPOINTS}/regenerateKeys/action",
    ),
    route("token", f"POST {_ENDPOINT}/token", endpoints.token, f"{_ENDPOINTS}/token/action"),
    route(
        "deployment.list",
        f"GET {_ENDPOINT}/deployments",
        deployments.listed,
        f"{_DEPLOYMENTS}/read",
    ),
    route("deployment.get", f"GET {_DEPLOYMENT}", deployments.get, f"{_DEPLOYMENTS}/read"),
    route("deployment.put", f"PUT {_DEPLOYMENT}", deployments.put, f"{_DEPLOYMENTS}/write"),
    route(
        "deployment.delete", f"DELETE {_DEPLOYMENT}", deployments.delete, f"{_DEPLOYMENTS}/delete"
    ),
    route(
        "deployment.logs",
        f"POST {_DEPLOYMENT}/getLogs",
        deployments.logs,
        f"{_DEPLOYMENTS}/getLogs/action",
    ),
    route(
        "operation.get",
        rf"GET {_LOCATION}/mfeOperationsStatus/(?P<operation>[^/]+)",
        endpoints.operation_state,
        f"{_ML}/locations/mfeOperationsStatus/read",
    ),
    route(
        "operation.result",
        rf"GET {_LOCATION}/mfeOperationResults/(?P<operation>[^/]+)",
        endpoints.operation_result,
        f"{_ML}/locations/mfeOperationResults/read",
    ),
    route(
        "metrics.batch",
        f"POST {_SUB}/metrics:getBatch",
        metrics.batch,
        "Microsoft.Insights/metrics/read",
        audience="metrics",
    ),
    route(
        "logs.query",
        "POST /v1/workspaces/(?P<workspace_id>[^/]+)/query",
        logs.query,
        "Microsoft.OperationalInsights/workspaces/query/read",
        audience="logs",
    ),
    route("asset.container", f"GET {_ASSET}", assets.container, f"{_ACT}/{{kind}}/read"),
    route("asset.list", f"GET {_VERSIONS}", assets.listed, f"{_ACT}/{{kind}}/versions/read"),
    route("asset.get", f"GET {_VERSION}", assets.get, f"{_ACT}/{{kind}}/versions/read"),
    route("asset.put", f"PUT {_VERSION}", assets.put, f"{_ACT}/{{kind}}/versions/write"),
    route(
        "asset.upload",
        f"POST {_VERSION}/startPendingUpload",
        assets.upload,
        f"{_ACT}/{{kind}}/versions/startPendingUpload/action",
    ),
    route("store.list", f"GET {_STORES}", assets.stores, f"{_ACT}/datastores/read"),
    route("store.get", rf"GET {_STORES}/(?P<store>[^/]+)", assets.store, f"{_ACT}/datastores/read"),
    route(
        "store.secrets",
        rf"POST {_STORES}/(?P<store>[^/]+)/listSecrets",
        assets.store_secrets,
        f"{_ACT}/datastores/listsecrets/action",
    ),
)


OPERATIONS = tuple(sorted({"score", *(each.operation for each in ROUTES)}))


def checked(fault: Fault) -> Fault:
    """A fault whose ``on`` names operations that there are.

    Raises:
        UsageError: it does not.
    """
    for each in fault.on.split("|") if fault.on else ():
        if not fnmatch.filter(OPERATIONS, each):
            raise UsageError(
                f"on={each} in a fault names no operation.",
                do=f"Use {', '.join(OPERATIONS)}, with * for any part.",
            )
    return fault


def find(method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
    """The call that this is; None: the emulator does not know it."""
    for each in ROUTES:
        match = each.pattern.fullmatch(path) if each.method == method else None
        if match is not None:
            return each, match.groupdict()
    return None
