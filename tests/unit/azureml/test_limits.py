"""Azure's limits are data: each with its source, each for the user to correct."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from rollout.adapters.endpoints.azureml.limits import OVERRIDE, Limits, read_limits
from rollout.domain.errors import UsageError

FILE = Path(__file__).resolve().parents[3] / "rollout/adapters/endpoints/azureml/limits.yaml"
NOTHING: dict[str, str] = {}


def own(folder: Path, text: str) -> dict[str, str]:
    """An environment that names a file of the user's own."""
    file = folder / "limits.yaml"
    file.write_text(text)
    return {OVERRIDE: str(file)}


def test_every_limit_has_a_row_and_every_row_a_source_with_a_date() -> None:
    data = yaml.safe_load(FILE.read_text())

    limits = read_limits(NOTHING)

    names = {each.name for each in fields(Limits)} - {"version", "rows"}
    assert names == set(data["limits"])
    for name in names:
        row = limits.rows[name]
        assert data["limits"][name]["source"] in data["sources"], name
        assert row.about, name
        assert row.source[-10:-6].isdecimal(), name
    assert set(data["sources"]) == {row["source"] for row in data["limits"].values()}
    assert limits.version == str(data["version"])


@pytest.mark.parametrize(
    ("instances", "cores", "quota"), [(1, 4, 8), (2, 4, 12), (5, 4, 24), (10, 8, 96), (50, 2, 120)]
)
def test_a_deployment_takes_a_fifth_more_of_the_quota_than_it_has(
    instances: int, cores: int, quota: int
) -> None:
    assert read_limits(NOTHING).quota(instances, cores) == quota


def test_the_users_rows_come_before_ours(tmp_path: Path) -> None:
    environment = own(
        tmp_path,
        "version: ours\nsources: {letter: {title: A letter, date: 2027-01-01}}\n"
        "limits: {instances_most: {value: 80, source: letter}, mirror_most: {value: 40}}\n",
    )

    limits = read_limits(environment)

    assert (limits.instances_most, limits.mirror_most, limits.name_longest) == (80, 40, 32)
    assert limits.source("instances_most") == "A letter, 2027-01-01"
    assert limits.source("mirror_most") == "the user's own file"
    assert limits.version == "ours"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("limits: {instances_mots: {value: 80}}", "there is no limit 'instances_mots'."),
        ("limits: {instances_most: {value: many}}", "the limit instances_most is 'many'."),
        ("limits: {instances_most: {value: true}}", "the limit instances_most is true."),
        ("limits: {instances_most: 80}", "limits is not a mapping of rows."),
        ("limits: {version: {value: '1'}}", "there is no limit 'version'."),
        ("- 1", "holds no mapping."),
        ("a: [", "cannot be read: "),
    ],
    ids=["name", "text", "flag", "no-row", "no-limit", "list", "no-yaml"],
)
def test_a_row_that_is_none_is_refused(tmp_path: Path, text: str, what: str) -> None:
    environment = own(tmp_path, text)

    with pytest.raises(UsageError) as caught:
        read_limits(environment)

    assert what in str(caught.value)
    assert caught.value.do


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_limits({OVERRIDE: str(tmp_path / "none.yaml")})
