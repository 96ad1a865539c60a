"""Azure's JSON of what the emulator remembers; pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from rollout.emulator.records import RUNNING, Asset, Deployment, Endpoint, Operation
from rollout.emulator.settings import CLIENT, OBJECT, TENANT, Settings
from rollout.emulator.wire import Json, error_body, mapping

PROVIDER = "Microsoft.MachineLearningServices"

_PROBE: Json = {
    "failureThreshold": 30,
    "successThreshold": 1,
    "timeout": "PT2S",
    "period": "PT10S",
    "initialDelay": "PT10S",
}
_RESOURCES: Json = {
    "containerResourceRequests": {"cpu": "0.1", "memory": "500Mi"},
    "containerResourceLimits": {"cpu": "2", "memory": "2Gi"},
}
_REQUESTS: Json = {
    "maxQueueWait": "PT0S",
    "requestTimeout": "PT5S",
    "maxConcurrentRequestsPerInstance": 1,
}


def stamp(seconds: float) -> str:
    """Unix seconds as Azure writes a time."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0+00:00")


def system_data(created: float, modified: float) -> Json:
    """Who made it and when."""
    return {
        "createdAt": stamp(created),
        "createdBy": CLIENT,
        "createdByType": "Application",
        "lastModifiedAt": stamp(modified),
        "lastModifiedBy": CLIENT,
        "lastModifiedByType": "Application",
    }


class Documents:
    """Resources as replies show them.

    Args:
        settings: Where they lie.
        base: The emulator's address.
        workspace_guid: The workspace's own id.
    """

    def __init__(self, settings: Settings, base: str, workspace_guid: str) -> None:
        self._settings = settings
        self._base = base
        self._guid = workspace_guid

    def endpoint_id(self, name: str) -> str:
        """The resource id of an endpoint."""
        return f"{self._settings.workspace_id}/onlineEndpoints/{name}"

    def operation_uri(self, operation: str, version: str) -> str:
        """Where an operation's state is asked for."""
        return f"{self._location()}/mfeOperationsStatus/{operation}?api-version={version}"

    def result_uri(self, operation: str, version: str) -> str:
        """Where a deletion's result is."""
        return f"{self._location()}/mfeOperationResults/{operation}?api-version={version}"

    def scoring_uri(self, endpoint: str) -> str:
        """Where an endpoint's clients send their requests."""
        return f"{self._base}/endpoints/{endpoint}/score"

    def endpoint(self, found: Endpoint) -> Json:
        """An endpoint; its traffic is what is in force."""
        given = mapping(found.body.get("properties"))
        properties: Json = {
            "description": given.get("description"),
            "properties": self._endpoint_properties(found, given),
            "scoringUri": self.scoring_uri(found.name) if found.ready else None,
            "swaggerUri": f"{self._base}/endpoints/{found.name}/swagger.json"
            if found.ready
            else None,
            "authMode": given["authMode"],
            "provisioningState": found.state,
            "compute": given.get("compute"),
            "traffic": dict(found.traffic),
            "mirrorTraffic": dict(found.mirror),
            "publicNetworkAccess": _access(given.get("publicNetworkAccess")),
        }
        return {
            "id": self.endpoint_id(found.name),
            "name": found.name,
            "type": f"{PROVIDER}/workspaces/onlineEndpoints",
            "properties": properties,
            "systemData": system_data(found.created_at, found.modified_at),
            "tags": mapping(found.body.get("tags")),
            "location": self._settings.location,
            "kind": "K8S" if given.get("compute") else "Managed",
            "identity": _identity(mapping(found.body.get("identity"))),
        }

    def deployment(self, endpoint: str, found: Deployment, *, fresh: bool = False) -> Json:
        """A deployment; ``fresh``: as the answer to its PUT shows it, before defaults are in."""
        given = mapping(found.body.get("properties"))
        shown: Json = {"environmentVariables": {}, "egressPublicNetworkAccess": "Enabled"}
        shown |= {key: value for key, value in given.items() if value is not None}
        shown["egressPublicNetworkAccess"] = _access(shown["egressPublicNetworkAccess"])
        settings = {**_REQUESTS, **mapping(given.get("requestSettings"))}
        probes: Json = {
            name: {**_PROBE, **mapping(given.get(name))}
            for name in ("livenessProbe", "readinessProbe")
        }
        if fresh:
            settings = {**settings, "requestTimeout": "PT0S"}
            probes = dict.fromkeys(probes)  # null, as recorded
        own = {
            **mapping(given.get("properties")),
            "AzureAsyncOperationUri": self.operation_uri(found.operation, _VERSION),
        }
        managed = given.get("endpointComputeType") != "Kubernetes"
        scale = {"scaleType": "Default" if managed else "TargetUtilization"}
        if not managed:
            shown = {"containerResourceRequirements": _RESOURCES, **shown}
        properties = {
            **shown,
            **probes,
            "requestSettings": settings,
            "scaleSettings": given.get("scaleSettings") or scale,
            "properties": own,
            "provisioningState": found.state,
        }
        return {
            "id": f"{self.endpoint_id(endpoint)}/deployments/{found.name}",
            "name": found.name,
            "type": f"{PROVIDER}/workspaces/onlineEndpoints/deployments",
            "properties": properties,
            "systemData": system_data(found.created_at, found.modified_at),
            "tags": mapping(found.body.get("tags")),
            "location": self._settings.location,
            "kind": "Managed" if managed else "K8S",
            "sku": {
                "name": "Default",
                "tier": "Standard",
                "capacity": mapping(found.body.get("sku")).get("capacity") or 1,
            },
        }

    def operation(self, found: Operation) -> Json:
        """The state of a long operation."""
        path = f"/subscriptions/{self._settings.subscription}/providers/{PROVIDER}"
        shown: Json = {
            "id": f"{path}/locations/{self._settings.location}/mfeOperationsStatus/{found.id}",
            "name": found.id,
            "startTime": stamp(found.begun_at),
        }
        if found.status == RUNNING:
            return {**shown, "percentComplete": 0.0, "status": "Updating"}
        shown |= {"endTime": stamp(found.ended_at), "status": found.status}
        if found.code:
            return {**shown, "error": error_body(found.code, found.message)}
        return {**shown, "percentComplete": 100.0}

    def asset(self, found: Asset) -> Json:
        """A version of a model, an environment or code."""
        properties: Json = {"isAnonymous": False, "isArchived": False, "tags": {}, "properties": {}}
        if found.kind == "models":
            # Without flavors the SDK fails on the reply.
            properties |= {"flavors": {}, "jobName": None}
        elif found.kind == "environments":
            properties |= {"osType": "Linux", "environmentType": "UserCreated"}
        return {
            "id": f"{self._settings.workspace_id}/{found.kind}/{found.name}/versions/{found.version}",
            "name": found.version,
            "type": f"{PROVIDER}/workspaces/{found.kind}/versions",
            "properties": properties | found.properties | {"provisioningState": "Succeeded"},
            "systemData": system_data(found.created_at, found.created_at),
        }

    def workspace(self, created: float) -> Json:
        """The workspace."""
        settings = self._settings
        group = f"{settings.group_id}/providers"
        return {
            "id": settings.workspace_id,
            "name": settings.workspace,
            "type": f"{PROVIDER}/workspaces",
            "location": settings.location,
            "tags": {},
            "kind": "Default",
            "properties": {
                "friendlyName": settings.workspace,
                "storageAccount": f"{group}/Microsoft.Storage/storageAccounts/rolloutemulated",
                "keyVault": f"{group}/Microsoft.KeyVault/vaults/rolloutemulated",
                "provisioningState": "Succeeded",
                "workspaceId": self._guid,
                "discoveryUrl": f"{self._base}/discovery",
                "mlFlowTrackingUri": f"azureml://localhost{settings.workspace_id}",
                "publicNetworkAccess": "Enabled",
            },
            "identity": {"type": "SystemAssigned", "principalId": OBJECT, "tenantId": TENANT},
            "sku": {"name": "Basic", "tier": "Basic"},
            "systemData": system_data(created, created),
        }

    def _endpoint_properties(self, found: Endpoint, given: Mapping[str, object]) -> Json:
        return {
            **mapping(given.get("properties")),
            "azureml.onlineendpointid": self.endpoint_id(found.name).lower(),
            "AzureAsyncOperationUri": self.operation_uri(found.operation, _VERSION),
        }

    def _location(self) -> str:
        subscription = f"{self._base}/subscriptions/{self._settings.subscription}"
        return f"{subscription}/providers/{PROVIDER}/locations/{self._settings.location}"


_VERSION = "2022-02-01-preview"


def _access(given: object) -> str:
    """Access to a network as the service spells it; the SDK sends what a file says."""
    return str(given or "Enabled").capitalize()


def _identity(given: Json) -> Json:
    """An identity with what Azure adds to it."""
    found = dict(given) or {"type": "SystemAssigned"}
    if "SystemAssigned" in str(found.get("type")):
        found |= {"principalId": OBJECT, "tenantId": TENANT}
    assigned = mapping(found.get("userAssignedIdentities"))
    if assigned:
        found["userAssignedIdentities"] = {
            key: {"principalId": _guid(f"{key}/principal"), "clientId": _guid(key)}
            for key in assigned
        }
    return found


def _guid(text: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, text))
