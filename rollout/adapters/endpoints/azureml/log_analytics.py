"""Measurements from a Log Analytics workspace that gets the endpoint's traffic log: exact counts.

What the queries use of KQL: ``where``, ``extend``, ``summarize .. by``, ``count``, ``bin``, ``iff``,
``toint``, ``log``, ``ceiling``, comparisons (``=~`` as well), ``and`` and ``or``, literals of text,
number, datetime and timespan. A comparison with what is missing holds nowhere, so each ``iff`` ends
in what is right for a missing value.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rollout.adapters.endpoints.azureml.place import Cloud, Place
from rollout.adapters.endpoints.azureml.source import PROBE_AGENT
from rollout.adapters.endpoints.azureml.sources import (
    BAD_CODES,
    FIRST_BAD_CODE,
    LIMITS,
    NOT_THE_MODELS_CODES,
    Needs,
    answered,
    since,
)
from rollout.domain.errors import EndpointAway, EndpointRefused
from rollout.domain.measure import GROWTH, NEVER, Arm, Interval
from rollout.domain.units import spell_duration
from rollout.ports.doctor import UNLOOKED
from rollout.ports.endpoint import Finding, Reading

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

TABLE = "AmlOnlineEndpointTrafficLog"
LONGEST = 600.0  # seconds that one reading covers at most
_LOOK_BACK = 3600.0  # seconds
_LONGEST_RHYTHM = 15.0  # seconds
_CHECK = "metrics arrive"
_UNTIMED = -1  # a request that was answered, its duration not logged

_ROWS: Final = f"""{TABLE}
| where TimeGenerated >= datetime({{start}}) and TimeGenerated < datetime({{end}})
| where AzureMLWorkspaceName =~ {{workspace}} and EndpointName =~ {{endpoint}}
"""
_BUCKETS: Final = f"""| where {{deployments}}
| where UserAgent != "{PROBE_AGENT}"
| extend Code = iff(toint(ResponseCode) > 0, toint(ResponseCode), 0)
| extend Micros = TotalDurationMs * 1000.0
| where {" and ".join(f"Code != {code}" for code in NOT_THE_MODELS_CODES)}
| extend Fine = iff(Code > 0 and Code < {FIRST_BAD_CODE}
    and {" and ".join(f"Code != {code}" for code in BAD_CODES)}, 1, 0)
| extend Timed = iff(Micros > 1.0, toint(ceiling(log(Micros) / {math.log(GROWTH)!r} - 1e-9)),
    iff(Micros >= 0.0, 0, {_UNTIMED}))
| extend Bucket = iff(Fine == 1, Timed, {NEVER})
"""
READING: Final = f"{_ROWS}{_BUCKETS}| summarize Requests = count() by DeploymentName, Bucket"
HISTORY: Final = f"{_ROWS}{_BUCKETS}| summarize Requests = count() by Batch = bin(TimeGenerated, {{batch}}), Bucket"
ARRIVES: Final = f"{_ROWS}| summarize Requests = count()"


def rhythm(delay: float) -> float:
    """Seconds of a reading, and between two: short against the delay, and no burden on the service.

    >>> rhythm(600.0), rhythm(2.0)
    (15.0, 1.0)
    """
    return min(_LONGEST_RHYTHM, max(1.0, delay / 4.0))


def lag(delay: float) -> float:
    """Seconds until what happens now is read, at most."""
    return delay + 2 * rhythm(delay)


class LogAnalytics:
    """A ``Source``: one query a reading, over whole requests that are old enough to be there.

    Args:
        place: The endpoint.
        cloud: Has the query service.
        workspace_id: The Log Analytics workspace's id, a GUID.
        credential: Who asks.
        delay: Seconds after which a request is taken to be in the log.
    """

    def __init__(
        self,
        place: Place,
        cloud: Cloud,
        workspace_id: str,
        credential: TokenCredential,
        delay: float = 600.0,
    ) -> None:
        self._place = place
        self._cloud = cloud
        self._workspace = workspace_id
        self._credential = credential
        self._delay = delay
        self._client: Any = None
        self.grain = self.pace = rhythm(delay)
        self.lag = lag(delay)

    def cursor(self, moment: float) -> str:
        """See ``Source.cursor``."""
        return f"{math.ceil(moment * 1000.0) / 1000.0:.3f}"

    def read(
        self,
        cursor: str,
        *,
        moment: float,
        names: Mapping[str, str],
        mirrored: bool,
        histogram: bool,
    ) -> Reading:
        """See ``Source.read``; latencies are exact to the log's millisecond."""
        del mirrored, histogram
        start = since(cursor)
        end = math.floor((min(moment - self._delay, start + LONGEST)) * 1000.0) / 1000.0
        if end - start < self.grain:
            return Reading(cursor, None)
        rows = self._rows(self._asked(READING, start, end, names.values()), start, end)
        found: defaultdict[str, Counter[int]] = defaultdict(Counter)
        for row in rows:
            found[str(row["DeploymentName"]).lower()][int(row["Bucket"])] += int(row["Requests"])
        arms = {role: _arm(found[name.lower()]) for role, name in names.items()}
        return Reading(f"{end:.3f}", Interval(start, end, arms))

    def history(
        self, *, moment: float, deployment: str, seconds: float, batch: float
    ) -> tuple[Arm, ...]:
        """See ``Source.history``."""
        end = math.floor((moment - self._delay) / batch) * batch
        count = math.floor(seconds / batch)
        start = end - count * batch
        query = self._asked(HISTORY, start, end, [deployment], batch=batch)
        found: defaultdict[int, Counter[int]] = defaultdict(Counter)
        for row in self._rows(query, start, end):
            at = round((row["Batch"].timestamp() - start) / batch)
            found[at][int(row["Bucket"])] += int(row["Requests"])
        return tuple(_arm(found[at]) for at in range(count)) if found else ()

    def arrives(self, *, moment: float) -> Finding:
        """See ``Source.arrives``."""
        end = moment - self._delay
        start = end - _LOOK_BACK
        try:
            rows = self._rows(self._asked(ARRIVES, start, end), start, end)
        except EndpointRefused as error:
            return Finding(_CHECK, False, str(error))
        requests = sum(int(row["Requests"]) for row in rows)
        hour = f"the hour before the last {spell_duration(self._delay)}"
        if requests:
            return Finding(_CHECK, True, f"{TABLE} has {requests:,} requests of {hour}.")
        return Finding(
            _CHECK,
            True,
            f"{UNLOOKED}{TABLE} has no request of {hour}. Either there was none, or the workspace's "
            "diagnostic setting does not send that table to this Log Analytics workspace; without it "
            "every gate ends inconclusive.",
        )

    def close(self) -> None:
        """See ``Source.close``."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _asked(
        self,
        query: str,
        start: float,
        end: float,
        deployments: Iterable[str] = (),
        *,
        batch: float = 0.0,
    ) -> str:
        return query.format(
            start=_datetime(start),
            end=_datetime(end),
            workspace=literal(self._place.workspace),
            endpoint=literal(self._place.endpoint),
            deployments=" or ".join(f"DeploymentName =~ {literal(name)}" for name in deployments),
            batch=f"{round(batch * 1000)}ms",
        )

    def _rows(self, query: str, start: float, end: float) -> Sequence[Any]:
        """The query's only table; partial results are none."""
        client = self._opened()
        found = answered(
            lambda: client.query_workspace(
                self._workspace,
                query,
                timespan=(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)),
            ),
            Needs(
                f"Log Analytics workspace {self._workspace}",
                "Log Analytics Reader",
                f"the Log Analytics workspace {self._workspace}",
                f"Look whether that workspace gets the table {TABLE}: by a diagnostic setting on "
                f"workspace {self._place.workspace}, category {TABLE}.",
            ),
        )
        partial = getattr(found, "partial_error", None)
        if partial is not None:
            raise EndpointAway(
                f"Log Analytics answered in part only: {partial.message or partial.code}",
                do="What is missing is not guessed; the same time is asked for again.",
            )
        rows: Sequence[Any] = found.tables[0].rows if found.tables else ()
        return rows

    def _opened(self) -> Any:
        if self._client is None:
            from azure.monitor.query import LogsQueryClient  # noqa: PLC0415 - heavy

            self._client = LogsQueryClient(self._credential, endpoint=self._cloud.logs, **LIMITS)
        return self._client


def literal(text: str) -> str:
    r"""A text as KQL writes it, whatever is in it.

    >>> print(literal('a"b\\c'))
    "a\"b\\c"
    """
    shown = {"\\": "\\\\", '"': '\\"'}
    plain = (
        shown.get(each, each if " " <= each < "\x7f" else f"\\u{ord(each):04x}") for each in text
    )
    return f'"{"".join(plain)}"'


def _datetime(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _arm(buckets: Mapping[int, int]) -> Arm:
    timed = {bucket: count for bucket, count in buckets.items() if bucket != _UNTIMED}
    return Arm(sum(buckets.values()), buckets.get(NEVER, 0), timed)
