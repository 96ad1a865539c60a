"""The pages on Azure ML say what is so: the guide's plan is valid, every open point has its test."""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path

import yaml

from rollout import api

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs/azureml"
PLACE = {
    "AZURE_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000001",
    "AZURE_RESOURCE_GROUP": "rg-lab",
    "AZUREML_WORKSPACE": "mlw-lab",
}


def blocks(page: str, language: str = "yaml") -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_guides_plan_is_valid_here_and_on_the_local_endpoint(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "plans", tmp_path, dirs_exist_ok=True)
    (text,) = blocks("README.md")
    azure, local = tmp_path / "azure.rollout.yaml", tmp_path / "local.rollout.yaml"
    azure.write_text(text)
    elsewhere = "endpoint: {provider: local, name: diabetes, file: endpoint.yml}\n"
    local.write_text(re.sub(r"endpoint:\n(  .*\n)+", elsewhere, text, count=1))

    found = [*api.validate(azure, api.Settings(environment=PLACE)), *api.validate(local)]

    assert [str(each) for each in found] == []
    assert "provider: azureml" not in local.read_text()


def test_the_pipelines_are_yaml_that_runs_what_there_is() -> None:
    for page in ("github-actions.md", "azure-pipelines.md"):
        text = blocks(page)[0]

        assert isinstance(yaml.safe_load(text), dict)
        assert "rollout apply plans/diabetes.yaml --auto-approve --on-hold leave" in text


def test_every_open_point_has_its_live_test_and_each_of_those_its_point() -> None:
    page = (DOCS / "unverified.md").read_text(encoding="utf-8")
    module = ast.parse((ROOT / "tests/live/test_azure.py").read_text(encoding="utf-8"))
    tests = [
        each.name
        for each in module.body
        if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")
    ]

    named = re.findall(r"`(test_\w+)`", page)

    assert sorted(named) == sorted(tests)


def test_no_test_of_the_suite_asks_azure() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert "tests/live" not in makefile
    assert "pytest.mark.azure" in (ROOT / "tests/live/test_azure.py").read_text(encoding="utf-8")
