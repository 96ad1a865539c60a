"""Answers about what is around the endpoints: the cloud, identity, workspace, quota, permissions."""

from __future__ import annotations

from urllib.parse import parse_qs

from rollout.emulator import machines
from rollout.emulator.deployments import taken
from rollout.emulator.documents import PROVIDER
from rollout.emulator.roles import EVERYTHING, Role
from rollout.emulator.settings import CLIENT, TENANT
from rollout.emulator.site import Site
from rollout.emulator.tokens import LIFE_SECONDS
from rollout.emulator.wire import Asked, Json, Refusal, Reply

CLOUD = "RolloutEmulator"
PORTAL = "https://portal.azure.test"
ML_AUDIENCE = "https://ml.azure.test"  # what the SDK makes of the portal's address


async def metadata(site: Site, asked: Asked) -> Reply:  # noqa: ARG001 - every answer has both
    """The cloud, for ``ARM_CLOUD_METADATA_URL``."""
    cloud: Json = {
        "name": CLOUD,
        "portal": PORTAL,
        "resourceManager": f"{site.base}/",
        "authentication": {
            "loginEndpoint": site.base,
            "audiences": [site.base],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        # Azure's own metadata has the last of these; the others are for this project's adapter.
        "mlResourceId": ML_AUDIENCE,
        "metricsEndpoint": site.base,
        "metricsResourceId": site.base,
        "logAnalyticsResourceId": site.base,
        "suffixes": {"storage": "core.windows.test", "keyVaultDns": "vault.azure.test"},
    }
    return Reply(200, [cloud])


async def openid(site: Site, asked: Asked) -> Reply:
    """Where Entra ID gives tokens."""
    at = f"{site.base}/{asked.parts['tenant']}"
    return Reply(
        200,
        {
            "token_endpoint": f"{at}/oauth2/v2.0/token",
            "authorization_endpoint": f"{at}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{at}/oauth2/v2.0/devicecode",
            "issuer": f"{at}/v2.0",
            "tenant_region_scope": None,
        },
    )


async def token(site: Site, asked: Asked) -> Reply:
    """A token for whoever knows the client's secret."""
    form = {key: values[0] for key, values in parse_qs(asked.body.decode("latin-1")).items()}
    if asked.parts["tenant"] not in (TENANT, "common", "organizations"):
        return _no_token("invalid_request", 90002, f"Tenant '{asked.parts['tenant']}' not found.")
    if form.get("client_id") != CLIENT:
        return _no_token("unauthorized_client", 700016, "Application was not found in the tenant.")
    if form.get("client_secret") != site.client_secret:
        return _no_token("invalid_client", 7000215, "Invalid client secret provided.")
    audience = form.get("scope", "").split(" ")[0].removesuffix("/.default")
    return Reply(
        200,
        {
            "token_type": "Bearer",
            "expires_in": LIFE_SECONDS - 1,
            "ext_expires_in": LIFE_SECONDS - 1,
            "access_token": site.tokens.issue(audience, site.clock.now()),
        },
    )


async def group(site: Site, asked: Asked) -> Reply:  # noqa: ARG001 - every answer has both
    """The resource group."""
    settings = site.settings
    return Reply(
        200,
        {
            "id": settings.group_id,
            "name": settings.resource_group,
            "type": "Microsoft.Resources/resourceGroups",
            "location": settings.location,
            "properties": {"provisioningState": "Succeeded"},
        },
    )


async def get(site: Site, asked: Asked) -> Reply:  # noqa: ARG001 - every answer has both
    """The workspace."""
    return Reply(200, site.documents.workspace(float(site.records.marks["began"])))


async def compute(site: Site, asked: Asked) -> Reply:
    """The attached Kubernetes compute."""
    name = asked.parts["compute"]
    if site.settings.compute is None or name.lower() != site.settings.compute.lower():
        raise Refusal(404, "ResourceNotFound", f"Compute {name} was not found.")
    return Reply(
        200,
        {
            "id": f"{site.settings.workspace_id}/computes/{name}",
            "name": name,
            "type": f"{PROVIDER}/workspaces/computes",
            "location": site.settings.location,
            "properties": {
                "computeType": "Kubernetes",
                "provisioningState": "Succeeded",
                "isAttachedCompute": True,
                "resourceId": f"{site.settings.group_id}/providers/Microsoft.ContainerService/"
                f"managedClusters/{name}",
                "properties": {
                    "namespace": "default",
                    "defaultInstanceType": "defaultinstancetype",
                },
            },
        },
    )


async def usages(site: Site, asked: Asked) -> Reply:
    """What of each family's quota is used."""
    used = machines.used(taken(site))
    families = sorted({one.family for one in machines.MACHINES})
    at = f"/subscriptions/{site.settings.subscription}/providers/{PROVIDER}"
    return Reply(
        200,
        {
            "value": [
                {
                    "id": f"{at}/locations/{asked.parts['location']}/usages/{family}",
                    "type": f"{PROVIDER}/vmFamily/usages",
                    "amlWorkspaceLocation": site.settings.location,
                    "unit": "Count",
                    "currentValue": used.get(family, 0),
                    "limit": site.settings.quota.get(family, site.settings.default_quota),
                    "name": {"value": family, "localizedValue": family},
                }
                for family in families
            ]
        },
    )


async def sizes(site: Site, asked: Asked) -> Reply:  # noqa: ARG001 - every answer has both
    """Sizes of virtual machines."""
    return Reply(
        200,
        {
            "value": [
                {
                    "name": one.name,
                    "family": one.family,
                    "vCPUs": one.cores,
                    "gpus": one.gpus,
                    "osVhdSizeMB": 1_047_552,
                    "maxResourceVolumeMB": 28_672,
                    "memoryGB": one.memory,
                    "lowPriorityCapable": True,
                    "premiumIO": True,
                    "supportedComputeTypes": ["AmlCompute", "ComputeInstance"],
                }
                for one in machines.MACHINES
            ]
        },
    )


async def permissions(site: Site, asked: Asked) -> Reply:  # noqa: ARG001 - every answer has both
    """What the client may do."""
    return Reply(200, {"value": [each.permissions for each in _roles(site)]})


def allows(site: Site, action: str) -> bool:
    """Whether one of the client's roles allows an action."""
    return any(each.allows(action) for each in _roles(site))


def _roles(site: Site) -> tuple[Role, ...]:
    return site.settings.roles or (EVERYTHING,)


def _no_token(error: str, number: int, message: str) -> Reply:
    body: Json = {
        "error": error,
        "error_description": f"AADSTS{number}: {message}",
        "error_codes": [number],
    }
    return Reply(401 if error == "invalid_client" else 400, body)
