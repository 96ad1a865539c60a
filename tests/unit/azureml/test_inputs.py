"""A digest stands for all that is deployed, and for nothing else."""

from __future__ import annotations

import pytest

from rollout.adapters.endpoints.azureml.inputs import digest_of, signature_of


@pytest.fixture
def data(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/weights.bin").write_bytes(b"1")
    (tmp_path / "code").mkdir()
    (tmp_path / "code/score.py").write_text("def run(data): ...")
    (tmp_path / "conda.yml").write_text("name: env")
    return {
        "name": "green",
        "endpoint_name": "diabetes",
        "model": {"path": "model/"},
        "code_configuration": {"code": "code", "scoring_script": "score.py"},
        "environment": {"image": "ubuntu", "conda_file": "conda.yml"},
        "instance_type": "Standard_DS3_v2",
        "instance_count": 1,
    }


@pytest.mark.parametrize("file", ["model/weights.bin", "code/score.py", "conda.yml"])
def test_another_byte_is_another_digest(data, tmp_path, file):
    before = digest_of(data, tmp_path), signature_of(data, tmp_path)

    (tmp_path / file).write_text("other, and longer")

    assert digest_of(data, tmp_path) != before[0]
    assert signature_of(data, tmp_path) != before[1]


@pytest.mark.parametrize(
    "change",
    [{"instance_type": "Standard_F4s_v2"}, {"environment_variables": {"A": "1"}}],
    ids=["type", "variable"],
)
def test_another_value_is_another_digest(data, tmp_path, change):
    assert digest_of({**data, **change}, tmp_path) != digest_of(data, tmp_path)


@pytest.mark.parametrize(
    "change",
    [{"instance_count": 3}, {"name": "teal"}, {"endpoint_name": "other"}, {"$schema": "x"}],
    ids=["count", "name", "endpoint", "schema"],
)
def test_how_often_and_where_is_no_part_of_it(data, tmp_path, change):
    assert digest_of({**data, **change}, tmp_path) == digest_of(data, tmp_path)


def test_caches_of_python_are_no_part_of_it(data, tmp_path):
    before = digest_of(data, tmp_path)

    (tmp_path / "code/__pycache__").mkdir()
    (tmp_path / "code/__pycache__/score.pyc").write_bytes(b"x")

    assert digest_of(data, tmp_path) == before


def test_registered_assets_are_known_by_their_names(data, tmp_path):
    registered = {**data, "model": "azureml:m:1", "environment": "azureml:e:1"}

    assert digest_of(registered, tmp_path) != digest_of(
        {**registered, "model": "azureml:m:2"}, tmp_path
    )


def test_a_folder_that_holds_itself_ends(data, tmp_path):
    (tmp_path / "code/again").symlink_to(tmp_path / "code")

    assert digest_of(data, tmp_path)
