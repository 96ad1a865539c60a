"""Azure Monitor's metrics of endpoints and deployments, minute by minute, from the real traffic."""

from __future__ import annotations

import asyncio
import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rollout.emulator.documents import PROVIDER
from rollout.emulator.site import Site
from rollout.emulator.traffic import Request
from rollout.emulator.wire import Asked, Json, Refusal, Reply

MINUTE = 60.0

_TERM = re.compile(r"\(?\s*(\w+)\s+(eq|ne)\s+'([^']*)'\s*\)?", re.IGNORECASE)
_ENDPOINT = re.compile(r".*/onlineEndpoints/([^/]+)", re.IGNORECASE)
_DEPLOYMENT = re.compile(r".*/onlineEndpoints/([^/]+)/deployments/([^/]+)", re.IGNORECASE)
_ENDPOINTS = f"{PROVIDER}/workspaces/onlineEndpoints".lower()
_DEPLOYMENTS = f"{_ENDPOINTS}/deployments"

Label = Callable[[Request], str]

_LABELS: Mapping[str, Label] = {
    "deployment": lambda one: one.deployment,
    "statuscode": lambda one: str(one.status),
    "statuscodeclass": lambda one: f"{one.status // 100}xx",
    "modelstatuscode": lambda one: str(one.model_status) if one.model_status else "",
    "envoy_response_code": lambda one: str(one.model_status or one.status),
}


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric.

    Args:
        unit: Azure's word.
        dimensions: By what it can be split, in lower case.
        value: Of the requests that ended in one minute; None: the emulator does not measure it.
    """

    unit: str
    dimensions: tuple[str, ...]
    value: Callable[[Sequence[Request]], float] | None


def _mean(requests: Sequence[Request]) -> float:
    return sum(one.seconds for one in requests) * 1000.0 / len(requests)


def _percentile(percent: int) -> Callable[[Sequence[Request]], float]:
    def value(requests: Sequence[Request]) -> float:
        ordered = sorted(one.seconds for one in requests)
        return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] * 1000.0

    return value


_BY = ("deployment", "statuscode", "statuscodeclass", "modelstatuscode")
_TIMES = {f"RequestLatency_P{percent}": _percentile(percent) for percent in (50, 90, 95, 99)}
_OF_ENDPOINTS: Mapping[str, Metric] = {
    "RequestsPerMinute": Metric("Count", _BY, lambda found: float(len(found))),
    "RequestLatency": Metric("MilliSeconds", ("deployment",), _mean),
    **{name: Metric("MilliSeconds", ("deployment",), value) for name, value in _TIMES.items()},
    "NetworkBytes": Metric("BytesPerSecond", (), None),
    "ConnectionsActive": Metric("Count", (), None),
    "NewConnectionsPerSecond": Metric("CountPerSecond", (), None),
}
_OF_DEPLOYMENTS: Mapping[str, Metric] = {
    "RequestsPerMinute": Metric("Count", ("envoy_response_code",), lambda found: float(len(found))),
    **{name: Metric("MilliSeconds", (), value) for name, value in _TIMES.items()},
    "CpuUtilizationPercentage": Metric("Percent", ("instanceid",), None),
    "CpuMemoryUtilizationPercentage": Metric("Percent", ("instanceid",), None),
    "DeploymentCapacity": Metric("Count", ("instanceid", "state"), None),
}
_METRICS = {_ENDPOINTS: _OF_ENDPOINTS, _DEPLOYMENTS: _OF_DEPLOYMENTS}


async def batch(site: Site, asked: Asked) -> Reply:
    """``metrics:getBatch``: several metrics of several resources."""
    namespace = asked.query.get("metricnamespace", "").lower()
    known = _METRICS.get(namespace)
    if known is None:
        raise _bad(f"The metric namespace {namespace!r} is not known.")
    names = [each.strip() for each in asked.query.get("metricnames", "").split(",")]
    start, end = _window(asked)
    terms = _terms(asked.query.get("filter", ""))
    resources = [str(each) for each in _list(asked.json().get("resourceids"))]
    values = []
    for resource in resources:
        found = await asyncio.to_thread(_requests, site, namespace, resource, start, end)
        values.append(
            {
                "starttime": _stamp(start),
                "endtime": _stamp(end),
                "interval": "PT1M",
                "namespace": namespace,
                "resourceregion": site.settings.location,
                "resourceid": resource,
                "value": [
                    _shown(resource, name, _known(known, name), found, (start, end), terms)
                    for name in names
                ],
            }
        )
    return Reply(200, {"values": values})


def _requests(site: Site, namespace: str, resource: str, start: float, end: float) -> list[Request]:
    match = (_DEPLOYMENT if namespace == _DEPLOYMENTS else _ENDPOINT).fullmatch(resource)
    name = match[1].lower() if match is not None else ""
    if match is None or name not in site.records.endpoints:
        raise Refusal(404, "ResourceNotFound", f"The resource {resource} was not found.")
    # What is not there yet is not known yet: it comes when its delay has passed.
    end = min(end, site.clock.now() - site.settings.delays.metrics)
    found = site.traffic.of(name).between(start, end)
    if namespace == _DEPLOYMENTS:
        return [one for one in found if one.deployment == match[2].lower()]
    return found


def _shown(
    resource: str,
    name: str,
    metric: Metric,
    found: Sequence[Request],
    window: tuple[float, float],
    terms: Sequence[tuple[str, str, str]],
) -> Json:
    for dimension, _, _ in terms:
        if dimension not in metric.dimensions:
            known = ", ".join(metric.dimensions) or "none"
            raise _bad(f"Metric {name} has no dimension {dimension}. Valid dimensions: {known}.")
    series: defaultdict[tuple[str, ...], list[Request]] = defaultdict(list)
    dimensions = list(dict.fromkeys(dimension for dimension, _, _ in terms))
    for one in found if metric.value is not None else ():
        if all(_fits(one, term) for term in terms):
            series[tuple(_LABELS[each](one) for each in dimensions)].append(one)
    return {
        "id": f"{resource}/providers/Microsoft.Insights/metrics/{name}",
        "type": "Microsoft.Insights/metrics",
        "name": {"value": name, "localizedValue": name},
        "displayDescription": name,
        "unit": metric.unit,
        "errorCode": "Success",
        "timeseries": [
            {
                "metadatavalues": [
                    {"name": {"value": each, "localizedValue": each}, "value": label}
                    for each, label in zip(dimensions, labels, strict=True)
                ],
                "data": _points(metric, requests, window),
            }
            for labels, requests in sorted(series.items())
        ],
    }


def _points(metric: Metric, requests: Sequence[Request], window: tuple[float, float]) -> list[Json]:
    """A point a minute; one without requests has a time and no value."""
    minutes: defaultdict[int, list[Request]] = defaultdict(list)
    for one in requests:
        minutes[int(one.ended // MINUTE)].append(one)
    points: list[Json] = []
    for minute in range(int(window[0] // MINUTE), math.ceil(window[1] / MINUTE)):
        point: Json = {"timeStamp": _stamp(minute * MINUTE)}
        if minutes[minute] and metric.value is not None:
            point["average"] = metric.value(minutes[minute])
        points.append(point)
    return points


def _fits(one: Request, term: tuple[str, str, str]) -> bool:
    dimension, sign, value = term
    if value == "*":
        return True
    return (_LABELS[dimension](one).lower() == value.lower()) is (sign == "eq")


def _terms(text: str) -> list[tuple[str, str, str]]:
    """A filter as (dimension, eq or ne, value), all of which hold.

    >>> _terms("deployment eq '*' and statusCode ne '200'")
    [('deployment', 'eq', '*'), ('statuscode', 'ne', '200')]
    """
    found = []
    for part in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE) if text.strip() else ():
        match = _TERM.fullmatch(part)
        if match is None or match[1].lower() not in _LABELS:
            raise _bad(f"The filter {part!r} is not understood by the emulator.")
        found.append((match[1].lower(), match[2].lower(), match[3]))
    return found


def _known(known: Mapping[str, Metric], name: str) -> Metric:
    for each, metric in known.items():
        if each.lower() == name.lower():
            return metric
    raise _bad(f"Failed to find metric configuration for {name}. Valid metrics: {','.join(known)}")


def _window(asked: Asked) -> tuple[float, float]:
    if asked.query.get("interval", "PT1M").upper() != "PT1M":
        raise _bad("The only interval of these metrics is PT1M.")
    try:
        start, end = (datetime.fromisoformat(asked.query[key]) for key in ("starttime", "endtime"))
    except (KeyError, ValueError) as error:
        raise _bad(f"starttime and endtime are needed: {error}.") from error
    found = [each.replace(tzinfo=each.tzinfo or UTC).timestamp() for each in (start, end)]
    if found[0] >= found[1]:
        raise _bad("starttime is not before endtime.")
    return math.floor(found[0] / MINUTE) * MINUTE, found[1]


def _list(value: object) -> list[object]:
    if not isinstance(value, list) or not value:
        raise _bad("resourceids is empty.")
    return value


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _bad(message: str) -> Refusal:
    return Refusal(400, "BadRequest", message)
