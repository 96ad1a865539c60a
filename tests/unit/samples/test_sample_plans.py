"""The sample plans and deployments name files that are there, and endpoints that are their own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from scripts.train_samples import PLANS

ROLLOUTS = sorted(PLANS.glob("*.yaml"))
DEPLOYMENTS = sorted(PLANS.glob("*-deployment.yml"))


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("path", ROLLOUTS, ids=lambda path: path.stem)
def test_a_plan_names_its_files_and_deployments_as_they_are(path: Path) -> None:
    plan = read(path)

    assert plan["name"] == path.stem
    assert (PLANS / plan["requests"]).is_file()
    assert (PLANS / plan["endpoint"]["file"]).is_file()
    for role in ("baseline", "candidate"):
        assert read(PLANS / plan[role]["file"])["name"] == plan[role]["deployment"]
    gates = {stage["gate"] for stage in plan["stages"] if "gate" in stage}
    assert gates == set(plan["gates"])


@pytest.mark.parametrize("path", ROLLOUTS, ids=lambda path: path.stem)
def test_a_plan_says_what_it_shows_before_it_begins(path: Path) -> None:
    first, blank, sentence = path.read_text().splitlines()[:3]

    assert first == "# yaml-language-server: $schema=../schemas/rollout.v1.schema.json"
    assert blank == "#"
    assert sentence.startswith("# ")


def test_plans_that_can_run_side_by_side_have_endpoints_of_their_own() -> None:
    names = {path.stem: read(path)["endpoint"]["name"] for path in ROLLOUTS}

    assert names.pop("demo-good") == names.pop("demo-bad")
    assert len(set(names.values())) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]{2,31}", name) for name in names.values())


@pytest.mark.parametrize("path", DEPLOYMENTS, ids=lambda path: path.stem)
def test_a_deployment_finds_its_model_script_and_environment(path: Path) -> None:
    deployment = read(path)
    code = deployment["code_configuration"]

    assert path.stem == f"{deployment['name']}-deployment"
    assert (PLANS / deployment["model"]["path"] / "model.json").is_file()
    assert (PLANS / code["code"] / code["scoring_script"]).is_file()
    assert (PLANS / deployment["environment"]["conda_file"]).is_file()


def test_the_readme_has_every_plan() -> None:
    readme = (PLANS / "README.md").read_text()

    assert [path.name for path in ROLLOUTS if f"`{path.name}`" not in readme] == []
