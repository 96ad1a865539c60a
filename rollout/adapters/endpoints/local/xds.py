"""What Envoy is told of one endpoint, as values; its clusters and hosts as Envoy's own data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Json = dict[str, object]

LIVE = "live"
SHADOW = "shadow"
ROUTES = "ep"
SHADOW_ROUTES = "ep~shadow"
DEPLOYMENT_HEADER = "azureml-model-deployment"

TYPE = "type.googleapis.com/"
SHADOW_GATE = "ep~shadowgate"
METRICS = "ep~metrics"
# A shadow that hangs must not pile up requests; what is dropped here is flagged UO and not counted.
_SHADOWS_IN_FLIGHT = 64
# With streaming mirrors a full buffer would slow the live request down; so it is hard to fill.
SHADOW_BUFFER_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Host:
    """One scoring server on the loopback; a draining one finishes what it has."""

    port: int
    draining: bool = False


@dataclass(frozen=True, slots=True)
class Upstream:
    """A deployment as the proxy knows it.

    Args:
        timeout_ms: Time limit of one request.
        leaving: No route names it any more; what is in flight is finished.
    """

    timeout_ms: int
    hosts: tuple[Host, ...] = ()
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """Everything of the proxy that changes while it runs.

    Args:
        upstreams: By deployment name; each can be reached by header, at 0 % as well.
        traffic: Deployment -> percent; sums to 100, or is empty.
        mirror: Deployment -> percent of the requests that came through the split.
        keys: Name of the key -> key.
        capture_until: Answers are kept in the access log until then, Unix seconds; 0: they are not.
    """

    upstreams: Mapping[str, Upstream] = field(default_factory=dict)
    traffic: Mapping[str, int] = field(default_factory=dict)
    mirror: Mapping[str, int] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    capture_until: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where Envoy listens and which files it watches."""

    port: int
    xds: Path
    access_log: Path
    admin_socket: Path
    shadow_socket: Path


def cluster_name(deployment: str, kind: str) -> str:
    """The name in statistics and in the access log.

    >>> cluster_name("blue", LIVE)
    'ep~blue~live'
    """
    return f"ep~{deployment}~{kind}"


def hosts_file(deployment: str) -> str:
    """The file that lists a deployment's hosts."""
    return f"eds.{deployment}.json"


def clusters(config: Config, layout: Layout) -> list[Json]:
    """Two clusters a deployment, live and shadow, so that each has its own counts."""
    found = [
        _cluster(name, kind, upstream, layout)
        for name, upstream in sorted(config.upstreams.items())
        for kind in (LIVE, SHADOW)
    ]
    return [*found, _gate_cluster(layout), _metrics_cluster(layout)]


def hosts(deployment: str, upstream: Upstream) -> list[Json]:
    """Where a deployment's servers are."""
    return [
        {
            "@type": TYPE + "envoy.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": _service(deployment),
            "endpoints": [{"lb_endpoints": [_host(host) for host in upstream.hosts]}],
        }
    ]


def _service(deployment: str) -> str:
    return f"ep~{deployment}"


def file_source(path: Path) -> Json:
    """A file that Envoy reads, and reads again when it is replaced."""
    return {"resource_api_version": "V3", "path_config_source": {"path": str(path)}}


def _cluster(deployment: str, kind: str, upstream: Upstream, layout: Layout) -> Json:
    limit = _SHADOWS_IN_FLIGHT if kind == SHADOW else 10_000
    found: Json = {
        "@type": TYPE + "envoy.config.cluster.v3.Cluster",
        "name": cluster_name(deployment, kind),
        "type": "EDS",
        "eds_cluster_config": {
            "service_name": _service(deployment),
            "eds_config": file_source(layout.xds / hosts_file(deployment)),
        },
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": 10_000,
                    "max_pending_requests": limit,
                    "max_requests": limit,
                    "max_retries": 100,
                }
            ]
        },
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "outlier_detection": _OUTLIERS,
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": TYPE + "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "common_http_protocol_options": {
                    "max_stream_duration": f"{upstream.timeout_ms / 1000:.3f}s"
                },
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }
    if kind == SHADOW:
        found["per_connection_buffer_limit_bytes"] = SHADOW_BUFFER_BYTES
    return found


# LEAST_REQUEST likes a dead server (nothing in flight there), so one refused connection ejects it
# for a second. Never the last one: a reset in one request must not become an outage.
_OUTLIERS: Json = {
    "split_external_local_origin_errors": True,
    "consecutive_local_origin_failure": 1,
    "enforcing_consecutive_local_origin_failure": 100,
    "enforcing_local_origin_success_rate": 0,
    "enforcing_consecutive_gateway_failure": 0,
    "enforcing_consecutive_5xx": 0,
    "enforcing_success_rate": 0,
    "interval": "1s",
    "base_ejection_time": "1s",
    "max_ejection_time": "5s",
    "max_ejection_percent": 50,
}


def _gate_cluster(layout: Layout) -> Json:
    return {
        "@type": TYPE + "envoy.config.cluster.v3.Cluster",
        "name": SHADOW_GATE,
        "type": "STATIC",
        "connect_timeout": "1s",
        "per_connection_buffer_limit_bytes": SHADOW_BUFFER_BYTES,
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": 10_000,
                    "max_pending_requests": 10_000,
                    "max_requests": 10_000,
                }
            ]
        },
        "load_assignment": _at_socket(SHADOW_GATE, layout.shadow_socket),
    }


def _metrics_cluster(layout: Layout) -> Json:
    """Envoy's own administration. One route leads here, and it chooses the page: see routes.py."""
    return {
        "@type": TYPE + "envoy.config.cluster.v3.Cluster",
        "name": METRICS,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": _at_socket(METRICS, layout.admin_socket),
    }


def _at_socket(cluster: str, path: Path) -> Json:
    pipe = {"endpoint": {"address": {"pipe": {"path": str(path)}}}}
    return {"cluster_name": cluster, "endpoints": [{"lb_endpoints": [pipe]}]}


def _host(host: Host) -> Json:
    address = {"address": "127.0.0.1", "port_value": host.port}
    return {
        "endpoint": {"address": {"socket_address": address}},
        "health_status": "DRAINING" if host.draining else "HEALTHY",
    }
