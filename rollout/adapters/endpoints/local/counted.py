"""Which counters of Envoy's page for Prometheus are a deployment's: what a plan need not say."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_CLUSTER = 'envoy_cluster_name="ep~${deployment}~${traffic}"'
# What runs into the deployment's time limit is a 504 to the client, and has no status here.
_ANSWERED = '__name__=~"envoy_cluster_upstream_rq|envoy_cluster_upstream_rq_max_duration_reached"'

COUNTERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "requests": f"{{{_ANSWERED}, {_CLUSTER}}}",
        "errors": f'{{{_ANSWERED}, {_CLUSTER}, envoy_response_code=~"|5..|408|424|429"}}',
        "latency": f"envoy_cluster_upstream_rq_time_bucket{{{_CLUSTER}}}",
        "unit": "ms",
    }
)
