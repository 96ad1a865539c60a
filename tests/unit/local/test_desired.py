"""Orders for an endpoint: what they change, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.adapters.endpoints.local.desired import Desired
from rollout.adapters.endpoints.local.specification import Specification
from rollout.domain.errors import EndpointAway, EndpointRefused

BOTH = frozenset({"blue", "green"})


def specification(instances: int = 1) -> Specification:
    return Specification(Path("/m"), Path("/c"), "score.py", {"A": "1"}, instances=instances)


def endpoint() -> Desired:
    empty = Desired("ep", "mark", 8700)
    for name in ("blue", "green"):
        empty = empty.with_deployment(name, specification(), digest=f"d-{name}", run="r1")
    return empty.with_split({"blue": 100}, {}, BOTH)


def test_it_survives_its_file() -> None:
    before = replace(endpoint().with_split({"blue": 100}, {"green": 10}, BOTH), head="5" * 64)

    assert Desired.from_json(json.loads(json.dumps(before.to_json()))) == before


def test_a_file_from_before_the_head_was_kept_is_read() -> None:
    data = endpoint().to_json()
    del data["head"]

    assert Desired.from_json(data) == endpoint()


def test_a_file_of_another_format_is_refused() -> None:
    with pytest.raises(EndpointRefused, match="format 2"):
        Desired.from_json({**endpoint().to_json(), "format": 2})


def test_a_split_replaces_split_and_mirror_and_drops_zeros() -> None:
    mirrored = endpoint().with_split({"blue": 100, "green": 0}, {"green": 10}, BOTH)
    shifted = mirrored.with_split({"blue": 90, "green": 10}, {}, BOTH)

    assert (mirrored.traffic, mirrored.mirror) == ({"blue": 100}, {"green": 10})
    assert (shifted.traffic, shifted.mirror) == ({"blue": 90, "green": 10}, {})
    assert shifted.with_split({}, {}, BOTH).traffic == {}


@pytest.mark.parametrize(
    ("traffic", "mirror", "text"),
    [
        ({"blue": 99}, {}, "sum to 99"),
        ({"blue": 110, "green": -10}, {}, "green=-10"),
        ({"blue": 50, "black": 50}, {}, "no deployment 'black'"),
        ({"blue": 100}, {"green": 51}, "51 %"),
        ({"blue": 100}, {"green": -1}, "-1 %"),
        ({"blue": 100}, {"black": 10}, "no deployment 'black'"),
        ({"blue": 90, "green": 10}, {"green": 10}, "'green' has 10 %"),
        ({"blue": 100}, {"blue": 10, "green": 10}, "several targets"),
        ({}, {"green": 10}, "no live traffic"),
    ],
)
def test_a_wrong_split_is_refused(
    traffic: dict[str, int], mirror: dict[str, int], text: str
) -> None:
    with pytest.raises(EndpointRefused, match=text):
        endpoint().with_split(traffic, mirror, BOTH)


def test_only_what_is_ready_gets_its_first_share() -> None:
    only_green = frozenset({"green"})

    with pytest.raises(EndpointRefused, match="'green' is not ready"):
        endpoint().with_split({"blue": 90, "green": 10}, {}, frozenset({"blue"}))
    # A rollback must be possible while the baseline is in trouble but still has its share.
    shared = endpoint().with_split({"blue": 50, "green": 50}, {}, BOTH)
    assert shared.with_split({"blue": 100}, {}, only_green).traffic == {"blue": 100}


def test_the_same_digest_of_the_same_run_changes_nothing() -> None:
    scaled = endpoint().scaled("blue", 3, run="r1")

    again = scaled.with_deployment("blue", specification(), digest="d-blue", run="r1")

    assert again is scaled


def test_the_same_digest_of_another_run_is_taken_over_without_a_new_revision() -> None:
    taken = endpoint().with_deployment("blue", specification(2), digest="d-blue", run="r2")

    blue = taken.deployments["blue"]
    assert (blue.run, blue.instances, blue.revision) == ("r2", 2, 1)


def test_another_digest_is_a_new_revision() -> None:
    changed = endpoint().with_deployment("blue", specification(), digest="other", run="r2")

    assert changed.deployments["blue"].revision == 2
    assert changed.traffic == {"blue": 100}


def test_what_has_traffic_is_not_deleted() -> None:
    mirrored = endpoint().with_split({"blue": 100}, {"green": 10}, BOTH)

    for name, share in (("blue", "100 % of the live"), ("green", "10 % of the mirrored")):
        with pytest.raises(EndpointRefused, match=share):
            mirrored.without(name)


def test_deleting_is_seen_until_it_is_done_and_then_forgotten() -> None:
    deleting = endpoint().without("green")

    assert deleting.deployments["green"].deleting
    assert deleting.without("green") is deleting
    with pytest.raises(EndpointAway):
        deleting.with_deployment("green", specification(), digest="d", run="r")
    with pytest.raises(EndpointRefused):
        deleting.with_split({"green": 100}, {}, BOTH)
    assert "green" not in deleting.forgotten("green").deployments
    assert endpoint().without("nobody") == endpoint()


@pytest.mark.parametrize("instances", [0, 51, -1])
def test_an_impossible_number_of_instances_is_refused(instances: int) -> None:
    with pytest.raises(EndpointRefused, match=f"cannot have {instances}"):
        endpoint().scaled("blue", instances, run="r")


def test_scaling_what_is_not_there_is_refused() -> None:
    with pytest.raises(EndpointRefused, match="blue, green"):
        endpoint().scaled("black", 2, run="r")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-a", "a-", "1a", "a" * 33, "a~b"])
def test_a_name_that_would_be_another_path_is_refused(name: str) -> None:
    with pytest.raises(EndpointRefused, match="cannot be the name"):
        endpoint().with_deployment(name, specification(), digest="d", run="r")
