"""Log Analytics: queries over the endpoints' traffic log and their containers' lines."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from rollout.emulator.building import seconds
from rollout.emulator.kql.evaluate import Row, Table, evaluate
from rollout.emulator.kql.words import KqlError, parse_datetime
from rollout.emulator.records import Endpoint
from rollout.emulator.site import Site
from rollout.emulator.traffic import Request
from rollout.emulator.wire import Asked, Json, Reply

TRAFFIC = "AmlOnlineEndpointTrafficLog"
CONSOLE = "AmlOnlineEndpointConsoleLog"

_TRAFFIC: Mapping[str, str] = {
    "TimeGenerated": "datetime", "OperationName": "string", "Method": "string", "Path": "string",
    "AzureMLWorkspaceId": "string", "AzureMLWorkspaceName": "string", "EndpointName": "string",
    "DeploymentName": "string", "Protocol": "string", "AuthType": "string",
    "IdentityData": "string", "Location": "string", "ResponseCode": "string",
    "ResponseCodeReason": "string", "ModelStatusCode": "string", "ModelStatusReason": "string",
    "RequestPayloadSize": "int", "ResponsePayloadSize": "int", "UserAgent": "string",
    "XRequestId": "string", "XMSClientRequestId": "string", "TotalDurationMs": "int",
    "RequestDurationMs": "int", "ResponseDurationMs": "int", "RequestThrottlingDelayMs": "int",
    "ResponseThrottlingDelayMs": "int", "SubscriptionId": "string", "Type": "string",
}  # fmt: skip
_CONSOLE: Mapping[str, str] = {
    "TimeGenerated": "datetime", "OperationName": "string", "InstanceId": "string",
    "EndpointName": "string", "DeploymentName": "string", "ContainerName": "string",
    "Message": "string", "Type": "string",
}  # fmt: skip
_LONGEST_AGENT = 70
_CONSOLE_LINES = 2000
_LINE_TIME = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d),(\d{3}) ")
_REASONS = {200: "OK", 401: "Unauthorized", 404: "NotFound", 408: "RequestTimeout"} | {
    424: "ModelError", 429: "TooManyRequests", 499: "ClientClosedRequest", 503: "Unavailable",
}  # fmt: skip
_ALWAYS = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))


async def query(site: Site, asked: Asked) -> Reply:
    """One query; every Log Analytics workspace has the logs of the one Azure ML workspace."""
    wish = asked.json()
    try:
        table = await asyncio.to_thread(
            _answered, site, str(wish.get("query", "")), str(wish.get("timespan") or "")
        )
    except KqlError as error:
        return Reply(400, {"error": _error(error)})
    columns = [{"name": name, "type": kind} for name, kind in table.columns.items()]
    rows = [[_cell(row[name]) for name in table.columns] for row in table.rows]
    return Reply(200, {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]})


def _answered(site: Site, text: str, timespan: str) -> Table:
    now = datetime.fromtimestamp(site.clock.now(), UTC)
    start, end = _span(timespan, now)
    end = min(end, now - timedelta(seconds=site.settings.delays.logs))
    tables = {
        TRAFFIC: Table(_TRAFFIC, list(_requests(site, start, end)) if TRAFFIC in text else ()),
        CONSOLE: Table(_CONSOLE, list(_lines(site, start, end)) if CONSOLE in text else ()),
    }
    return evaluate(text, tables, now)


def _requests(site: Site, start: datetime, end: datetime) -> Iterator[Row]:
    for endpoint in list(site.records.endpoints.values()):
        found = site.traffic.of(endpoint.name).between(start.timestamp(), end.timestamp())
        yield from (_row(site, endpoint, one) for one in found)


def _row(site: Site, endpoint: Endpoint, one: Request) -> Row:
    total = round(one.seconds * 1000)
    return {
        "TimeGenerated": datetime.fromtimestamp(one.ended, UTC),
        "OperationName": TRAFFIC.removeprefix("Aml"),
        "Method": one.method,
        "Path": "/score",
        "AzureMLWorkspaceId": site.settings.workspace_id,
        "AzureMLWorkspaceName": site.settings.workspace,
        "EndpointName": endpoint.name,
        "DeploymentName": one.deployment,
        "Protocol": "HTTP/1.1",
        "AuthType": one.auth,
        "IdentityData": "",
        "Location": site.settings.location,
        "ResponseCode": str(one.status),
        "ResponseCodeReason": _REASONS.get(one.status, ""),
        "ModelStatusCode": str(one.model_status) if one.model_status else "",
        "ModelStatusReason": _REASONS.get(one.model_status, "") if one.model_status else "",
        "RequestPayloadSize": one.received,
        "ResponsePayloadSize": one.sent,
        "UserAgent": one.agent[:_LONGEST_AGENT],
        "XRequestId": one.id,
        "XMSClientRequestId": one.client_id,
        "TotalDurationMs": total,
        "RequestDurationMs": 0,
        "ResponseDurationMs": total,
        "RequestThrottlingDelayMs": 0,
        "ResponseThrottlingDelayMs": 0,
        "SubscriptionId": site.settings.subscription,
        "Type": TRAFFIC,
    }


def _lines(site: Site, start: datetime, end: datetime) -> Iterator[Row]:
    """What containers printed; a line without a time has that of the one before."""
    for endpoint in list(site.records.endpoints.values()):
        for name in endpoint.deployments:
            at: datetime | None = None
            said = site.engines.logs(endpoint.name, name, lines=_CONSOLE_LINES)
            for line in said.splitlines():
                match = _LINE_TIME.match(line)
                if match is not None:
                    at = parse_datetime(f"{match[1]}T{match[2]}.{match[3]}")
                if at is not None and start <= at < end:
                    yield {
                        "TimeGenerated": at,
                        "OperationName": CONSOLE.removeprefix("Aml"),
                        "InstanceId": f"{name}-0",
                        "EndpointName": endpoint.name,
                        "DeploymentName": name,
                        "ContainerName": "inference-server",
                        "Message": line,
                        "Type": CONSOLE,
                    }


def _span(text: str, now: datetime) -> tuple[datetime, datetime]:
    """The time that a request is about.

    >>> _span("PT600S", datetime(2026, 1, 1, 0, 10, tzinfo=UTC))[0].isoformat()
    '2026-01-01T00:00:00+00:00'
    """
    if not text:
        return _ALWAYS
    start, _, end = text.partition("/")
    if not end:
        return now - timedelta(seconds=seconds(start, 0.0)), now
    begin = parse_datetime(start)
    if end.startswith("P"):
        return begin, begin + timedelta(seconds=seconds(end, 0.0))
    return begin, parse_datetime(end)


def _cell(value: object) -> object:
    match value:
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        case timedelta():
            return str(value)
        case _:
            return value


def _error(error: KqlError) -> Json:
    inner: Json = {"code": error.code, "message": str(error)}
    if error.at is not None:
        inner |= {"line": 1, "pos": error.at}
    return {
        "message": "The request had some invalid properties",
        "code": "BadArgumentError",
        "correlationId": str(uuid4()),
        "innererror": inner,
    }
