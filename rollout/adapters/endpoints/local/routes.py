"""Which request goes where: by header, through the split, into the shadow, to metrics, or nowhere."""

from __future__ import annotations

from rollout.adapters.endpoints.local.answers import captured
from rollout.adapters.endpoints.local.listeners import KEY_FILTER, KEY_READING
from rollout.adapters.endpoints.local.xds import (
    DEPLOYMENT_HEADER,
    LIVE,
    METRICS,
    ROUTES,
    SHADOW,
    SHADOW_GATE,
    SHADOW_ROUTES,
    TYPE,
    Config,
    Json,
    cluster_name,
)

_SHADOW_HEADER = "x-rollout-shadow"
_ID_HEADER = "x-rollout-id"
_MILLIONTHS_IN_A_PERCENT = 10_000
# Above every deployment's own limit, which its cluster enforces: a weighted route has one timeout.
_ROUTE_TIMEOUT = "600s"

# What never reached a server is tried again; a request that one has begun to read is not.
_RETRIES: Json = {
    "retry_on": "connect-failure,refused-stream,reset-before-request",
    "num_retries": 3,
    "retry_back_off": {"base_interval": "0.01s", "max_interval": "0.1s"},
    "host_selection_retry_max_attempts": 3,
    "retry_host_predicate": [
        {
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": {
                "@type": TYPE
                + "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
            },
        }
    ],
}


def routes(config: Config) -> list[Json]:
    """The public routes: by header first, then split with mirror, metrics, and what is nowhere."""
    by_header = [_direct_route(name) for name in _reachable(config)]
    return [
        {
            "@type": TYPE + "envoy.config.route.v3.RouteConfiguration",
            "name": ROUTES,
            "validate_clusters": False,
            "virtual_hosts": [
                {
                    "name": ROUTES,
                    "domains": ["*"],
                    "routes": [
                        *by_header,
                        _unknown_route(),
                        _split_route(config),
                        _metrics_route(),
                        _nowhere_route(),
                    ],
                    "request_headers_to_add": [_header(_ID_HEADER, "%UNIQUE_ID%")],
                    "typed_per_filter_config": {KEY_FILTER: _keys(config)},
                }
            ],
        }
    ]


def shadow_routes(config: Config) -> list[Json]:
    """The routes behind the shadow gate: the mirror's own header names the deployment."""
    return [
        {
            "@type": TYPE + "envoy.config.route.v3.RouteConfiguration",
            "name": SHADOW_ROUTES,
            "validate_clusters": False,
            "virtual_hosts": [
                {
                    "name": SHADOW_ROUTES,
                    "domains": ["*"],
                    "routes": [_shadow_route(name, config) for name in _reachable(config)],
                    "request_headers_to_remove": [_SHADOW_HEADER],
                }
            ],
        }
    ]


def _reachable(config: Config) -> list[str]:
    return sorted(name for name, one in config.upstreams.items() if not one.leaving)


def _header(name: str, value: str) -> Json:
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def _keys(config: Config) -> Json:
    return {
        "@type": TYPE + "envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuthPerRoute",
        "credentials": [{"key": key, "client": name} for name, key in sorted(config.keys.items())],
        **KEY_READING,
    }


def _direct_route(deployment: str) -> Json:
    named = {"name": DEPLOYMENT_HEADER, "string_match": {"exact": deployment}}
    return {
        "name": f"direct:{deployment}",
        "match": {"path": "/score", "headers": [named]},
        "route": {
            "cluster": cluster_name(deployment, LIVE),
            "timeout": _ROUTE_TIMEOUT,
            "retry_policy": _RETRIES,
        },
        "response_headers_to_add": [_header(DEPLOYMENT_HEADER, deployment)],
    }


def _unknown_route() -> Json:
    return {
        "name": "direct:unknown",
        "match": {
            "path": "/score",
            "headers": [{"name": DEPLOYMENT_HEADER, "present_match": True}],
        },
        **_not_found("No deployment of this endpoint has that name."),
    }


def _metrics_route() -> Json:
    """Envoy's page for Prometheus, for whoever has the key.

    Path and method are exact, so that no other page of the administration can be asked for; what
    a client adds behind a question mark makes the page longer or shorter.
    """
    return {
        "name": "metrics",
        "match": {
            "path": "/metrics",
            "headers": [{"name": ":method", "string_match": {"exact": "GET"}}],
        },
        "route": {"cluster": METRICS, "prefix_rewrite": "/stats/prometheus?usedonly"},
    }


def _nowhere_route() -> Json:
    """Without it a request with a good key would be told that its key is wrong."""
    return {
        "name": "nowhere",
        "match": {"prefix": "/"},
        **_not_found("This endpoint answers at /score only; its metrics are at GET /metrics."),
    }


def _split_route(config: Config) -> Json:
    if not any(config.traffic.values()):
        # Envoy refuses weights that sum to 0.
        return {
            "name": "split:none",
            "match": {"path": "/score"},
            **_not_found("No deployment of this endpoint has live traffic."),
        }
    route: Json = {
        "weighted_clusters": {
            "clusters": [
                {
                    "name": cluster_name(name, LIVE),
                    "weight": percent,
                    "response_headers_to_add": [_header(DEPLOYMENT_HEADER, name)],
                }
                for name, percent in sorted(config.traffic.items())
                if percent > 0
            ]
        },
        "timeout": _ROUTE_TIMEOUT,
        "retry_policy": _RETRIES,
    }
    mirrors = [_mirror(name, percent) for name, percent in config.mirror.items() if percent > 0]
    if mirrors:
        route["request_mirror_policies"] = mirrors
    return {
        "name": "split",
        "match": {"path": "/score"},
        "route": route,
        **captured(config.capture_until),
    }


def _mirror(deployment: str, percent: int) -> Json:
    # With a denominator of 100 Envoy uses one random number for split and mirror: every mirrored
    # request would be one of the first deployment in the split.
    share = {"numerator": percent * _MILLIONTHS_IN_A_PERCENT, "denominator": "MILLION"}
    return {
        "cluster": SHADOW_GATE,
        "disable_shadow_host_suffix_append": True,
        "trace_sampled": False,
        "runtime_fraction": {"default_value": share},
        "request_headers_mutations": [{"append": _header(_SHADOW_HEADER, deployment)}],
    }


def _shadow_route(deployment: str, config: Config) -> Json:
    named = {"name": _SHADOW_HEADER, "string_match": {"exact": deployment}}
    return {
        "name": f"shadow:{deployment}",
        "match": {"prefix": "/", "headers": [named]},
        "route": {"cluster": cluster_name(deployment, SHADOW), "timeout": _ROUTE_TIMEOUT},
        **captured(config.capture_until),
    }


def _not_found(text: str) -> Json:
    return {
        "direct_response": {
            "status": 404,
            "body": {"inline_string": f'{{"message": "{text}"}}'},
        },
        "response_headers_to_add": [_header("content-type", "application/json")],
    }
