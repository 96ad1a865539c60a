"""What a plan may say of its Prometheus."""

from __future__ import annotations

import pytest

from rollout.adapters.metrics.prometheus.metering import (
    DELAY,
    Meter,
    Secret,
    metering_findings,
    read_meter,
    selector,
)
from rollout.domain.errors import EndpointRefused
from rollout.domain.plan import Metering

GOOD = {
    "address": "http://prometheus:9090/",
    "requests": 'requests_total{deployment="${deployment}"}',
    "errors": ' errors_total{deployment="${deployment}"} ',
}


def test_a_meter_has_what_the_plan_says():
    token = {"secret": "file:/run/token"}
    options = {**GOOD, "latency": '{le!="",d="${deployment}"}', "unit": "ms", "delay": "1m", "token": token, "username": "me"}  # fmt: skip

    assert read_meter(Metering("prometheus", options)) == Meter(
        "http://prometheus:9090",
        GOOD["requests"],
        GOOD["errors"].strip(),
        '{le!="",d="${deployment}"}',
        unit=1e-3,
        delay=60.0,
        username="me",
        token=Secret("file", "/run/token"),
    )


def test_a_meter_needs_little():
    found = read_meter(Metering("prometheus", GOOD))

    assert (found.latency, found.unit, found.delay, found.token) == ("", 1.0, DELAY, None)


@pytest.mark.parametrize(
    "text",
    [
        "up{d='${deployment}'}",
        'up { d = "${deployment}" , a=~"b{2}|\\"c}" }',
        '{__name__="up",d="${deployment}"}',
        "a:b:c{d=`${deployment}`}",
    ],
)
def test_the_selector_of_counters_is_taken(text: str):
    assert metering_findings(Metering("prometheus", {**GOOD, "requests": text})) == []


@pytest.mark.parametrize(
    "text",
    [
        'rate(up{d="${deployment}"}[5m])',
        'up{d="${deployment}"}[5m]',
        'up{d="${deployment}"} offset 5m',
        'up{d="${deployment}"} + up{d="${deployment}"}',
        'sum(up{d="${deployment}"})',
        'up{d="${deployment}"',
        "{}",
    ],
)
def test_an_expression_is_refused(text: str):
    found = metering_findings(Metering("prometheus", {**GOOD, "errors": text}))

    assert [path for path, _, _ in found] == [("errors",)]


@pytest.mark.parametrize(
    "address",
    [
        "prometheus:9090",
        "http://",
        "https://host:99999",
        "http://host:0",
        "http://host/a?b=c",
        "http://host/a#b",
        "http://a b",
        "file:///etc/passwd",
        "http://host?",
        "http://a..b",
        "http://.:1",
        "http://xn--zz:1",
        "http://[::1]x:90",
        "http://[v1.x]:1",
        "http://[::1",
        f"http://{'a' * 64}.example.com",
    ],
)
def test_a_strange_address_is_refused(address: str):
    found = metering_findings(Metering("prometheus", {**GOOD, "address": address}))

    assert [path for path, _, _ in found] == [("address",)]
    with pytest.raises(EndpointRefused, match=r"metrics\.address"):
        read_meter(Metering("prometheus", {**GOOD, "address": address}))


@pytest.mark.parametrize(
    "address",
    ["http://host:9090", "https://prometheus.example.com/a/b/", "http://[::1]:9090", "http://127.0.0.1", "http://bücher.example"],
)  # fmt: skip
def test_an_address_is_taken(address: str):
    assert metering_findings(Metering("prometheus", {**GOOD, "address": address})) == []


@pytest.mark.parametrize(
    "address", ["http://me:s3cret@host", "me:s3cret@host:90", "http://host?token=s3cret"]
)
def test_a_password_in_an_address_is_not_repeated(address: str):
    found = metering_findings(Metering("prometheus", {**GOOD, "address": address}))

    assert "s3cret" not in str(found)
    assert [path for path, _, _ in found] == [("address",)]


@pytest.mark.parametrize(
    ("mirrored", "found"), [(False, "up{a='g-live'}"), (True, "up{a='g-shadow'}")]
)
def test_a_selector_names_a_deployment_and_its_traffic(mirrored: bool, found: str):
    assert selector("up{a='${deployment}-${traffic}'}", deployment="g", mirrored=mirrored) == found
