"""Answers about models, environments, codes and the datastore, and the addresses of uploads."""

from __future__ import annotations

import asyncio
import uuid

from rollout.emulator.azurite import ACCOUNT
from rollout.emulator.blobs import CONTAINER, STORE
from rollout.emulator.documents import PROVIDER, system_data
from rollout.emulator.records import Asset
from rollout.emulator.site import Site
from rollout.emulator.wire import Asked, Json, Refusal, Reply, mapping


async def get(site: Site, asked: Asked) -> Reply:
    """One version of an asset."""
    kind, name, version = _named(asked)
    asset = site.records.asset(kind, name, version)
    if asset is None:
        raise Refusal(404, "UserError", f"{kind} {name}:{version} was not found.")
    return Reply(200, site.documents.asset(asset))


async def listed(site: Site, asked: Asked) -> Reply:
    """All versions of an asset, newest first; of code, those with the hash that is asked for."""
    kind, name = asked.part("kind"), asked.part("name")
    found = [
        one for one in site.records.assets.values() if (one.kind, one.name.lower()) == (kind, name)
    ]
    digest = asked.query.get("hash")
    if digest:
        found = [
            one
            for one in found
            if mapping(one.properties.get("properties")).get("hash_sha256") == digest
        ]
    found.sort(key=lambda one: one.created_at, reverse=True)
    most = int(asked.query.get("$top") or len(found) or 1)
    return Reply(200, {"value": [site.documents.asset(one) for one in found[:most]]})


async def container(site: Site, asked: Asked) -> Reply:
    """All versions as one: which is the newest, for ``azureml:NAME@latest``."""
    kind, name = asked.part("kind"), asked.part("name")
    found = [
        one for one in site.records.assets.values() if (one.kind, one.name.lower()) == (kind, name)
    ]
    if not found:
        raise Refusal(404, "UserError", f"{kind} {name} was not found.")
    newest = max(found, key=lambda one: one.created_at)
    made = min(one.created_at for one in found)
    properties: Json = {"isArchived": False, "latestVersion": newest.version, "tags": {}}
    return Reply(
        200,
        {
            "id": f"{site.settings.workspace_id}/{kind}/{newest.name}",
            "name": newest.name,
            "type": f"{PROVIDER}/workspaces/{kind}",
            "properties": properties | {"properties": {}, "nextVersion": None, "description": None},
            "systemData": system_data(made, newest.created_at),
        },
    )


async def put(site: Site, asked: Asked) -> Reply:
    """Register a version."""
    kind, name, version = _named(asked)
    old = site.records.asset(kind, name, version)
    made = old.created_at if old is not None else site.clock.now()
    given = dict(mapping(asked.json().get("properties")))
    # The SDK sends the version of a hash as a number; Azure keeps texts.
    own = mapping(given.get("properties"))
    given["properties"] = {key: f"{value}" for key, value in own.items() if value is not None}
    asset = Asset(kind, asked.parts["name"], asked.parts["version"], given, made)
    site.records.keep_asset(asset)
    return Reply(200 if old is not None else 201, site.documents.asset(asset))


async def upload(site: Site, asked: Asked) -> Reply:
    """Where the files of a version may be put."""
    kind, name, version = _named(asked)
    container = f"{kind}-{uuid.uuid5(uuid.NAMESPACE_URL, f'{name}:{version}')}"
    address = await asyncio.to_thread(lambda: site.blobs.ready(container))
    account = f"{site.settings.group_id}/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}"
    place: Json = {
        "blobUri": address,
        "storageAccountArmId": account,
        "credential": {"credentialType": "SAS", "sasUri": site.blobs.signed(container)},
    }
    return Reply(
        200,
        {
            "pendingUploadId": str(uuid.uuid4()),
            "pendingUploadType": asked.json().get("pendingUploadType", "TemporaryBlobReference"),
            "blobReferenceForConsumption": place,
        },
    )


async def stores(site: Site, asked: Asked) -> Reply:  # noqa: ARG001 - every answer has both
    """All datastores."""
    return Reply(200, {"value": [_datastore(site)]})


async def store(site: Site, asked: Asked) -> Reply:
    """One datastore."""
    _check_store(asked)
    return Reply(200, _datastore(site))


async def store_secrets(site: Site, asked: Asked) -> Reply:
    """The key of the datastore's account: somebody is about to upload."""
    _check_store(asked)
    await asyncio.to_thread(lambda: site.blobs.ready(CONTAINER))
    return Reply(200, {"secretsType": "AccountKey", "key": site.azurite.key})


def _check_store(asked: Asked) -> None:
    if asked.part("store") != STORE:
        raise Refusal(404, "UserError", f"Datastore {asked.parts['store']} was not found.")


def _datastore(site: Site) -> Json:
    made = float(site.records.marks["began"])
    return {
        "id": f"{site.settings.workspace_id}/datastores/{STORE}",
        "name": STORE,
        "type": f"{PROVIDER}/workspaces/datastores",
        "properties": {
            "description": None,
            "tags": None,
            "properties": None,
            "isDefault": True,
            "credentials": {"credentialsType": "AccountKey"},
            "datastoreType": "AzureBlob",
            "accountName": ACCOUNT,
            "containerName": CONTAINER,
            "endpoint": "core.windows.test",
            "protocol": "https",
            "serviceDataAccessAuthIdentity": "None",
        },
        "systemData": system_data(made, made),
    }


def _named(asked: Asked) -> tuple[str, str, str]:
    return asked.part("kind"), asked.part("name"), asked.part("version")
