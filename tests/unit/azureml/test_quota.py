"""Cores: what a plan grows by, and what Azure's lists say is left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.adapters.endpoints.azureml.limits import read_limits
from rollout.adapters.endpoints.azureml.quota import (
    Growth,
    Pool,
    Size,
    growths,
    judged,
    pool_of,
    regional_pool,
    sizes_of,
)
from rollout.adapters.endpoints.azureml.wanted import Wanted
from rollout.domain.plan import Bootstrap, Create, Delete, Scale, Stage
from rollout.ports.doctor import State
from tests.unit.azureml.fake_arm import plan, usage

DS3 = "Standard_DS3_v2"
FAMILY = "standardDSv2Family"
SIZES = {DS3.lower(): Size(FAMILY, 4)}
QUOTA = read_limits({}).quota
GREEN = Wanted("green", DS3, 2)
BLUE = Wanted("blue", DS3, 1)


def test_both_deployments_count_at_once_and_what_runs_already_does_not() -> None:
    found = growths(plan(), {"candidate": GREEN, "baseline": None}, {"blue": BLUE})

    assert found == (Growth("blue", DS3, 1, 2), Growth("green", DS3, 0, 2))


def test_a_baseline_that_is_still_to_be_created_counts() -> None:
    stages = (Stage("bootstrap", Bootstrap()), Stage("create", Create("candidate")))

    found = growths(plan(stages=stages), {"candidate": GREEN, "baseline": BLUE}, {})

    assert found == (Growth("blue", DS3, 0, 1), Growth("green", DS3, 0, 2))


def test_a_candidate_that_is_scaled_later_counts_as_its_largest() -> None:
    stages = (Stage("create", Create("candidate")), Stage("scale", Scale("candidate", 6)))

    found = growths(plan(stages=stages), {"candidate": GREEN, "baseline": None}, {"blue": BLUE})

    assert found == (Growth("green", DS3, 0, 6),)


def test_a_deletion_gives_nothing_back_before_the_end() -> None:
    whole = plan()
    stages = (*whole.stages, Stage("delete", Delete("baseline")))

    found = growths(replace(whole, stages=stages), {"candidate": GREEN}, {"blue": BLUE})

    assert [each.name for each in found] == ["blue", "green"]


def test_the_file_that_names_a_size_is_known_unless_the_deployment_runs_with_it() -> None:
    whole = plan()
    candidate = replace(whole.candidate, file="green.yml")

    fresh = growths(replace(whole, candidate=candidate), {"candidate": GREEN}, {})
    going = growths(
        replace(whole, candidate=candidate),
        {"candidate": GREEN},
        {"green": replace(GREEN, instances=1)},
    )

    assert [each.file for each in fresh if each.name == "green"] == ["green.yml"]
    assert [each.file for each in going if each.name == "green"] == [""]


def test_a_run_that_is_resumed_needs_no_more_than_what_is_missing() -> None:
    there = {"blue": Wanted("blue", DS3, 2), "green": GREEN}

    found = growths(plan(), {"candidate": GREEN, "baseline": None}, there)

    assert found == ()
    assert [each.text for each in judged(found, SIZES, (), QUOTA)] == ["No more cores are needed."]


@pytest.mark.parametrize(
    ("limit", "state", "text"),
    [
        (48, State.GOOD, "Needs 16 more cores of standardDSv2Family (have 40)."),
        (24, State.GOOD, "Needs 16 more cores of standardDSv2Family (have 16)."),
        (
            23,
            State.BAD,
            (
                "Needs 16 more cores of standardDSv2Family (have 15): blue 1 -> 2 x "
                "Standard_DS3_v2, green 0 -> 2 x Standard_DS3_v2, with the fifth that Azure keeps "
                "for upgrades. Ask for more cores, or take fewer instances. To do without this "
                "check, write preflight: {quota: false}."
            ),
        ),
        (-1, State.GOOD, "Needs 16 more cores of standardDSv2Family (no limit)."),
    ],
    ids=["plenty", "just", "short", "unlimited"],
)
def test_a_family_has_the_cores_or_not(limit: int, state: State, text: str) -> None:
    growing = (Growth("blue", DS3, 1, 2), Growth("green", DS3, 0, 2))

    (found,) = judged(growing, SIZES, [usage(FAMILY, 8, limit)], QUOTA)

    assert (found.name, found.state, found.text) == (FAMILY, state, text)


def test_all_families_together_must_fit_the_region() -> None:
    sizes = {**SIZES, "standard_f4s_v2": Size("standardFSv2Family", 4)}
    growing = (Growth("blue", DS3, 1, 2), Growth("green", "Standard_F4s_v2", 0, 2))
    usages = [
        usage(FAMILY, 0, 100),
        usage("standardFSv2Family", 0, 100),
        {
            "currentValue": 90,
            "limit": 100,
            "name": {"value": "TotalDedicatedCores", "localizedValue": "Total Cluster Dedicated"},
        },
    ]

    found = judged(growing, sizes, usages, QUOTA)

    assert [each.state for each in found] == [State.GOOD, State.GOOD, State.BAD]
    assert found[2].text.startswith("Needs 16 more cores of all families of the region (have 10)")


def test_a_size_that_azure_does_not_list_is_refused_with_the_file_that_names_it() -> None:
    growing = (Growth("green", "Standard_FOO", 0, 2, "green.yml"),)

    (found,) = judged(growing, SIZES, (), QUOTA, region="eastus2")

    assert (found.state, found.name) == (State.BAD, "Standard_FOO")
    assert found.text == (
        "Azure lists no size Standard_FOO in eastus2. "
        "Correct instance_type in green.yml or the plan's set."
    )


@pytest.mark.parametrize(
    ("sizes", "file"),
    [({}, "green.yml"), ({**SIZES, "standard_x1": None}, "green.yml"), (SIZES, "")],
    ids=["empty-list", "no-cores", "runs-already"],
)
def test_a_size_of_which_azure_tells_too_little_is_told_and_fails_nothing(
    sizes: dict[str, Size | None], file: str
) -> None:
    (found,) = judged((Growth("green", "Standard_X1", 1, 2, file),), sizes, (), QUOTA)

    assert found.state is State.UNKNOWN
    assert found.text.startswith(
        "Not checked: Azure tells no cores of size Standard_X1 in this region (green)."
    )


def test_a_family_without_a_usage_is_told_and_fails_nothing() -> None:
    (found,) = judged((Growth("green", DS3, 0, 2),), SIZES, (), QUOTA)

    assert found.state is State.UNKNOWN
    assert "12 more cores are needed" in found.text


def test_low_priority_cores_and_looser_limits_do_not_count() -> None:
    usages = [
        usage(FAMILY, 0, 9, name={"value": FAMILY, "localizedValue": "X Low Priority vCPUs"}),
        usage(FAMILY, 8, 48),
        usage(FAMILY, 0, 20, id="/.../workspaces/mlw/usages"),
        usage("standardDSv3Family", 0, 1),
    ]

    assert pool_of(FAMILY.upper(), usages) == Pool(FAMILY.upper(), 20)
    assert pool_of("standardNCFamily", usages) is None
    assert regional_pool(usages) is None


def test_sizes_are_found_in_any_case_and_without_cores_as_such() -> None:
    items = [{"name": "STANDARD_DS3_V2", "family": FAMILY, "vCPUs": 4}, {"name": "odd"}]

    assert sizes_of(items) == {**SIZES, "odd": None}
