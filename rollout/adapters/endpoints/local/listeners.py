"""What Envoy starts with: its public listener and the gate that mirrored requests go through."""

from __future__ import annotations

from rollout.adapters.endpoints.local.answers import LOGGED, capture_filter
from rollout.adapters.endpoints.local.xds import (
    LIVE,
    ROUTES,
    SHADOW,
    SHADOW_BUFFER_BYTES,
    SHADOW_ROUTES,
    TYPE,
    Json,
    Layout,
    file_source,
)

KEY_FILTER = "envoy.filters.http.api_key_auth"
KEY_READING: Json = {
    "key_sources": [{"header": "Authorization"}],
    # Else the live key would be sent to the scoring script, and to the shadow.
    "forwarding": {"hide_credentials": True},
}

_CONNECTION_MANAGER = (
    TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
_LOG_LINE: Json = {
    "ts": "%START_TIME(%s.%6f)%",
    "id": "%REQ(X-ROLLOUT-ID)%",
    "route": "%ROUTE_NAME%",
    "cluster": "%UPSTREAM_CLUSTER_RAW%",
    "host": "%UPSTREAM_HOST%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "us": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
    "upstream_us": "%COMMON_DURATION(US_TX_BEG:US_RX_END:us)%",
    "answer": LOGGED,
}


# Envoy's own edges lie up to five times apart. Of these each is at most a quarter above the one
# before from 4 ms on, mostly a tenth, after the series E24: so a latency check, which passes only
# at an edge within its margin of 20 %, finds one. Below 10 ms there are the whole ms only, because
# Envoy knows no others.
_E24 = (10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30, 33, 36, 39, 43, 47, 51, 56, 62, 68, 75, 82, 91)  # fmt: skip
_WHOLE_MS = (*range(1, 10), *(each * 10**power for power in range(4) for each in _E24), 100_000)
# Envoy cuts to whole ms, keeps two digits of them, and counts all of the bin that an edge falls in:
# at 120 whatever is below 130. A sixteenth less falls in the bin below, and is short as a label.
EDGES_MS = tuple(each - 0.0625 for each in _WHOLE_MS)
_LATENCIES: Json = {
    # Not of cluster.*.external.upstream_rq_time, which says the same again.
    "match": {"safe_regex": {"regex": rf"cluster\.ep~[^.]+~({LIVE}|{SHADOW})\.upstream_rq_time"}},
    "buckets": EDGES_MS,
}


def bootstrap(layout: Layout) -> Json:
    """What Envoy starts with. Listeners are static: a port that is taken ends Envoy at once."""
    return {
        "node": {"id": "rollout-local", "cluster": "rollout"},
        "admin": {"address": {"pipe": {"path": str(layout.admin_socket), "mode": 0o600}}},
        "static_resources": {"listeners": [_front(layout), _shadow_gate(layout)]},
        "dynamic_resources": {"cds_config": file_source(layout.xds / "cds.json")},
        "stats_flush_interval": "1s",
        "stats_config": {"histogram_bucket_settings": [_LATENCIES]},
        "layered_runtime": {"layers": [{"name": "static", "static_layer": {}}]},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": TYPE + "envoy.extensions.resource_monitors."
                        "downstream_connections.v3.DownstreamConnectionsConfig",
                        "max_active_downstream_connections": 20_000,
                    },
                }
            ]
        },
    }


def _front(layout: Layout) -> Json:
    key_filter: Json = {
        "name": KEY_FILTER,
        # No keys here: without its routes the listener lets nobody in.
        "typed_config": {
            "@type": TYPE + "envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth",
            **KEY_READING,
        },
    }
    return {
        "name": ROUTES,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": layout.port}},
        # With it two proxies would share the port in silence, each answering half of the requests.
        "enable_reuse_port": False,
        "filter_chains": [_filter_chain(ROUTES, layout, "rds.json", [key_filter])],
    }


def _shadow_gate(layout: Layout) -> Json:
    """A second listener for mirrored requests: so they have log lines of their own."""
    return {
        "name": SHADOW_ROUTES,
        "address": {"pipe": {"path": str(layout.shadow_socket), "mode": 0o600}},
        "per_connection_buffer_limit_bytes": SHADOW_BUFFER_BYTES,
        "filter_chains": [_filter_chain(SHADOW_ROUTES, layout, "rds.shadow.json", [])],
    }


def _filter_chain(name: str, layout: Layout, rds: str, filters: list[Json]) -> Json:
    shadow = name == SHADOW_ROUTES
    log = {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": TYPE + "envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(layout.access_log),
            "log_format": {"json_format": {**_LOG_LINE, "shadow": shadow}},
        },
    }
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": TYPE + "envoy.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers": True,
        },
    }
    manager: Json = {
        "@type": _CONNECTION_MANAGER,
        "stat_prefix": name,
        "codec_type": "AUTO",
        "generate_request_id": True,
        "preserve_external_request_id": True,
        "skip_xff_append": True,
        "server_header_transformation": "PASS_THROUGH",
        "stream_idle_timeout": "600s",
        "rds": {"route_config_name": name, "config_source": file_source(layout.xds / rds)},
        "early_header_mutation_extensions": [_no_steering()],
        "http_filters": [*filters, capture_filter(), router],
        "access_log": [log],
    }
    manager_filter = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": manager,
    }
    return {"filters": [manager_filter]}


def _no_steering() -> Json:
    """A client on the loopback counts as trusted: keep its hands off timeouts and retries."""
    steering = (
        "x-envoy-upstream-rq-timeout-ms",
        "x-envoy-upstream-rq-per-try-timeout-ms",
        "x-envoy-expected-rq-timeout-ms",
        "x-envoy-upstream-stream-duration-ms",
        "x-envoy-retry-on",
        "x-envoy-retry-grpc-on",
        "x-envoy-max-retries",
        "x-envoy-hedge-on-per-try-timeout",
        "x-envoy-upstream-rq-timeout-alt-response",
    )
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": TYPE + "envoy.extensions.http.early_header_mutation."
            "header_mutation.v3.HeaderMutation",
            "mutations": [{"remove": name} for name in steering],
        },
    }
