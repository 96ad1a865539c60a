"""Measurements from Azure Monitor's metrics: requests and latency percentiles, minute by minute.

What is asked: ``RequestsPerMinute`` by ``deployment`` and ``statusCode``, the four
``RequestLatency_P..`` by ``deployment``; interval PT1M, aggregation Average, which is the only one
there is for both. A minute's average of requests per minute is its number of requests.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rollout.adapters.endpoints.azureml.place import Cloud, Place
from rollout.adapters.endpoints.azureml.sources import (
    BAD_CODES,
    FIRST_BAD_CODE,
    LIMITS,
    NOT_THE_MODELS_CODES,
    Needs,
    NotThere,
    answered,
    since,
)
from rollout.domain.errors import EndpointRefused
from rollout.domain.measure import Arm, Interval, Published
from rollout.domain.units import spell_duration
from rollout.ports.doctor import UNLOOKED
from rollout.ports.endpoint import Finding, Reading

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

NAMESPACE: Final = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
REQUESTS: Final = "RequestsPerMinute"
PERCENTILES: Final = {
    "RequestLatency_P50": 0.5,
    "RequestLatency_P90": 0.9,
    "RequestLatency_P95": 0.95,
    "RequestLatency_P99": 0.99,
}
BY_STATUS: Final = "deployment eq '*' and statusCode eq '*'"
BY_DEPLOYMENT: Final = "deployment eq '*'"
MINUTE = 60.0  # seconds
PACE = 15.0  # seconds between two readings
LONGEST = 1800.0  # seconds that one reading covers at most
_MOST_SERIES = 1000  # without it the service gives 10
_LOOK_BACK = 1800.0  # seconds
_CHECK = "metrics arrive"


@dataclass(slots=True)
class _Minute:
    """What is known of one deployment's minute."""

    requests: float | None = None
    errors: float = 0.0
    values: dict[float, float] = field(default_factory=dict)


class _Point(NamedTuple):
    """A value with its metric, its labels in lower case, and its minute's start."""

    metric: str
    labels: Mapping[str, str]
    at: float
    value: float


Minutes = Mapping[str, Mapping[float, _Minute]]
"""Deployment, lower case -> start of a minute, Unix seconds -> what is known of it."""


def lag(delay: float) -> float:
    """Seconds until what happens now is read, at most."""
    return delay + MINUTE + PACE


class AzureMonitor:
    """A ``Source`` of whole minutes that are old enough to be complete.

    Args:
        place: The endpoint.
        cloud: Has the metrics data plane.
        location: The endpoint's region, as in its resource: ``westeurope``.
        credential: Who asks.
        delay: Seconds after which a minute is taken to be complete.
    """

    grain = MINUTE
    pace = PACE

    def __init__(
        self,
        place: Place,
        cloud: Cloud,
        location: str,
        credential: TokenCredential,
        delay: float = 120.0,
    ) -> None:
        self._place = place
        self._cloud = cloud
        self._location = location
        self._credential = credential
        self._delay = delay
        self._client: Any = None
        self.lag = lag(delay)

    def cursor(self, moment: float) -> str:
        """See ``Source.cursor``: the next whole minute."""
        return f"{math.ceil(moment / MINUTE) * MINUTE:.0f}"

    def read(
        self,
        cursor: str,
        *,
        moment: float,
        names: Mapping[str, str],
        mirrored: bool,
        histogram: bool,
    ) -> Reading:
        """See ``Source.read``; an arm has its minutes, those without data left out."""
        del mirrored, histogram
        start = math.ceil(since(cursor) / MINUTE) * MINUTE
        end = math.floor(min(moment - self._delay, start + LONGEST) / MINUTE) * MINUTE
        if end <= start:
            return Reading(cursor, None)
        found = self._minutes(start, end, latency=True)
        arms = {role: _arm(found.get(name.lower(), {})) for role, name in names.items()}
        return Reading(f"{end:.0f}", Interval(start, end, arms))

    def history(
        self, *, moment: float, deployment: str, seconds: float, batch: float
    ) -> tuple[Arm, ...]:
        """See ``Source.history``; a minute is in its first batch, the others are missing."""
        end = math.floor((moment - self._delay) / MINUTE) * MINUTE
        start = end - math.floor(seconds / MINUTE) * MINUTE
        minutes = self._minutes(start, end, latency=True).get(deployment.lower(), {})
        if not minutes:
            return ()
        found: defaultdict[int, dict[float, _Minute]] = defaultdict(dict)
        for at, minute in minutes.items():
            found[math.floor((at - start) / batch)][at] = minute
        return tuple(_arm(found.get(at, {})) for at in range(math.floor(seconds / batch)))

    def arrives(self, *, moment: float) -> Finding:
        """See ``Source.arrives``."""
        end = math.floor((moment - self._delay) / MINUTE) * MINUTE
        try:
            found = self._minutes(end - _LOOK_BACK, end, latency=False)
        except NotThere as error:
            return Finding(_CHECK, True, f"{UNLOOKED}there is no endpoint yet: {error}")
        except EndpointRefused as error:
            return Finding(_CHECK, False, str(error))
        known = [at for minutes in found.values() for at in minutes]
        if known:
            age = spell_duration(moment - max(known) - MINUTE)
            return Finding(_CHECK, True, f"{REQUESTS} arrives; its newest minute ended {age} ago.")
        return Finding(
            _CHECK,
            True,
            f"{UNLOOKED}{REQUESTS} has no data of the last {spell_duration(_LOOK_BACK)}. Either "
            "there was no request, or metrics do not arrive; without them every gate ends "
            "inconclusive.",
        )

    def close(self) -> None:
        """See ``Source.close``."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _minutes(self, start: float, end: float, *, latency: bool) -> Minutes:
        found: defaultdict[str, defaultdict[float, _Minute]] = defaultdict(
            lambda: defaultdict(_Minute)
        )
        for point in self._points([REQUESTS], start, end, BY_STATUS):
            code = _code(point.labels.get("statuscode", ""))
            if code not in NOT_THE_MODELS_CODES:
                minute = found[point.labels.get("deployment", "")][point.at]
                minute.requests = (minute.requests or 0.0) + point.value
                minute.errors += point.value if _failed(code) else 0.0
        if latency:
            for point in self._points([*PERCENTILES], start, end, BY_DEPLOYMENT):
                minute = found[point.labels.get("deployment", "")][point.at]
                minute.values[PERCENTILES[point.metric]] = point.value / 1000.0
        return found

    def _points(self, metrics: Sequence[str], start: float, end: float, only: str) -> list[_Point]:
        """Every point in ``[start, end)`` that has a value."""
        client = self._opened()
        results = answered(
            lambda: client.query_resources(
                resource_ids=[self._place.endpoint_id],
                metric_namespace=NAMESPACE,
                metric_names=metrics,
                timespan=(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)),
                granularity=timedelta(seconds=MINUTE),
                aggregations=["Average"],
                max_results=_MOST_SERIES,
                filter=only,
            ),
            self._needs(),
        )
        return [
            _Point(
                metric.name,
                {key.lower(): str(each).lower() for key, each in series.metadata_values.items()},
                at,
                point.average,
            )
            for result in results
            for metric in result.metrics
            if metric.name in metrics
            for series in metric.timeseries
            for point in series.data
            if point.average is not None and start <= (at := point.timestamp.timestamp()) < end
        ]

    def _needs(self) -> Needs:
        return Needs(
            f"Azure Monitor in {self._location}",
            "Monitoring Reader",
            f"{self._place.subscription_id}: reading metrics in batches is allowed by subscription",
            f"Look whether {self._location} is the endpoint's region and "
            f"{self._place.endpoint_id} its id.",
        )

    def _opened(self) -> Any:
        if self._client is None:
            from azure.monitor.querymetrics import MetricsClient  # noqa: PLC0415 - heavy

            self._client = MetricsClient(
                self._cloud.metrics.format(region=self._location),
                self._credential,
                audience=self._cloud.metrics_audience,
                **LIMITS,
            )
        return self._client


def _arm(minutes: Mapping[float, _Minute]) -> Arm:
    published = tuple(
        Published(
            at,
            values=minute.values,
            requests=None if minute.requests is None else round(minute.requests),
            errors=round(minute.errors),
        )
        for at, minute in sorted(minutes.items())
    )
    return Arm(
        requests=sum(each.requests or 0 for each in published),
        errors=sum(each.errors for each in published),
        published=published,
    )


def _code(label: str) -> int:
    """A status code; 0: none, so that nobody knows an answer."""
    return int(label) if label.isdecimal() else 0


def _failed(code: int) -> bool:
    return code == 0 or code >= FIRST_BAD_CODE or code in BAD_CODES
