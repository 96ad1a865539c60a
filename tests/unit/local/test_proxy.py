"""What Envoy is told: the rules that keep requests from being lost or shown to the wrong one."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.adapters.endpoints.local import answers, listeners, routes, xds
from rollout.adapters.endpoints.local.xds import Config, Host, Layout, Upstream

LAYOUT = Layout(8700, Path("/x"), Path("/a.jsonl"), Path("/admin"), Path("/shadow"))
UPSTREAMS = {"blue": Upstream(5000, (Host(1), Host(2, draining=True))), "green": Upstream(900)}
KEYS = {"primary": "secret-1", "secondary": "secret-2"}


def front(traffic: dict[str, int], mirror: dict[str, int] | None = None) -> list[dict]:
    config = Config(UPSTREAMS, traffic, mirror or {}, KEYS)
    return routes.routes(config)[0]["virtual_hosts"][0]["routes"]


def split_of(traffic: dict[str, int], mirror: dict[str, int] | None = None) -> dict:
    return next(one for one in front(traffic, mirror) if one["name"].startswith("split"))


def test_the_header_comes_before_the_split_and_is_never_mirrored() -> None:
    found = front({"blue": 100}, {"green": 50})

    assert [route["name"] for route in found] == [
        "direct:blue", "direct:green", "direct:unknown", "split", "metrics", "nowhere",
    ]  # fmt: skip
    assert ["request_mirror_policies" in json.dumps(route) for route in found] == [
        False, False, False, True, False, False,
    ]  # fmt: skip
    assert found[2]["direct_response"]["status"] == 404


def test_the_mirror_counts_in_millionths() -> None:
    policy = split_of({"blue": 100}, {"green": 50})["route"]["request_mirror_policies"][0]

    share = policy["runtime_fraction"]["default_value"]
    assert share == {"numerator": 500_000, "denominator": "MILLION"}
    assert policy["cluster"] == "ep~shadowgate"


@pytest.mark.parametrize("traffic", [{}, {"blue": 0}])
def test_no_traffic_is_a_404_and_no_sum_of_zero(traffic: dict[str, int]) -> None:
    split = split_of(traffic)

    assert split["direct_response"]["status"] == 404
    assert "route" not in split


def test_zero_shares_are_no_clusters() -> None:
    weighted = split_of({"blue": 100, "green": 0})["route"]["weighted_clusters"]["clusters"]

    assert [(one["name"], one["weight"]) for one in weighted] == [("ep~blue~live", 100)]


def test_keys_are_in_the_routes_only_and_are_never_passed_on() -> None:
    config = Config(UPSTREAMS, {"blue": 100}, {}, KEYS)
    others = [
        listeners.bootstrap(LAYOUT),
        xds.clusters(config, LAYOUT),
        routes.shadow_routes(config),
        xds.hosts("blue", UPSTREAMS["blue"]),
    ]

    text = json.dumps(routes.routes(config))

    assert "secret-1" in text
    assert "secret-2" in text
    assert '"hide_credentials": true' in text
    assert "secret" not in json.dumps(others)
    assert '"hide_credentials": true' in json.dumps(others[0]), "fails closed without routes"


def test_the_public_listener_is_on_the_loopback_and_shares_its_port_with_nobody() -> None:
    public, gate = listeners.bootstrap(LAYOUT)["static_resources"]["listeners"]

    assert public["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 8700}
    assert public["enable_reuse_port"] is False
    assert gate["address"]["pipe"] == {"path": "/shadow", "mode": 0o600}


def test_of_the_administration_one_page_can_be_read_and_nothing_else() -> None:
    config = Config(UPSTREAMS, {"blue": 100}, {}, KEYS)
    administration = [
        one["name"] for one in xds.clusters(config, LAYOUT) if '"/admin"' in json.dumps(one)
    ]

    leading = [one for one in by_name(config).values() if xds.METRICS in json.dumps(one)]

    assert administration == [xds.METRICS]
    assert [(one["match"], one["route"]) for one in leading] == [
        (
            {
                "path": "/metrics",
                "headers": [{"name": ":method", "string_match": {"exact": "GET"}}],
            },
            {"cluster": xds.METRICS, "prefix_rewrite": "/stats/prometheus?usedonly"},
        )
    ]


def test_the_endpoint_says_truly_where_it_answers() -> None:
    *known, nowhere = front({"blue": 100})

    said = nowhere["direct_response"]["body"]["inline_string"]

    assert nowhere["match"] == {"prefix": "/"}
    assert set(re.findall(r"(?<= )/[a-z]+", said)) == {one["match"]["path"] for one in known}


@pytest.mark.parametrize("limit_ms", [5, 12, 50, 137, 300, 999, 2500, 60_000])
def test_a_latency_check_finds_an_edge_within_its_margin(limit_ms: int) -> None:
    (settings,) = listeners.bootstrap(LAYOUT)["stats_config"]["histogram_bucket_settings"]

    edges = settings["buckets"]

    assert list(edges) == sorted(set(edges))
    assert any(limit_ms / 1.2 < edge <= limit_ms for edge in edges)
    assert any(limit_ms <= edge < limit_ms * 1.2 for edge in edges)


def test_edges_are_set_for_what_deployments_answer() -> None:
    (settings,) = listeners.bootstrap(LAYOUT)["stats_config"]["histogram_bucket_settings"]
    pattern = re.compile(settings["match"]["safe_regex"]["regex"])
    names = [one["name"] for one in xds.clusters(Config(UPSTREAMS), LAYOUT)]

    fine = [name for name in names if pattern.fullmatch(f"cluster.{name}.upstream_rq_time")]

    assert fine == ["ep~blue~live", "ep~blue~shadow", "ep~green~live", "ep~green~shadow"]
    assert not pattern.fullmatch("cluster.ep~blue~live.external.upstream_rq_time")


def test_each_deployment_has_its_own_time_limit_and_a_bounded_shadow() -> None:
    clusters = {one["name"]: one for one in xds.clusters(Config(UPSTREAMS), LAYOUT)}

    limits = {
        name: one["typed_extension_protocol_options"][
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        ]["common_http_protocol_options"]["max_stream_duration"]
        for name, one in clusters.items()
        if name not in {"ep~shadowgate", "ep~metrics"}
    }
    assert limits == {
        "ep~blue~live": "5.000s", "ep~blue~shadow": "5.000s",
        "ep~green~live": "0.900s", "ep~green~shadow": "0.900s",
    }  # fmt: skip
    shadow = clusters["ep~green~shadow"]["circuit_breakers"]["thresholds"][0]
    assert shadow["max_requests"] == 64
    # The last server is never ejected: one reset must not become an outage.
    assert clusters["ep~blue~live"]["outlier_detection"]["max_ejection_percent"] == 50


def test_a_draining_server_is_told_to_envoy() -> None:
    found = xds.hosts("blue", UPSTREAMS["blue"])[0]["endpoints"][0]["lb_endpoints"]

    assert [one["health_status"] for one in found] == ["HEALTHY", "DRAINING"]


def test_a_leaving_deployment_has_a_cluster_and_no_route() -> None:
    config = Config({"blue": UPSTREAMS["blue"], "green": Upstream(900, leaving=True)})

    text = json.dumps([routes.routes(config), routes.shadow_routes(config)])

    assert "green" not in text
    assert "ep~green~live" in json.dumps(xds.clusters(config, LAYOUT))


def by_name(config: Config) -> dict[str, dict]:
    """Every route of both listeners."""
    tables = [*routes.routes(config), *routes.shadow_routes(config)]
    return {one["name"]: one for table in tables for one in table["virtual_hosts"][0]["routes"]}


def test_answers_are_kept_only_of_what_is_measured() -> None:
    config = Config(UPSTREAMS, {"blue": 100}, {"green": 50}, KEYS)

    off, on = by_name(config), by_name(replace(config, capture_until=1_800_000_000))

    assert answers.FILTER not in json.dumps(off)
    assert {name for name, route in on.items() if answers.FILTER in json.dumps(route)} == {
        "split", "shadow:blue", "shadow:green",
    }  # fmt: skip
    here = on["split"]["typed_per_filter_config"][answers.FILTER]["config"]
    assert here["filter_context"] == {"until": 1_800_000_000, "most": 16_384}


def test_the_capture_is_off_in_every_listener_and_behind_the_keys() -> None:
    for one in listeners.bootstrap(LAYOUT)["static_resources"]["listeners"]:
        manager = one["filter_chains"][0]["filters"][0]["typed_config"]
        *others, capture, router = manager["http_filters"]

        assert (capture["name"], capture["disabled"]) == (answers.FILTER, True)
        assert router["name"] == "envoy.filters.http.router"
        assert [each["name"] for each in others] in ([], [listeners.KEY_FILTER])


def test_no_header_of_a_request_is_logged_but_the_id() -> None:
    text = json.dumps(listeners.bootstrap(LAYOUT)["static_resources"]["listeners"])

    assert re.findall(r"%REQ\([^)]*\)%", text) == ["%REQ(X-ROLLOUT-ID)%"] * 2
    assert "%RESP" not in text.replace("%RESPONSE_", "")
